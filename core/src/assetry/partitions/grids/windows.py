"""Windows of time: what hours, days, weeks, months and the windows between the ticks of a cron text have in common.

Windows follow the wall clock of their time zone, so that a day is 23 or 25 hours long when the clocks change; there
is neither a gap nor an overlap between them. They are counted from the first one of 1970 on, whatever the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import ClassVar, cast

from assetry.errors import DefinitionError, UsageError
from assetry.partitions.definitions import PartitionsDefinition, quoted
from assetry.partitions.grids.exclusions import Exclusions, excluded_windows, written_exclusions
from assetry.partitions.grids.moments import Moment, aware, localize, meant, wall_clock, zone_named
from assetry.partitions.parts import NOTHING, Parts

_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class TimeWindowPartitionsDefinition(PartitionsDefinition):
    """The base of partitions by time.

    `start_date` and `end_date` are wall-clock time in `timezone` (a name such as ``Europe/Berlin``), written
    ``2024-01-31`` or given as date or datetime; the end is outside. `fmt` is how a key is written (see `strftime`).
    A window becomes a partition when it is over; `end_offset` makes that so many windows earlier. `minute_offset`
    moves the start of each window.

    * `exclude`: windows that are no partitions: those that start at a moment, on a day, or in a month or year of this
      list (``"2026-12-25"``, ``"2026-12"``), or when a cron text in it ticks (``"0 0 * * SAT,SUN"``). A function is
      called once, for such a list. Windows beside them keep their length.
    * `late`: for how long data may come in after a window is over. `lookback` says so in windows, as dbt does; both
      together add up. See `settles_at`.
    """

    start_date: Moment
    end_date: Moment | None = None
    timezone: str = "UTC"
    fmt: str = "%Y-%m-%d"
    end_offset: int = 0
    minute_offset: int = 0
    exclude: Exclusions = field(default=(), kw_only=True)
    late: timedelta = field(default=_NONE, kw_only=True)
    lookback: int = field(default=0, kw_only=True)
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {"minute_offset": (0, 59)}
    unit: ClassVar[str] = "window"
    #: Whether a window may be as short as an hour: of two that read alike, the key of the second carries its offset.
    short: ClassVar[bool] = False
    #: The lowest number of a window, where there is one.
    lowest: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        zone = self.zone()
        object.__setattr__(self, "start_date", wall_clock(self.start_date, zone, "start_date"))
        if self.end_date is not None:
            object.__setattr__(self, "end_date", wall_clock(self.end_date, zone, "end_date"))
            if self._end <= self._begin:
                raise DefinitionError("end_date must be later than start_date.", hint="The end is outside.")
        for name, (low, high) in self.limits.items():
            if not low <= getattr(self, name) <= high:
                raise DefinitionError(
                    f"{type(self).__name__}({name}={getattr(self, name)}) must be from {low} to {high}."
                )
        if self.late < _NONE or self.lookback < 0:
            raise DefinitionError("late and lookback cannot be negative.", hint="Data comes after its window.")
        if self.exclude != ():
            object.__setattr__(self, "exclude", written_exclusions(self.exclude, zone))
        if self.fmt != type(self).__dataclass_fields__["fmt"].default:
            self._check_format()

    @property
    def _begin(self) -> datetime:
        return cast(datetime, self.start_date)

    @property
    def _end(self) -> datetime:
        return cast(datetime, self.end_date)

    def _check_format(self) -> None:
        # Numbers far enough apart that a format which leaves out hour, day, month or year repeats itself.
        first = self.bounds()[0]
        if any(self.find(self.key(first + more)) != first + more for more in (0, 1, 13, 53, 400)):
            raise DefinitionError(
                f"fmt={self.fmt!r} does not tell one {self.unit} from another.",
                hint=f"For example {type(self).__dataclass_fields__['fmt'].default!r}.",
            )

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:  # noqa: ARG002
        """Return the keys of the windows that are over at `now`, oldest first."""
        return self.keys_of(self.existing(now))

    def count(self, now: datetime, known: Iterable[str] = ()) -> int:  # noqa: ARG002
        """Return how many windows are over at `now`, without making their keys."""
        return len(self.existing(now))

    def key_at(self, moment: datetime) -> str | None:
        """Return the key of the window that `moment` lies in, over or not; None where that is no partition.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> DailyPartitionsDefinition("2024-01-01").key_at(datetime(2024, 1, 5, 13))
        '2024-01-05'
        """
        number = self._number(aware(moment))
        return self.key(number) if self.possible(Parts.range(number, number + 1)) else None

    def window(self, key: str) -> tuple[datetime, datetime]:
        """Return start and end of a partition's window, with time zone; raise `UsageError` when it has none.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> [str(each) for each in DailyPartitionsDefinition("2024-01-01").window("2024-01-05")]
        ['2024-01-05 00:00:00+00:00', '2024-01-06 00:00:00+00:00']
        """
        return self.window_of(self.number(key))

    def validate(self, key: str, now: datetime | None = None) -> None:
        """Raise `UsageError` when `key` names no window; with `now`, when that window is not over yet."""
        number = self.number(key)
        if now is not None and number >= self._over(aware(now)):
            last = self.existing(now).last(1)
            raise UsageError(
                f"Partition {key!r} is not over yet: it ends at {self.window_of(number)[1].isoformat()}.",
                near=self.keys_of(last),
                hint="A time partition can be made once its window is over; `end_offset` makes it earlier.",
            )

    def previous(self, key: str) -> str | None:
        """Return the key of the window before that is not excluded; None for the first.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> days = DailyPartitionsDefinition("2024-01-01", exclude=["0 0 * * SAT,SUN"])
        >>> days.previous("2024-01-08"), days.previous("2024-01-01")
        ('2024-01-05', None)
        """
        number, first = self.number(key), self.bounds()[0]
        while number > first:
            number -= 1
            if self.possible(Parts.range(number, number + 1)):
                return self.key(number)
        return None

    @property
    def typical_length(self) -> float:
        """Return how many seconds a window mostly takes."""
        raise NotImplementedError

    # -- numbers -------------------------------------------------------------------------------------------------

    @property
    def grid(self) -> tuple[object, ...]:
        """Return kind, time zone and offsets."""
        offsets = tuple((name, getattr(self, name)) for name in self.limits)
        return (type(self).json_tag[1], self.timezone, *offsets)  # type: ignore[attr-defined]

    def number(self, key: str) -> int:
        """Return how many windows after the first of 1970 a partition is; raise `UsageError`, with near names."""
        number = self.find(key)
        first, stop = self.bounds()
        if number is None or number < first:
            raise UsageError(
                f"{key!r} is not one of the partitions, each a {self.unit}, from {self.key(first)!r}.",
                near=self.near(key),
                hint=f"A key looks like {self.key(first)!r}.",
            )
        if stop is not None and number >= stop:
            end = f"the last is {self.key(stop - 1)!r}" if stop > first else "there is none"
            raise UsageError(f"Partition {key!r} lies after the end of the partitions: {end}.")
        if self.exclude and not self.possible(Parts.range(number, number + 1)):
            raise UsageError(f"Partition {key!r} is left out by `exclude`.", hint="See the definition of the asset.")
        return number

    def key(self, number: int, strand: str = "") -> str:  # noqa: ARG002
        """Return the key of the window with a number, whether it is a partition or not."""
        if self.short or "%z" in self.fmt or "%Z" in self.fmt:
            start = self._start(number)
            return start.strftime(self.fmt + "%z" if start.fold and "%z" not in self.fmt else self.fmt)
        # On the wall clock: a day that has no midnight, because the clocks change then, still has its name.
        return self.wall(number).strftime(self.fmt)

    def window_of(self, number: int) -> tuple[datetime, datetime]:
        """Return start and end of the window with a number, with time zone.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> str(DailyPartitionsDefinition("2024-01-01").window_of(0)[0])
        '1970-01-01 00:00:00+00:00'
        """
        return self._start(number), self._start(number + 1)

    def settles_at(self, number: int) -> datetime:
        """Return from when on data is expected to be all there: the end of the window, and `late` after it.

        What was made of data that does not reach to that moment is provisional, and due again then. What was made
        before its window was over (`end_offset`) is due when it is, too; see `settling`.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> days = DailyPartitionsDefinition("2024-01-01", lookback=2, late=timedelta(hours=1))
        >>> str(days.settles_at(days.number("2024-01-05")))
        '2024-01-08 01:00:00+00:00'
        """
        return self._late_end(number + self.lookback)

    def settling(self, number: int) -> tuple[datetime, ...]:
        """Return the moments from which on what was made of earlier data is due again: the last one is `settles_at`.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> days = DailyPartitionsDefinition("2024-01-01", end_offset=1, lookback=2)
        >>> [f"{each:%d}" for each in days.settling(days.number("2024-01-05"))]
        ['06', '08']
        """
        settled = self.settles_at(number)
        return (self._late_end(number), settled) if self.lookback else (settled,)

    def _late_end(self, number: int) -> datetime:
        end = self.window_of(number)[1]
        return (end.astimezone(UTC) + self.late).astimezone(end.tzinfo)

    def existing(self, now: datetime) -> Parts:
        """Return the windows that are over at `now`, with `end_offset` that many more.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> len(DailyPartitionsDefinition("2024-01-01", exclude=["0 0 * * SAT,SUN"]).existing(datetime(2024, 1, 15)))
        10
        """
        return self.possible(Parts.range(self.bounds()[0], self._over(aware(now))))

    def changes_after(self, now: datetime) -> datetime | None:
        """Return when, after `now`, the next window is over, or one is due again; None behind the last of all.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> days = DailyPartitionsDefinition("2024-01-01", late=timedelta(hours=2))
        >>> [str(days.changes_after(datetime(2024, 1, 15, hour, tzinfo=UTC))) for hour in (1, 3)]
        ['2024-01-15 02:00:00+00:00', '2024-01-16 00:00:00+00:00']
        """
        now = aware(now)
        number, last = self._number(now), self.bounds()[1]
        first = self.ending_by(now - self.late) - self.lookback - 1
        if last is not None and first > last:
            return None
        moments = [self._start(number + 1), *(each for i in range(first, number + 1) for each in self.settling(i))]
        return min(each for each in moments if each > now)

    def possible(self, parts: Parts) -> Parts:
        """Return the windows between start and end that are not excluded, over or not."""
        inside = parts.within(*self.bounds())
        if not self.exclude or not inside:
            return inside
        out = NOTHING
        for _, first, stop in inside.spans():
            out |= excluded_windows(self, first, stop)
        return inside - out

    def span(self, start: datetime, end: datetime) -> tuple[int, int]:
        """Return the numbers of the windows that overlap a time, the second outside; whether partitions or not."""
        start, end = aware(start).astimezone(UTC), aware(end).astimezone(UTC)
        first = self._number(start)
        if end <= start:
            return first, first
        return first, self.first_from(end)

    def pieces_of(self, parts: Parts) -> list[str]:
        """Return a set of partitions as ranges of their keys; one range may lead over windows that are excluded.

        >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
        >>> days = DailyPartitionsDefinition("2024-01-01", exclude=["2024-01-03"])
        >>> days.pieces_of(days.possible(Parts.range(19723, 19730)))
        ['2024-01-01..2024-01-07']
        """
        ranges: list[tuple[int, int]] = []
        for _, first, stop in parts.spans():
            if ranges and self.exclude and not self.possible(Parts.range(ranges[-1][1], first)):
                ranges[-1] = (ranges[-1][0], stop)
            else:
                ranges.append((first, stop))
        named = ((quoted(self.key(first)), quoted(self.key(stop - 1))) for first, stop in ranges)
        return [first if first == last else f"{first}..{last}" for first, last in named]

    @property
    def gapless(self) -> bool:
        """Return whether each window ends where the next one starts."""
        return True

    # -- arithmetic ----------------------------------------------------------------------------------------------

    def near(self, key: str) -> tuple[str, ...]:
        """Return the key that was most likely meant by a slip, where there is one."""
        try:
            found = self._meant(key)
        except (ValueError, OverflowError):
            return ()
        return (found,) if found is not None else ()

    def _meant(self, key: str) -> str | None:
        try:
            moment = datetime.fromisoformat(key)
        except ValueError:
            wall = meant(key)
            if wall is None:
                return None
            moment = wall
        return self.key_at(moment if moment.tzinfo else localize(moment, self.zone()))

    def find(self, key: str) -> int | None:
        """Return the number of the window that `key` names; None when there is none."""
        zone = self.zone()
        try:
            moment = self._parse(key)
            number = self._number(moment if moment.tzinfo else localize(moment, zone))
            # A format may leave out what all windows share, such as the minutes: look at the neighbours too; and at
            # one more, because a zone may leave out a whole day.
            for candidate in (number, number + 1, number - 1, number + 2):
                if self.key(candidate) == key:
                    return candidate
        except (ValueError, OverflowError):
            pass
        return None

    def _parse(self, key: str) -> datetime:
        try:
            return datetime.strptime(key, self.fmt)
        except ValueError:
            if not self.short:
                raise
            return datetime.strptime(key, self.fmt + "%z")

    def zone(self) -> tzinfo:
        """Return the time zone."""
        return zone_named(self.timezone)

    def bounds(self) -> tuple[int, int | None]:
        """Return the number of the first partition, and the one behind the last; None where there is no end."""
        return _bounds(self)

    def _over(self, now: datetime) -> int:
        """Return the number behind the last window that is a partition at `now`, but for start and end."""
        return self.ending_by(now) + self.end_offset

    def ending_by(self, moment: datetime) -> int:
        """Return the number behind the last window that has ended at `moment`."""
        return self._number(moment)

    def _start(self, number: int) -> datetime:
        return localize(self.wall(number), self.zone())

    def _number(self, moment: datetime) -> int:
        """Return the number of the window that `moment` lies in."""
        # In UTC: two times of one zone are compared by their wall clocks, which repeat an hour every autumn.
        moment = moment.astimezone(UTC)
        number = self._steps(moment.astimezone(self.zone()).replace(tzinfo=None))
        while self._start(number) > moment:
            number -= 1
        while self._start(number + 1) <= moment:
            number += 1
        return number

    def first_from(self, moment: datetime) -> int:
        """Return the number of the first window that starts at `moment` or later."""
        number = self._number(moment)
        # In UTC: a time that comes twice is never equal to the same moment in another zone.
        return number if self._start(number).astimezone(UTC) == moment.astimezone(UTC) else number + 1

    def wall(self, number: int) -> datetime:
        """Return when a window starts, on the wall clock."""
        raise NotImplementedError

    def _steps(self, wall: datetime) -> int:
        """Return about how many windows lie between the first of 1970 and a wall-clock time."""
        raise NotImplementedError


@lru_cache(maxsize=4096)
def _bounds(definition: TimeWindowPartitionsDefinition) -> tuple[int, int | None]:
    zone = definition.zone()
    first = definition.first_from(localize(definition._begin, zone))
    # Windows that end by `end_date`.
    return first, None if definition.end_date is None else definition.ending_by(localize(definition._end, zone))
