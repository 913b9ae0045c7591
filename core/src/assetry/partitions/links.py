"""What each partition of an asset is made from, and what is made from it: between two definitions, in both directions.

A `Link` is what a mapping means between two definitions; `assetry.partitions.resolution` finds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from assetry.partitions.definitions import PartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.partitions.recorded import without_dropped
from assetry.partitions.ways import OverlapWay, SameKeys, Value, Way, is_time, meets

#: All that exists, or the newest of it.
Every = Literal["all", "last"]


@dataclass(frozen=True, slots=True)
class Link:
    """How the partitions of an asset (`own`) are made from those of one that is upstream.

    Where one of both has no partitions, it counts as one, `assetry.partitions.parts.WHOLE`, and its definition is None.

    * `up(parts, now)`: all that any of `parts` is made from. What can never exist is not in it: what lies before the
      start, after the end, or is excluded. What is yet to come is in it.
    * `down(parts, now)`: all that exists at `now` and is made from any of `parts`.
    * `pairs(first, stop, now)`: for each partition of a range of numbers what it is made from.

    >>> from assetry.partitions.resolution import link_between
    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, HourlyPartitionsDefinition
    >>> days, hours = DailyPartitionsDefinition("2026-01-01"), HourlyPartitionsDefinition("2026-01-01")
    >>> link, now = link_between("same", days, hours, "report", "events"), datetime(2026, 1, 5)
    >>> link.up(days.parts_of(["2026-01-02"]), now).text(hours)
    '2026-01-02-00:00..2026-01-02-23:00'
    >>> link.down(hours.parts_of(["2026-01-02-07:00"]), now).text(days)
    '2026-01-02'
    """

    own: PartitionsDefinition | None
    upstream: PartitionsDefinition | None
    #: By dimension upstream: the dimension of one's own that leads there, and how. A single dimension is called "".
    ways: Mapping[str, tuple[str, Way]] = field(default_factory=dict)
    #: By dimension upstream: which of it is read, whatever the partition; "" is everything of all dimensions.
    every: Mapping[str, Every] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.own, self.upstream, tuple(self.ways.items()), tuple(self.every.items())))

    @property
    def same_numbers(self) -> bool:
        """Return whether each partition is made from just the one of the same strand and number.

        >>> from assetry.partitions.definitions import StaticPartitionsDefinition
        >>> regions = StaticPartitionsDefinition(["eu", "us"])
        >>> Link(regions, regions, {"": ("", SameKeys())}).same_numbers
        True
        """
        own, upstream = dimensions_of(self.own), dimensions_of(self.upstream)
        if self.every or own.keys() != upstream.keys() or own.keys() != self.ways.keys():
            return False
        if not isinstance(self.own, MultiPartitionsDefinition):
            return self.ways[""][1].same_numbers or self._one_table()
        if self.own.time is None:
            return self.same_keys and self._one_table()
        # The numbers are of one dimension; strands are texts, and those of all others must be written alike.
        rest = {name: each for name, each in self.ways.items() if name != self.own.time}
        mine, way = self.ways[self.own.time]
        return mine == self.own.time and way.same_numbers and replace(self, ways=rest)._alike()

    @property
    def same_keys(self) -> bool:
        """Return whether each partition is made from just the one of the same key.

        >>> from assetry.partitions.definitions import StaticPartitionsDefinition
        >>> regions = StaticPartitionsDefinition(["eu", "us"])
        >>> Link(regions, regions, {"": ("", SameKeys())}).same_keys
        True
        """
        own, upstream = dimensions_of(self.own), dimensions_of(self.upstream)
        if self.every or own.keys() != upstream.keys() or own.keys() != self.ways.keys():
            return False
        return self._alike()

    def numbered(self, own: PartitionsDefinition | None, upstream: PartitionsDefinition | None) -> Link:
        """Return the link with the numbers that records keep of the keys on both sides; None leaves a side as it is.

        >>> from assetry.partitions.definitions import StaticPartitionsDefinition
        >>> from assetry.partitions.key_table import KeyTable
        >>> regions = StaticPartitionsDefinition(["eu", "us"])
        >>> link = Link(regions, regions, {"": ("", SameKeys())}).numbered(None, regions.with_table(KeyTable(("us",))))
        >>> link.same_numbers, link.up(Parts.of([0]), datetime(2026, 1, 1))
        (False, Parts({'': [(1, 2)]}))
        """
        if (own is None or own is self.own) and (upstream is None or upstream is self.upstream):
            return self
        return replace(self, own=own or self.own, upstream=upstream or self.upstream)

    def _one_table(self) -> bool:
        keys = all(isinstance(way, SameKeys) for _, way in self.ways.values())
        return keys and self.own is not None and self.upstream is not None and self.own.grid == self.upstream.grid

    def _alike(self) -> bool:
        own, upstream = dimensions_of(self.own), dimensions_of(self.upstream)
        return all(
            name == mine
            and (isinstance(way, SameKeys) or (way.same_numbers and _format(own[name]) == _format(upstream[name])))
            for name, (mine, way) in self.ways.items()
        )

    def up(self, parts: Parts, now: datetime) -> Parts:
        """Return all that any of `parts` is made from."""
        if not parts:
            return NOTHING
        if self.upstream is None:
            return WHOLE
        if "" in self.every and not self.ways:
            return self._every(now)
        if self.same_numbers:
            return self.upstream.possible(parts)
        found = NOTHING
        rest = {name: self._exists(name, word, now) for name, word in self.every.items()}
        for box in _boxes(self.own, parts):
            found |= _made_of(self.upstream, {**rest, **self._up(box)})
        return self.upstream.possible(found)

    def down(self, parts: Parts, now: datetime) -> Parts:
        """Return all that exists at `now` and is made from any of `parts`."""
        if self.upstream is None:
            return self._existing(now) if parts & WHOLE else NOTHING
        if "" in self.every and not self.ways:
            return self._existing(now) if parts & self._every(now) else NOTHING
        parts = self.upstream.possible(parts)
        if self.same_numbers:
            return parts & self._existing(now)
        rest = {name: self._exists(name, word, now) for name, word in self.every.items()}
        here = _values(self.own, now)
        found = NOTHING
        for box in _boxes(self.upstream, parts):
            if all(meets(box[name], value) for name, value in rest.items()):
                found |= _made_of(self.own, {**here, **self._down(box)})
        return found & self._existing(now)

    def pairs(self, first: int, stop: int, now: datetime, strand: str = "") -> Iterator[tuple[int, Parts]]:
        """Yield the numbers of a range that are partitions, now or later, each with what it is made from.

        >>> from assetry.partitions.resolution import link_between
        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, MonthlyPartitionsDefinition
        >>> months = MonthlyPartitionsDefinition("2026-01-01", "2026-03-01")
        >>> link = link_between("same", months, DailyPartitionsDefinition("2026-01-01"), "report", "events")
        >>> [(months.key(number), len(read)) for number, read in link.pairs(0, 999, datetime(2026, 5, 1))]
        [('2026-01-01', 31), ('2026-02-01', 28)]
        """
        asked = Parts.range(first, stop, strand)
        there = asked & WHOLE if self.own is None else self.own.possible(asked)
        way = self.ways.get("", ("", None))[1]
        if isinstance(way, OverlapWay) and not way.same_numbers and self.upstream is not None and not strand:
            for _, begin, end in there.spans():
                for number, read in way.edges(begin, end):
                    yield number, self.upstream.possible(read)
            return
        for _, number in there:
            yield number, self.up(Parts.range(number, number + 1, strand), now)

    def keys(self, key: str | None, now: datetime) -> tuple[str, ...]:
        """Return the keys upstream that the partition `key` is made from, in order; also those that no table has yet.

        `key` is None for an asset without partitions. Raises `UsageError` for a key that is no partition.

        >>> from assetry.partitions.definitions import DynamicPartitionsDefinition, StaticPartitionsDefinition
        >>> from assetry.partitions.resolution import link_between
        >>> regions, files = StaticPartitionsDefinition(["eu", "us"]), DynamicPartitionsDefinition("file")
        >>> link_between("same", regions, files, "report", "files").keys("eu", datetime(2026, 1, 1))
        ('eu',)
        """
        if self.upstream is None:
            return ()
        if "" in self.every and not self.ways:
            return self.upstream.keys_of(self._every(now))
        assert self.own is not None, "without partitions, it is said which are read"
        assert key is not None
        multi = isinstance(self.own, MultiPartitionsDefinition)
        box: Mapping[str, Value] = self.own.box_of(key) if multi else {"": _value_of(self.own, key)}  # type: ignore[attr-defined]
        rest = {name: self._exists(name, word, now) for name, word in self.every.items()}
        dimensions = dimensions_of(self.upstream)
        found = _keys_of(
            self.upstream,
            {name: _possible(dimensions[name], value) for name, value in {**rest, **self._up(box)}.items()},
        )
        return without_dropped(self.upstream, found)

    @property
    def single(self) -> bool:
        """Return whether each partition is mostly made from just one upstream: not so days from hours.

        >>> from assetry.partitions.resolution import link_between
        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, HourlyPartitionsDefinition
        >>> days, hours = DailyPartitionsDefinition("2026-01-01"), HourlyPartitionsDefinition("2026-01-01")
        >>> [link_between("same", *pair, "b", "a").single for pair in ((days, hours), (hours, days))]
        [False, True]
        """
        return "all" not in self.every.values() and all(way.single for _, way in self.ways.values())

    # -- dimension by dimension ------------------------------------------------------------------------------------

    def _up(self, box: Mapping[str, Value]) -> dict[str, Value]:
        return {name: way.up(box[own]) for name, (own, way) in self.ways.items()}

    def _down(self, box: Mapping[str, Value]) -> dict[str, Value]:
        return {own: way.down(box[name]) for name, (own, way) in self.ways.items()}

    def _every(self, now: datetime) -> Parts:
        assert self.upstream is not None
        return self.upstream.existing(now) if self.every[""] == "all" else self.upstream.newest(1, now)

    def _exists(self, name: str, word: Every, now: datetime) -> Value:
        """Return all that exists in one dimension upstream, or the newest of it."""
        values = _values(self.upstream, now)[name]
        if word == "all":
            return values
        return values.last(1) if isinstance(values, Parts) else values[-1:]

    def _existing(self, now: datetime) -> Parts:
        return WHOLE if self.own is None else self.own.existing(now)


def dimensions_of(definition: PartitionsDefinition | None) -> Mapping[str, PartitionsDefinition]:
    """Return the dimensions of a definition by name; one that has no name is called "".

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> list(dimensions_of(StaticPartitionsDefinition(["eu"])))
    ['']
    """
    if definition is None:
        return {}
    return definition.partitions_defs if isinstance(definition, MultiPartitionsDefinition) else {"": definition}


def _format(definition: PartitionsDefinition) -> str:
    return getattr(definition, "fmt", "")


def _values(definition: PartitionsDefinition | None, now: datetime) -> dict[str, Value]:
    """Return what exists in each dimension."""
    if isinstance(definition, MultiPartitionsDefinition):
        return dict(definition.values(now))
    if definition is None:
        return {}
    existing = definition.existing(now)
    return {"": existing if is_time(definition) else definition.keys_of(existing)}


def _boxes(definition: PartitionsDefinition | None, parts: Parts) -> Iterator[Mapping[str, Value]]:
    if isinstance(definition, MultiPartitionsDefinition):
        yield from definition.boxes(parts)
    elif definition is None:
        yield {}
    else:
        yield {"": parts if is_time(definition) else definition.keys_of(parts)}


def _made_of(definition: PartitionsDefinition | None, box: Mapping[str, Value]) -> Parts:
    if isinstance(definition, MultiPartitionsDefinition):
        return definition.made_of(box)
    if definition is None:
        return WHOLE
    value = box[""]
    if isinstance(value, Parts):
        return value
    numbers = (definition.table.number(key) for key in value)  # type: ignore[attr-defined]
    return Parts.of(number for number in numbers if number is not None)


def _keys_of(definition: PartitionsDefinition, box: Mapping[str, Value]) -> Iterator[str]:
    if isinstance(definition, MultiPartitionsDefinition):
        return definition.keys_in(box)
    value = box[""]
    return iter(definition.keys_of(value) if isinstance(value, Parts) else value)


def _value_of(definition: PartitionsDefinition, key: str) -> Value:
    if is_time(definition):
        return definition.parts_of([key])
    definition.validate(key)
    return (key,)


def _possible(definition: PartitionsDefinition, value: Value) -> Value:
    """Return those of a value that exist, or will."""
    if isinstance(value, Parts):
        return definition.possible(value)
    if isinstance(definition, StaticPartitionsDefinition):
        return tuple(key for key in value if key in definition.partition_keys)
    return value
