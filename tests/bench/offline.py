"""The fewest invocations by which deadlines can be met, for shops so small that it can be computed.

One source, whose sync takes a while, and assets made from it, each with a lag, in groups that share an invocation. All
is known beforehand. It suffices to begin when one deadline allows no later beginning: whatever begins earlier may as
well begin then, with newer data. There are two such moments of an asset for which the source has newer data already:
the last one for a sync before it, which may be left, and the last one without. At each any others may be made with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

#: What the data of source and assets is of, in minutes, and the assets for which no sync was begun when it could be.
Ages = tuple[int, tuple[int, ...], frozenset[int]]


class Case(NamedTuple):
    """A source and the assets below it: `lags` in minutes, and the `groups` of their tools, both by asset.

    `sync` and `made` are how many minutes one invocation takes.

    >>> fewest(Case((60,), (0,), sync=3, made=2), 24 * 60)
    54
    """

    lags: tuple[int, ...]
    groups: tuple[int, ...]
    sync: int
    made: int


def fewest(case: Case, horizon: int) -> int:
    """Return the least number of invocations that begin before a horizon, in minutes; all is made at the beginning."""
    start: Ages = (0, (0,) * len(case.lags), frozenset())
    costs: dict[Ages, int] = {start: 1 + len(set(case.groups))}
    #: Of what is open, that is gone on with first which has to act first: then nothing is reached again later.
    best: int | None = None
    limit = 300
    while costs:
        state = min(costs, key=lambda each: _due(case, each)[0])
        cost = costs.pop(state)
        at, asset = _due(case, state)
        if at >= horizon:
            best = cost if best is None else min(best, cost)
            continue
        for following, more in _steps(case, state, at, asset):
            if cost + more < costs.get(following, 1_000_000):
                costs[following] = cost + more
        if len(costs) > limit:
            costs = _without_worse(costs)
            limit = max(300, 2 * len(costs))
    assert best is not None, "the horizon is reached at last"
    return best


def _due(case: Case, state: Ages) -> tuple[int, int]:
    """Return when something has to begin at the latest, or may be left, and for which asset."""
    _, made, left = state
    latest = (
        of + lag - case.made - case.sync * (i not in left)
        for i, (of, lag) in enumerate(zip(made, case.lags, strict=True))
    )
    return min((at, i) for i, at in enumerate(latest))


def _steps(case: Case, state: Ages, at: int, asset: int) -> Iterator[tuple[Ages, int]]:
    """Yield what can be done for what is due, with how many invocations that is."""
    source, made, left = state
    if asset not in left and source > made[asset]:
        yield (source, made, left | {asset}), 0
    sync = asset not in left
    new = at if sync else source
    for chosen in _subsets([i for i in range(len(made)) if i != asset]):
        which = {asset, *chosen}
        ages = tuple(max(new, of) if i in which else of for i, of in enumerate(made))
        yield (new, ages, left - which), sync + len({case.groups[i] for i in which})


def _subsets(items: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for count in range(len(items) + 1):
        yield from combinations(items, count)


def _without_worse(costs: dict[Ages, int]) -> dict[Ages, int]:
    """Return states without those of which another one is as new in everything, and as cheap."""
    kept: list[tuple[Ages, int]] = []
    for state, cost in sorted(costs.items(), key=lambda each: (each[1], -each[0][0])):
        newer = (
            other <= cost
            and its[0] >= state[0]
            and its[2] <= state[2]
            and all(a >= b for a, b in zip(its[1], state[1], strict=True))
            for its, other in kept
        )
        if not any(newer):
            kept.append((state, cost))
    return dict(kept)
