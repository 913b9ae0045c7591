"""How much schedules by the clock would start for data that is as new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from assetry import Project
from assetry.plugin import AssetGraph, AssetKey, AutomationPolicy, FreshnessPolicy

from assetry_automation.decision.demands import ticks
from assetry_automation.decision.settings import Job
from assetry_automation.decision.standing import each_of
from assetry_automation.simulation.assumptions import Assumptions

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: What a line of a crontab can say: "every …", the same all day long.
PERIODS = (
    *(_MINUTE * each for each in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)),
    *(_HOUR * each for each in (1, 2, 3, 4, 6, 8, 12)),
    *(_DAY, 7 * _DAY),
)


class CronCount(NamedTuple):
    """How often schedules would start, and how many invocations that would be, `tools` of them runs of a tool.

    >>> CronCount().invocations
    0
    """

    schedules: int = 0
    starts: int = 0
    invocations: int = 0
    tools: int = 0


def cron_count(
    project: Project, since: datetime, until: datetime, assumptions: Assumptions, jobs: Iterable[Job]
) -> CronCount:
    """Return what schedules by the clock would start between two moments, for the same deadlines, clocks and jobs.

    One schedule for each period that is asked for makes all assets that ask for it, with everything above them, each
    time: that often, that data which was new when it began is not too old when the next time is through. What is
    ``eager`` has no such schedule, and does not count.
    """
    found = CronCount()
    for asked, starts in _schedules(project.graph, since, until, assumptions, jobs).values():
        plan = project.plan(asked)
        tools = sum(each.invocation.group is not None and each.invocation.group.counted for each in plan.invocations)
        count = CronCount(1, starts, starts * len(plan.invocations), starts * tools)
        found = CronCount(*(one + other for one, other in zip(found, count, strict=True)))
    return found


def _schedules(
    graph: AssetGraph, since: datetime, until: datetime, assumptions: Assumptions, jobs: Iterable[Job]
) -> dict[object, tuple[list[str], int]]:
    """Return by schedule the selections that it makes, and how often it starts."""
    found: dict[object, tuple[list[str], int]] = {}
    ways = way_lengths(graph, assumptions)
    for asset in graph.assets:
        for name, starts in _of(asset.freshness_policy, asset.automation, ways[asset.key], since, until):
            found.setdefault(name, ([], starts))[0].append(f"+{asset.key.selection}")
    for job in jobs:
        found[job.name, job.cron] = ([job.select], _count(job.policy, since, until))
    return found


def _of(
    freshness: FreshnessPolicy | None, policy: AutomationPolicy | None, way: timedelta, since: datetime, until: datetime
) -> Iterator[tuple[object, int]]:
    if policy is not None and policy.when == "never":
        return
    if freshness is not None and freshness.cron is not None:
        clock = AutomationPolicy("on_cron", cron=freshness.cron, timezone=freshness.timezone)
        yield (clock.cron, clock.timezone), _count(clock, since, until)
    elif freshness is not None and (lag := freshness.maximum_lag or freshness.max_age) is not None:
        period = period_for(lag, way)
        yield period, int((until - since) / period)
    for each in each_of(policy) if policy is not None else ():
        if each.cron is not None:
            yield (each.cron, each.timezone), _count(each, since, until)


def period_for(lag: timedelta, way: timedelta) -> timedelta:
    """Return how often a schedule starts, for data that is never older than `lag` where making it takes so long.

    >>> str(period_for(timedelta(hours=1), timedelta(minutes=12)))
    '0:30:00'
    """
    return max((each for each in PERIODS if each + way <= lag), default=_MINUTE)


def _count(clock: AutomationPolicy, since: datetime, until: datetime) -> int:
    count, (_, at) = 0, ticks(clock, since)
    while at <= until:
        count, (_, at) = count + 1, ticks(clock, at)
    return count


def way_lengths(graph: AssetGraph, assumptions: Assumptions) -> Mapping[AssetKey, timedelta]:
    """Return how long it takes to make each asset with everything above it, where all of it has room."""
    found: dict[AssetKey, timedelta] = {}
    for i, key in enumerate(graph.keys):
        made = graph[key].executable and not graph[key].computed_on_read
        above = max((found[graph.keys[j]] for j in graph.upstream[i]), default=timedelta(0))
        found[key] = above + (assumptions.of(key) if made else timedelta(0))
    return found
