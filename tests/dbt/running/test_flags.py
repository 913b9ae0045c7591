"""Flags that dbt takes from its environment: what is asked is built all the same, and what is built empty is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from assetry.plugin import Checked, Materialized
from assetry_dbt import plugin

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("engine", ["in-process", "subprocess"])
def test_nothing_of_the_environment_or_the_project_narrows_what_is_asked(
    happenings: Callable[..., Any], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = happenings(engine)
    for name, value in {
        **{"DBT_EXCLUDE_RESOURCE_TYPES": "seed test", "DBT_RESOURCE_TYPES": "model"},
        **{"DBT_INDIRECT_SELECTION": "empty", "DBT_WRITE_JSON": "false", "DBT_ENGINE_FAIL_FAST": "true"},
    }.items():
        monkeypatch.setenv(name, value)
    project = bench.folder / "dbt_project.yml"
    project.write_text(project.read_text() + "flags: {indirect_selection: empty, write_json: false, fail_fast: true}\n")
    before = (bench.folder / "target" / "manifest.json").stat().st_mtime_ns
    events = bench.run("raw", "a")
    assert {event.key for event in events if isinstance(event, Materialized)} == {"happenings/raw", "happenings/a"}
    passed = {event.check for event in events if isinstance(event, Checked) and event.passed}
    assert passed == {"not_null_a_id", "a_keeps_v"}
    assert (bench.folder / "target" / "manifest.json").stat().st_mtime_ns > before


def test_a_table_that_is_built_empty_is_shown_recorded_and_not_the_real_one(
    happenings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = happenings()
    real = {asset.key: asset for asset in bench.assets()}
    monkeypatch.setenv("DBT_EMPTY", "1")
    empty = {asset.key: asset for asset in bench.assets()}
    differing = {key for key, asset in empty.items() if asset.code_version != real[key].code_version}
    assert "happenings/a" in differing
    assert "happenings/raw" not in differing
    assert set(empty["happenings/a"].code_parts) - set(real["happenings/a"].code_parts) == {"flags"}
    command = plugin.assetry_invocation_command(bench.invocation("raw", "a"))
    assert command is not None
    assert command.endswith("--empty")
    made = {event.key: event for event in bench.run("raw", "a") if isinstance(event, Materialized)}
    assert made["happenings/a"].metadata["flags"] == {"empty": "true"}
    assert "flags" not in made["happenings/raw"].metadata
    with duckdb.connect(str(bench.folder / "warehouse.duckdb")) as base:
        assert base.execute("select (select count(*) from a), (select count(*) from raw)").fetchone() == (0, 2)
