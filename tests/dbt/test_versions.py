"""The same stories with every dbt: loaded, planned, run with a failing test, streamed, and made whole by a retry.

Each dbt is one of its own environment, in `.dbt/<version>`, that `make` fills: the oldest of them for `make test`, all
for `make campaign`. The one of the lock runs as a subprocess here; within this process it is in most other tests.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.types.events import Checked, Event, InvocationFinished, Materialized, Started
from assetry.types.records import EventRecord

from tests.dbt.second_dbt import Outcome, commands, second_dbt

ROOT = Path(__file__).parents[2]
VERSIONS = ("1.8", "1.9", "1.10")
#: Those that are wanted now; the others are for a campaign.
WANTED = os.environ.get("ASSETRY_DBTS", "1.8").split()

FILES = {
    "assetry.toml": '[integrations.shop]\nkind = "dbt"\nproject_dir = "shop"\nengine = "subprocess"\n',
    "shop/dbt_project.yml": "name: shop\nprofile: shop\nmodels: {shop: {+materialized: table}}\n",
    "shop/profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 1}}}\n",
    "shop/seeds/raw.csv": "id,amount\n1,10\n2,20\n",
    "shop/models/a.sql": "select id, amount from {{ ref('raw') }}",
    "shop/models/eph.sql": "{{ config(materialized='ephemeral') }}\nselect id, -amount as amount from {{ ref('a') }}",
    "shop/models/b.sql": "select id, amount from {{ ref('eph') }}",
    "shop/models/below.sql": "{{ config(materialized='view') }}\nselect * from {{ ref('b') }}",
    "shop/models/beside.sql": "{{ config(materialized='incremental') }}\nselect id from {{ ref('a') }}",
    "shop/models/ver_v1.sql": "select 1 as id",
    "shop/models/ver_v2.sql": "select 2 as id",
    "shop/tests/b_is_positive.sql": "select * from {{ ref('b') }} where amount < 0",
    "shop/models/schema.yml": """\
version: 2
groups: [{name: finance, owner: {email: ann@example.com}}]
models:
  - name: a
    description: All orders.
    config: {group: finance, contract: {enforced: true}}
    columns:
      - {name: id, data_type: integer, tests: [not_null, unique]}
      - {name: amount, data_type: integer}
  - name: ver
    latest_version: 2
    versions: [{v: 1, deprecation_date: 2020-01-01}, {v: 2}]
    columns: [{name: id, tests: [not_null]}]
unit_tests:
  - name: a_keeps_all
    model: a
    given: [{input: ref('raw'), rows: [{id: 1, amount: 3}]}]
    expect: {rows: [{id: 1, amount: 3}]}
exposures:
  - {name: board, type: dashboard, owner: {name: Ann, email: ann@example.com}, depends_on: [ref('below')]}
""",
}
MODELS = {"a", "b", "below", "beside", "raw", "ver/v1", "ver/v2"}


def well(*unique_ids: str) -> dict[str, Outcome]:
    return {each: ("pass" if "test." in each else "success", None, None) for each in unique_ids}


#: What a dbt 2 would do here, in its order.
FIRST_BUILD: dict[str, Outcome] = {
    **well("model.shop.ver.v1", "model.shop.ver.v2", "seed.shop.raw", "unit_test.shop.a.a_keeps_all", "model.shop.a"),
    **well("test.shop.not_null_a_id", "test.shop.unique_a_id", "test.shop.not_null_ver_v1_id"),
    **well("test.shop.not_null_ver_v2_id", "model.shop.beside", "model.shop.b"),
    "test.shop.b_is_positive": ("fail", "Got 2 results, configured to fail if != 0", 2),
    "model.shop.below": ("skipped", None, None),
}
SECOND_BUILD = well("model.shop.b", "test.shop.b_is_positive", "model.shop.below")


@pytest.fixture(params=[*VERSIONS, "lock", "2"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a project that is run by a dbt of some version."""
    version = request.param
    if version in VERSIONS and version not in WANTED:
        pytest.skip("for `make campaign`")
    dbt = Path(sys.executable).with_name("dbt") if version == "lock" else ROOT / ".dbt" / version / "bin" / "dbt"
    if version == "2":
        dbt = second_dbt(tmp_path / "dbt2", FIRST_BUILD, SECOND_BUILD)
    if not dbt.exists():
        pytest.skip(f"there is no dbt {version}: `make .dbt/{version}/.ready` installs it")
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with (tmp_path / "assetry.toml").open("a") as file:
        file.write(f"dbt_executable = {json.dumps(str(dbt))}\n")
    return tmp_path


def outcomes(result: Any) -> dict[str, str]:
    return {str(key).removeprefix("shop/"): each.outcome for (key, _), each in result.outcomes.items()}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_project_is_loaded_planned_run_streamed_and_made_whole(shop: Path) -> None:
    results = shop / "shop" / "target" / "run_results.json"
    told: list[EventRecord] = []
    #: What was told before dbt had written its results, which it does at its end.
    early: list[Event] = []

    def hear(record: EventRecord) -> None:
        told.append(record)
        if not results.exists():
            early.append(record.event)
        if isinstance(record.event, Materialized) and (folder := shop / "dbt2").exists():
            (folder / "heard").touch()

    with Project.load(shop) as project:
        # Loaded: what becomes an asset, a check, a dependency, is the same.
        graph = project.graph
        made = {str(each.key).removeprefix("shop/") for each in graph.assets if each.executable}
        assert made == MODELS
        assert {check.name for asset in graph.assets for check in asset.checks} == {
            *("not_null_a_id", "unique_a_id", "a_keeps_all", "b_is_positive"),
            *("not_null_ver_v1_id", "not_null_ver_v2_id"),
        }
        assert [str(dep.key) for dep in graph["shop/b"].deps] == ["shop/a"]
        a = graph["shop/a"]
        assert (a.group, a.owners, a.description, a.columns_are) == (
            *("finance", ("ann@example.com",), "All orders.", "all"),
        )
        assert graph["shop/beside"].incremental
        assert graph["shop/below"].computed_on_read
        assert graph["shop/exposure/board"].consumer
        assert graph["shop/ver/v1"].metadata["deprecation_date"].startswith("2020-01-01")

        # Planned: one invocation, and the command that makes it.
        plan = project.commands(project.plan())
        assert (plan.count, plan.lower_bound) == (1, 1)
        assert str(plan.invocations[0].command).split()[1] == "build"

        # Run: the test fails, what is below is not made, all else is.
        result = project.materialize(on_event=hear)
        assert not result.ok
        assert outcomes(result) == {
            **dict.fromkeys(("raw", "a", "beside", "ver/v1", "ver/v2"), "materialized"),
            "b": "check_failed",
            "below": "skipped",
        }
        failed = [each.event for each in told if isinstance(each.event, Checked) and not each.event.passed]
        assert [(each.check, each.severity) for each in failed] == [("b_is_positive", "error")]
        assert failed[0].metadata["failures"] == 2
        assert "Got 2 results" in str(failed[0].message)

        # Streamed: each was told while dbt went on.
        heard = {str(each.key) for each in early if isinstance(each, Materialized)}
        assert {"shop/raw", "shop/a"} <= heard
        assert any(isinstance(each, Started) for each in early)
        assert sum(isinstance(each.event, InvocationFinished) for each in told) == 1
        assert json.loads(results.read_text())["args"]["which"] == "build"

    # Made whole: of what is left, by one build, never by a `dbt retry`.
    (shop / "shop" / "models" / "eph.sql").write_text(FILES["shop/models/eph.sql"].replace("-amount", "amount"))
    with Project.load(shop) as project:
        reasons = [each.text for each in project.status_of("shop/b").reasons]
        assert any("ephemeral eph" in each for each in reasons), reasons
        again = project.retry(result.run.id)
        assert again.ok, again
        assert outcomes(again) == {"b": "materialized", "below": "materialized"}
        assert json.loads(results.read_text())["args"]["which"] == "build"
        assert {status.status for status in project.status()} == {"fresh", "external"}
        assert not project.plan(stale=True).invocations
    if (program := shop / "dbt2" / "dbt").exists():
        assert [words[0] for words in commands(program) if words[0] != "parse"] == ["build", "build"]
