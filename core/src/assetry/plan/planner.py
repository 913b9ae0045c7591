"""The planner: from a selection and its groups to a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from assetry.graph.graph import AssetGraph
from assetry.plan.checks import Checking, place_checks
from assetry.plan.collapse import Collapse, Deadlock, Slot, collapse
from assetry.plan.cutoff import with_cutoff
from assetry.plan.numbering import with_partitions
from assetry.plan.plan import Plan, PlannedInvocation, PlanRequest, SkippedAsset, Split
from assetry.plan.reasons import check_notes, choice_splits, cycle_error, partition_splits, split_of
from assetry.plan.riders import Graph, with_riders
from assetry.plan.scope import Groups, Scope, Wants
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.parts import Parts


def make_plan(
    graph: AssetGraph,
    wants: Wants,
    groups: Groups,
    request: PlanRequest | None = None,
) -> Plan:
    """Return the plan that makes what is wanted: assets, each with its partitions, or None where it has none.

    `groups` has the invocation group of every wanted asset, and of every other asset that is in a `whole` group of
    one of them: those come along, as `Invocation.also`. An asset without a group runs alone and is not counted.
    Wanted assets that nothing makes are left out. What is not wanted does not make others wait: its stored value
    is used; only a view (`computed_on_read`) hands on what it reads. Every wanted partition is made by just one
    invocation, and no other is; see `assetry.plan.pieces` for how they are shared out. Where other cuts might do with
    fewer invocations, as far as is known, `Plan.lower_bound` is no more than one for each piece.

    Raises `CycleError` when tables that one tool can only make together wait for each other.

    >>> from assetry.types.assets import Asset
    >>> from assetry.types.invocations import InvocationGroup
    >>> made = [("a", "dbt", []), ("p", "python", ["a"]), ("b", "dbt", ["p"])]
    >>> graph = AssetGraph.of([Asset(key=key, kind=kind, deps=deps) for key, kind, deps in made])
    >>> dbt = InvocationGroup("dbt:shop")
    >>> plan = make_plan(graph, dict.fromkeys(graph.keys), {AssetKey("a"): dbt, AssetKey("b"): dbt})
    >>> plan.count, plan.minimal, plan.splits[0].because
    (2, True, '`p` (python) stands between `a` and `b`')
    """
    return plan_with_checks(graph, wants, groups, request or PlanRequest())[0]


def plan_with_checks(graph: AssetGraph, wants: Wants, groups: Groups, request: PlanRequest) -> tuple[Plan, Checking]:
    """Return the plan, as `make_plan` does, and where its checks are."""
    scope = Scope(graph, wants, groups, request)
    if not scope.made:
        return Plan(skipped=tuple(_skipped(graph, scope.selected)), notes=request.notes), Checking([], [])
    try:
        found = _collapsed(scope, request)
    except Deadlock as deadlock:
        raise cycle_error(scope, deadlock) from None
    checking = place_checks(scope.layout(found))
    bound = found.lower_bound - scope.other_shares(found)
    if scope.other_cuts:
        bound = min(bound, scope.needed)
    ids = {position: str(number) for number, position in enumerate(checking.order, start=request.first)}
    gates = {graph.keys[i]: tuple(refs) for i, refs in checking.gates.items()}
    planned = tuple(_planned(scope, found, checking, ids, request))
    plan = Plan(
        invocations=with_cutoff(graph, planned, request.certain, gates, scope.through),
        count=found.count,
        lower_bound=bound,
        minimal=found.count == bound,
        splits=tuple(_splits(scope, found, ids)),
        gates=gates,
        through=scope.through,
        unchecked=tuple(checking.left_out),
        notes=(
            *request.notes,
            *check_notes(graph, checking),
            *(() if found.count == bound else _unproven(scope, found)),
        ),
        definitions=scope.numbering.definitions_of(wants),
        now=request.now,
        cutoff=request.cutoff,
        mode=request.mode,
        data_times=request.data_times,
    )
    return plan, checking


def _splits(scope: Scope, found: Collapse, ids: Mapping[int, str]) -> Iterator[Split]:
    yield from (split_of(scope, found, proof, ids) for proof in found.splits)
    yield from partition_splits(scope, found, ids)
    yield from choice_splits(scope, found, ids)


def _collapsed(scope: Scope, request: PlanRequest) -> Collapse:
    def collapsed(graph: Graph) -> Collapse:
        return collapse(graph.upstream, graph.groups, graph.families, request.mode, request.budget, graph.apart)

    graph = Graph(scope.upstream, scope.groups, scope.families, scope.apart)
    return with_riders(graph, scope.riders, collapsed) if scope.riders else collapsed(graph)


def _skipped(graph: AssetGraph, selected: Iterable[int]) -> Iterator[SkippedAsset]:
    for i in sorted(selected):
        asset, because = graph.assets[i], "nothing in this project makes it"
        if asset.consumer:
            word = asset.resource_type
            because = f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word} is only read from"
        yield SkippedAsset(graph.keys[i], because)


def _planned(
    scope: Scope, found: Collapse, checking: Checking, ids: Mapping[int, str], request: PlanRequest
) -> Iterator[PlannedInvocation]:
    for position in checking.order:
        after = tuple(ids[each] for each in checking.before[position])
        parts: dict[AssetKey, Parts] = {}
        if position < len(found.slots):
            parts = _parts(scope, found.slots[position])
            invocation = _invocation(scope, found, checking, position, ids[position], request, parts)
        else:
            invocation = Invocation(
                id=ids[position],
                group=None,
                integration=checking.own[position - len(found.slots)],
                assets=(),
                checks=tuple(checking.checks[position]),
                inputs=tuple(scope.graph.assets[i] for i in sorted(checking.reads[position])),
            )
        because = {asset.key: request.because.get(asset.key, request.default) for asset in invocation.assets}
        yield PlannedInvocation(invocation=invocation, after=after, because=because, parts=parts)


def _unproven(scope: Scope, found: Collapse) -> Iterator[str]:
    if scope.other_shares(found):
        yield "What one tool chooses differs from place to place; to make some of it bit by bit was not tried"
    if scope.other_cuts:
        yield "The partitions of one tool's assets differ; other cuts of their ranges were not tried"


def _parts(scope: Scope, slot: Slot) -> dict[AssetKey, Parts]:
    """Return the partitions that an invocation makes of each asset; an asset may stand in it with several pieces."""
    found: dict[AssetKey, Parts] = {}
    for node in slot.members:
        parts = scope.parts[node]
        if parts is not None:
            key = scope.graph.keys[scope.made[node]]
            found[key] = found[key] | parts if key in found else parts
    return found


def _invocation(
    scope: Scope,
    found: Collapse,
    checking: Checking,
    position: int,
    name: str,
    request: PlanRequest,
    parts: Mapping[AssetKey, Parts],
) -> Invocation:
    graph, slot = scope.graph, found.slots[position]
    members = list(dict.fromkeys(scope.made[node] for node in slot.members))
    inputs = {j for i in members for j in graph.upstream[i]}.union(checking.reads[position]).difference(members)
    invocation = Invocation(
        id=name,
        group=None if slot.group is None else scope.tools[slot.group],
        integration=scope.integration(slot.members[0]),
        assets=tuple(graph.assets[i] for i in members if i in scope.selected),
        checks=tuple(checking.checks[position]),
        also=tuple(graph.assets[i] for i in members if i not in scope.selected),
        inputs=tuple(graph.assets[i] for i in sorted(inputs)),
        full_refresh=request.full_refresh,
    )
    return with_partitions(invocation, parts, scope.numbering) if parts else invocation
