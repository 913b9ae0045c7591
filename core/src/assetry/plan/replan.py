"""What is left of a plan under way, collapsed again: where some of it needs no making, the rest may need less. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assetry.errors import CycleError
from assetry.graph.graph import AssetGraph
from assetry.plan.checks import Checking
from assetry.plan.collapse import BUDGET
from assetry.plan.plan import Plan, PlannedInvocation, PlanRequest
from assetry.plan.planner import plan_with_checks
from assetry.types.invocations import CheckRef, InvocationGroup
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.parts import Parts

#: The run waits while its rest is collapsed.
_BUDGET = BUDGET // 10


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left of an invocation that was not called yet: assets, with the partitions of those that have some.

    `checks` are those that it is still to run. It takes as many `calls` of its tool: several where one that takes
    ranges was called beside a hole.
    """

    assets: Mapping[AssetKey, Parts | None] = field(default_factory=dict)
    checks: tuple[CheckRef, ...] = ()
    calls: int = 1

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to call a tool for."""
        return not self.assets and not self.checks


def replan(graph: AssetGraph, plan: Plan, left: Mapping[str, Remainder]) -> Plan | None:
    """Return a plan of what is left of another one, where it takes fewer invocations; else None.

    `left` are all invocations that were not called yet, or not for all of their partitions, by id, each with what is
    left of it. What was called waits for none of that. Every asset that is left is made in just one invocation of the
    new plan, each partition too, after what it is made from; every check that is left is run, and holds back what it
    did. A plan with as many invocations is returned where it makes fewer assets, of those that come along. The ids go
    on counting from those of `plan`.

    >>> from assetry.plan.planner import make_plan
    >>> from assetry.types.assets import Asset
    >>> made = [("a", "dbt", []), ("p", "python", ["a"]), ("b", "dbt", ["p"])]
    >>> graph = AssetGraph.of([Asset(key=key, kind=kind, deps=deps) for key, kind, deps in made])
    >>> dbt = InvocationGroup("dbt:shop")
    >>> plan = make_plan(graph, dict.fromkeys(graph.keys), {AssetKey("a"): dbt, AssetKey("b"): dbt})
    >>> a, b = (Remainder({AssetKey(key): None}) for key in "ab")
    >>> found = replan(graph, plan, {"1": a, "2": Remainder(), "3": b})
    >>> [(each.id, [str(asset.key) for asset in each.invocation.assets]) for each in found.invocations]
    [('4', ['a', 'b'])]
    """
    before = [each for each in plan.invocations if each.id in left and not left[each.id].is_empty]
    tools = Counter[tuple[str, str | None]]()
    for each in before:
        if _is_counted(each):
            tools[each.invocation.integration.name, _group(each)] += left[each.id].calls
    if max(tools.values(), default=0) < 2:
        return None
    wants: dict[AssetKey, Parts | None] = {}
    for each in before:
        for key, parts in left[each.id].assets.items():
            known = wants.get(key)
            wants[key] = parts if parts is None or known is None else known | parts
    checks = frozenset(ref for each in before for ref in left[each.id].checks)
    try:
        found, checking = plan_with_checks(graph, wants, _groups(before), _request(graph, plan, before, wants, checks))
    except CycleError:
        return None
    if not _keeps_checks(graph, plan, found, checking, checks):
        return None
    size = sum(tools.values()), sum(_members(each, left[each.id]) for each in before)
    new = found.count, sum(_members(each) for each in found.invocations)
    return found if new < size else None


def _request(
    graph: AssetGraph,
    plan: Plan,
    before: Iterable[PlannedInvocation],
    wants: Mapping[AssetKey, Parts | None],
    checks: frozenset[CheckRef],
) -> PlanRequest:
    """Return how what is left is to be planned: as it was."""
    defined = ((ref, check) for ref in checks for check in graph[ref.key].checks if check.name == ref.check)
    read = {key for ref, check in defined for key in (ref.key, *check.also)}
    return PlanRequest(
        because={key: text for each in before for key, text in each.because.items()},
        mode=plan.mode,
        full_refresh=any(each.invocation.full_refresh for each in before),
        definitions=plan.definitions,
        now=plan.now,
        cutoff=plan.cutoff,
        budget=_BUDGET,
        checks=checks,
        beside=frozenset(read - wants.keys()),
        first=1 + max(int(each.id) for each in plan.invocations),
    )


def _keeps_checks(graph: AssetGraph, plan: Plan, found: Plan, checking: Checking, checks: frozenset[CheckRef]) -> bool:
    """Tell whether a plan runs these checks, and each holds back what it did in the plan before."""
    run = {ref for each in found.invocations for ref in each.invocation.checks}
    early = any(each.ref in plan.gates.get(graph.keys[each.asset], ()) for each in checking.ungated)
    return run == checks and not early


def _members(planned: PlannedInvocation, left: Remainder | None = None) -> int:
    """Return how many assets, and partitions, an invocation makes, or what is left of it."""
    also = len(planned.invocation.also)
    if left is not None:
        return sum(1 if parts is None else len(parts) for parts in left.assets.values()) + (also if left.assets else 0)
    return also + sum(
        len(planned.parts[each.key]) if each.key in planned.parts else 1 for each in planned.invocation.assets
    )


def _groups(invocations: Iterable[PlannedInvocation]) -> dict[AssetKey, InvocationGroup | None]:
    return {
        asset.key: each.invocation.group
        for each in invocations
        for asset in (*each.invocation.assets, *each.invocation.also)
    }


def _group(planned: PlannedInvocation) -> str | None:
    return planned.invocation.group.key if planned.invocation.group is not None else None


def _is_counted(planned: PlannedInvocation) -> bool:
    return planned.invocation.group is not None and planned.invocation.group.counted
