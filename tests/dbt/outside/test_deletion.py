"""Tables of models that are gone, dropped by dbt's adapter: those that were asked for, and nothing beside them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from assetry import Project
from assetry.plugin import AssetryError, Integration, Materialization, Origin, Relation
from assetry_dbt.plugin import assetry_delete

pytestmark = pytest.mark.slow

FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nmodels: {shop: {+materialized: table}}\n",
    "profiles.yml": """\
shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: dev.duckdb}
    prod: {type: duckdb, path: prod.duckdb}
""",
    "models/orders.sql": "select 1 as id\n",
    "models/old.sql": "{{ config(alias='an old one') }}select id from {{ ref('orders') }}\n",
    "models/seen.sql": "{{ config(materialized='view') }}select id from {{ ref('old') }}\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def sql(folder: Path, text: str, target: str = "dev") -> list[Any]:
    with duckdb.connect(str(folder / f"{target}.duckdb")) as base:
        return base.execute(text).fetchall()


def tables(folder: Path, target: str = "dev") -> set[str]:
    return {name for (name,) in sql(folder, "select table_name from information_schema.tables", target)}


def integration(folder: Path, engine: str = "in-process", **options: Any) -> Integration:
    return Integration("shop", "dbt", {"engine": engine, **options}, root=str(folder))


def deleted(folder: Path, relation: Relation, engine: str = "in-process", partitions: Any = None) -> str | None:
    origin = Origin("dbt", "shop", relation)
    record = Materialization(key="shop/x", at=datetime.now(UTC), run="r", data_version="1", origin=origin)  # type: ignore[arg-type]
    context: Any = SimpleNamespace(cancelled=False)
    return assetry_delete(record, integration(folder, engine), partitions, context)


@pytest.fixture
def gone(folder: Path) -> Iterator[Project]:
    """A project that was built, and two of its models removed."""
    with Project(integrations=[integration(folder)], root=folder) as project:
        assert project.materialize().ok
    for name in ("old", "seen"):
        (folder / "models" / f"{name}.sql").unlink()
    with Project(integrations=[integration(folder)], root=folder) as project:
        yield project


def test_hook_assetry_delete_drops_what_dbt_has_built(folder: Path, gone: Project) -> None:
    assert tables(folder) == {"orders", "an old one", "seen"}
    done = gone.prune("old")
    assert [each.because for each in done.left] == ["shop/seen, a view, was made from it and is still there"]
    done = gone.prune()
    assert [(str(each.key), what) for each, what in done.deleted] == [
        ("shop/seen", ("view dev.main.seen",)),
        ("shop/old", ("table dev.main.an old one",)),
    ]
    assert tables(folder) == {"orders"}
    assert gone.orphans() == ()


def test_what_was_built_for_another_target_is_deleted_there(folder: Path, gone: Project) -> None:
    for name in ("old", "seen"):
        (folder / "models" / f"{name}.sql").write_text(FILES[f"models/{name}.sql"])
    with Project(integrations=[integration(folder, target="prod")], root=folder, store="sqlite:r.db") as prod:
        assert prod.materialize().ok
    for name in ("old", "seen"):
        (folder / "models" / f"{name}.sql").unlink()
    with Project(integrations=[integration(folder)], root=folder, store="sqlite:r.db") as dev:
        assert len(dev.prune().deleted) == 2
    assert tables(folder, "prod") == {"orders"}
    assert tables(folder) == {"orders", "an old one", "seen"}


@pytest.mark.parametrize("engine", ["in-process", "subprocess"])
def test_what_stands_on_it_is_never_taken_along(folder: Path, engine: str) -> None:
    sql(folder, "create table old as select 1 as id; create table older as select 1 as id")
    sql(folder, "create view mine as select * from OLD; create view other as select id as bold from older")
    old = Relation("dev", "main", "old")
    with pytest.raises(AssetryError, match=r"dev\.main\.old is not dropped: dev\.main\.mine may stand on it"):
        deleted(folder, old, engine)
    assert "old" in tables(folder)
    assert deleted(folder, Relation(None, None, "mine"), engine) == "view mine"
    assert deleted(folder, old, engine) == "table dev.main.old"
    assert deleted(folder, old, engine) == "dev.main.old, which was not there"
    assert tables(folder) == {"older", "other"}
    sql(folder, """create table "it's {{ odd }}" as select 1 as id""")
    assert deleted(folder, Relation("dev", "main", "it's {{ odd }}"), engine) == "table dev.main.it's {{ odd }}"
    assert tables(folder) == {"older", "other"}


def test_rows_of_partitions_and_what_is_no_table_are_left(folder: Path) -> None:
    with pytest.raises(AssetryError, match=r"Which rows of dev\.main\.old are those of a partition"):
        deleted(folder, Relation("dev", "main", "old"), partitions=["2026-01-01"])
    record = Materialization(key="shop/x", at=datetime.now(UTC), run="r", data_version="1")  # type: ignore[arg-type]
    context: Any = SimpleNamespace(cancelled=False)
    assert assetry_delete(record, integration(folder), None, context) is None
    assert assetry_delete(record, None, None, context) is None


def test_a_dbt_that_breaks_says_why(folder: Path) -> None:
    (folder / "models" / "broken.sql").write_text("select * from {{ ref('nothing') }}")
    with pytest.raises(AssetryError, match="nothing"):
        deleted(folder, Relation("dev", "main", "old"))
