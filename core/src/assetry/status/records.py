"""What is recorded of the partitions of an asset, as sets of them. Pure.

What judges partitions asks `PartitionRecords`, and knows nothing of how records are kept.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from assetry.partitions.definitions import PartitionsDefinition, numbers_of
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.recorded import NumberedKeys, Place, numbered, time_of
from assetry.status.comparison import Comparison
from assetry.status.looked import Seen, data_time, gone, overdue_text
from assetry.status.reasons import Code, Reason, cancelled_text, failure_text, never_text, overwritten_text
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, Materialization


class PartitionRecords(Protocol):
    """What is recorded of the partitions of one asset.

    `definition` has the keys that records know. `made` are the partitions with a record, existing or not; `unknown` the
    recorded keys that have no number, `whole` tells of a record of it from when it had no partitions, `gone_with` of
    partitions that went when it was made as a whole.
    """

    definition: PartitionsDefinition
    made: Parts
    unknown: tuple[str, ...]
    whole: bool
    gone_with: str | None
    running: Parts
    never_text: str
    last: Materialization | None

    def failures(self) -> Reason | None:
        """Return the partitions whose last try failed, or whose check did."""
        ...

    def cancelled(self) -> Reason | None:
        """Return the partitions that are made, and whose last try was cancelled."""
        ...

    def gone(self, seen: Seen) -> Reason | None:
        """Return the partitions that are not there any more."""
        ...

    def differences(self, parts: Parts, comparison: Comparison) -> tuple[list[Reason], Mapping[int, Parts]]:
        """Return what differs, of `parts`, from what they would be made from now: in themselves, and by input."""
        ...

    def newest(self, parts: Parts) -> datetime | None:
        """Return when the newest of some partitions was made."""
        ...

    def provisional(self, parts: Parts, now: datetime) -> Parts:
        """Return those of `parts` that were made before all their data was there, and are due again at `now`."""
        ...

    def overdue(self, now: datetime) -> str | None:
        """Return since when the asset is older than its freshness policy allows; None while it is not."""
        ...


@dataclass(slots=True)
class Clocks:
    """Numbers and times of windows that were asked for, by definition: most assets share a few definitions."""

    _numbers: dict[PartitionsDefinition, dict[str, int | None]] = field(default_factory=dict)
    _settled: dict[TimeWindowPartitionsDefinition, dict[int, datetime]] = field(default_factory=dict)
    _existing: dict[Hashable, Parts] = field(default_factory=dict)

    def numbered(self, definition: PartitionsDefinition, keys: Iterable[str]) -> NumberedKeys:
        """Return the numbers of recorded keys."""
        return numbered(definition, keys, self._numbers.setdefault(definition, {}))

    def settled(self, windows: TimeWindowPartitionsDefinition, numbers: Iterable[int]) -> Mapping[int, datetime]:
        """Return from when on the data of windows is expected to be all there; of those numbers, and maybe of more."""
        times = self._settled.setdefault(windows, {})
        for number in numbers:
            if number not in times:
                times[number] = windows.settles_at(number)
        return times

    def existing(self, definition: PartitionsDefinition, now: datetime) -> Parts:
        """Return the partitions that should exist at `now`, the same in all calls."""
        asked = numbers_of(definition)
        if asked not in self._existing:
            self._existing[asked] = definition.existing(now)
        return self._existing[asked]


class RowRecords:
    """Records of partitions that are kept one by one."""

    def __init__(
        self, i: int, asset: Asset, rows: Sequence[Materialization], tried: Sequence[Attempt], clocks: Clocks
    ) -> None:
        assert asset.partitions_def is not None
        self._i = i
        self._asset = asset
        self._tried = tried
        self._clocks = clocks
        since = max((each.at for each in rows if each.partition is None), default=None) if asset.kept else None
        parted = [each for each in rows if each.partition is not None]
        lost = [each for each in parted if since is not None and each.at < since]
        if lost:
            parted = [each for each in parted if since is not None and each.at >= since]
        parted.sort(key=lambda each: each.at)
        keys = [each.partition for each in parted if each.partition is not None]
        failing = (each.partition for each in tried if each.partition is not None and each.outcome in _TRIED)
        #: Those that were tried, and are not there, have numbers, too.
        found = clocks.numbered(asset.partitions_def, (*keys, *failing))
        self._places = found.places
        self.definition = found.definition
        self._rows = {found.places[str(each.partition)]: each for each in parted if each.partition in found.places}
        self.made = Parts.at(self._rows)
        self.unknown = tuple(key for key in keys if key not in found.places)
        self.whole = len(parted) + len(lost) < len(rows)
        self.gone_with = overwritten_text(lost) if lost else None
        self.running = self._parts(each for each in tried if each.outcome == "running")
        self.never_text = never_text(tried)
        self.last = parted[-1] if parted else None

    def _parts(self, tried: Iterable[Attempt]) -> Parts:
        names = (str(each.partition) for each in tried if each.partition is not None)
        return Parts.at(self._places[name] for name in names if name in self._places)

    # -- tries -------------------------------------------------------------------------------------------------------

    def failures(self) -> Reason | None:
        """Return the partitions whose last try failed, or whose check did."""
        found = self._last_tries("failed", "check_failed")
        return found and Reason("last_failed", self._asset.key, failure_text(found[0]), Parts.at(found[1]))

    def cancelled(self) -> Reason | None:
        """Return the partitions that are made, and whose last try was cancelled."""
        found = self._last_tries("cancelled", made=True)
        return found and Reason("last_cancelled", self._asset.key, cancelled_text(found[0]), Parts.at(found[1]))

    def _last_tries(self, *outcomes: str, made: bool = False) -> tuple[list[Attempt], list[Place]] | None:
        """Return the attempts with one of some outcomes that have the last word, and the partitions they are of."""
        standing: list[Attempt] = []
        places: list[Place] = []
        for each in self._tried:
            if each.outcome not in outcomes:
                continue
            found = [place for place in self._standing(each) if not made or place in self._rows]
            if found:
                standing.append(each)
                places += found
        return (standing, places) if standing else None

    def _standing(self, tried: Attempt) -> list[Place]:
        """Return the partitions of which an attempt has the last word.

        One without a partition, as of a check of the whole table, is about those that its run made, else about all,
        until any is made.
        """
        if tried.partition is not None:
            place = self._places.get(tried.partition)
            return [] if place is None or not _has_last_word(tried, self._rows.get(place)) else [place]
        ours = [place for place, made in self._rows.items() if made.run == tried.run]
        tries = any(each.run == tried.run and each.partition is not None for each in self._tried)
        if (ours or tries) and tried.outcome == "failed":
            return []  # its partitions have told how they came out
        return ours or (list(self._rows) if self.last is None or _has_last_word(tried, self.last) else [])

    # -- what was made -----------------------------------------------------------------------------------------------

    def gone(self, seen: Seen) -> Reason | None:
        """Return the partitions that are not there any more."""
        text, missing = gone(self._asset, tuple(self._rows.values()), self._tried, seen)
        if not missing:
            return None
        return Reason("gone", self._asset.key, text, Parts.at(self._places[str(each.partition)] for each in missing))

    def differences(self, parts: Parts, comparison: Comparison) -> tuple[list[Reason], Mapping[int, Parts]]:
        """Return what differs, of `parts`, from what they would be made from now: in themselves, and by input."""
        own: dict[tuple[Code, AssetKey, str], list[Place]] = {}
        news: dict[int, list[Place]] = {}
        every = self.made <= parts
        for place, made in self._rows.items():
            if not every and place not in parts:
                continue
            changed: dict[int, None] = {}
            for told in comparison.differences(self._i, self._asset, made, changed):
                own.setdefault(told, []).append(place)
            for j in changed:
                news.setdefault(j, []).append(place)
        found = [Reason(*told, Parts.at(places)) for told, places in own.items()]
        return found, {j: Parts.at(places) for j, places in news.items()}

    def newest(self, parts: Parts) -> datetime | None:
        """Return when the newest of some partitions was made."""
        return max((made.at for place, made in self._rows.items() if place in parts), default=None)

    def provisional(self, parts: Parts, now: datetime) -> Parts:
        """Return those of `parts` that were made before all their data was there, and are due again at `now`."""
        windows = time_of(self.definition)
        if windows is None or self._asset.computed_on_read:
            return NOTHING
        rows = (
            self._rows.items() if self.made <= parts else ((at, made) for at, made in self._rows.items() if at in parts)
        )
        settled = self._clocks.settled(windows, (number for _, number in self._rows))
        return Parts.at(place for place, made in rows if as_of(made) < settled[place[1]] <= now)

    def overdue(self, now: datetime) -> str | None:
        """Return since when the asset is older than its freshness policy allows; None while it is not."""
        return overdue_text(self._asset, self._rows.values(), now)


#: What tells of a try at a partition, whether anything was made or not.
_TRIED = ("failed", "check_failed", "cancelled", "running")


def as_of(made: Materialization) -> datetime:
    """Return the time that the data of a partition reaches: what the tool said, else when its making began.

    >>> from datetime import UTC
    >>> made = Materialization(key=AssetKey("a"), at=datetime(2026, 1, 2, 0, 1, tzinfo=UTC), run="r", data_version="1",
    ...     seconds=120.0)
    >>> str(as_of(made))
    '2026-01-01 23:59:00+00:00'
    """
    if "data_time" in made.metadata:
        return data_time(made)
    return made.at - timedelta(seconds=made.seconds) if made.seconds else made.at


def _has_last_word(tried: Attempt, made: Materialization | None) -> bool:
    # A check may report before its asset does; within one run the attempt has the last word.
    return made is None or tried.run == made.run or tried.at >= made.at
