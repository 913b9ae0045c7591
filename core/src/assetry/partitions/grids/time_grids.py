"""Partitions by the hour, the day, the week, the month and the year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import ClassVar

from assetry.partitions.grids.moments import DAY, EPOCH, HOUR, add_months, localize
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition

__all__ = [
    "DailyPartitionsDefinition",
    "HourlyPartitionsDefinition",
    "MonthlyPartitionsDefinition",
    "WeeklyPartitionsDefinition",
    "YearlyPartitionsDefinition",
]


@dataclass(frozen=True, slots=True)
class HourlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """Partitions by the hour.

    Of two hours that the clocks show twice, the key of the second carries its offset from UTC.

    >>> HourlyPartitionsDefinition("2024-01-01").keys(datetime(2024, 1, 1, 2, 30))
    ('2024-01-01-00:00', '2024-01-01-01:00')
    """

    json_tag: ClassVar = ("partitions", "hourly")
    unit: ClassVar[str] = "hour"
    short: ClassVar[bool] = True
    fmt: str = "%Y-%m-%d-%H:%M"

    @property
    def grid(self) -> tuple[object, ...]:
        """Return kind, time zone, and when the first hour of 1970 starts."""
        return ("hourly", self.timezone, _first_hour(self))

    @property
    def typical_length(self) -> float:
        """Return the seconds of an hour."""
        return 3600.0

    # Hours are counted on the world's clock, where each is as long as the other.
    def _start(self, number: int) -> datetime:
        return (_first_hour(self) + number * HOUR).astimezone(self.zone())

    def wall(self, number: int) -> datetime:
        """Return when a window starts, on the wall clock."""
        return self._start(number).replace(tzinfo=None)

    def _number(self, moment: datetime) -> int:
        return (moment.astimezone(UTC) - _first_hour(self)) // HOUR


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

    @property
    def typical_length(self) -> float:
        """Return the seconds of a day of 24 hours."""
        return DAY.total_seconds()

    def _first(self) -> datetime:
        return EPOCH + timedelta(hours=self.hour_offset, minutes=self.minute_offset)

    def wall(self, number: int) -> datetime:
        """Return when a window starts, on the wall clock."""
        return self._first() + number * DAY

    def _steps(self, wall: datetime) -> int:
        return (wall - self._first()) // DAY


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

    @property
    def typical_length(self) -> float:
        """Return the seconds of seven days."""
        return 7 * DAY.total_seconds()

    def _first(self) -> datetime:
        ahead = (self.day_offset - EPOCH.isoweekday()) % 7
        return EPOCH + timedelta(days=ahead, hours=self.hour_offset, minutes=self.minute_offset)

    def wall(self, number: int) -> datetime:
        """Return when a window starts, on the wall clock."""
        return self._first() + 7 * number * DAY

    def _steps(self, wall: datetime) -> int:
        return (wall - self._first()) // (7 * DAY)


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

    @property
    def typical_length(self) -> float:
        """Return the seconds of 30 days."""
        return 30 * DAY.total_seconds()

    def _first(self) -> datetime:
        return EPOCH.replace(day=self.day_offset, hour=self.hour_offset, minute=self.minute_offset)

    def wall(self, number: int) -> datetime:
        """Return when a window starts, on the wall clock."""
        return add_months(self._first(), number)

    def _steps(self, wall: datetime) -> int:
        first = self._first()
        return (wall.year - first.year) * 12 + wall.month - first.month


@dataclass(frozen=True, slots=True)
class YearlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """Partitions by the year; `month_offset` is the month in which a year begins, from 1 to 12.

    >>> YearlyPartitionsDefinition(start_date="2022-01-01").keys(datetime(2024, 2, 1))
    ('2022-01-01', '2023-01-01')
    """

    json_tag: ClassVar = ("partitions", "yearly")
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {"minute_offset": (0, 59), "month_offset": (1, 12)}
    unit: ClassVar[str] = "year"
    month_offset: int = 1

    @property
    def typical_length(self) -> float:
        """Return the seconds of 365 days."""
        return 365 * DAY.total_seconds()

    def _first(self) -> datetime:
        return EPOCH.replace(month=self.month_offset, minute=self.minute_offset)

    def wall(self, number: int) -> datetime:
        """Return when a window starts, on the wall clock."""
        return add_months(self._first(), 12 * number)

    def _steps(self, wall: datetime) -> int:
        return wall.year - EPOCH.year


@lru_cache(maxsize=4096)
def _first_hour(definition: HourlyPartitionsDefinition) -> datetime:
    """Return when the first hour of 1970 starts, in UTC.

    An hour starts as many minutes after that of UTC as it does at the start of the partitions: in most zones always the
    same number, but some have changed it, and then hours count from a start by the clock of that time.
    """
    zone = definition.zone()
    start = localize(definition._begin.replace(minute=definition.minute_offset, second=0, microsecond=0), zone)
    first = localize(EPOCH, zone).astimezone(UTC)
    return first + (start.astimezone(UTC) - first) % HOUR
