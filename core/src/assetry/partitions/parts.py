"""Sets of partitions: by number, as sorted ranges, so that a year of hours costs as much as one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, Self

#: Sorted numbers at each of which a set begins or ends: `(3, 7, 9, 10)` are 3, 4, 5, 6 and 9.
Bounds = tuple[int, ...]


class Numbered(Protocol):
    """What says which partition a number is: a `PartitionsDefinition`."""

    @property
    def typical_length(self) -> float | None:
        """Return how many seconds a window mostly takes; None without time."""
        ...

    def key(self, number: int, strand: str = "") -> str:
        """Return the key of a number."""
        ...

    def strand(self, key: str) -> str:
        """Return the strand of a key."""
        ...

    def range_of(self, first: str, last: str) -> tuple[int, int]:
        """Return the numbers from one key to another, the second outside."""
        ...

    def text_of(self, parts: Any) -> str:
        """Return a set as people write it."""
        ...


class Parts:
    """An immutable set of partitions of one asset.

    A partition is a number in a strand, see `PartitionsDefinition.number`: the strand is ``""`` but where partitions
    have several dimensions. All operations take time in proportion to the number of ranges.

    >>> days = Parts.range(0, 10) - Parts.range(3, 5)
    >>> days, len(days), 3 in days, 5 in days
    (Parts({'': [(0, 3), (5, 10)]}), 8, False, True)
    >>> days & Parts.range(2, 6) == Parts.of([2, 5])
    True
    """

    __slots__ = ("_strands",)

    def __init__(self, ranges: Mapping[str, Iterable[tuple[int, int]]] | None = None) -> None:
        """Make the set of half-open `ranges` by strand; they may overlap and stand in any order."""
        found = {strand: _bounds(each) for strand, each in (ranges or {}).items()}
        self._strands: dict[str, Bounds] = {strand: found[strand] for strand in sorted(found) if found[strand]}

    @classmethod
    def range(cls, first: int, stop: int, strand: str = "") -> Self:
        """Return the numbers from `first` up to `stop`, which is outside; none when it is not later.

        >>> len(Parts.range(0, 31))
        31
        """
        return cls._made({strand: (first, stop)} if first < stop else {})

    @classmethod
    def of(cls, numbers: Iterable[int], strand: str = "") -> Self:
        """Return the set of single numbers of one strand.

        >>> Parts.of([3, 1, 2])
        Parts({'': [(1, 4)]})
        """
        return cls({strand: ((number, number + 1) for number in numbers)})

    @classmethod
    def at(cls, places: Iterable[tuple[str, int]]) -> Self:
        """Return the set of single partitions, each given as strand and number.

        >>> Parts.at([("eu", 1), ("us", 2), ("eu", 2)])
        Parts({'eu': [(1, 3)], 'us': [(2, 3)]})
        """
        return cls.of_spans((strand, number, number + 1) for strand, number in places)

    @classmethod
    def of_spans(cls, spans: Iterable[tuple[str, int, int]]) -> Self:
        """Return the set of ranges of partitions, each given as `spans` yields it.

        >>> Parts.of_spans([("eu", 1, 3), ("us", 2, 3), ("eu", 3, 4)])
        Parts({'eu': [(1, 4)], 'us': [(2, 3)]})
        """
        if isinstance(spans, list) and len(spans) == 1:  # as nearly all partitions are that were made alike
            ((strand, first, stop),) = spans
            return cls.range(first, stop, strand)
        ranges: dict[str, list[tuple[int, int]]] = {}
        for strand, first, stop in spans:
            ranges.setdefault(strand, []).append((first, stop))
        return cls(ranges)

    @classmethod
    def _made(cls, strands: dict[str, Bounds]) -> Self:
        parts = object.__new__(cls)
        parts._strands = strands
        return parts

    # -- as a set ------------------------------------------------------------------------------------------------

    # Nearly always a set meets itself, or nothing.

    def __or__(self, other: Parts) -> Parts:
        if not other._strands or self._strands == other._strands:
            return self
        return self._with(other, (False, True, True, True)) if self._strands else other

    def __and__(self, other: Parts) -> Parts:
        if not self._strands or self._strands == other._strands:
            return self
        return self._with(other, (False, False, False, True)) if other._strands else other

    def __sub__(self, other: Parts) -> Parts:
        if not self._strands or not other._strands:
            return self
        return NOTHING if self._strands == other._strands else self._with(other, (False, False, True, False))

    def _with(self, other: Parts, kept: tuple[bool, bool, bool, bool]) -> Parts:
        mine, theirs = self._strands, other._strands
        names = sorted({*mine, *theirs}) if mine.keys() != theirs.keys() else mine
        found = {name: _combined(mine.get(name, ()), theirs.get(name, ()), kept) for name in names}
        return Parts._made({name: bounds for name, bounds in found.items() if bounds})

    def __contains__(self, part: object) -> bool:
        strand, number = part if isinstance(part, tuple) else ("", part)
        return bisect_right(self._strands.get(strand, ()), number) % 2 == 1

    def __len__(self) -> int:
        return sum(stop - first for _, first, stop in self.spans())

    def __bool__(self) -> bool:
        return bool(self._strands)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Yield each partition as strand and number, in their order."""
        for strand, first, stop in self.spans():
            for number in range(first, stop):
                yield strand, number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parts) and self._strands == other._strands

    def __hash__(self) -> int:
        return hash(tuple(self._strands.items()))

    def __le__(self, other: Parts) -> bool:
        return not self - other

    # -- its pieces ----------------------------------------------------------------------------------------------

    @property
    def strands(self) -> tuple[str, ...]:
        """Return the strands that have partitions in the set, sorted.

        >>> (Parts.of([1], "eu") | Parts.of([1], "us")).strands
        ('eu', 'us')
        """
        return tuple(self._strands)

    def numbers(self, strand: str) -> Parts:
        """Return what the set has in one strand, as a set of numbers: of the strand ``""``.

        >>> (Parts.of([1], "eu") | Parts.of([2], "us")).numbers("us")
        Parts({'': [(2, 3)]})
        """
        bounds = self._strands.get(strand)
        return Parts._made({"": bounds} if bounds else {})

    @classmethod
    def of_strands(cls, numbers: Mapping[str, Parts]) -> Self:
        """Return the set that has in each strand the numbers of a set; see `numbers`.

        >>> Parts.of_strands({"eu": Parts.of([1]), "us": Parts()})
        Parts({'eu': [(1, 2)]})
        """
        found = {strand: bounds for strand in sorted(numbers) if (bounds := numbers[strand]._strands.get(""))}
        return cls._made(found)

    def within(self, first: int | None, stop: int | None) -> Parts:
        """Return the partitions of every strand whose number is at least `first` and below `stop`.

        >>> Parts.range(0, 10).within(3, None).within(None, 5)
        Parts({'': [(3, 5)]})
        """
        found = {name: _cut(bounds, first, stop) for name, bounds in self._strands.items()}
        return Parts._made({name: bounds for name, bounds in found.items() if bounds})

    def widened(self, before: int, after: int) -> Parts:
        """Return the set with each number `n` replaced by all from `n + before` to `n + after`, both inside.

        >>> Parts.of([10]).widened(-2, 0), Parts.of([10]).widened(-1, -1)
        (Parts({'': [(8, 11)]}), Parts({'': [(9, 10)]}))
        """
        return Parts(
            {name: ((a + before, b + after) for a, b in _pairs(bounds)) for name, bounds in self._strands.items()}
        )

    def spans(self) -> Iterator[tuple[str, int, int]]:
        """Yield the ranges: strand, first number, and the number behind the last.

        >>> list(Parts.of([1, 2, 4]).spans())
        [('', 1, 3), ('', 4, 5)]
        """
        for strand, bounds in self._strands.items():
            for first, stop in _pairs(bounds):
                yield strand, first, stop

    def first(self, count: int) -> Parts:
        """Return the first `count` partitions of every strand.

        >>> Parts.of([1, 2, 4]).first(2)
        Parts({'': [(1, 3)]})
        """
        return Parts._made({name: kept for name, bounds in self._strands.items() if (kept := _first(bounds, count))})

    def last(self, count: int) -> Parts:
        """Return the last `count` partitions of every strand.

        >>> Parts.of([1, 2, 4]).last(2)
        Parts({'': [(2, 3), (4, 5)]})
        """
        turned = {name: tuple(-each for each in reversed(bounds)) for name, bounds in self._strands.items()}
        kept = {name: _first(bounds, count) for name, bounds in turned.items()}
        return Parts._made({name: tuple(-each for each in reversed(bounds)) for name, bounds in kept.items() if bounds})

    # -- for people, and as JSON ---------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"Parts({ {name: list(_pairs(bounds)) for name, bounds in self._strands.items()} })"

    def text(self, definition: Numbered) -> str:
        """Return the set as people write it, see `assetry.partitions.text`.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> days = DailyPartitionsDefinition("2026-01-01")
        >>> days.parts_of(["2026-01-03", "2026-01-04", "2026-01-01"]).text(days)
        '2026-01-01, 2026-01-03..2026-01-04'
        """
        return definition.text_of(self)

    def to_json(self, definition: Numbered) -> list[list[str]]:
        """Return the ranges by their first and their last key; without time, where keys have no order, each key.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> days = DailyPartitionsDefinition("2026-01-01")
        >>> days.parts_of(["2026-01-03", "2026-01-04", "2026-01-01"]).to_json(days)
        [['2026-01-01', '2026-01-01'], ['2026-01-03', '2026-01-04']]
        """
        if definition.typical_length is None:
            return [[key, key] for strand, number in self for key in (definition.key(number, strand),)]
        return [
            [definition.key(first, strand), definition.key(stop - 1, strand)] for strand, first, stop in self.spans()
        ]

    @classmethod
    def from_json(cls, data: Any, definition: Numbered) -> Parts:
        """Return the set that `to_json` wrote; raise `UsageError` for a key that is none, or a range backwards.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> days = DailyPartitionsDefinition("2026-01-01")
        >>> len(Parts.from_json([["2026-01-01", "2026-01-31"]], days))
        31
        """
        ranges: dict[str, list[tuple[int, int]]] = {}
        for first, last in data:
            ranges.setdefault(definition.strand(first), []).append(definition.range_of(first, last))
        return cls(ranges)


#: An unpartitioned asset, where it stands beside partitioned ones: it has one part, of number 0.
WHOLE = Parts.range(0, 1)
NOTHING = Parts()


def _pairs(bounds: Bounds) -> Iterator[tuple[int, int]]:
    return zip(bounds[::2], bounds[1::2], strict=True)


def _bounds(ranges: Iterable[tuple[int, int]]) -> Bounds:
    out: list[int] = []
    for first, stop in sorted(ranges):
        if first >= stop:
            continue
        if out and first <= out[-1]:
            out[-1] = max(out[-1], stop)
        else:
            out += (first, stop)
    return tuple(out)


def _combined(one: Bounds, two: Bounds, kept: tuple[bool, bool, bool, bool]) -> Bounds:
    """Return the set of what `kept` says: whether what is in none, only in `two`, only in `one`, in both is."""
    if not two:
        return one if kept[2] else ()
    if not one:
        return two if kept[1] else ()
    i = j = 0
    inside = False
    out: list[int] = []
    ends, others = len(one), len(two)
    while i < ends or j < others:
        if j == others or (i < ends and one[i] < two[j]):
            at = one[i]
            i += 1
        elif i == ends or two[j] < one[i]:
            at = two[j]
            j += 1
        else:
            at = one[i]
            i += 1
            j += 1
        # Behind an odd number of bounds one is inside a range.
        if kept[(i & 1) * 2 + (j & 1)] != inside:
            out.append(at)
            inside = not inside
    return tuple(out)


def _cut(bounds: Bounds, first: int | None, stop: int | None) -> Bounds:
    if stop is not None:
        i = bisect_right(bounds, stop - 1)
        bounds = (*bounds[:i], stop) if i % 2 else bounds[:i]
    if first is not None:
        i = bisect_right(bounds, first)
        bounds = (first, *bounds[i:]) if i % 2 else bounds[i:]
    return bounds


def _first(bounds: Bounds, count: int) -> Bounds:
    for i in range(0, len(bounds), 2):
        size = bounds[i + 1] - bounds[i]
        if size >= count:
            return (*bounds[:i], bounds[i], bounds[i] + count) if count > 0 else bounds[:i]
        count -= size
    return bounds
