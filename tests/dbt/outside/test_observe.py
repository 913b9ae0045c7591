"""Sources are looked at by dbt, and tables that are gone are seen, whichever way dbt is run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from assetry import Project
from assetry.plugin import Asset, Event, Integration, Invocation, Log, Observed
from assetry_dbt.loading import load
from assetry_dbt.outside.observe import observe, presence
from assetry_dbt.project.project import DbtProject

pytestmark = pytest.mark.slow

FILES = {
    "dbt_project.yml": "name: looked\nprofile: looked\nmodels: {looked: {+materialized: table}}\n",
    "profiles.yml": "looked: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb}}}\n",
    "macros/odd.sql": """\
{% materialization odd, default %}
{% call statement('main') %}select 1{% endcall %}{{ return({'relations': []}) }}
{% endmaterialization %}
""",
    "models/m.sql": "select id from {{ source('app', 'events') }}\n",
    "models/o.sql": "{{ config(materialized='odd') }}select id from {{ ref('m') }}\n",
    "models/sources.yml": """\
sources:
  - name: app
    schema: main
    config:
      loaded_at_field: loaded
      freshness: {warn_after: {count: 1, period: day}, error_after: {count: 2, period: day}}
    tables:
      - name: events
      - name: absent
      - name: plain
        config: {freshness: null, loaded_at_field: null}
""",
}


@pytest.fixture(params=["in-process", "subprocess"])
def integration(request: pytest.FixtureRequest, tmp_path: Path) -> Integration:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    sql(
        "create table events as select 1 as id, timestamp '2024-01-01' as loaded; create table plain as select 1 as id",
        tmp_path,
    )
    return Integration("looked", "dbt", {"engine": request.param}, root=str(tmp_path))


def sql(text: str, folder: Path | str) -> Any:
    with duckdb.connect(str(Path(folder) / "w.duckdb")) as base:
        return base.execute(text).fetchall()


def looked(integration: Integration, assets: list[Asset]) -> Iterator[Event]:
    asked = Invocation(id="1", group=None, integration=integration, assets=tuple(assets))
    context: Any = SimpleNamespace(cancelled=False)
    return observe(asked, context)


def test_a_source_is_as_new_as_its_data(integration: Integration) -> None:
    assets = {str(asset.key): asset for asset in load(integration).assets}
    policy = assets["looked/app/events"].freshness_policy
    assert policy is not None
    assert policy.max_age == timedelta(days=1)
    assert assets["looked/app/plain"].freshness_policy is None
    assert [assets[f"looked/{name}"].lasting for name in ("m", "o")] == [True, False]
    found = list(looked(integration, list(assets.values())))
    seen = {str(each.key): each for each in found if isinstance(each, Observed)}
    assert list(seen) == ["looked/app/events"], "what is older than it may be was read all the same"
    event = seen["looked/app/events"]
    assert event.data_version is not None
    assert event.data_version.startswith("2024-01-01")
    assert (event.metadata["data_time"], event.metadata["freshness"]) == (event.data_version, "error")
    (log,) = [each for each in found if isinstance(each, Log)]
    assert (str(log.key), "Table with name absent does not exist" in log.message) == ("looked/app/absent", True)
    assert not list(looked(integration, [assets["looked/m"]])), "dbt is not run when it has nothing to look at"


def test_dbt_tells_which_tables_are_gone(integration: Integration) -> None:
    assets = [asset for asset in load(integration).assets if asset.lasting and asset.relation is not None]
    project = DbtProject.of(integration)
    found = {
        str(each.key): each.gone for each in presence(project, assets, lambda: False) if isinstance(each, Observed)
    }
    assert found == {
        "looked/m": True, "looked/app/events": False, "looked/app/absent": True, "looked/app/plain": False
    }  # fmt: skip


def test_what_reads_a_source_with_new_rows_is_made_again(tmp_path: Path, integration: Integration) -> None:
    if integration.options["engine"] == "subprocess":
        pytest.skip("the same but slower")
    with Project(integrations=[integration], root=tmp_path) as project:
        project.observe()
        assert project.materialize().ok

        def stale() -> list[str]:
            look = project.observe()
            assert look.counts["observed"] == 5 - 1, "all but the model that need not be there"
            assert look.counts["gone"] == (2 if stale_table else 1)
            return [str(each.key) for each in project.status() if each.status == "stale"]

        stale_table = False
        assert stale() == []
        sql("insert into events values (2, timestamp '2024-01-02')", tmp_path)
        assert stale() == ["looked/m", "looked/o"]
        assert project.materialize(stale=True).ok
        assert stale() == []
        sql("drop table m", tmp_path)
        stale_table = True
        assert stale() == ["looked/m", "looked/o"]
        assert project.materialize(stale=True).ok
        assert not project.plan(stale=True).invocations
        assert sql("select count(*) from m", tmp_path) == [(2,)]
