"""Spans of time as people write them in project files and in the configuration of tools."""

from __future__ import annotations

import re
from datetime import timedelta

from assetry.errors import DefinitionError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TEXT = re.compile(r"(?:\d+[smhdw])+")


def read_span(text: object, what: str = "A span of time", where: str | None = None) -> timedelta:
    """Return the span that a text means, in weeks, days, hours, minutes and seconds; a number is seconds.

    `what` and `where` say in the error of which it is. Raises `DefinitionError` for what is none.

    >>> str(read_span("1h30m")), str(read_span("2d")), str(read_span(90))
    ('1:30:00', '2 days, 0:00:00', '0:01:30')
    """
    if isinstance(text, timedelta):
        return text
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return timedelta(seconds=text)
    plain = text.replace(" ", "").lower() if isinstance(text, str) else ""
    if not _TEXT.fullmatch(plain):
        raise DefinitionError(
            f"{what}: {text!r} is no span of time.", where=where, hint="For example 15m, 1h30m or 2d."
        )
    return sum(
        (timedelta(**{_UNITS[unit]: int(count)}) for count, unit in re.findall(r"(\d+)([smhdw])", plain)), timedelta()
    )
