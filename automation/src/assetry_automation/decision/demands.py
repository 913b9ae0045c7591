"""For whom data is to be newer than a moment: what deadlines and clocks ask for now, and when they ask next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from assetry.plugin import AssetKey, AutomationPolicy, FreshnessPolicy, Status, span_text

from assetry_automation.decision.standing import each_of
from assetry_automation.decision.ways import Ways


class Coming(NamedTuple):
    """When something is begun that is not due yet, and why, for people; `by` the job that begins it, where one does."""

    at: datetime
    because: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked at a moment: data of assets `newer_than`, those whose clock is `ticking`; and what is `coming`.

    `asking` are the assets that a deadline or a clock of their own asks for now, and `again` says when these ask for
    still newer data.
    """

    asking: frozenset[AssetKey] = frozenset()
    newer_than: Mapping[AssetKey, datetime] = field(default_factory=dict)
    ticking: Mapping[AssetKey, datetime] = field(default_factory=dict)
    coming: Mapping[AssetKey, Coming] = field(default_factory=dict)
    again: Mapping[AssetKey, datetime] = field(default_factory=dict)


def demands(
    statuses: Iterable[Status],
    policies: Mapping[AssetKey, AutomationPolicy],
    ways: Ways,
    known: Mapping[AssetKey, datetime],
    served: Mapping[AssetKey, datetime],
    now: datetime,
) -> Demands:
    """Return what deadlines and clocks ask for: `served` has the last tick of each clock that was met."""
    newer_than: dict[AssetKey, datetime] = {}
    ticking: dict[AssetKey, datetime] = {}
    coming: dict[AssetKey, Coming] = {}
    again: dict[AssetKey, datetime] = {}
    asking = set[AssetKey]()
    for status in statuses:
        policy = policies.get(status.key)
        freshness = status.freshness
        if policy is not None and policy.when == "never":
            continue
        if freshness is not None and freshness.deadline is None and freshness.state == "overdue":
            asking.add(status.key)  # it was never made
        elif freshness is not None and freshness.deadline is not None:
            begin = freshness.deadline - ways.of(status.key, freshness)
            if freshness.since is None:
                # Only its age counts: it is out of date, or not.
                begin = freshness.deadline
            elif begin <= now:
                newer_than[status.key] = freshness.since
            if begin > now:
                coming[status.key] = Coming(begin, _deadline_text(status, freshness.deadline))
            elif freshness.again is not None:
                again[status.key] = freshness.again
        for clock in _clocks(policy):
            before, after = ticks(clock, now)
            since = known.get(status.key, now)
            if before is not None and before > max(since, served.get(status.key, since)):
                ticking[status.key] = max(before, ticking.get(status.key, before))
            first = coming.get(status.key)
            if first is None or after < first.at:
                coming[status.key] = Coming(after, f"its clock ticks then ({clock})")
    for key, tick in ticking.items():
        newer_than[key] = max(tick, newer_than.get(key, tick))
    return Demands(frozenset(asking.union(newer_than)), newer_than, ticking, coming, again)


def _deadline_text(status: Status, deadline: datetime) -> str:
    assert status.freshness is not None, "only what has a deadline is told of"
    told = f"`{status.key}` is to have newer data by {deadline:%H:%M} UTC"
    if status.freshness.since is None:
        return told  # its age counts, and it is begun when it is too old
    way = status.freshness.way
    return f"{told}, which takes about {span_text(way)}" if way else f"{told}; how long that takes is not known yet"


def _clocks(policy: AutomationPolicy | None) -> Iterator[AutomationPolicy]:
    return (each for each in each_of(policy) if each.cron is not None) if policy is not None else iter(())


def ticks(clock: AutomationPolicy, now: datetime) -> tuple[datetime | None, datetime]:
    """Return the last tick of a clock, and the next one.

    >>> from datetime import UTC
    >>> [str(each) for each in ticks(AutomationPolicy("on_cron", cron="@daily"), datetime(2026, 1, 5, 9, tzinfo=UTC))]
    ['2026-01-05 00:00:00+00:00', '2026-01-06 00:00:00+00:00']
    """
    return FreshnessPolicy(maximum_lag=timedelta(days=1), cron=clock.cron, timezone=clock.timezone).ticks(now)
