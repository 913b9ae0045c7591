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


def span_text(span: timedelta) -> str:
    """Return how long something takes, for people, as exactly as that matters.

    >>> [span_text(timedelta(seconds=each)) for each in (0.25, 45.4, 750, 7500, 200_000)]
    ['0.25 s', '45 s', '12 min 30 s', '2 h 5 min', '55 h 33 min']
    """
    seconds = span.total_seconds()
    if seconds < 10:
        return f"{seconds:.2g} s"
    for large, unit, small, name in ((3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= large:
            rest = int(seconds % large) // small
            return f"{int(seconds // large)} {unit}{f' {rest} {name}' if rest else ''}"
    return f"{seconds:.0f} s"


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
