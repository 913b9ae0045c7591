"""How all assets are, kept up from one look to the next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, count
from operator import is_not

from assetry.plugin import AssetKey, Status


@dataclass(frozen=True, slots=True)
class Statuses:
    """How all assets of a graph are, in its order and `by_key`, with those that are `unsettled`, by number.

    Those are all of which anything is to be said: not those that are just fresh.

    >>> fresh, stale = Status(AssetKey("a"), "fresh"), Status(AssetKey("b"), "stale")
    >>> [str(each.key) for each in Statuses.of([fresh, stale]).unsettled.values()]
    ['b']
    """

    every: Sequence[Status]
    by_key: Mapping[AssetKey, Status]
    unsettled: Mapping[int, Status]

    @classmethod
    def of(cls, statuses: Sequence[Status], before: Statuses | None = None) -> Statuses:
        """Return them; of those of `before`, which are of the same graph, only what has become another one is put in.

        >>> fresh, stale = Status(AssetKey("a"), "fresh"), Status(AssetKey("a"), "stale")
        >>> Statuses.of([fresh], Statuses.of([stale])) == Statuses.of([fresh])
        True
        """
        if before is None:
            by_key = {each.key: each for each in statuses}
            return cls(statuses, by_key, dict(_unsettled(enumerate(statuses))))
        others = {i: statuses[i] for i in compress(count(), map(is_not, statuses, before.every))}
        if not others:
            return before
        found = {i: each for i, each in before.unsettled.items() if i not in others}
        found.update(_unsettled(others.items()))
        by_key = dict(before.by_key)
        by_key.update((each.key, each) for each in others.values())
        return cls(statuses, by_key, dict(sorted(found.items())))


def _unsettled(statuses: Iterable[tuple[int, Status]]) -> list[tuple[int, Status]]:
    return [item for item in statuses if item[1].status != "fresh" or item[1].partitions is not None]
