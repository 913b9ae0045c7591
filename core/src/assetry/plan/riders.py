"""Assets without partitions, in groups whose invocations may make them beside partitions (`InvocationGroup.mixed`).

They can go along with any invocation of their group, whatever it makes partitions of. With partitions of one span there
is nothing to choose: all are one family. With several it is to be found out with which of them each goes:

**Bound.** Take the riders out of the graph and let what is below them wait for what is above them. Any plan, without
the riders, is a plan of what is left, and no longer; so no plan is shorter than the shortest of that.

**Choice.** Run the invocations in the order that was found for what is left: each takes all of its members that it can,
and all riders that it can. What no invocation takes gets one of its own. Where it would be shorter to give all riders
invocations of their own, that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from assetry.plan.collapse import Collapse, Family

#: By node: the families with which it may go, besides its own.
Riders = Mapping[int, Collection[int]]


class Graph:
    """What is to be carried out, as `assetry.plan.collapse` takes it."""

    def __init__(
        self,
        upstream: Sequence[Sequence[int]],
        groups: Sequence[int | None],
        families: Sequence[Family],
        apart: Collection[tuple[int, int]] = (),
    ) -> None:
        self.upstream = upstream
        self.groups = groups
        self.families = families
        self.apart = apart

    def counted(self, group: int | None) -> bool:
        """Tell whether invocations of a group are counted."""
        return group is not None and self.families[group].counted


def with_riders(graph: Graph, riders: Riders, collapsed: Callable[[Graph], Collapse]) -> Collapse:
    """Return the invocations that carry out a graph; no plan has fewer than its `lower_bound`.

    `collapsed` returns those of a graph in which every node has just one family.

    >>> from assetry.plan.collapse import collapse
    >>> # A table for one day, something that has no days and is made from it, and a table for another day.
    >>> graph = Graph([(), (0,), (1,)], [0, 2, 1], [Family()] * 3)
    >>> found = with_riders(graph, {1: [0, 1]}, lambda each: collapse(each.upstream, each.groups, each.families))
    >>> found.count, found.minimal
    (2, True)
    """
    bare = collapsed(_without(graph, riders))
    chosen = _chosen(graph, riders, [slot.group for slot in bare.slots if graph.counted(slot.group)])
    best = collapsed(Graph(graph.upstream, chosen, graph.families, graph.apart))
    if best.count > bare.lower_bound:
        best = min(best, collapsed(graph), key=lambda each: each.count)
    return replace(best, lower_bound=min(bare.lower_bound, best.count))


def _without(graph: Graph, riders: Riders) -> Graph:
    """Return a graph without the riders: what was below them waits for what was above them."""
    upstream: list[tuple[int, ...]] = []
    kept: dict[int, int] = {}
    #: By node: what those below it wait for.
    stands_for: list[tuple[int, ...]] = []
    for node, parents in enumerate(graph.upstream):
        above = tuple(sorted({each for parent in parents for each in stands_for[parent]}))
        if node in riders:
            stands_for.append(above)
            continue
        kept[node] = len(upstream)
        stands_for.append((kept[node],))
        upstream.append(above)
    apart = {(kept[upper], kept[lower]) for upper, lower in graph.apart if upper in kept and lower in kept}
    return Graph(upstream, [graph.groups[node] for node in kept], graph.families, apart)


def _chosen(graph: Graph, riders: Riders, sequence: Sequence[int | None]) -> list[int | None]:
    """Return the family of each node; of riders that with which they go when `sequence` is run."""
    chosen = list(graph.groups)
    done: set[int] = set()
    left: list[int] = list(range(len(chosen)))
    for family in sequence:
        taken: set[int] = set()
        for node in left:
            parents = graph.upstream[node]
            if not graph.counted(graph.groups[node]):
                done.update([node] if done.issuperset(parents) else ())
            elif (family in riders[node] if node in riders else family == graph.groups[node]) and all(
                up in done or (up in taken and _orders(graph, family, up, node)) for up in parents
            ):
                taken.add(node)
                chosen[node] = family
        done |= taken
        left = [node for node in left if node not in done]
    return chosen


def _orders(graph: Graph, family: int | None, upper: int, lower: int) -> bool:
    """Tell whether one invocation of a family can make two nodes, the first before the second."""
    return family is not None and graph.families[family].ordered and (upper, lower) not in graph.apart
