"""When sensors, and what integrations see outside, are asked: at their intervals, and later after a failure. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from assetry_automation.decision.holds import back_off
from assetry_automation.decision.world import LONGEST

#: What is kept of how senses went is written again after so long, where nothing else asks for it: each time it is, all
#: is looked at.
REFRESH = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sense:
    """Something that is asked what it sees outside, at intervals: a sensor, or an integration that is observed.

    `of` is ``sensor`` or ``integration``; `timeout` is how long it may take.
    """

    name: str
    of: str
    every: timedelta
    timeout: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensed:
    """How a sense was when it was last asked, `at` which moment: `failures` in a row, and what the last one told.

    `keys` are the assets that it told of.
    """

    at: datetime
    failures: int = 0
    told: str = ""
    keys: tuple[str, ...] = ()

    def again(self, at: datetime, problem: str | None, keys: Iterable[str] = ()) -> Sensed:
        """Return how it is once it was asked again, at a moment: with a problem, or without."""
        if problem is None:
            return Sensed(at=at, keys=tuple(dict.fromkeys((*self.keys, *keys))))
        return replace(self, at=at, failures=self.failures + 1, told=problem)


def asked_at(sense: Sense, last: Sensed | None, now: datetime) -> datetime:
    """Return when a sense is asked next: at once where it never was, or where the clock was set back since.

    A failure waits as runs do, one minute, two, four, up to an hour, or the interval where that is longer.

    >>> from datetime import UTC
    >>> noon, minute = datetime(2026, 1, 5, 12, tzinfo=UTC), timedelta(minutes=1)
    >>> landed = Sense(name="landed", of="sensor", every=5 * minute, timeout=minute)
    >>> str(asked_at(landed, Sensed(at=noon), noon + minute))
    '2026-01-05 12:05:00+00:00'
    >>> asked_at(landed, Sensed(at=noon), noon - minute) == noon - minute
    True
    """
    if last is None or last.at > now:
        return now
    wait = back_off(sense.name, last.failures, max(LONGEST, sense.every)) if last.failures else sense.every
    return last.at + wait


def due(senses: Iterable[Sense], known: Mapping[str, Sensed], now: datetime) -> list[Sense]:
    """Return the senses that are to be asked now, the one that waits longest first."""
    times = [(asked_at(each, known.get(each.name), now), each) for each in senses]
    return [each for at, each in sorted(times, key=lambda pair: pair[0]) if at <= now]


def first_due(senses: Iterable[Sense], known: Mapping[str, Sensed], now: datetime) -> datetime | None:
    """Return when one of some senses is asked next; None where there is none."""
    return min((asked_at(each, known.get(each.name), now) for each in senses), default=None)


def is_news(before: Sensed | None, after: Sensed) -> bool:
    """Tell whether how a sense went is to be kept, so that others see it: a failure, its end, or after a while.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    >>> fine = Sensed(at=noon)
    >>> is_news(fine, fine.again(noon + timedelta(minutes=1), None)), is_news(fine, fine.again(noon, "no route"))
    (False, True)
    """
    if before is None or (before.failures, before.told, before.keys) != (after.failures, after.told, after.keys):
        return True
    return not timedelta(0) <= after.at - before.at < REFRESH
