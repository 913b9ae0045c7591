"""Partitions: an asset in parts, each with a key of its own.

    PartitionsDefinition
    ├── TimeWindowPartitionsDefinition     a part per window of time (see `assetry.partitions.grids.windows`)
    │   ├── HourlyPartitionsDefinition     (see `assetry.partitions.grids.time_grids`)
    │   ├── DailyPartitionsDefinition
    │   ├── WeeklyPartitionsDefinition
    │   ├── MonthlyPartitionsDefinition
    │   ├── YearlyPartitionsDefinition
    │   └── CronPartitionsDefinition       (see `assetry.partitions.grids.cron`)
    ├── StaticPartitionsDefinition         keys that the definition lists
    ├── DynamicPartitionsDefinition        keys that come into being when they are first materialized
    └── MultiPartitionsDefinition          one part per combination (see `assetry.partitions.multi`)

All are frozen values without a clock: what depends on the time takes `now`. Every partition has a number that it keeps:
windows of time are counted from 1970, so that a start that is moved renumbers none; other keys have theirs in a
`KeyTable`.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Self

from assetry.errors import DefinitionError, UsageError, near_names
from assetry.partitions.key_table import KeyTable
from assetry.partitions.parts import Parts

#: Between the parts of a key of several dimensions.
SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class PartitionsDefinition:
    """The base of partition definitions."""

    #: Where all kinds of it are defined, for who reads one from JSON.
    json_modules: ClassVar = (
        "assetry.partitions.definitions",
        "assetry.partitions.multi",
        "assetry.partitions.grids.time_grids",
        "assetry.partitions.grids.cron",
    )

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the keys that should exist at `now`, in order.

        `known` are the keys that were materialized before; dynamic partitions consist of them. A `now` without a
        time zone is UTC.
        """
        raise NotImplementedError

    def count(self, now: datetime, known: Iterable[str] = ()) -> int:
        """Return how many keys should exist at `now`."""
        return len(self.keys(now, known))

    def validate(self, key: str, now: datetime | None = None) -> None:
        """Raise `UsageError`, with near names, when `key` is not a partition; with `now`, when it is yet to come."""
        raise NotImplementedError

    def window(self, key: str) -> tuple[datetime, datetime] | None:
        """Return the time that a partition covers: its start, and its end, which is outside; None without time."""
        self.validate(key)
        return None

    def previous(self, key: str) -> str | None:
        """Return the key of the partition before: of time the window before, of listed keys the one listed before.

        It is None for the first, and where keys come into being. Raises `UsageError` for a key that is none.

        >>> StaticPartitionsDefinition(["eu", "us"]).previous("us")
        'eu'
        """
        self.validate(key)
        return None

    # -- numbers -------------------------------------------------------------------------------------------------

    @property
    def grid(self) -> tuple[object, ...]:
        """Return what the numbers of partitions depend on: where it is equal, equal numbers mean the same.

        Neither the start, the end nor what is excluded is in it, so that none of them renumbers anything.
        """
        raise NotImplementedError

    @property
    def typical_length(self) -> float | None:
        """Return how many seconds a window mostly takes, and None without time: then numbers have no order."""
        return None

    def number(self, key: str) -> int:
        """Return the number of a partition in its strand; raise `UsageError`, with near names, for no partition."""
        raise NotImplementedError

    def strand(self, key: str) -> str:
        """Return the strand of a partition: all dimensions of its key but that of time; ``""`` for one dimension."""
        self.number(key)
        return ""

    def key(self, number: int, strand: str = "") -> str:
        """Return the key of a number, also where that is no partition any more; raise `UsageError` for no number."""
        raise NotImplementedError

    def existing(self, now: datetime) -> Parts:
        """Return the partitions that should exist at `now`; of dynamic ones those in the table."""
        raise NotImplementedError

    def possible(self, parts: Parts) -> Parts:
        """Return those of `parts` that exist, or will: they lie between start and end, and are not excluded."""
        raise NotImplementedError

    def newest(self, count: int, now: datetime) -> Parts:
        """Return the last `count` partitions that exist at `now`: of each strand, of listed keys those listed last.

        >>> regions = StaticPartitionsDefinition(["eu", "us"])
        >>> regions.keys_of(regions.newest(1, datetime(2024, 1, 1)))
        ('us',)
        """
        return self.existing(now).last(count)

    def changes_after(self, now: datetime) -> datetime | None:  # noqa: ARG002
        """Return when, after `now`, more partitions exist, or some are due again; None where no clock decides that.

        >>> StaticPartitionsDefinition(["eu", "us"]).changes_after(datetime(2024, 1, 1)) is None
        True
        """
        return None

    def span(self, start: datetime, end: datetime) -> tuple[int, int]:
        """Return the numbers of the windows that overlap a time, the second outside; raise `UsageError` without time.

        Windows before the start and after the end of the partitions have numbers, too. Times without a zone are UTC.
        """
        raise UsageError(f"Partitions of {self} have no time, asked for those from {start} to {end}.")

    def with_table(self, table: KeyTable) -> Self:  # noqa: ARG002
        """Return the definition with the numbers that records keep of its keys; itself where it needs none."""
        return self

    def parts_of(self, keys: Iterable[str]) -> Parts:
        """Return the set of the partitions with these keys; raise `UsageError` for a key that is none.

        >>> len(StaticPartitionsDefinition(["eu", "us"]).parts_of(["us"]))
        1
        """
        ranges: dict[str, list[tuple[int, int]]] = {}
        for key in keys:
            number = self.number(key)
            ranges.setdefault(self.strand(key), []).append((number, number + 1))
        return Parts(ranges)

    def keys_of(self, parts: Parts) -> tuple[str, ...]:
        """Return the keys of a set of partitions, in the order of their numbers.

        >>> StaticPartitionsDefinition(["eu", "us"]).keys_of(Parts.of([1]))
        ('us',)
        """
        return tuple(self.key(number, strand) for strand, number in parts)

    def text_of(self, parts: Parts) -> str:
        """Return a set of partitions as people write it, see `assetry.partitions.text`.

        >>> StaticPartitionsDefinition(["eu", "us, ca"]).text_of(Parts.range(0, 2))
        'eu, "us, ca"'
        """
        return ", ".join(self.pieces_of(parts))

    def pieces_of(self, parts: Parts) -> list[str]:
        """Return what `text_of` joins: keys, or ranges of them."""
        return [quoted(key) for key in self.keys_of(parts)]

    def range_of(self, first: str, last: str) -> tuple[int, int]:
        """Return the numbers from one key to another of its strand, the second number outside.

        Raises `UsageError` for a key that is none, for a range backwards, and for two strands.
        """
        bounds = self.number(first), self.number(last) + 1
        if self.strand(first) != self.strand(last):
            raise UsageError(f"{first!r} and {last!r} differ in more than time.", hint="Write a range for each.")
        if bounds[0] >= bounds[1]:
            raise UsageError(f"The range {first}..{last} runs backwards.", near=(f"{last}..{first}",))
        return bounds


@dataclass(frozen=True, slots=True)
class StaticPartitionsDefinition(PartitionsDefinition):
    """Partitions by keys that are listed here. Raises `DefinitionError` for a key twice, or none at all.

    >>> StaticPartitionsDefinition(["eu", "us"]).keys(datetime(2024, 1, 1))
    ('eu', 'us')
    """

    json_tag: ClassVar = ("partitions", "static")
    partition_keys: tuple[str, ...]
    table: KeyTable = field(default=KeyTable(), compare=False, repr=False)
    if TYPE_CHECKING:

        def __init__(self, partition_keys: Iterable[str], table: KeyTable = ...) -> None: ...

    def __post_init__(self) -> None:
        if isinstance(self.partition_keys, str):
            raise DefinitionError(
                f"partition_keys={self.partition_keys!r} is one text, not a list of keys.",
                hint=f"Write [{self.partition_keys!r}].",
            )
        object.__setattr__(self, "partition_keys", tuple(self.partition_keys))
        if not self.partition_keys:
            raise DefinitionError(
                "A static partitions definition needs a key.", hint='For example StaticPartitionsDefinition(["eu"]).'
            )
        seen: set[str] = set()
        for key in self.partition_keys:
            if not is_key(key):
                raise DefinitionError(f"{key!r} cannot be a partition key.", hint=KEY_HINT)
            if key in seen:
                raise DefinitionError(f"The partition key {key!r} is listed twice.", hint="Remove one.")
            seen.add(key)
        object.__setattr__(self, "table", self.table.extended(self.partition_keys))

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:  # noqa: ARG002
        """Return the listed keys."""
        return self.partition_keys

    def validate(self, key: str, now: datetime | None = None) -> None:  # noqa: ARG002
        """Raise `UsageError`, with near names, when `key` is not listed."""
        if key not in self.partition_keys:
            raise UsageError(
                f"No partition {key!r}.",
                near=near_names(key, self.partition_keys),
                hint=f"There are {len(self.partition_keys)}: {some(self.partition_keys)}.",
            )

    def previous(self, key: str) -> str | None:
        """Return the key that is listed before; None for the first."""
        self.validate(key)
        at = self.partition_keys.index(key)
        return self.partition_keys[at - 1] if at else None

    @property
    def grid(self) -> tuple[object, ...]:
        """Return the keys by number."""
        return ("static", self.table.keys)

    def number(self, key: str) -> int:
        """Return the number of a listed key; raise `UsageError`, with near names, for another."""
        number = self.table.number(key)
        # Where the table has no more keys than are listed, it has just these: that spares a look through the list.
        if number is None or len(self.table.keys) > len(self.partition_keys):
            self.validate(key)
        assert number is not None, "a listed key without a number"
        return number

    def key(self, number: int, strand: str = "") -> str:  # noqa: ARG002
        """Return the key of a number, listed still or not; raise `UsageError` for no number."""
        return self.table.key_of(number)

    def existing(self, now: datetime) -> Parts:  # noqa: ARG002
        """Return the listed keys."""
        return self._listed()

    def possible(self, parts: Parts) -> Parts:
        """Return those that are listed."""
        return parts & self._listed()

    def newest(self, count: int, now: datetime) -> Parts:  # noqa: ARG002
        """Return the last `count` keys as they are listed."""
        return self.parts_of(self.partition_keys[-count:] if count > 0 else ())

    def _listed(self) -> Parts:
        if len(self.table.keys) == len(self.partition_keys):
            return Parts.range(0, len(self.partition_keys))
        numbers = (self.table.number(key) for key in self.partition_keys)
        return Parts.of(number for number in numbers if number is not None)

    def with_table(self, table: KeyTable) -> Self:
        """Return the definition with the numbers of `table`, and further ones for keys that have none there.

        >>> StaticPartitionsDefinition(["eu", "us"]).with_table(KeyTable(("us",))).number("eu")
        1
        """
        return replace(self, table=table)


@dataclass(frozen=True, slots=True)
class DynamicPartitionsDefinition(PartitionsDefinition):
    """Partitions by keys that are not known beforehand: one exists once it was materialized, or added by name.

    ``assetry partitions add KEY PART`` adds one, as `context.add_partition` does in a function, and ``drop`` takes one
    out again. `name` says what a key is: ``customer``, ``file``.

    >>> DynamicPartitionsDefinition("file").keys(datetime(2024, 1, 1), known=["b.csv", "a.csv", "b.csv"])
    ('b.csv', 'a.csv')
    """

    json_tag: ClassVar = ("partitions", "dynamic")
    name: str = "partition"
    table: KeyTable = field(default=KeyTable(), compare=False, repr=False)

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:  # noqa: ARG002
        """Return the keys that are known."""
        gone = self.table.gone
        return tuple(dict.fromkeys((*self.table.living, *(key for key in known if key not in gone))))

    def validate(self, key: str, now: datetime | None = None) -> None:  # noqa: ARG002
        """Raise `UsageError` when `key` cannot be a key at all."""
        if not is_key(key):
            raise UsageError(f"{key!r} cannot be the key of a {self.name}.", hint=KEY_HINT)

    @property
    def grid(self) -> tuple[object, ...]:
        """Return the keys by number."""
        return ("dynamic", self.table.keys)

    def number(self, key: str) -> int:
        """Return the number of a key that is there; raise `UsageError`, with near names, for another."""
        self.validate(key)
        return number_in(self.table, key, self.name)

    def key(self, number: int, strand: str = "") -> str:  # noqa: ARG002
        """Return the key of a number, dropped or not; raise `UsageError` for no number."""
        return self.table.key_of(number)

    def existing(self, now: datetime) -> Parts:  # noqa: ARG002
        """Return the keys of the table that were not dropped."""
        return self.table.parts

    def possible(self, parts: Parts) -> Parts:
        """Return those of the table that were not dropped."""
        return parts & self.table.parts

    def with_table(self, table: KeyTable) -> Self:
        """Return the definition with the keys of `table`.

        >>> DynamicPartitionsDefinition("file").with_table(KeyTable(("a.csv",))).number("a.csv")
        0
        """
        return replace(self, table=table)


def number_in(table: KeyTable, key: str, name: str) -> int:
    """Return the number of a key that comes into being; raise `UsageError`, with near names, for one that is not there.

    >>> number_in(KeyTable(("a.csv",)), "a.csv", "file")
    0
    """
    number = table.number(key)
    if number is not None and number not in table.dropped:
        return number
    living = table.living
    there = f"There are {len(living)}: {some(living)}." if living else "There is none yet."
    if number is None:
        raise UsageError(f"There is no {name} {key!r} yet.", near=near_names(key, living), hint=there)
    back = "`assetry partitions add` brings it back."
    raise UsageError(f"The {name} {key!r} was dropped.", near=near_names(key, living), hint=f"{there} {back}")


KEY_HINT = "A key is a non-empty line of text without blanks at its ends."


def numbers_of(definition: PartitionsDefinition) -> Hashable:
    """Return what is equal for definitions with the same partitions under the same numbers.

    Two that are equal may have the numbers of other keys, or know of others: of those that records have of two assets.

    >>> file, other = DynamicPartitionsDefinition("file", KeyTable(("a",))), DynamicPartitionsDefinition("file")
    >>> file == other, numbers_of(file) == numbers_of(other)
    (True, False)
    """
    return definition, getattr(definition, "table", None)


def is_key(key: object) -> bool:
    """Tell whether a text may be the key of a partition.

    >>> is_key("eu"), is_key(" eu"), is_key("")
    (True, False, False)
    """
    return isinstance(key, str) and bool(key) and key.isprintable() and key == key.strip()


#: What has a meaning of its own in the text of partitions, where it is not the key of one.
PARTITION_WORDS = ("last", "all", "missing", "stale", "failed")
_SIGNS = re.compile(r"""[,;="]|\.\.|^last:""")


def quoted(key: str) -> str:
    """Return a key as it stands in the text of partitions: in quotes where it would mean something else.

    >>> quoted("eu"), quoted("a,b"), quoted("last")
    ('eu', '"a,b"', '"last"')
    """
    if key in PARTITION_WORDS or _SIGNS.search(key):
        doubled = key.replace('"', '""')
        return f'"{doubled}"'
    return key


def some(keys: Iterable[str], most: int = 5) -> str:
    """Return the first of many keys, for people.

    >>> some("abc", most=2)
    "'a', 'b', …"
    """
    listed = list(keys)
    return ", ".join(map(repr, listed[:most])) + (", …" if len(listed) > most else "")
