"""Cycles: assets that wait for each other, told so that a person can break them."""

from __future__ import annotations

from collections.abc import Sequence

from assetry.errors import CycleError
from assetry.types.assets import Asset, reads_earlier

#: How many assets of a cycle are shown before its middle is left out.
_SHOWN = 12


def cycle_error(assets: Sequence[Asset], upstream: Sequence[tuple[int, ...]], order: Sequence[int]) -> CycleError:
    """Return the error that shows a shortest cycle among the assets that `order` leaves out."""
    cycle = _shortest_cycle(upstream, set(range(len(assets))) - set(order))
    steps = [f"{assets[i].key} ({assets[i].kind})" for i in (*cycle, cycle[0])]
    if len(steps) > _SHOWN:
        steps[_SHOWN // 2 : -_SHOWN // 2] = [f"… ({len(steps) - _SHOWN} more) …"]
    joined = [f"{str(alias)!r} is {str(assets[i].key)!r}" for i in cycle for alias in assets[i].aliases]
    because = f" Here {', '.join(joined[:3])}." if joined else ""
    return CycleError(
        f"Assets wait for each other: {' → '.join(steps)}.",
        where=next((assets[i].source for i in cycle if assets[i].source), None),
        hint=f"Remove one of these dependencies, or split an asset in two.{because}{_way_out(assets, cycle)}",
    )


def _way_out(assets: Sequence[Asset], cycle: Sequence[int]) -> str:
    """Return how earlier partitions may be read all the same, where one of the dependencies is of these only."""
    for i in cycle:
        for dep in assets[i].deps:
            if reads_earlier(dep):
                return (
                    f" An asset may read earlier partitions of itself: let {str(assets[i].key)!r} do so, or join both."
                )
    return ""


def _shortest_cycle(upstream: Sequence[tuple[int, ...]], stuck: set[int]) -> list[int]:
    """Return a cycle within `stuck`, in the direction that data flows, its first defined member first."""
    i = min(stuck)
    walked: set[int] = set()
    while i not in walked:
        walked.add(i)
        i = next(j for j in upstream[i] if j in stuck)
    # `i` is on a cycle; the nearest way back to it is a cycle that a person can read.
    towards: dict[int, int] = {}
    layer = [i]
    while i not in towards:
        nearer = []
        for at in layer:
            for j in upstream[at]:
                if j in stuck and j not in towards:
                    towards[j] = at
                    nearer.append(j)
        layer = nearer
    cycle = [i]
    while towards[cycle[-1]] != i:
        cycle.append(towards[cycle[-1]])
    start = cycle.index(min(cycle))
    return cycle[start:] + cycle[:start]
