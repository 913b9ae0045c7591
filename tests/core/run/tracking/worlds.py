"""Projects by chance, with partitions and checks of several assets, and what brute force says of their plans."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, WeeklyPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.parts import WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan, PlanRequest
from assetry.plan.planner import make_plan
from assetry.types.assets import Asset, Check, Dep, Integration
from assetry.types.invocations import CheckRef, InvocationGroup
from assetry.types.keys import AssetKey
from hypothesis import strategies as st

NOW = datetime(2026, 2, 1, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-01")
WEEKS = WeeklyPartitionsDefinition("2025-12-29", day_offset=1)
LETTERS = StaticPartitionsDefinition(["a", "b", "c"])
GROUPS = {
    "range": InvocationGroup("range", partitions="range"),
    "one": InvocationGroup("one"),
    "calls": InvocationGroup("calls", counted=False),
    "mixed": InvocationGroup("mixed", partitions="range", mixed=True),
    "solo": None,
}
TOOLS = {name: Integration(name, name) for name in GROUPS}
BEFORE = TimeWindowPartitionMapping(-1, -1)
Place = tuple[AssetKey, str | None]
Wants = dict[AssetKey, Parts | None]


@st.composite
def projects(draw: st.DrawFn) -> tuple[AssetGraph, Wants]:
    count = draw(st.integers(1, 5))
    keys = [f"x{number}" for number in range(count)]
    assets: list[Asset] = []
    for key in keys:
        tool = draw(st.sampled_from(list(GROUPS)))
        grid = draw(st.sampled_from([DAYS, DAYS, DAYS, WEEKS, LETTERS, None]))
        deps: list[Dep] = []
        for above in assets:
            if draw(st.booleans()):
                alike = (above.partitions_def is LETTERS) == (grid is LETTERS)
                named = alike and grid is not None and above.partitions_def is not None
                words: list[Any] = ["same", "same", "all", "last"] if named else ["all", "last"]
                if grid is DAYS and above.partitions_def is DAYS:
                    words += [BEFORE, TimeWindowPartitionMapping(1, 1)]
                deps.append(Dep(above.key, partition_mapping=draw(st.sampled_from(words))))
        if grid is DAYS and draw(st.booleans()):
            deps.append(Dep(AssetKey(key), partition_mapping=BEFORE))
        checks = []
        for name in ("good", "sums")[: draw(st.integers(0, 2))]:
            also = tuple(AssetKey(each) for each in keys if each != key and draw(st.integers(0, 2)) == 0)
            other = draw(st.sampled_from([None, None, None, *GROUPS]))
            more: dict[str, Any] = {"integration": other} if other else {}
            severity = draw(st.sampled_from(["error", "error", "warn"]))
            checks.append(Check(name, severity, also, counted=draw(st.booleans()), **more))
        view = bool(deps) and grid is None and draw(st.integers(0, 4)) == 0
        tooled = TOOLS[tool]
        assets.append(
            Asset(
                key=key,
                kind=tool,
                integration=tooled,
                partitions_def=grid,
                deps=deps,
                checks=checks,
                computed_on_read=view,
            )
        )
    graph = AssetGraph.of(assets)
    wants: Wants = {}
    for asset in graph.assets:
        if draw(st.integers(0, 5)):
            definition = asset.partitions_def
            every = list(definition.existing(NOW))[:5] if definition is not None else []
            wants[asset.key] = Parts.at(draw(st.sets(st.sampled_from(every), min_size=1))) if definition else None
    return graph, wants


def plan_of(graph: AssetGraph, wants: Wants) -> Plan:
    """Return the plan of what is wanted; raise `CycleError` where there is none."""
    return make_plan(graph, wants, {each.key: GROUPS[each.kind] for each in graph.assets}, PlanRequest(now=NOW))


class World:
    """What a plan is about, looked at place by place: what each is made from, and which checks stand in between."""

    def __init__(self, graph: AssetGraph, plan: Plan, wants: Wants) -> None:
        self.graph, self.plan, self.wants = graph, plan, wants
        self.numbering = Numbering(graph, {}, NOW)
        self.checks = {CheckRef(asset.key, check.name): check for asset in graph.assets for check in asset.checks}
        self.makers: dict[AssetKey, set[str]] = {}
        self.runners: dict[CheckRef, set[str]] = {}
        for planned in plan.invocations:
            for asset in planned.invocation.assets:
                self.makers.setdefault(asset.key, set()).add(planned.id)
            for ref in planned.invocation.checks:
                self.runners.setdefault(ref, set()).add(planned.id)

    def told(self) -> str:
        """Return the project and its plan in short, for an example that fails."""
        lines = []
        for asset in self.graph.assets:
            deps = [f"{dep.key}:{dep.partition_mapping}" for dep in asset.deps]
            checks = [
                f"{each.name}{[*each.also]} {each.severity}/{each.counted}/{each.integration}" for each in asset.checks
            ]
            lines.append(f"{asset.key} {asset.kind} {self.parts(asset.key)} {deps} {checks} {asset.computed_on_read}")
        for each in self.plan.invocations:
            made = {str(asset.key): each.invocation.partitions_of(asset) for asset in each.invocation.assets}
            lines.append(
                f"{each.id} {made} {[f'{ref.key}.{ref.check}' for ref in each.invocation.checks]} {each.after}"
            )
        return "\n".join([*lines, f"gates {dict(self.plan.gates)}", f"through {dict(self.plan.through)}"])

    def parts(self, key: AssetKey) -> list[str | None]:
        """Return the partitions of an asset that are wanted; None once for an asset without any."""
        if key not in self.wants:
            return []
        wanted, definition = self.wants[key], self.graph[key].partitions_def
        return [None] if wanted is None or definition is None else list(definition.keys_of(wanted))

    def read(self, key: AssetKey, part: str | None) -> set[Place]:
        """Return what a partition is made from, as far as it is made in this run: also what is behind views."""
        definition = self.graph[key].partitions_def
        own = WHOLE if definition is None or part is None else definition.parts_of([part])
        found: set[Place] = set()
        for dep in self.graph[key].deps:
            upper = self.graph[dep.key]
            if dep.key not in self.wants:
                if upper.computed_on_read:
                    found |= self.behind(upper)
            elif upper.partitions_def is None:
                found.add((dep.key, None))
            else:
                read = self.numbering.up(key, dep.key, own)
                wanted = set(self.parts(dep.key))
                found |= {(dep.key, name) for name in upper.partitions_def.keys_of(read) if name in wanted}
        return found

    def behind(self, view: Asset) -> set[Place]:
        found: set[Place] = set()
        for dep in view.deps:
            if dep.key in self.wants:
                found |= {(dep.key, part) for part in self.parts(dep.key)}
            elif self.graph[dep.key].computed_on_read:
                found |= self.behind(self.graph[dep.key])
        return found

    def looks_at_each(self, ref: CheckRef) -> bool:
        """Tell whether a check judges each partition of its asset where that is made; else it is of the whole."""
        return self.makers.get(ref.key, set()) <= self.runners.get(ref, set())

    def are_called_together(self, *keys: AssetKey) -> bool:
        """Tell whether each call of a function makes the same partitions of some assets."""
        made = {frozenset(self.makers.get(key, ())) for key in keys}
        return len(made) == 1 and all(self.graph[key].kind in ("calls", "solo") for key in keys)

    def looked_at(self, ref: CheckRef) -> list[AssetKey]:
        return [key for key in (ref.key, *self.checks[ref].also) if key in self.makers]

    def gates(self, id_: str, place: Place) -> set[tuple[CheckRef, str | None]]:
        """Return the verdicts on a place that an invocation, which does not make it, has to wait for."""
        key, part = place
        found: set[tuple[CheckRef, str | None]] = set()
        for ref in self.plan.gates.get(key, ()):
            if ref.key == key and self.looks_at_each(ref):
                found.add((ref, part))
            elif id_ not in self.runners[ref] and not any(id_ in self.makers[each] for each in self.looked_at(ref)):
                found.add((ref, None))
        return found
