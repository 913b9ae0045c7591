"""The clock of a test: days pass when it says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from assetry.errors import UsageError

if TYPE_CHECKING:
    import time_machine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class Clock:
    """A clock that everything in this process takes for the true one, from ``with`` to the end of the block.

    It begins `at` a moment, goes on as time does unless it is `stopped`, and jumps when it is told. Waiting takes as
    long as ever: threads, time limits and what waits for a child process go by the monotonic clock, which is left as it
    is. Child processes, servers and the times of files have the true one. ``pip install 'assetry[testing]'`` brings
    time-machine, on which it stands.

    >>> with Clock(datetime(2026, 1, 5, 9, tzinfo=UTC)) as clock:
    ...     later = clock.advance(timedelta(days=2))
    ...     print(f"{datetime.now(UTC):%Y-%m-%d %H:%M}")
    2026-01-07 09:00
    """

    def __init__(self, at: datetime | None = None, *, stopped: bool = False) -> None:
        self._at = at if at is not None else datetime.now(UTC)
        _moment(self._at)
        self._stopped = stopped
        self._travel: time_machine.travel | None = None
        self._traveller: time_machine.Traveller | None = None

    @property
    def now(self) -> datetime:
        """Return what it shows."""
        return self._at if self._traveller is None else datetime.now(UTC)

    def advance(self, span: timedelta) -> datetime:
        """Let a span pass at once, back where it is negative, and return what it shows then."""
        if self._traveller is None:
            self._at += span
        else:
            self._traveller.shift(span)
        return self.now

    def set(self, at: datetime) -> None:
        """Show a moment, before or after the one that it shows."""
        _moment(at)
        if self._traveller is None:
            self._at = at
        else:
            _show(self._traveller, at)

    def __enter__(self) -> Clock:
        if self._traveller is not None:
            raise UsageError("This clock goes already.", hint="Make another Clock for another block.")
        try:
            import time_machine
        except ImportError:
            raise UsageError(
                "A Clock needs the package time-machine, which is not installed.",
                hint="pip install 'assetry[testing]'",
            ) from None
        self._travel = time_machine.travel(0, tick=not self._stopped)
        self._traveller = self._travel.start()
        _show(self._traveller, self._at)
        return self

    def __exit__(self, *_: object) -> None:
        if self._travel is not None:
            self._travel.stop()
        self._travel = self._traveller = None


def _moment(at: datetime) -> None:
    if at.tzinfo is None:
        raise UsageError(f"{at} is a moment in no time zone.", hint="Write it as datetime(…, tzinfo=UTC).")


def _show(traveller: time_machine.Traveller, at: datetime) -> None:
    # Whole seconds and the rest, since a float cannot hold all microseconds of our days; and no time zone, since the
    # local one of the process would be another then.
    seconds, rest = divmod(at - _EPOCH, _SECOND)
    traveller.move_to(seconds)
    traveller.shift(rest)
