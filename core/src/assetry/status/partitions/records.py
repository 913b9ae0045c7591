"""What is recorded of the partitions of an asset, and how tries at them came out, as sets of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from assetry.partitions.definitions import PartitionsDefinition, numbers_of
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.recorded import NumberedKeys, Place, numbered, time_of
from assetry.partitions.strands import version_digest
from assetry.status.freshness.data_times import Newest
from assetry.status.looked import gone_hint, gone_partitions, overdue_text
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.status.reasons import Reason, cancelled_text, failure_text, never_text, newest, overwritten_text
from assetry.status.times import instant, moment_of
from assetry.types.assets import Asset
from assetry.types.records import Attempt, Materialization


@dataclass(slots=True)
class Clocks:
    """What exists at a moment, and numbers of keys, by definition: most assets share a few definitions."""

    _numbers: dict[PartitionsDefinition, dict[str, int | None]] = field(default_factory=dict)
    _existing: dict[tuple[Hashable, datetime], Parts] = field(default_factory=dict)
    #: By identity of the definition, the one that was asked for last of each: comparing them takes longer.
    _last: dict[int, tuple[PartitionsDefinition, datetime, Parts]] = field(default_factory=dict)

    def numbered(self, definition: PartitionsDefinition, keys: Iterable[str]) -> NumberedKeys:
        """Return the numbers of recorded keys."""
        return numbered(definition, keys, self._numbers.setdefault(definition, {}))

    def existing(self, definition: PartitionsDefinition, now: datetime) -> Parts:
        """Return the partitions that should exist at `now`."""
        last = self._last.get(id(definition))
        if last is not None and last[0] is definition and last[1] == now:
            return last[2]
        asked = numbers_of(definition), now
        if asked not in self._existing:
            self._existing[asked] = definition.existing(now)
        self._last[id(definition)] = definition, now, self._existing[asked]
        return self._existing[asked]


class PartitionRecords:
    """The records of the partitions of an asset, as far as they say something of it as it is, and tries at them.

    `definition` has the keys that records know. `made` are the partitions with a record, existing or not; `unknown` the
    recorded keys that have no number, `whole` tells of a record of it from when it had no partitions, `gone_with` of
    partitions that went when it was made as a whole. `reached` is how far the newest data of any of them reaches, as
    far as was seen: `looked` is what looks have told of that.
    """

    def __init__(
        self,
        asset: Asset,
        recorded: RecordedPartitions,
        tried: Sequence[Attempt],
        clocks: Clocks,
        looked: datetime | None = None,
    ) -> None:
        self._asset = asset
        self.reached = max(filter(None, [recorded.reached, looked]), default=None)
        self._tried = tried
        self.recorded = recorded
        self.made, lost = recorded.made, NOTHING
        self.unknown = tuple(recorded.unknown)
        names: list[str] = []
        if recorded.whole is not None and (asset.kept or asset.relation is not None):
            since = instant(recorded.whole.at)
            lost = recorded.before(recorded.whole.at) & self.made
            gone = [key for key, (_, at) in recorded.unknown.items() if at < since]
            names = [*recorded.definition.keys_of(lost), *gone]
            self.made -= lost
            self.unknown = tuple(key for key in recorded.unknown if key not in gone)
        #: Those that were tried, and are not there, have numbers, too.
        failing = [each.partition for each in tried if each.partition is not None and each.outcome in TRIED]
        found = clocks.numbered(recorded.definition, failing) if failing else NumberedKeys(recorded.definition, {})
        self._places = found.places
        self.definition = found.definition
        self.whole = recorded.whole is not None
        self.gone_with = overwritten_text(names) if names else None
        self.running = self._parts(each for each in tried if each.outcome == "running") if tried else NOTHING
        self.never_text = never_text(tried)
        self.last: Materialization | None = recorded.last if self.made or self.unknown else None

    def _parts(self, tried: Iterable[Attempt]) -> Parts:
        names = (str(each.partition) for each in tried if each.partition is not None)
        return Parts.at(self._places[name] for name in names if name in self._places)

    @property
    def is_plain(self) -> bool:
        """Return whether all that is recorded of the asset is of partitions that were made when all data was there."""
        return not (self._tried or self.whole or self.recorded.unknown or self.recorded.early)

    # -- tries -------------------------------------------------------------------------------------------------------

    def failures(self) -> Reason | None:
        """Return the partitions whose last try failed, or whose check did."""
        found = self._last_tries("failed", "check_failed")
        return found and Reason("last_failed", self._asset.key, failure_text(found[0]), found[1], newest(found[0]).hint)

    def cancelled(self) -> Reason | None:
        """Return the partitions that are made, and whose last try was cancelled."""
        found = self._last_tries("cancelled", made=True)
        return found and Reason("last_cancelled", self._asset.key, cancelled_text(found[0]), found[1])

    def _last_tries(self, *outcomes: str, made: bool = False) -> tuple[list[Attempt], Parts] | None:
        """Return the attempts with one of some outcomes that have the last word, and the partitions they are of."""
        standing: list[Attempt] = []
        spans: list[tuple[str, int, int]] = []
        for each in self._tried:
            if each.outcome not in outcomes:
                continue
            found = self._standing(each)
            found = found & self.made if made else found
            if found:
                standing.append(each)
                spans += found.spans()
        return (standing, Parts.of_spans(spans)) if standing else None

    def _standing(self, tried: Attempt) -> Parts:
        """Return the partitions of which an attempt has the last word.

        One without a partition, as of a check of the whole table, is about those that its run made, else about all,
        until any is made.
        """
        if tried.partition is not None:
            place = self._places.get(tried.partition)
            return Parts.at([place]) if place is not None and self._has_last_word(tried, place) else NOTHING
        run = version_digest(tried.run)
        ours = self.made & Parts.at(
            (name, number) for name, strand in self.recorded.strands.items() for number in strand.in_run(run)
        )
        tries = any(each.run == tried.run and each.partition is not None for each in self._tried)
        if (ours or tries) and tried.outcome == "failed":
            return NOTHING  # its partitions have told how they came out
        last = self.last
        # A check may report before its asset does; within one run the attempt has the last word.
        about_all = last is None or tried.run == last.run or tried.at >= last.at
        return ours or (self.made if about_all else NOTHING)

    def _has_last_word(self, tried: Attempt, place: Place) -> bool:
        if place not in self.made:
            return True
        cell = self.recorded.strand(place[0]).cell(place[1])
        return cell.run == version_digest(tried.run) or instant(tried.at) >= cell.at

    # -- what was made -----------------------------------------------------------------------------------------------

    def gone(self, seen: Mapping[str | None, bool]) -> Reason | None:
        """Return the partitions that are not there any more; `seen` is what was looked at just now, by partition."""
        text, keys = gone_partitions(self._asset, self._tried, seen, self._time)
        found = numbered(self.definition, keys).places
        parts = Parts.at(found.values()) & self.made
        return Reason("gone", self._asset.key, text, parts, gone_hint(self._tried)) if parts else None

    def _time(self, partition: str) -> int | None:
        """Return when a partition was made, in microseconds since 1970; None for one without a record."""
        place = numbered(self.definition, [partition]).places.get(partition)
        if place is None or place not in self.made:
            return None
        return self.recorded.strand(place[0]).cell(place[1]).at

    def newest(self, parts: Parts) -> datetime | None:
        """Return when the newest of some partitions was made."""
        return self.recorded.newest(parts & self.made)

    def provisional(self, parts: Parts, now: datetime, known: Callable[[], datetime | None]) -> Parts:
        """Return those of `parts` that were made before all their data was there, and are due again at `now`.

        `known` is asked for the moment until which nothing new is in what they are made from, None where that is not
        known: until then they are what they would be now.
        """
        windows = time_of(self.definition)
        if windows is None or self._asset.computed_on_read:
            return NOTHING
        due: dict[Place, datetime] = {}
        for place, each in self.recorded.early.items():
            passed = [moment for moment in windows.settling(place[1]) if each.began < moment <= now]
            if passed:
                due[place] = passed[-1]
        until = known() if due else None
        return parts & Parts.at(place for place, moment in due.items() if until is None or moment > until)

    def newest_reached(self, existing: Parts, behind: Parts) -> Newest:
        """Return how far the data of the newest partitions reaches; `behind` are out of date with their inputs."""
        windows = time_of(self.definition)
        made = self.made & existing
        if windows is None:
            return _all_reached(self.recorded, made, behind)
        found = Newest(complete=True)
        for strand in existing.strands if made else ():
            own, there = made.numbers(strand), existing.numbers(strand)
            last = max((stop for _, _, stop in own.spans()), default=None)
            missing = there.within(last, None)
            if last is None or missing:
                first = min(begin for _, begin, _ in missing.spans())
                found.missing = _earlier(found.missing, windows.window_of(first)[1].astimezone(UTC))
                continue
            at = self.recorded.reached_by(strand, last - 1)
            if at is None:
                return Newest()
            if (strand, last - 1) in behind:
                found.behind = _earlier(found.behind, at)
            else:
                found.fresh = _earlier(found.fresh, at)
                found.complete = found.complete and at >= windows.settles_at(last - 1)
        return found

    def behind(self, made: Parts, since: datetime) -> Parts:
        """Return those of `made` that tell how far the asset's data reaches, and do not reach to a moment."""
        least = instant(since)
        if time_of(self.definition) is not None:
            newest = (place for place in made.last(1) if (at := self.recorded.reached_by(*place)) and at < since)
            return Parts.at(newest)
        found = list[Place]()
        for name, first, stop in made.spans():
            times = self.recorded.strand(name).reached_of(first, stop)
            found += [(name, first + place) for place, at in enumerate(times) if at < least]
        return Parts.at(found)

    def overdue(self, now: datetime) -> str | None:
        """Return since when the asset is older than its freshness policy allows; None while it is not."""
        if self.last is None or self.reached is None:
            return None
        return overdue_text(self._asset, self.last.at if self._asset.executable else self.reached, now)


#: What tells of a try at a partition, whether anything was made or not.
TRIED = ("failed", "check_failed", "cancelled", "running")


def _all_reached(recorded: RecordedPartitions, made: Parts, behind: Parts) -> Newest:
    """Return how far the data of all partitions reaches, where these are no windows of time."""

    def earliest(parts: Parts) -> datetime | None:
        found = (recorded.strand(name).reached_of(first, stop) for name, first, stop in parts.spans())
        at = min((min(each) for each in found), default=None)
        return None if at is None else moment_of(at)

    return Newest(behind=earliest(made & behind), fresh=earliest(made - behind))


def _earlier(one: datetime | None, other: datetime) -> datetime:
    return other if one is None else min(one, other)
