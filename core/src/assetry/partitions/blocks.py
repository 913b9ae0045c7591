"""What is recorded of partitions, 256 of a strand together, as bytes: written, compared and changed as a whole.

A block has columns with a cell for each partition: its own version; for each input the version that was read; the id
of its trace, which says what the inputs are; the time that its data reaches to; its run; bits of its state. A cell of
zeros says that nothing is known. Where an input has the same numbers and nothing has changed, its column is byte for
byte that of the input's own versions, so that 256 partitions are compared at once.

Layout: a head (format, number of inputs, number of cells), then the columns in the order above; numbers are big-endian.
Cells after the last that is known are left out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assetry.errors import StoreError
from assetry.partitions.parts import Parts

#: How many partitions a block has.
BLOCK = 256
#: How many bytes of a version are kept; two are only ever compared with each other, never looked up.
VERSION_BYTES = 8
#: The version of what is not known, or not there.
NO_VERSION = bytes(VERSION_BYTES)

#: Bits of a partition's state: it is made; its last try failed; a check of it failed.
MADE, FAILED, CHECK_FAILED = 1, 2, 4

#: By bit: which states have it, to translate a column; and how to find what has.
_HAS = {bit: bytes(bool(state & bit) for state in range(256)) for bit in (MADE, FAILED, CHECK_FAILED)}
_RUNS = re.compile(rb"\x01+")

_FORMAT = 1
_HEAD = struct.Struct(">BHH")
#: Bytes of the cells behind the versions: trace, time, run, state.
_WIDTHS = (2, 4, 4, 1)
_SUMS = 1 << 128


class Cell(NamedTuple):
    """What a block says of one partition.

    `version` and `inputs` are of `VERSION_BYTES`, see `version_digest`; `trace` is the id of what the inputs are,
    below 65536; `as_of` in seconds since 1970, 0 when it is not known; `run` the number of a run; `state` bits.
    """

    version: bytes = NO_VERSION
    inputs: tuple[bytes, ...] = ()
    trace: int = 0
    as_of: int = 0
    run: int = 0
    state: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """The records of the partitions with the numbers from `number * BLOCK` on; a partition's place is the rest.

    >>> block = Block(76).changed({3: Cell(version_digest("v1"), (version_digest("a"),), trace=1, state=MADE)})
    >>> block.cell(3).trace, block.cell(4) == Cell(inputs=(NO_VERSION,)), len(block.body)
    (1, True, 113)
    >>> Block(76, block.body) == block
    True
    """

    number: int
    body: bytes = _HEAD.pack(_FORMAT, 0, 0)

    def __post_init__(self) -> None:
        kind, inputs, cells = _HEAD.unpack_from(self.body) if len(self.body) >= _HEAD.size else (0, 0, 0)
        if kind != _FORMAT or cells > BLOCK or len(self.body) != _HEAD.size + cells * sum(_widths(inputs)):
            raise StoreError(
                f"The records of block {self.number} cannot be read: {len(self.body)} bytes of format {kind}.",
                hint="They were written by another version of assetry, or are damaged.",
            )

    @property
    def inputs(self) -> int:
        """Return how many columns of inputs there are."""
        found: int = _HEAD.unpack_from(self.body)[1]
        return found

    @property
    def cells(self) -> int:
        """Return how many cells are kept: those after the last that is known are not."""
        found: int = _HEAD.unpack_from(self.body)[2]
        return found

    @property
    def versions(self) -> bytes:
        """Return the column of the partitions' own versions."""
        return self._column(0)

    def read(self, number: int) -> bytes:
        """Return the column of the versions that were read of an input, by its position; empty for one too many."""
        return self._column(1 + number) if number < self.inputs else b""

    def cell(self, place: int) -> Cell:
        """Return what is known of one partition."""
        if place >= self.cells:
            return Cell(inputs=(NO_VERSION,) * self.inputs)
        version, *inputs = (self._cell(column, place) for column in range(1 + self.inputs))
        numbers = (int.from_bytes(self._cell(column, place)) for column in range(1 + self.inputs, self.inputs + 5))
        return Cell(version, tuple(inputs), *numbers)

    def changed(self, cells: Mapping[int, Cell]) -> Block:
        """Return the block with other cells at some places; where one has more inputs, all get columns for them.

        Raises `ValueError` for a place that is none, and for a version of another length.
        """
        if not cells:
            return self
        if min(cells) < 0 or max(cells) >= BLOCK:
            raise ValueError(f"a block has the places 0 to {BLOCK - 1}, not {sorted(cells)}")
        inputs = max(self.inputs, *(len(cell.inputs) for cell in cells.values()))
        count = max(self.cells, max(cells) + 1)
        old = self._columns()
        gained = [b""] * (inputs - self.inputs)
        columns = [bytearray(each) for each in (*old[: 1 + self.inputs], *gained, *old[1 + self.inputs :])]
        widths = _widths(inputs)
        for column, width in zip(columns, widths, strict=True):
            column.extend(bytes(count * width - len(column)))
        for place, cell in cells.items():
            read = (*cell.inputs, *(NO_VERSION,) * (inputs - len(cell.inputs)))
            numbers = (cell.trace, cell.as_of, cell.run, cell.state)
            values = (cell.version, *read, *(each.to_bytes(size) for each, size in zip(numbers, _WIDTHS, strict=True)))
            for column, width, value in zip(columns, widths, values, strict=True):
                if len(value) != width:
                    raise ValueError(f"a version has {width} bytes, not {len(value)}")
                column[place * width : (place + 1) * width] = value
        return Block(self.number, _HEAD.pack(_FORMAT, inputs, count) + b"".join(columns))

    def differing(self, number: int, now: bytes) -> Parts:
        """Return the numbers of partitions that read another version of an input than it has now.

        `now` is the column of the versions that the partitions would read, as `versions` of the input's block is, or
        as `column_of` makes it. Versions that were not known when they were read, or are not now, are no difference.

        >>> read = Block(0).changed({place: Cell(b"version1", (b"input--1",)) for place in (0, 1)})
        >>> read.differing(0, b"input--1input--2")
        Parts({'': [(1, 2)]})
        """
        then = self.read(number)
        if then == now:  # nearly always: one comparison of memory
            return Parts()
        size = min(len(then), len(now))
        different = []
        for place in range(0, size, VERSION_BYTES):
            one, two = then[place : place + VERSION_BYTES], now[place : place + VERSION_BYTES]
            if one != two and one != NO_VERSION and two != NO_VERSION:
                different.append(self.number * BLOCK + place // VERSION_BYTES)
        return Parts.of(different)

    def with_state(self, bit: int) -> Parts:
        """Return the numbers of the partitions whose state has a bit.

        >>> Block(1).changed({0: Cell(state=MADE), 2: Cell(state=MADE | FAILED)}).with_state(FAILED)
        Parts({'': [(258, 259)]})
        """
        has = self._column(self.inputs + 4).translate(_HAS[bit])
        begin = self.number * BLOCK
        return Parts({"": ((begin + run.start(), begin + run.end()) for run in _RUNS.finditer(has))})

    def by_trace(self) -> dict[int, Parts]:
        """Return the numbers of the partitions that are made, by the id of their trace.

        >>> Block(0).changed({0: Cell(trace=1, state=MADE), 1: Cell(trace=2, state=MADE)}).by_trace()
        {1: Parts({'': [(0, 1)]}), 2: Parts({'': [(1, 2)]})}
        """
        begin, column = self.number * BLOCK, self._column(1 + self.inputs)
        found: dict[int, list[tuple[int, int]]] = {}
        for _, first, stop in self.with_state(MADE).spans():
            piece = column[2 * (first - begin) : 2 * (stop - begin)]
            if piece == piece[:2] * (stop - first):  # of one trace, as is usual
                found.setdefault(int.from_bytes(piece[:2]), []).append((first, stop))
                continue
            for number, (trace,) in enumerate(struct.iter_unpack(">H", piece), first):
                found.setdefault(trace, []).append((number, number + 1))
        return {trace: Parts({"": found[trace]}) for trace in sorted(found)}

    def content_sum(self) -> int:
        """Return the sum of `content_hash` of all partitions with a version; it does not depend on their order."""
        versions = self.versions
        begin = self.number * BLOCK
        cells = (versions[place : place + VERSION_BYTES] for place in range(0, len(versions), VERSION_BYTES))
        return sum(content_hash(begin + place, version) for place, version in enumerate(cells)) % _SUMS

    def _columns(self) -> list[bytes]:
        return [self._column(number) for number in range(self.inputs + 5)]

    def _column(self, number: int) -> bytes:
        widths = _widths(self.inputs)
        begin = _HEAD.size + self.cells * sum(widths[:number])
        return self.body[begin : begin + self.cells * widths[number]]

    def _cell(self, number: int, place: int) -> bytes:
        widths = _widths(self.inputs)
        begin = _HEAD.size + self.cells * sum(widths[:number]) + place * widths[number]
        return self.body[begin : begin + widths[number]]


def _widths(inputs: int) -> tuple[int, ...]:
    return ((VERSION_BYTES,) * (1 + inputs)) + _WIDTHS


def blocks_of(parts: Parts) -> Iterator[tuple[str, int, range]]:
    """Yield the blocks that partitions lie in: strand, number of the block, and the places in it.

    >>> list(blocks_of(Parts.range(250, 260)))
    [('', 0, range(250, 256)), ('', 1, range(0, 4))]
    """
    for strand, first, stop in parts.spans():
        for block in range(first // BLOCK, (stop - 1) // BLOCK + 1):
            begin = block * BLOCK
            yield strand, block, range(max(first - begin, 0), min(stop - begin, BLOCK))


def column_of(versions: Mapping[int, bytes]) -> bytes:
    """Return versions by place as a column, to compare with what was read; places between them are not known.

    >>> column_of({1: b"version1"})
    b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00version1'
    """
    return b"".join(versions.get(place, NO_VERSION) for place in range(max(versions, default=-1) + 1))


def version_digest(version: str | None) -> bytes:
    """Return a data version as it stands in a block; the empty one, and None, are not known.

    >>> len(version_digest("v1")), version_digest("") == NO_VERSION
    (8, True)
    """
    return _digest(version.encode("utf-8", "backslashreplace")) if version else NO_VERSION


def joint_digest(versions: Sequence[bytes]) -> bytes:
    """Return the version of several partitions together, in their order; that of none is not known.

    >>> joint_digest([b"version1", b"version2"]) == joint_digest([b"version2", b"version1"])
    False
    """
    return _digest(b"".join(versions)) if any(version != NO_VERSION for version in versions) else NO_VERSION


def content_hash(number: int, version: bytes) -> int:
    """Return what a partition adds to the sum of its strand, below 2¹²⁸; 0 without a version.

    Two sums are equal when the same partitions have the same versions, and a change is kept up by adding the new hash
    and taking the old one away.

    >>> content_hash(1, NO_VERSION), content_hash(1, b"version1") == content_hash(2, b"version1")
    (0, False)
    """
    if version == NO_VERSION:
        return 0
    from hashlib import blake2b

    return int.from_bytes(blake2b(struct.pack(">q", number) + version, digest_size=16).digest())


def _digest(data: bytes) -> bytes:
    from hashlib import blake2b

    digest = blake2b(data, digest_size=VERSION_BYTES).digest()
    # One in 2⁶⁴ would read as nothing.
    return digest if digest != NO_VERSION else b"\x01" * VERSION_BYTES
