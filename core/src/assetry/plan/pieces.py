"""Wanted partitions in pieces: which of them one invocation makes, so that each is made once, by the fewest.

Every asset wants a set of partitions. A tool that takes one partition at a time gets a piece for each. One that takes
ranges gets a piece for each range; assets of one group whose pieces span the same time share an invocation. What is
called in assetry's own process (not counted) stays in one piece, or in one for each set of its assets; where it takes
ranges, it gets a piece for each, of one strand.

**Cuts.** Ranges of several assets that begin or end at the same moments may need fewer invocations when they are cut
there: a day-range that is another two together. Look at the moments as points and at the ranges as lines between them.
However they are cut, two moments that are joined by lines stay joined; so of `n` moments that hang together there are
`n - 1` pieces at least. To cut every range at all moments that hang together with it gives just these. It is done where
there are more ranges than that.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from assetry.partitions.parts import Parts
from assetry.partitions.recorded import time_of
from assetry.plan.numbering import bounds_of

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition

#: The most partitions that one invocation is given.
MOST = 10_000
_SOON = timedelta(microseconds=1)
#: Bounds of a range in time, in UTC, and the strands that have it.
_Line = tuple[datetime, datetime, tuple[str, ...]]


class Piece(NamedTuple):
    """Partitions of an asset that one invocation makes; pieces of a group with the same `span` may share one."""

    parts: Parts
    span: Hashable


class Want(NamedTuple):
    """The partitions of one asset that are to be made."""

    definition: PartitionsDefinition
    parts: Parts


def each(wants: Sequence[Want]) -> list[list[Piece]]:
    """Return for each asset a piece for every single partition, in their order.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> regions = StaticPartitionsDefinition(["eu", "us"])
    >>> [len(pieces) for pieces in each([Want(regions, Parts.range(0, 2))])]
    [2]
    """
    return [
        [Piece(Parts.range(n, n + 1, strand), _name(want, strand, n)) for strand, n in want.parts] for want in wants
    ]


def _name(want: Want, strand: str, number: int) -> Hashable:
    windows = time_of(want.definition)
    return want.definition.key(number, strand) if windows is None else (windows.grid, strand, number)


def together(wants: Sequence[Want]) -> list[list[Piece]]:
    """Return for each asset its partitions, parted by which of the assets want them: so each call makes all it can.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> letters = StaticPartitionsDefinition(["a", "b", "c"])
    >>> found = together([Want(letters, Parts.range(0, 2)), Want(letters, Parts.range(1, 3))])
    >>> [[len(piece.parts) for piece in pieces] for pieces in found], found[0][1] == found[1][0]
    ([[1, 1], [1, 1]], True)
    """
    classes: dict[Hashable, list[Parts]] = {}
    for want in wants:
        classes[want.definition.grid] = _parted(classes.get(want.definition.grid, []), want.parts)
    ordered = {grid: sorted(parts, key=lambda each: next(each.spans())) for grid, parts in classes.items()}
    return [
        [Piece(parts, (want.definition.grid, parts)) for parts in ordered[want.definition.grid] if parts & want.parts]
        for want in wants
    ]


def _parted(classes: Iterable[Parts], parts: Parts) -> list[Parts]:
    found: list[Parts] = []
    for known in classes:
        both = known & parts
        found += [part for part in (both, known - both) if part]
        parts -= both
    return [*found, parts] if parts else found


def ranges(wants: Sequence[Want], most: int | None = None, *, apart: bool = False) -> list[list[Piece]]:
    """Return for each asset the ranges of its partitions; without time, where there are none, all in one piece.

    No piece has more than `most` partitions. Strands that have the same range share a piece, but where they are to
    stay `apart`.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> days = DailyPartitionsDefinition("2026-01-01")
    >>> [len(pieces) for pieces in ranges([Want(days, Parts.range(20500, 20510) | Parts.of([20520]))])]
    [2]
    >>> [len(piece.parts) for piece in ranges([Want(days, Parts.range(20500, 20510))], 4)[0]]
    [4, 4, 2]
    """
    most = MOST if most is None else max(1, min(most, MOST))
    found: list[list[Piece]] = [[] for _ in wants]
    lines: list[dict[_Line, tuple[int, int]]] = [{} for _ in wants]
    listed: list[int] = []
    for at, want in enumerate(wants):
        if want.definition.typical_length is None:
            listed.append(at)
        else:
            lines[at] = dict(_lines(want, apart))
    for at, pieces in zip(listed, _listed([wants[at] for at in listed]), strict=True):
        found[at] = [small for piece in pieces for small in _in_parts(piece, most)]
    owners: dict[_Line, list[PartitionsDefinition]] = {}
    for want, own in zip(wants, lines, strict=True):
        for line in own:
            owners.setdefault(line, []).append(want.definition)
    cuts = _cuts(owners)
    for at, own in enumerate(lines):
        for line, (first, stop) in own.items():
            for begin, end in _cut(wants[at].definition, first, stop, cuts.get(line, ())):
                found[at] += _of_size(wants[at].definition, begin, end, line[2], most)
        found[at].sort(key=lambda piece: next(piece.parts.spans())[1:])
    return found


def _listed(wants: Sequence[Want]) -> list[list[Piece]]:
    whole = [[Piece(want.parts, (want.definition.grid, want.parts))] for want in wants]
    parted = together(wants)
    fewer = len({piece for pieces in parted for piece in pieces}) < len({piece for pieces in whole for piece in pieces})
    return parted if fewer else whole


def _in_parts(piece: Piece, most: int) -> Iterator[Piece]:
    """Yield the partitions of a piece, as many at a time as an invocation is given."""
    left = piece.parts
    while len(left) > most:
        part = left.first(most)
        yield Piece(part, (piece.span, part))
        left -= part
    yield Piece(left, (piece.span, left)) if left != piece.parts else piece


def _lines(want: Want, apart: bool) -> Iterator[tuple[_Line, tuple[int, int]]]:
    strands: dict[tuple[int, int], list[str]] = {}
    for strand, first, stop in want.parts.spans():
        strands.setdefault((first, stop), []).append(strand)
    for (first, stop), alike in strands.items():
        start, end = (each.astimezone(UTC) for each in bounds_of(want.definition, first, stop))
        for some in ([strand] for strand in alike) if apart else (alike,):
            yield (start, end, tuple(some)), (first, stop)


def _cuts(owners: Mapping[_Line, Sequence[PartitionsDefinition]]) -> Mapping[_Line, Sequence[datetime]]:
    """Return the moments at which lines are to be cut, of those where it makes them fewer."""
    above: dict[Hashable, Hashable] = {}

    def root(point: Hashable) -> Hashable:
        while above.setdefault(point, point) != point:
            above[point] = point = above[above[point]]
        return point

    for start, end, strands in owners:
        above[root((start, strands))] = root((end, strands))
    hanging: dict[Hashable, list[_Line]] = {}
    for line in owners:
        hanging.setdefault(root((line[0], line[2])), []).append(line)
    cuts: dict[_Line, Sequence[datetime]] = {}
    for alike in hanging.values():
        points = sorted({point for line in alike for point in line[:2]})
        if len(alike) < len(points):
            continue
        inner = {line: [point for point in points if line[0] < point < line[1]] for line in alike}
        # A month cannot be cut where only days begin.
        if all(_begins(each, point) for line in alike for each in owners[line] for point in inner[line]):
            cuts.update(inner)
    return cuts


def _at(definition: PartitionsDefinition, moment: datetime) -> int:
    return definition.span(moment, moment + _SOON)[0]


def _begins(definition: PartitionsDefinition, moment: datetime) -> bool:
    windows = time_of(definition)
    return windows is not None and windows.first_from(moment) == _at(definition, moment)


def _cut(definition: PartitionsDefinition, first: int, stop: int, at: Sequence[datetime]) -> Iterator[tuple[int, int]]:
    begin = first
    for number in (*(_at(definition, moment) for moment in at), stop):
        yield begin, number
        begin = number


def _of_size(
    definition: PartitionsDefinition, first: int, stop: int, strands: tuple[str, ...], most: int
) -> Iterator[Piece]:
    """Yield a range as a piece, or as several where it has more partitions than an invocation is given."""
    for at in range(0, len(strands), most):
        some = strands[at : at + most]
        size = most // len(some)
        for begin in range(first, stop, size):
            end = min(begin + size, stop)
            window = tuple(each.astimezone(UTC) for each in bounds_of(definition, begin, end))
            yield Piece(Parts({strand: [(begin, end)] for strand in some}), (window, some))
