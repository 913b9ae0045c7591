"""Orphans: what is recorded, and nothing defines any more. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from assetry.graph.graph import AssetGraph
from assetry.types.assets import Relation
from assetry.types.keys import AssetKey
from assetry.types.records import Latest, Materialization, Origin

_RECORDED_ONLY = "nothing recorded says that it was made here"
_EARLIER = "it was made before records told what made it, and where it is"
_LIVING_WHOLE = "what has partitions now may be in its place"


@dataclass(frozen=True, slots=True)
class Orphan:
    """What is recorded of an asset, or of partitions of one, that nothing defines any more.

    `partitions` are those that are no more, where the asset itself is still there; None among them stands for what was
    made of it as a whole. They are None for an asset that is gone, with all that is recorded of it. `records` are the
    last ones, the newest first. `refused` says why what was made must not be deleted: only its record can be forgotten.

    >>> Orphan(AssetKey("shop/old"), "nothing defines it any more").origins
    ()
    """

    key: AssetKey
    because: str
    records: tuple[Materialization, ...] = ()
    partitions: tuple[str | None, ...] | None = None
    refused: str | None = None

    @property
    def last_made(self) -> datetime | None:
        """Return when anything of it was last made, or seen; None when it never was."""
        return self.records[0].at if self.records else None

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Return what made it and where it is, the newest first; several when it was moved."""
        return tuple(dict.fromkeys(each.origin for each in self.records if each.origin is not None))

    def total(self, name: str) -> int | None:
        """Return how many rows, or bytes, it has as far as its records say; None when they do not.

        Of a whole and partitions, the newer ones count.
        """
        newest = self.records[0].partition is None if self.records else True
        of = [each.metadata.get(name) for each in self.records if (each.partition is None) is newest]
        known = [each for each in of if isinstance(each, int) and not isinstance(each, bool)]
        return sum(known) if known and len(known) == len(of) else None


@dataclass(frozen=True, slots=True)
class Outside:
    """Partitions that an asset does not have any more, and why; None among them stands for its whole."""

    key: AssetKey
    partitions: tuple[str | None, ...]
    because: str


def orphans(
    graph: AssetGraph,
    gone: Iterable[AssetKey],
    outside: Iterable[Outside],
    records: Latest,
    living: Iterable[tuple[AssetKey, Relation]] = (),
    standing: Iterable[Materialization] = (),
) -> tuple[Orphan, ...]:
    """Return the orphans, by key.

    `gone` are assets that something is recorded of, and `outside` partitions; `records` are the last ones of these.
    `living` are the tables that definitions have now, `standing` the last records of assets that are defined.
    """
    of: dict[AssetKey, list[Materialization]] = defaultdict(list)
    for made in records.values():
        of[made.key].append(made)
    tables = _by_name(living)
    readers = _readers(standing)
    found = []
    for key in gone:
        mine = tuple(sorted(of[key], key=lambda each: each.at, reverse=True))
        refused = _unknown(mine) or _is_table_of(mine, tables) or _is_read(mine, readers.get(key, ()), graph)
        found.append(Orphan(key, _why_gone(graph, key), mine, refused=refused))
    for each in outside:
        parts = set(each.partitions)
        some = (made for made in of[each.key] if made.partition in parts)
        mine = tuple(sorted(some, key=lambda made: made.at, reverse=True))
        refused = _LIVING_WHOLE if None in parts else _unknown(mine)
        found.append(Orphan(each.key, each.because, mine, each.partitions, refused))
    return tuple(sorted(found, key=lambda each: each.key))


def deletion_order(found: Sequence[Orphan]) -> list[Orphan]:
    """Return orphans so that what was made from another comes before it: a view before the table that it reads."""
    readers = readers_among(found)
    whole = {each.key: each for each in found if each.partitions is None}
    order: dict[AssetKey, Orphan] = {}
    entered: set[AssetKey] = set()
    waiting = [(each, False) for each in reversed(found) if each.partitions is None]
    while waiting:
        each, read = waiting.pop()
        if read:
            order[each.key] = each
        elif each.key not in entered:  # those that read each other, as records of different times say, end here
            entered.add(each.key)
            waiting.append((each, True))
            waiting += [(whole[key], False) for key in readers.get(each.key, ())]
    return [*order.values(), *(each for each in found if each.partitions is not None)]


def readers_among(found: Iterable[Orphan]) -> Mapping[AssetKey, tuple[AssetKey, ...]]:
    """Return for each asset which orphans are views that were made from it."""
    views = (made for each in found if each.partitions is None for made in each.records[:1] if is_view(made))
    return {key: tuple(sorted({made.key for made in them})) for key, them in _readers(views).items()}


def is_view(made: Materialization) -> bool:
    """Tell whether what was made is computed on read."""
    return made.origin is not None and made.origin.view


def _readers(records: Iterable[Materialization]) -> dict[AssetKey, list[Materialization]]:
    readers: dict[AssetKey, list[Materialization]] = defaultdict(list)
    for made in records:
        for key in made.inputs:
            if key != made.key:
                readers[key].append(made)
    return readers


def _why_gone(graph: AssetGraph, key: AssetKey) -> str:
    if key in graph:
        return f"it is {graph[key].key} now"
    if any(each.key == key for each in graph.inlined):
        return "it is part of what reads it now"
    return "nothing defines it any more"


def _unknown(records: Sequence[Materialization]) -> str | None:
    if not records or any(each.origin is not None for each in records):
        return None
    made = any(each.code_version or each.inputs or each.seconds is not None for each in records)
    return _EARLIER if made else _RECORDED_ONLY


def _by_name(living: Iterable[tuple[AssetKey, Relation]]) -> Mapping[str, list[tuple[AssetKey, Relation]]]:
    tables: dict[str, list[tuple[AssetKey, Relation]]] = defaultdict(list)
    for key, relation in living:
        tables[relation.identifier.casefold()].append((key, relation))
    return tables


def _is_table_of(
    records: Sequence[Materialization], tables: Mapping[str, list[tuple[AssetKey, Relation]]]
) -> str | None:
    """Return what an asset is now that is defined, where any of its tables may be that one's."""
    for made in records:
        table = None if made.origin is None else made.origin.relation
        if table is not None:
            # Not even where the places seem to differ: one database has many addresses.
            for key, relation in tables.get(table.identifier.casefold(), ()):
                if table.fits(relation):
                    return f"{table} is the table of {key} now"
    return None


def _is_read(records: Sequence[Materialization], readers: Iterable[Materialization], graph: AssetGraph) -> str | None:
    """Return what stands on it: a view that was made from it; on a view, whatever was made from that."""
    view = any(is_view(made) for made in records[:1])
    for made in readers:
        if view:
            return f"it is a view, and {made.key} was made from it and not anew since"
        if is_view(made) or (made.origin is None and graph[made.key].computed_on_read):
            return f"{made.key}, a view, was made from it and not anew since"
    return None
