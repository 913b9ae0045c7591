"""What is recorded of one strand of partitions, as columns of bytes: kept, compared and changed as a whole.

A strand has columns with a cell for each number from its first to its last: the partition's own version; for each input
the version that was read; when it was made; in which run; the moment that its data reaches; the id of its trace, which
says what the inputs are, 0 where nothing is recorded. Where an input has the same numbers and nothing has changed, its
column is byte for byte that of the input's own versions, so that any number of partitions is verified by one comparison
of memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

#: How many bytes of a version are kept; two are only ever compared with each other, never looked up.
VERSION_BYTES = 8
#: The version of what is not known, or not there.
NO_VERSION = bytes(VERSION_BYTES)

#: The bytes of a cell of the columns behind those of the inputs: time in microseconds since 1970 (when it was made, and
#: which moment its data reaches), run, trace.
_AT, _RUN, _TRACE = 8, VERSION_BYTES, 4
_FORMAT = 2
#: Format, inputs, first number, cells.
_HEAD = struct.Struct(">BHqQ")
_SUMS = 1 << 128


class Cell(NamedTuple):
    """What a strand says of one partition.

    `version` and `inputs` are of `VERSION_BYTES`, see `version_digest`, and so is `run`; `at` and `as_of`, the moment
    that the data reaches, in microseconds since 1970; `trace` is the id of what the inputs are, 0 for a partition
    without a record.
    """

    version: bytes = NO_VERSION
    inputs: tuple[bytes, ...] = ()
    at: int = 0
    run: bytes = NO_VERSION
    trace: int = 0
    as_of: int = 0


@dataclass(frozen=True, slots=True)
class Strand:
    """The records of the partitions with the numbers from `first` on.

    >>> strand = Strand().changed({20454: Cell(version_digest("v1"), (version_digest("a"),), at=5, trace=1)})
    >>> strand.cell(20454).at, strand.cell(20455).trace, len(strand)
    (5, 0, 1)
    >>> Strand.from_bytes(strand.to_bytes()) == strand
    True
    """

    first: int = 0
    versions: bytes = b""
    read: tuple[bytes, ...] = ()
    at: bytes = b""
    runs: bytes = b""
    traces: bytes = b""
    as_of: bytes = b""

    def __len__(self) -> int:
        return len(self.traces) // _TRACE

    @property
    def stop(self) -> int:
        """Return the number behind the last cell."""
        return self.first + len(self)

    def cell(self, number: int) -> Cell:
        """Return what is recorded of one partition."""
        place = number - self.first
        if not 0 <= place < len(self):
            return Cell(inputs=(NO_VERSION,) * len(self.read))
        wide = slice(place * VERSION_BYTES, (place + 1) * VERSION_BYTES)
        return Cell(
            self.versions[wide],
            tuple(column[wide] for column in self.read),
            int.from_bytes(self.at[wide], signed=True),
            self.runs[wide],
            int.from_bytes(self.traces[place * _TRACE : (place + 1) * _TRACE]),
            int.from_bytes(self.as_of[wide], signed=True),
        )

    def versions_of(self, first: int, stop: int) -> bytes:
        """Return the column of the own versions from one number to another; zeros where nothing is recorded.

        >>> Strand(5, b"version1", (), bytes(8), bytes(8), bytes(3) + b"1").versions_of(4, 6)
        b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00version1'
        """
        return self._cut(self.versions, first, stop)

    def read_of(self, position: int, first: int, stop: int) -> bytes:
        """Return the column of the versions that were read of an input; zeros where there is none."""
        return self._cut(self.read[position], first, stop) if position < len(self.read) else _zeros(first, stop)

    def times_of(self, first: int, stop: int) -> tuple[int, ...]:
        """Return when partitions were made, in microseconds since 1970; 0 where nothing is recorded."""
        return _times(self._cut(self.at, first, stop))

    def reached_of(self, first: int, stop: int) -> tuple[int, ...]:
        """Return the moments that data of partitions reaches, in microseconds since 1970; 0 where none is recorded."""
        return _times(self._cut(self.as_of, first, stop))

    def in_run(self, run: bytes) -> list[int]:
        """Return the numbers of the partitions that a run made last."""
        found, place = [], self.runs.find(run)
        while place >= 0:
            if place % _RUN == 0:
                found.append(self.first + place // _RUN)
            place = self.runs.find(run, place + 1)
        return found

    def by_trace(self) -> Iterator[tuple[int, int, int]]:
        """Yield ranges of recorded partitions as (trace, first, stop), in order.

        >>> strand = Strand().changed({1: Cell(trace=7), 2: Cell(trace=7), 4: Cell(trace=8)})
        >>> list(strand.by_trace())
        [(7, 1, 3), (8, 4, 5)]
        """
        column, count, place = self.traces, len(self), 0
        while place < count:
            one = column[place * _TRACE : (place + 1) * _TRACE]
            end = _end(column, one, place, count)
            if one != bytes(_TRACE):
                yield int.from_bytes(one), self.first + place, self.first + end
            place = end

    def changed(self, cells: Mapping[int, Cell]) -> Strand:
        """Return the strand with other cells at some numbers; where one has more inputs, all get columns for them."""
        if not cells:
            return self
        low, high = min(cells), max(cells) + 1
        first, stop = (min(low, self.first), max(high, self.stop)) if len(self) else (low, high)
        inputs = max(len(self.read), *(len(cell.inputs) for cell in cells.values()))
        columns = [bytearray(self._cut(column, first, stop)) for column in (self.versions, *self.read)]
        columns += [bytearray(_zeros(first, stop)) for _ in range(inputs - len(self.read))]
        columns += [bytearray(self._cut(column, first, stop)) for column in (self.at, self.as_of, self.runs)]
        traces = bytearray(self._cut(self.traces, first, stop, _TRACE))
        for number, cell in cells.items():
            place = (number - first) * VERSION_BYTES
            values = (cell.version, *cell.inputs, *(NO_VERSION,) * (inputs - len(cell.inputs)))
            times = (each.to_bytes(_AT, signed=True) for each in (cell.at, cell.as_of))
            for column, value in zip(columns, (*values, *times, cell.run), strict=True):
                column[place : place + VERSION_BYTES] = value
            traces[(number - first) * _TRACE : (number - first + 1) * _TRACE] = cell.trace.to_bytes(_TRACE)
        versions, *read, at, as_of, runs = map(bytes, columns)
        return Strand(first, versions, tuple(read), at, runs, bytes(traces), as_of)

    def without_inputs(self, *, reached: bool = False) -> Strand:
        """Return the strand as what reads it needs it: own versions, when they were made, and what data `reached`."""
        return Strand(self.first, self.versions, (), self.at, b"", self.traces, self.as_of if reached else b"")

    def to_bytes(self) -> bytes:
        """Return all columns in one piece."""
        head = _HEAD.pack(_FORMAT, len(self.read), self.first, len(self))
        return b"".join((head, self.versions, *self.read, self.at, self.as_of, self.runs, self.traces))

    @classmethod
    def from_bytes(cls, data: bytes) -> Strand:
        """Return what `to_bytes` made; raise `ValueError` for anything else."""
        kind, inputs, first, count = _HEAD.unpack_from(data) if len(data) >= _HEAD.size else (0, 0, 0, 0)
        wide = count * VERSION_BYTES
        columns = inputs + 4
        end = _HEAD.size + columns * wide
        if kind != _FORMAT or len(data) != end + count * _TRACE:
            raise ValueError(f"{len(data)} bytes of format {kind} are no strand")
        places = range(_HEAD.size, end, wide) if wide else [_HEAD.size] * columns
        versions, *read, at, as_of, runs = (data[place : place + wide] for place in places)
        return cls(first, versions, tuple(read), at, runs, data[end:], as_of)

    def _cut(self, column: bytes, first: int, stop: int, width: int = VERSION_BYTES) -> bytes:
        if first == self.first and (stop - first) * width == len(column):
            return column
        begin, end = max(first, self.first), min(stop, self.stop)
        if begin >= end:
            return bytes(max(stop - first, 0) * width)
        cut = column[(begin - self.first) * width : (end - self.first) * width]
        return bytes((begin - first) * width) + cut + bytes((stop - end) * width)


def _times(column: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(column) // _AT}q", column)


def _zeros(first: int, stop: int) -> bytes:
    return bytes(max(stop - first, 0) * VERSION_BYTES)


def _end(column: bytes, one: bytes, place: int, count: int) -> int:
    """Return where the run of equal cells that begins at `place` ends; doubling steps, for most runs are long."""
    step = 1
    while place + step <= count and column[place * _TRACE : (place + step) * _TRACE] == one * step:
        place += step
        step *= 2
    while step > 1:
        step //= 2
        if place + step <= count and column[place * _TRACE : (place + step) * _TRACE] == one * step:
            place += step
    return place


def differing(then: bytes, now: bytes) -> list[int]:
    """Return at which places two columns of versions differ.

    >>> differing(b"version1version2", b"version1version3")
    [1]
    """
    if then == now:  # nearly always
        return []
    places = range(0, len(now), VERSION_BYTES)
    return [
        place // VERSION_BYTES
        for place in places
        if then[place : place + VERSION_BYTES] != now[place : place + VERSION_BYTES]
    ]


def version_digest(version: str | None) -> bytes:
    """Return a data version as it stands in a column; the empty one, and None, are not known.

    >>> len(version_digest("v1")), version_digest("") == NO_VERSION
    (8, True)
    """
    if not version:
        return NO_VERSION
    from hashlib import blake2b

    digest = blake2b(version.encode("utf-8", "backslashreplace"), digest_size=VERSION_BYTES).digest()
    # One in 2⁶⁴ would read as nothing.
    return digest if digest != NO_VERSION else b"\x01" * VERSION_BYTES


def content_hash(key: str, version: bytes) -> int:
    """Return what a partition adds to the sum of the content of some; 0 without a version.

    Two sums are equal when the same partitions have the same versions, in any order; a change is kept up by adding the
    new hash and taking the old one away, see `summed`.

    >>> content_hash("eu", NO_VERSION), content_hash("eu", b"version1") == content_hash("us", b"version1")
    (0, False)
    """
    if version == NO_VERSION:
        return 0
    from hashlib import blake2b

    data = version + key.encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(data, digest_size=16).digest())


def summed(*hashes: int) -> int:
    """Return the sum of content hashes; negative ones are taken away.

    >>> summed(content_hash("eu", b"version1"), -content_hash("eu", b"version1"))
    0
    """
    return sum(hashes) % _SUMS
