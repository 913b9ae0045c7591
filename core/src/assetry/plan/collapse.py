"""Collapse: carry out a graph of assets by the fewest invocations of their tools.

Given are nodes in dependency order, each of one group or of none. Asked is a partition into invocations of one group
each, so that no two invocations wait for each other and the number of invocations of *counted* groups is least.

**Sequences.** Put the invocations of an answer in an order in which they can run and read off their groups: a
sequence. For a given sequence the greedy way is best: an invocation takes every member whose inputs are done or in
it, and what is not counted (Python steps) runs as soon as it can. It is never behind any other way of running the same
sequence. So the answer is the shortest sequence after which everything is done.

**Classes.** Nodes of one group that need the same to be done before them are always taken together. They are
contracted to one class; what a class needs is an integer, one bit per class, closed under "needs". What remains is
small unless tools are interleaved again and again.

**Apart.** A tool orders what it makes in one invocation by the dependencies that it knows. Where it does not know one,
the two are set apart: the lower needs the upper to be done, as if a step of another tool stood between them.

**Components.** A group that waits for others, none of which waits for it in turn, needs exactly as many invocations as
a path leaves and re-enters it: its *own depth*. Only groups that wait for each other (a strongly connected component)
have to be searched. That is NP-hard (shortest common supersequence): A* over the sets of finished classes, where the
sum of the own depths of what is left is the bound (an invocation serves one group and lowers that group's depth by one
at most). A group that can finish now, runs now: any sequence can be changed so without growing. Past the budget a beam
search by the same bound gives a good sequence, and the least bound that was still open is the proven lower bound.

**Order.** The sequences of components and groups are merged so that assets come early: no invocation takes less than
it has to, and among those that can run, the ones are preferred that leave the fewest assets for later.

Everything is iterative, and every search is bounded in expansions and in work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal, NamedTuple

from assetry.graph.order import dependency_order
from assetry.plan.search import FREE, WORK, Budget, Classes, Merger, components, shortest

Mode = Literal["fewest", "earliest"]

#: How many states the search opens before it settles for a good answer.
BUDGET = 4000


@dataclass(frozen=True, slots=True)
class Family:
    """How the members of a group may share an invocation; see `assetry.types.invocations.InvocationGroup`.

    >>> Family(ordered=False).whole
    False
    """

    ordered: bool = True
    whole: bool = False
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Slot:
    """One invocation: the group, None for a node that runs alone, and the nodes in dependency order.

    >>> Slot(0, (0, 2)).members
    (0, 2)
    """

    group: int | None
    members: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """The proof that two invocations of a group cannot be one.

    `first` and `second` are positions in `Collapse.slots`. `path` leads from a node of the first to a node of the
    second through other invocations: each node is made from the one before it, or shares an invocation with it.
    In an answer that is not minimal, or when a group starts early by choice, it ends in the two nodes that show what
    the second one waits for.

    >>> Proof(0, 0, 2, (0, 1, 2)).path
    (0, 1, 2)
    """

    group: int
    first: int
    second: int
    path: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Collapse:
    """The answer: slots in an order in which they can run, and how good it is.

    `count` is the number of slots of counted groups, `lower_bound` a number that no answer is below. `expansions`
    and `work` tell how many states were opened and how many dependencies were looked at to find it.
    """

    slots: tuple[Slot, ...]
    count: int
    lower_bound: int
    splits: tuple[Proof, ...] = ()
    expansions: int = 0
    work: int = 0

    @property
    def minimal(self) -> bool:
        """Tell whether the count is proven to be the least."""
        return self.count == self.lower_bound


class Deadlock(Exception):  # the planner sequences it as a CycleError
    """Groups that must run as a whole wait for each other.

    `edges` are (upstream, downstream) pairs of nodes; the downstream node of each and the upstream node of the next
    are in one invocation, and so are the last and the first.
    """

    def __init__(self, edges: Sequence[tuple[int, int]]) -> None:
        super().__init__(edges)
        self.edges = tuple(edges)


def collapse(
    upstream: Sequence[Sequence[int]],
    groups: Sequence[int | None],
    families: Sequence[Family],
    mode: Mode = "fewest",
    budget: int = BUDGET,
    apart: Collection[tuple[int, int]] = frozenset(),
) -> Collapse:
    """Return the invocations that carry out a graph.

    `upstream[i]` are the nodes that node `i` is made from, all below `i`. `groups[i]` is its group, a position in
    `families`, or None for a node that runs alone and is not counted.

    ``fewest`` finds the least number of counted invocations, and places nodes as early as that number allows.
    ``earliest`` puts every node at the depth that its own dependencies give it, counted in steps (invocations or
    single nodes) that have to end before it; nodes of one group and depth share an invocation. So no invocation
    waits for more steps, one after the other, than each of its members does by itself: it starts with what is ready,
    and takes more invocations.

    Groups that are not counted are kept together as far as that costs no counted invocation. `budget` is the number
    of states that the search may open. `apart` are the dependencies, (upstream, downstream), that no invocation has
    both ends of, but for a group that must run as a whole. Raises `Deadlock` when such a group waits for itself.

    >>> collapse([(), (0,), (1,), ()], [0, None, 0, 0], [Family()]).slots
    (Slot(group=0, members=(0, 3)), Slot(group=None, members=(1,)), Slot(group=0, members=(2,)))
    """
    units = _contract(upstream, groups, families, apart)
    counted = [FREE if group is None or not families[group].counted else group for group in units.group]
    ordered = [each.ordered for each in families]
    classes = Classes(units.upstream, counted, list(map(len, units.members)), ordered, units.apart)
    allowed = Budget(0, 0)
    if mode == "earliest":
        slots, bound = _by_depth(units, families), sum(map(len, classes.levels))
    else:
        allowed = Budget(budget, budget * WORK)
        found = [shortest(classes, component, allowed) for component in components(classes)]
        sequence = Merger(classes, found, allowed).sequence() if found else []
        slots, bound = _slots(units, classes, families, sequence), sum(each.bound for each in found)
    count = sum(each.group is not None and families[each.group].counted for each in slots)
    splits = tuple(_splits(units, upstream, slots, families))
    listed = tuple(Slot(each.group, _members(units, each.members)) for each in slots)
    return Collapse(listed, count, bound, splits, allowed.expansions, allowed.work)


# -- units: what cannot be parted ----------------------------------------------------------------------------------


class _Units(NamedTuple):
    """The nodes in dependency order, those of a group that runs as a whole contracted to one.

    `apart` are the dependencies within one group that no invocation has both ends of.
    """

    members: list[tuple[int, ...]]
    group: list[int | None]
    upstream: list[tuple[int, ...]]
    apart: frozenset[tuple[int, int]]

    def orders(self, upper: int, lower: int, families: Sequence[Family]) -> bool:
        """Tell whether one invocation can make both units, the first before the second."""
        group = self.group[lower]
        together = group is not None and group == self.group[upper] and families[group].ordered
        return together and (upper, lower) not in self.apart


def _contract(
    upstream: Sequence[Sequence[int]],
    groups: Sequence[int | None],
    families: Sequence[Family],
    apart: Collection[tuple[int, int]],
) -> _Units:
    kept_apart = [pair for pair in apart if groups[pair[0]] == groups[pair[1]]]
    whole: dict[int, list[int]] = {}
    for node, group in enumerate(groups):
        if group is not None and families[group].whole:
            whole.setdefault(group, []).append(node)
    if all(len(each) == 1 for each in whole.values()):
        singles: list[tuple[int, ...]] = [(node,) for node in range(len(groups))]
        return _Units(singles, list(groups), [tuple(each) for each in upstream], frozenset(kept_apart))
    first = list(range(len(groups)))
    for nodes in whole.values():
        for node in nodes:
            first[node] = nodes[0]
    heads = [node for node in range(len(groups)) if first[node] == node]
    number = {node: unit for unit, node in enumerate(heads)}
    joined: list[dict[int, None]] = [{} for _ in heads]
    for node, parents in enumerate(upstream):
        unit = number[first[node]]
        joined[unit].update(dict.fromkeys(above for each in parents if (above := number[first[each]]) != unit))
    order = dependency_order(joined)
    if len(order) < len(heads):
        stuck = {heads[unit] for unit in set(range(len(heads))) - set(order)}
        raise Deadlock(_cycle(upstream, first, stuck))
    place = {unit: position for position, unit in enumerate(order)}
    kept = [heads[unit] for unit in order]
    members = [tuple(whole[group]) if (group := groups[node]) in whole else (node,) for node in kept]
    at = [place[number[node]] for node in first]
    pairs = frozenset((at[upper], at[lower]) for upper, lower in kept_apart if at[upper] != at[lower])
    return _Units(members, [groups[n] for n in kept], [tuple(place[p] for p in joined[unit]) for unit in order], pairs)


def _cycle(upstream: Sequence[Sequence[int]], first: Sequence[int], stuck: set[int]) -> list[tuple[int, int]]:
    """Return a shortest cycle among the stuck units through one of them, as pairs of nodes."""
    above: dict[int, dict[int, tuple[int, int]]] = {unit: {} for unit in stuck}
    for node, parents in enumerate(upstream):
        unit = first[node]
        for each in parents:
            if unit in stuck and first[each] in stuck and first[each] != unit:
                above[unit].setdefault(first[each], (each, node))
    start = min(stuck)
    walked: set[int] = set()
    while start not in walked:
        walked.add(start)
        start = next(iter(above[start]))
    below: dict[int, int] = {}
    layer = [start]
    while start not in below:
        layer = [up for unit in layer for up in above[unit] if below.setdefault(up, unit) == unit]
    edges: list[tuple[int, int]] = []
    unit = start
    while not edges or unit != start:
        edges.append(above[below[unit]][unit])
        unit = below[unit]
    return edges


def _members(units: _Units, slot: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(node for unit in slot for node in units.members[unit]))


# -- slots: which invocation takes which unit ----------------------------------------------------------------------


def _slots(units: _Units, classes: Classes, families: Sequence[Family], sequence: Sequence[int]) -> list[Slot]:
    """Return the slots, of units, that running `sequence` fills."""
    turn = _turns(classes, sequence)
    taken: list[list[int]] = [[] for _ in sequence]
    between: list[list[int]] = [[] for _ in range(len(sequence) + 1)]
    for unit, each in enumerate(classes.of):
        (between if classes.group[each] == FREE else taken)[turn[each]].append(unit)
    slots: list[Slot] = []
    for position, free in enumerate(between):
        slots += _free_slots(units, families, free)
        if position < len(sequence) and taken[position]:
            slots.append(Slot(sequence[position], tuple(taken[position])))
    return slots


def _turns(classes: Classes, sequence: Sequence[int]) -> list[int]:
    """Return, for each class, which invocation of the sequence takes it; for a free one, which it comes before."""
    turn = [0] * len(classes.group)
    waiting: list[list[int]] = [[] for _ in classes.levels]
    done = 0
    fresh = [each for each, need in enumerate(classes.need) if not need]
    for position, group in enumerate((*sequence, FREE)):
        seen: set[int] = set()
        while fresh:
            each = fresh.pop()
            if each in seen or classes.need[each] & done != classes.need[each]:
                continue
            seen.add(each)
            turn[each] = position
            if classes.group[each] != FREE:
                waiting[classes.group[each]].append(each)
            fresh += classes.along[each]
        if group == FREE:
            break
        for each in waiting[group]:
            turn[each] = position
            done |= classes.bit[each]
            fresh += classes.after[each]
        waiting[group] = []
    return turn


def _free_slots(units: _Units, families: Sequence[Family], free: Sequence[int]) -> Iterator[Slot]:
    """Yield slots for units that are not counted and all can run now; those of one group together where it goes."""
    if all((group := units.group[unit]) is None or families[group].whole for unit in free):
        yield from (Slot(units.group[unit], (unit,)) for unit in free)
        return
    left = list(free)
    while left:
        singles, together, rest = _ready(units, families, left)
        yield from (Slot(None, (unit,)) for unit in singles)
        if singles:
            # What runs alone comes first: it may release more members of the groups.
            left = sorted(rest + [unit for each in together.values() for unit in each])
            continue
        waiting = Counter(units.group[unit] for unit in rest)
        ready = sorted(together, key=lambda group: waiting[group])
        running = [group for group in ready if not waiting[group]] or ready[:1]
        yield from (Slot(group, tuple(together.pop(group))) for group in running)
        left = sorted(rest + [unit for each in together.values() for unit in each])


def _ready(
    units: _Units, families: Sequence[Family], left: Sequence[int]
) -> tuple[list[int], dict[int, list[int]], list[int]]:
    """Return what is ready alone, what is ready by group, and what is not ready, of units in dependency order."""
    waiting = set(left)
    singles: list[int] = []
    together: dict[int, list[int]] = {}
    rest: list[int] = []
    for unit in left:
        group = units.group[unit]
        parents = waiting.intersection(units.upstream[unit])
        if group is not None:
            parents.difference_update(p for p in together.get(group, ()) if units.orders(p, unit, families))
        if parents:
            rest.append(unit)
        elif group is None:
            singles.append(unit)
            waiting.discard(unit)
        else:
            together.setdefault(group, []).append(unit)
    return singles, together, rest


def _by_depth(units: _Units, families: Sequence[Family]) -> list[Slot]:
    """Return the slots of the ``earliest`` mode."""
    depth: list[int] = []
    slots: dict[tuple[int, int], list[int]] = {}
    for unit, parents in enumerate(units.upstream):
        own = units.group[unit]
        mine = max((depth[p] + (not units.orders(p, unit, families)) for p in parents), default=0)
        depth.append(mine)
        slots.setdefault((mine, -1 - unit if own is None else own), []).append(unit)
    order = sorted(slots, key=lambda each: (each[0], each[1] >= 0, abs(each[1])))
    return [Slot(None if each[1] < 0 else each[1], tuple(slots[each])) for each in order]


# -- splits: why two invocations cannot be one ---------------------------------------------------------------------


def _splits(
    units: _Units, upstream: Sequence[Sequence[int]], slots: Sequence[Slot], families: Sequence[Family]
) -> Iterator[Proof]:
    turns: dict[int, list[int]] = {}
    for position, slot in enumerate(slots):
        if slot.group is not None and families[slot.group].counted:
            turns.setdefault(slot.group, []).append(position)
    if all(len(each) == 1 for each in turns.values()):
        return
    place = [0] * len(units.members)
    for position, slot in enumerate(slots):
        for unit in slot.members:
            place[unit] = position
    downstream: list[list[int]] = [[] for _ in place]
    for unit, parents in enumerate(units.upstream):
        for each in parents:
            downstream[each].append(unit)
    for group, positions in turns.items():
        for first, second in pairwise(positions):
            passing = partial(units.orders, families=families)
            path = _path(slots, place, downstream, (first, second), passing) or _blocker(units, slots, place, second)
            yield Proof(group, first, second, _nodes(units, upstream, path))


def _path(
    slots: Sequence[Slot],
    place: Sequence[int],
    downstream: Sequence[Sequence[int]],
    ends: tuple[int, int],
    passing: Callable[[int, int], bool],
) -> list[int]:
    """Return a way from one slot to another through the slots between; empty when there is none.

    A single step does not count where one invocation can make both, in order (`passing`). Steps to a unit of the same
    slot are taken only where dependencies alone do not lead on.
    """
    first, second = ends
    before: dict[int, int] = dict.fromkeys(slots[first].members, -1)
    layer, entered = list(before), {first}
    while layer:
        aside: list[int] = []
        for unit in layer:
            for each in downstream[unit]:
                if each in before or not first < place[each] <= second:
                    continue
                if (place[unit], place[each]) == ends and passing(unit, each):
                    continue
                before[each] = unit
                if place[each] == second:
                    return _back(before, each)
                layer.append(each)
                aside.append(each)
        layer = []
        for unit in aside:
            if place[unit] not in entered:
                entered.add(place[unit])
                for each in slots[place[unit]].members:
                    if before.setdefault(each, unit) == unit and each != unit:
                        layer.append(each)
    return []


def _back(before: dict[int, int], unit: int) -> list[int]:
    path = [unit]
    while before[path[-1]] >= 0:
        path.append(before[path[-1]])
    return path[::-1]


def _blocker(units: _Units, slots: Sequence[Slot], place: Sequence[int], second: int) -> list[int]:
    """Return the last thing that a slot waits for, and the unit of it that does."""
    pairs = [(place[up], up, unit) for unit in slots[second].members for up in units.upstream[unit]]
    outside = [pair for pair in pairs if pair[0] < second]
    return list(max(outside)[1:]) if outside else []


def _nodes(units: _Units, upstream: Sequence[Sequence[int]], path: Sequence[int]) -> tuple[int, ...]:
    """Return a path of units as a path of nodes."""
    nodes: list[int] = []
    for above, below in pairwise(path):
        inside = set(units.members[above])
        edges = ((up, node) for node in units.members[below] for up in upstream[node] if up in inside)
        # Without a dependency the two share a slot, and each stands for itself.
        nodes += next(edges, (units.members[above][0], units.members[below][0]))
    return tuple(node for i, node in enumerate(nodes) if not i or node != nodes[i - 1])
