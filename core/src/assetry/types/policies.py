"""Policies: what is asked of an asset beyond being made, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from assetry.errors import DefinitionError, near_names


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """How old an asset, or its data, may grow before it is overdue.

    * `max_age` is counted from its last materialization, and of what is only seen from what its data reaches.
    * `maximum_lag` is how far its data may lie behind the world outside: behind the syncs and sources that it is made
      from, through whatever lies between. A sync that moved nothing counts: what is below it is as it would be then.
    * `cron`, with `timezone`, says that this matters at its ticks alone: at each the data must be as of the tick less
      `maximum_lag`. It is read by cronsim (``pip install 'assetry[cron]'``).
    * `ended` says why nothing brings newer data any more, such as a connection that was deleted: the asset is overdue
      for that reason, however new it is.

    Raises `DefinitionError` for what is not positive, and for a cron text that cannot be read or never ticks.

    >>> FreshnessPolicy(timedelta(hours=6)).max_age
    datetime.timedelta(seconds=21600)
    >>> FreshnessPolicy(maximum_lag=timedelta(hours=1), cron="0 9 * * MON-FRI", timezone="Europe/Berlin").cron
    '0 9 * * MON-FRI'
    """

    max_age: timedelta | None = None
    maximum_lag: timedelta | None = field(default=None, kw_only=True)
    cron: str | None = field(default=None, kw_only=True)
    timezone: str = field(default="UTC", kw_only=True)
    ended: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, given in (("max_age", self.max_age), ("maximum_lag", self.maximum_lag)):
            if given is not None and (not isinstance(given, timedelta) or given <= timedelta(0)):
                raise DefinitionError(
                    f"FreshnessPolicy({name}=…) takes a positive timedelta, not {given!r}.",
                    hint=f"For example {name}=timedelta(hours=6).",
                )
        if not (self.max_age or self.maximum_lag or self.cron or self.ended):
            raise DefinitionError(
                "FreshnessPolicy() says nothing.", hint="For example FreshnessPolicy(maximum_lag=timedelta(hours=1))."
            )
        if self.cron is None:
            if self.timezone != "UTC":
                raise DefinitionError("FreshnessPolicy(timezone=…) says nothing without cron.", hint=_CRON)
            return
        if not isinstance(self.cron, str):
            raise DefinitionError(f"FreshnessPolicy(cron={self.cron!r}) is no cron text.", hint=_CRON)
        if self.maximum_lag is None:
            raise DefinitionError("FreshnessPolicy(cron=…) says when, and not how old data may be then.", hint=_CRON)
        from assetry.partitions.grids.moments import zone_named  # most policies have no clock
        from assetry.partitions.grids.ticks import checked

        zone_named(self.timezone)
        object.__setattr__(self, "cron", checked(self.cron))

    def ticks(self, now: datetime) -> tuple[datetime | None, datetime]:
        """Return the last tick of `cron` at `now`, None before the first of 1970, and the next one; in UTC.

        >>> from datetime import UTC
        >>> daily = FreshnessPolicy(maximum_lag=timedelta(hours=1), cron="0 9 * * *")
        >>> [str(each) for each in daily.ticks(datetime(2026, 1, 5, 12, tzinfo=UTC))]
        ['2026-01-05 09:00:00+00:00', '2026-01-06 09:00:00+00:00']
        """
        from assetry.partitions.grids.ticks import number_at, tick

        assert self.cron is not None, "only a policy with a clock ticks"
        number = number_at(self.cron, self.timezone, now)
        before = tick(self.cron, self.timezone, number) if number >= 0 else None
        return before, tick(self.cron, self.timezone, number + 1)


_CRON = "For example FreshnessPolicy(maximum_lag=timedelta(hours=2), cron='0 9 * * MON-FRI', timezone='Europe/Berlin')."


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a failed Python asset is tried again within its run.

    `attempts` counts the tries after the first; `delay` is the wait before the first of them, in seconds, and
    `factor` multiplies it for each further one. Raises `DefinitionError` for negative numbers.

    >>> [RetryPolicy(3, delay=1, factor=2).wait(n) for n in (1, 2, 3)]
    [1, 2, 4]
    """

    attempts: int = 1
    delay: float = 0.0
    factor: float = 1.0

    def __post_init__(self) -> None:
        if self.attempts < 0 or self.delay < 0 or self.factor < 0:
            raise DefinitionError("RetryPolicy takes no negative numbers.", hint="For example RetryPolicy(3, delay=5).")

    def wait(self, attempt: int) -> float:
        """Return the seconds to wait before retry number `attempt`, counted from 1."""
        return self.delay * self.factor ** (attempt - 1)


@dataclass(frozen=True, slots=True)
class AutomationPolicy:
    """When an asset should be brought up to date without being asked.

    `when` is ``stale`` (as soon as it is out of date), ``overdue`` (when its freshness policy asks for it) or
    ``never``. Raises `DefinitionError` for another word.

    >>> AutomationPolicy("stale").when
    'stale'
    """

    when: str = "stale"
    words: ClassVar[tuple[str, ...]] = ("stale", "overdue", "never")

    def __post_init__(self) -> None:
        if self.when not in self.words:
            raise DefinitionError(
                f"automation={self.when!r}: unknown word.",
                near=near_names(str(self.when), self.words),
                hint=f"There are {', '.join(self.words)}.",
            )
