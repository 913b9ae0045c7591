"""Partitions by the ticks of a cron text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from assetry.errors import DefinitionError
from assetry.partitions.grids import ticks
from assetry.partitions.grids.exclusions import Exclusions
from assetry.partitions.grids.moments import EPOCH, Moment
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition


@dataclass(frozen=True, slots=True)
class CronPartitionsDefinition(TimeWindowPartitionsDefinition):
    """Partitions by the ticks of a cron text: a window lasts to the next tick, or is of a fixed `length`.

    Windows of a `length` may leave gaps between them, or overlap. What the text means, on days when the clocks change,
    too, is as in Debian's cron; it is read by cronsim (``pip install 'assetry[cron]'``). The start is 1970 or later.
    Raises `DefinitionError` for a text that cannot be read, and for one that never ticks.

    >>> CronPartitionsDefinition("0 9 * * MON-FRI", "2026-01-01").keys(datetime(2026, 1, 6, 12))
    ('2026-01-01-09:00', '2026-01-02-09:00', '2026-01-05-09:00')
    >>> shifts = CronPartitionsDefinition("0 6,18 * * *", "2026-01-01", "Europe/Berlin", length=timedelta(hours=8))
    >>> [str(each) for each in shifts.window("2026-01-01-18:00")]
    ['2026-01-01 18:00:00+01:00', '2026-01-02 02:00:00+01:00']
    """

    json_tag: ClassVar = ("partitions", "cron")
    limits: ClassVar[Mapping[str, tuple[int, int]]] = {}
    unit: ClassVar[str] = "window"
    short: ClassVar[bool] = True
    lowest: ClassVar[int | None] = 0
    fmt: str = "%Y-%m-%d-%H:%M"
    cron: str = field(default="", kw_only=True)
    length: timedelta | None = field(default=None, kw_only=True)

    def __init__(
        self,
        cron: str,
        start_date: Moment,
        timezone: str = "UTC",
        length: timedelta | None = None,
        *,
        end_date: Moment | None = None,
        fmt: str = "%Y-%m-%d-%H:%M",
        end_offset: int = 0,
        minute_offset: int = 0,
        exclude: Exclusions = (),
        late: timedelta = timedelta(0),
        lookback: int = 0,
    ) -> None:
        given = {
            "start_date": start_date,
            "end_date": end_date,
            "timezone": timezone,
            "fmt": fmt,
            "end_offset": end_offset,
            "minute_offset": minute_offset,
            "exclude": exclude,
            "late": late,
            "lookback": lookback,
            "cron": cron,
            "length": length,
        }
        for name, value in given.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        if not isinstance(self.cron, str):
            raise DefinitionError(f"cron={self.cron!r} is no cron text.", hint="For example '0 9 * * MON-FRI'.")
        object.__setattr__(self, "cron", ticks.checked(self.cron))
        if self.length is not None and self.length <= timedelta(0):
            raise DefinitionError("length must be longer than nothing.", hint="For example timedelta(hours=8).")
        if self.minute_offset:
            raise DefinitionError("minute_offset says nothing beside a cron text.", hint="Write it into the text.")
        # Two arguments: zero-argument super() does not find the class that slots make anew.
        TimeWindowPartitionsDefinition.__post_init__(self)
        if self._begin < EPOCH:
            raise DefinitionError("start_date of partitions by a cron text must be in 1970 or later.")

    @property
    def grid(self) -> tuple[object, ...]:
        """Return text, time zone and length."""
        return ("cron", self.cron, self.timezone, self.length)

    @property
    def typical_length(self) -> float:
        """Return the length, or how many seconds lie between two ticks on average."""
        return ticks.typical_gap(self.cron) if self.length is None else self.length.total_seconds()

    @property
    def gapless(self) -> bool:
        """Return whether windows last to the next tick."""
        return self.length is None

    def window_of(self, number: int) -> tuple[datetime, datetime]:
        """Return start and end of the window with a number, with time zone."""
        start = self._start(number)
        if self.length is None:
            return start, self._start(number + 1)
        return start, (start.astimezone(UTC) + self.length).astimezone(start.tzinfo)

    def span(self, start: datetime, end: datetime) -> tuple[int, int]:
        """Return the numbers of the windows that overlap a time, the second outside; whether partitions or not."""
        # The first number that `super` finds is of the window that starts last before `start`.
        first, stop = TimeWindowPartitionsDefinition.span(self, start, end)
        if self.length is None or stop <= first:
            return max(first, 0), max(stop, 0)
        first = max(first, 0)
        while first < stop and self.window_of(first)[1] <= start.astimezone(UTC):
            first += 1
        while first > 0 and self.window_of(first - 1)[1] > start.astimezone(UTC):
            first -= 1
        return first, max(stop, first)

    def ending_by(self, moment: datetime) -> int:
        """Return the number behind the last window that has ended at `moment`."""
        if self.length is None:
            return self._number(moment)
        return self._number(moment.astimezone(UTC) - self.length) + 1

    def _start(self, number: int) -> datetime:
        return ticks.tick(self.cron, self.timezone, number).astimezone(self.zone())

    def wall(self, number: int) -> datetime:
        """Return when a window starts, on the wall clock."""
        return self._start(number).replace(tzinfo=None)

    def _number(self, moment: datetime) -> int:
        return ticks.number_at(self.cron, self.timezone, moment)

    def first_from(self, moment: datetime) -> int:
        """Return the number of the first window that starts at `moment` or later."""
        number = self._number(moment)
        return number if number >= 0 and self._start(number).astimezone(UTC) == moment.astimezone(UTC) else number + 1
