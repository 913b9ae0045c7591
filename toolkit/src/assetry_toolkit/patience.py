"""How long something at a service is watched; when that is over it is left alone, and goes on."""

from __future__ import annotations

from collections.abc import Callable

from assetry.plugin import RunContext

from assetry_toolkit.clock import Clock, Within, within
from assetry_toolkit.errors import ServiceError
from assetry_toolkit.retries import LONGEST_WISH
from assetry_toolkit.work import JobOptions


def told_within(seconds: float, clock: Clock, context: RunContext, name: str) -> Within:
    """Return what ends the wait for an answer about what is called `name`: the run's end, or so long a silence.

    Pauses are told of in the run.
    """
    return within(seconds, clock, lambda: context.cancelled, lambda told: context.log(f"{name}: {told}", "warning"))


class Patience:
    """The time limits of `JobOptions`, by the clock `now`.

    >>> times = iter([0.0, 90.0])
    >>> patience = Patience(JobOptions(poll_timeout=60.0), lambda: next(times))
    >>> patience.heard("Job 7", "running")
    Traceback (most recent call last):
    assetry_toolkit.errors.ServiceError: Job 7 has been running for more than 60 seconds (poll_timeout); ...
    """

    def __init__(self, options: JobOptions, now: Callable[[], float]) -> None:
        self._options = options
        self._now = now
        self._last = self._heard = now()
        self._queued = self._polled = 0.0

    def heard(self, name: str, status: str, *, waiting: bool = False) -> None:
        """Take an answer about what begins sentences as `name`; raise `ServiceError` when it has taken too long."""
        now = self._now()
        if waiting:
            self._queued += now - self._last
        else:
            self._polled += now - self._last
        self._last = self._heard = now
        for spent, option, what in (
            (self._queued, "queue_timeout", "has waited for its turn"),
            (self._polled, "poll_timeout", "has been running"),
        ):
            most: float = getattr(self._options, option)
            if spent > most:
                raise ServiceError(
                    f"{name} {what} for more than {most:g} seconds ({option}); it is {status!r} and goes on.",
                    hint="`assetry retry` takes it up again.",
                )

    def unheard(self, name: str, error: ServiceError) -> None:
        """Take an error; raise `ServiceError` when there was, or will be, no good answer for too long."""
        wish = min(error.retry_after or 0.0, LONGEST_WISH)
        if self._now() + wish - self._heard > self._options.poll_error_budget:
            raise ServiceError(
                f"Nothing is known of {name} since {self._options.poll_error_budget:g} seconds: {error.message}",
                hint="It may be going on: `assetry retry` takes it up again.",
            ) from error
