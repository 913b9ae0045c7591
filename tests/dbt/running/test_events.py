"""What dbt reports, told as events: pure, so every shape that a dbt may report is tried here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from assetry import DailyPartitionsDefinition
from assetry.plugin import (
    Asset,
    AssetKey,
    Check,
    Checked,
    CheckRef,
    Event,
    Failed,
    Integration,
    Invocation,
    Log,
    Materialized,
    Progress,
    Skipped,
    Started,
)
from assetry_dbt.running.events import Story, Trouble, made_metadata
from assetry_dbt.running.reports import (
    BatchFinished,
    BatchResults,
    BatchStarted,
    Ended,
    Message,
    NodeFinished,
    NodeStarted,
    Raised,
    Report,
)
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
    place = None if passed else "Got 2 results\nSee models/schema.yml."
    assert events[1:] == [Checked("shop/a", "t", passed, severity, place, facts)]  # type: ignore[arg-type]


def test_a_check_that_dbt_skips_though_all_is_made_did_not_pass() -> None:
    story = Story(asking(model("a", checks=[check("t"), check("soft", "warn")])))
    reports = (NodeFinished("test.shop.t", "skipped"), NodeFinished("test.shop.soft", "cancelled"))
    events = told(story, NodeFinished(uid("a"), "success"), *reports)
    assert [(event.passed, event.severity, event.message) for event in events if isinstance(event, Checked)] == [
        (False, "error", "dbt skipped it."),
        (False, "warn", "dbt cancelled it."),
    ]


def test_a_skipped_check_of_what_failed_says_nothing() -> None:
    story = Story(asking(model("a", checks=[check("t")])))
    events = told(story, NodeFinished(uid("a"), "error", "boom"), NodeFinished("test.shop.t", "skipped"))
    assert [type(event) for event in events] == [Failed]


def test_what_was_asked_and_not_reported() -> None:
    asked = asking(model("a", checks=[check("t")]), model("b", checks=[check("below_b")]))
    events = told(Story(asked), NodeFinished(uid("a"), "success"))
    made, failed, unrun = events
    assert isinstance(made, Materialized)
    assert isinstance(failed, Failed)
    assert "dbt did not run shop/b" in failed.message
    # Only the check of what was made is missed: that of `b` could not run.
    assert isinstance(unrun, Checked)
    assert (unrun.key, unrun.check, unrun.passed, unrun.severity) == ("shop/a", "t", False, "error")


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


HOOK = "operation.shop.shop-on-run-end-0"


def test_a_failed_hook_is_told_at_once_and_explained_by_run_results() -> None:
    story = Story(asking(model("a")))
    live = [*story.tell(NodeFinished(uid("a"), "success")), *story.tell(NodeFinished(HOOK, "error"))]
    assert live[1:] == [Log("hook shop.on-run-end.0 failed in dbt.", "error")]
    list(story.tell(Ended(False, None, "id")))
    assert story.needs_results
    message = "shop.on-run-end.0 failed, error:\n Catalog Error: no such table"
    assert told(story, results=[NodeFinished(HOOK, "error", message)]) == []
    assert story.trouble() == Trouble(
        "hook shop.on-run-end.0 failed: Catalog Error: no such table",
        "See on-run-end in dbt_project.yml of shop; "
        "what dbt made of it is in target/compiled/shop/dbt_project.yml/hooks/shop-on-run-end-0.sql.",
    )


def test_a_failed_hook_that_only_run_results_knows_is_told() -> None:
    story = Story(asking(model("a")))
    list(story.tell(NodeFinished(uid("a"), "success")))
    list(story.tell(Ended(False, None, "id")))
    (log,) = told(story, results=[NodeFinished(HOOK, "error", "no such table")])
    assert isinstance(log, Log)
    assert (log.level, "no such table" in log.message) == ("error", True)
    assert "no such table" in str(story.trouble())


def test_a_failed_hook_without_run_results_has_the_last_words_of_dbts_log() -> None:
    story = Story(asking(model("a")))
    told(story, NodeFinished(uid("a"), "success"), NodeFinished(HOOK, "error"), Raised(HOOK, "no right"))
    assert story.trouble() is not None
    assert "no right" in str(story.trouble())


def test_what_is_skipped_because_of_a_hook_names_it() -> None:
    story = Story(asking(model("a")))
    events = told(
        story,
        NodeFinished("operation.shop.shop-on-run-start-0", "error", "no"),
        Ended(False, None, "id"),
        results=[NodeFinished(uid("a"), "skipped")],
    )
    assert events[1:] == [Skipped("shop/a", "hook shop.on-run-start.0 failed in dbt")]


def test_what_is_made_after_a_failed_hook_is_begun_as_well() -> None:
    hook = NodeFinished("operation.shop.shop-on-run-start-0", "error", "no")
    events = told(Story(asking(model("a"))), hook, NodeStarted(uid("a")), NodeFinished(uid("a"), "success"))
    assert [event.name for event in events] == ["log", "started", "materialized"]


def test_a_failed_end_that_no_node_explains_has_dbts_own_words() -> None:
    story = Story(asking(model("a")))
    told(story, NodeFinished(uid("a"), "success"), Message("no disk", "error"), Ended(False, None, "id"))
    assert story.trouble() == Trouble("dbt ended with a failure that no asset and no test explains: no disk")


@pytest.mark.parametrize(
    "finished", [NodeFinished(uid("a"), "error", "boom"), NodeFinished("test.shop.t", "fail", "Got 1")]
)
def test_a_failed_end_that_an_asset_or_a_check_explains_is_no_trouble_beside(finished: NodeFinished) -> None:
    story = Story(asking(model("a", checks=[check("t")])))
    told(story, finished, NodeFinished(uid("a"), "success"), Ended(False, None, "id"))
    assert story.trouble() is None


def test_run_results_have_the_last_word_on_what_failed() -> None:
    story = Story(asking(model("a", checks=[check("t")]), model("b")))
    reports = (
        NodeFinished(uid("a"), "success"),
        NodeFinished("test.shop.t", "pass"),
        NodeFinished(uid("b"), "success"),
    )
    results = [
        NodeFinished(uid("a"), "error", "lost at the end"),
        NodeFinished("test.shop.t", "fail", "Got 1"),
        NodeFinished(uid("b"), "success"),
    ]
    late = told(story, *reports, Ended(False, None, "id"), results=results)[3:]
    assert [(event.name, getattr(event, "message", "")) for event in late] == [
        ("failed", "lost at the end"),
        ("checked", "Got 1\nSee models/schema.yml."),
    ]


BATCHES = (
    *(NodeStarted(uid("a")), NodeStarted(uid("a")), BatchFinished(uid("a"), "ok", "1", 3)),
    *(NodeFinished(uid("a"), "success"), NodeStarted(uid("a")), NodeStarted(uid("a"))),  # two at a time
    *(Raised(uid("a"), "division by zero"), BatchFinished(uid("a"), "error", "3", 3)),
    *(NodeFinished(uid("a"), "error", "ERROR"), BatchFinished(uid("a"), "ok", "2", 3)),
    NodeFinished(uid("a"), "success"),
)


def test_a_batch_is_progress_and_a_part_of_a_model_is_not_the_model() -> None:
    story = Story(asking(model("a"), model("b", "a")))
    live = [event for report in BATCHES for event in story.tell(report)]
    key = "shop/a"
    assert live == [
        Started(key),
        Progress(key, 1, 3),
        Progress(key, 2, 3),
        Log("Batch 3 failed.", "error", key),
        Progress(key, 3, 3),
    ]
    reports = (NodeFinished(uid("a"), "partial success", "PARTIAL SUCCESS (2/3)"), NodeFinished(uid("b"), "skipped"))
    failed, skipped = told(story, *reports)
    assert isinstance(failed, Failed)
    assert failed.message == "PARTIAL SUCCESS (2/3): batch 3 failed.\ndivision by zero"
    assert skipped == Skipped("shop/b", "shop/a failed")


def test_a_model_whose_end_is_not_heard_is_not_made_by_its_batches() -> None:
    story = Story(asking(model("a")))
    (failed,) = [event for event in told(story, *BATCHES) if isinstance(event, TERMINAL)]
    assert isinstance(failed, Failed)
    assert "dbt did not run shop/a" in failed.message


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
    taken_back = [
        event.key
        for number, event in enumerate(events)
        if isinstance(event, Failed)
        and any(isinstance(each, Materialized) and each.key == event.key for each in events[:number])
    ]
    ends = [event.key for event in events if isinstance(event, TERMINAL)]
    assert sorted(ends) == sorted([*(f"shop/{name}" for name in names), *taken_back])
    assert len(set(taken_back)) == len(taken_back)
    broken = {f"shop/m{number}" for number, status in results.items() if status == "error"}
    assert set(taken_back) <= broken
    assert not broken & ({event.key for event in events if isinstance(event, Materialized)} - set(taken_back))
    assert {event.key for event in events if isinstance(event, Started)} <= {f"shop/{name}" for name in names}


# -- partitions ----------------------------------------------------------------------------------------------------


DAYS = DailyPartitionsDefinition("2026-01-01")
THREE = ("2026-01-01", "2026-01-02", "2026-01-03")
ALL = "2026-01-01..2026-01-03"


def batched(name: str, *deps: str, checks: Sequence[Check] = (), **spec: Any) -> Asset:
    plain = model(name, *deps, checks=checks)
    return replace(plain, partitions_def=DAYS, spec={**plain.spec, "partitions": spec or {"batches": "day"}})


def asking_parts(*assets: Asset) -> Invocation:
    return replace(asking(*assets), partitions=THREE)


def batch(name: str, day: str, status: str, *between: Report) -> tuple[Report, ...]:
    """Return what dbt says of a batch, from its beginning to its end."""
    number = THREE.index(day) + 1 if day in THREE else 9
    assert number
    return (
        *(NodeStarted(uid(name)), BatchStarted(uid(name), day), *between),
        BatchFinished(uid(name), status, day, 3, 0.5, "main.a"),
        NodeFinished(uid(name), "success" if status == "ok" else status),
    )


def ends(events: Iterable[Event]) -> list[tuple[str, str | None, str]]:
    """Return the ends that were told: what, of which partition or range of them, and why not."""
    return [
        (each.name, each.parts, getattr(each, "message", getattr(each, "because", "")))
        for each in events
        if isinstance(each, TERMINAL)
    ]


def test_a_batch_is_the_end_of_its_partition_as_it_ends() -> None:
    story = Story(asking_parts(batched("a")))
    live = [NodeStarted(uid("a")), *batch("a", THREE[0], "ok")]
    events = [event for report in live for event in story.tell(report)]
    facts = {"status": "success", "seconds": 0.5, "relation": "main.a"}
    assert events == [Started("shop/a", THREE[0]), Materialized("shop/a", THREE[0], metadata=facts)]


def test_a_batch_that_failed_is_just_that_partition() -> None:
    story = Story(asking_parts(batched("a"), model("b", "a")))
    reports = [
        NodeStarted(uid("a")),
        *batch("a", THREE[0], "ok"),
        *batch("a", THREE[1], "error", Raised(uid("a"), "division by zero")),
        *batch("a", THREE[2], "ok"),
        NodeFinished(uid("a"), "partial success", "PARTIAL SUCCESS (2/3)"),
        NodeFinished(uid("b"), "skipped"),
    ]
    results = [NodeFinished(uid("a"), "partial success", batches=BatchResults(starts(0, 2), starts(1)))]
    assert ends(told(story, *reports, Ended(False), results=results)) == [
        ("materialized", THREE[0], ""),
        ("failed", THREE[1], "division by zero"),
        ("materialized", THREE[2], ""),
        ("skipped", None, "shop/a failed"),
    ]
    assert story.trouble() is None


def starts(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{THREE[number]}T00:00:00+00:00" for number in numbers)


def test_of_batches_that_fail_side_by_side_each_has_its_own_cause() -> None:
    story = Story(asking_parts(batched("a")))
    causes = [Raised(uid("a"), f"no: ts >= '{day} 00:00:00+00:00'") for day in THREE[:2]]
    reports = [NodeStarted(uid("a")), *causes, *batch("a", THREE[1], "error"), *batch("a", THREE[0], "error")]
    found = {day: why for _, day, why in ends(event for each in reports for event in story.tell(each))}
    assert THREE[0] in found[THREE[0]]
    assert THREE[1] in found[THREE[1]]


def test_when_the_first_batch_fails_dbt_makes_none_and_says_so() -> None:
    story = Story(asking_parts(batched("a")))
    reports = [NodeStarted(uid("a")), *batch("a", THREE[0], "error"), *batch("a", THREE[1], "skipped")]
    reports += [*batch("a", THREE[2], "skipped"), NodeFinished(uid("a"), "error", "ERROR")]
    assert ends(told(story, *reports, Ended(False))) == [
        ("failed", THREE[0], "dbt did not make it."),
        ("skipped", THREE[1], "dbt made no batch after the first one failed"),
        ("skipped", THREE[2], "dbt made no batch after the first one failed"),
    ]


def test_a_model_that_cannot_be_compiled_fails_with_all_its_partitions() -> None:
    story = Story(asking_parts(batched("a")))
    (failed,) = ends(told(story, NodeStarted(uid("a")), NodeFinished(uid("a"), "error", "no such macro"), Ended(False)))
    assert failed == ("failed", None, "no such macro")


@pytest.mark.parametrize(
    ("results", "made", "lost"),
    [
        (None, [ALL], []),
        (BatchResults(starts(0, 1, 2)), [ALL], []),
        (BatchResults(starts(0, 2), starts(1)), [THREE[0], THREE[2]], [THREE[1]]),
    ],
)
def test_where_dbt_tells_of_no_batch_its_results_do(
    results: BatchResults | None, made: list[str], lost: list[str]
) -> None:
    story = Story(asking_parts(batched("a")))
    status = "partial success" if lost else "success"
    end = NodeFinished(uid("a"), status)
    live = [event for each in (NodeStarted(uid("a")), end) for event in story.tell(each)]
    assert ends(live) == []
    assert story.needs_results
    late = ends(told(story, Ended(not lost), results=[replace(end, batches=results)]))
    assert [part for what, part, _ in late if what == "materialized"] == made
    assert [part for what, part, _ in late if what == "failed"] == lost


def test_batches_that_were_not_asked_for_make_no_partition() -> None:
    story = Story(asking_parts(batched("a")))
    reports = [NodeStarted(uid("a")), *batch("a", "2025-12-31", "ok"), NodeFinished(uid("a"), "success")]
    events = told(story, *reports, Ended(True), results=[NodeFinished(uid("a"), "success")])
    assert Log("dbt made batch 2025-12-31, which was not asked for.", "warning", AssetKey("shop/a")) in events
    assert ends(events) == [("failed", day, "dbt made other batches than those that were asked for.") for day in THREE]


def test_what_results_take_back_is_taken_back_of_its_partition() -> None:
    story = Story(asking_parts(batched("a")))
    reports = [NodeStarted(uid("a")), *(each for day in THREE for each in batch("a", day, "ok"))]
    reports.append(NodeFinished(uid("a"), "success"))
    results = [NodeFinished(uid("a"), "partial success", "lost", batches=BatchResults(starts(0, 2), starts(1)))]
    events = ends(told(story, *reports, Ended(False), results=results))
    assert events[3:] == [("failed", THREE[1], "lost")]


def test_a_model_that_vars_tell_ends_with_all_its_partitions() -> None:
    story = Story(asking_parts(batched("a", vars={"start": "x"})))
    events = told(story, NodeStarted(uid("a")), NodeFinished(uid("a"), "success"), Ended(True))
    assert [each.parts for each in events if isinstance(each, Started)] == [ALL]
    assert ends(events) == [("materialized", ALL, "")]
    failing = Story(asking_parts(batched("a", vars={"start": "x"})))
    assert ends(told(failing, NodeFinished(uid("a"), "error", "no"), Ended(False))) == [("failed", None, "no")]


def test_no_check_is_told_of_a_model_that_is_not_whole() -> None:
    checks = [Check("t", spec={"unique_id": "test.shop.t"})]
    story = Story(asking_parts(batched("a", checks=checks)))
    reports = [NodeStarted(uid("a")), *batch("a", THREE[0], "ok"), *batch("a", THREE[1], "error")]
    reports += [*batch("a", THREE[2], "ok"), NodeFinished(uid("a"), "partial success", "PARTIAL")]
    events = told(story, *reports, NodeFinished("test.shop.t", "skipped"), Ended(False))
    assert not [each for each in events if isinstance(each, Checked)]
