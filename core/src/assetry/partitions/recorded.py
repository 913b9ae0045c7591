"""Recorded keys as numbers, also those that are no partitions any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assetry.partitions.definitions import (
    SEPARATOR,
    DynamicPartitionsDefinition,
    PartitionsDefinition,
    StaticPartitionsDefinition,
)
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.key_table import KeyTable
from assetry.partitions.multi import MultiPartitionsDefinition

#: A partition: its strand, and its number there.
Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class NumberedKeys:
    """Keys that were recorded, with their numbers in `definition`; `unknown` are those that can have none there.

    `definition` has the keys that come into being, so that the recorded ones are among its partitions.
    """

    definition: PartitionsDefinition
    places: Mapping[str, Place]
    unknown: tuple[str, ...] = ()


def numbered(
    definition: PartitionsDefinition, keys: Iterable[str], known: dict[str, int | None] | None = None
) -> NumberedKeys:
    """Return the numbers of recorded keys, whether they are partitions still or not.

    Keys that come into being have the order of `keys`; those that were dropped stay so. `known` keeps numbers of
    windows by key, from one call with an equal definition to the next.

    >>> letters = StaticPartitionsDefinition(["a", "b"])
    >>> found = numbered(letters, ["b", "gone"])
    >>> found.places, found.definition.key(2)
    ({'b': ('', 1), 'gone': ('', 2)}, 'gone')
    """
    recorded = list(keys)
    known = {} if known is None else known
    if isinstance(definition, MultiPartitionsDefinition) and definition.time is not None:
        return _numbered_by_time(definition, recorded, known)
    if isinstance(definition, TimeWindowPartitionsDefinition):
        found = {key: ("", number) for key in recorded if (number := _number(definition, key, known)) is not None}
        return NumberedKeys(definition, found, tuple(key for key in recorded if key not in found))
    listed = definition.partition_keys if isinstance(definition, StaticPartitionsDefinition) else ()
    table = getattr(definition, "table", KeyTable(listed)).numbered(recorded)
    if table != getattr(definition, "table", None):
        definition = definition.with_table(table)
    places = {key: ("", number) for key in recorded if (number := table.number(key)) is not None}
    return NumberedKeys(definition, places)


def with_known(definition: PartitionsDefinition, table: KeyTable | None) -> PartitionsDefinition:
    """Return a definition with the keys that records know of, and that were dropped, where keys come into being.

    >>> with_known(DynamicPartitionsDefinition("file"), KeyTable(("a.csv",))).key(0)
    'a.csv'
    """
    return definition if table is None or not has_dynamic(definition) else definition.with_table(table)


def without_dropped(definition: PartitionsDefinition, keys: Iterable[str]) -> tuple[str, ...]:
    """Return keys without those that were dropped; of several dimensions with time, whose strand was.

    >>> files = DynamicPartitionsDefinition("file", KeyTable(("a", "b"), frozenset([0])))
    >>> without_dropped(files, ["a", "b", "c"])
    ('b', 'c')
    """
    gone = getattr(definition, "table", KeyTable()).gone
    if not gone:
        return tuple(keys)
    if not isinstance(definition, MultiPartitionsDefinition) or definition.time is None:
        return tuple(key for key in keys if key not in gone)
    place = list(definition.partitions_defs).index(definition.time)
    split = ((key, key.split(SEPARATOR)) for key in keys)
    return tuple(key for key, parts in split if SEPARATOR.join(parts[:place] + parts[place + 1 :]) not in gone)


def has_dynamic(definition: PartitionsDefinition) -> bool:
    """Tell whether a definition, or a dimension of it, has keys that come into being.

    >>> has_dynamic(StaticPartitionsDefinition(["a"])), has_dynamic(DynamicPartitionsDefinition())
    (False, True)
    """
    if isinstance(definition, MultiPartitionsDefinition):
        return any(map(has_dynamic, definition.partitions_defs.values()))
    return isinstance(definition, DynamicPartitionsDefinition)


def time_of(definition: PartitionsDefinition) -> TimeWindowPartitionsDefinition | None:
    """Return the windows that a definition's numbers count; None without time.

    >>> time_of(StaticPartitionsDefinition(["a"])) is None
    True
    """
    if isinstance(definition, MultiPartitionsDefinition):
        found = definition.partitions_defs[definition.time] if definition.time is not None else None
        return found if isinstance(found, TimeWindowPartitionsDefinition) else None
    return definition if isinstance(definition, TimeWindowPartitionsDefinition) else None


def _numbered_by_time(
    definition: MultiPartitionsDefinition, keys: Iterable[str], known: dict[str, int | None]
) -> NumberedKeys:
    windows = time_of(definition)
    assert windows is not None
    places: dict[str, Place] = {}
    unknown = []
    for key in keys:
        parts = key.split(SEPARATOR)
        named = dict(zip(definition.partitions_defs, parts, strict=False))
        fits = len(parts) == len(definition.partitions_defs)
        number = _number(windows, named[definition.time], known) if fits and definition.time else None
        if number is None:
            unknown.append(key)
        else:
            places[key] = SEPARATOR.join(part for name, part in named.items() if name != definition.time), number
    if has_dynamic(definition):
        table = definition.table.numbered(strand for strand, _ in places.values())
        if table != definition.table:
            definition = definition.with_table(table)
    return NumberedKeys(definition, places, tuple(unknown))


def _number(windows: TimeWindowPartitionsDefinition, key: str, known: dict[str, int | None]) -> int | None:
    if key not in known:
        known[key] = windows.find(key)
    return known[key]
