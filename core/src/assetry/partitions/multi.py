"""Partitions in several dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import permutations, product
from typing import ClassVar, Self

from assetry.errors import DefinitionError, UsageError
from assetry.partitions.definitions import (
    SEPARATOR,
    PartitionsDefinition,
    StaticPartitionsDefinition,
    number_in,
    quoted,
    some,
)
from assetry.partitions.key_table import KeyTable
from assetry.partitions.parts import Parts

#: What a set of partitions has in each dimension: all combinations of these.
Box = dict[str, tuple[str, ...] | Parts]


@dataclass(frozen=True, slots=True)
class MultiPartitionsDefinition(PartitionsDefinition):
    """Partitions in several dimensions: one per combination.

    A key is the keys of all dimensions, in the order of the dimensions' names, with ``|`` between them.
    Raises `DefinitionError` for fewer than two dimensions, or one that has several itself.

    Numbers are those of the dimension that is time (`time`), the finest where there are several; all others make the
    strand. Without time there is one strand, and the combinations are numbered by a table.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> both = MultiPartitionsDefinition({"region": StaticPartitionsDefinition(["eu", "us"]),
    ...                                   "date": DailyPartitionsDefinition("2024-01-01")})
    >>> both.keys(datetime(2024, 1, 2))
    ('2024-01-01|eu', '2024-01-01|us')
    >>> both.parts("2024-01-01|eu")
    {'date': '2024-01-01', 'region': 'eu'}
    >>> both.strand("2024-01-01|eu"), both.key(both.number("2024-01-01|eu"), "us")
    ('eu', '2024-01-01|us')
    """

    json_tag: ClassVar = ("partitions", "multi")
    partitions_defs: Mapping[str, PartitionsDefinition]
    table: KeyTable = field(default=KeyTable(), compare=False, repr=False)
    #: The name of the dimension that numbers count; None without time.
    time: str | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        dimensions = dict(sorted(self.partitions_defs.items()))
        object.__setattr__(self, "partitions_defs", dimensions)
        if len(dimensions) < 2:
            raise DefinitionError(
                "A multi partitions definition needs at least two dimensions.",
                hint='For example {"date": DailyPartitionsDefinition(…), "region": StaticPartitionsDefinition(…)}.',
            )
        for name, dimension in dimensions.items():
            if isinstance(dimension, MultiPartitionsDefinition):
                raise DefinitionError(
                    f"Dimension {name!r} has dimensions itself.", hint="Put all dimensions into one definition."
                )
            unusable = [key for key in getattr(dimension, "partition_keys", ()) if SEPARATOR in key]
            if unusable or SEPARATOR in getattr(dimension, "fmt", ""):
                raise DefinitionError(
                    f"Keys of dimension {name!r} hold {SEPARATOR!r}: {some(unusable) or dimension.fmt!r}.",  # type: ignore[attr-defined]
                    hint=f"{SEPARATOR!r} stands between the parts of a key; write them without it.",
                )
        times = [(each.typical_length, name) for name, each in dimensions.items() if each.typical_length is not None]
        object.__setattr__(self, "time", min(times)[1] if times else None)
        if not times:
            table = self.table
            fresh = [key for key in self._combinations(self._known(())) if table.number(key) is None]
            object.__setattr__(self, "table", table.extended(fresh))

    def __hash__(self) -> int:
        return hash(tuple(self.partitions_defs.items()))

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:
        """Return all combinations of the dimensions' keys."""
        return tuple(SEPARATOR.join(parts) for parts in product(*self._dimensions(now, known)))

    def count(self, now: datetime, known: Iterable[str] = ()) -> int:
        """Return how many combinations there are, without making them."""
        parts = self._known(known)
        total = 1
        for name, dimension in self.partitions_defs.items():
            total *= dimension.count(now, parts[name])
        return total

    def parts(self, key: str) -> dict[str, str]:
        """Return the dimensions' keys that `key` is made of, by dimension; raise `UsageError` for another number."""
        parts = key.split(SEPARATOR)
        if len(parts) != len(self.partitions_defs):
            shape = SEPARATOR.join(f"<{name}>" for name in self.partitions_defs)
            raise UsageError(
                f"{key!r} is not a partition of {len(self.partitions_defs)} parts.", hint=f"Write {shape}."
            )
        return dict(zip(self.partitions_defs, parts, strict=True))

    def validate(self, key: str, now: datetime | None = None) -> None:
        """Raise `UsageError` when a part of `key` is not a partition of its dimension."""
        for name, part in self.parts(key).items():
            try:
                self.partitions_defs[name].validate(part, now)
            except UsageError as error:
                raise UsageError(
                    f"{key!r} is not a partition: its part {name!r}: {error.message}",
                    near=self._reordered(key) or self._corrected(key, name, error.near),
                    hint=error.hint,
                ) from None

    def window(self, key: str) -> tuple[datetime, datetime] | None:
        """Return the window of the one dimension that is time; None when there is none, or more than one."""
        parts = self.parts(key)
        self.validate(key)
        windows = [dimension.window(parts[name]) for name, dimension in self.partitions_defs.items()]
        found = [window for window in windows if window is not None]
        return found[0] if len(found) == 1 else None

    def previous(self, key: str) -> str | None:
        """Return the key with the window of `time` before, the rest as it is; without time the combination before.

        None for the first, and without time where keys of a dimension come into being.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> both = MultiPartitionsDefinition({"date": DailyPartitionsDefinition("2024-01-01"),
        ...                                   "region": StaticPartitionsDefinition(["eu", "us"])})
        >>> both.previous("2024-01-02|us"), both.previous("2024-01-01|us")
        ('2024-01-01|us', None)
        """
        self.validate(key)
        parts = self.parts(key)
        for name in (self.time,) if self.time else reversed(tuple(self.partitions_defs)):
            definition = self.partitions_defs[name]
            before = definition.previous(parts[name])
            if before is not None or self.time:
                return None if before is None else self._joined(parts | {name: before})
            if not isinstance(definition, StaticPartitionsDefinition):
                return None
            # The last of this dimension, with the one before of the dimension that stands left of it.
            parts[name] = definition.partition_keys[-1]
        return None

    # -- numbers -------------------------------------------------------------------------------------------------

    @property
    def grid(self) -> tuple[object, ...]:
        """Return the grids of the dimensions by name; without time also the combinations by number."""
        grids = tuple(
            (name, each.grid if each.typical_length is not None else ()) for name, each in self.partitions_defs.items()
        )
        return ("multi", grids) if self.time else ("multi", grids, self.table.keys)

    @property
    def typical_length(self) -> float | None:
        """Return how many seconds a window of the dimension that is time mostly takes."""
        return self.partitions_defs[self.time].typical_length if self.time else None

    def number(self, key: str) -> int:
        """Return the number of the part that is time, else that of the combination; raise `UsageError` for no key."""
        self.validate(key)
        if self.time is None:
            return number_in(self.table, key, "partition")
        strand = self.strand(key)
        if self.table.number(strand) is not None:
            number_in(self.table, strand, "partition")  # it was dropped, or all is well
        return self.partitions_defs[self.time].number(self.parts(key)[self.time])

    def strand(self, key: str) -> str:
        """Return all parts of a key but that of `time`; ``""`` without time."""
        self.validate(key)
        return SEPARATOR.join(part for name, part in self.parts(key).items() if name != self.time) if self.time else ""

    def key(self, number: int, strand: str = "") -> str:
        """Return the key of a number in a strand; raise `UsageError` for no number."""
        if self.time is None:
            return self.table.key_of(number)
        parts = self.strand_parts(strand)
        parts[self.time] = self.partitions_defs[self.time].key(number)
        return self._joined(parts)

    def _joined(self, parts: Mapping[str, str]) -> str:
        return SEPARATOR.join(parts[name] for name in self.partitions_defs)

    def strand_parts(self, strand: str) -> dict[str, str]:
        """Return the dimensions' keys that a strand is made of, by dimension; raise `UsageError` for another number.

        >>> from assetry.partitions.definitions import DynamicPartitionsDefinition
        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> both = MultiPartitionsDefinition({"file": DynamicPartitionsDefinition(),
        ...                                   "date": DailyPartitionsDefinition("2024-01-01")})
        >>> both.strand_parts("a.csv")
        {'file': 'a.csv'}
        """
        names, parts = self._beside_time(), strand.split(SEPARATOR)
        if len(parts) != len(names):
            raise UsageError(f"{strand!r} is no strand: it is made of {', '.join(names)}.")
        return dict(zip(names, parts, strict=True))

    def existing(self, now: datetime) -> Parts:
        """Return all combinations of what exists at `now`; of dynamic dimensions it is what the table has."""
        made = self.made_of(self.values(now))
        return made & self.table.parts if self.time is None else made - self._dropped(made)

    def changes_after(self, now: datetime) -> datetime | None:
        """Return when, after `now`, there are more combinations, or some are due again; None without time."""
        found = (each.changes_after(now) for each in self.partitions_defs.values())
        return min((each for each in found if each is not None), default=None)

    def _dropped(self, parts: Parts) -> Parts:
        """Return those of `parts` whose strand was dropped."""
        gone = [strand for number in self.table.dropped if (strand := self.table.key(number)) is not None]
        return Parts.of_strands({strand: parts.numbers(strand) for strand in gone})

    def possible(self, parts: Parts) -> Parts:
        """Return those whose every part exists, or will."""
        if self.time is None:
            known = parts & self.table.parts
            return Parts.of(number for _, number in known if self._may_be(self.key(number)))
        time = self.partitions_defs[self.time]
        strands = (each for each in parts.strands if self._may_be_strand(each))
        return Parts.of_strands({each: time.possible(parts.numbers(each)) for each in strands})

    def span(self, start: datetime, end: datetime) -> tuple[int, int]:
        """Return the numbers of the windows of `time` that overlap a time; raise `UsageError` without time."""
        if self.time is None:
            raise UsageError(f"None of the dimensions {', '.join(self.partitions_defs)} is time.")
        return self.partitions_defs[self.time].span(start, end)

    def with_table(self, table: KeyTable) -> Self:
        """Return the definition with a table of its strands, or without time of its combinations.

        Dynamic dimensions consist of what their part of the table has.
        """
        return replace(self, table=table)

    def text_of(self, parts: Parts) -> str:
        """Return a set of partitions by dimension: ``date=2026-01-01..2026-01-31,region=eu; date=…``."""
        if self.time is None:
            return PartitionsDefinition.text_of(self, parts)
        beside = self._beside_time()
        alike: dict[tuple[str, ...], list[str]] = {}
        for strand in parts.strands:
            times = self.partitions_defs[self.time].pieces_of(parts.numbers(strand))
            # Strands of one dimension are one term; those of several need not be all combinations.
            alike.setdefault((*times, "" if len(beside) == 1 else strand), []).append(strand)
        terms = []
        for (*times, _), strands in alike.items():
            named = [f"{self.time}={each}" for each in times]
            named += [f"{name}={quoted(part)}" for each in strands for name, part in self.strand_parts(each).items()]
            terms.append(",".join(named))
        return "; ".join(terms)

    # -- dimension by dimension ------------------------------------------------------------------------------------

    def values(self, now: datetime) -> Box:
        """Return what exists in each dimension: of time the numbers, of all else the keys."""
        known, times = self._known(()), self._times()
        return {
            name: each.existing(now) if name in times else each.keys(now, known[name])
            for name, each in self.partitions_defs.items()
        }

    def boxes(self, parts: Parts) -> Iterator[Box]:
        """Yield `parts` as boxes, of time the numbers and of all else the keys; each partition lies in just one."""
        if self.time is None:
            for _, number in parts:
                yield {name: (part,) for name, part in self.parts(self.key(number)).items()}
            return
        for strand in parts.strands:
            yield {**self._box(self.strand_parts(strand)), self.time: parts.numbers(strand)}

    def box_of(self, key: str) -> Box:
        """Return the box of one key; raise `UsageError` when a part of it is no partition."""
        self.validate(key)
        return self._box(self.parts(key))

    def _box(self, parts: Mapping[str, str]) -> Box:
        times = self._times()
        return {
            name: self.partitions_defs[name].parts_of([key]) if name in times else (key,) for name, key in parts.items()
        }

    def made_of(self, box: Mapping[str, tuple[str, ...] | Parts]) -> Parts:
        """Return the partitions that a box holds, as far as they have numbers."""
        if self.time is None:
            numbers = (self.table.number(key) for key in self.keys_in(box))
            return Parts.of(number for number in numbers if number is not None)
        times = box[self.time]
        assert isinstance(times, Parts), "time goes by number"
        combined = product(*(self._keys_in(box, name) for name in self._beside_time()))
        return Parts.of_strands({SEPARATOR.join(each): times for each in combined})

    def keys_in(self, box: Mapping[str, tuple[str, ...] | Parts]) -> Iterator[str]:
        """Yield the keys of all partitions that a box holds."""
        return (SEPARATOR.join(each) for each in product(*(self._keys_in(box, name) for name in self.partitions_defs)))

    def _keys_in(self, box: Mapping[str, tuple[str, ...] | Parts], name: str) -> tuple[str, ...]:
        found = box[name]
        return self.partitions_defs[name].keys_of(found) if isinstance(found, Parts) else found

    def _times(self) -> list[str]:
        return [name for name, each in self.partitions_defs.items() if each.typical_length is not None]

    def _beside_time(self) -> list[str]:
        return [name for name in self.partitions_defs if name != self.time]

    def _may_be(self, key: str) -> bool:
        try:
            self.validate(key)
        except UsageError:
            return False
        return True

    def _may_be_strand(self, strand: str) -> bool:
        try:
            for name, part in self.strand_parts(strand).items():
                self.partitions_defs[name].validate(part)
        except UsageError:
            return False
        number = self.table.number(strand)
        return number is None or number not in self.table.dropped

    def _known(self, known: Iterable[str]) -> dict[str, list[str]]:
        """Return the keys of each dimension that known keys, and those of the table, have."""
        found: dict[str, dict[str, None]] = {name: {} for name in self.partitions_defs}
        for names, keys in ((self._beside_time(), self.table.living), (list(self.partitions_defs), known)):
            for key in keys:
                parts = key.split(SEPARATOR)
                if len(parts) == len(names):
                    for name, part in zip(names, parts, strict=True):
                        found[name][part] = None
        return {name: list(each) for name, each in found.items()}

    def _combinations(self, known: Mapping[str, list[str]]) -> Iterator[str]:
        # Without time, the moment is nothing to any of them.
        keys = [each.keys(datetime.min, known[name]) for name, each in self.partitions_defs.items()]
        return (SEPARATOR.join(each) for each in product(*keys))

    def _dimensions(self, now: datetime, known: Iterable[str]) -> list[tuple[str, ...]]:
        parts = self._known(known)
        return [each.keys(now, parts[name]) for name, each in self.partitions_defs.items()]

    def _corrected(self, key: str, name: str, near: Iterable[str]) -> list[str]:
        return [SEPARATOR.join((self.parts(key) | {name: part}).values()) for part in near]

    def _reordered(self, key: str) -> list[str]:
        """Return `key` with its parts in the order that fits, when there is one."""
        for parts in permutations(key.split(SEPARATOR)):
            try:
                for dimension, part in zip(self.partitions_defs.values(), parts, strict=True):
                    dimension.validate(part)
            except UsageError:
                continue
            return [SEPARATOR.join(parts)]
        return []
