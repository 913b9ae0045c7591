"""Both engines, one story: a `dbt build` becomes the same events whichever way dbt is run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from assetry.plugin import (
    Checked,
    Event,
    Failed,
    IntegrationError,
    Log,
    Materialized,
    Progress,
    RunError,
    Skipped,
    Started,
)

pytestmark = pytest.mark.slow

ENGINES = ("in-process", "subprocess")


def key(name: str) -> str:
    return f"happenings/{name}"


@pytest.fixture(scope="module")
def stories(shared_happenings: Callable[[str], Any]) -> Mapping[str, list[Event]]:
    """Return the events of one whole build, by engine."""
    return {engine: shared_happenings(engine).run() for engine in ENGINES}


@pytest.fixture(params=ENGINES)
def story(request: pytest.FixtureRequest, stories: Mapping[str, list[Event]]) -> list[Event]:
    return stories[request.param]


def essence(events: Iterable[Event]) -> list[tuple[Any, ...]]:
    """Return what must not depend on the engine, in an order that does not depend on dbt's threads."""
    found = []
    for event in events:
        facts = {name: value for name, value in getattr(event, "metadata", {}).items() if name != "seconds"}
        told = [
            getattr(event, name, None) for name in ("key", "check", "passed", "severity", "message", "because", "hint")
        ]
        found.append((event.name, *map(str, told), json.dumps(facts, sort_keys=True)))
    return sorted(found)


def only(events: Iterable[Event], kind: type[Event], name: str, check: str | None = None) -> Any:
    found = [e for e in events if isinstance(e, kind) and e.key == key(name) and getattr(e, "check", None) == check]
    assert len(found) == 1, found
    return found[0]


def test_both_engines_tell_the_same(stories: Mapping[str, list[Event]]) -> None:
    assert essence(stories["in-process"]) == essence(stories["subprocess"])


def test_each_asset_ends_once(story: list[Event]) -> None:
    ends = [event.key for event in story if isinstance(event, (Materialized, Failed, Skipped))]
    names = ("raw", "a", "b", "c", "below_c", "d", "below_d", "last_d", "u")
    assert sorted(ends) == sorted(map(key, names))


def test_nothing_is_said_of_ephemeral_models_and_exposures(story: list[Event]) -> None:
    assert not [event for event in story if isinstance(event, Log)]


def test_started_comes_first_and_not_for_what_is_skipped(story: list[Event]) -> None:
    for event in story:
        if isinstance(event, (Materialized, Failed)):
            assert story.index(Started(event.key)) < story.index(event)
        elif isinstance(event, Skipped):
            assert Started(event.key) not in story


def test_made_assets_say_what_the_warehouse_said(story: list[Event]) -> None:
    raw = only(story, Materialized, "raw").metadata
    assert raw["rows"] == 2
    assert raw["status"] == "success"
    assert raw["seconds"] > 0
    assert raw["relation"] == '"warehouse"."main"."raw"'
    assert "rows" not in only(story, Materialized, "b").metadata


def test_failure_has_dbts_message_and_the_files(story: list[Event]) -> None:
    failed = only(story, Failed, "d")
    assert "Could not convert string 'x1' to INT32" in failed.message
    assert "models/d.sql" in failed.hint
    assert "target/compiled/happenings/models/d.sql" in failed.hint


@pytest.mark.parametrize("name", ["below_d", "last_d"])
def test_skipped_names_the_root(story: list[Event], name: str) -> None:
    assert only(story, Skipped, name).because == "happenings/d failed"


def test_skipped_because_of_a_check(story: list[Event]) -> None:
    assert only(story, Skipped, "below_c").because == "check c_id_is_one of happenings/c failed"
    assert only(story, Skipped, "u").because == "check u_trebles of happenings/u failed"


def test_checks_pass_fail_and_warn(story: list[Event]) -> None:
    passed = only(story, Checked, "a", "not_null_a_id")
    assert (passed.passed, passed.severity, passed.message) == (True, "error", None)
    failed = only(story, Checked, "c", "c_id_is_one")
    assert (failed.passed, failed.severity, failed.metadata["failures"]) == (False, "error", 1)
    assert failed.message == (
        "Got 1 result, configured to fail if != 0\n"
        "See models/schema.yml; its query is in target/compiled/happenings/models/schema.yml/c_id_is_one.sql."
    )
    assert failed.metadata["file"] == "models/schema.yml"
    warned = only(story, Checked, "b", "b_v_known")
    assert (warned.passed, warned.severity) == (False, "warn")
    assert only(story, Checked, "b", "relationships_b_id__id__ref_a_").passed


def test_unit_tests_come_before_their_model(story: list[Event]) -> None:
    unit = only(story, Checked, "a", "a_keeps_v")
    assert unit.passed
    assert story.index(unit) < story.index(only(story, Materialized, "a"))


def test_a_failed_test_names_the_query_that_dbt_made(happenings: Callable[..., Any]) -> None:
    bench = happenings()
    failed = only(bench.run("raw", "c"), Checked, "c", "c_id_is_one")
    path = failed.message.rpartition(" is in ")[2].removesuffix(".")
    assert "select" in (bench.folder / path).read_text()


@pytest.mark.parametrize("engine", ENGINES)
def test_only_what_is_asked_is_run(happenings: Callable[..., Any], engine: str) -> None:
    events = happenings(engine).run("raw", "c", checks=False, full_refresh=True)
    assert {type(event) for event in events} == {Started, Materialized}
    assert {event.key for event in events} == {key("raw"), key("c")}


@pytest.mark.parametrize("engine", ENGINES)
def test_what_dbt_did_not_run_fails_with_a_next_step(happenings: Callable[..., Any], engine: str) -> None:
    bench = happenings(engine)
    asked = bench.invocation("raw", "a", checks=False)
    (bench.folder / "models" / "a.sql").write_text("{{ config(enabled=false) }} select 1 as id")
    (bench.folder / "models" / "schema.yml").unlink()
    for name in ("eph", "b"):
        (bench.folder / "models" / f"{name}.sql").unlink()
    events = bench.run_invocation(asked)
    assert only(events, Materialized, "raw")
    assert "dbt did not run happenings/a" in only(events, Failed, "a").message


@pytest.mark.parametrize("engine", ENGINES)
def test_a_project_that_cannot_be_parsed_is_one_error(happenings: Callable[..., Any], engine: str) -> None:
    bench = happenings(engine)
    asked = bench.invocation("raw", checks=False)
    (bench.folder / "models" / "a.sql").write_text("select * from {{ ref('nothing') }}")
    with pytest.raises(IntegrationError) as caught:
        bench.run_invocation(asked)
    assert str(caught.value).count("depends on a node named 'nothing'") == 1
    assert "Traceback" not in str(caught.value)


def test_parsing_says_what_is_wrong(happenings: Callable[..., Any]) -> None:
    bench = happenings()
    (bench.folder / "models" / "a.sql").write_text("select * from {{ ref('nothing') }}")
    with pytest.raises(IntegrationError, match="depends on a node named 'nothing'"):
        bench.parse()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_locked_file_names_who_holds_it(
    happenings: Callable[..., Any], held_duckdb: Callable[..., Any], engine: str
) -> None:
    bench = happenings(engine)
    with held_duckdb(bench.folder / "warehouse.duckdb") as pid, pytest.raises(RunError) as caught:
        bench.run("raw", checks=False)
    assert f"PID {pid}" in str(caught.value)
    assert "warehouse.duckdb is in use by another process" in str(caught.value)
    if engine == "in-process":
        assert bench.run("raw", checks=False)[-1].key == key("raw")


#: Batches of which the second fails, a model below them, and a hook that fails at the end.
TROUBLES: Mapping[str, str] = {
    "dbt_project.yml": """\
name: troubles
profile: troubles
on-run-end: ["select 1", "select * from no_such_schema.grants"]
models: {+materialized: table}
""",
    "profiles.yml": "troubles: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb, threads: 2}}}\n",
    "models/days.sql": """\
{{ config(event_time='day') }}
select date_trunc('day', timezone('UTC', now())) - interval (i) day as day, i from range(3) t(i)
""",
    "models/batched.sql": """\
{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='day', batch_size='day',
          begin=(run_started_at - modules.datetime.timedelta(days=2)).strftime('%Y-%m-%d'), concurrent_batches=true) }}
select day, cast(case when i = 1 then 'boom' else '1' end as integer) as v from {{ ref('days') }}
""",
    "models/below.sql": "select count(*) as n from {{ ref('batched') }}\n",
}


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_made_in_part_and_a_failed_hook_are_failures(workbench: Callable[..., Any], engine: str) -> None:
    bench, events = workbench(TROUBLES, engine), []
    with pytest.raises(RunError) as caught:
        events.extend(bench.stream())
    told = {event.key.name: event for event in events if isinstance(event, (Materialized, Failed, Skipped))}
    assert isinstance(told["days"], Materialized)
    assert isinstance(told["batched"], Failed)
    assert told["batched"].message.startswith("PARTIAL SUCCESS (2/3): batch ")
    assert "Could not convert string 'boom'" in told["batched"].message
    assert isinstance(told["below"], Skipped)
    assert [(event.done, event.total) for event in events if isinstance(event, Progress)] == [(1, 3), (2, 3), (3, 3)]
    assert "hook troubles.on-run-end.1 failed: Catalog Error: Table with name" in str(caught.value)
    compiled = "target/compiled/troubles/dbt_project.yml/hooks/troubles-on-run-end-1.sql"
    assert compiled in str(caught.value)
    assert "no_such_schema" in (bench.folder / compiled).read_text()


BATCHED: Mapping[str, str] = {
    **{name: text for name, text in TROUBLES.items() if name != "dbt_project.yml"},
    "dbt_project.yml": "name: troubles\nprofile: troubles\nmodels: {+materialized: table}\n",
    "models/days.sql": "{{ config(event_time='day') }}\n"
    "select timestamp '2026-01-01' + interval (i) day as day, i from range(4) t(i)\n",
    "models/batched.sql": TROUBLES["models/batched.sql"].replace(
        "begin=(run_started_at - modules.datetime.timedelta(days=2)).strftime('%Y-%m-%d')", "begin='2026-01-01'"
    ),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_window_is_made_batch_by_batch_and_each_is_told(workbench: Callable[..., Any], engine: str) -> None:
    bench = workbench(BATCHED, engine)
    days = tuple(f"2026-01-0{day}" for day in (1, 2, 3))
    window = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC)
    asked = replace(bench.invocation(), partitions=days, window=window)
    told = bench.run_invocation(asked)
    ends = [event for event in told if isinstance(event, (Materialized, Failed, Skipped))]
    found = {(event.key.name, event.partition): event for event in ends}
    assert len(found) == len(ends), "each ends once"
    assert isinstance(found["days", None], Materialized)
    for day in (days[0], days[2]):
        made = found["batched", day]
        assert isinstance(made, Materialized)
        assert made.metadata["relation"] == '"w"."main"."batched"'
        assert made.metadata["seconds"] >= 0
    failed = found["batched", days[1]]
    assert isinstance(failed, Failed)
    assert "Could not convert string 'boom'" in failed.message
    assert failed.hint is not None
    assert (bench.folder / failed.hint.partition(" is in ")[2].rstrip(".")).read_text().strip()
    assert isinstance(found["below", None], Skipped)
    started = [event.partition for event in told if isinstance(event, Started) and event.key.name == "batched"]
    assert sorted(map(str, started)) == list(days)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_changed_after_the_plan_is_recorded_as_it_was_built(happenings: Callable[..., Any], engine: str) -> None:
    bench = happenings(engine)
    invocation = bench.invocation("raw", "a", checks=False)
    model = bench.folder / "models" / "a.sql"
    before = model.stat()
    model.write_text("select id, v + 7 as v from {{ ref('raw') }}\n")
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
    events = bench.run_invocation(invocation)
    made = {event.key.name: event for event in events if isinstance(event, Materialized)}
    assert made["raw"].code_version is None
    now = {asset.key.name: asset for asset in bench.assets()}
    assert made["a"].code_version == now["a"].code_version
    assert made["a"].code_parts == now["a"].code_parts
    logs = [event.message for event in events if isinstance(event, Log)]
    (warning,) = [message for message in logs if "after the run was planned" in message]
    assert warning.endswith("recorded so: happenings/a.")
    again = bench.run_invocation(bench.invocation("raw", "a", checks=False))
    assert [event.code_version for event in again if isinstance(event, Materialized)] == [None, None]


def test_a_missing_environment_variable_is_named_with_the_file_that_reads_it(happenings: Callable[..., Any]) -> None:
    bench = happenings()
    model = bench.folder / "models" / "c.sql"
    model.write_text("-- c\nselect '{{ env_var(\"REPORT_OWNR\") }}' as owner\n")
    with pytest.raises(IntegrationError) as caught:
        bench.parse()
    assert f"{model}:2" in str(caught.value)
    assert "Set REPORT_OWNR, or give it a default" in str(caught.value)


def test_a_test_that_warns_gates_where_dbt_fails_it(happenings: Callable[..., Any]) -> None:
    bench = happenings()
    with (bench.folder / "dbt_project.yml").open("a") as file:
        file.write("flags: {warn_error_options: {error: [LogTestResult]}}\n")
    events = bench.run("raw", "a", "b")
    (failed,) = [event for event in events if isinstance(event, Checked) and not event.passed]
    (b,) = [asset for asset in bench.assets() if asset.key.name == "b"]
    assert (failed.check, failed.severity) == ("b_v_known", "error")
    assert {check.name: check.severity for check in b.checks}["b_v_known"] == "error"
