"""What is due is made, in this process: looked for, decided, remembered and run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from assetry import Project
from assetry.plugin import Asker, AssetKey, AssetryError, ConflictError, EventRecord

from assetry_automation.decision.batches import Overheads
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.schedule import Decision, Wave
from assetry_automation.decision.settings import Job, JobEnd
from assetry_automation.decision.ways import START
from assetry_automation.jobs import job_error, settings_of
from assetry_automation.kept import change_memory, keep_ended, memory_of
from assetry_automation.looking import OPTION, look, remembered

#: The variable by which a daemon tells the process that it starts since when something may have been wanted.
WANTED = "ASSETRY_AUTOMATION_WANTED"


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
    project: Project,
    now: datetime,
    *,
    load: str = "",
    wanted: datetime | None = None,
    on_event: Callable[[EventRecord], None] | None = None,
) -> Iterator[Made]:
    """Make all that is due at a moment: yield how each run came out.

    What is remembered is so before anything is started. What another run is making at the same time is left to it.
    `wanted` is since when something may have been due, of which this process was started: deadlines are met as much
    sooner as that takes.
    """
    decision = remembered(project, now, lambda decided: decided.started, load).decision
    if decision.wave is not None:
        made = _make(project, decision.wave, wanted, on_event)
        if made is not None:
            yield made
    for job in decision.jobs:
        try:
            yield run_job(project, job, now, by=Asker(f"job {job.name}", "eager"), on_event=on_event)
        except AssetryError as error:
            near = f" (did you mean {error.near[0]!r}?)" if error.near else ""
            yield Made(False, None, f"{error.message}{near}", job.name)


def _make(
    project: Project, wave: Wave, wanted: datetime | None, on_event: Callable[[EventRecord], None] | None
) -> Made | None:
    plan = project.plan_due(wave.wants, newer_than=wave.newer_than)
    if not plan.invocations:
        return None
    learned = Overheads()

    def heard(record: EventRecord) -> None:
        learned.note(record)
        if on_event is not None:
            on_event(record)

    try:
        by = Asker(OPTION, "deadline" if wave.urgent else "eager")
        fits = partial(project.fits, plan)
        result = project.run(plan, options={OPTION: True}, on_event=heard, still=fits, by=by)
    except ConflictError as error:
        # Another run makes some of it, or has made it since: the next look sees what is left.
        return Made(True, None, f"left to another run: {error.message}")
    _learn(project, learned, wanted)
    return Made(result.ok, result.run.id, _told(len(wave.wants), next(iter(wave.wants))))


def _learn(project: Project, learned: Overheads, wanted: datetime | None) -> None:
    """Remember what invocations of a run took beside what they made, and how long after it was wanted it has begun."""
    found, began = learned.found, learned.began
    late = (began - wanted).total_seconds() if began is not None and wanted is not None else None

    def change(memory: Memory) -> Memory:
        known = {**memory.overheads, **found}
        if late is not None:
            # A quick one now and then does not mean that the next one is.
            known[START] = round(max(late, 0.9 * memory.overheads.get(START, 0.0)), 3)
        return replace(memory, overheads=known)

    change_memory(project.store, change)


def _told(count: int, first: AssetKey) -> str:
    return f"{first}" if count == 1 else f"{first} and {count - 1:,} more"


def run_job(
    project: Project,
    job: Job,
    now: datetime,
    *,
    by: Asker,
    on_event: Callable[[EventRecord], None] | None = None,
) -> Made:
    """Run a job now, as its clock would, and keep how it came out; an error that is raised names it."""
    options = {"stale": job.stale, **({"partition": job.partitions} if job.partitions is not None else {})}
    names = [each.name for each in settings_of(project).jobs]
    try:
        result = project.materialize(job.select, on_event=on_event, on_conflict="wait", by=by, **options)  # type: ignore[arg-type]
    except AssetryError as error:
        wrong = job_error(project, job, error)
        keep_ended(project.store, job.name, JobEnd(at=now, ok=False, told=f"it could not run: {error.message}"), names)
        raise wrong from error
    # A run that has nothing to make leaves no record.
    run = result.run.id if project.store.run(result.run.id) is not None else None
    told = "it failed" if not result.ok else "it succeeded" if run is not None else "there was nothing to make"
    keep_ended(project.store, job.name, JobEnd(at=now, ok=result.ok, told=told, run=run), names)
    return Made(result.ok, run, f"job {job.name}" + ("" if run is not None else ": nothing to do"), job.name)
