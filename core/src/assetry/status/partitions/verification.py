"""Whether partitions were made from what they would be made from now: any number of them by one comparison. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.recorded import Place
from assetry.partitions.strands import NO_VERSION, VERSION_BYTES, content_hash, differing, summed, version_digest
from assetry.status.comparison import Comparison, names_of, own_differences
from assetry.status.freshness.growth import Growth
from assetry.status.looked import was_there
from assetry.status.partitions.recorded import RecordedPartitions, Trace
from assetry.status.partitions.sums import UNKNOWN, is_sum, sum_text
from assetry.status.reasons import Code, Reason
from assetry.status.times import moment_of
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.links import Link


class Span(NamedTuple):
    """Partitions that follow one another, in a strand, and were made alike."""

    trace: Trace
    strand: str
    first: int
    stop: int


class _Input(NamedTuple):
    """A dependency: its position, the number of the asset, and what a partition reads of it; None: all of it.

    `grows` says that each partition reads its own time of what only grows.
    """

    number: int
    j: int
    link: Link | None
    same_keys: bool
    same_numbers: bool
    grows: bool


class Differences(NamedTuple):
    """How partitions differ from what they would be made as now.

    `own` is what differs in themselves. `news` are, by input that has new content, or what lies behind it, those that
    read it; of these `grown` read something that has grown by appending, and `other` something else.
    """

    own: list[Reason]
    news: Mapping[int, Parts]
    grown: Parts
    other: Parts


#: That nothing differs.
NO_DIFFERENCES = Differences([], {}, NOTHING, NOTHING)


class Verification:
    """The comparison of what partitions were made from with what they would be made from now."""

    def __init__(self, graph: AssetGraph, comparison: Comparison, growth: Growth) -> None:
        self._graph = graph
        self._comparison = comparison
        self._growth = growth
        #: By identity of a link: whether each partition reads just that of the same key, and of the same number.
        self._kinds: dict[int, tuple[Link, bool, bool]] = {}
        #: By asset and strand: the sums of the content up to each partition.
        self._sums: dict[AssetKey, dict[str, list[int]]] = {}

    def differences(self, i: int, recorded: RecordedPartitions, parts: Parts) -> Differences:
        """Return how partitions differ from what they would be made as now."""
        asset = self._graph.assets[i]
        inputs = list(self._inputs(asset, recorded))
        open_ = recorded.open if any(read.grows for read in inputs) else NOTHING
        own: dict[tuple[Code, AssetKey, str], list[tuple[str, int, int]]] = {}
        news: dict[int, list[Place]] = {}
        kinds: dict[bool, list[Place]] = {True: [], False: []}
        told: dict[Trace, list[tuple[Code, AssetKey, str]]] = {}
        for span in _within(recorded, parts):
            trace = span.trace
            if trace not in told:
                names = [key for key, _ in trace.inputs]
                told[trace] = [
                    *own_differences(asset, trace.code_version, dict(trace.code_parts), trace.columns, trace.promised),
                    *self._comparison.removed(i, names),
                ]
            for each in told[trace]:
                own.setdefault(each, []).append(span[1:])
            for read in inputs:
                added, changed = self._compared(recorded, span, read)
                key = self._graph.keys[read.j]
                for number in added:
                    own.setdefault(("deps_changed", key, f"it now reads `{key}`"), []).append(
                        (span.strand, number, number + 1)
                    )
                if read.grows and not changed and self._is_unmade_view(read) and not self._is_same_epoch(trace, read):
                    # It has no version while it is never made, and shows all the same what was made anew behind it.
                    changed = list(range(span.first, span.stop))
                grown = bool(changed) and read.grows and self._is_same_epoch(trace, read)
                if grown:
                    changed = [number for number in changed if (span.strand, number) in open_]
                if changed and not asset.computed_on_read:
                    self._note_news(recorded, span, read, changed, news)
                    kinds[grown] += [(span.strand, number) for number in changed]
        if not (own or news or kinds[True] or kinds[False]):
            return NO_DIFFERENCES
        reasons = [Reason(*each, Parts.of_spans(spans)) for each, spans in own.items()]
        found = {j: Parts.at(places) for j, places in news.items()}
        return Differences(reasons, found, Parts.at(kinds[True]), Parts.at(kinds[False]))

    def _inputs(self, asset: Asset, recorded: RecordedPartitions) -> Iterator[_Input]:
        grown = self._growth.read(asset)
        # Of two dependencies on one asset, the last one says what is recorded.
        for key, number in {dep.key: number for number, dep in enumerate(asset.deps)}.items():
            link = self._comparison.versions.link(asset, number)
            upper = self._comparison.recorded.get(key)
            if link is not None:
                link = link.numbered(recorded.definition, None if upper is None else upper.definition)
            yield _Input(number, self._graph.index(key), link, *self._kind(link), grown.get(key) == number)

    def _kind(self, link: Link | None) -> tuple[bool, bool]:
        if link is None:
            return False, False
        found = self._kinds.get(id(link))
        if found is None:
            found = self._kinds[id(link)] = link, link.same_keys, link.same_numbers
        return found[1:]

    # -- one input of one span ---------------------------------------------------------------------------------------

    def _compared(self, recorded: RecordedPartitions, span: Span, read: _Input) -> tuple[list[int], list[int]]:
        """Return the partitions that read an input now which they did not, and those of which it has new content."""
        trace, strand, first, stop = span
        now = self._now(span, read)
        names = names_of(self._graph, read.j)
        position = next((at for name in names for at, (key, _) in enumerate(trace.inputs) if key == name), None)
        if position is None:
            known = [first + place for place in differing(bytes(len(now)), now)]
            return (known, []) if trace.says_what_was_read else ([], known)
        then = recorded.strands[strand].read_of(position, first, stop)
        places = differing(then, now)
        if not places:
            return [], []
        changed = []
        for place in places:
            cell = slice(place * VERSION_BYTES, (place + 1) * VERSION_BYTES)
            if now[cell] == NO_VERSION:
                continue
            if then[cell] == NO_VERSION and self._was_there(recorded, read, strand, first + place):
                continue
            if self._is_older_sum(read, trace.inputs[position], then[cell], (strand, first + place)):
                continue
            changed.append(first + place)
        return [], changed

    def _is_same_epoch(self, trace: Trace, read: _Input) -> bool:
        """Tell whether what was there when an input was read is there still, as far as that is recorded."""
        epochs = dict(trace.epochs)
        known = [epochs[name] for name in names_of(self._graph, read.j) if name in epochs]
        return not known or known[0] == self._growth.epoch(self._graph.keys[read.j])

    def _is_unmade_view(self, read: _Input) -> bool:
        return self._graph.assets[read.j].computed_on_read and self._comparison.last[read.j] is None

    def _now(self, span: Span, read: _Input) -> bytes:
        """Return the column of the versions that partitions would read of an input now."""
        _, strand, first, stop = span
        key = self._graph.keys[read.j]
        upper = self._comparison.recorded.get(key)
        if read.link is None:
            return version_digest(self._comparison.versions.of(key) or UNKNOWN) * (stop - first)
        if upper is None:
            return bytes((stop - first) * VERSION_BYTES)
        if read.same_keys and read.same_numbers:
            return upper.strand(strand).versions_of(first, stop)
        found = bytearray((stop - first) * VERSION_BYTES)
        for number, parts in read.link.pairs(first, stop, self._comparison.now, strand):
            place = (number - first) * VERSION_BYTES
            found[place : place + VERSION_BYTES] = self._version(read, (strand, number), parts)
        return bytes(found)

    def _version(self, read: _Input, own: Place, parts: Parts) -> bytes:
        """Return the version of what one partition reads: of one with its own key that of it, else the sum of all."""
        upper = self._comparison.recorded[self._graph.keys[read.j]]
        if len(parts) == 1:
            ((strand, number),) = parts
            assert read.link is not None
            assert read.link.own is not None
            if read.link.own.key(own[1], own[0]) == upper.definition.key(number, strand):
                return upper.strand(strand).cell(number).version
        total, any_known = 0, False
        for strand, first, stop in parts.spans():
            column = upper.strand(strand)
            low, high = max(first, column.first), min(stop, column.stop)
            if low < high:
                any_known = any_known or column.versions_of(low, high).strip(b"\0") != b""
                sums = self._sums_of(upper, self._graph.keys[read.j], strand)
                total += sums[high - column.first] - sums[low - column.first]
        return version_digest(sum_text(summed(total))) if any_known else NO_VERSION

    def _sums_of(self, upper: RecordedPartitions, key: AssetKey, strand: str) -> list[int]:
        sums = self._sums.setdefault(key, {})
        if strand not in sums:
            column = upper.strand(strand)
            hashes = (_hash(upper, strand, number) for number in range(column.first, column.stop))
            sums[strand] = list(accumulate(hashes, initial=0))
        return sums[strand]

    def forget(self, key: AssetKey) -> None:
        """Forget what is known of an asset for those that read it."""
        self._sums.pop(key, None)

    def _was_there(self, recorded: RecordedPartitions, read: _Input, strand: str, number: int) -> bool:
        """Tell whether an input of which nothing was known was there already, as it is."""
        at = moment_of(recorded.strands[strand].cell(number).at)
        return was_there(self._graph.assets[read.j], self._comparison.last[read.j], at)

    def _is_older_sum(self, read: _Input, recorded: tuple[AssetKey, bool], then: bytes, place: Place) -> bool:
        """Tell whether a version that was recorded before there were sums is that of now all the same."""
        key = self._graph.keys[read.j]
        upper = self._comparison.recorded.get(key)
        if recorded[1] or read.same_keys or upper is None or then == NO_VERSION:
            return False  # of the partition of the same key there never was a sum
        if read.link is None:
            if not is_sum(self._comparison.versions.of(key) or UNKNOWN):
                return False
            return then == version_digest(self._comparison.older_sum(key, None))
        strand, number = place
        own = read.link.own
        assert own is not None
        keys = read.link.keys(own.key(number, strand), self._comparison.now)
        return then == version_digest(self._comparison.older_sum(key, keys))

    # -- what is new ---------------------------------------------------------------------------------------------------

    def _note_news(
        self,
        recorded: RecordedPartitions,
        span: Span,
        read: _Input,
        changed: Sequence[int],
        news: dict[int, list[Place]],
    ) -> None:
        """Add to `news` what the partitions that read something else now read anew."""
        upstream = self._graph.assets[read.j]
        known = any(key in names_of(self._graph, read.j) for key, _ in span.trace.inputs)
        parted = upstream.partitions_def is not None and not upstream.computed_on_read
        strand = recorded.strands[span.strand]
        made = {number: strand.cell(number).at for number in changed}
        by_time: dict[int, Sequence[int]] = {}
        if not parted:
            low, high = min(made.values()), max(made.values())
            ends = [self._comparison.shown_since(read.j, moment_of(at), known=known) for at in (low, high)]
            by_time = dict.fromkeys(made.values(), ends[0]) if ends[0] == ends[1] else {}
        for number in changed:
            at = made[number]
            if parted:
                roots: Sequence[int] = [read.j] if known or self._is_newer(read, span.strand, number, at) else []
            else:
                if at not in by_time:
                    by_time[at] = self._comparison.shown_since(read.j, moment_of(at), known=known)
                roots = by_time[at]
            for root in roots:
                news.setdefault(root, []).append((span.strand, number))

    def _is_newer(self, read: _Input, strand: str, number: int, at: int) -> bool:
        """Tell whether anything that a partition would read of an input was made after it."""
        moment = moment_of(at)
        last = self._comparison.last[read.j]
        if read.link is None:
            return last is not None and last.at > moment
        upper = self._comparison.recorded.get(self._graph.keys[read.j])
        parts = read.link.up(Parts.range(number, number + 1, strand), self._comparison.now)
        newest = upper.newest(parts) if upper is not None else None
        return newest is not None and newest > moment


def _hash(recorded: RecordedPartitions, strand: str, number: int) -> int:
    version = recorded.strand(strand).cell(number).version
    return content_hash(recorded.definition.key(number, strand), version) if version != NO_VERSION else 0


def _within(recorded: RecordedPartitions, parts: Parts) -> Iterator[Span]:
    """Yield the spans of what is recorded that lie in `parts`."""
    every = recorded.made == parts or recorded.made <= parts
    for trace, strand, first, stop in recorded.spans():
        if every:
            yield Span(trace, strand, first, stop)
            continue
        for _, begin, end in (Parts.range(first, stop, strand) & parts).spans():
            yield Span(trace, strand, begin, end)
