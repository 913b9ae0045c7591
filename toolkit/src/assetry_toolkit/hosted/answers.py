"""Values of an answer that may lack anything, or have it in another form; what cannot be read is None."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def text(value: Any) -> str | None:
    """Return a text that says something; numbers as text.

    >>> text("a"), text(7), text(""), text(True)
    ('a', '7', None, None)
    """
    if isinstance(value, bool) or value is None or value == "":
        return None
    return value if isinstance(value, str) else str(value) if isinstance(value, (int, float)) else None


def whole(value: Any) -> int | None:
    """Return a whole number that may be written as text or with a point.

    >>> whole(7), whole("7"), whole(7.0), whole("many"), whole(True)
    (7, 7, 7, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return int(float(value)) if not isinstance(value, int) else value
    except (ValueError, OverflowError):
        return None


def table(value: Any) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for anything else.

    >>> table({"a": 1}), table(None), table([1])
    ({'a': 1}, {}, {})
    """
    return value if isinstance(value, Mapping) else {}


def moment(value: Any) -> datetime | None:
    """Return a point in time from ISO text, with or without a zone (then UTC), or from seconds.

    >>> moment("2026-03-29T02:30:00"), moment("2026-03-29T04:30:00+02:00"), moment("soon")
    (datetime.datetime(2026, 3, 29, 2, 30, tzinfo=datetime.timezone.utc),
     datetime.datetime(2026, 3, 29, 2, 30, tzinfo=datetime.timezone.utc), None)
    """
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
