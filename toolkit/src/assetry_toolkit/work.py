"""Work that a service does by jobs: what an integration says of it, so that `assetry_toolkit.jobs` can do the rest.

A `Work` says how the service is asked, and a `Job` what its words mean. That is all of an integration's own::

    class Batch(Job):
        WAITING, SUCCEEDED, FAILED = ("queued",), ("done",), ("failed", "stopped")

    class Batches(Work[Batch]):
        service, noun = "Mill", "batch"

        def __init__(self, http, table):
            self.id, self.name, self.http = table, repr(table), http

        def jobs(self, called_off):
            return [Batch.read(each) for each in self.http.ask(Request("GET", f"{self.id}/batches"), called_off)]

        def start(self):
            return Batch.read(self.http.once(Request("POST", f"{self.id}/batches")))

        def job(self, id_):
            return Batch.read(self.http.once(Request("GET", f"batches/{id_}")))

        def cancel(self, id_):
            self.http.once(Request("DELETE", f"batches/{id_}"))
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from assetry.plugin import Event, Level

from assetry_toolkit.clock import Clock
from assetry_toolkit.errors import Refused
from assetry_toolkit.options import JOB_OPTIONS
from assetry_toolkit.polling import JobId, Look, Poller, Turn, one_by_one

# What a user may say about jobs, as options of an integration, is declared without importing this module.
__all__ = ["GONE", "JOB_OPTIONS", "Job", "JobId", "JobOptions", "JobState", "Work"]

#: HTTP statuses by which a service says that there is no such thing.
GONE = (404, 410)


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

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Return those that checked options name, which may have others beside them.

        >>> JobOptions.of({"url": "https://mill.example.com", "on_cancel": "leave"}).on_cancel
        'leave'
        """
        return cls(**{name: given[name] for name in JOB_OPTIONS if name in given})


class JobState(Protocol):
    """A job as it was last seen; `Job` is a ready one."""

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


@dataclass(frozen=True)
class Job:
    """A job as the service told of it: its id, its status, and in `told` the whole answer.

    A subclass names the service's own words for jobs that wait, have succeeded and have failed (a job that was
    cancelled has); with any other word a job is at work. Jobs are in the order of their ids where these are numbers,
    else a subclass says the `order`: without one, a job whose start had no answer is not found again.

    >>> job = Job.read({"id": 7, "status": "succeeded", "rows": 3})
    >>> job.ended, job.order, job.told["rows"]
    (True, 7.0, 3)
    """

    #: The words of a service that says what most say.
    WAITING: ClassVar[Sequence[str]] = ("queued", "pending")
    SUCCEEDED: ClassVar[Sequence[str]] = ("succeeded",)
    FAILED: ClassVar[Sequence[str]] = ("failed", "cancelled")

    id: JobId
    status: str
    told: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """Return the job that an answer with ``id`` and ``status`` tells of."""
        return cls(told["id"], str(told["status"]), told)

    @property
    def order(self) -> float:
        """Return the id as a number, -1 where it is none."""
        return float(self.id) if str(self.id).isdecimal() else -1.0

    @property
    def waiting(self) -> bool:
        """Tell whether it waits for its turn."""
        return self.status in self.WAITING

    @property
    def ended(self) -> bool:
        """Tell whether it has come to its end."""
        return self.status in (*self.SUCCEEDED, *self.FAILED)

    @property
    def succeeded(self) -> bool:
        """Tell whether it has ended well."""
        return self.status in self.SUCCEEDED


J = TypeVar("J", bound=JobState)


class Work(ABC, Generic[J]):
    """What is to be done by one job, and how a service is asked about it; everything raises `ServiceError`.

    `id` says which work it is: an earlier run's token is good for the same only. `service` is what people call the
    service ("Mill"), `noun` one job ("batch"), `name` what the jobs are of, as it stands in a sentence ("'orders'"),
    and `url` the page that shows them. `every` are the seconds between two looks at a job; None begins with one second,
    and grows. `gone` is the next step for a person when the service has no longer what the jobs are of. Where a job of
    others may be about something else, `joins` is False: its end is waited for, and it never counts as ours.
    """

    id: str
    service: str
    noun: str = "job"
    name: str
    url: str | None = None
    clock: Clock = Clock()
    every: float | None = None
    gone: str | None = None
    joins: bool = True

    # -- to be written -----------------------------------------------------------------------------------------------

    @abstractmethod
    def jobs(self, called_off: Callable[[], bool]) -> Sequence[J]:
        """Return the jobs of this work, newest first, asking again while that may help."""

    @abstractmethod
    def start(self) -> J:
        """Start a job; ask once: what an error has left behind is found out by `JobRun`."""

    @abstractmethod
    def job(self, id_: JobId) -> J:
        """Return how a job stands; ask once."""

    @abstractmethod
    def cancel(self, id_: JobId) -> None:
        """Stop a job; ask once."""

    # -- where there is more to say ----------------------------------------------------------------------------------

    def events(self, job: J) -> Iterable[Event]:  # noqa: ARG002
        """Return what is known of assets by how our own job stands: `Materialized` of what it has made so far …

        Asked at each look, so return all that is known: `JobRun` yields each event once, after `Started`, and of each
        asset one end. It is never asked about a job that is only waited for, nor about one that failed before and is
        followed by another. Without it, an integration tells of its assets by the job that `JobRun.run` returns.
        """
        return ()

    def news(self, job: J) -> tuple[str, Level] | None:
        """Return what to log of how a job stands, and how loud; what was said already is not said again."""
        return f"{self.noun.capitalize()} {job.id} is {job.status}.", "info"

    def other(self, job: J) -> str | None:  # noqa: ARG002
        """Return what a job is that is something else than this work, and only in its way ("reset"); None for ours."""
        return None

    def refused(self, error: Refused, called_off: Callable[[], bool]) -> None:  # noqa: ARG002
        """Raise a better error for a list or a start that was refused, where there is one.

        Unless it is overridden, it gives what the service does not know (any more) the hint `gone`.
        """
        if error.status in GONE:
            hint = self.gone or error.hint or f"Look whether {self.service} still has {self.name}."
            raise Refused(error.message, status=error.status, where=error.where, near=error.near, hint=hint) from error

    def turn(self, ids: Sequence[JobId]) -> Turn[J]:
        """Return how jobs stand; override it where one request tells of many, and `watch` to share a `Poller`."""
        return one_by_one(ids, self.job)

    def watch(self, id_: JobId, called_off: Callable[[], bool]) -> Generator[Look[J], None, None]:
        """Yield how a job stands, again and again; see `assetry_toolkit.polling.Poller`."""
        return Poller(self.turn, self.clock, self.every).watch(id_, called_off)
