"""What records say of the values of assets, and of how assets are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.io.values import ValueRouter
from assetry.status.freshness.freshness import needed_durations
from assetry.status.looked import kept_values
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.status.staleness import Judgement, judge
from assetry.store.partitions.cache import CachedPartitions, PartitionCache
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import Attempt

_Place = tuple[AssetKey, str | None]


class RecordedValues:
    """What records say of values: where each went, and whether it was made; those that are `lasting` outlive us."""

    def __init__(self, store: Callable[[], Store], lasting: bool) -> None:
        self._store = store
        self._lasting = lasting
        #: The partitions that are known to be made: none of them is ever unmade.
        self._made: dict[AssetKey, frozenset[str | None]] = {}

    def metadata(self, key: AssetKey, partitions: Sequence[str | None]) -> Mapping[str | None, Mapping[str, Any]]:
        """Return the metadata of the last record of each of some partitions, of an asset as a whole that of None."""
        latest = self._store().latest([key], partitions)
        return {each: made.metadata for each in partitions if (made := latest.get((key, each))) is not None}

    def was_made(self, key: AssetKey, partition: str) -> bool:
        """Tell whether a partition was made, by itself or with the whole, as far as records can tell."""
        if partition not in self._made.get(key, ()):
            self._made[key] = frozenset(part for _, part in self._store().latest([key]))
        made = self._made[key]
        if made == {None} or (not made and not self._lasting):
            return True  # a tool tells no partitions apart; or what an earlier process made was not recorded
        return partition in made


def recorded_judgement(
    graph: AssetGraph,
    store: Store,
    values: ValueRouter,
    cache: PartitionCache,
    now: datetime,
    newer_than: Mapping[AssetKey, datetime],
    hint: Callable[[Asset, Attempt], str | None],
) -> Judgement:
    """Return how every asset of a graph is, as far as records and what is at hand can tell; see `judge`.

    `hint` tells the next step after a failure, as it is known now.
    """
    parted = [asset.key for asset in graph.assets if asset.partitions_def is not None]
    latest = store.latest(set(graph.keys).difference(parted) if parted else None)
    held = {each.key: each.run for each in store.leases()}
    attempts = dict(store.attempts(made=False))
    for run in dict.fromkeys(held.values()):
        attempts |= store.run_attempts(run)
    attempts |= _told_anew(graph, attempts, hint)
    kept = kept_values(graph, latest)
    seen = values.exists(kept, at_hand=True)[0] if kept else {}

    needed, looks = needed_durations(graph, newer_than), store.looks()
    durations = store.durations(needed) if needed else {}

    def judged(recorded: CachedPartitions | None) -> Judgement:
        return judge(
            *(graph, latest, attempts),
            running=held,
            now=now,
            seen=seen,
            recorded=recorded,
            looks=looks,
            durations=durations,
            newer_than=newer_than,
        )

    if not parted:
        return judged(None)
    with cache.read(parted, store, lambda *each: _there(values, *each)) as recorded:
        return judged(recorded)


def _told_anew(
    graph: AssetGraph, attempts: Mapping[_Place, Attempt], hint: Callable[[Asset, Attempt], str | None]
) -> Mapping[_Place, Attempt]:
    """Return those of failed attempts whose next step is another one by now."""
    failed = (
        item for item in attempts.items() if item[1].outcome in ("failed", "check_failed") and item[0][0] in graph
    )
    told = {place: each for place, each in failed if each.hint is not None}
    now = {place: hint(graph[place[0]], each) for place, each in told.items()}
    return {place: replace(each, hint=now[place]) for place, each in told.items() if each.hint != now[place]}


def _there(values: ValueRouter, asset: Asset, recorded: RecordedPartitions) -> Mapping[str | None, bool]:
    """Return which partitions of an asset are there, where that is known at once."""
    if not asset.kept:
        return {}
    kept = [
        (asset, key, {"io": place})
        for place, parts in recorded.by_place.items()
        if values.at_hand(asset, {"io": place})
        for key in recorded.definition.keys_of(parts)
    ]
    found = values.exists(kept, at_hand=True)[0] if kept else {}
    return {partition: there for (_, partition), there in found.items()}
