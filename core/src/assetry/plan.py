"""The plan: which invocations bring a selection up to date, in which order, and why no fewer do.

Pure: assets, groups and reasons in, frozen values out. `assetry.collapse` finds the invocations, `assetry.gates`
places the checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from assetry.assets import Integration
from assetry.collapse import BUDGET, Collapse, Deadlock, Family, Mode, Proof, collapse
from assetry.errors import CycleError, UsageError
from assetry.gates import Checking, Layout, place_checks
from assetry.graph import AssetGraph
from assetry.invocations import CheckRef, Invocation, InvocationGroup
from assetry.keys import AssetKey

#: How many steps of a path are named in a reason.
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """Say how a plan is to be made.

    `because` has the reason of each asset, `default` that of the others. `mode` is ``fewest`` (the least number of
    counted invocations) or ``earliest`` (see `assetry.collapse.collapse`). `partitions` are the partitions of those
    assets that have some. `budget` is how many states a search may open; few graphs need any.

    >>> PlanRequest(mode="earliest").default
    'selected'
    """

    because: Mapping[AssetKey, str] = field(default_factory=dict)
    default: str = "selected"
    mode: Mode = "fewest"
    full_refresh: bool = False
    partitions: tuple[str, ...] = ()
    budget: int = BUDGET


@dataclass(frozen=True, slots=True)
class SkippedAsset:
    """Say why a selected asset is not made.

    >>> SkippedAsset(AssetKey("shop/raw"), "nothing in this project makes it").because
    'nothing in this project makes it'
    """

    key: AssetKey
    because: str


@dataclass(frozen=True, slots=True)
class Split:
    """Say why a group needs another invocation: `first` and `second` are the ids of the two, `path` the proof.

    Each asset of `path` is made from the one before it or shares an invocation with it.

    >>> Split("dbt:shop@dev", "`p` (python) stands between `a` and `b`").group
    'dbt:shop@dev'
    """

    group: str
    because: str
    first: str = ""
    second: str = ""
    path: tuple[AssetKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInvocation:
    """Hold one invocation of a plan.

    `after` are the ids of the invocations that it waits for directly: they make what it reads, or run the checks
    that gate that. `because` says of each of its assets why it is made. `command` is for people to read.

    >>> python = Integration("python", "python")
    >>> PlannedInvocation(invocation=Invocation(id="1", group=None, integration=python, assets=())).id
    '1'
    """

    invocation: Invocation
    after: tuple[str, ...] = ()
    because: Mapping[AssetKey, str] = field(default_factory=dict)
    command: str | None = None

    @property
    def id(self) -> str:
        """Return the id of the invocation."""
        return self.invocation.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Hold what is to run: invocations in an order in which they can run one after the other, gates kept.

    `count` is the number of invocations of counted groups; no plan is below `lower_bound`, so the plan is `minimal`
    when both are equal. `splits` says why a group needs more than one. `skipped` are selected assets that nothing
    makes; it is filled only when nothing else was selected.

    `gates` maps an asset to the checks of severity ``error`` that stand between it and its consumers: an asset that
    is made from it by another invocation waits for them, unless that invocation runs them itself. Checks do not wait
    for each other. `through` maps an asset to
    the planned assets that it reads through views which are not part of the plan: it waits for them as for its own
    inputs. `unchecked` are checks that would need an invocation of their own, and are not run.

    >>> Plan().count
    0
    """

    invocations: tuple[PlannedInvocation, ...] = ()
    skipped: tuple[SkippedAsset, ...] = ()
    count: int = 0
    lower_bound: int = 0
    minimal: bool = True
    splits: tuple[Split, ...] = ()
    gates: Mapping[AssetKey, tuple[CheckRef, ...]] = field(default_factory=dict)
    through: Mapping[AssetKey, tuple[AssetKey, ...]] = field(default_factory=dict)
    unchecked: tuple[CheckRef, ...] = ()


def make_plan(
    graph: AssetGraph,
    selected: Iterable[AssetKey],
    groups: Mapping[AssetKey, InvocationGroup | None],
    request: PlanRequest | None = None,
) -> Plan:
    """Return the plan that makes the selected assets.

    `groups` has the invocation group of every selected asset, and of every other asset that is in a `whole` group of
    one of them: those come along, as `Invocation.also`. An asset without a group runs alone and is not counted.
    Selected assets that nothing makes are left out. What is not selected does not make others wait: its stored value
    is used; only a view (`computed_on_read`) hands on what it reads.

    Raises `CycleError` when tables that one tool can only make together wait for each other, and `UsageError` for
    several partitions of a group that takes one at a time.

    >>> from assetry.assets import Asset
    >>> made = [("a", "dbt", []), ("p", "python", ["a"]), ("b", "dbt", ["p"])]
    >>> graph = AssetGraph.of([Asset(key=key, kind=kind, deps=deps) for key, kind, deps in made])
    >>> dbt = InvocationGroup("dbt:shop")
    >>> plan = make_plan(graph, graph.keys, {AssetKey("a"): dbt, AssetKey("b"): dbt})
    >>> plan.count, plan.minimal, plan.splits[0].because
    (2, True, '`p` (python) stands between `a` and `b`')
    """
    request = request or PlanRequest()
    scope = _Scope(graph, selected, groups, request)
    if not scope.made:
        return Plan(skipped=tuple(_skipped(graph, scope.selected)))
    try:
        found = collapse(scope.upstream, scope.groups, scope.families, request.mode, request.budget)
    except Deadlock as deadlock:
        raise _cycle(scope, deadlock) from None
    checking = place_checks(scope.layout(found))
    ids = {position: str(number) for number, position in enumerate(checking.order, start=1)}
    return Plan(
        invocations=tuple(_planned(scope, found, checking, ids, request)),
        count=found.count,
        lower_bound=found.lower_bound,
        minimal=found.minimal,
        splits=(*(_split(scope, found, proof, ids) for proof in found.splits), *_parted(scope, found, ids)),
        gates={graph.keys[i]: tuple(refs) for i, refs in checking.gates.items()},
        through=scope.through,
        unchecked=tuple(checking.left_out),
    )


def _skipped(graph: AssetGraph, selected: Iterable[int]) -> Iterator[SkippedAsset]:
    for i in sorted(selected):
        kind = graph.assets[i].resource_type
        because = "an exposure is only read from" if kind == "exposure" else "nothing in this project makes it"
        yield SkippedAsset(graph.keys[i], because)


# -- scope: what takes part ----------------------------------------------------------------------------------------


class _Scope:
    """Number what takes part in a plan: selected assets, and what their tools cannot leave out.

    `made` are the graph's numbers of the nodes, in order; `known` are the groups by integration, key and whether
    partitions are made. The rest is by node, as `collapse` wants it.
    """

    def __init__(
        self,
        graph: AssetGraph,
        selected: Iterable[AssetKey],
        groups: Mapping[AssetKey, InvocationGroup | None],
        request: PlanRequest,
    ) -> None:
        self.graph = graph
        self.selected = frozenset(graph.index(key) for key in selected)
        self._partitions = request.partitions
        self.known: dict[tuple[str, str, bool], int] = {}
        self.tools: list[InvocationGroup] = []
        family = {i: self._family(i, groups) for i in self.selected if graph.assets[i].executable}
        family.update(self._dragged(groups))
        self.made = sorted(family)
        self.node = {i: node for node, i in enumerate(self.made)}
        self.groups = [family[i] for i in self.made]
        self.families = [Family(each.ordered, each.whole, each.counted) for each in self.tools]
        self.through: dict[AssetKey, tuple[AssetKey, ...]] = {}
        self.upstream = self._upstream()

    def _family(self, i: int, groups: Mapping[AssetKey, InvocationGroup | None]) -> int | None:
        """Return the number of an asset's group."""
        asset = self.graph.assets[i]
        group = groups.get(asset.key)
        if group is None:
            return None
        # One invocation is for given partitions or for none.
        parted = bool(self._partitions) and asset.partitions_def is not None and not group.whole
        if group.counted and group.partitions == "one" and parted and len(self._partitions) > 1:
            raise UsageError(
                f"{group.key} makes one partition at a time, and {len(self._partitions)} of {asset.key} are asked for.",
                hint="Ask for one partition.",
            )
        name = asset.integration.name if asset.integration else ""
        found = self.known.setdefault((name, group.key, parted), len(self.tools))
        if found == len(self.tools):
            self.tools.append(group)
        return found

    def _dragged(self, groups: Mapping[AssetKey, InvocationGroup | None]) -> dict[int, int | None]:
        """Return what the tools of the selected assets cannot leave out, selected or not, with its group."""
        whole = {group.key for group in self.tools if group.whole}
        if not whole:
            return {}
        known = set(self.known)
        dragged: dict[int, int | None] = {}
        for i, asset in enumerate(self.graph.assets):
            group = groups.get(asset.key)
            if group is None or group.key not in whole or not asset.executable:
                continue
            if (asset.integration.name if asset.integration else "", group.key, False) in known:
                dragged[i] = self._family(i, groups)
        return dragged

    def _upstream(self) -> list[tuple[int, ...]]:
        """Return the nodes that each node waits for, and note those it reads through views."""
        node, graph = self.node, self.graph
        passed: dict[int, frozenset[int]] = {}
        upstream: list[tuple[int, ...]] = []
        for i, parents in enumerate(graph.upstream):
            mine = i in node
            if not mine and not graph.assets[i].computed_on_read:
                continue
            direct = [node[j] for j in parents if j in node]
            views = [passed[j] for j in parents if j in passed]
            behind = views[0].union(*views[1:]).difference(direct) if views else frozenset()
            if not mine:
                if direct or behind:
                    passed[i] = behind.union(direct) if direct else behind
                continue
            if behind:
                self.through[graph.keys[i]] = tuple(graph.keys[self.made[each]] for each in sorted(behind))
                direct += sorted(behind)
            upstream.append(tuple(direct))
        return upstream

    def integration(self, node: int) -> Integration:
        """Return the integration that makes a node."""
        asset = self.graph.assets[self.made[node]]
        return asset.integration or Integration(asset.kind, asset.kind)

    def layout(self, found: Collapse) -> Layout:
        """Return what `place_checks` has to know of the collapse."""
        place = [0] * len(self.made)
        for position, slot in enumerate(found.slots):
            for node in slot.members:
                place[node] = position
        consumers: dict[int, list[int]] = {}
        edges: set[tuple[int, int]] = set()
        for node, parents in enumerate(self.upstream):
            for parent in parents:
                consumers.setdefault(self.made[parent], []).append(self.made[node])
                if place[parent] != place[node]:
                    edges.add((place[parent], place[node]))
        for i in self.selected.difference(self.node):
            consumers[i] = [j for j in self.graph.downstream[i] if j in self.node]
        return Layout(
            self.graph,
            {i: place[node] for i, node in self.node.items()},
            self.selected,
            [self.integration(slot.members[0]) for slot in found.slots],
            consumers,
            frozenset(edges),
        )


# -- invocations ---------------------------------------------------------------------------------------------------


def _planned(
    scope: _Scope, found: Collapse, checking: Checking, ids: Mapping[int, str], request: PlanRequest
) -> Iterator[PlannedInvocation]:
    for position in checking.order:
        after = tuple(ids[each] for each in checking.before[position])
        if position < len(found.slots):
            invocation = _invocation(scope, found, checking, position, ids[position], request)
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
        yield PlannedInvocation(invocation=invocation, after=after, because=because)


def _invocation(
    scope: _Scope, found: Collapse, checking: Checking, position: int, name: str, request: PlanRequest
) -> Invocation:
    graph, slot = scope.graph, found.slots[position]
    members = [scope.made[node] for node in slot.members]
    inputs = {j for i in members for j in graph.upstream[i]}.union(checking.reads[position]).difference(members)
    assets = tuple(graph.assets[i] for i in members if i in scope.selected)
    parted = any(asset.partitions_def is not None for asset in assets)
    return Invocation(
        id=name,
        group=None if slot.group is None else scope.tools[slot.group],
        integration=scope.integration(slot.members[0]),
        assets=assets,
        checks=tuple(checking.checks[position]),
        also=tuple(graph.assets[i] for i in members if i not in scope.selected),
        inputs=tuple(graph.assets[i] for i in sorted(inputs)),
        partitions=request.partitions if parted else (),
        full_refresh=request.full_refresh,
    )


# -- words: why it takes more than one invocation, or cannot be done -----------------------------------------------


def _split(scope: _Scope, found: Collapse, proof: Proof, ids: Mapping[int, str]) -> Split:
    path = tuple(scope.graph.keys[scope.made[node]] for node in proof.path)
    because = _because(scope, found, proof)
    return Split(scope.tools[proof.group].key, because, ids[proof.first], ids[proof.second], path)


def _parted(scope: _Scope, found: Collapse, ids: Mapping[int, str]) -> Iterator[Split]:
    """Yield the reason where one group makes assets with partitions and assets without."""
    first: dict[int, int] = {}
    for position, slot in enumerate(found.slots):
        if slot.group is not None:
            first.setdefault(slot.group, position)
    for (name, key, parted), family in scope.known.items():
        other = scope.known.get((name, key, not parted))
        if parted and other is not None and scope.tools[family].counted:
            nodes = [found.slots[first[each]].members[0] for each in (family, other)]
            because = f"{_name(scope, nodes[0])} is made for partitions, and {_name(scope, nodes[1])} has none"
            one, two = sorted((first[family], first[other]))
            yield Split(key, because, ids[one], ids[two])


def _because(scope: _Scope, found: Collapse, proof: Proof) -> str:
    path, group = proof.path, scope.tools[proof.group].key
    made = [upper in scope.upstream[lower] for upper, lower in pairwise(path)]
    if path[0] not in found.slots[proof.first].members:
        waiting = f"{_name(scope, path[-1])} waits for {_tagged(scope, path[0])}"
        if found.minimal or len(path) < 2:
            return f"{waiting}, and the invocation before it does not"
        return f"{waiting}, and the invocation before it does not; it is not proven that one would not do"
    if len(path) == 2:
        last, first = _name(scope, path[1]), _name(scope, path[0])
        return f"{last} is made from {first}, and {group} makes such assets one after the other"
    if all(made):
        between = _listed([_tagged(scope, node) for node in path[1:-1]])
        verb = "stands" if len(path) == 3 else "stand"
        return f"{between} {verb} between {_name(scope, path[0])} and {_name(scope, path[-1])}"
    return _listed([_step(scope, *step) for step in zip(path, path[1:], made, strict=False)])


def _step(scope: _Scope, upper: int, lower: int, made: bool) -> str:
    if made:
        return f"{_tagged(scope, lower)} is made from {_name(scope, upper)}"
    return f"{_name(scope, lower)} shares an invocation with {_name(scope, upper)}"


def _name(scope: _Scope, node: int) -> str:
    """Return an asset's last name when that says which one it is, else its key."""
    key = scope.graph.keys[scope.made[node]]
    return f"`{key.name if len(scope.graph.named(key.name)) == 1 else key}`"


def _tagged(scope: _Scope, node: int) -> str:
    """Return an asset's name and what makes it."""
    group = scope.groups[node]
    maker = scope.graph.assets[scope.made[node]].kind if group is None else scope.tools[group].key
    return f"{_name(scope, node)} ({maker})"


def _listed(parts: Sequence[str]) -> str:
    if len(parts) > _NAMED + 1:
        parts = [*parts[: _NAMED - 1], f"{len(parts) - _NAMED} more", parts[-1]]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _cycle(scope: _Scope, deadlock: Deadlock) -> CycleError:
    """Return the error for tables that one tool can only make together and that wait for each other."""
    said: list[str] = []
    whole: dict[str, None] = {}
    for (upper, lower), (after, _) in zip(deadlock.edges, (*deadlock.edges[1:], deadlock.edges[0]), strict=True):
        said.append(f"{_tagged(scope, lower)} waits for {_tagged(scope, upper)}")
        group = scope.groups[lower]
        if after != lower and group is not None:
            whole[scope.tools[group].key] = None
            said.append(f"{_name(scope, lower)} and {_name(scope, after)} are made together")
    sources = (scope.graph.assets[scope.made[node]].source for edge in deadlock.edges for node in edge)
    return CycleError(
        f"{_listed(list(whole))} can only run as a whole, and waits for itself: {'; '.join(said)}.",
        where=next((source for source in sources if source), None),
        hint="Move one of these tables to a group of its own (another connection or function), or remove a dependency.",
    )


# -- JSON ----------------------------------------------------------------------------------------------------------


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON data, in the shape of `assetry plan --output json`.

    >>> plan_to_json(Plan())["invocations"]
    []
    """
    return {
        "version": 1,
        "count": plan.count,
        "lower_bound": plan.lower_bound,
        "minimal": plan.minimal,
        "invocations": [_invocation_to_json(each) for each in plan.invocations],
        "skipped": [{"key": str(each.key), "because": each.because} for each in plan.skipped],
        "splits": [
            {
                "group": each.group,
                "because": each.because,
                "first": each.first,
                "second": each.second,
                "path": [str(key) for key in each.path],
            }
            for each in plan.splits
        ],
        "unchecked": [_check_to_json(ref) for ref in plan.unchecked],
    }


def _invocation_to_json(planned: PlannedInvocation) -> dict[str, Any]:
    invocation = planned.invocation
    return {
        "id": invocation.id,
        "kind": invocation.integration.kind,
        "integration": invocation.integration.name,
        "group": invocation.group.key if invocation.group else None,
        "counted": invocation.group is not None and invocation.group.counted,
        "command": planned.command,
        "assets": [str(asset.key) for asset in invocation.assets],
        "also": [str(asset.key) for asset in invocation.also],
        "after": list(planned.after),
        "because": {str(key): text for key, text in planned.because.items()},
        "checks": [_check_to_json(ref) for ref in invocation.checks],
        "partitions": list(invocation.partitions),
        "full_refresh": invocation.full_refresh,
    }


def _check_to_json(ref: CheckRef) -> dict[str, str]:
    return {"key": str(ref.key), "check": ref.check}
