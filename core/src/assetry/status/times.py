"""Times as they stand in reasons and notes. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def time_text(at: datetime) -> str:
    """Return a time for people, in UTC and to the second.

    >>> time_text(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    '2026-01-31 09:30:00 UTC'
    """
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
