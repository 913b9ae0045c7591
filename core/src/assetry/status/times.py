"""Times: as they stand in reasons and notes, and as numbers. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def time_text(at: datetime) -> str:
    """Return a time for people, in UTC and to the second.

    >>> time_text(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    '2026-01-31 09:30:00 UTC'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def instant(at: datetime) -> int:
    """Return a time in microseconds since 1970; one without a zone is taken as UTC.

    >>> instant(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    return ((at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND


def moment_of(instant: int) -> datetime:
    """Return the time of so many microseconds since 1970.

    >>> moment_of(1000000).second
    1
    """
    return _EPOCH + instant * _MICROSECOND
