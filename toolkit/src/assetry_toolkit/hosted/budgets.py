"""No more calls than an account has: so many in any hour, say."""

from __future__ import annotations

import threading
from collections import deque

from assetry_toolkit.clock import Clock
from assetry_toolkit.errors import Unavailable
from assetry_toolkit.retries import time_in


class Budget:
    """So many `calls` in any `seconds` that follow each other; safe for several threads.

    `option` is what a user says in how many they are.

    >>> from assetry_toolkit.testing import FakeClock
    >>> clock = FakeClock()
    >>> budget = Budget("Mill", calls=1, seconds=3600.0, clock=clock, option="calls_per_hour")
    >>> budget.take()
    >>> clock.pass_time(600)
    >>> budget.take()
    Traceback (most recent call last):
    assetry_toolkit.errors.Unavailable: The 1 call of Mill in 3600 seconds is used up; the next is free in 3000 ...
      Calls that wait for it go on by themselves; longer poll intervals need fewer. calls_per_hour says how many ...
    >>> clock.pass_time(3000)
    >>> budget.take()
    """

    def __init__(self, service: str, *, calls: int, seconds: float, clock: Clock, option: str | None = None) -> None:
        self.calls, self.seconds = calls, seconds
        self._option = f" {option} says how many the account has." if option else ""
        self._service = service
        self._clock = clock
        self._made: deque[float] = deque()
        self._lock = threading.Lock()

    @property
    def pace(self) -> float:
        """Return the seconds to leave between calls that are made all the time, so that half are left for others."""
        return 2 * self.seconds / self.calls

    def take(self) -> None:
        """Note a call; raise `Unavailable`, with the seconds until the next is free, when there is none left."""
        with self._lock:
            now = self._clock.monotonic()
            while self._made and now - self._made[0] >= self.seconds:
                self._made.popleft()
            if len(self._made) < self.calls:
                self._made.append(now)
                return
            wait = self.seconds - (now - self._made[0])
        one = self.calls == 1
        calls = f"{self.calls:,} {'call' if one else 'calls'} of {self._service} in {self.seconds:g} seconds"
        when = f"in {wait:.0f} seconds, at {time_in(wait)}"
        raise Unavailable(
            f"The {calls} {'is' if one else 'are'} used up; the next is free {when}.",
            retry_after=wait,
            hint=f"Calls that wait for it go on by themselves; longer poll intervals need fewer.{self._option}",
        ).before_execution()
