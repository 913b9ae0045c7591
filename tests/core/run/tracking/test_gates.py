"""Checks of several assets, partitions and what waits for them: every run ends, and nothing starts before its gates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from assetry.errors import CycleError
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import Parts
from assetry.run.tracking.tracker import Tracker
from assetry.types.assets import Asset, Check, Dep
from assetry.types.events import Checked, Event, Failed, Log, Materialized, Skipped, Started
from assetry.types.invocations import CheckRef, Invocation
from assetry.types.keys import AssetKey
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.core.run.tracking.told import each_told
from tests.core.run.tracking.worlds import BEFORE, DAYS, NOW, TOOLS, Place, Wants, World, plan_of, projects
from tests.examples import examples


class Simulation:
    """A run whose tools make, fail or forget by chance; what must hold is looked at as it goes."""

    def __init__(self, world: World, seed: int, failing: float) -> None:
        self.world, self.random, self.failing = world, Random(seed), failing
        self.tracker = Tracker(world.plan, world.graph)
        self.calls: dict[str, tuple[Invocation, Iterator[Event]]] = {}
        self.events: list[Event] = []
        self.good: set[Place] = set()
        self.bad: set[Place] = set()
        #: The checks that were decided: of a partition, or of all with None.
        self.passed: set[tuple[CheckRef, str | None]] = set()
        self.failed: set[tuple[CheckRef, str | None]] = set()

    def run(self) -> None:
        for _ in range(10_000):
            if self.tracker.done:
                assert not list(self.tracker.ready())
                return
            steps = [("start", each.id) for each in self.tracker.ready()] + [("go on", id_) for id_ in self.calls]
            assert steps, "it stands still"
            word, id_ = self.random.choice(steps)
            if word == "start":
                self.start(id_)
                continue
            invocation, script = self.calls[id_]
            event = next(script, None)
            if event is None:
                del self.calls[id_]
            self.note(self.tracker.end(id_) if event is None else self.tracker.take(id_, event), invocation)
        raise AssertionError("it does not come to an end")

    def start(self, id_: str) -> None:
        launch = self.tracker.launch(id_, self.random.choice([1, 2, 5, None]))
        self.note(list(launch.events))
        invocation = launch.invocation
        if invocation is None:
            return
        own = {(asset.key, part) for asset in invocation.assets for part in invocation.partitions_of(asset) or (None,)}
        for key, part in own:
            for place in self.world.read(key, part):
                splits = place[0] == key and self.world.graph[key].kind in ("calls", "solo")
                if place in own and not splits:
                    continue
                assert place in self.good, f"{key} [{part}] starts before {place}"
                for ref, of in self.world.gates(id_, place):
                    assert self.let_go(ref, of, place), f"{key} [{part}] starts before {ref} has passed for {place}"
        for ref in invocation.checks:
            for key in self.world.looked_at(ref):
                if self.world.looks_at_each(ref) and (key == ref.key or self.world.are_called_together(key, ref.key)):
                    continue
                there = [(key, part) for part in self.world.parts(key)]
                assert all(place in self.good or place in own for place in there), f"{ref} is run before {key} is there"
        self.calls[launch.id] = invocation, self.script(invocation)

    def let_go(self, ref: CheckRef, of: str | None, place: Place) -> bool:
        """Tell whether a check has let a place go: it has passed, or cannot say anything any more."""
        if (ref, of) in self.passed:
            return True
        if (
            of is None
            and self.world.looks_at_each(ref)
            and {(ref, part) for part in self.world.parts(ref.key)} <= self.passed
        ):
            return True
        if (ref, of) in self.failed:
            return False
        # What it looks at is not all there, so that it is not run.
        keys = [key for key in self.world.looked_at(ref) if of is None or key != ref.key]
        return any((key, part) in self.bad for key in keys for part in self.world.parts(key))

    def script(self, invocation: Invocation) -> Iterator[Event]:
        lost: set[Place] = set()
        random = self.random
        for asset in invocation.assets:
            for part in invocation.partitions_of(asset) or (None,):
                if not lost.isdisjoint(self.world.read(asset.key, part)):
                    lost.add((asset.key, part))
                    yield Skipped(asset.key, "what it reads failed", partition=part)
                    continue
                if random.random() < 0.8:
                    yield Started(asset.key, part)
                if random.random() >= self.failing:
                    yield Materialized(asset.key, part)
                else:
                    lost.add((asset.key, part))
                    if random.random() < 0.7:
                        yield Failed(asset.key, "no", partition=part)
        for ref in invocation.checks:
            asset = self.world.graph[ref.key]
            parts = invocation.partitions_of(asset) if asset in invocation.assets else ()
            if not parts or random.random() < 0.5:
                parts = (None,)  # type: ignore[assignment]
            for part in parts if random.random() >= self.failing / 4 else ():
                yield Checked(ref.key, ref.check, random.random() >= self.failing, partition=part)

    def note(self, told: list[Event], invocation: Invocation | None = None) -> None:
        events = list(each_told(self.world.graph, told))
        self.events += events
        for event in events:
            if isinstance(event, Materialized):
                self.good.add((event.key, event.partition))
            elif isinstance(event, (Failed, Skipped)):
                self.bad.add((event.key, event.partition))
                self.good.discard((event.key, event.partition))
            elif isinstance(event, Checked):
                self.verdict(event, invocation)

    def verdict(self, event: Checked, invocation: Invocation | None) -> None:
        ref = CheckRef(event.key, event.check)
        parts: list[str | None] = [None]
        if self.world.looks_at_each(ref) and invocation is not None:
            asset = self.world.graph[event.key]
            parts = [event.partition] if event.partition else [*invocation.partitions_of(asset)] or [None]
        for part in parts:
            (self.failed if event.stops else self.passed).add((ref, part))


def ends(events: list[Event]) -> Counter[Place]:
    return Counter((e.key, e.partition) for e in events if isinstance(e, (Materialized, Failed, Skipped)))


@settings(max_examples=examples(250), deadline=None)
@given(projects(), st.integers(0, 2**32), st.sampled_from([0.0, 0.0, 0.25]))
def test_every_run_ends_and_nothing_starts_before_what_it_reads_and_the_checks_on_that(
    project: tuple[AssetGraph, Wants], seed: int, failing: float
) -> None:
    graph, wants = project
    try:
        plan = plan_of(graph, wants)
    except CycleError:
        return
    world = World(graph, plan, wants)
    note(world.told())
    simulation = Simulation(world, seed, failing)
    simulation.run()
    wanted = Counter((key, part) for key in wants for part in world.parts(key))
    assert ends(simulation.events) == wanted
    if not failing:
        assert {type(each) for each in simulation.events} <= {Started, Materialized, Checked, Log}


# -- cases -----------------------------------------------------------------------------------------------------------


def run_of(*assets: Asset, days: int = 3) -> list[str]:
    """Return what ends, and which checks come out, of a run of the first days, in order."""
    graph = AssetGraph.of(assets)
    own = Parts.at(list(DAYS.existing(NOW))[:days])
    wants: Wants = {each.key: own if each.partitions_def is not None else None for each in graph.assets}
    simulation = Simulation(World(graph, plan_of(graph, wants), wants), 0, 0.0)
    simulation.run()
    told = (each for each in simulation.events if isinstance(each, (Materialized, Checked)))
    return [
        f"{each.key}.{each.check}" if isinstance(each, Checked) else f"{each.key}@{each.partition}" for each in told
    ]


def made(key: str, tool: str, *deps: Dep, **more: Any) -> Asset:
    return Asset(key=key, kind=tool, integration=TOOLS[tool], deps=deps, **{"partitions_def": DAYS, **more})


def test_a_check_of_several_assets_does_not_hold_back_one_that_reads_itself() -> None:
    checks = [Check("sums", also=(AssetKey("a"),), counted=False)]
    a = made("a", "solo", Dep(AssetKey("a"), BEFORE))
    told = run_of(a, made("b", "solo", checks=checks, partitions_def=None), made("c", "solo", Dep(AssetKey("a"))))
    assert told.index("b.sums") > max(told.index(f"a@2026-01-0{day}") for day in (1, 2, 3))
    assert all(told.index(f"c@2026-01-0{day}") > told.index("b.sums") for day in (1, 2, 3))


def test_a_check_of_several_assets_is_of_all_partitions_that_a_tool_makes_one_by_one() -> None:
    checks = [Check("sums", also=(AssetKey("b"),))]
    a = made("a", "one", Dep(AssetKey("b"), "all"), checks=checks)
    told = run_of(a, made("b", "range", partitions_def=None), made("c", "solo", Dep(AssetKey("a"))))
    assert told.count("a.sums") == 1
    assert told.index("a.sums") > max(told.index(f"a@2026-01-0{day}") for day in (1, 2, 3))
    assert all(told.index(f"c@2026-01-0{day}") > told.index("a.sums") for day in (1, 2, 3))


def test_partitions_behind_a_view_are_waited_for_where_others_are_read_directly() -> None:
    view = made("v", "range", Dep(AssetKey("a"), "all"), partitions_def=None, computed_on_read=True)
    graph = AssetGraph.of([made("a", "one"), view, made("c", "solo", Dep(AssetKey("a")), Dep(AssetKey("v"), "all"))])
    first, second = (Parts.at([each]) for each in list(DAYS.existing(NOW))[:2])
    wants: Wants = {AssetKey("a"): first | second, AssetKey("c"): first}
    simulation = Simulation(World(graph, plan_of(graph, wants), wants), 0, 0.0)
    simulation.run()
    assert [each.key for each in simulation.events if isinstance(each, Materialized)] == ["a", "a", "c"]


def test_a_late_verdict_of_one_call_says_nothing_of_partitions_of_another() -> None:
    graph = AssetGraph.of([made("a", "one", checks=[Check("good")]), made("b", "solo", Dep(AssetKey("a")))])
    own = Parts.at(list(DAYS.existing(NOW))[:2])
    tracker = Tracker(plan_of(graph, {AssetKey("a"): own, AssetKey("b"): own}), graph)
    first, second = (tracker.launch(each.id).id for each in list(tracker.ready()))
    tracker.take(first, Materialized("a", "2026-01-01"))
    tracker.take(second, Failed("a", "no", partition="2026-01-02"))
    tracker.take(second, Checked("a", "good", True))
    (b,) = tracker.ready()
    assert tracker.launch(b.id).invocation is None, "the day that failed"
    assert not list(tracker.ready()), "the first was not looked at"
    tracker.take(first, Checked("a", "good", True))
    assert [each.id for each in tracker.ready()] == [b.id]


def test_a_check_waits_for_all_of_what_others_make_too_where_a_function_is_called_for_some_partitions() -> None:
    checks = [Check("sums", also=(AssetKey("a"),))]
    graph = AssetGraph.of([made("a", "calls"), made("b", "calls", checks=checks)])
    days = list(DAYS.existing(NOW))
    wants: Wants = {AssetKey("a"): Parts.at(days[:4]), AssetKey("b"): Parts.at(days[1:3])}
    world = World(graph, plan_of(graph, wants), wants)
    assert sorted(len(each.invocation.assets) for each in world.plan.invocations) == [1, 2]
    for seed in range(10):
        Simulation(world, seed, 0.0).run()
