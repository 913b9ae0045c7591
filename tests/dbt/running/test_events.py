"""What dbt reports, told as events: pure, so every shape that a dbt may report is tried here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from assetry.plugin import (
    Asset,
    Check,
    Checked,
    CheckRef,
    Event,
    Failed,
    Integration,
    Invocation,
    Log,
    Materialized,
    Skipped,
    Started,
)
from assetry_dbt.running.events import Story, made_metadata
from assetry_dbt.running.reports import Ended, Message, NodeFinished, NodeStarted, Report
from hypothesis import given
from hypothesis import strategies as st

SHOP = Integration("shop", "dbt")
TERMINAL = (Materialized, Failed, Skipped)


def model(name: str, *deps: str, checks: Sequence[Check] = ()) -> Asset:
    return Asset(
        key=f"shop/{name}",
        kind="dbt",
        integration=SHOP,
        deps=[f"shop/{dep}" for dep in deps],
        spec={"unique_id": uid(name)},
        source=f"models/{name}.sql",
        metadata={"package": "shop", "path": f"models/{name}.sql"},
        checks=checks,
    )


def uid(name: str) -> str:
    return f"model.shop.{name}"


def check(name: str, severity: str = "error", also: Sequence[str] = ()) -> Check:
    spec = {"unique_id": f"test.shop.{name}"}
    return Check(name, severity, tuple(f"shop/{each}" for each in also), spec=spec, source="models/schema.yml")  # type: ignore[arg-type]


def asking(*assets: Asset, inputs: Sequence[Asset] = ()) -> Invocation:
    checks = tuple(CheckRef(asset.key, each.name) for asset in (*assets, *inputs) for each in asset.checks)
    return Invocation(id="1", group=None, integration=SHOP, assets=assets, checks=checks, inputs=tuple(inputs))


def told(story: Story, *reports: Report, results: Iterable[NodeFinished] = ()) -> list[Event]:
    """Return all events of a story: of the reports, then of what is left at the end."""
    events = [event for report in reports for event in story.tell(report)]
    if story.ended is None:
        list(story.tell(Ended(True, None, "id")))
    return events + list(story.rest({result.unique_id: result for result in results}))


@pytest.mark.parametrize("status", ["success", "no-op", "reused"])
def test_what_counts_as_made(status: str) -> None:
    (event,) = told(Story(asking(model("a"))), NodeFinished(uid("a"), status, seconds=1.23456))
    assert event == Materialized("shop/a", metadata={"status": status, "seconds": 1.235})


def test_a_warned_model_is_made_and_the_warning_passed_on() -> None:
    log, made = told(Story(asking(model("a"))), NodeFinished(uid("a"), "warn", "late rows"))
    assert log == Log("late rows", "warning", "shop/a")
    assert isinstance(made, Materialized)


@pytest.mark.parametrize("status", ["error", "fail", "runtime error", "partial success", "a new word"])
def test_what_counts_as_failed(status: str) -> None:
    (event,) = told(Story(asking(model("a"))), NodeFinished(uid("a"), status, "boom\r\nhere"))
    assert isinstance(event, Failed)
    assert event.message == "boom\nhere"


def test_hints_name_files_from_where_the_project_file_stands() -> None:
    story = Story(asking(model("a")), "transform", "transform/target")
    (event,) = told(story, NodeFinished(uid("a"), "error", "boom"))
    assert isinstance(event, Failed)
    assert event.hint == (
        "See transform/models/a.sql; what dbt made of it is in transform/target/compiled/shop/models/a.sql."
    )


def test_a_failure_without_message_waits_for_run_results_and_still_skips() -> None:
    story = Story(asking(model("a"), model("b", "a")))
    live = list(story.tell(NodeFinished(uid("a"), "error")))
    live += list(story.tell(NodeFinished(uid("b"), "skipped")))
    assert live == [Skipped("shop/b", "shop/a failed")]
    assert story.needs_results
    (late,) = told(story, results=[NodeFinished(uid("a"), "error", "Binder Error")])
    assert isinstance(late, Failed)
    assert late.message == "Binder Error"


def test_a_failure_that_nobody_explains_is_a_failure_all_the_same() -> None:
    (event,) = told(Story(asking(model("a"))), NodeFinished(uid("a"), "error"))
    assert isinstance(event, Failed)
    assert "'error' without a message" in event.message


def test_skipped_names_the_root_through_what_was_skipped() -> None:
    story = Story(asking(model("d"), model("e", "d"), model("f", "e")))
    events = told(
        story,
        NodeFinished(uid("d"), "error", "boom"),
        NodeStarted(uid("e")),
        NodeFinished(uid("e"), "skipped"),
        NodeFinished(uid("f"), "skipped"),
    )
    assert events[1:] == [Skipped("shop/e", "shop/d failed"), Skipped("shop/f", "shop/d failed")]


def test_skipped_below_a_failed_check_of_two_assets() -> None:
    both = check("a_matches_b", also=["b"])
    story = Story(asking(model("a", checks=[both]), model("b"), model("c", "b")))
    events = told(
        story,
        NodeFinished(uid("a"), "success"),
        NodeFinished(uid("b"), "success"),
        NodeFinished("test.shop.a_matches_b", "fail", "Got 3 results", failures=3),
        NodeFinished(uid("c"), "skipped"),
    )
    assert events[-1] == Skipped("shop/c", "check a_matches_b of shop/a failed")


def test_skipped_below_a_failed_check_of_an_input() -> None:
    source = model("raw", checks=[check("raw_is_fresh")])
    story = Story(asking(model("a", "raw"), inputs=[source]))
    events = told(story, NodeFinished("test.shop.raw_is_fresh", "fail", "old"), NodeFinished(uid("a"), "skipped"))
    assert events[-1] == Skipped("shop/a", "check raw_is_fresh of shop/raw failed")


def test_a_failed_ephemeral_model_is_told_and_named() -> None:
    story = Story(asking(model("a")))
    events = told(
        story,
        NodeFinished(uid("eph"), "error", "no such macro", materialized="ephemeral"),
        NodeFinished(uid("a"), "skipped"),
    )
    assert isinstance(events[0], Log)
    assert "no such macro" in events[0].message
    assert events[1] == Skipped("shop/a", "model.shop.eph failed in dbt")


@pytest.mark.parametrize(
    ("status", "configured", "passed", "severity"),
    [
        ("pass", "error", True, "error"),
        ("pass", "warn", True, "warn"),
        ("warn", "warn", False, "warn"),
        ("warn", "error", False, "warn"),  # warn_if and error_if: dbt's word counts
        ("fail", "error", False, "error"),
        ("error", "warn", False, "error"),  # it could not be run: dbt skips what is below
    ],
)
def test_checks(status: str, configured: str, passed: bool, severity: str) -> None:
    story = Story(asking(model("a", checks=[check("t", configured)])))
    events = told(
        story, NodeFinished(uid("a"), "success"), NodeFinished("test.shop.t", status, "", failures=2, seconds=0.5)
    )
    facts = {"status": status, "failures": 2, "seconds": 0.5, "file": "models/schema.yml"}
    assert events[1:] == [Checked("shop/a", "t", passed, severity, None, facts)]  # type: ignore[arg-type]


def test_a_skipped_check_says_nothing() -> None:
    story = Story(asking(model("a", checks=[check("t")])))
    events = told(story, NodeFinished(uid("a"), "error", "boom"), NodeFinished("test.shop.t", "skipped"))
    assert [type(event) for event in events] == [Failed]


def test_what_was_asked_and_not_reported() -> None:
    asked = asking(model("a", checks=[check("t")]), model("b", checks=[check("below_b")]))
    events = told(Story(asked), NodeFinished(uid("a"), "success"))
    made, failed, log = events
    assert isinstance(made, Materialized)
    assert isinstance(failed, Failed)
    assert "dbt did not run shop/b" in failed.message
    # Only the check of what was made is missed: that of `b` could not run.
    assert log == Log("dbt did not run check 't' of shop/a.", "warning", "shop/a")


def test_run_results_tell_what_the_stream_did_not() -> None:
    asked = asking(model("a", checks=[check("t")]), model("b", "a"))
    results = [
        NodeFinished(uid("a"), "success"),
        NodeFinished("test.shop.t", "fail", "Got 1"),
        NodeFinished(uid("b"), "skipped"),
    ]
    events = told(Story(asked), results=results)
    assert sorted(event.name for event in events) == ["checked", "materialized", "skipped"]
    assert Skipped("shop/b", "check t of shop/a failed") in events


def test_what_nobody_asked_for_is_said_once_each() -> None:
    story = Story(asking(model("a")))
    events = told(
        story,
        NodeFinished(uid("a"), "success"),
        NodeFinished(uid("z"), "success", materialized="table"),
        NodeFinished("exposure.shop.board", "no-op"),
        NodeFinished("operation.shop.on-run-end-0", "success"),
        NodeFinished(uid("eph"), "success", materialized="ephemeral"),
    )
    assert events[1:] == [Log("dbt ran model.shop.z, which was not asked for.", "warning")]


def test_a_failed_hook_is_told_when_nothing_else_explains_the_end() -> None:
    story = Story(asking(model("a")))
    list(story.tell(NodeFinished(uid("a"), "success")))
    list(story.tell(Ended(False, None, "id")))
    assert story.needs_results
    (log,) = told(story, results=[NodeFinished("operation.shop.on-run-end-0", "error", "no such table")])
    assert isinstance(log, Log)
    assert (log.level, "no such table" in log.message) == ("error", True)


def test_messages_are_passed_on_with_their_level_and_asset() -> None:
    events = told(
        Story(asking(model("a"))),
        NodeFinished(uid("a"), "success"),
        Message("careful", "warn", uid("a")),
        Message("plain text"),
    )
    assert events[1:] == [Log("careful", "warning", "shop/a"), Log("plain text")]


def test_a_quiet_success_needs_no_run_results() -> None:
    story = Story(asking(model("a", checks=[check("t")])))
    for report in (NodeFinished(uid("a"), "success"), NodeFinished("test.shop.t", "pass"), Ended(True, None, "id")):
        list(story.tell(report))
    assert not story.needs_results


@pytest.mark.parametrize(
    ("materialized", "affected", "rows"),
    [("table", 5, 5), ("seed", 0, 0), ("incremental", 5, None), ("view", -1, None)],
)
def test_rows_only_where_they_are_the_whole_table(materialized: str, affected: int, rows: int | None) -> None:
    finished = NodeFinished(uid("a"), "success", response={"rows_affected": affected}, materialized=materialized)
    assert made_metadata(finished).get("rows") == rows


STATUSES = st.sampled_from(["success", "error", "skipped", "warn", "no-op", "cancelled", "whatever"])


@given(
    reports=st.lists(st.tuples(st.integers(0, 5), STATUSES, st.sampled_from([None, "boom"])), max_size=12),
    results=st.dictionaries(st.integers(0, 5), STATUSES, max_size=6),
    edges=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8),
)
def test_each_asset_ends_exactly_once_whatever_dbt_says(
    reports: list[tuple[int, str, str | None]], results: dict[int, str], edges: list[tuple[int, int]]
) -> None:
    names = [f"m{number}" for number in range(5)]  # 5 is a stranger
    assets = [model(name, *{f"m{a}" for a, b in edges if b == number and a < b}) for number, name in enumerate(names)]
    finished = [NodeFinished(uid(f"m{number}"), status, message) for number, status, message in reports]
    started = [NodeStarted(each.unique_id) for each in finished]
    written = [NodeFinished(uid(f"m{number}"), status, "late") for number, status in results.items()]
    events = told(Story(asking(*assets)), *started, *finished, results=written)
    assert sorted(event.key for event in events if isinstance(event, TERMINAL)) == [f"shop/{name}" for name in names]
    assert {event.key for event in events if isinstance(event, Started)} <= {f"shop/{name}" for name in names}
