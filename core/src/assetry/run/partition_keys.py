"""Keys of partitions that come into being: made known before anything is made of them, and dropped again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from assetry.errors import UsageError, near_names
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import SEPARATOR, PartitionsDefinition, some
from assetry.partitions.key_table import KeyTable
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.recorded import has_dynamic, numbered, with_known
from assetry.plan.numbering import Numbering
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.status.partitions.records import TRIED
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease
from assetry.types.protocols import Store
from assetry.types.records import Attempt, KeysChange, Materialization


def known_keys(graph: AssetGraph, store: Store, keys: Iterable[AssetKey]) -> Mapping[AssetKey, KeyTable]:
    """Return the keys of partitions that a store knows of, of those assets that have partitions."""
    parted = [key for key in keys if graph[key].partitions_def is not None]
    return store.partition_keys(parted) if parted else {}


def known_numbering(graph: AssetGraph, tables: Mapping[AssetKey, KeyTable]) -> Numbering:
    """Return the numbers of a graph's partitions, with the keys that are known."""
    parted = ((key, graph[key].partitions_def) for key in tables)
    return Numbering(graph, {key: with_known(each, tables[key]) for key, each in parted if each is not None})


class PartitionKeys:
    """The keys of partitions that a store knows of, where they come into being.

    Of several dimensions, one of them time, they are those of the strands: what is known is known for all times. Where
    a run adds some, `lease` returns its own.

    >>> from assetry.partitions.definitions import DynamicPartitionsDefinition
    >>> from assetry.store.sqlite import SQLiteStore
    >>> files = Asset(key="files", kind="x", partitions_def=DynamicPartitionsDefinition("file"))
    >>> keys = PartitionKeys(SQLiteStore(":memory:"))
    >>> keys.add(files, ["a.csv", "b.csv"]), keys.add(files, ["a.csv"]), keys.drop(files, ["a.csv"])
    (('a.csv', 'b.csv'), (), ('a.csv',))
    >>> keys.table(files).living
    ('b.csv',)
    """

    def __init__(self, store: Store, lease: Callable[[], Lease | None] = lambda: None) -> None:
        self._store = store
        self._lease = lease
        #: Assets of which all that was made is known to the store under its number.
        self._numbered: dict[AssetKey, KeyTable] = {}

    def add(self, asset: Asset, partitions: Iterable[str]) -> tuple[str, ...]:
        """Make partitions known; return those keys that were not, or not any more.

        Raises `UsageError` for an asset whose partitions do not come into being, and for what cannot be a key of one.
        """
        definition = _dynamic(asset)
        names = list(dict.fromkeys(_entry(definition, key) for key in partitions))
        table = self.table(asset)
        known = () if asset.key in self._numbered else table.keys
        self._store.change_partition_keys(asset.key, known=known, add=names, lease=self._lease())
        self._numbered[asset.key] = _table_of(definition.with_table(table.extended(names)))
        living = set(table.living)
        return tuple(name for name in names if name not in living)

    def drop(self, asset: Asset, partitions: Iterable[str]) -> tuple[str, ...]:
        """Drop partitions: they are none any more, and what was recorded of them stays; return their keys.

        Raises `UsageError`, with near names, for what is no partition, and for one window of time among many.
        """
        definition = _dynamic(asset)
        table = self.table(asset)
        names = list(dict.fromkeys(_dropped_entry(asset, definition, key) for key in partitions))
        living, there = table.living, set(table.living)
        for name in names:
            if table.number(name) is None:
                hint = f"There are {len(living):,}: {some(living)}." if living else "There is none."
                raise UsageError(f"{asset.key} has no partition {name!r}.", near=near_names(name, living), hint=hint)
        known = () if asset.key in self._numbered else table.keys
        self._store.change_partition_keys(asset.key, known=known, drop=names, lease=self._lease())
        self._numbered[asset.key] = table.without(names)
        return tuple(name for name in names if name in there)

    def table(self, asset: Asset) -> KeyTable:
        """Return the keys that are known, by number: those that were added, made or tried."""
        if asset.key in self._numbered:
            return self._numbered[asset.key]
        store, key = self._store, [asset.key]
        known = store.partition_keys(key).get(asset.key)
        return known_table(asset, known, store.latest(key).values(), store.attempts(key, made=False).values())


def known_table(
    asset: Asset, known: KeyTable | None, made: Iterable[Materialization], tried: Iterable[Attempt]
) -> KeyTable:
    """Return the keys of an asset that are known, by number: those that were added, made or tried."""
    found = RecordedPartitions.of(with_known(_dynamic(asset), known), made).definition
    parts = [each.partition for each in tried if each.partition is not None and each.outcome in TRIED]
    return _table_of(numbered(found, parts).definition)


def keys_change(asset: Asset, table: KeyTable, seen: Iterable[str], gone: Iterable[str]) -> KeysChange | None:
    """Return the change that makes known what was seen of an asset, and drops what is gone; None for no change.

    Raises `UsageError` as `PartitionKeys.add` does.
    """
    definition, living = _dynamic(asset), set(table.living)
    add = dict.fromkeys(each for key in seen if (each := _entry(definition, key)) not in living)
    drop = dict.fromkeys(each for key in gone if (each := _entry(definition, key)) in living and each not in add)
    return KeysChange(asset.key, table.keys, tuple(add), tuple(drop)) if add or drop else None


def _table_of(definition: PartitionsDefinition) -> KeyTable:
    table: KeyTable = getattr(definition, "table", KeyTable())
    return table


def _dynamic(asset: Asset) -> PartitionsDefinition:
    definition = asset.partitions_def
    if definition is None:
        raise UsageError(f"{asset.key} has no partitions.", hint="Give it a `partitions_def`.")
    if not has_dynamic(definition):
        raise UsageError(
            f"The partitions of {asset.key} are fixed by its definition.",
            hint="Change that; only those of a DynamicPartitionsDefinition are added and dropped.",
        )
    return definition


def _entry(definition: PartitionsDefinition, key: str) -> str:
    """Return what stands for a partition in the table: its key, of several dimensions with time its strand."""
    if not isinstance(definition, MultiPartitionsDefinition) or definition.time is None:
        definition.validate(key)
        return key
    if len(key.split(SEPARATOR)) == len(definition.partitions_defs):
        return definition.strand(key)
    for name, part in definition.strand_parts(key).items():
        definition.partitions_defs[name].validate(part)
    return key


def _dropped_entry(asset: Asset, definition: PartitionsDefinition, key: str) -> str:
    if isinstance(definition, MultiPartitionsDefinition) and definition.time is not None:
        parts: Sequence[str] = key.split(SEPARATOR)
        if len(parts) == len(definition.partitions_defs):
            strand = definition.strand(key)
            raise UsageError(
                f"{key!r} cannot be dropped by itself: partitions of {asset.key} are there for all of "
                f"{definition.time!r}.",
                near=(strand,),
                hint=f"{strand!r} names those of every {definition.time}.",
            )
    return key
