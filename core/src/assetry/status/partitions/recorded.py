"""What is recorded of the partitions of one asset: put together from its records, and brought up to date with new ones.

Pure; where it is kept, it can be made again from the records at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.recorded import Place, numbered, time_of
from assetry.partitions.strands import NO_VERSION, Cell, Strand, content_hash, summed, version_digest
from assetry.status.looked import as_of, began, data_time
from assetry.status.partitions.sums import UNKNOWN, is_sum, sum_text
from assetry.status.times import instant, moment_of
from assetry.types.assets import Column
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization

_EMPTY = Strand()


class Trace(NamedTuple):
    """What partitions that were made alike have in common: code, columns, and what was read.

    `inputs` are the inputs by position, each with whether what was read of it is a sum of partitions, see
    `assetry.status.partitions.sums.is_sum`. `io` says where assetry keeps the values, None where it does not.
    `promised` are the columns that were declared when it was accepted that `columns` differ. `epochs` are those of
    inputs that grow by appending.
    """

    code_version: str | None = None
    code_parts: tuple[tuple[str, str], ...] = ()
    columns: tuple[Column, ...] | None = None
    inputs: tuple[tuple[AssetKey, bool], ...] = ()
    io: str | None = None
    promised: tuple[Column, ...] | None = None
    epochs: tuple[tuple[AssetKey, str | None], ...] = ()

    @property
    def says_what_was_read(self) -> bool:
        """Return whether it does; one of what was only seen, made by others, does not."""
        return bool(self.inputs) or self.code_version is not None


class Early(NamedTuple):
    """When a partition was made that was made before all its data was there.

    `began` is when its making did, or what its tool said that its data reaches; `grown` is how far what it read of
    inputs reached that grow by appending, None where it read none.
    """

    began: datetime
    grown: datetime | None = None

    @property
    def may_lack(self) -> datetime:
        """Return from which moment on data of inputs that grow may be missing in it."""
        return self.began if self.grown is None else self.grown


@dataclass(frozen=True, slots=True)
class RecordedPartitions:
    """The records of the partitions of an asset.

    `definition` has the keys that records know. `unknown` are recorded keys that have no number there, each with its
    version and the time of its record. `last` is the record of the partition that was made last, `whole` that of the
    asset as a whole, from when it had no partitions. `early` are partitions that were made before all their data was
    there; `reached` is the time that the newest data of any partition reaches; `total` sums up the content of all.
    `newest_reached` is kept `for_readers`: by strand its last number, and how far its data reaches.

    >>> from datetime import UTC
    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> letters = StaticPartitionsDefinition(["a", "b"])
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> made = Materialization(key=AssetKey("x"), partition="b", at=at, run="r", data_version="1")
    >>> RecordedPartitions.of(letters, [made]).made.text(letters)
    'b'
    """

    definition: PartitionsDefinition
    strands: Mapping[str, Strand] = field(default_factory=dict)
    traces: tuple[Trace, ...] = ()
    unknown: Mapping[str, tuple[bytes, int]] = field(default_factory=dict)
    last: Materialization | None = None
    whole: Materialization | None = None
    early: Mapping[Place, Early] = field(default_factory=dict)
    reached: datetime | None = None
    total: int = 0
    newest_reached: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    #: What `spans` and `made` have found.
    _found: list[tuple[Trace, str, int, int]] = field(default_factory=list, init=False, repr=False, compare=False)
    _made: list[Parts] = field(default_factory=list, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, definition: PartitionsDefinition, rows: Iterable[Materialization]) -> RecordedPartitions:
        """Return what the last records of an asset, and of its partitions, say."""
        found = cls(definition).changed(sorted(rows, key=lambda each: each.at))
        assert found is not None, "nothing stood there before"
        return found

    def changed(self, rows: Sequence[Materialization]) -> RecordedPartitions | None:
        """Return what is recorded when these records have come; None where only all records can tell.

        That is so where one of them may have been the newest, and was replaced by an older one, as a machine may do
        whose clock is behind.
        """
        whole = next((each for each in rows if each.partition is None), self.whole)
        parted = {each.partition: each for each in rows if each.partition is not None}
        if not parted:
            return replace(self, whole=whole)
        last = max((*filter(None, [self.last]), *parted.values()), key=_newness)
        reached = max((*filter(None, [self.reached]), *map(data_time, parted.values())))
        found = numbered(self.definition, parted)
        again = not self.unknown.keys().isdisjoint(parted) or self._has_any(found.places.values())
        if again and (last is self.last or reached == self.reached):
            return None
        traces = {trace: number for number, trace in enumerate(self.traces, 1)}
        cells: dict[str, dict[int, Cell]] = {}
        total, unknown = self.total, dict(self.unknown)
        for key, made in parted.items():
            place = found.places.get(key)
            if place is None:
                before, _ = unknown.get(key, (NO_VERSION, 0))
                unknown[key] = version_digest(made.data_version), instant(made.at)
            else:
                before = self.strand(place[0]).cell(place[1]).version
                cells.setdefault(place[0], {})[place[1]] = _cell(made, traces)
            total = summed(total, content_hash(key, version_digest(made.data_version)), -content_hash(key, before))
        strands = {**self.strands, **{name: self.strand(name).changed(each) for name, each in cells.items()}}
        places = {found.places[key]: made for key, made in parted.items() if key in found.places}
        return RecordedPartitions(
            found.definition, strands, tuple(traces), unknown, last, whole, self._early(places), reached, total
        )

    def _has_any(self, places: Iterable[Place]) -> bool:
        """Tell whether any of some partitions has a record."""
        return any(self.strand(name).cell(number).trace for name, number in places)

    def _early(self, places: Mapping[Place, Materialization]) -> Mapping[Place, Early]:
        windows = time_of(self.definition)
        if windows is None:
            return {}
        found = {place: each for place, each in self.early.items() if place not in places}
        for place, made in places.items():
            settled = windows.settles_at(place[1])
            read = [each.as_of for each in made.appended.values() if each.as_of is not None]
            early = Early(began(made), min(read, default=None))
            if min(early.began, early.may_lack) < settled:
                found[place] = early
        return found

    def strand(self, name: str) -> Strand:
        """Return the columns of one strand."""
        return self.strands.get(name, _EMPTY)

    @property
    def made(self) -> Parts:
        """Return the partitions with a record."""
        if not self._made:
            self._made.append(Parts.of_spans([span[1:] for span in self.spans()]))
        return self._made[0]

    def spans(self) -> Sequence[tuple[Trace, str, int, int]]:
        """Return ranges of partitions that were made alike: how, and their strand, first number and that behind."""
        if not self._found:
            for name, strand in self.strands.items():
                for trace, first, stop in strand.by_trace():
                    self._found.append((self.traces[trace - 1], name, first, stop))
        return self._found

    @property
    def newest_record(self) -> Materialization | None:
        """Return the record that was made last, of a partition or of the whole."""
        return max(filter(None, [self.last, self.whole]), key=_newness, default=None)

    @property
    def by_place(self) -> Mapping[str, Parts]:
        """Return the partitions whose values assetry keeps, by where, as ``io`` in the metadata of a record says it."""
        found: dict[str, list[tuple[str, int, int]]] = {}
        for trace, strand, first, stop in self.spans():
            if trace.io is not None:
                found.setdefault(trace.io, []).append((strand, first, stop))
        return {place: Parts.of_spans(spans) for place, spans in found.items()}

    @property
    def open(self) -> Parts:
        """Return the partitions that may lack data of inputs that grow: these had not reached the end of their time."""
        windows = time_of(self.definition)
        if windows is None:
            return NOTHING
        return Parts.at(place for place, each in self.early.items() if each.may_lack < windows.settles_at(place[1]))

    def before(self, moment: datetime) -> Parts:
        """Return the partitions that were made before a moment."""
        since, found = instant(moment), list[Place]()
        for _, name, first, stop in self.spans():
            times = self.strands[name].times_of(first, stop)
            found += [(name, first + place) for place, at in enumerate(times) if at < since]
        return Parts.at(found)

    @property
    def version(self) -> str | None:
        """Return the version of the asset as a whole; None where nothing is recorded."""
        if not self.strands and not self.unknown:
            return None if self.whole is None else self.whole.data_version
        whole = content_hash("", version_digest(self.whole.data_version)) if self.whole else 0
        return sum_text(summed(self.total, whole))

    @property
    def only_whole(self) -> bool:
        """Return whether there are records of the asset as a whole, and of no partition."""
        return self.whole is not None and not self.strands and not self.unknown

    def version_of(self, parts: Parts) -> str:
        """Return the version of some partitions together; "" when none of them has a record."""
        hashes = [
            content_hash(self.definition.key(number, name), version)
            for name, number in parts
            if (version := self.strand(name).cell(number).version) != NO_VERSION
        ]
        return sum_text(summed(*hashes)) if hashes else UNKNOWN

    def newest(self, parts: Parts) -> datetime | None:
        """Return when the newest of some partitions was made."""
        times = (
            max(self.strand(name).times_of(first, stop), default=0) for name, first, stop in (self.made & parts).spans()
        )
        newest = max(times, default=0)
        return moment_of(newest) if newest else None

    def reached_by(self, strand: str, number: int) -> datetime | None:
        """Return the moment that the data of a partition reaches; None where that is not known, or known no more."""
        if strand in self.newest_reached:
            last, at = self.newest_reached[strand]
            return moment_of(at) if last == number else None
        found = self.strand(strand).cell(number)
        return moment_of(found.as_of) if found.trace else None

    def for_readers(self) -> RecordedPartitions:
        """Return what those need that are made from the asset: in half the room.

        Of windows of time, how far their data reaches is kept of the newest alone.
        """
        timed = time_of(self.definition) is not None
        newest = {
            name: (each.stop - 1, each.reached_of(each.stop - 1, each.stop)[0])
            for name, each in (self.strands.items() if timed else ())
        }
        strands = {name: each.without_inputs(reached=not timed) for name, each in self.strands.items()}
        return self._with_strands(strands, newest)

    def for_data_times(self) -> RecordedPartitions:
        """Return what is asked for still once all that reads the asset was judged: how far its data reaches.

        It is made of what is kept `for_readers`.
        """
        return self if time_of(self.definition) is None else self._with_strands({}, self.newest_reached)

    def _with_strands(self, strands: Mapping[str, Strand], newest: Mapping[str, tuple[int, int]]) -> RecordedPartitions:
        # This is asked for of every asset; `replace` takes four times as long.
        rest = (self.traces, self.unknown, self.last, self.whole, self.early, self.reached, self.total)
        return RecordedPartitions(self.definition, strands, *rest, newest)


def _newness(made: Materialization) -> tuple[datetime, str]:
    # What was made at the same moment has an order, too, so that all ways of reading records name the same one.
    return made.at, made.partition or ""


def _cell(made: Materialization, traces: dict[Trace, int]) -> Cell:
    inputs = sorted(made.inputs.items())
    io = made.metadata.get("io")
    trace = Trace(
        made.code_version,
        tuple(sorted(made.code_parts.items())),
        made.columns,
        tuple([(key, is_sum(version)) for key, version in inputs]),
        None if io is None else str(io),
        None if made.accepted is None else made.accepted.columns,
        tuple(sorted((key, read.epoch) for key, read in made.appended.items())) if made.appended else (),
    )
    return Cell(
        version_digest(made.data_version),
        tuple([version_digest(version) for _, version in inputs]),
        instant(made.at),
        version_digest(made.run),
        traces.setdefault(trace, len(traces) + 1),
        instant(as_of(made)),
    )
