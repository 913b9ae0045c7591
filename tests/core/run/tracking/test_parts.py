"""Partitions in a run: each ends once, starts when just what it is made from is there, and falls with that alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from assetry.errors import CycleError
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, WeeklyPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.parts import WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan, PlanRequest
from assetry.plan.planner import make_plan
from assetry.run.tracking.tracked import Interruption, Launch
from assetry.run.tracking.tracker import Tracker
from assetry.types.assets import Asset, Check, Dep, Integration
from assetry.types.events import Checked, Event, Failed, Log, Materialized, Skipped, Started
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.run.tracking.told import each_told
from tests.examples import examples

NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-01")
WEEKS = WeeklyPartitionsDefinition("2025-12-29", day_offset=1)
LETTERS = StaticPartitionsDefinition(["a", "b", "c"])
#: By kind of tool, how it takes partitions; "python" is called for each asset alone.
GROUPS = {
    "range": InvocationGroup("range", partitions="range"),
    "one": InvocationGroup("one"),
    "calls": InvocationGroup("calls", counted=False),
    "mixed": InvocationGroup("mixed", partitions="range", mixed=True),
    "python": None,
}
BEFORE = TimeWindowPartitionMapping(-1, -1)
Place = tuple[AssetKey, str | None]


def made(key: str, tool: str, grid: Any, *deps: Any, **more: Any) -> Asset:
    return Asset(key=key, kind=tool, integration=Integration(tool, tool), partitions_def=grid, deps=deps, **more)


def plan_of(graph: AssetGraph, wants: dict[AssetKey, Parts | None]) -> Plan:
    return make_plan(graph, wants, {each.key: GROUPS[each.kind] for each in graph.assets}, PlanRequest(now=NOW))


@st.composite
def projects(draw: st.DrawFn) -> tuple[AssetGraph, dict[AssetKey, Parts | None]]:
    assets: list[Asset] = []
    for number in range(draw(st.integers(1, 6))):
        tool = draw(st.sampled_from(list(GROUPS)))
        grid = draw(st.sampled_from([DAYS, DAYS, WEEKS, LETTERS, None]))
        deps: list[Dep] = []
        for above in assets:
            if draw(st.booleans()):
                alike = (above.partitions_def is LETTERS) == (grid is LETTERS) and grid is not None
                words = ["same", "same", "all", "last"] if alike else ["all", "last"]
                deps.append(Dep(above.key, partition_mapping=draw(st.sampled_from(words))))
        if grid is DAYS and draw(st.booleans()):
            deps.append(Dep(f"x{number}", partition_mapping=BEFORE))
        checks = [Check("ok")] if draw(st.booleans()) else []
        assets.append(made(f"x{number}", tool, grid, *deps, checks=checks))
    graph = AssetGraph.of(assets)
    wants: dict[AssetKey, Parts | None] = {}
    for asset in graph.assets:
        if draw(st.integers(0, 5)):
            definition = asset.partitions_def
            every = list(definition.existing(NOW))[:9] if definition is not None else []
            wants[asset.key] = Parts.at(draw(st.sets(st.sampled_from(every), min_size=1))) if definition else None
    return graph, wants


class Simulation:
    """A run whose tools make, fail or forget partitions by chance; what must hold is looked at as it goes."""

    def __init__(self, graph: AssetGraph, plan: Plan, wants: dict[AssetKey, Parts | None], seed: int) -> None:
        self.graph, self.plan, self.wants, self.random = graph, plan, wants, Random(seed)
        self.numbering = Numbering(graph, {}, NOW)
        self.tracker = Tracker(plan, graph)
        self.calls: dict[str, Iterator[Event]] = {}
        self.events: list[Event] = []
        self.bad: set[Place] = set()
        self.good: set[Place] = set()

    def run(self, stop: int = 10_000) -> None:
        for step in range(10_000):
            if self.tracker.done:
                assert not list(self.tracker.ready())
                return
            if step == stop:
                self.note(self.tracker.abandon("stopped"))
                for id_ in list(self.calls):
                    del self.calls[id_]
                    self.note(self.tracker.end(id_, Interruption("stopped", rest="stopped")))
                continue
            ready = [("start", each.id) for each in self.tracker.ready()]
            running = [("go on", id_) for id_ in self.calls]
            assert ready or running, "it stands still"
            word, id_ = self.random.choice(ready + running)
            if word == "start":
                self.start(id_)
            else:
                event = next(self.calls[id_], None)
                if event is None:
                    del self.calls[id_]
                self.note(self.tracker.end(id_) if event is None else self.tracker.take(id_, event))
        raise AssertionError("it does not come to an end")

    def start(self, id_: str) -> None:
        launch = self.tracker.launch(id_, self.random.choice([1, 2, 5, None]))
        for event in each_told(self.graph, launch.events):
            assert isinstance(event, Skipped)
            read = self.read(event.key, event.partition)
            assert any(place in self.bad for place in read), f"{event} is skipped for nothing"
            self.note([event])
        if launch.invocation is None:
            return
        own = {
            (asset.key, part)
            for asset in launch.invocation.assets
            for part in launch.invocation.partitions_of(asset) or (None,)
        }
        for asset in launch.invocation.assets:
            for part in launch.invocation.partitions_of(asset) or (None,):
                for place in self.read(asset.key, part):
                    if place not in own or (place[0] == asset.key and asset.kind in ("calls", "python")):
                        assert place in self.good, f"{asset.key} [{part}] starts before {place}"
        self.calls[launch.id] = self.script(launch.invocation)

    def read(self, key: AssetKey, part: str | None) -> list[Place]:
        """Return what a partition is made from, as far as it is made in this run."""
        definition = self.graph[key].partitions_def
        own = WHOLE if definition is None or part is None else definition.parts_of([part])
        found: list[Place] = []
        for dep in self.graph[key].deps:
            if dep.key not in self.wants:
                continue
            wanted, upper = self.wants[dep.key], self.graph[dep.key].partitions_def
            if wanted is None or upper is None:
                found.append((dep.key, None))
            else:
                read = self.numbering.up(key, dep.key, own) & wanted
                found += [(dep.key, name) for name in upper.keys_of(read)]
        return found

    def script(self, invocation: Invocation) -> Iterator[Event]:
        failed: set[Place] = set()
        for asset in invocation.assets:
            for part in invocation.partitions_of(asset) or (None,):
                if any(place in failed for place in self.read(asset.key, part)):
                    failed.add((asset.key, part))
                    yield Skipped(asset.key, "what it reads failed", partition=part)
                    continue
                if self.random.random() < 0.8:
                    yield Started(asset.key, part)
                chance = self.random.random()
                if chance < 0.8:
                    yield Materialized(asset.key, part)
                elif chance < 0.95:
                    yield Failed(asset.key, "no", partition=part)
                if chance >= 0.8:
                    failed.add((asset.key, part))
                for check in asset.checks if chance < 0.8 else ():
                    passed = self.random.random() < 0.85
                    if not passed:
                        failed.add((asset.key, part))
                    yield Checked(asset.key, check.name, passed, partition=part)

    def note(self, told: list[Event]) -> None:
        events = list(each_told(self.graph, told))
        self.events += events
        for event in events:
            place = (getattr(event, "key", None), getattr(event, "partition", None))
            if isinstance(event, Materialized):
                self.good.add(place)
            elif isinstance(event, (Failed, Skipped)) or (isinstance(event, Checked) and event.stops):
                self.bad.add(place)
                self.good.discard(place)


def ends(events: list[Event]) -> Counter[Place]:
    return Counter((e.key, e.partition) for e in events if isinstance(e, (Materialized, Failed, Skipped)))


def places(graph: AssetGraph, wants: dict[AssetKey, Parts | None]) -> Counter[Place]:
    found: Counter[Place] = Counter()
    for key, parts in wants.items():
        definition = graph[key].partitions_def
        found.update((key, name) for name in (definition.keys_of(parts) if definition and parts else (None,)))
    return found


@settings(max_examples=examples(150), deadline=None)
@given(projects(), st.integers(0, 2**32), st.sampled_from([10_000, 10_000, 0, 3, 9, 20]))
def test_every_partition_ends_once_and_waits_for_just_what_it_is_made_from(project: Any, seed: int, stop: int) -> None:
    graph, wants = project
    try:
        plan = plan_of(graph, wants)
    except CycleError:
        return
    simulation = Simulation(graph, plan, wants, seed)
    simulation.run(stop)
    assert ends(simulation.events) == places(graph, wants)


# -- cases ---------------------------------------------------------------------------------------------------------


class Bench:
    def __init__(self, *assets: Asset, **wants: list[str]) -> None:
        self.graph = AssetGraph.of(assets)
        found: dict[AssetKey, Parts | None] = {}
        for asset in self.graph.assets:
            definition = asset.partitions_def
            found[asset.key] = definition.parts_of(wants[str(asset.key)]) if definition is not None else None
        self.tracker = Tracker(plan_of(self.graph, found), self.graph)

    def ready(self) -> list[str]:
        return [str(asset.key) for each in self.tracker.ready() for asset in each.invocation.assets]

    def launch(self, key: str, most: int | None = 1) -> Launch:
        return self.tracker.launch(
            next(each.id for each in self.tracker.ready() if any(a.key == key for a in each.invocation.assets)), most
        )


AB = ["a", "b"]


def test_what_reads_a_partition_starts_when_that_is_made() -> None:
    bench = Bench(made("a", "python", LETTERS), made("b", "python", LETTERS, "a"), a=AB, b=AB)
    first, second = bench.launch("a"), bench.launch("a")
    assert [each.invocation.partitions for each in (first, second) if each.invocation] == [("a",), ("b",)]
    assert bench.ready() == []
    bench.tracker.take(second.id, Materialized("a", "b"))
    below = bench.launch("b", None)
    assert below.invocation is not None
    assert below.invocation.partitions == ("b",)


def test_a_partition_that_failed_stops_only_what_reads_it() -> None:
    bench = Bench(made("a", "python", LETTERS), made("b", "python", LETTERS, "a"), a=AB, b=AB)
    call = bench.launch("a", None)
    bench.tracker.take(call.id, Failed("a", "no", partition="a"))
    bench.tracker.take(call.id, Materialized("a", "b"))
    below = bench.launch("b", None)
    assert below.events == (Skipped("b", "a [a] failed", AssetKey("a"), "a"),)
    assert below.invocation is not None
    assert below.invocation.partitions == ("b",)


def test_earlier_partitions_of_itself_come_first() -> None:
    days = ["2026-01-01", "2026-01-02"]
    bench = Bench(made("a", "python", DAYS, Dep("a", partition_mapping=BEFORE)), a=days)
    call = bench.launch("a", None)
    assert call.invocation is not None
    assert call.invocation.partitions == (days[0],)
    assert bench.ready() == []
    bench.tracker.take(call.id, Failed("a", "no", partition=days[0]))
    bench.tracker.end(call.id)
    assert bench.launch("a").events == (Skipped("a", f"a [{days[0]}] failed", AssetKey("a"), days[1]),)
    assert bench.tracker.done


def test_what_reads_an_earlier_partition_that_is_lost_is_lost_with_it() -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    bench = Bench(
        made("a", "python", DAYS), made("b", "range", DAYS, "a", Dep("b", partition_mapping=BEFORE)), a=days, b=days
    )  # fmt: skip
    call = bench.launch("a", None)
    for day in days:
        bench.tracker.take(call.id, Failed("a", "no", partition=day) if day == days[1] else Materialized("a", day))
    bench.tracker.end(call.id)
    below = bench.launch("b")
    assert [each.partition for each in below.events if isinstance(each, Skipped)] == days[1:]
    assert below.invocation is not None
    assert below.invocation.partitions == (days[0],)


def test_a_tool_of_ranges_is_called_beside_a_hole() -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    bench = Bench(made("a", "python", DAYS), made("b", "range", DAYS, "a"), a=days, b=days)
    call = bench.launch("a", None)
    for day in days:
        event = Failed("a", "no", partition=day) if day == days[1] else Materialized("a", day)
        assert bench.ready() == []
        bench.tracker.take(call.id, event)
    bench.tracker.end(call.id)
    first = bench.launch("b")
    assert [each.partition for each in first.events if isinstance(each, Skipped)] == [days[1]]
    assert first.invocation is not None
    assert first.invocation.partitions == (days[0],)
    assert bench.ready() == [], "one call after the other"
    bench.tracker.take(first.id, Materialized("b", days[0]))
    bench.tracker.end(first.id)
    second = bench.launch("b")
    assert second.invocation is not None
    assert second.invocation.partitions == (days[2],)
    assert second.id != first.id
    bench.tracker.take(second.id, Materialized("b", days[2]))
    assert bench.tracker.end(second.id) == []
    assert bench.tracker.done


def test_what_has_no_partitions_is_made_once_beside_a_hole_and_after_what_it_reads() -> None:
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    bench = Bench(
        made("p", "python", DAYS),
        made("first", "mixed", None, checks=[Check("ok")]),
        made("m", "mixed", DAYS, "p", "first"),
        made("newest", "mixed", None, Dep("m", partition_mapping="last"), checks=[Check("ok")]),
        made("below", "mixed", None, "newest"),
        p=days, m=days,
    )  # fmt: skip
    newest = DailyPartitionsDefinition("2026-01-01").newest(1, NOW)
    assert DAYS.keys_of(newest) != (days[2],), "nothing of what `newest` reads is made here"
    call = bench.launch("p", None)
    for day in days:
        bench.tracker.take(call.id, Failed("p", "no", partition=day) if day == days[1] else Materialized("p", day))
    bench.tracker.end(call.id)
    first = bench.launch("m", None).invocation
    assert first is not None
    assert (first.partitions, [str(each.key) for each in first.assets]) == (
        (days[0],),
        ["first", "m", "newest", "below"],
    )
    assert [str(ref.key) for ref in first.checks] == ["first", "newest"]


def test_what_is_made_of_partitions_of_a_later_call_waits_for_it() -> None:
    days = ["2026-01-29", "2026-01-30", "2026-01-31"]
    bench = Bench(
        made("p", "python", DAYS),
        made("first", "mixed", None),
        made("m", "mixed", DAYS, "p", "first"),
        made("newest", "mixed", None, Dep("m", partition_mapping="last"), checks=[Check("ok")]),
        made("after", "mixed", DAYS, "newest"),
        p=days, m=days, after=days,
    )  # fmt: skip
    call = bench.launch("p", None)
    for day in days:
        bench.tracker.take(call.id, Failed("p", "no", partition=day) if day == days[1] else Materialized("p", day))
    bench.tracker.end(call.id)
    asked: list[tuple[list[str], tuple[str, ...], int]] = []
    while any(True for _ in bench.tracker.ready()):
        launch = bench.launch("m" if not asked else "after", None)
        assert launch.invocation is not None
        given = launch.invocation
        asked.append(([str(each.key) for each in given.assets], given.partitions, len(given.checks)))
        for asset in given.assets:
            for part in given.partitions_of(asset) or (None,):
                bench.tracker.take(launch.id, Materialized(asset.key, part))
        for ref in given.checks:
            bench.tracker.take(launch.id, Checked(ref.key, ref.check, True))
        assert bench.tracker.end(launch.id) == []
    assert asked == [
        (["first", "m"], (days[0],), 0),
        (["m", "newest"], (days[2],), 1),
        (["after"], tuple(days), 0),
    ]
    assert bench.tracker.done


def test_a_check_holds_back_what_reads_its_partition() -> None:
    bench = Bench(
        made("a", "python", LETTERS, checks=[Check("ok")]), made("b", "python", LETTERS, "a"), a=AB, b=AB
    )  # fmt: skip
    call = bench.launch("a", None)
    for part in AB:
        bench.tracker.take(call.id, Materialized("a", part))
    assert bench.ready() == []
    bench.tracker.take(call.id, Checked("a", "ok", True, partition="b"))
    below = bench.launch("b", None)
    assert below.invocation is not None
    assert below.invocation.partitions == ("b",)
    bench.tracker.take(call.id, Checked("a", "ok", False, partition="a"))
    assert bench.launch("b").events == (Skipped("b", "check ok of a failed", AssetKey("a"), "a"),)


def test_a_check_of_all_that_could_not_run_holds_back_what_is_below_and_fails_nothing_that_was_made() -> None:
    days = ["2026-01-01", "2026-01-02"]
    checks = [Check("ok"), Check("sums")]
    bench = Bench(made("a", "range", DAYS, checks=checks), made("b", "python", DAYS, "a"), a=days, b=days)
    call = bench.launch("a", None)
    bench.tracker.take(call.id, Materialized("a", days[0]))
    bench.tracker.take(call.id, Failed("a", "no", partition=days[1]))
    owed = bench.tracker.end(call.id)
    told = [f"Check {each.name} of a was not run: a [2026-01-02] failed." for each in checks]
    assert owed == [Log(each, "warning", AssetKey("a")) for each in told]
    below = bench.launch("b", None)
    assert below.invocation is None
    assert [(each.partition, each.because) for each in below.events if isinstance(each, Skipped)] == [
        (days[0], "check ok of a was not run"),
        (days[1], "a [2026-01-02] failed"),
    ]


def test_a_broken_call_lays_its_failure_on_what_had_begun() -> None:
    bench = Bench(made("a", "python", LETTERS), a=["a", "b", "c"])
    call = bench.launch("a", 2)
    bench.tracker.take(call.id, Started("a", "a"))
    owed = bench.tracker.end(call.id, Interruption("it broke"))
    assert {(type(each), each.partition) for each in owed if isinstance(each, (Failed, Skipped))} == {
        (Failed, "a"),
        (Skipped, "b"),
    }
    assert bench.ready() == ["a"], "the third was in no call yet"


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_idle_is_skipped_when_the_run_is_stopped(count: int) -> None:
    bench = Bench(made("a", "python", LETTERS), a=["a", "b", "c"])
    call = bench.launch("a", count)
    told = each_told(bench.graph, bench.tracker.abandon("stopped"))
    skipped = [each.partition for each in told if isinstance(each, Skipped)]
    assert skipped == ["a", "b", "c"][count:]
    bench.tracker.end(call.id, Interruption("stopped", rest="stopped"))
    assert bench.tracker.done
