"""What is read, cloned or left out by flags: the plan says it before, the record after, and status what is not real."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from assetry import Project
from assetry.errors import AssetryError, IntegrationError, UsageError
from assetry.plugin import Checked, Materialized, Skipped

FILES = {
    "shop/dbt_project.yml": "name: shop\nprofile: shop\nmodels: {shop: {+materialized: table}}\n",
    "shop/profiles.yml": """\
shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: shop.duckdb, schema: dev}
    prod: {type: duckdb, path: shop.duckdb, schema: prod}
""",
    "shop/seeds/raw.csv": "id\n1\n2\n",
    "shop/models/a.sql": "select id, '{{ target.name }}' as made_in from {{ ref('raw') }}",
    "shop/models/inside.sql": "{{ config(materialized='ephemeral') }}\nselect * from {{ ref('a') }}",
    "shop/models/b.sql": "select * from {{ ref('inside') }}",
    "shop/models/schema.yml": "models: [{name: a, columns: [{name: id, data_tests: [not_null]}]}]\n",
    "assetry.toml": '[integrations.shop]\nkind = "dbt"\nproject_dir = "shop"\n',
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which prod was built, and its manifest put aside."""
    root = tmp_path_factory.mktemp("deferral")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with Project.load(root) as project:
        assert project.materialize(target="prod").ok
    (root / "prod").mkdir()
    shutil.copy(root / "shop" / "target" / "manifest.json", root / "prod")
    shutil.rmtree(root / ".assetry")  # another team's
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "shop"))


def rows(root: Path, table: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(root / "shop" / "shop.duckdb")) as connection:
        return connection.execute(f"select * from {table} order by 1").fetchall()


def made(project: Project, select: str, **options: Any) -> dict[str, Materialized]:
    result = project.materialize(select, **options)
    assert result.ok, result
    events = [each.event for each in project.store.events(result.run.id)]
    return {each.key.name: each for each in events if isinstance(each, Materialized)}


def said(project: Project, select: str, **options: Any) -> tuple[str | None, tuple[str, ...]]:
    (planned,) = project.with_options(options).commands(project.plan(select, **options)).invocations
    return planned.command, planned.notes


def reasons(project: Project, name: str) -> list[str]:
    return [each.text for each in project.status_of(f"shop/{name}").reasons]


@pytest.mark.slow
def test_what_is_not_built_is_read_from_the_state_and_the_plan_says_from_where(root: Path) -> None:
    state = str(root / "prod")
    with Project.load(root) as project:
        command, notes = said(project, "b", defer=True, state=state)
        assert command is not None
        assert command.endswith(" --defer --state ../prod")
        assert notes == ("what dev has not itself is read as ../prod has it: shop/a from shop.prod.a",)
        _, notes = said(project, "b", defer=True, state=state, favor_state=True)
        assert notes == ("read as ../prod has it: shop/a from shop.prod.a",)
        assert said(project, "a b raw", defer=True, state=state)[1] == ()
        event = made(project, "b", defer=True, state=state)["b"]
        assert event.metadata["flags"] == {"defer": "true", "state": state}
        assert rows(root, "dev.b") == [(1, "prod"), (2, "prod")]
        # It is made, but not of what a build without it reads.
        assert project.status_of("shop/a").status == "never"
        assert project.status_of("shop/b").status == "stale"
        assert "flags" in reasons(project, "b")[0]
        # Where the target has it, that is read, unless the state is favoured.
        made(project, "raw a")
        made(project, "b", defer=True, state=state)
        assert rows(root, "dev.b") == [(1, "dev"), (2, "dev")]
        made(project, "b", defer=True, state=state, favor_state=True)
        assert rows(root, "dev.b") == [(1, "prod"), (2, "prod")]
        made(project, "b")
        assert project.status_of("shop/b").status == "fresh"


@pytest.mark.slow
def test_a_project_that_always_defers_is_fresh_in_its_own_manner(root: Path) -> None:
    more = 'defer = true\nstate = "prod"\n'
    (root / "assetry.toml").write_text(FILES["assetry.toml"] + more)
    with Project.load(root) as project:
        made(project, "b")
        assert rows(root, "dev.b") == [(1, "prod"), (2, "prod")]
        assert project.status_of("shop/a").status == "never"
        made(project, "raw a b")
        assert project.status_of("shop/b").status == "fresh"


@pytest.mark.slow
@pytest.mark.parametrize("by", ["option", "environment"])
def test_what_is_built_empty_is_never_fresh(root: Path, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"empty": True} if by == "option" else {}
    with Project.load(root) as project:
        made(project, "raw")
    if by == "environment":
        monkeypatch.setenv("DBT_EMPTY", "1")
    with Project.load(root) as project:
        command, notes = said(project, "a", **options)
        assert command is not None
        assert command.endswith("--empty")
        assert notes == ("built with --empty: none of it is the real table, and all of it is out of date afterwards",)
        assert made(project, "a", **options)["a"].metadata["flags"] == {"empty": "true"}
        assert rows(root, "dev.a") == []
        # Also while the environment says so still.
        assert project.status_of("shop/a").status == "stale"
        assert reasons(project, "a") == ["it was built with --empty"]
        assert project.status_of("shop/raw").status == "fresh"
    monkeypatch.delenv("DBT_EMPTY", raising=False)
    with Project.load(root) as project:
        assert reasons(project, "a") == ["it was built with --empty"]
        with pytest.raises(UsageError, match="'shop/a' cannot be accepted: it was built with --empty") as caught:
            project.accept("a", why="Only comments.")
        assert caught.value.hint == "`assetry materialize --stale -s shop/a` makes the real one."
        assert {str(each.key) for each in project.plan("a", stale=True).invocations[0].invocation.assets} == {"shop/a"}
        made(project, "a", stale=True)
        assert rows(root, "dev.a") == [(1, "dev"), (2, "dev")]
        assert project.status_of("shop/a").status == "fresh"


@pytest.mark.slow
def test_a_sample_is_never_fresh(root: Path) -> None:
    with Project.load(root) as project:
        command, notes = said(project, "a", sample="3 days")
        assert command is not None
        assert command.endswith("--sample '3 days'")
        assert notes[0].startswith("built with --sample: none of it is the real table")
        events = made(project, "raw a", sample="3 days")
        assert events["a"].metadata["flags"] == {"sample": "3 days"}
        assert "flags" not in events["raw"].metadata
        assert reasons(project, "a") == ["it was built with --sample"]


@pytest.mark.slow
def test_a_clone_is_never_fresh_and_not_tested(root: Path) -> None:
    state = str(root / "prod")
    with Project.load(root) as project:
        made(project, "raw")
        command, notes = said(project, "a b", clone=True, state=state)
        assert command is not None
        assert command.startswith("dbt clone ")
        assert "--indirect-selection" not in command
        assert notes[0].startswith("built with --clone: none of it is the real table")
        assert notes[1] == "cloned from ../prod: shop/a from shop.prod.a, shop/b from shop.prod.b"
        result = project.materialize("a b", clone=True, state=state)
        assert result.ok, result
        events = [each.event for each in project.store.events(result.run.id)]
        assert {each.key.name for each in events if isinstance(each, Materialized)} == {"a", "b"}
        assert [(each.passed, each.severity) for each in events if isinstance(each, Checked)] == [(False, "warn")]
        assert rows(root, "dev.b") == [(1, "prod"), (2, "prod")]
        for name in ("a", "b"):
            assert reasons(project, name)[0] == "it was built with --clone"
        assert project.materialize(stale=True).ok
        assert rows(root, "dev.b") == [(1, "dev"), (2, "dev")]
        assert {each.status for each in project.status()} == {"fresh"}


@pytest.mark.slow
def test_a_clone_of_what_is_there_is_none(root: Path) -> None:
    state = str(root / "prod")
    with Project.load(root) as project:
        made(project, "raw a")
        before = project.store.latest()
        result = project.materialize("a", clone=True, state=state)
        events = [each.event for each in project.store.events(result.run.id)]
        assert not [each for each in events if isinstance(each, Materialized)]
        (left,) = [each for each in events if isinstance(each, Skipped)]
        assert "its table is there already, and `--full-refresh` replaces it" in left.because
        assert project.store.latest() == before
        assert rows(root, "dev.a") == [(1, "dev"), (2, "dev")]
        assert project.materialize("a", clone=True, state=state, full_refresh=True).ok
        assert rows(root, "dev.a") == [(1, "prod"), (2, "prod")]
        assert reasons(project, "a")[0] == "it was built with --clone"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"defer": True}, "has defer and no state"),
        ({"clone": True}, "has no state to clone them from"),
        ({"clone": True, "state": "prod", "empty": True}, "to build them otherwise, too"),
    ],
)
def test_what_has_no_meaning_together_is_refused(root: Path, options: dict[str, Any], told: str) -> None:
    with Project.load(root) as project, pytest.raises(IntegrationError, match=told) as caught:
        project.plan("a", **options)
    assert "--state" in str(caught.value.hint)


def test_a_state_without_a_manifest_is_told_with_its_place(root: Path) -> None:
    with Project.load(root) as project, pytest.raises(AssetryError, match="The state cannot be read") as caught:
        said(project, "b", defer=True, state=str(root / "nowhere"))
    assert str(root / "nowhere" / "manifest.json") == caught.value.where
    assert "Point state at a folder" in str(caught.value.hint)


def test_a_state_that_nothing_is_read_from_changes_nothing(root: Path) -> None:
    more = 'state = "prod"\n'
    with Project.load(root) as project:
        before = project.graph["shop/b"].code_version
    (root / "assetry.toml").write_text(FILES["assetry.toml"] + more)
    with Project.load(root) as project:
        assert project.graph["shop/b"].code_version == before
        command, notes = said(project, "b")
        assert "--state" not in (command or "--state")
        assert notes == ()
