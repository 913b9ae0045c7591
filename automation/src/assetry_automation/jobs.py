"""The jobs of a project file as they are in a project: what each makes, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from assetry import Project
from assetry.plugin import AssetKey, AssetryError, OptionError, SelectionError

from assetry_automation.decision.settings import Job, Settings, read_settings


def settings_of(project: Project) -> Settings:
    """Return what the project file says of automation."""
    file = project.settings.file
    return read_settings(project.settings.tables, None if file is None else str(file))


def jobs_above(project: Project, jobs: Iterable[Job]) -> dict[str, frozenset[AssetKey]]:
    """Return what each job selects; of a selection that depends on how assets are, it is known when its clock ticks."""
    found = {}
    for job in jobs:
        try:
            found[job.name] = frozenset() if depends(job.select) else frozenset(project.select(job.select))
        except AssetryError:
            found[job.name] = frozenset()  # `wrong_jobs` tells of it
    return found


def wrong_jobs(project: Project, now: datetime) -> Iterator[OptionError]:
    """Yield what is wrong with the selections and partitions of jobs, which would come up when their clocks tick.

    What depends on how assets are may mean none of them now.
    """
    for job in settings_of(project).jobs:
        if depends(job.select):
            continue
        try:
            keys = project.select(job.select)
            if job.partitions is not None and not _comes(project, keys, now):
                project.plan(job.select, partition=job.partitions, stale=job.stale)
        except AssetryError as error:
            yield job_error(project, job, error)


def job_error(project: Project, job: Job, error: AssetryError) -> OptionError:
    """Return what is wrong with a job, by its name and its line."""
    title = f"[jobs.{job.name}]"
    option = "select" if isinstance(error, SelectionError) or job.partitions is None else "partitions"
    told = f"{title}: {error.message}"
    found = OptionError(told, option=option, table=title, near=error.near, hint=error.hint)
    project.settings.locate(found)
    return found


def depends(select: str) -> bool:
    """Tell whether what a selection means depends on how assets are.

    >>> depends("state:stale"), depends("tag:core")
    (True, False)
    """
    return "state:" in select


def may_depend(select: str) -> bool:
    """Tell whether what a selection means may depend on how assets are: one that has a name may say so there.

    >>> may_depend("selector:nightly")
    True
    """
    return depends(select) or "selector:" in select


def _comes(project: Project, keys: tuple[AssetKey, ...], now: datetime) -> bool:
    """Tell whether some of what has partitions has none yet, so that a name of one means nothing before."""
    parted = (each for key in keys if (each := project.graph[key].partitions_def) is not None)
    return any(not each.existing(now) for each in parted)
