"""What is taken for granted of days to come: how long things take, and when new data comes that others make. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from assetry.plugin import AssetGraph, AssetKey, Invocation, UsageError, read_span

#: How long making an asset takes of which no record tells.
ASSUMED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """How long each asset takes, and how far apart new data comes of what is made elsewhere.

    `took` are spans by asset, from records: those in the middle; `assumed` is that of all others. `arrivals` are by
    asset, of what nothing here makes; what is not among them brings nothing new.
    """

    took: Mapping[AssetKey, timedelta] = field(default_factory=dict)
    assumed: timedelta = ASSUMED
    arrivals: Mapping[AssetKey, timedelta] = field(default_factory=dict)

    def of(self, key: AssetKey) -> timedelta:
        """Return how long making an asset takes."""
        return self.took.get(key, self.assumed)

    def times(self, invocation: Invocation, graph: AssetGraph) -> dict[AssetKey, tuple[timedelta, timedelta]]:
        """Return when an invocation is at each of its assets, counted from its beginning.

        What depends on each other comes one after the other, and what does not at the same time. A function that is
        called for each partition takes so long for each.
        """
        found: dict[AssetKey, tuple[timedelta, timedelta]] = {}
        ranged = invocation.group is not None and invocation.group.partitions == "range"
        for asset in (*invocation.assets, *invocation.also):
            above = (graph.keys[j] for j in graph.upstream[graph.index(asset.key)])
            begins = max((found[key][1] for key in above if key in found), default=timedelta(0))
            count = 1 if ranged else max(len(invocation.partitions_of(asset)), 1)
            found[asset.key] = begins, begins + self.of(asset.key) * count
        return found


def middle(durations: Mapping[AssetKey, Sequence[float]]) -> dict[AssetKey, timedelta]:
    """Return how long each asset takes in the middle, of how many seconds it took.

    >>> middle({AssetKey("a"): [1, 60, 2]})[AssetKey("a")].seconds
    2
    """
    return {key: timedelta(seconds=sorted(each)[len(each) // 2]) for key, each in durations.items() if each}


def pace(moments: Sequence[datetime]) -> timedelta | None:
    """Return how far apart moments are in the middle; None of less than two.

    >>> pace([datetime(2026, 1, 5, hour) for hour in (1, 2, 3, 9)])
    datetime.timedelta(seconds=3600)
    """
    gaps = sorted(later - one for one, later in pairwise(moments) if later > one)
    return gaps[(len(gaps) - 1) // 2] if gaps else None


def read_period(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the two moments of ``FROM..UNTIL``: dates, moments, ``now``, or ``+7d`` from the one before.

    Raises `UsageError` for what is none. A moment without a zone is in UTC.

    >>> from datetime import UTC
    >>> since, until = read_period("now..+7d", datetime(2026, 1, 5, tzinfo=UTC))
    >>> str(until)
    '2026-01-12 00:00:00+00:00'
    """
    first, dots, last = text.partition("..")
    if not dots:
        raise UsageError(f"{text!r} is no period.", hint=_HINT)
    since = _moment(first or "now", now)
    until = _moment(last, since)
    if until <= since:
        raise UsageError(f"{text!r} ends before it begins.", hint=_HINT)
    return since, until


def _moment(text: str, before: datetime) -> datetime:
    word, plus, span = text.strip().partition("+") if not text[:1].isdigit() else (text.strip(), "", "")
    if word in ("", "now") and (word or plus):
        return before + read_span(span) if plus else before
    try:
        found = datetime.fromisoformat(word)
    except ValueError:
        raise UsageError(f"{text!r} is no moment.", hint=_HINT) from None
    return found.astimezone(before.tzinfo) if found.tzinfo is not None else found.replace(tzinfo=before.tzinfo)


_HINT = "For example now..+7d, or 2026-01-05..2026-01-12T06:00."
