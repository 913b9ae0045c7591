"""What records say of the values of assets, and of how assets are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from assetry.gc_pause import paused_gc
from assetry.graph.graph import AssetGraph
from assetry.io.values import ValueRouter
from assetry.status.freshness.freshness import Durations, needed_durations
from assetry.status.looked import kept_values
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.status.staleness import Judgement, judge
from assetry.status.times import time_text
from assetry.store.partitions.cache import CachedPartitions, PartitionCache
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import FAILED, Attempt, Latest

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


def told_of_gone(store: Store, name: str) -> str | None:
    """Return what records tell of an asset that nothing defines, by its key or the end of that; None for nothing."""
    parts = tuple(name.split("/"))
    found = [key for key in store.recorded() if key.parts[-len(parts) :] == parts]
    latest = store.latest(found).values() if len(found) == 1 else ()
    made = max(latest, key=lambda each: each.at, default=None)
    if made is None:
        return None
    origin = made.origin
    by = f" by integration {origin.integration!r}" if origin is not None and origin.integration is not None else ""
    told = f"{made.key} was made{by} until {time_text(made.at)}, and is not defined there any more"
    return f"{told}: let it be defined again, or leave it out."


class Sources(NamedTuple):
    """Where it is told how assets are: records, values, what is kept of partitions between commands.

    `hint` tells the next step after a failure, as it is known now.
    """

    store: Store
    values: ValueRouter
    cache: PartitionCache
    hint: Callable[[Asset, Attempt], str | None]


class _Known(NamedTuple):
    """What is known of the records of a store at a revision, for the next judgement by them.

    `latest` are those of assets of which any is new since what was known before, `kept` are the values that assetry
    keeps, and `durations` how long assets took of late, of those that are `timed`. `parted` are those with partitions,
    `needed` those whose durations policies have to know.
    """

    store: Store
    revision: str
    parted: Sequence[AssetKey]
    needed: frozenset[AssetKey]
    latest: Latest
    kept: Mapping[tuple[AssetKey, str | None], tuple[Asset, str | None, Mapping[str, Any]]]
    durations: Durations
    timed: frozenset[AssetKey]


def _all_known(graph: AssetGraph, store: Store) -> _Known:
    parted = [asset.key for asset in graph.assets if asset.partitions_def is not None]
    changes = store.changes(())  # before the records: what comes in between is read again next time
    assert changes is not None, "a store knows of all that it has"
    latest = store.latest(set(graph.keys).difference(parted) if parted else None)
    kept = {(asset.key, part): (asset, part, told) for asset, part, told in kept_values(graph, latest)}
    needed = frozenset(needed_durations(graph))
    return _Known(store, changes.revision, parted, needed, latest, kept, {}, frozenset())


def _known_since(graph: AssetGraph, store: Store, before: Judgement) -> _Known | None:
    """Return what is known now, with what is new since a judgement; None where that is of something else, or cannot
    be told."""
    known = before.source
    if not isinstance(known, _Known) or known.store is not store or not before.is_of(graph):
        return None
    changes = store.changes(None, known.revision)
    if changes is None:
        return None
    new = {key for key, _ in changes.latest}
    whole = new.difference(known.parted)
    # All records of an asset are judged together.
    several = {key for key, part in changes.latest if part is not None or before.had_partitions(key)} & whole
    latest = {place: made for place, made in changes.latest.items() if place[0] in whole - several}
    latest |= store.latest(several) if several else {}
    kept = known.kept
    if new and (kept or any("io" in made.metadata for made in latest.values())):
        kept = {place: each for place, each in kept.items() if place[0] not in whole}
        kept |= {(asset.key, part): (asset, part, told) for asset, part, told in kept_values(graph, latest)}
    durations = {key: each for key, each in known.durations.items() if key not in new} if new else known.durations
    return known._replace(
        revision=changes.revision, latest=latest, kept=kept, durations=durations, timed=known.timed - new
    )


@paused_gc()  # once for all that is read and judged
def recorded_judgement(
    graph: AssetGraph,
    told: Sources,
    now: datetime,
    newer_than: Mapping[AssetKey, datetime],
    before: Judgement | None = None,
) -> Judgement:
    """Return how every asset of a graph is, as far as records and what is at hand can tell; see `judge`.

    It goes on from a judgement of `before` where that is of the same graph and store.
    """
    store, values, cache, hint = told
    known = None if before is None else _known_since(graph, store, before)
    if known is None:
        known, before = _all_known(graph, store), None
    held = {each.key: each.run for each in store.leases()}
    attempts = dict(store.attempts(made=False))
    for run in dict.fromkeys(held.values()):
        attempts |= store.run_attempts(run)
    attempts |= _told_anew(graph, attempts, hint)
    seen = values.exists([*known.kept.values()], at_hand=True)[0] if known.kept else {}

    needed, looks = known.needed, store.looks()
    if newer_than:
        needed = needed.union(needed_durations(graph, newer_than))
    lacking = needed - known.timed
    if lacking:
        durations = {**known.durations, **store.durations(lacking)}
        known = known._replace(durations=durations, timed=known.timed | lacking)

    def judged(recorded: CachedPartitions | None) -> Judgement:
        found = judge(
            *(graph, known.latest, attempts),
            running=held,
            now=now,
            seen=seen,
            recorded=recorded,
            looks=looks,
            durations=known.durations,
            newer_than=newer_than,
            before=before,
        )
        return replace(found, source=known._replace(latest={}))

    if not known.parted:
        return judged(None)
    with cache.read(known.parted, store, lambda *each: _there(values, *each)) as recorded:
        return judged(recorded)


def _told_anew(
    graph: AssetGraph, attempts: Mapping[_Place, Attempt], hint: Callable[[Asset, Attempt], str | None]
) -> Mapping[_Place, Attempt]:
    """Return those of failed attempts whose next step is another one by now."""
    found = {}
    for place, each in attempts.items():
        if each.hint is not None and each.outcome in FAILED and place[0] in graph:
            now = hint(graph[place[0]], each)
            if now != each.hint:
                found[place] = replace(each, hint=now)
    return found


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
