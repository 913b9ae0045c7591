"""Work that a service does by jobs: what an integration says of it, so that `assetry_toolkit.jobs` can do the rest."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from assetry.plugin import Level

from assetry_toolkit.clock import Clock
from assetry_toolkit.errors import Refused
from assetry_toolkit.options import JOB_OPTIONS
from assetry_toolkit.polling import JobId, Look

# What a user may say about jobs, as options of an integration, is declared without importing this module.
__all__ = ["JOB_OPTIONS", "Job", "JobOptions", "Work"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What a user may say about jobs.

    * `attach`: of a job that runs already: ``accept`` joins it, ``wait_then_start`` waits for its end, ``refuse`` is an
      error. None joins it, unless it began before its inputs were done.
    * `on_cancel`: a cancelled run cancels the job that it started (``cancel``), or lets it go on (``leave``).
    * `follow_superseded`: follow the job that took the place of ours; else that is an error.
    * `poll_timeout`, `queue_timeout`: seconds that a job may run, and wait for its turn; then it is left alone.
    * `poll_error_budget`: seconds without any good answer after which it is unknown what became of it.
    """

    attach: str | None = None
    on_cancel: str = "cancel"
    follow_superseded: bool = True
    poll_timeout: float = 24 * 3600.0
    queue_timeout: float = 24 * 3600.0
    poll_error_budget: float = 15 * 60.0


class Job(Protocol):
    """A job as it was last seen."""

    @property
    def id(self) -> JobId:
        """Return the service's own id."""

    @property
    def status(self) -> str:
        """Return the service's own word for how it stands; it is shown."""

    @property
    def order(self) -> float:
        """Return a number that is greater for later jobs; a negative one when that is not known."""

    @property
    def waiting(self) -> bool:
        """Tell whether it has not begun."""

    @property
    def ended(self) -> bool:
        """Tell whether it has come to its end; a status that is new to us has not."""

    @property
    def succeeded(self) -> bool:
        """Tell whether it has ended well."""


J = TypeVar("J", bound=Job)


class Work(Protocol[J]):
    """What is to be done by one job, and how a service is asked about it; everything raises `ServiceError`."""

    @property
    def id(self) -> str:
        """Return which work it is: an earlier run's token is good for the same only."""

    @property
    def service(self) -> str:
        """Return what people call the service ("Mill")."""

    @property
    def noun(self) -> str:
        """Return what people call one job ("batch")."""

    @property
    def name(self) -> str:
        """Return what the jobs are of, as it stands in a sentence ("'orders'")."""

    @property
    def url(self) -> str | None:
        """Return the page that shows the jobs."""

    @property
    def clock(self) -> Clock:
        """Return the clock that is waited by."""

    def jobs(self, called_off: Callable[[], bool]) -> Sequence[J]:
        """Return the jobs of this work, newest first, asking again while that may help."""

    def start(self) -> J:
        """Start a job; ask once: what an error has left behind is found out by `JobRun`."""

    def watch(self, id_: JobId, called_off: Callable[[], bool]) -> Generator[Look[J], None, None]:
        """Yield how a job stands, again and again; see `assetry_toolkit.polling.Poller`."""

    def cancel(self, id_: JobId) -> None:
        """Stop a job; ask once."""

    def unseen(self, id_: JobId) -> J:
        """Return a job of which nothing but its id is known."""

    def other(self, job: J) -> str | None:
        """Return what a job is that is something else than this work, and only in its way ("reset"); None for ours."""

    def news(self, job: J) -> tuple[str, Level] | None:
        """Return what to tell of how a job stands, and how loud."""

    def refused(self, error: Refused, called_off: Callable[[], bool]) -> None:
        """Raise a better error for a start that was refused, where there is one."""
