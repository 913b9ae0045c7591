"""How far the data of assets reaches: the moment in the world outside up to which nothing is missing in it. Pure.

What was made here reaches as far as what it was made from: as that does now, while it is up to date with it, for a sync
that moved nothing says of all that is below it that it is as it would be now; else as that did then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.graph.overlay import ByNumber, NumberedOverlay
from assetry.status.freshness.growth import Growth
from assetry.status.looked import as_of
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Looks, Materialization


def is_only_used(asset: Asset) -> bool:
    """Tell whether an asset is only used, as a dashboard is: nothing makes it, and it shows what it reads.

    >>> is_only_used(Asset(key="dashboard", kind="x", executable=False, consumer=True))
    True
    """
    return asset.consumer and not asset.executable


class DataTime(NamedTuple):
    """How far the data of an asset reaches: None where nothing is known of it.

    `blind` says that nothing is known of something that is read by reading it, so that it may be older. `soon` is how
    far it will reach once all that is made here is up to date.

    >>> DataTime().at is None
    True
    """

    at: datetime | None = None
    blind: bool = True
    soon: datetime | None = None


@dataclass(slots=True)
class Newest:
    """How far the data of those partitions reaches that tell of an asset with partitions.

    Of time these are the newest of each strand, and what is missing there: `missing` is since when. `behind` is the
    earliest moment that any of them reaches which is out of date with what it is made from; `fresh` the earliest of the
    others, and `complete` says that each of these was made when all of its time was over.
    """

    missing: datetime | None = None
    behind: datetime | None = None
    fresh: datetime | None = None
    complete: bool = False


class DataTimesByKey(Mapping[AssetKey, "datetime | None"]):
    """How far the data of assets reaches, by key, found when it is asked for; None where nothing is known of it."""

    def __init__(self, graph: AssetGraph, times: DataTimes) -> None:
        self._graph = graph
        self._times = times

    def __getitem__(self, key: AssetKey) -> datetime | None:
        return self._times.of(self._graph.index(key)).at

    def __iter__(self) -> Iterator[AssetKey]:
        return iter(self._graph.keys)

    def __len__(self) -> int:
        return len(self._graph)


class DataTimes:
    """How far the data of the assets of a graph reaches, looked up when it is asked for.

    `last` has the last record of each asset, by number; `behind` says whether it is out of date with what it is made
    from, `flawed` whether it is out of date at all, or something above it is. They may be filled in graph order, and an
    asset be asked for once all above it are there. `newest` is of assets that have partitions.
    """

    def __init__(
        self,
        graph: AssetGraph,
        growth: Growth,
        now: datetime,
        looks: Looks,
        last: ByNumber[Materialization | None],
        flawed: ByNumber[bool],
        behind: ByNumber[bool] | None = None,
    ) -> None:
        self._graph = graph
        self._growth = growth
        self._now = now
        self._looks = looks
        self._last = last
        self.flawed = flawed
        self.behind: ByNumber[bool] = [False] * len(graph) if behind is None else NumberedOverlay(behind)
        self.newest: dict[int, Callable[[], Newest]] = {}
        #: The same where what is due counts as behind, and whether any partition is missing that is not to wait.
        self.later: dict[int, tuple[Callable[[], Newest], bool]] = {}
        self._found: dict[int, DataTime] = {}

    def of(self, i: int) -> DataTime:
        """Return how far the data of an asset reaches."""
        stack = [i]
        while stack:
            top = stack[-1]
            above = () if top in self._found else [j for j in self._graph.upstream[top] if j not in self._found]
            if above:
                stack += above
                continue
            stack.pop()
            if top not in self._found:
                self._found[top] = self._of(top, self._graph.assets[top])
        return self._found[i]

    def aged(self, i: int) -> datetime | None:
        """Return from when the age of an asset counts: when it was made, of what is only seen what its data reaches."""
        asset, made = self._graph.assets[i], self._last[i]
        if not asset.executable:
            return self.of(i).at
        return made.at if made is not None and (made.partition is None) == (asset.partitions_def is None) else None

    def together(self, numbers: Iterable[int]) -> DataTime:
        """Return how far what is read of several assets reaches: as far as all of them do."""
        found = [self.of(j) for j in numbers]
        return DataTime(
            _earliest(each.at for each in found),
            any(each.blind for each in found),
            _earliest(each.soon for each in found),
        )

    def _of(self, i: int, asset: Asset) -> DataTime:
        above = self._graph.upstream[i]
        if asset.computed_on_read or is_only_used(asset):
            return self.together(above) if above else DataTime()
        if not asset.executable:
            return self._of_others(i, asset)
        at, blind = self._reached(i, asset)
        soon = at
        if at is None or self.flawed[i]:
            # What nothing is known of is read as it then is.
            soon = (self.together(above).soon if above else None) or self._now
            if i in self.later:
                soon = self._partitions_soon(i, soon)
        return DataTime(at, blind, soon)

    def _of_others(self, i: int, asset: Asset) -> DataTime:
        """Return how far the data of an asset reaches that nothing here makes, as far as it was seen."""
        made, newest = self._last[i], self.newest[i]() if i in self.newest else None
        if asset.grows == "never":
            return DataTime(self._now, False, self._now)
        if newest is not None and newest.fresh is not None:
            at = min(newest.fresh, self._now)
        elif made is None:
            return DataTime()
        else:
            at = self._as_seen(made)
        return DataTime(at, False, at)

    def _as_seen(self, made: Materialization) -> datetime:
        """Return how far the data of a record reaches, as far as it was seen since."""
        look = self._looks.get((made.key, made.partition))
        same = look is not None and look.data_version == made.data_version
        found = max(as_of(made), look.as_of) if look is not None and same else as_of(made)
        return min(found, self._now)

    def _reached(self, i: int, asset: Asset) -> tuple[datetime | None, bool]:
        """Return how far an asset that is made here reaches, and whether nothing is known of that."""
        if asset.partitions_def is not None:
            at = self._of_partitions(i)
            return at, at is None
        made = self._last[i]
        if made is None or made.partition is not None:
            return None, True  # what partitions were says nothing of a whole
        if self.behind[i] or (asset.grows == "never" and self.flawed[i]):
            return min(as_of(made), self._now), False
        if asset.grows == "never":
            return self._now, False
        own, above = self._as_seen(made), self._graph.upstream[i]
        read = self.together(above) if above else DataTime()
        told = "data_time" in made.metadata or own > as_of(made)
        return (own if read.at is None else min(read.at, own) if read.blind or told else read.at), False

    def _of_partitions(self, i: int) -> datetime | None:
        if i not in self.newest:
            return None
        newest = self.newest[i]()
        found = [newest.missing, newest.behind]
        if newest.fresh is not None:
            read = self._read_by_newest(i, newest)
            found += [read.at, newest.fresh if read.blind and not newest.complete else None]
            found += [self._now]
        return _earliest(found)

    def _partitions_soon(self, i: int, made: datetime) -> datetime:
        """Return how far partitions reach once those are made that are due, and reach as far as those `made`."""
        later, missing = self.later[i]
        newest = later()
        found = [made if missing or newest.missing or newest.behind or newest.fresh is None else self._now]
        if newest.fresh is not None:
            read = self._read_by_newest(i, newest)
            found += [read.soon or self._now, newest.fresh if read.blind and not newest.complete else self._now]
        return min(found)

    def _read_by_newest(self, i: int, newest: Newest) -> DataTime:
        """Return how far what the newest partitions read reaches, that may be newer than they are."""
        asset, above = self._graph.assets[i], self._graph.upstream[i]
        if newest.complete:
            # Nothing can come any more into what grows, nor into partitions of the same time.
            grown = self._growth.read(asset)
            above = tuple(j for j in above if self._is_whole(j) and self._graph.keys[j] not in grown)
        return self.together(above) if above else DataTime(blind=not newest.complete)

    def _is_whole(self, j: int) -> bool:
        return self._graph.assets[j].partitions_def is None


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)
