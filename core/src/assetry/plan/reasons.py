"""Why a plan needs more than one invocation of a group, or cannot be made: in sentences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise

from assetry.errors import CycleError
from assetry.graph.graph import AssetGraph
from assetry.plan.checks import Checking
from assetry.plan.collapse import Collapse, Deadlock, Proof
from assetry.plan.plan import Split
from assetry.plan.scope import Scope
from assetry.types.keys import AssetKey

#: How many steps of a path are named in a reason.
_NAMED = 3


def split_of(scope: Scope, found: Collapse, proof: Proof, ids: Mapping[int, str]) -> Split:
    """Return why two invocations of a group cannot be one."""
    path = tuple(scope.graph.keys[scope.made[node]] for node in proof.path)
    because = _because(scope, found, proof)
    return Split(scope.tools[proof.group].key, because, ids[proof.first], ids[proof.second], path)


def partition_splits(scope: Scope, found: Collapse, ids: Mapping[int, str]) -> Iterator[Split]:
    """Yield the reason where one group makes other partitions of one asset than of another, or has assets without."""
    first: dict[int, int] = {}
    for position, slot in enumerate(found.slots):
        if slot.group is not None:
            first.setdefault(slot.group, position)
    alike: dict[tuple[str, str, int], list[int]] = {}
    for (name, key, _, side), family in scope.known.items():
        if scope.tools[family].counted and family in first:
            alike.setdefault((name, key, side), []).append(family)
    for (_, key, _), families in alike.items():
        steps = list(pairwise(sorted(first[each] for each in families)))
        for number, (one, two) in enumerate(steps[:_NAMED], start=1):
            because = _differ(scope, _shown(scope, found, one), _shown(scope, found, two))
            more = f"; and {len(steps) - _NAMED} more like this" if number == _NAMED < len(steps) else ""
            yield Split(key, because + more, ids[one], ids[two])


def choice_splits(scope: Scope, found: Collapse, ids: Mapping[int, str]) -> Iterator[Split]:
    """Yield the reason where a tool chooses once for several places, and what is made for them differs."""
    first: dict[int, int] = {}
    for position, slot in enumerate(found.slots if scope.choices.side else ()):
        for node in slot.members:
            first.setdefault(scope.made[node], position)
    for each in scope.choices.partings():
        one, two = (ids[first[asset]] for asset in each.assets)
        what = "not the same partitions are made for both"
        if each.alone is not None:
            what = f"{_name(scope, scope.node[each.alone][0])} is made for one of them alone"
        yield Split(each.key, f"{each.chooser} chooses once for {' and '.join(each.places)}, and {what}", one, two)


def _shown(scope: Scope, found: Collapse, position: int) -> int:
    """Return the node that tells what an invocation makes: one with partitions, where it has some."""
    members = found.slots[position].members
    return next((node for node in members if scope.parts[node] is not None), members[0])


def _differ(scope: Scope, one: int, two: int) -> str:
    """Say how the partitions of two nodes differ."""
    with_parts, without = sorted((one, two), key=lambda node: scope.parts[node] is None)
    if without in scope.riders:
        return f"{_name(scope, without)}, which has no partitions, waits for more than {_name(scope, with_parts)} does"
    if scope.parts[without] is None:
        return f"{_name(scope, with_parts)} is made for partitions, and {_name(scope, without)} has none"
    if scope.made[one] == scope.made[two]:
        return f"{_name(scope, one)} is made for {_parts(scope, one)}, then for {_parts(scope, two)}"
    return f"{_name(scope, one)} is made for {_parts(scope, one)}, and {_name(scope, two)} for {_parts(scope, two)}"


def _parts(scope: Scope, node: int) -> str:
    definition, parts = scope.numbering.definition(scope.graph.keys[scope.made[node]]), scope.parts[node]
    assert definition is not None, "partitions without a definition"
    assert parts is not None, "partitions of a node without any"
    return definition.text_of(parts)


def near_notes(graph: AssetGraph, keys: Collection[AssetKey]) -> Iterator[str]:
    """Yield what is not joined with an asset that assetry keeps, and reads an older table therefore, of these keys.

    >>> from assetry.types.assets import Asset
    >>> read = Asset(key="shop/raw/events", kind="dbt", executable=False, relation=("dev", "raw", "events"))
    >>> graph = AssetGraph.of([Asset(key="events", kind="python", kept=True), read])
    >>> [*near_notes(graph, ["events"])][0].partition(":")[0]
    'shop/raw/events is not taken for events'
    """
    for miss in graph.near_misses():
        read_by = graph.downstream_of(miss.source)
        if graph[miss.candidate].kept and (miss.candidate in keys or any(key in keys for key in read_by)):
            yield f"{miss.source} is not taken for {miss.candidate}: {miss.why}"


def check_notes(graph: AssetGraph, checking: Checking) -> Iterator[str]:
    """Yield why checks are not run, or hold back less than one might expect."""
    for premature in checking.premature:
        missing = [f"`{graph.keys[i]}`" for i in premature.missing]
        was = "was" if len(missing) == 1 else "were"
        yield f"Check {premature.ref.check} of `{premature.ref.key}` is not run: {_listed(missing)} {was} never made"
    for ungated in checking.ungated:
        early, read = _listed([f"`{graph.keys[j]}`" for j in ungated.consumers]), graph.keys[ungated.asset]
        is_made = "is" if len(ungated.consumers) == 1 else "are"
        text = f"Check {ungated.ref.check} of `{ungated.ref.key}` does not hold back {early}"
        yield f"{text}: when {early} {is_made} made from `{read}`, not all that it reads is there"


def _because(scope: Scope, found: Collapse, proof: Proof) -> str:
    path, group = proof.path, scope.tools[proof.group].key
    made = [upper in scope.upstream[lower] for upper, lower in pairwise(path)]
    if path[0] not in found.slots[proof.first].members:
        waiting = f"{_name(scope, path[-1])} waits for {_tagged(scope, path[0])}"
        if found.minimal or len(path) < 2:
            return f"{waiting}, and the invocation before it does not"
        return f"{waiting}, and the invocation before it does not; it is not proven that one would not do"
    if len(path) == 2 and path in scope.apart:
        last, first = _name(scope, path[1]), _name(scope, path[0])
        return f"{last} reads {first} as a source, so that {group} does not know that it comes after it"
    if len(path) == 2:
        last, first = _name(scope, path[1]), _name(scope, path[0])
        return f"{last} is made from {first}, and {group} makes such assets one after the other"
    if all(made):
        between = _listed([_tagged(scope, node) for node in path[1:-1]])
        verb = "stands" if len(path) == 3 else "stand"
        return f"{between} {verb} between {_name(scope, path[0])} and {_name(scope, path[-1])}"
    return _listed([_step(scope, *step) for step in zip(path, path[1:], made, strict=False)])


def _step(scope: Scope, upper: int, lower: int, made: bool) -> str:
    if made:
        return f"{_tagged(scope, lower)} is made from {_name(scope, upper)}"
    return f"{_name(scope, lower)} shares an invocation with {_name(scope, upper)}"


def _name(scope: Scope, node: int) -> str:
    """Return an asset's last name when that says which one it is, else its key."""
    key = scope.graph.keys[scope.made[node]]
    return f"`{key.name if len(scope.graph.named(key.name)) == 1 else key}`"


def _tagged(scope: Scope, node: int) -> str:
    """Return an asset's name and what makes it."""
    group = scope.groups[node]
    maker = scope.graph.assets[scope.made[node]].kind if group is None else scope.tools[group].key
    return f"{_name(scope, node)} ({maker})"


def _listed(parts: Sequence[str]) -> str:
    if len(parts) > _NAMED + 1:
        parts = [*parts[: _NAMED - 1], f"{len(parts) - _NAMED} more", parts[-1]]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def cycle_error(scope: Scope, deadlock: Deadlock) -> CycleError:
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
