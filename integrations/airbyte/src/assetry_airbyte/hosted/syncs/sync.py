"""The syncs of a connection, as the toolkit's jobs: how Airbyte is asked about them, and what is told of each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

from assetry.plugin import Level
from assetry_toolkit.errors import Refused, ServiceError
from assetry_toolkit.hosted.assets import ENABLE
from assetry_toolkit.polling import JobId, Look, Poller, Turn, at_once, one_by_one
from assetry_toolkit.work import Work

from assetry_airbyte.hosted.api.responses import Connection, Job
from assetry_airbyte.hosted.api.service import Service


class Syncs(Work[Job]):
    """The syncs of one connection.

    They are followed together with those of the other connections of their workspace, every `poll_interval` seconds.
    """

    service, noun, gone = "Airbyte", "sync", "Look for the connection in Airbyte, then run `assetry airbyte pull`."

    def __init__(self, service: Service, connection: Connection, poll_interval: float | None = None) -> None:
        self.id = self.connection = connection.id
        self.name = repr(connection.name)
        self.url = service.address.page(connection.workspace, connection.id)
        self.clock = service.http.clock
        self._airbyte = service
        self._workspace = connection.workspace
        # Where the workspace is unknown there is no list for several connections.
        place = ("poller", poll_interval, connection.workspace or ("of", connection.id))
        self._poller: Poller[Job] = service.share(place, lambda: Poller(self.turn, self.clock, poll_interval))

    def jobs(self, called_off: Callable[[], bool]) -> Sequence[Job]:
        """Return the newest jobs of the connection."""
        return self._airbyte.jobs(self.connection, called_off)

    def start(self) -> Job:
        """Start a sync."""
        return self._airbyte.start(self.connection)

    def watch(self, id_: JobId, called_off: Callable[[], bool]) -> Generator[Look[Job], None, None]:
        """Yield how a job stands, again and again."""
        return self._poller.watch(id_, called_off)

    def job(self, id_: JobId) -> Job:
        """Return how a job stands."""
        return self._airbyte.job(id_)

    def cancel(self, id_: JobId) -> None:
        """Stop a job."""
        self._airbyte.cancel(id_)

    def other(self, job: Job) -> str | None:
        """Return the type of a job that is not a sync."""
        return None if job.type == "sync" else job.type

    def news(self, job: Job) -> tuple[str, Level] | None:
        """Return what is told of a job."""
        if job.status == "incomplete":
            return f"An attempt of job {job.id} has failed; Airbyte tries again.", "warning"
        if job.status not in (*Job.SUCCEEDED, *Job.FAILED, *Job.WAITING, "running"):
            return f"Job {job.id} is {job.status!r}, a state that is new to us; waiting on.", "warning"
        return f"Job {job.id} is {job.status}.", "info"

    def refused(self, error: Refused, called_off: Callable[[], bool]) -> None:
        """Raise `ServiceError` when the connection cannot be synced: Airbyte's own answer does not say so."""
        if error.status in (403, 404, 409):
            check_usable(self._airbyte.connection(self.connection, called_off))
        super().refused(error, called_off)

    def turn(self, ids: Sequence[JobId]) -> Turn[Job]:
        """Ask for jobs with one request where the workspace's newest are enough."""
        workspace = self._workspace
        if workspace is None:
            return one_by_one(ids, self.job)
        return at_once(ids, lambda: {job.id: job for job in self._airbyte.workspace_jobs(workspace)}, self.job)


def check_usable(connection: Connection) -> None:
    """Raise `ServiceError` for a connection that cannot be synced."""
    if not connection.usable:
        reason = f": {connection.reason}" if connection.reason else ""
        skips = '; or on_inactive = "skip" leaves it out, with all that is made from it'
        raise ServiceError(
            f"Connection {connection.name!r} is {connection.status}, so it cannot be synced{reason}.",
            hint=f"{ENABLE} Airbyte{skips if connection.status == 'inactive' else ''}.",
        )
