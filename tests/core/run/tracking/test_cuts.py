"""Cutting, and collapsing again, while a run is under way: whatever is cut, every asset ends once, and in order."""

from __future__ import annotations

from random import Random
from typing import Any

from assetry.errors import CycleError
from assetry.graph.graph import AssetGraph
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.parts import WHOLE, Parts
from assetry.plan.plan import PlanRequest
from assetry.plan.planner import make_plan
from assetry.run.tracking.tracker import Tracker
from assetry.types.assets import Asset, Check, Dep, Integration
from assetry.types.events import Checked, Event, Failed, Materialized, Skipped
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.core.run.tracking.told import each_told
from tests.examples import examples

TOOLS = {name: Integration(name, name) for name in ("t", "u", "range", "mixed", "whole", "calls", "python")}
GROUPS = {
    "t": InvocationGroup("t"),
    "u": InvocationGroup("u", ordered=False),
    "range": InvocationGroup("range", partitions="range"),
    "mixed": InvocationGroup("mixed", partitions="range", mixed=True),
    "whole": InvocationGroup("whole", whole=True, partitions="range"),
    "calls": InvocationGroup("calls", counted=False),
    "python": None,
}
DAYS = DailyPartitionsDefinition("2026-01-01")
WEEK = DAYS.parts_of([f"2026-01-0{day}" for day in range(1, 6)])


@st.composite
def graphs(draw: st.DrawFn) -> AssetGraph:
    assets: list[Asset] = []
    parted = draw(st.booleans())
    itself = parted and draw(st.integers(0, 2)) == 0
    below: set[AssetKey] = set()
    for number in range(draw(st.integers(1, 9))):
        tool = draw(st.sampled_from(["t", "t", "u", "range", "mixed", "mixed", "whole", "calls", "python", "python"]))
        grid = DAYS if parted and draw(st.integers(0, 2)) else None
        deps: list[Dep] = []
        for each in assets:
            if (tool != "whole" or each.key not in below) and draw(st.integers(0, 2)) == 0:
                unlike = (grid is None) != (each.partitions_def is None)
                deps.append(Dep(each.key, partition_mapping="all" if unlike or grid is None else "same"))
        if grid is not None and itself and tool != "u" and draw(st.booleans()):
            deps.append(Dep(f"x{number}", partition_mapping=TimeWindowPartitionMapping(-1, -1)))
        checks = []
        if draw(st.booleans()):
            also = tuple(each.key for each in assets if draw(st.integers(0, 4)) == 0)
            checks.append(Check("good", also=also, severity=draw(st.sampled_from(["error", "warn"]))))
        view = bool(deps) and grid is None and tool != "whole" and draw(st.integers(0, 7)) == 0
        more: dict[str, Any] = {"partitions_def": grid, "checks": checks, "computed_on_read": view}
        assets.append(Asset(key=f"x{number}", kind=tool, integration=TOOLS[tool], deps=deps, **more))
        if tool == "whole" or any(dep.key in below for dep in deps):
            below.add(assets[-1].key)
    return AssetGraph.of(assets)


class Run:
    """A run without tools: what is called for is made, cut or failed by chance; what may not be so is told at once."""

    def __init__(self, graph: AssetGraph, random: Random, failing: float) -> None:
        self.graph, self.random, self.failing = graph, random, failing
        wants = {each.key: None if each.partitions_def is None else WEEK for each in graph.assets}
        cutoff = {
            each.key: WHOLE if each.partitions_def is None else WEEK
            for each in graph.assets
            if each.deps and not each.computed_on_read and random.random() < 0.8
        }
        groups = {each.key: GROUPS[each.kind] for each in graph.assets}
        self.plan = make_plan(graph, wants, groups, PlanRequest(cutoff=cutoff))
        self.tracker = Tracker(self.plan, graph)
        self.ends: dict[tuple[AssetKey, str | None], str] = {}
        self.going: dict[str, tuple[Invocation, list[Event]]] = {}
        self.checked: list[tuple[AssetKey, str]] = []
        self.passing: set[tuple[AssetKey, str]] = set()
        self.counted = 0
        self.anew = 0
        self.same = {(key, name): random.random() < 0.6 for key in cutoff for name in self.names(key)}

    def told(self) -> str:
        """Return the plan in short, for an example that fails."""
        lines = []
        for asset in self.graph.assets:
            deps = [f"{dep.key}:{dep.partition_mapping}" for dep in asset.deps]
            checks = [f"{each.name}{[*map(str, each.also)]}/{each.severity}" for each in asset.checks]
            view = " view" if asset.computed_on_read else ""
            lines.append(f"{asset.key} {asset.kind} {bool(asset.partitions_def)} {deps} {checks}{view}")
        for each in self.plan.invocations:
            made = {str(asset.key): each.invocation.partitions_of(asset) for asset in each.invocation.assets}
            lines.append(
                f"{each.id} {made} {[f'{ref.key}.{ref.check}' for ref in each.invocation.checks]} {each.after}"
            )
        return "\n".join(lines)

    def names(self, key: AssetKey) -> list[str | None]:
        definition = self.graph[key].partitions_def
        return [None] if definition is None else list(definition.keys_of(WEEK))

    def is_same(self, key: AssetKey, partition: str | None) -> bool:
        assert (key, partition) not in self.ends
        self.inputs_have_ended(key, partition, ())
        return self.same[key, partition]

    def inputs_have_ended(self, key: AssetKey, partition: str | None, beside: Any) -> None:
        """Fail unless all that something is made from is made, or was cut, but for what is made beside it."""
        for dep in self.graph[key].deps:
            for name in self.read(key, dep, partition):
                if dep.key not in beside:
                    assert self.ends.get((dep.key, name)) in ("made", "unchanged"), (key, partition, dep.key, name)

    def read(self, key: AssetKey, dep: Dep, partition: str | None) -> list[str | None]:
        names = self.names(dep.key)
        if dep.key == key:
            at = names.index(partition)
            return [names[at - 1]] if at else []
        return [partition] if dep.partition_mapping == "same" and partition in names else names

    def record(self, events: list[Event]) -> None:
        for event in each_told(self.graph, events):
            if isinstance(event, (Materialized, Failed, Skipped)):
                place = (event.key, event.partition)
                assert place not in self.ends, f"{place} ended twice"
                cut = isinstance(event, Skipped) and event.unchanged
                self.ends[place] = "made" if isinstance(event, Materialized) else "unchanged" if cut else event.name

    def go(self) -> None:
        while not self.tracker.done:
            cut = self.tracker.cut(self.is_same_now)
            for _, events in cut:
                self.record(events)
            if cut:
                found = self.tracker.replan()
                self.anew += found is not None
            ready = list(self.tracker.ready())
            if ready and (not self.going or self.random.random() < 0.5):
                self.launch(self.random.choice(ready).id)
            elif self.going:
                self.step(self.random.choice(list(self.going)))
            else:
                assert self.tracker.done or cut, "nothing goes on"

    def is_same_now(self, key: AssetKey, partition: str | None) -> bool:
        return self.same[key, partition]

    def launch(self, id_: str) -> None:
        launch = self.tracker.launch(id_, self.random.randint(1, 3))
        self.record(list(launch.events))
        invocation = launch.invocation
        if invocation is None:
            return
        if not self.failing:
            self.nothing_was_to_be_cut(invocation)
        group = invocation.group
        self.counted += group is not None and group.counted
        events: list[Event] = []
        for asset in (*invocation.assets, *invocation.also):
            keys: Any = [None]
            if asset.partitions_def is not None:
                keys = invocation.own_partitions.get(asset.key, invocation.partitions)
            members = {each.key for each in (*invocation.assets, *invocation.also)}
            for name in keys:
                self.inputs_have_ended(asset.key, name, members)
                bad = self.random.random() < self.failing
                events.append(Failed(asset.key, "no", partition=name) if bad else Materialized(asset.key, name))
        for ref in invocation.checks:
            self.checked.append((ref.key, ref.check))
            events.append(Checked(ref.key, ref.check, self.random.random() >= self.failing))
        self.going[launch.id] = invocation, events

    def nothing_was_to_be_cut(self, invocation: Invocation) -> None:
        """Fail where something is called for that need not be, and that its tool could leave out."""
        group, kind = invocation.group, invocation.assets[0].kind if invocation.assets else ""
        places = {
            asset.key: {name: self.need_not_be(invocation, asset, name) for name in self.asked(invocation, asset)}
            for asset in invocation.assets
        }
        if any(self.graph[ref.key].checks[0].also or ref.key not in places for ref in invocation.checks):
            return  # it may be called for the sake of a check
        if group is not None and group.whole:
            assert not all(all(own.values()) for own in places.values()) or not places, "all of it"
            return
        parted = [own for own in places.values() if None not in own]
        for key, own in places.items():
            free = kind in ("t", "u", "calls", "python") or None in own
            assert not all(own.values()), f"all of {key}"
            assert not free or not any(own.values()), f"{key}: {own}"
        if kind in ("range", "mixed") and parted and all(own.keys() == parted[0].keys() for own in parted):
            for name in (min(parted[0]), max(parted[0])):  # type: ignore[type-var]
                assert not all(own[name] for own in parted), f"{name} at the end of a range"

    def members(self, invocation: Invocation) -> set[AssetKey]:
        return {each.key for each in (*invocation.assets, *invocation.also)}

    def asked(self, invocation: Invocation, asset: Asset) -> Any:
        return invocation.partitions_of(asset) or (None,)

    def need_not_be(self, invocation: Invocation, asset: Asset, name: str | None) -> bool:
        """Tell whether all that a place is made from stands, all is as before, and nothing of it is made beside it."""
        if not self.same.get((asset.key, name)):
            return False
        members = self.members(invocation)
        for dep in self.graph[asset.key].deps:
            above = self.graph[dep.key]
            if above.computed_on_read or dep.key in members:
                return False
            if any(
                self.ends.get((dep.key, each)) not in ("made", "unchanged") for each in self.read(asset.key, dep, name)
            ):
                return False
            gates = self.plan.gates.get(dep.key, ())
            if any(ref not in self.tracker._ends.decided or ref in invocation.checks for ref in gates):
                return False
        return not any(above.computed_on_read for above in self.graph.assets)

    def step(self, id_: str) -> None:
        _, events = self.going[id_]
        if events:
            self.record(self.tracker.take(id_, events.pop(0)))
        else:
            del self.going[id_]
            self.record(self.tracker.end(id_))


@given(graphs(), st.integers(0, 10**9), st.sampled_from([0.0, 0.0, 0.15]))
@settings(max_examples=examples(300), deadline=None)
def test_whatever_is_cut_every_asset_ends_once_in_order_and_no_tool_is_called_more_often(
    graph: AssetGraph, seed: int, failing: float
) -> None:
    try:
        run = Run(graph, Random(seed), failing)
    except CycleError:
        return
    note(run.told())
    run.go()
    assert set(run.ends) == {(each.key, name) for each in graph.assets for name in run.names(each.key)}
    if not failing:
        assert set(run.ends.values()) <= {"made", "unchanged"}
        assert run.counted <= run.plan.count
    for (key, name), end in run.ends.items():
        if end == "unchanged":
            assert run.same[key, name]
            run.inputs_have_ended(key, name, ())


@given(graphs(), st.integers(0, 10**9))
@settings(max_examples=examples(100), deadline=None)
def test_checks_of_what_was_made_are_run(graph: AssetGraph, seed: int) -> None:
    try:
        run = Run(graph, Random(seed), 0.0)
    except CycleError:
        return
    note(run.told())
    planned = {(ref.key, ref.check) for each in run.plan.invocations for ref in each.invocation.checks}
    run.go()
    checks = {(asset.key, check.name): check for asset in graph.assets for check in asset.checks}
    for key, name in planned:
        read = [key, *checks[key, name].also]
        made = any(end == "made" for (each, _), end in run.ends.items() if each in read)
        assert ((key, name) in run.checked) == made, f"{name} of {key}"


def test_a_range_is_trimmed_and_gets_no_hole() -> None:
    assets = [
        Asset(key="a", kind="t", integration=TOOLS["t"], partitions_def=DAYS),
        Asset(key="b", kind="range", integration=TOOLS["range"], deps=["a"], partitions_def=DAYS),
    ]
    graph = AssetGraph.of(assets)
    wants: dict[AssetKey, Parts | None] = dict.fromkeys(graph.keys, WEEK)
    groups = {each.key: GROUPS[each.kind] for each in assets}
    plan = make_plan(graph, wants, groups, PlanRequest(cutoff={AssetKey("b"): WEEK}))
    tracker = Tracker(plan, graph)
    for planned in plan.invocations[:5]:
        launch = tracker.launch(planned.id)
        assert launch.invocation is not None
        tracker.take(launch.id, Materialized("a", launch.invocation.partitions[0]))
        tracker.end(launch.id)
    same = {"2026-01-01", "2026-01-03", "2026-01-05"}
    cut = [each for _, events in tracker.cut(lambda _, name: name in same) for each in events]
    assert sorted(str(each.partition) for each in cut if isinstance(each, Skipped)) == ["2026-01-01", "2026-01-05"]
    (ready,) = tracker.ready()
    launch = tracker.launch(ready.id)
    assert launch.invocation is not None
    assert launch.invocation.partitions == ("2026-01-02", "2026-01-03", "2026-01-04")


def test_what_has_yet_to_take_a_job_up_again_is_neither_cut_nor_collapsed_again() -> None:
    def made(key: str, tool: str, *deps: str) -> Asset:
        return Asset(key=key, kind=tool, integration=TOOLS[tool], deps=deps)

    assets = [made("a", "u"), made("b", "t", "a"), made("q", "python", "b"), made("c", "t", "q")]
    graph = AssetGraph.of([*assets, made("slow", "python"), made("d", "t", "slow")])
    groups = {each.key: GROUPS[each.kind] for each in graph.assets}
    cutoff = {AssetKey("b"): WHOLE, AssetKey("q"): WHOLE}
    plan = make_plan(graph, dict.fromkeys(graph.keys), groups, PlanRequest(cutoff=cutoff))
    assert plan.count == 3
    tracker = Tracker(plan, graph)
    (first,) = [each.id for each in plan.invocations if each.invocation.assets[0].key == "a"]
    tracker.launch(first)
    tracker.take(first, Materialized("a"))
    tracker.end(first)
    assert not tracker.cut(lambda *_: True, spared={"t"})
    tracker = Tracker(plan, graph)
    tracker.launch(first)
    tracker.take(first, Materialized("a"))
    tracker.end(first)
    cut = [each for _, events in tracker.cut(lambda *_: True) for each in events]
    assert [str(each.key) for each in cut if isinstance(each, Skipped)] == ["b", "q"]
    assert tracker.replan(spared={"t"}) is None
    found = tracker.replan()
    assert found is not None
    assert [[str(asset.key) for asset in each.invocation.assets] for each in found.invocations] == [
        ["slow"],
        ["c", "d"],
    ]
    assert tracker.replan() is None, "it is done already"


def test_a_partition_that_was_cut_is_not_called_for_with_the_others_of_its_call() -> None:
    assets = [
        Asset(key="a", kind="u", integration=TOOLS["u"]),
        Asset(key="x", kind="calls", integration=TOOLS["calls"], deps=["a"], partitions_def=DAYS),
        Asset(key="y", kind="calls", integration=TOOLS["calls"], deps=["a"], partitions_def=DAYS),
    ]
    graph = AssetGraph.of(assets)
    wants: dict[AssetKey, Parts | None] = {AssetKey("a"): None, AssetKey("x"): WEEK, AssetKey("y"): WEEK}
    groups = {each.key: GROUPS[each.kind] for each in assets}
    plan = make_plan(graph, wants, groups, PlanRequest(cutoff={AssetKey("x"): WEEK}))
    tracker = Tracker(plan, graph)
    first, second = (each.id for each in plan.invocations)
    tracker.launch(first)
    tracker.take(first, Materialized("a"))
    tracker.end(first)
    tracker.cut(lambda _, name: name != "2026-01-02")
    launch = tracker.launch(second, 5)
    assert launch.invocation is not None
    assert launch.partitions == 6
    assert {key: list(keys) for key, keys in launch.invocation.own_partitions.items()} == {
        "x": ["2026-01-02"],
        "y": list(DAYS.keys_of(WEEK)),
    }


def test_what_is_left_is_collapsed_again_beside_a_function_that_was_called_for_some_of_its_partitions() -> None:
    def made(key: str, tool: str, *deps: Any, **more: Any) -> Asset:
        return Asset(key=key, kind=tool, integration=TOOLS[tool], deps=deps, **more)

    assets = [made("a", "u"), made("b", "t", "a"), made("q", "python", "b"), made("c", "t", "q")]
    f = made("f", "calls", partitions_def=DAYS)
    graph = AssetGraph.of([*assets, f, made("d", "t", Dep(AssetKey("f"), "all"))])
    groups = {each.key: GROUPS[each.kind] for each in graph.assets}
    wants: dict[AssetKey, Parts | None] = {key: WEEK if key == "f" else None for key in graph.keys}
    plan = make_plan(graph, wants, groups, PlanRequest(cutoff={AssetKey("b"): WHOLE, AssetKey("q"): WHOLE}))
    assert plan.count == 3
    tracker = Tracker(plan, graph)
    ids = {str(each.invocation.assets[0].key): each.id for each in plan.invocations}
    call = tracker.launch(ids["f"], 2)
    tracker.launch(ids["a"])
    tracker.take(ids["a"], Materialized("a"))
    tracker.end(ids["a"])
    assert tracker.cut(lambda *_: True)
    found = tracker.replan()
    assert found is not None
    assert [[str(asset.key) for asset in each.invocation.assets] for each in found.invocations] == [["f"], ["c", "d"]]
    assert list(found.invocations[0].invocation.partitions) == [f"2026-01-0{day}" for day in (3, 4, 5)]
    rest = tracker.launch(found.invocations[0].id, None)
    assert not tracker.over(ids["f"])
    for each in (rest, call):
        assert each.invocation is not None
        for name in each.invocation.partitions:
            tracker.take(each.id, Materialized("f", name))
        tracker.end(each.id)
    assert tracker.over(ids["f"])
    (last,) = tracker.ready()
    assert last.id == found.invocations[1].id
    tracker.launch(last.id)
    tracker.end(last.id)
    assert tracker.done
