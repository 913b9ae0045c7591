"""How the partitions of one definition lead to those of another, within one dimension.

A way takes and gives *values* of a dimension: of time a set of numbers, of all else keys. `up` leads from what is made
to all that it is made from, `down` from there to all that is made from any of it; both are exact, and know no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.parts import NOTHING, Parts

#: What a dimension has: of time the numbers, of all else the keys.
Value = Parts | tuple[str, ...]


class Way(Protocol):
    """How the partitions of one dimension are made from those of one upstream."""

    @property
    def same_numbers(self) -> bool:
        """Return whether each partition is made from just the one of the same number."""
        ...

    @property
    def single(self) -> bool:
        """Return whether a partition is mostly made from just one."""
        ...

    def up(self, value: Value) -> Value:
        """Return all that any of `value` is made from."""
        ...

    def down(self, value: Value) -> Value:
        """Return all that is made from any of `value`."""
        ...


@dataclass(frozen=True, slots=True)
class OverlapWay:
    """Windows that overlap those of a partition, moved by numbers of windows: before (its own) or after (upstream)."""

    own: TimeWindowPartitionsDefinition
    upstream: TimeWindowPartitionsDefinition
    before: tuple[int, int] = (0, 0)
    after: tuple[int, int] = (0, 0)

    @property
    def same_numbers(self) -> bool:
        """Return whether both have one grid, and nothing is moved."""
        return self.before == self.after == (0, 0) and self.own.grid == self.upstream.grid

    @property
    def single(self) -> bool:
        """Return whether one window is looked at, and those upstream are not shorter."""
        one = self.before[0] == self.before[1] and self.after[0] == self.after[1]
        return one and self.own.typical_length <= self.upstream.typical_length

    def up(self, value: Value) -> Value:
        """Return the windows that overlap any of the moved ones."""
        assert isinstance(value, Parts)
        return _overlapping(self.own, self.upstream, value.widened(*self.before)).widened(*self.after)

    def down(self, value: Value) -> Value:
        """Return the windows whose moved ones overlap any of `value`."""
        assert isinstance(value, Parts)
        moved = value.widened(-self.after[1], -self.after[0])
        return _overlapping(self.upstream, self.own, moved).widened(-self.before[1], -self.before[0])

    def edges(self, first: int, stop: int) -> Iterator[tuple[int, Parts]]:
        """Yield each number with all it is made from: as `up` of each, in a fraction of the time."""
        own, upstream = self.own, self.upstream
        if self.before != (0, 0) or not own.gapless or own.grid == upstream.grid:
            for number in range(first, stop):
                found = self.up(Parts.range(number, number + 1))
                assert isinstance(found, Parts)
                yield number, found
            return
        low, high = self.after
        start = own.window_of(first)[0]
        for number in range(first, stop):
            end = own.window_of(number)[1]
            begun, ended = upstream.span(start, end)
            yield number, Parts.range(begun + low, ended + high) if begun < ended else NOTHING
            start = end


def _overlapping(of: TimeWindowPartitionsDefinition, among: TimeWindowPartitionsDefinition, numbers: Parts) -> Parts:
    """Return the windows of `among` that overlap any of those of `of` with these numbers."""
    if of.grid == among.grid:
        return numbers  # a window goes with its namesake alone, also where windows of one grid overlap each other
    return Parts({"": (among.span(start, end) for start, end in _times(of, numbers))})


def _times(definition: TimeWindowPartitionsDefinition, numbers: Parts) -> Iterator[tuple[datetime, datetime]]:
    for _, first, stop in numbers.within(definition.lowest, None).spans():
        if definition.gapless:
            yield definition.window_of(first)[0], definition.window_of(stop - 1)[1]
        else:
            yield from map(definition.window_of, range(first, stop))


@dataclass(frozen=True, slots=True)
class SameKeys:
    """Equal keys; whether they have equal numbers is a matter of the tables."""

    same_numbers = False
    single = True

    def up(self, value: Value) -> Value:
        """Return the same keys."""
        return value

    def down(self, value: Value) -> Value:
        """Return the same keys."""
        return value


@dataclass(frozen=True, slots=True)
class ListedKeys:
    """Keys that a mapping lists for each key."""

    listed: Mapping[str, tuple[str, ...]]

    same_numbers = False

    @property
    def single(self) -> bool:
        """Return whether no key has more than one listed."""
        return all(len(each) <= 1 for each in self.listed.values())

    def __hash__(self) -> int:
        return hash(tuple(self.listed.items()))

    def up(self, value: Value) -> Value:
        """Return what is listed for any of the keys."""
        return tuple(dict.fromkeys(each for key in _keys(value) for each in self.listed.get(key, ())))

    def down(self, value: Value) -> Value:
        """Return the keys for which any of `value` is listed."""
        wanted = set(_keys(value))
        return tuple(key for key, listed in self.listed.items() if not wanted.isdisjoint(listed))


def _keys(value: Value) -> Iterable[str]:
    assert not isinstance(value, Parts)
    return value


def meets(one: Value, two: Value) -> bool:
    """Tell whether two values of a dimension have something in common.

    >>> meets(("eu", "us"), ("us",)), meets(Parts.range(0, 3), Parts.range(3, 5))
    (True, False)
    """
    if isinstance(one, Parts):
        return isinstance(two, Parts) and bool(one & two)
    return not isinstance(two, Parts) and not set(one).isdisjoint(two)


def is_time(definition: PartitionsDefinition) -> bool:
    """Tell whether a definition of one dimension is of windows of time.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> is_time(StaticPartitionsDefinition(["eu"]))
    False
    """
    return isinstance(definition, TimeWindowPartitionsDefinition)
