"""What is due is made, in this process: looked for, decided, remembered and run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from assetry import Project
from assetry.plugin import AssetKey, ConflictError, EventRecord

from assetry_automation.decision.batches import overheads_of
from assetry_automation.decision.schedule import Decision, Wave
from assetry_automation.decision.settings import Job
from assetry_automation.kept import change_memory, memory_of
from assetry_automation.looking import OPTION, look, remembered, settings_of


class Made(NamedTuple):
    """How one run came out that automation has started: of a `job`, or of what was due."""

    ok: bool
    run: str | None
    told: str
    job: str | None = None


def decision_of(project: Project, now: datetime, load: str = "") -> Decision:
    """Return what is to be started in a project, without starting or remembering anything."""
    return look(project, memory_of(project.store), now, load)


def make_due(
    project: Project, now: datetime, *, load: str = "", on_event: Callable[[EventRecord], None] | None = None
) -> Iterator[Made]:
    """Make all that is due at a moment: yield how each run came out.

    What is remembered is so before anything is started. What another run is making at the same time is left to it.
    """
    decision = remembered(project, now, lambda decided: decided.started, load)
    if decision.wave is not None:
        made = _make(project, decision.wave, on_event)
        if made is not None:
            yield made
    for job in decision.jobs:
        yield run_job(project, job, on_event=on_event)


def _make(project: Project, wave: Wave, on_event: Callable[[EventRecord], None] | None) -> Made | None:
    plan = project.plan_due(wave.wants, newer_than=wave.newer_than)
    if not plan.invocations:
        return None
    try:
        result = project.run(plan, options={OPTION: True}, on_event=on_event, still=partial(project.fits, plan))
    except ConflictError as error:
        # Another run makes some of it, or has made it since: the next look sees what is left.
        return Made(True, None, f"left to another run: {error.message}")
    _learn(project, result.run.id)
    return Made(result.ok, result.run.id, _told(len(wave.wants), next(iter(wave.wants))))


def _learn(project: Project, run: str) -> None:
    """Remember what invocations of a run took beside what they made, where starts are put together by that."""
    if settings_of(project).batch == "auto":
        found = overheads_of(project.store.events(run))
        change_memory(project.store, lambda memory: replace(memory, overheads={**memory.overheads, **found}))


def _told(count: int, first: AssetKey) -> str:
    return f"{first}" if count == 1 else f"{first} and {count - 1:,} more"


def run_job(project: Project, job: Job, *, on_event: Callable[[EventRecord], None] | None = None) -> Made:
    """Run a job now, as its clock would."""
    options = {"stale": job.stale, **({"partition": job.partitions} if job.partitions is not None else {})}
    result = project.materialize(job.select, on_event=on_event, on_conflict="wait", **options)  # type: ignore[arg-type]
    return Made(result.ok, result.run.id, f"job {job.name}", job.name)
