"""The orphans of a project: what its store has records of, and nothing defines any more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from assetry.errors import AssetryError, UsageError, near_names
from assetry.project.upkeep.state import State
from assetry.status.changes.orphans import Orphan, Outside, is_view, orphans
from assetry.status.staleness import Status
from assetry.types.assets import Relation
from assetry.types.keys import AssetKey
from assetry.types.records import Latest

_NO_MORE = "not among its partitions any more"
_UNDIVIDED = "it has no partitions any more"
_AS_WHOLE = "it was made as a whole, before it had partitions"
_LISTED = "`assetry prune` lists what nothing defines any more."


def chosen(project: State, found: tuple[Orphan, ...], names: Iterable[str]) -> tuple[Orphan, ...]:
    """Return those of some orphans that are named, all without names.

    Raises `UsageError`, with near names, for a name that is of no orphan.
    """
    names = list(names)
    if not names:
        return found
    keys = {key for name in names for key in _meant(project, name, found)}
    return tuple(each for each in found if each.key in keys)


def gone_assets(project: State) -> frozenset[AssetKey]:
    """Return the assets that something is recorded of, and that nothing defines any more."""
    return project.store.recorded() - frozenset(project.graph.keys)


def orphans_of(project: State) -> tuple[Orphan, ...]:
    """Return the orphans of a project, by key."""
    graph, store = project.graph, project.store
    gone = gone_assets(project)
    # All of those without partitions: what was made from what, and partitions of before.
    known = store.latest([asset.key for asset in graph.assets if asset.partitions_def is None])
    outside = [*_undivided(known), *_others(project.status())]
    records = {place: made for place, made in known.items() if place[1] is not None}
    records.update(store.latest(gone))
    for each in outside:
        if graph[each.key].partitions_def is not None:
            records.update(store.latest([each.key], each.partitions))
    standing = [made for (_, partition), made in known.items() if partition is None]
    if any(is_view(made) for made in records.values()):
        standing += store.latest([asset.key for asset in graph.assets if asset.partitions_def is not None]).values()
    return orphans(graph, gone, outside, records, _tables(project), standing)


def _undivided(known: Latest) -> Iterator[Outside]:
    """Yield the partitions of assets that have none now."""
    parts: dict[AssetKey, list[str | None]] = {}
    for key, partition in known:
        if partition is not None:
            parts.setdefault(key, []).append(partition)
    for key, each in parts.items():
        yield Outside(key, tuple(sorted(filter(None, each))), _UNDIVIDED)


def _others(statuses: Iterable[Status]) -> Iterator[Outside]:
    """Yield the partitions of assets that have others now, and what was made before there were any."""
    for status in statuses:
        sets = status.partitions
        if sets is None:
            continue
        keys = tuple(sorted((*sets.definition.keys_of(sets.orphan), *sets.unknown)))
        if keys:
            yield Outside(status.key, keys, _NO_MORE)
        if sets.whole:
            yield Outside(status.key, (None,), _AS_WHOLE)


def _tables(project: State) -> Iterator[tuple[AssetKey, Relation]]:
    """Yield the table of each asset that is defined, under each of its names."""
    values = project.values
    graph = project.graph
    for i, key in enumerate(graph.keys):
        for asset in graph.definitions(i):
            if asset.relation is None and not asset.kept:
                continue
            relation: Relation | None = asset.relation or Relation(None, None, key.name)
            with suppress(AssetryError):  # of a place that cannot be asked, its name alone has to do
                relation = values.relation(asset)
            if relation is not None:
                yield key, relation


def _meant(project: State, name: str, found: Sequence[Orphan]) -> tuple[AssetKey, ...]:
    """Return the orphan that a key, or the last part of one, means."""
    keys = {each.key for each in found}
    if name in keys:
        return (AssetKey(name),)
    ends = sorted(key for key in keys if key.name == name)
    if len(ends) > 1:
        raise UsageError(f"{name!r} is the end of several keys.", near=ends, hint="Give the whole key.")
    if ends:
        return (ends[0],)
    said = f"{name!r} is no orphan{_why_not(project, name)}."
    raise UsageError(said, near=near_names(name, map(str, keys)), hint=_LISTED)


def _why_not(project: State, name: str) -> str:
    with suppress(AssetryError):
        asset = project.graph[project.graph.find(name)]
        return f": {asset.source} defines it" if asset.source else ": it is defined"
    return ""
