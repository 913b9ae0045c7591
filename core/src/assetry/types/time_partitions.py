"""Partitions by time: one per hour, day, week or month.

Windows follow the wall clock of their time zone, so that a day is 23 or 25 hours long when the clocks change; there
is neither a gap nor an overlap between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import ClassVar, cast

from assetry.errors import DefinitionError, UsageError, near_names
from assetry.types.partitions import PartitionsDefinition

#: How a moment may be given; the definition holds it as datetime on the wall clock of its zone.
Moment = date | datetime | str

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TimeWindowPartitionsDefinition(PartitionsDefinition):
    """The base of partitions by time.

    `start_date` and `end_date` are wall-clock time in `timezone` (a name such as ``Europe/Berlin``), written
    ``2024-01-31`` or given as date or datetime; the end is outside. `fmt` is how a key is written (see `strftime`).
    A window becomes a partition when it is over; `end_offset` makes that so many windows earlier. `minute_offset`
    moves the start of each window.
    """

    start_date: Moment
    end_date: Moment | None = None
    timezone: str = "UTC"
    fmt: str = "%Y-%m-%d"
    end_offset: int = 0
    minute_offset: int = 0
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {"minute_offset": (0, 59)}
    unit: ClassVar[str] = "window"

    def __post_init__(self) -> None:
        zone = self._zone()
        object.__setattr__(self, "start_date", _wall_clock(self.start_date, zone, "start_date"))
        if self.end_date is not None:
            object.__setattr__(self, "end_date", _wall_clock(self.end_date, zone, "end_date"))
            if self._end <= self._begin:
                raise DefinitionError("end_date must be later than start_date.", hint="The end is outside.")
        for name, (low, high) in self.limits.items():
            if not low <= getattr(self, name) <= high:
                raise DefinitionError(
                    f"{type(self).__name__}({name}={getattr(self, name)}) must be from {low} to {high}."
                )
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
        if any(self._find(self._key(number)) != number for number in (0, 1, 13, 53, 400)):
            raise DefinitionError(
                f"fmt={self.fmt!r} does not tell one {self.unit} from another.",
                hint=f"For example {type(self).__dataclass_fields__['fmt'].default!r}.",
            )

    def keys(self, now: datetime, known: Iterable[str] = ()) -> tuple[str, ...]:  # noqa: ARG002
        """Return the keys of the windows that are over at `now`, oldest first."""
        return tuple(self._key(number) for number in range(self.count(now)))

    def count(self, now: datetime, known: Iterable[str] = ()) -> int:  # noqa: ARG002
        """Return how many windows are over at `now`, without making their keys."""
        over = self._number(_aware(now)) + self.end_offset
        last = self._last()
        return max(0, over if last is None else min(over, last))

    def key_at(self, moment: datetime) -> str | None:
        """Return the key of the window that `moment` lies in, over or not; None before the start and after the end.

        >>> DailyPartitionsDefinition("2024-01-01").key_at(datetime(2024, 1, 5, 13))
        '2024-01-05'
        """
        number = self._number(_aware(moment))
        last = self._last()
        return self._key(number) if number >= 0 and (last is None or number < last) else None

    def keys_between(self, first: str, last: str) -> tuple[str, ...]:
        """Return the keys from `first` to `last`, both included; raise `UsageError` when one is not a partition.

        >>> DailyPartitionsDefinition("2024-01-01").keys_between("2024-01-30", "2024-02-01")
        ('2024-01-30', '2024-01-31', '2024-02-01')
        """
        return tuple(self._key(number) for number in range(self._checked(first), self._checked(last) + 1))

    def window(self, key: str) -> tuple[datetime, datetime]:
        """Return start and end of a partition's window, with time zone; raise `UsageError` when it has none.

        >>> [str(each) for each in DailyPartitionsDefinition("2024-01-01").window("2024-01-05")]
        ['2024-01-05 00:00:00+00:00', '2024-01-06 00:00:00+00:00']
        """
        number = self._checked(key)
        return self._start(number), self._start(number + 1)

    def validate(self, key: str, now: datetime | None = None) -> None:
        """Raise `UsageError` when `key` names no window; with `now`, when that window is not over yet."""
        number = self._checked(key)
        if now is not None and number >= self.count(now):
            raise UsageError(
                f"Partition {key!r} is not over yet: it ends at {self._start(number + 1).isoformat()}.",
                hint="A time partition can be made once its window is over; `end_offset` makes it earlier.",
            )

    def _checked(self, key: str) -> int:
        number, last = self._find(key), self._last()
        if number is None:
            raise UsageError(
                f"{key!r} is not one of the partitions, each a {self.unit}, from {self._key(0)!r}.",
                near=self._near(key),
                hint=f"A key looks like {self._key(0)!r}.",
            )
        if last is not None and number >= last:
            end = f"the last is {self._key(last - 1)!r}" if last > 0 else "there is none"
            raise UsageError(f"Partition {key!r} lies after the end of the partitions: {end}.")
        return number

    def _near(self, key: str) -> tuple[str, ...]:
        try:
            moment = datetime.fromisoformat(key.replace("/", "-").replace(".", "-"))
            found = self.key_at(moment if moment.tzinfo else _localize(moment, self._zone()))
        except (ValueError, OverflowError):
            return ()
        return (found,) if found is not None else ()

    def _find(self, key: str) -> int | None:
        """Return the number of the window that `key` names, counted from 0; None when there is none."""
        zone = self._zone()
        try:
            moment = self._parse(key)
            number = self._number(moment if moment.tzinfo else _localize(moment, zone))
            # A format may leave out what all windows share, such as the minutes: look at the neighbours too.
            for candidate in (number, number + 1, number - 1):
                if candidate >= 0 and self._key(candidate) == key:
                    return candidate
        except (ValueError, OverflowError):
            pass
        return None

    def _parse(self, key: str) -> datetime:
        return datetime.strptime(key, self.fmt)

    def _zone(self) -> tzinfo:
        return _zone(self.timezone)

    def _last(self) -> int | None:
        """Return how many windows end by `end_date`."""
        return None if self.end_date is None else self._number(_localize(self._end, self._zone()))

    def _start(self, number: int) -> datetime:
        return _localize(self._wall(number), self._zone())

    def _number(self, moment: datetime) -> int:
        """Return the number of the window that `moment` lies in; negative before the first."""
        # In UTC: two times of one zone are compared by their wall clocks, which repeat an hour every autumn.
        moment = moment.astimezone(UTC)
        number = self._steps(moment.astimezone(self._zone()).replace(tzinfo=None))
        while self._start(number) > moment:
            number -= 1
        while self._start(number + 1) <= moment:
            number += 1
        return number

    def _key(self, number: int) -> str:
        if "%z" in self.fmt or "%Z" in self.fmt:
            return self._start(number).strftime(self.fmt)
        # On the wall clock: a day that has no midnight, because the clocks change then, still has its name.
        return self._wall(number).strftime(self.fmt)

    def _first(self) -> datetime:
        """Return when the first window starts; ask `_origin`, which remembers it."""
        raise NotImplementedError

    def _wall(self, number: int) -> datetime:
        """Return when window `number` starts, on the wall clock."""
        raise NotImplementedError

    def _steps(self, wall: datetime) -> int:
        """Return about how many windows lie between the first and a wall-clock time."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class HourlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """Partitions by the hour.

    Of two hours that the clocks show twice, the key of the second carries its offset from UTC.

    >>> HourlyPartitionsDefinition("2024-01-01").keys(datetime(2024, 1, 1, 2, 30))
    ('2024-01-01-00:00', '2024-01-01-01:00')
    """

    json_tag: ClassVar = ("partitions", "hourly")
    unit: ClassVar[str] = "hour"
    fmt: str = "%Y-%m-%d-%H:%M"

    # Hours are counted on the world's clock, where each is as long as the other.
    def _first(self) -> datetime:
        start = self._begin.replace(minute=self.minute_offset, second=0, microsecond=0)
        wall = start if start >= self._begin else start + _HOUR
        return _localize(wall, self._zone()).astimezone(UTC)

    def _start(self, number: int) -> datetime:
        return (_origin(self) + number * _HOUR).astimezone(self._zone())

    def _number(self, moment: datetime) -> int:
        return (moment.astimezone(UTC) - _origin(self)) // _HOUR

    def _key(self, number: int) -> str:
        start = self._start(number)
        return start.strftime(self.fmt + "%z" if start.fold and "%z" not in self.fmt else self.fmt)

    def _parse(self, key: str) -> datetime:
        try:
            return datetime.strptime(key, self.fmt)
        except ValueError:
            return datetime.strptime(key, self.fmt + "%z")


@dataclass(frozen=True, slots=True)
class DailyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """Partitions by the day; `hour_offset` and `minute_offset` say when a day begins.

    >>> DailyPartitionsDefinition(start_date="2024-01-30").keys(datetime(2024, 2, 2))
    ('2024-01-30', '2024-01-31', '2024-02-01')
    """

    json_tag: ClassVar = ("partitions", "daily")
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {"minute_offset": (0, 59), "hour_offset": (0, 23)}
    unit: ClassVar[str] = "day"
    hour_offset: int = 0

    def _first(self) -> datetime:
        return _next(self._begin, self.hour_offset, self.minute_offset)

    def _wall(self, number: int) -> datetime:
        return _origin(self) + number * _DAY

    def _steps(self, wall: datetime) -> int:
        return (wall - _origin(self)) // _DAY


@dataclass(frozen=True, slots=True)
class WeeklyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """Partitions by the week; `day_offset` is the day it begins: 0 is Sunday (the default), 1 Monday, 6 Saturday.

    >>> WeeklyPartitionsDefinition(start_date="2024-01-01", day_offset=1).keys(datetime(2024, 1, 16))
    ('2024-01-01', '2024-01-08')
    """

    json_tag: ClassVar = ("partitions", "weekly")
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {
        "minute_offset": (0, 59),
        "hour_offset": (0, 23),
        "day_offset": (0, 6),
    }
    unit: ClassVar[str] = "week"
    hour_offset: int = 0
    day_offset: int = 0

    def _first(self) -> datetime:
        day = _next(self._begin, self.hour_offset, self.minute_offset)
        return day + (self.day_offset - day.isoweekday()) % 7 * _DAY

    def _wall(self, number: int) -> datetime:
        return _origin(self) + 7 * number * _DAY

    def _steps(self, wall: datetime) -> int:
        return (wall - _origin(self)) // (7 * _DAY)


@dataclass(frozen=True, slots=True)
class MonthlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """Partitions by the month; `day_offset` is the day of the month it begins, from 1 to 28.

    >>> MonthlyPartitionsDefinition(start_date="2023-12-01").keys(datetime(2024, 2, 1))
    ('2023-12-01', '2024-01-01')
    """

    json_tag: ClassVar = ("partitions", "monthly")
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {
        "minute_offset": (0, 59),
        "hour_offset": (0, 23),
        "day_offset": (1, 28),
    }
    unit: ClassVar[str] = "month"
    hour_offset: int = 0
    day_offset: int = 1

    def _first(self) -> datetime:
        month = datetime(self._begin.year, self._begin.month, self.day_offset, self.hour_offset, self.minute_offset)
        return month if month >= self._begin else _add_months(month, 1)

    def _wall(self, number: int) -> datetime:
        return _add_months(_origin(self), number)

    def _steps(self, wall: datetime) -> int:
        first = _origin(self)
        return (wall.year - first.year) * 12 + wall.month - first.month


@lru_cache(maxsize=128)
def _origin(definition: TimeWindowPartitionsDefinition) -> datetime:
    return definition._first()


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise DefinitionError(
            f"No time zone {name!r}.",
            near=near_names(name, zoneinfo.available_timezones()),
            hint="Write a name such as 'Europe/Berlin'; where the system knows none, install the package tzdata.",
        ) from None


def _wall_clock(value: Moment, zone: tzinfo, name: str) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise DefinitionError(f"{name}={value!r} is not a date.", hint="Write it as 2024-01-31.") from None
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value.astimezone(zone).replace(tzinfo=None) if value.tzinfo else value


def _localize(wall: datetime, zone: tzinfo) -> datetime:
    """Return a wall-clock time with its zone; the first of two that read alike, the next after one that is left out."""
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _next(start: datetime, hour: int, minute: int) -> datetime:
    day = start.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return day if day >= start else day + _DAY


def _add_months(moment: datetime, months: int) -> datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    return moment.replace(year=moment.year + years, month=month + 1)
