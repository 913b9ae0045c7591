"""How far what a run reads reaches, as it makes one thing from another: what each record is to say of that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from assetry.graph.graph import AssetGraph
from assetry.partitions.recorded import numbered, time_of
from assetry.status.freshness.growth import Growth
from assetry.status.looked import as_of, began
from assetry.status.versions import Versions
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Appended, Latest, Materialization

#: By asset: how far its data reached when the run was planned; None where nothing was known of that.
KnownTimes = Mapping[AssetKey, datetime | None]


class ReadTimes:
    """How far the data of assets reaches, for what is made from them.

    `latest` are the records of before, and `known` is how far these assets reached, which may be further: what was not
    made again because nothing had come is as good as its inputs. `versions` say which partitions are read.

    >>> from datetime import UTC
    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> times = ReadTimes(graph, {}, Versions(graph, {}), {AssetKey("a"): datetime(2026, 1, 1, tzinfo=UTC)})
    >>> times.as_of(graph["b"], None, datetime(2026, 1, 2, tzinfo=UTC)).day
    1
    """

    def __init__(self, graph: AssetGraph, latest: Latest, versions: Versions, known: KnownTimes | None = None) -> None:
        self._graph = graph
        self._latest = latest
        self._versions = versions
        self._known = known or {}
        #: What was made since, by asset and partition.
        self._made: dict[AssetKey, dict[str | None, datetime]] = {}
        self._growth = Growth(graph, latest)

    def as_of(self, asset: Asset, partition: str | None, since: datetime) -> datetime:
        """Return the moment that the data of what was made reaches: as far as all inputs do of which that is known.

        `since` is when its making began, or what its tool says that it reaches.
        """
        return min((since, *(at for at in self._of_inputs(asset, partition, since) if at is not None)))

    def appended(self, asset: Asset) -> dict[AssetKey, Appended]:
        """Return how far inputs reach that grow by appending, and in which epochs they are."""
        return {key: Appended(self._of(key), self._growth.epoch(key)) for key in self._growth.read(asset)}

    def epoch(self, asset: Asset, code: str | None, version: str, told: str | None, *, anew: bool) -> str | None:
        """Return in which epoch an asset is that was made, `anew` in full or not; None where that is no matter."""
        if asset.computed_on_read or not self._growth.has_epochs(asset.key):
            return None
        return self._growth.next_epoch(asset, code, version, told, anew=anew)

    def seen_epoch(self, asset: Asset, told: str | None) -> str | None:
        """Return in which epoch an asset is that was only looked at; None where that is no matter."""
        return self._growth.seen_epoch(asset, told) if self._growth.has_epochs(asset.key) else None

    def settled(self, asset: Asset, made: Materialization) -> frozenset[AssetKey]:
        """Return the inputs that grow of which a partition, once made, lacks nothing: they had reached beyond its time.

        That holds until what was there then is made anew.
        """
        grown = [key for key in self._growth.read(asset) if key in made.appended]
        times = [made.appended[key].as_of for key in grown]
        windows = None if asset.partitions_def is None else time_of(asset.partitions_def)
        if not grown or windows is None or asset.partitions_def is None or made.partition is None:
            return frozenset()
        place = numbered(asset.partitions_def, [made.partition]).places.get(made.partition)
        reached = min((began(made) if at is None else at for at in times), default=began(made))
        if place is None or reached < windows.settles_at(place[1]):
            return frozenset()
        return frozenset(key for key in grown if made.appended[key].epoch == self._growth.epoch(key))

    def note(self, made: Materialization) -> None:
        """Learn that something was made."""
        self._made.setdefault(made.key, {})[made.partition] = as_of(made)
        self._growth.note(made)

    def note_unchanged(self, asset: Asset, partition: str | None, now: datetime) -> None:
        """Learn that something need not be made: it is as what it is made from now is, as far as that is known."""
        found = list(self._of_inputs(asset, partition, now))
        reached = [at for at in found if at is not None]
        if reached and len(reached) == len(found):
            self._made.setdefault(asset.key, {})[partition] = min(reached)

    def _of_inputs(self, asset: Asset, partition: str | None, now: datetime) -> Iterator[datetime | None]:
        for number, dep in enumerate(asset.deps):
            if dep.key == asset.key:
                continue
            keys = None
            if self._graph[dep.key].partitions_def is not None:
                keys = self._versions.read(asset, number, partition, now)
            yield self._of(dep.key, now) if keys is None else self._of_partitions(dep.key, keys)

    def _of_partitions(self, key: AssetKey, partitions: Iterable[str]) -> datetime | None:
        made = self._made.get(key, {})
        found = []
        for part in partitions:
            before = self._latest.get((key, part))
            if part in made or before is not None:
                found.append(made[part] if before is None or part in made else as_of(before))
        return min(found, default=None)

    def _of(self, key: AssetKey, now: datetime | None = None) -> datetime | None:
        """Return how far all of an asset reaches; of a view what lies behind it; None where nothing is known of it."""
        found: list[datetime | None] = []
        seen, waiting = {key}, [key]
        while waiting:
            asset = self._graph[waiting.pop()]
            if asset.computed_on_read:
                more = [dep.key for dep in asset.deps if dep.key not in seen]
                seen.update(more)
                waiting += more
            else:
                found.append(self._of_table(asset, now))
        return min((at for at in found if at is not None), default=None)

    def _of_table(self, asset: Asset, now: datetime | None) -> datetime | None:
        made = self._made.get(asset.key)
        if asset.partitions_def is not None and made is not None and now is not None:
            return self._of_newest(asset, made, now)
        if made is not None and None in made:
            return made[None]
        if asset.key in self._known:
            return self._known[asset.key]
        before = self._latest.get((asset.key, None))
        return None if before is None else as_of(before)

    def _of_newest(self, asset: Asset, made: Mapping[str | None, datetime], now: datetime) -> datetime | None:
        """Return how far an asset reaches of which partitions were made: as far as its newest ones, all without time.

        Those that were made when all of their time was over keep nothing back.
        """
        definition = asset.partitions_def
        assert definition is not None
        windows = time_of(definition)
        if windows is None:
            keys = {part for key, part in self._latest if key == asset.key and part is not None}
            return self._of_partitions(asset.key, {*keys, *(part for part in made if part is not None)})
        newest = numbered(definition, definition.keys_of(definition.newest(1, now))).places
        found = []
        for part, (_, number) in newest.items():
            at = self._of_partitions(asset.key, [part])
            if at is None:
                return self._known.get(asset.key)
            if at < windows.settles_at(number):
                found.append(at)
        return min(found, default=now)
