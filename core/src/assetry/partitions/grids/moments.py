"""Moments as people write them: on the wall clock of a time zone, whole or only to the day, month or year."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from assetry.errors import DefinitionError, near_names

#: How a moment may be given; the definition holds it as datetime on the wall clock of its zone.
Moment = date | datetime | str

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
#: Where all grids begin to count, on the wall clock of their zone.
EPOCH = datetime(1970, 1, 1)


def zone_named(name: str) -> tzinfo:
    """Return a time zone; raise `DefinitionError`, with near names, when there is none of this name.

    >>> zone_named("UTC")
    datetime.timezone.utc
    """
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


def wall_clock(value: Moment, zone: tzinfo, name: str) -> datetime:
    """Return a moment as the clocks of `zone` show it; `name` is what to call it in an error.

    >>> wall_clock("2024-01-31", UTC, "start_date")
    datetime.datetime(2024, 1, 31, 0, 0)
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise DefinitionError(f"{name}={value!r} is not a date.", hint="Write it as 2024-01-31.") from None
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value.astimezone(zone).replace(tzinfo=None) if value.tzinfo else value


def localize(wall: datetime, zone: tzinfo) -> datetime:
    """Return a wall-clock time with its zone; the first of two that read alike, the next after one that is left out."""
    if zone is UTC:
        return wall.replace(tzinfo=UTC)
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)


def aware(moment: datetime) -> datetime:
    """Return a moment with its time zone: UTC, where it has none."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def add_months(moment: datetime, months: int) -> datetime:
    """Return the same day and time of a later month; it must exist.

    >>> add_months(datetime(2024, 12, 1), 2)
    datetime.datetime(2025, 2, 1, 0, 0)
    """
    years, month = divmod(moment.month - 1 + months, 12)
    return moment.replace(year=moment.year + years, month=month + 1)


_PERIOD = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T -](\d\d)(?::(\d\d))?)?)?)?")
_LOOSE = re.compile(r"\D*(\d{4})(?:\D+(\d{1,2})(?:\D+(\d{1,2})(?:\D+(\d{1,2})(?:\D+(\d{1,2}))?)?)?)?\D*")


def period(text: str) -> tuple[datetime, datetime] | None:
    """Return the wall-clock time that a year, month, day, hour or minute covers, its end outside; None for other text.

    >>> [str(each) for each in period("2024-02")]
    ['2024-02-01 00:00:00', '2024-03-01 00:00:00']
    """
    found = _PERIOD.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute = (None if each is None else int(each) for each in found.groups())
    try:
        start = datetime(year or 0, month or 1, day or 1, hour or 0, minute or 0)
        if month is None:
            return start, start.replace(year=start.year + 1)
        if day is None:
            return start, add_months(start, 1)
        return start, start + (DAY if hour is None else HOUR if minute is None else timedelta(minutes=1))
    except (ValueError, OverflowError):
        return None


def meant(text: str) -> datetime | None:
    """Return the wall-clock time that was most likely meant by a slip such as ``2024-1-5``; None when there is none.

    >>> meant("2024/1/5"), meant("soon")
    (datetime.datetime(2024, 1, 5, 0, 0), None)
    """
    found = _LOOSE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute = (int(each or other) for each, other in zip(found.groups(), "01100", strict=True))
    try:
        return datetime(year, month, day, hour, minute)
    except ValueError:
        return None
