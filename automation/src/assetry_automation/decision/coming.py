"""When that is made next which is not started now: what clocks, deadlines and jobs say, what keeps the rest. Pure."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from assetry.plugin import AssetKey, AutomationPolicy, Next, Parts

from assetry_automation.decision.demands import Coming, Demands, ticks
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.settings import Job, JobEnd
from assetry_automation.decision.standing import each_of
from assetry_automation.decision.wants import is_between, opens
from assetry_automation.decision.world import NOTHING, World


class JobTick(NamedTuple):
    """When a job ticks next, and how it came out when it was run last."""

    job: Job
    at: datetime
    ended: JobEnd | None = None


def job_ticks(world: World) -> tuple[JobTick, ...]:
    """Return when each job ticks next."""
    jobs, now = world.settings.jobs, world.now
    return tuple(JobTick(job, ticks(job.policy, now)[1], world.ended.get(job.name)) for job in jobs)


def what_comes(
    world: World,
    asked: Demands,
    memory: Memory,
    left: Mapping[AssetKey, Parts],
    due: Collection[str],
    told: Container[AssetKey],
) -> Iterator[tuple[AssetKey, Next]]:
    """Yield when each asset is made next that has a policy, or a job, and is not among those `told` of.

    `left` is what policies leave to a backfill, `due` are the jobs that run now.
    """
    ticking = _by_jobs(world, due)
    for key in dict.fromkeys((*memory.held, *asked.coming, *ticking, *world.all_due)):
        if key in told or key not in world.statuses:
            continue
        policy = world.policies.get(key)
        coming = min(filter(None, (asked.coming.get(key), ticking.get(key))), default=None)
        if key in memory.held:
            yield key, Next("held", memory.held[key])
        elif coming is not None:
            yield key, Next("at", coming.because, at=coming.at, by=coming.by)
        elif policy is not None:
            yield key, _unwanted(world, key, policy, left.get(key, NOTHING))


def _by_jobs(world: World, due: Collection[str]) -> dict[AssetKey, Coming]:
    """Return when a job makes each asset that one selects, the first of them."""
    found: dict[AssetKey, Coming] = {}
    for job, at, ended in job_ticks(world):
        last = "" if ended is None else f"; last time {ended.text}"
        told = f"job {job.name} ticks then ({job.policy}){last}"
        is_due = job.name in due
        coming = Coming(
            world.now if is_due else at, f"job {job.name} is due{last}" if is_due else told, f"job {job.name}"
        )
        for key in world.of_job(job.name):
            found[key] = min(coming, found.get(key, coming))
    return found


def _unwanted(world: World, key: AssetKey, policy: AutomationPolicy, left: Parts) -> Next:
    """Say what keeps an asset that is out of date, and not wanted by its policy now."""
    definition = world.numbering.definition(key)
    if not left or definition is None:
        closed = [each for each in policy.of if each.when == "between" and not is_between(each, world.now)]
        if policy.when == "all_of" and closed:
            return Next("at", f"its hours begin then: {policy}", at=max(opens(each, world.now) for each in closed))
        return Next("when", _WAITING.get(policy.when, f"its policy does not want it as it is now: {policy}"))
    are = "1 old partition is" if len(left) == 1 else f"{len(left):,} old partitions are"
    told = f"{are} left to `assetry backfill -s {key}`, or to .from_(…) in its policy"
    coming = definition.changes_after(world.now)
    if coming is None:
        return Next("when", told)
    if all(each.when in ("any_of", "eager", "missing") for each in each_of(policy)):
        return Next("at", f"its next partition is over then; {told}", at=coming)
    return Next("when", f"{told}; its next partition is over at {coming:%Y-%m-%d %H:%M} UTC")


_WAITING = {
    "lazy": "it is made when a deadline needs it, its own or one below",
    "never": "only people make it",
    "on_cron": "it is made when its clock ticks",
}
