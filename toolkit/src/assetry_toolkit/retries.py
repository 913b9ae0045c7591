"""Asking again: what is worth it, and after which pause."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from typing import TypeVar

from assetry_toolkit.clock import Clock, never
from assetry_toolkit.errors import ServiceError, Unavailable

#: How often something is tried before it counts as failed, with pauses of 1, 2, 4, 8 … seconds between.
ATTEMPTS = 6
#: The longest pause in seconds, and the longest for which a server's wish to be left alone is heeded at a time.
LONGEST, LONGEST_WISH = 60.0, 300.0
#: A pause of so many seconds is told of before it is made.
TOLD = 3.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tries:
    """How often something is tried; when it is not `safe`, again only when certainly nothing was carried out.

    A pause with which more than `seconds` would be waited in all is not made: the error is raised at once.
    """

    most: int = ATTEMPTS
    safe: bool = True
    seconds: float = inf


def repeated(
    work: Callable[[], T],
    clock: Clock,
    called_off: Callable[[], bool] = never,
    tries: Tries | None = None,
    waiting: Callable[[ServiceError, float], object] = lambda _error, _seconds: None,
) -> T:
    """Return what `work` returns, trying it again after a pause while it raises `Unavailable`.

    `waiting` is told of each pause before it is made: after which error, and for how many seconds. Raises the last
    error after so many tries, or when called off.

    >>> repeated(lambda: "answer", Clock())
    'answer'
    """
    tries = tries or Tries()
    attempt, waited = 0, 0.0
    while True:
        try:
            return work()
        except Unavailable as error:
            pause = pause_after(error, attempt, clock)
            attempt, waited = attempt + 1, waited + pause
            again = attempt < tries.most and waited <= tries.seconds and (tries.safe or error.executed is False)
            if again and not called_off():
                waiting(error, pause)
            if not again or not clock.sleep(pause, called_off):
                raise


def pause_after(error: ServiceError, attempt: int, clock: Clock) -> float:
    """Return the seconds to wait after an error, the `attempt`-th in a row, counted from 0.

    What the server wishes (Retry-After) counts, within limits; without a wish the pauses grow.
    """
    if error.retry_after is not None:
        return min(error.retry_after, LONGEST_WISH) + clock.jitter(0.5)
    first = 2.0 if error.status == 429 else 1.0
    return clock.jitter(min(first * 2 ** min(attempt, 10), LONGEST))


def waiting_text(error: ServiceError, seconds: float) -> str:
    """Return that is waited for so many seconds after an error, until when, and what else is to be known of it.

    >>> waiting_text(ServiceError("Too many calls.", hint="Ask less."), 90.0)
    'Too many calls; waiting until ... Ask less.'
    """
    return " ".join(filter(None, (f"{error.message.rstrip('.')}; waiting until {time_in(seconds)}.", error.hint)))


def again_text(error: ServiceError) -> str:
    """Return when a service is asked again that wishes to be left alone for long; "" otherwise, it is soon.

    >>> again_text(ServiceError("No.", retry_after=1.0))
    ''
    """
    wish = min(error.retry_after or 0.0, LONGEST_WISH)
    return f" Asked again at {time_in(wish)}." if wish >= TOLD else ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to be left alone, from seconds or a date; None when it does not say.

    A date is taken against the server's own clock, as its ``Date`` header shows it (RFC 9110, section 10.2.3). Names
    of headers are in lower case.

    >>> retry_after({"retry-after": "7"}), retry_after({}), retry_after({"retry-after": "soon"})
    (7.0, None, None)
    >>> retry_after({"retry-after": "Wed, 01 Jan 2025 00:00:30 GMT", "date": "Wed, 01 Jan 2025 00:00:10 GMT"})
    20.0
    """
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if seconds < float("inf") else None  # NaN and infinity say nothing, either
    until, now = http_date(value), http_date(headers.get("date") or "") or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds()) if until is not None else None


def http_date(text: str) -> datetime | None:
    """Return the moment that a header names; None when it cannot be read.

    >>> http_date("Wed, 01 Jan 2025 00:00:30 GMT"), http_date("soon")
    (datetime.datetime(2025, 1, 1, 0, 0, 30, tzinfo=datetime.timezone.utc), None)
    """
    from email.utils import parsedate_to_datetime

    try:
        found = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def time_in(seconds: float, now: datetime | None = None) -> str:
    """Return what the clock on the wall shows in so many seconds.

    >>> time_in(90.0, datetime(2026, 1, 1, 12, 30))
    '12:31:30'
    """
    then = (now or datetime.now(UTC).astimezone()) + timedelta(seconds=seconds)
    return then.strftime("%H:%M:%S")
