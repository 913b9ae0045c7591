"""How new an asset, or its data, is to be, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from assetry.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """How old an asset, or its data, may grow before it is overdue.

    * `max_age` is counted from its last materialization, and of what is only seen from what its data reaches.
    * `maximum_lag` is how far its data may lie behind the world outside: behind the syncs and sources that it is made
      from, through whatever lies between. A sync that moved nothing counts: what is below it is as it would be then.
    * `cron`, with `timezone`, says that this matters at its ticks alone: at each the data must be as of the tick less
      `maximum_lag`. It is read by cronsim (``pip install 'assetry[cron]'``).
    * `ended` says why nothing brings newer data any more, such as a connection that was deleted: the asset is overdue
      for that reason, however new it is. With `again` something does so since that moment (with a zone), and it is
      overdue until it was made, or seen, to reach further.

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
    again: datetime | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for name, given in (("max_age", self.max_age), ("maximum_lag", self.maximum_lag)):
            if given is not None and (not isinstance(given, timedelta) or given <= timedelta(0)):
                raise DefinitionError(
                    f"FreshnessPolicy({name}=…) takes a positive timedelta, not {given!r}.",
                    hint=f"For example {name}=timedelta(hours=6).",
                )
        if self.again is not None and (self.ended is None or self.again.tzinfo is None):
            raise DefinitionError(
                f"FreshnessPolicy(again={self.again!r}) says since when `ended` is over, by a time with a zone.",
                hint="For example FreshnessPolicy(ended='it was switched off', again=datetime.now(UTC)).",
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

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing brings newer data any more.

        >>> FreshnessPolicy(ended="its connection was deleted").has_ended
        True
        """
        return self.ended is not None and self.again is None

    def ended_at(self, reached: datetime | None) -> str | None:
        """Return why data that reaches to a moment is overdue however new it is; None where it is not.

        >>> from datetime import UTC
        >>> policy = FreshnessPolicy(ended="it was switched off", again=datetime(2026, 1, 5, tzinfo=UTC))
        >>> policy.ended_at(datetime(2026, 1, 4, tzinfo=UTC)), policy.ended_at(datetime(2026, 1, 6, tzinfo=UTC))
        ('it was switched off', None)
        """
        if self.again is None:
            return self.ended
        return self.ended if reached is not None and reached < self.again else None

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
