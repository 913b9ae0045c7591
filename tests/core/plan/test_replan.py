"""What is left of a plan, collapsed again: each want once, in order, with no more invocations than before."""

from __future__ import annotations

from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.plan.plan import Plan, PlannedInvocation, PlanRequest
from assetry.plan.planner import make_plan
from assetry.plan.replan import Remainder, replan
from assetry.types.assets import Asset, Check, Integration
from assetry.types.invocations import CheckRef, InvocationGroup
from assetry.types.keys import AssetKey
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

TOOLS = {name: Integration(name, name) for name in ("shop", "crm", "sync", "python")}
GROUPS = {
    "shop": InvocationGroup("shop"),
    "crm": InvocationGroup("crm", ordered=False),
    "sync": InvocationGroup("sync", whole=True),
    "python": None,
}
DAYS = DailyPartitionsDefinition("2026-01-01")


def made(key: str, tool: str, *deps: str, **more: Any) -> Asset:
    return Asset(key=key, kind=tool, integration=TOOLS[tool], deps=deps, **more)


def planned(*assets: Asset, **request: Any) -> tuple[AssetGraph, Plan]:
    graph = AssetGraph.of(assets)
    wants = {each.key: None for each in graph.assets}
    groups = {each.key: GROUPS[each.kind] for each in graph.assets}
    return graph, make_plan(graph, wants, groups, PlanRequest(**request))


def whole(each: PlannedInvocation) -> bool:
    return each.invocation.group is not None and each.invocation.group.whole


def left_of(plan: Plan, called: int, cut: set[AssetKey]) -> dict[str, Remainder]:
    """Return what is left when the first invocations were called, and something was cut of the others."""
    found = {}
    for each in plan.invocations[called:]:
        keys = [asset.key for asset in each.invocation.assets if asset.key not in cut]
        checks = [ref for ref in each.invocation.checks if ref.key not in cut]
        found[each.id] = Remainder(dict.fromkeys(keys), tuple(checks))
    return found


def counted(each: PlannedInvocation) -> bool:
    return each.invocation.group is not None and each.invocation.group.counted


@st.composite
def underway(draw: st.DrawFn) -> tuple[AssetGraph, Plan, dict[str, Remainder]]:
    assets: list[Asset] = []
    for number in range(draw(st.integers(2, 9))):
        deps = [each.key for each in assets if draw(st.integers(0, 2)) == 0]
        checks = []
        if draw(st.booleans()):
            also = tuple(each.key for each in assets if draw(st.integers(0, 3)) == 0)
            checks.append(Check("good", also=also, severity=draw(st.sampled_from(["error", "warn"]))))
        tool = draw(st.sampled_from(["shop", "shop", "crm", "python", "python", "sync"]))
        if tool == "sync":
            deps = []
        assets.append(made(f"x{number}", tool, *deps, checks=checks))
    graph, plan = planned(*assets, mode=draw(st.sampled_from(["fewest", "fewest", "earliest"])))
    called = draw(st.integers(0, len(plan.invocations)))
    ended = {asset.key for each in plan.invocations[:called] for asset in each.invocation.assets}
    cut: set[AssetKey] = set()
    wholes = {asset.key for each in plan.invocations if whole(each) for asset in each.invocation.assets}
    for asset in graph.assets:
        free = all(dep.key in ended or dep.key in cut for dep in asset.deps)
        if asset.key not in ended and asset.key not in wholes and free and draw(st.booleans()):
            cut.add(asset.key)
    return graph, plan, left_of(plan, called, cut)


@given(underway())
@settings(max_examples=examples(200), deadline=None)
def test_each_open_want_is_made_once_in_order_by_fewer_invocations(
    case: tuple[AssetGraph, Plan, dict[str, Remainder]],
) -> None:
    graph, plan, left = case
    found = replan(graph, plan, left)
    open_ = [key for each in left.values() for key in each.assets]
    before = [each for each in plan.invocations if each.id in left and not left[each.id].is_empty]
    if found is None:
        return
    assert sorted(asset.key for each in found.invocations for asset in each.invocation.assets) == sorted(open_)
    assert found.count < sum(map(counted, before)), "all are of whole assets, and none comes along"
    assert found.count == sum(map(counted, found.invocations))
    place = {asset.key: at for at, each in enumerate(found.invocations) for asset in each.invocation.assets}
    for key, at in place.items():
        assert all(place[dep.key] <= at for dep in graph[key].deps if dep.key in place)
    for each in found.invocations:
        members = [asset.key for asset in each.invocation.assets]
        assert members == sorted(members, key=graph.index)
        assert len({graph[key].kind for key in members}) <= 1
        assert int(each.id) > max(int(old.id) for old in plan.invocations)
        if each.invocation.group is not None and not each.invocation.group.ordered:
            assert not any(dep.key in members for asset in each.invocation.assets for dep in asset.deps)
    asked = {ref for each in left.values() for ref in each.checks}
    ran = [ref for each in found.invocations for ref in each.invocation.checks]
    assert sorted(map(str, ran)) == sorted(map(str, asked))
    checks = {CheckRef(asset.key, check.name): check for asset in graph.assets for check in asset.checks}
    runs = {ref: at for at, each in enumerate(found.invocations) for ref in each.invocation.checks}
    for ref, at in runs.items():
        read = [key for key in (ref.key, *checks[ref].also) if key in place]
        assert all(place[key] <= at for key in read)
        for key in read:
            if ref in plan.gates.get(key, ()):
                below = [each for each in graph.downstream_of(key) if each in place]
                assert all(place[each] >= at or place[each] == place[key] for each in below), (
                    "it holds back what it did"
                )


def test_what_stood_between_two_invocations_and_is_gone_lets_them_be_one() -> None:
    graph, plan = planned(
        made("a", "shop"), made("p", "python"), made("b", "shop", "p"), made("q", "python", "b"), made("c", "shop", "q")
    )
    assert plan.count == 2 or plan.count == 3
    b = next(each.id for each in plan.invocations if AssetKey("b") in [a.key for a in each.invocation.assets])
    called = [each.id for each in plan.invocations].index(b)
    found = replan(graph, plan, left_of(plan, called, {AssetKey("q")}))
    assert found is not None
    assert [[str(asset.key) for asset in each.invocation.assets] for each in found.invocations][-1][-2:] == ["b", "c"]


def test_a_check_that_no_invocation_would_come_late_enough_for_is_not_lost() -> None:
    late = Check("meets", also=["q"])
    graph, plan = planned(
        made("m", "shop", checks=[late]),
        made("p", "python", "m"),
        made("q", "python", "m"),
        made("n", "shop", "p"),
    )
    assert plan.count == 2
    left = {
        each.id: Remainder(
            {a.key: None for a in each.invocation.assets if a.key != AssetKey("p")}, tuple(each.invocation.checks)
        )
        for each in plan.invocations
    }
    assert replan(graph, plan, left) is None


def test_partitions_that_are_left_are_made_once() -> None:
    day = {"partitions_def": DAYS}
    assets = [made("a", "shop", **day), made("p", "python", "a", **day), made("b", "shop", "p", **day)]
    graph = AssetGraph.of(assets)
    group = InvocationGroup("shop", partitions="range")
    parts = DAYS.parts_of([f"2026-01-0{day}" for day in range(1, 6)])
    groups = {each.key: group if each.kind == "shop" else None for each in assets}
    plan = make_plan(graph, dict.fromkeys(graph.keys, parts), groups)
    assert plan.count == 2
    some = parts.first(2)
    left = {
        each.id: Remainder({a.key: some for a in each.invocation.assets if a.key != AssetKey("p")})
        for each in plan.invocations
    }
    found = replan(graph, plan, left)
    assert found is not None
    assert found.count == 1
    assert found.parts == {AssetKey("a"): some, AssetKey("b"): some}
