"""A clock that only moves while something waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from assetry_toolkit.clock import Clock


class FakeClock(Clock):
    """A clock for which waiting takes no time; give a fake server `monotonic` as its time, and both live in the same.

    >>> clock = FakeClock()
    >>> clock.sleep(90.0, lambda: False), clock.monotonic(), clock.slept
    (True, 90.0, [90.0])
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._lock = threading.Lock()
        #: Every wait there was, in seconds.
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds that were waited, by all."""
        return self._now

    def sleep(self, seconds: float, called_off: Callable[[], bool]) -> bool:
        """Let the time pass at once, unless called off."""
        if called_off():
            return False
        with self._lock:
            self._now += seconds
            self.slept.append(seconds)
        return not called_off()

    def pass_time(self, seconds: float) -> None:
        """Let time pass while nothing waits."""
        with self._lock:
            self._now += seconds

    def jitter(self, seconds: float) -> float:
        """Return exactly as many seconds."""
        return seconds
