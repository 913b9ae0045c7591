"""What of a long list of work comes next: a piece of time through all assets, so that results arrive whole. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.partitions.recorded import time_of
from assetry.plan.dependents import dependents
from assetry.plan.numbering import Numbering
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
    from assetry.plan.scope import Wants

#: How long a chunk should take, in seconds, and how many partitions it has at most.
LENGTH, MOST = 600.0, 10_000
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRequest:
    """How large chunks are to be, and from which end.

    `seconds` is how long a partition of an asset mostly takes, where that is known; `slots` is how many are made at a
    time. `most` limits the partitions of one asset. The oldest come first, or with `newest_first` the newest.

    >>> ChunkRequest().slots
    1
    """

    seconds: Mapping[AssetKey, float] = field(default_factory=dict)
    slots: int = 1
    most: int | None = None
    newest_first: bool = False
    length: float = LENGTH


def next_chunk(graph: AssetGraph, left: Wants, off: Wants, numbering: Numbering, request: ChunkRequest) -> Wants:
    """Return what of what is `left` is to be made next; nothing where all of it has to wait.

    `off` is what of it cannot be made now, because others are making it or it failed: what is made from that waits as
    well. A chunk takes a piece of time through all assets, so large that it takes about as long as it should; assets
    whose partitions have no time take some keys, and those without partitions come when what they are made from is
    made. As long as nothing is known of how long anything takes it is the least that there is.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> from assetry.types.assets import Asset
    >>> days = DailyPartitionsDefinition("2026-01-01")
    >>> made = [Asset(key=key, kind="x", deps=deps, partitions_def=days) for key, deps in (("a", []), ("b", ["a"]))]
    >>> graph = AssetGraph.of(made)
    >>> left = dict.fromkeys(graph.keys, days.parts_of([f"2026-01-{day:02}" for day in range(1, 31)]))
    >>> request = ChunkRequest(seconds={AssetKey("a"): 50, AssetKey("b"): 10})
    >>> {str(key): parts.text(days) for key, parts in next_chunk(graph, left, {}, Numbering(graph), request).items()}
    {'a': '2026-01-01..2026-01-10', 'b': '2026-01-01..2026-01-10'}
    """
    # What reads its own past goes from the oldest on, whatever is asked for; and what must be whole is.
    others = (replace(request, newest_first=False), replace(request, newest_first=False, most=None))
    for each in (request, *others):
        found = _Chunks(graph, left, off, numbering, each).next()
        if found:
            return found
    return {}


class _Chunks:
    """The chunks of what is left, by where they are cut."""

    def __init__(self, graph: AssetGraph, left: Wants, off: Wants, numbering: Numbering, request: ChunkRequest) -> None:
        self._graph = graph
        self._left = left
        self._numbering = numbering
        self._request = request
        #: The moments between which windows lie that can be made now.
        self._between: tuple[datetime, datetime] | None = None
        self._all = {key: parts or WHOLE for key, parts in left.items()}
        gone = {key: parts or WHOLE for key, parts in off.items()}
        self._open = self._whole({key: parts - gone.get(key, NOTHING) for key, parts in self._all.items()})
        self._windows = {key: windows for key in left if (windows := self._time(key)) is not None}
        known = [each for key, each in request.seconds.items() if key in left]
        #: What an asset is taken to need of which nothing is known; None while that is so of all.
        self._guess = max(known) if known else None

    def _time(self, key: AssetKey) -> TimeWindowPartitionsDefinition | None:
        definition = self._numbering.definition(key)
        return None if definition is None or self._left[key] is None else time_of(definition)

    def next(self) -> Wants:
        if not self._open:
            return {}
        if not self._windows:
            return self._by_count(None)
        cuts = self._cuts()
        # The least that can go at all, and then as much more as fits.
        first = _least(0, cuts, lambda place: bool(self._whole(self._until(self._moment(place), None))))
        least = self._whole(self._until(self._moment(first), None))
        if not self._fits(least):
            return self._by_count(self._moment(first))
        last = _least(first, cuts, lambda place: not self._fits(self._until(self._moment(place), None)))
        while last > first and not self._fits(self._until(self._moment(last), None)):
            last -= 1
        return self._wants(self._whole(self._until(self._moment(max(last, first)), None)))

    def _by_count(self, moment: datetime | None) -> Wants:
        """Return a chunk that is cut by how many partitions of each asset it has, up to a moment where time counts."""
        longest = max((len(parts) for parts in self._until(moment, None).values()), default=1)
        first = _least(1, longest, lambda count: bool(self._whole(self._until(moment, count))))
        last = _least(first, longest, lambda count: not self._fits(self._until(moment, count)))
        while last > first and not self._fits(self._until(moment, last)):
            last -= 1
        return self._wants(self._whole(self._until(moment, last)))

    # -- where it can be cut -------------------------------------------------------------------------------------

    def _cuts(self) -> int:
        """Return how many seconds lie between the first window that can be made and the last."""
        ends = []
        for key, windows in self._windows.items():
            for _, first, stop in self._open.get(key, NOTHING).spans():
                # In UTC: two moments of one zone are compared by their wall clocks.
                ends += [each.astimezone(UTC) for each in (windows.window_of(first)[0], windows.window_of(stop - 1)[1])]
        if not ends:
            return 0
        self._between = min(ends), max(ends)
        return int((self._between[1] - self._between[0]) / _SECOND) + 1

    def _moment(self, place: int) -> datetime | None:
        if self._between is None:
            return None
        begin, end = self._between
        return end - place * _SECOND if self._request.newest_first else begin + place * _SECOND

    def _until(self, moment: datetime | None, count: int | None) -> dict[AssetKey, Parts]:
        """Return what can be made up to a moment, at most so many partitions of each asset."""
        found: dict[AssetKey, Parts] = {}
        limits = [each for each in (count, self._request.most) if each is not None]
        for key, own in self._open.items():
            parts = own
            windows = self._windows.get(key)
            if windows is not None and moment is not None and parts:
                if self._request.newest_first:
                    parts = parts.within(windows.first_from(moment), None)
                else:
                    parts = parts.within(None, windows.ending_by(moment))
            if self._left[key] is not None:
                for limit in limits:
                    parts = parts.last(limit) if self._request.newest_first else parts.first(limit)
            if parts:
                found[key] = parts
        return found

    def _whole(self, parts: Mapping[AssetKey, Parts]) -> dict[AssetKey, Parts]:
        """Return what of some partitions can be made now: not what is made from others that are left, too."""
        later = {key: rest for key, own in self._all.items() if (rest := own - parts.get(key, NOTHING))}
        waits = dependents(self._graph, self._left, later, self._numbering)
        found = {key: own - (waits[key] or WHOLE) if key in waits else own for key, own in parts.items()}
        return {key: own for key, own in found.items() if own}

    # -- how much it is ------------------------------------------------------------------------------------------

    def _fits(self, parts: Mapping[AssetKey, Parts]) -> bool:
        """Tell whether some partitions take no longer than a chunk should."""
        if sum(map(len, parts.values())) > MOST:
            return False
        if self._guess is None:
            return False
        known = self._request.seconds
        seconds = sum(len(own) * known.get(key, self._guess) for key, own in parts.items())
        return seconds / max(self._request.slots, 1) <= self._request.length

    def _wants(self, parts: Mapping[AssetKey, Parts]) -> Wants:
        return {key: None if self._left[key] is None else own for key, own in parts.items()}


def _least(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Return the least number from `low` to `high` for which something holds that holds for all greater ones.

    `high` where it holds for none.

    >>> _least(0, 100, lambda number: number * number > 50)
    8
    """
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def middle_of(seconds: Mapping[AssetKey, Sequence[float]]) -> dict[AssetKey, float]:
    """Return how long each asset mostly takes.

    >>> middle_of({AssetKey("a"): (1.0, 9.0, 2.0), AssetKey("b"): ()})
    {AssetKey('a'): 2.0}
    """
    from statistics import median  # every command reads this module, and few look at chunks

    return {key: median(each) for key, each in seconds.items() if each}
