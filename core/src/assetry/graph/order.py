"""Dependency order: the one place that sorts what is made from what."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from heapq import heapify, heappop, heappush


def dependency_order(upstream: Sequence[Collection[int]], rank: Sequence[int] | None = None) -> list[int]:
    """Return the positions of `upstream` so that each stands after all it is made from.

    `upstream[i]` are the positions that `i` is made from, each once. Where the dependencies leave a choice the lowest
    `rank` comes first, among equals (and without ranks) the lowest position. Positions on a cycle, and those below
    one, are left out.

    >>> dependency_order([(1,), (), (0,)]), dependency_order([(1,), (0,), ()]), dependency_order([(), ()], [2, 1])
    ([1, 0, 2], [2], [1, 0])
    """
    downstream = reversed_edges(upstream)
    waiting = [len(each) for each in upstream]
    # Numbers alone compare faster than pairs, and most callers have no ranks.
    place = None if rank is None else sorted(range(len(upstream)), key=rank.__getitem__)
    if place is not None:
        turn = [0] * len(place)
        for number, i in enumerate(place):
            turn[i] = number
        ready = [turn[i] for i, count in enumerate(waiting) if not count]
    else:
        ready = [i for i, count in enumerate(waiting) if not count]
    heapify(ready)
    order = []
    while ready:
        first = heappop(ready)
        i = first if place is None else place[first]
        order.append(i)
        for j in downstream[i]:
            waiting[j] -= 1
            if not waiting[j]:
                heappush(ready, j if place is None else turn[j])
    return order


def reversed_edges(edges: Sequence[Iterable[int]]) -> list[list[int]]:
    """Return the same edges by their other end.

    >>> reversed_edges([(), (0,), (0, 1)])
    [[1, 2], [2], []]
    """
    other: list[list[int]] = [[] for _ in edges]
    for i, each in enumerate(edges):
        for j in each:
            other[j].append(i)
    return other
