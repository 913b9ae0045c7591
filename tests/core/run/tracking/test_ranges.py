"""Ranges of partitions in one event: for tracker and records they are what each partition, told by itself, would be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from assetry.cli.progress import View
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.parts import Parts
from assetry.plan.numbering import Numbering
from assetry.plan.plan import PlanRequest
from assetry.plan.planner import make_plan
from assetry.run.recorder import Before, Recorder
from assetry.run.tracking.tracked import Interruption
from assetry.run.tracking.tracker import Tracker
from assetry.store.sqlite import SQLiteStore
from assetry.types.assets import Asset, Check, Dep, Integration
from assetry.types.events import Checked, Event, Failed, Log, Materialized, Observed, Ranged, Skipped, Started
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.records import EventRecord, RunInfo
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.run.tracking.told import each_told
from tests.examples import examples

NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-01", exclude=["2026-01-07"])
LETTERS = StaticPartitionsDefinition(["c", "a", "b", "d"])
BOTH = MultiPartitionsDefinition({"day": DAYS, "letter": LETTERS})
TOOL = Integration("t", "t")


def days(*numbers: int) -> list[str]:
    return [f"2026-01-{number:02}" for number in numbers]


def asset(key: str, grid: Any = DAYS, *deps: Any, **more: Any) -> Asset:
    return Asset(key=key, kind="t", integration=TOOL, partitions_def=grid, deps=deps, **more)


class Bench:
    """A run of one call of a tool, told in ranges or one by one, and of what is made from that."""

    def __init__(self, graph: AssetGraph, wants: dict[AssetKey, Parts | None], **more: Any) -> None:
        self.graph = graph
        group = InvocationGroup("t", counted=False, **more)
        groups = {asset.key: group if asset.integration == TOOL else None for asset in graph.assets}
        plan = make_plan(graph, wants, groups, PlanRequest(now=NOW))
        self.tracker = Tracker(plan, graph)
        self.store = SQLiteStore(":memory:")
        self.store.begin(RunInfo(id="r", state="running", started=NOW))
        numbering = Numbering(graph, plan.definitions, plan.now)
        self.recorder = Recorder("r", graph, Before(self.store.latest()), numbering=numbering)
        self.events: list[EventRecord] = []
        self.view = View()
        self.launched: list[Invocation] = []
        (ready,) = self.tracker.ready()
        self.id = self.launch(ready.id)

    def launch(self, id_: str) -> str:
        launch = self.tracker.launch(id_, 100)
        self.note(launch.events)
        if launch.invocation is not None:
            self.launched.append(launch.invocation)
        return launch.id

    def go_on(self) -> None:
        while ready := list(self.tracker.ready()):
            for each in ready:
                self.launch(each.id)

    def take(self, *events: Event) -> list[Event]:
        told = [each for event in events for each in self.tracker.take(self.id, event)]
        self.note(told)
        return told

    def end(self, problem: Interruption | None = None) -> None:
        self.note(self.tracker.end(self.id, problem))

    def note(self, events: Iterable[Event]) -> None:
        for event in events:
            self.recorder.note(NOW, event, "1")
        written = self.recorder.write(self.store)
        self.events += written
        for each in written:
            self.view.take(each)

    def stories(self) -> dict[Any, list[Any]]:
        """Return what was told of each partition, one after the other."""
        told = [each.event for each in self.events if not isinstance(each.event, Log)]
        single = list(each_told(self.graph, told))
        ranged = [each for each in told if isinstance(each, Ranged)]
        assert sum(each.count for each in ranged) == sum(isinstance(each, Ranged) for each in single)
        found: dict[Any, list[Any]] = {}
        for event in single:
            found.setdefault((event.key, event.partition), []).append(_unnamed(event))
        return found

    def records(self) -> tuple[Any, ...]:
        # It took since the first line about an asset, and that may be one about a second end.
        made = {place: replace(each, seconds=None) for place, each in self.store.latest().items()}
        kept = (made, self.store.attempts(), self.store.run_attempts("r"))
        return *({place: _unnamed(each) for place, each in own.items()} for own in kept), dict(self.recorder.counts)

    def shown(self) -> tuple[int, ...]:
        """Return what is counted while the run is watched."""
        view = self.view
        return view.done, sum(each.count for each in view.failures), sum(each.count for each in view.skipped)


def one_by_one(invocation: Invocation, event: Any) -> list[Any]:
    if getattr(event, "through", None) is None:
        return [event]
    return [replace(event, partition=name, through=None) for name in invocation.partitions_told(event)]


def _unnamed(value: Any) -> Any:
    """Return an event or a record with no partition named in its words: what fails as a range is called by it."""
    words = {
        name: re.sub(r" \[[^]]*\]", " [-]", said)
        for name in ("message", "because")
        if isinstance(said := getattr(value, name, None), str) and not isinstance(said, AssetKey)
    }
    return replace(value, **words)


@st.composite
def stories(draw: st.DrawFn) -> tuple[Any, ...]:
    grid = draw(st.sampled_from([DAYS, DAYS, LETTERS, BOTH]))
    made = [asset("a", grid, checks=[Check("good")]), asset("b", grid, "a")]
    graph = AssetGraph.of([*made, Asset(key="c", kind="x", deps=["b"], partitions_def=grid)])
    every = list(grid.existing(NOW))[:12]
    wanted = Parts.at(draw(st.sets(st.sampled_from(every), min_size=1)))
    keys = grid.keys_of(wanted)
    steps: list[Event] = []
    for _ in range(draw(st.integers(0, 6))):
        key = draw(st.sampled_from(["a", "b"]))
        first = draw(st.integers(0, len(keys) - 1))
        last = draw(st.integers(first, len(keys) - 1))
        through = keys[last] if last > first or draw(st.booleans()) else None
        where: dict[str, Any] = {"partition": keys[first], "through": through}
        kind = draw(st.sampled_from(["start", "made", "made", "made", "failed", "skipped"]))
        if kind == "start":
            steps.append(Started(key, **where))
        elif kind == "made":
            steps.append(Materialized(key, data_version=draw(st.sampled_from(["v", "w"])), **where))
        elif kind == "failed":
            steps.append(Failed(key, "no", **where))
        else:
            steps.append(Skipped(key, "no need", **where))
    checked = draw(st.sampled_from([None, True, False]))
    if checked is not None:
        steps.append(Checked("a", "good", checked))
    problem = draw(st.sampled_from([None, None, Interruption("boom"), Interruption("stopped", rest="stopped")]))
    return graph, dict.fromkeys(graph.keys, wanted), steps, problem, draw(st.integers(0, 4)) == 0


@settings(max_examples=examples(150), deadline=None)
@given(stories())
def test_what_is_told_of_ranges_is_what_is_told_of_each_partition(story: tuple[Any, ...]) -> None:
    graph, wants, steps, problem, atomic = story
    ranges, single = both = Bench(graph, wants, atomic=atomic), Bench(graph, wants, atomic=atomic)
    for event in steps:
        ranges.take(event)
        single.take(*one_by_one(single.launched[0], event))
        for bench in both:
            bench.go_on()
    for bench in both:
        bench.end(problem)
        bench.go_on()
    assert ranges.stories() == single.stories()
    for mine, theirs in zip(ranges.records(), single.records(), strict=True):
        assert mine == theirs
    assert ranges.shown() == single.shown()
    assert ranges.launched == single.launched
    assert len(ranges.events) <= len(single.events)


# -- cases -----------------------------------------------------------------------------------------------------------


def bench_of(*numbers: int, grid: Any = DAYS, **more: Any) -> Bench:
    graph = AssetGraph.of([asset("a", grid, **more)])
    return Bench(graph, {AssetKey("a"): DAYS.parts_of(days(*numbers))})


def test_a_range_is_one_event_of_the_log_and_a_record_of_each_partition() -> None:
    made = bench_of(1, 2, 3)
    event = Materialized("a", days(1)[0], metadata={"rows": 3}, through=days(3)[0])
    assert made.take(event) == [event]
    (record,) = made.events
    (kept,) = made.store.events("r")
    assert kept == record
    assert isinstance(kept.event, Materialized)
    assert kept.event.count == 3
    latest = made.store.latest()
    assert [part for _, part in latest] == days(1, 2, 3)
    assert {each.metadata["rows"] for each in latest.values()} == {3}
    assert {each.outcome for each in made.store.attempts().values()} == {"materialized"}
    assert made.recorder.counts["materialized"] == 3
    assert not made.tracker.end(made.id)


def test_an_end_of_all_that_is_left_is_told_in_ranges_without_a_gap() -> None:
    made = bench_of(1, 2, 3, 6, 8, 9)
    made.take(Failed("a", "no", partition=days(2)[0]))
    assert [each.parts for each in made.take(Materialized("a")) if isinstance(each, Ranged)] == [
        "2026-01-01",
        "2026-01-03",
        "2026-01-06",
        "2026-01-08..2026-01-09",
    ]


def test_of_a_range_that_has_partly_ended_the_rest_counts() -> None:
    made = bench_of(1, 2, 3, 4)
    made.take(Materialized("a", days(2)[0]))
    told = made.take(Skipped("a", "no need", partition=days(1)[0], through=days(4)[0]))
    assert [type(each) for each in told] == [Skipped, Skipped, Log]
    assert [each.parts for each in told if isinstance(each, Skipped)] == ["2026-01-01", "2026-01-03..2026-01-04"]


@pytest.mark.parametrize(("first", "through"), [(3, 1), (1, 20), (20, 21)])
def test_a_range_that_was_not_asked_for_is_only_logged(first: int, through: int) -> None:
    made = bench_of(1, 2, 3)
    for kind in (Started, Materialized):
        (told,) = made.take(kind("a", days(first)[0], through=days(through)[0]))
        assert isinstance(told, Log)
        assert f"2026-01-{first:02}..2026-01-{through:02}" in told.message
    assert not made.store.latest()


def test_a_range_of_something_without_partitions_is_only_logged() -> None:
    made = Bench(AssetGraph.of([asset("a", None)]), {AssetKey("a"): None})
    (told,) = made.take(Materialized("a", "1", through="3"))
    assert isinstance(told, Log)


def test_what_is_below_a_range_that_failed_is_skipped_in_one_event_that_names_it() -> None:
    graph = AssetGraph.of([asset("a"), Asset(key="b", kind="x", deps=["a"], partitions_def=DAYS)])
    groups = {AssetKey("a"): InvocationGroup("t", partitions="range"), AssetKey("b"): None}
    wanted = DAYS.parts_of(days(1, 2, 3, 4))
    tracker = Tracker(make_plan(graph, dict.fromkeys(graph.keys, wanted), groups, PlanRequest(now=NOW)), graph)
    (first,) = tracker.ready()
    tracker.launch(first.id)
    tracker.take(first.id, Failed("a", "no", partition=days(1)[0], through=days(3)[0]))
    tracker.take(first.id, Materialized("a", days(4)[0]))
    (below,) = tracker.ready()
    assert tracker.launch(below.id, 10).events == (
        Skipped("b", "a [2026-01-01..2026-01-03] failed", AssetKey("a"), days(1)[0], through=days(3)[0]),
    )


def test_what_is_lost_between_two_that_a_tool_names_stays_as_it_is() -> None:
    graph = AssetGraph.of([Asset(key="u", kind="x", partitions_def=LETTERS), asset("a", LETTERS, "u")])
    wants = dict.fromkeys(graph.keys, LETTERS.parts_of(["c", "a", "b", "d"]))
    groups = {AssetKey("u"): None, AssetKey("a"): InvocationGroup("t", partitions="range")}
    tracker = Tracker(make_plan(graph, wants, groups, PlanRequest(now=NOW)), graph)
    (above,) = tracker.ready()
    first = tracker.launch(above.id, 10)
    for letter in LETTERS.partition_keys:
        tracker.take(first.id, Failed("u", "no", partition="a") if letter == "a" else Materialized("u", letter))
    (ready,) = tracker.ready()
    launch = tracker.launch(ready.id, 10)
    assert [each.parts for each in launch.events if isinstance(each, Skipped)] == ["a"]
    assert launch.invocation is not None
    assert launch.invocation.partitions == ("c", "b", "d")
    for kind in (Started, Materialized):
        assert tracker.take(launch.id, kind("a", "c", through="d")) == [kind("a", "c"), kind("a", "b", through="d")]
    assert tracker.end(launch.id) == []


def test_what_has_ended_does_not_begin_again() -> None:
    made = bench_of(1, 2, 3)
    made.take(Materialized("a", days(2)[0]))
    assert made.take(Started("a", days(2)[0])) == []
    assert [
        each.parts for each in made.take(Started("a", days(1)[0], through=days(3)[0])) if isinstance(each, Ranged)
    ] == [
        "2026-01-01",
        "2026-01-03",
    ]


def test_a_break_is_laid_on_the_range_that_had_begun() -> None:
    made = bench_of(1, 2, 3, 4)
    made.take(Started("a", days(1)[0], through=days(2)[0]))
    made.end(Interruption("boom"))
    assert [(type(each.event), each.event.parts) for each in made.events if isinstance(each.event, Ranged)] == [
        (Started, "2026-01-01..2026-01-02"),
        (Skipped, "2026-01-03..2026-01-04"),
        (Failed, "2026-01-01..2026-01-02"),
    ]


def test_partitions_that_read_others_of_their_own_are_recorded_with_what_each_has_read() -> None:
    before = Dep(AssetKey("a"), partition_mapping=TimeWindowPartitionMapping(-1, -1))
    graph = AssetGraph.of([asset("a", DAYS, before)])
    made = Bench(graph, {AssetKey("a"): DAYS.parts_of(days(1, 2, 3))}, partitions="range")
    made.take(Materialized("a", days(1)[0], "v1", through=days(3)[0]))
    read = {part: dict(each.inputs) for (_, part), each in made.store.latest().items()}
    assert read[days(1)[0]] == {AssetKey("a"): ""}
    assert len({read[day][AssetKey("a")] for day in days(1, 2, 3)}) == 3, "each reads the one before it"


def test_what_a_look_sees_of_a_range_is_recorded_of_each() -> None:
    graph = AssetGraph.of([Asset(key="raw", kind="x", executable=False, partitions_def=DAYS)])
    store = SQLiteStore(":memory:")
    recorder = Recorder("r", graph, Before({}))
    recorder.look(NOW, Observed("raw", days(1)[0], "v1", through=days(3)[0]))
    recorder.look(NOW, Observed("raw", days(3)[0], "v1", through=days(1)[0]))
    seen, wrong = recorder.write(store)
    assert isinstance(seen.event, Observed)
    assert seen.event.count == 3
    assert isinstance(wrong.event, Log)
    assert "runs backwards" in wrong.event.message
    assert {part: each.data_version for (_, part), each in store.latest().items()} == dict.fromkeys(days(1, 2, 3), "v1")
