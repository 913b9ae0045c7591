"""Time, as far as it is waited for: monotonic, so that no change of a wall clock can disturb it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

#: Seconds between two looks at whether a wait was called off.
_SLICE = 0.1
#: The most that is waited `within` a time.
_MOST: ContextVar[float] = ContextVar("most", default=inf)

Tell = Callable[[str], object]


class Clock:
    """The time that passes, and waiting for it; tests put `assetry_toolkit.testing.FakeClock` in its place.

    >>> Clock().sleep(0.0, never)
    True
    """

    def monotonic(self) -> float:
        """Return seconds since some moment; only differences mean anything."""
        return time.monotonic()

    def sleep(self, seconds: float, called_off: Callable[[], bool]) -> bool:
        """Wait; return False as soon as `called_off` answers True, True when the time is over."""
        end = self.monotonic() + seconds
        while not called_off():
            left = end - self.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, _SLICE))
        return False

    def jitter(self, seconds: float) -> float:
        """Return about as many seconds, so that many clients do not come back at the same moment."""
        return seconds * random.uniform(0.9, 1.1)


def never() -> bool:
    """Call nothing off.

    >>> never()
    False
    """
    return False


class Within:
    """What calls things off when something else does, and in any case when its time is over.

    `tell` is told of long pauses before they are made, where it is given.
    """

    def __init__(self, end: float, clock: Clock, called_off: Callable[[], bool], tell: Tell | None = None) -> None:
        self._end, self._clock, self._called_off = end, clock, called_off
        self.tell = tell

    def __call__(self) -> bool:
        """Tell whether things are called off."""
        return self._called_off() or self.left <= 0

    @property
    def left(self) -> float:
        """Return the seconds until its time is over."""
        return self._end - self._clock.monotonic()


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Let nothing that is waited for `within` a time be waited for longer, in this thread, as long as this lasts.

    >>> with at_most(10.0):
    ...     within(900.0, Clock()).left <= 10.0
    True
    """
    before = _MOST.set(seconds)
    try:
        yield
    finally:
        _MOST.reset(before)


def within(seconds: float, clock: Clock, called_off: Callable[[], bool] = never, tell: Tell | None = None) -> Within:
    """Return what calls things off when `called_off` does, and when so many seconds have passed.

    >>> from assetry_toolkit.testing import FakeClock
    >>> clock = FakeClock()
    >>> off = within(60.0, clock)
    >>> before = off()
    >>> clock.pass_time(60)
    >>> before, off()
    (False, True)
    """
    return Within(clock.monotonic() + min(seconds, _MOST.get()), clock, called_off, tell)
