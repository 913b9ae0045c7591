"""The moments of a cron text, by number and by time.

What a text means is cronsim's to say (extra ``cron``): which days fit, and what happens on days when the clocks
change. All other days have the same ticks, so that they are counted, not listed: a text that ticks every minute has
30 million of them since 1970, and finding one takes some microseconds.
"""

from __future__ import annotations

import calendar
from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from assetry.errors import DefinitionError, near_names
from assetry.partitions.grids.moments import DAY, EPOCH, localize, zone_named

if TYPE_CHECKING:
    from cronsim import CronSim

_DAY = 24 * 3600
_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
#: Every cron text that ticks at all does so in these years: they have a 29 February on each day of the week.
_SOME_YEARS = range(2000, 2028)
#: Ticks are counted up to this year: a slip such as 2999 is answered at once.
_LAST_YEAR = 2200
_HINT = "Five fields: minute, hour, day of the month, month, day of the week; '30 9 * * MON-FRI'."


def checked(text: str) -> str:
    """Return a cron text in five fields; raise `DefinitionError` for one that cannot be read, or never ticks.

    >>> checked("@daily"), checked("30  9 * * MON-FRI")
    ('0 0 * * *', '30 9 * * MON-FRI')
    """
    plain = " ".join(text.split())
    if plain.startswith("@"):
        found = _NICKNAMES.get(plain.lower())
        if found is None:
            raise DefinitionError(f"{text!r} is no cron text.", near=near_names(plain, _NICKNAMES), hint=_HINT)
        return found
    _parsed(plain)
    return plain


def ticks_on(text: str, wall: datetime) -> bool:
    """Tell whether the clocks show a time at which `text` ticks.

    >>> ticks_on("0 0 * * SUN", datetime(2026, 11, 29)), ticks_on("0 0 * * SUN", datetime(2026, 11, 29, 1))
    (True, False)
    """
    cron = _parsed(text)
    return wall.minute in cron.minutes and wall.hour in cron.hours and _fits(cron, wall.date())


def tick(text: str, zone: str, number: int) -> datetime:
    """Return the tick of a number, counted from 0 at the first of 1970 in `zone`; in UTC. Before 1970 there is none.

    >>> str(tick("0 9 * * *", "Europe/Berlin", 20000))
    '2024-10-04 07:00:00+00:00'
    """
    if number < 0:
        raise OverflowError("ticks are counted from 1970 on")
    year = EPOCH.year + int(number / max(_per_year(text, zone), 0.01))
    year = max(year, EPOCH.year)
    while _before(text, zone, year) > number:
        year -= 1
    while _before(text, zone, year + 1) <= number:
        year += 1
    return datetime.fromtimestamp(_year(text, zone, year).tick(number - _before(text, zone, year)), UTC)


def number_at(text: str, zone: str, moment: datetime) -> int:
    """Return the number of the last tick at `moment` or before; -1 before the first.

    Raises `OverflowError` after the year 2200.

    >>> number_at("0 9 * * *", "Europe/Berlin", datetime(2024, 10, 4, 8, tzinfo=UTC))
    20000
    """
    year = moment.astimezone(zone_named(zone)).year
    if year < EPOCH.year:
        return -1
    if year > _LAST_YEAR:
        raise OverflowError(f"ticks are counted up to {_LAST_YEAR}")
    return _before(text, zone, year) + _year(text, zone, year).count_until(int(moment.timestamp())) - 1


@lru_cache(maxsize=256)
def typical_gap(text: str) -> float:
    """Return how many seconds lie between two ticks on average.

    >>> typical_gap("0 0 * * *")
    86400.0
    """
    total = sum(_year(text, "UTC", year).total for year in _SOME_YEARS)
    return (datetime(_SOME_YEARS.stop, 1, 1) - datetime(_SOME_YEARS.start, 1, 1)).total_seconds() / total


class _Year(NamedTuple):
    """The ticks of one year: the days that have any, and how many come before each.

    `days` are when the days begin and `before` is by day; `usual` are the seconds since the start of a usual day of its
    ticks, `unusual` has those of days of another length.
    """

    days: tuple[int, ...]
    before: tuple[int, ...]
    total: int
    usual: tuple[int, ...]
    unusual: Mapping[int, tuple[int, ...]]

    def tick(self, number: int) -> int:
        day = bisect_right(self.before, number) - 1
        ticks = self.unusual.get(self.days[day])
        place = number - self.before[day]
        return ticks[place] if ticks is not None else self.days[day] + self.usual[place]

    def count_until(self, moment: int) -> int:
        """Return how many ticks there are up to `moment`, that one included."""
        day = bisect_right(self.days, moment) - 1
        if day < 0:
            return 0
        start = self.days[day]
        ticks = self.unusual.get(start)
        inside = bisect_right(self.usual, moment - start) if ticks is None else bisect_right(ticks, moment)
        return self.before[day] + inside


@lru_cache(maxsize=16384)
def _year(text: str, zone: str, year: int) -> _Year:
    cron, of_zone = _parsed(text), _days(zone, year)
    usual = tuple(sorted(hour * 3600 + minute * 60 for hour in cron.hours for minute in cron.minutes))
    days: list[int] = []
    before: list[int] = []
    unusual: dict[int, tuple[int, ...]] = {}
    total = 0
    fitting = _fitting(text, _length(year), date(year, 1, 1).weekday())
    # Ticks that fall into what is left out move to the day behind it, wherever the date fits.
    for day in sorted({*fitting, *of_zone.odd}) if of_zone.odd else fitting:
        begun, ended = of_zone.begin[day], of_zone.odd.get(day)
        ticks = usual
        if ended is not None:
            ticks = unusual[begun] = _between(text, datetime.fromtimestamp(begun, zone_named(zone)), ended)
        if ticks:
            days.append(begun)
            before.append(total)
            total += len(ticks)
    return _Year(tuple(days), tuple(before), total, usual, unusual)


class _Days(NamedTuple):
    """When the days of a year begin in a zone; `odd` has the ends of those on which clocks change, by number."""

    begin: tuple[int, ...]
    odd: Mapping[int, int]


@lru_cache(maxsize=4096)
def _days(zone: str, year: int) -> _Days:
    where, first = zone_named(zone), datetime(year, 1, 1)
    numbers = range(_length(year))
    # Each midnight takes a fraction of a microsecond; where two days in a row have the same clocks, that is all.
    shown = [_seconds((first.replace(tzinfo=where) + DAY * each).utcoffset()) for each in range(-1, len(numbers) + 1)]
    since = (first - EPOCH).days * _DAY
    begin = [since + number * _DAY - shown[number + 1] for number in numbers]
    odd: dict[int, int] = {}
    for number in numbers:
        if shown[number] == shown[number + 1] == shown[number + 2]:
            continue
        wall = first + DAY * number
        before, start, end = (localize(each, where) for each in (wall - DAY, wall, wall + DAY))
        begin[number], ended = int(start.timestamp()), int(end.timestamp())
        # The day before may be left out as a whole, by a zone that changed sides of the date line.
        if ended - begin[number] != _DAY or start.replace(tzinfo=None) != wall or before == start:
            odd[number] = ended
    return _Days(tuple(begin), odd)


def _seconds(difference: timedelta | None) -> int:
    return difference // timedelta(seconds=1) if difference else 0


def _length(year: int) -> int:
    return 366 if calendar.isleap(year) else 365


@lru_cache(maxsize=1024)
def _fitting(text: str, length: int, weekday: int) -> tuple[int, ...]:
    """Return the numbers of the days that fit, in years of a length whose first day is this one of the week."""
    alike = (date(year, 1, 1) for year in _SOME_YEARS if _length(year) == length)
    first = next(each for each in alike if each.weekday() == weekday)
    cron = _parsed(text)
    return tuple(number for number in range(length) if _fits(cron, first + DAY * number))


def _between(text: str, start: datetime, end: int) -> tuple[int, ...]:
    """Return what cronsim lists from `start` up to `end`."""
    from cronsim import CronSim

    found: list[int] = []
    for moment in CronSim(text, (start.astimezone(UTC) - timedelta(seconds=1)).astimezone(start.tzinfo)):
        at = int(moment.timestamp())
        if at >= end:
            break
        if at >= start.timestamp() and (not found or at > found[-1]):
            found.append(at)
    return tuple(found)


@lru_cache(maxsize=16384)
def _before(text: str, zone: str, year: int) -> int:
    """Return how many ticks there are before a year."""
    if year <= EPOCH.year:
        return 0
    for earlier in range(EPOCH.year + 1, year):
        _before(text, zone, earlier)  # in this order, so that none asks for more than the one before it
    return _before(text, zone, year - 1) + _year(text, zone, year - 1).total


@lru_cache(maxsize=1024)
def _per_year(text: str, zone: str) -> float:
    return sum(_year(text, zone, year).total for year in (2022, 2023, 2024, 2025)) / 4


def _fits(cron: CronSim, day: date) -> bool:
    return day.month in cron.months and cron.match_day(day)


@lru_cache(maxsize=1024)
def _parsed(text: str) -> CronSim:
    try:
        from cronsim import CronSim, CronSimError
    except ImportError:
        raise DefinitionError(
            f"The cron text {text!r} needs the package cronsim, which is not installed.",
            hint="pip install 'assetry[cron]'",
        ) from None
    try:
        if len(text.split()) != 5:
            raise CronSimError("it has not five fields")
        cron = CronSim(text, EPOCH)
    except CronSimError as error:
        raise DefinitionError(f"{text!r} is no cron text: {str(error).lower()}.", hint=_HINT) from None
    first = date(_SOME_YEARS.start, 1, 1).toordinal()
    days = range(first, date(_SOME_YEARS.stop, 1, 1).toordinal())
    if not any(_fits(cron, date.fromordinal(day)) for day in days):
        raise DefinitionError(f"The cron text {text!r} never ticks.", hint=_HINT)
    return cron
