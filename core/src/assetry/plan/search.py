"""The search: in which order to run groups so that everything gets done by the fewest invocations.

The workings behind `assetry.plan.collapse`; its docstring explains the method.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

#: How many dependencies may be looked at for each state of a budget.
WORK = 40
#: How many ways are followed side by side where the search is not exact, fewer on large graphs.
BEAM = 16
BEAM_WORK = 100_000

FREE = -1
_NONE: frozenset[int] = frozenset()

# -- classes: what is always taken together ------------------------------------------------------------------------


class Classes:
    """Units contracted to classes: those that need the same things first.

    A class is of a counted group, or free: it runs as soon as it can. `bit[c]` marks a counted class; `need[c]`
    are the marks of all that is done before it, closed. `after[c]` are classes that may become possible once `c` is
    done; `along[c]` those that do once `c` is possible: of the same group, or anything below a free class.
    `levels[g][d - 1]` are the marks of the classes of group `g` from which on `d` invocations of `g` are needed, so
    the own depth of `g` is the number of its levels. `above[g]` are the groups that group `g` waits for, closed.

    `upstream[i]` are the units below `i` that unit `i` is made from; `groups[i]` is its counted group, or `FREE`;
    `weights[i]` the number of its assets. `ordered[g]` tells whether one invocation of group `g` may take units that
    are made from each other; `apart` are the pairs of units of one group of which it may not.

    >>> Classes([(), (0,), (1,), ()], [0, FREE, 0, 0], [1, 1, 1, 1], [True]).of
    [0, 1, 2, 0]
    """

    def __init__(
        self,
        upstream: Sequence[Sequence[int]],
        groups: Sequence[int],
        weights: Sequence[int],
        ordered: Sequence[bool],
        apart: Collection[tuple[int, int]] = frozenset(),
    ) -> None:
        self.of: list[int] = []
        self.group: list[int] = []
        self.need: list[int] = []
        self.bit: list[int] = []
        self.after: list[list[int]] = []
        self.along: list[list[int]] = []
        self.weight: list[int] = []
        self.above = [0] * len(ordered)
        self._above: list[int] = []
        self._known: dict[tuple[int, int], int] = {}
        self._marks = 0
        edges: dict[tuple[int, int], bool] = {}
        for unit, group in enumerate(groups):
            parents = {self.of[parent] for parent in upstream[unit]}
            # What runs along with its parent needs what the parent needs, but not the parent itself.
            beside = group if group != FREE and ordered[group] else None
            firm = {self.of[parent] for parent in upstream[unit] if (parent, unit) in apart} if apart else _NONE
            mine = self._class(group, parents, beside, firm)
            self.of.append(mine)
            self.weight[mine] += weights[unit]
            for each in parents:
                if each != mine:
                    edges[each, mine] = self.group[each] in (FREE, beside) and not self.need[mine] & self.bit[each]
        for (upper, lower), along in edges.items():
            (self.along if along else self.after)[upper].append(lower)
        self.levels = _levels(self.group, self.need, self.bit, len(ordered))

    def _class(self, group: int, parents: Iterable[int], beside: int | None, firm: Collection[int]) -> int:
        """Return the class of a unit below the classes `parents`, of which those in `firm` have to be done first."""
        need = above = 0
        for each in parents:
            need |= self.need[each]
            above |= self._above[each]
            upper = self.group[each]
            if upper not in (FREE, beside) or (each in firm and upper != FREE):
                need |= self.bit[each]
                above |= 1 << upper
        mine = self._known.setdefault((group, need), len(self.group))
        if mine == len(self.group):
            self.group.append(group)
            self.need.append(need)
            self.bit.append(0 if group == FREE else 1 << self._marks)
            self._marks += group != FREE
            self.weight.append(0)
            self.after.append([])
            self.along.append([])
            self._above.append(above)
        if group != FREE:
            self.above[group] |= above
        return mine


def _levels(group: list[int], need: list[int], bit: list[int], families: int) -> list[list[int]]:
    """Return, for each group, the marks of its classes by the number of its invocations needed from them on."""
    levels: list[list[int]] = [[] for _ in range(families)]
    # reach[g][d]: what classes of g need from which on more than d invocations are needed. What a class needs is
    # closed, so reach[g][d + 1] is within reach[g][d], and the depth of a class is found by bisection.
    reach: list[list[int]] = [[] for _ in range(families)]
    for each in range(len(group) - 1, -1, -1):
        if group[each] == FREE:
            continue
        below, mark = reach[group[each]], bit[each]
        low, high = 0, len(below)
        while low < high:
            middle = (low + high) // 2
            if below[middle] & mark:
                low = middle + 1
            else:
                high = middle
        own = levels[group[each]]
        if low == len(below):
            below.append(0)
            own.append(0)
        below[low] |= need[each]
        own[low] |= mark
    return levels


def components(classes: Classes) -> list[list[int]]:
    """Return the groups that have classes, those that wait for each other together."""
    used = [group for group, levels in enumerate(classes.levels) if levels]
    above = {group: classes.above[group] & ~(1 << group) for group in used}
    waited_for = 0
    for each in above.values():
        waited_for |= each
    # Only a group that waits and is waited for can be in a component; the closure is worked out among those.
    core = [group for group in used if above[group] and waited_for >> group & 1]
    for middle in core:
        for group in core:
            if above[group] >> middle & 1:
                above[group] |= above[middle]
    found: dict[int, list[int]] = {}
    for group in used:
        name = group
        if above[group] >> group & 1:
            name = next(each for each in core if above[each] >> group & 1 and above[group] >> each & 1)
        found.setdefault(name, []).append(group)
    return list(found.values())


# -- states: what is done, and what can be done next ---------------------------------------------------------------


class _State(NamedTuple):
    """What is done (marks), and per group what is ready, its marks and assets, and what is left.

    `depth` is the own depth of what is left of each group, `left` the number of its classes that are not done.
    """

    done: int
    ready: tuple[tuple[int, ...], ...]
    marks: tuple[int, ...]
    gain: tuple[int, ...]
    depth: tuple[int, ...]
    left: tuple[int, ...]


class _Way(NamedTuple):
    """A way to run groups one after the other.

    `origin` is the state before the last one, `group`, was run; what it led to is only looked at, in `done`, `depth`
    (the bound on what is left) and `assets` (how many are left), and worked out by `_Field.open` when it is followed.
    `cost` and `places` belong to `Merger`.
    """

    origin: _State
    group: int
    before: _Way | None
    length: int
    done: int
    depth: int
    assets: int
    cost: int = 0
    places: tuple[int, ...] = ()

    def route(self) -> list[int]:
        """Return the groups that were run, in order."""
        route: list[int] = []
        way = self
        while way.before is not None:
            route.append(way.group)
            way = way.before
        return route[::-1]


@dataclass(slots=True)
class Budget:
    """How many states may be opened and dependencies looked at, and how many were."""

    states: int
    looks: int
    expansions: int = 0
    work: int = 0

    @property
    def spent(self) -> bool:
        """Tell whether nothing is left of the budget."""
        return self.expansions >= self.states or self.work >= self.looks


class _Field:
    """The classes of some groups, with those of the others taken as done."""

    def __init__(self, classes: Classes, groups: Iterable[int], budget: Budget) -> None:
        self.classes = classes
        self.inside = [False] * len(classes.levels)
        for group in groups:
            self.inside[group] = True
        self.budget = budget

    def start(self) -> _Way:
        """Return the way on which nothing of the groups has run."""
        classes, inside = self.classes, self.inside
        groups, need = classes.group, classes.need
        mine = [each for each, group in enumerate(groups) if group != FREE and inside[group]]
        done = 0
        for group, levels in enumerate(classes.levels):
            if not inside[group]:
                for level in levels:
                    done |= level
        ready: list[tuple[int, ...]] = [()] * len(inside)
        marks, gain, left = [0] * len(inside), [0] * len(inside), [0] * len(inside)
        for each in mine:
            group = groups[each]
            left[group] += 1
            if need[each] & done == need[each]:
                ready[group] += (each,)
                marks[group] |= classes.bit[each]
                gain[group] += classes.weight[each]
        depth = tuple(len(levels) if inside[group] else 0 for group, levels in enumerate(classes.levels))
        state = _State(done, tuple(ready), tuple(marks), tuple(gain), depth, tuple(left))
        return _Way(state, FREE, None, 0, done, sum(depth), sum(classes.weight[each] for each in mine))

    def look(self, way: _Way, state: _State, group: int) -> _Way:
        """Return `way`, which led to `state`, and one invocation of `group` more that takes all that is ready."""
        done = state.done | state.marks[group]
        depth = way.depth - self._finishes_level(state, group, done)
        return _Way(state, group, way, way.length + 1, done, depth, way.assets - state.gain[group])

    def _finishes_level(self, state: _State, group: int, done: int) -> bool:
        level = self.classes.levels[group][state.depth[group] - 1]
        return level & done == level

    def open(self, way: _Way) -> _State:
        """Return the state that `way` leads to."""
        state, group, done = way.origin, way.group, way.done
        if way.before is None:
            return state
        ready, marks, gain = list(state.ready), list(state.marks), list(state.gain)
        depth, left = list(state.depth), list(state.left)
        taken = ready[group]
        depth[group] -= self._finishes_level(state, group, done)
        left[group] -= len(taken)
        ready[group], marks[group], gain[group] = (), 0, 0
        for each in self._released(taken, done):
            group = self.classes.group[each]
            ready[group] += (each,)
            marks[group] |= self.classes.bit[each]
            gain[group] += self.classes.weight[each]
        return _State(done, tuple(ready), tuple(marks), tuple(gain), tuple(depth), tuple(left))

    def _released(self, taken: Sequence[int], done: int) -> Iterator[int]:
        """Yield the classes that become ready when `taken` are the last that were done."""
        groups, need, along, inside = self.classes.group, self.classes.need, self.classes.along, self.inside
        queue = [lower for each in taken for lower in self.classes.after[each]]
        # What a class needs is closed: whether it can run depends on `done` alone, so one look at each is enough.
        seen: set[int] = set()
        while queue:
            each = queue.pop()
            if each in seen:
                continue
            seen.add(each)
            group = groups[each]
            if need[each] & done != need[each]:
                continue
            if group == FREE:
                queue += along[each]
            elif inside[group]:
                queue += along[each]
                yield each
        self.budget.work += len(taken) + len(seen)

    def choices(self, state: _State) -> Sequence[int]:
        """Return the groups worth running next: one that can finish, else all that have something ready."""
        able = [group for group, ready in enumerate(state.ready) if ready]
        for group in able:
            if len(state.ready[group]) == state.left[group]:
                return (group,)
        return able

    def steps(self, way: _Way) -> Iterator[_Way]:
        """Yield `way` with each group that is worth running next."""
        state = self.open(way)
        choices = self.choices(state)
        self.budget.work += len(choices)
        return (self.look(way, state, group) for group in choices)


# -- search: the shortest sequence of a component ------------------------------------------------------------------


class Found(NamedTuple):
    """The answer for a component: its groups, the sequence of them, and a number that no answer is below."""

    component: list[int]
    route: list[int]
    bound: int


def shortest(classes: Classes, component: list[int], budget: Budget) -> Found:
    """Return the shortest sequence that finishes a component, or a good one when the budget is spent."""
    if len(component) == 1:
        depth = len(classes.levels[component[0]])
        return Found(component, component * depth, depth)
    field = _Field(classes, component, budget)
    root = field.start()
    shortest = {root.done: 0}
    heap = [(root.depth, 0, root.assets, 0, root)]
    made = 0
    while not budget.spent:
        bound, _, _, _, way = heappop(heap)
        if not way.assets:
            return Found(component, way.route(), bound)
        if shortest[way.done] < way.length:
            continue
        steps = list(field.steps(way))
        budget.expansions += len(steps) > 1
        for each in steps:
            if shortest.get(each.done, each.length + 1) > each.length:
                shortest[each.done] = each.length
                made += 1
                # Deepest first among equals: where the bound is exact the search goes straight to the end.
                heappush(heap, (each.length + each.depth, -each.length, each.assets, made, each))
    # What was opened is closed under shorter ways, so the shortest sequence leads through one of the open states.
    bound, _, _, _, nearest = heap[0]
    width = _width(classes)
    ends = [_beam(way, field.steps, lambda way: (way.depth, way.assets), width) for way in (root, nearest)]
    return Found(component, min((end.route() for end in ends), key=len), bound)


def _beam(
    start: _Way, steps: Callable[[_Way], Iterable[_Way]], rank: Callable[[_Way], tuple[int, int]], width: int
) -> _Way:
    """Return the end of a short way, following at each length the `width` ways of the best rank."""
    ways = [start]
    while all(way.assets for way in ways):
        best: dict[int, _Way] = {}
        for way in ways:
            for each in steps(way):
                known = best.get(each.done)
                if known is None or rank(each) < rank(known):
                    best[each.done] = each
        ways = sorted(best.values(), key=rank)[:width]
        # In a graph without cycles something can always run; to go round for ever would be worse than to fail.
        assert ways, "nothing can run, yet something is left"
    return next(way for way in ways if not way.assets)


def _width(classes: Classes) -> int:
    """Return how many ways a beam may follow, so that its work stays bounded on large graphs."""
    edges = sum(map(len, classes.after)) + sum(map(len, classes.along))
    looks = sum(map(len, classes.levels)) * len(classes.levels)
    return max(1, min(BEAM, BEAM_WORK // (edges + 3 * looks + 1)))


# -- order: one sequence of all groups, assets early -------------------------------------------------------------------


class Merger:
    """The merge of the sequences of all components into one, without a further invocation."""

    def __init__(self, classes: Classes, found: Sequence[Found], budget: Budget) -> None:
        self.field = _Field(classes, [group for each in found for group in each.component], budget)
        self.routes = [each.route for each in found]
        self.required = [self._required(classes, each, budget) for each in found]

    @staticmethod
    def _required(classes: Classes, found: Found, budget: Budget) -> list[int]:
        """Return, for each invocation of a sequence, the marks of what it has to take at the latest."""
        if len(found.component) == 1:
            return classes.levels[found.component[0]][::-1]
        field = _Field(classes, found.component, budget)
        way = field.start()
        required = []
        for group in found.route:
            state = field.open(way)
            way = field.look(way, state, group)
            required.append(state.marks[group])
        return required

    def sequence(self) -> list[int]:
        """Return the groups to run, in order."""
        if len(self.routes) == 1:
            return self.routes[0]
        root = self.field.start()._replace(places=(0,) * len(self.routes))
        return _beam(root, self.steps, lambda way: (way.cost, way.depth), _width(self.field.classes)).route()

    def steps(self, way: _Way) -> Iterator[_Way]:
        """Yield `way` with each invocation more that takes what it has to; only one that finishes a group, if any."""
        state = self.field.open(way)
        places = tuple(self._place(index, place, state.done) for index, place in enumerate(way.places))
        able = []
        for index, place in enumerate(places):
            if place < len(self.routes[index]):
                group, required = self.routes[index][place], self.required[index][place]
                if required & ~state.done & ~state.marks[group] == 0:
                    able.append((index, group))
        finishing = [each for each in able if len(state.ready[each[1]]) == state.left[each[1]]]
        for index, group in finishing[:1] or able:
            each = self.field.look(way, state, group)
            ahead = (*places[:index], places[index] + 1, *places[index + 1 :])
            yield each._replace(cost=way.cost + each.assets, places=ahead)

    def _place(self, index: int, place: int, done: int) -> int:
        """Return the next place in a sequence that still has something to take."""
        required = self.required[index]
        while place < len(required) and not required[place] & ~done:
            place += 1
        return place
