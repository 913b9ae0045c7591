"""One sync, from the intent to its end: started at most once, found again whatever happened in between.

A sync is never started blindly. Before, the newest job of the connection is noted (`Handle` keeps that, durably);
whenever it is unclear whether a job was started, the jobs after that one tell. Whatever runs already is joined.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass

from assetry.plugin import Event, Handle, Log, RunContext

from assetry_airbyte.hosted.errors import AirbyteError, AuthError, NotAirbyte, Refused, Unavailable
from assetry_airbyte.hosted.polling import LOST, poller
from assetry_airbyte.hosted.responses import RESETS, TERMINAL, WAITING, Connection, Job
from assetry_airbyte.hosted.service import Service
from assetry_airbyte.hosted.settings import Options

#: Seconds for which a job is looked for that may or may not have been started, and between two looks.
SEARCH, SEARCH_EVERY = 90.0, 10.0
#: How often a start is tried that was refused for a passing reason, and that got lost on the way.
STARTS = 3

Story = Generator[Event, None, Job]


@dataclass(frozen=True, slots=True)
class Token:
    """Be what a `Handle` keeps: the connection, the newest job before we asked for one, then the job.

    `ours` tells whether we started it: only then may we cancel it.

    >>> Token.read(Token("c", after=4).text()).after
    4
    """

    connection: str
    job: int | str | None = None
    after: int | None = None
    ours: bool = True

    def text(self) -> str:
        """Return the token as JSON."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def read(cls, text: str | None) -> Token | None:
        """Return what `text` wrote; None when it is not one of ours."""
        try:
            given = json.loads(text or "")
            return cls(given["connection"], given.get("job"), given.get("after"), bool(given.get("ours", True)))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


class Sync:
    """Bring about one finished sync of a connection.

    `after_us` says that a sync which is under way already has begun before our inputs were done, so that it does
    not count.
    """

    def __init__(
        self, service: Service, options: Options, connection: Connection, context: RunContext, after_us: bool = False
    ) -> None:
        self._service = service
        self._clock = service.client.clock
        self._options = options
        self._connection = connection
        self._context = context
        self._attach = options.attach or ("wait_then_start" if after_us else "accept")
        self._url = service.client.address.page(connection.workspace, connection.id)
        #: The job that we follow, and whether we may cancel it.
        self.job: Job | None = None
        self.ours = False
        #: The newest job before our own, for telling what came after it.
        self._newest: int | None = None
        self._told: set[str] = set()

    # -- the whole of it ---------------------------------------------------------------------------------------------

    def run(self, resume: Token | None) -> Story:
        """Start or find the job, follow it, and return it as it ended; raises `AirbyteError`.

        Closing the generator, or `context.cancelled`, cancels the job if we started it.
        """
        try:
            job = yield from self._begin(resume)
            return (yield from self._follow(job))
        except GeneratorExit:
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel the job that we started; leave one that is somebody else's."""
        job = self.job
        if job is None or job.terminal or not self.ours or self._options.on_cancel == "leave":
            return
        # Finished in the meantime, or gone: then there is nothing to cancel. And nothing more can be done.
        with suppress(AirbyteError):
            self._service.cancel(job.id)

    @property
    def moving(self) -> bool:
        """Tell whether the job has begun to move data."""
        return self.job is not None and self.job.status not in (*WAITING, "unknown")

    @property
    def left_running(self) -> bool:
        """Tell whether a job of ours goes on although the run was cancelled."""
        running = self.job is not None and not self.job.terminal
        return running and self.ours and self._options.on_cancel == "leave"

    def _off(self) -> bool:
        return self._context.cancelled

    # -- beginning ---------------------------------------------------------------------------------------------------

    def _begin(self, resume: Token | None) -> Story:
        if resume is not None and resume.job is not None:
            job = yield from self._taken_up(resume)
            if job is not None:
                return job
        elif resume is not None:
            job = self._after(resume.after)
            if job is not None and (not job.terminal or job.status == "succeeded"):
                yield Log(f"An earlier run had just started job {job.id}; it is taken up.")
                return (yield from self._take(job, ours=True))
        return (yield from self._start())

    def _taken_up(self, resume: Token) -> Generator[Event, None, Job | None]:
        """Return the job that an earlier run had started; None when it failed, so that another one is due."""
        assert resume.job is not None
        self.job, self.ours = Job(resume.job, "unknown"), resume.ours
        job = yield from self._follow_one(self.job, once=True)
        if job.terminal and job.status != "succeeded":
            yield Log(f"Job {job.id} of the earlier run has {job.status}; another sync is started.")
            return None
        self.job, self._newest = job, resume.after
        yield Log(f"Job {job.id} of the earlier run is taken up; it is {job.status}.")
        return job

    def _start(self) -> Story:
        lost = refused = 0
        while True:
            joined = yield from self._join_or_wait()
            if joined is not None:
                return joined
            yield Handle(Token(self._connection.id, after=self._newest).text(), self._url)
            try:
                job = self._service.start(self._connection.id)
                return (yield from self._take(job, ours=job.order > (self._newest or 0) or job.order < 0))
            except Refused as error:
                refused += 1
                yield from self._refused(error, refused)
            except (Unavailable, NotAirbyte) as error:
                lost += 1
                found = yield from self._search(error, last=lost >= STARTS)
                if found is not None:
                    return (yield from self._take(found, ours=True))

    def _join_or_wait(self) -> Generator[Event, None, Job | None]:
        """Return a sync that is under way already; None, when nothing is in the way of a new one."""
        while True:
            jobs = self._jobs()
            self._newest = max((job.order for job in jobs), default=None)
            busy = [job for job in jobs if not job.terminal]
            if not busy:
                return None
            running = [job for job in busy if job.status not in WAITING]
            job = (running or busy)[0]
            if job.type in RESETS:
                yield Log(
                    f"A {job.type} is under way on {self._connection.name!r} (job {job.id}); waiting for its end."
                )
            elif self._attach == "refuse":
                raise AirbyteError(
                    f"A sync of {self._connection.name!r} is under way already (job {job.id}).",
                    hint='attach = "accept" joins it, attach = "wait_then_start" waits for its end.',
                )
            elif self._attach == "accept" or job.status in WAITING:
                yield Log(f"A sync of {self._connection.name!r} is under way already (job {job.id}); it is joined.")
                return (yield from self._take(job, ours=False))
            else:
                yield Log(
                    f"A sync of {self._connection.name!r} began before its inputs were done (job {job.id}); waiting."
                )
            yield from self._follow_one(job)

    def _take(self, job: Job, ours: bool) -> Story:
        self.job, self.ours = job, ours
        yield Handle(Token(self._connection.id, job.id, self._newest, ours).text(), self._url)
        return job

    # -- when it is unclear what happened ------------------------------------------------------------------------------

    def _jobs(self) -> list[Job]:
        return self._service.jobs(self._connection.id, self._off)

    def _after(self, newest: int | None) -> Job | None:
        """Return the newest sync that came after a job, or any that is under way."""
        for job in self._jobs():
            if job.type == "sync" and (job.order > (newest or 0) or not job.terminal):
                return job
        return None

    def _search(self, error: AirbyteError, last: bool) -> Generator[Event, None, Job | None]:
        """Look for the job of a start that had no answer; None when it surely was not started."""
        if isinstance(error, Unavailable) and error.executed is False:
            if last or not self._clock.sleep(self._service.client.pause(error, 1), self._off):
                raise error
            return None
        yield Log(f"It is unclear whether the sync was started: {error.message} Looking for its job.", "warning")
        until = self._clock.monotonic() + SEARCH
        while True:
            with suppress(Unavailable):
                job = self._after(self._newest)
                if job is not None:
                    return job
            if self._clock.monotonic() >= until:
                break
            if not self._clock.sleep(SEARCH_EVERY, self._off):
                raise error
        if last:
            raise error
        return None

    def _refused(self, error: Refused, times: int) -> Generator[Event, None, None]:
        """Judge a refused start: return when it should be tried again, raise when that is of no use."""
        if error.status == 409 and any(not job.terminal for job in self._jobs()):
            return  # something is under way: the next look decides what to do about it
        if error.status in (403, 404, 409):
            check_usable(self._service.connection(self._connection.id, self._off))
        if error.status != 409 or times > STARTS:
            raise error
        yield Log(f"Airbyte would not start the sync yet: {error.message}", "warning")
        if not self._clock.sleep(self._service.client.pause(error, times), self._off):
            raise error

    # -- following -----------------------------------------------------------------------------------------------------

    def _follow(self, job: Job) -> Story:
        """Follow a job to its end; when another sync took its place, follow that one."""
        while True:
            job = yield from self._follow_one(job)
            if job.status == "succeeded" or self._off():
                return job
            later = self._replacing(job)
            if later is None:
                return job
            if not self._options.follow_superseded:
                raise AirbyteError(
                    f"Job {job.id} has {job.status}; job {later.id} took its place.",
                    hint="follow_superseded = true follows such a job.",
                )
            yield Log(f"Job {job.id} has {job.status}; job {later.id} took its place and is followed.", "warning")
            yield from self._take(later, ours=False)
            job = later

    def _replacing(self, job: Job) -> Job | None:
        with suppress(Unavailable, Refused):
            return next((each for each in self._jobs() if each.type == "sync" and each.order > job.order), None)
        return None

    def _follow_one(self, job: Job, once: bool = False) -> Story:
        """Poll a job until it has ended (with `once`, until it was seen); return it as last seen when called off."""
        patience = _Patience(self._options, self._clock.monotonic)
        mine = self.job is not None and self.job.id == job.id
        shared = poller(self._service, self._connection.workspace, self._connection.id, self._options.poll_interval)
        if job.terminal:
            return job
        lost = 0
        yield from self._changes(job)
        with closing(shared.watch(job.id, self._off)) as looks:
            for look in looks:
                if look.job is not None:
                    job, lost = look.job, 0
                    self.job = job if mine else self.job
                    yield from self._changes(job)
                    if job.terminal or once:
                        return job
                    patience.heard(job)
                elif isinstance(look.error, Refused):
                    lost += 1
                    if lost > len(LOST):
                        raise _unknown(job, look.error)
                elif isinstance(look.error, (AuthError, NotAirbyte, Unavailable)):
                    yield from self._say(f"Polling job {job.id}: {look.error.message}", "warning")
                    patience.unheard(job, look.error)
        return job

    def _changes(self, job: Job) -> Iterable[Event]:
        if job.status not in (*TERMINAL, *WAITING, "running", "incomplete", "unknown"):
            yield from self._say(f"Job {job.id} is {job.status!r}, a state that is new to us; waiting on.", "warning")
        elif job.status == "incomplete":
            yield from self._say(f"An attempt of job {job.id} has failed; Airbyte tries again.", "warning")
        elif job.status != "unknown":
            yield from self._say(f"Job {job.id} is {job.status}.")

    def _say(self, message: str, level: str = "info") -> Iterable[Event]:
        """Say something, unless it was the last thing of its kind that was said."""
        if message not in self._told:
            self._told.add(message)
            yield Log(message, level)  # type: ignore[arg-type]


class _Patience:
    """Decide when to give up on a job: never by failing or cancelling it."""

    def __init__(self, options: Options, now: Callable[[], float]) -> None:
        self._options = options
        self._now = now
        self._last = self._heard = now()
        self._queued = self._polled = 0.0

    def heard(self, job: Job) -> None:
        """Take an answer; raise `AirbyteError` when the job has taken too long."""
        now = self._now()
        if job.status in WAITING:
            self._queued += now - self._last
        else:
            self._polled += now - self._last
        self._last = self._heard = now
        for spent, name, what in (
            (self._queued, "queue_timeout", "has waited for its turn"),
            (self._polled, "poll_timeout", "has been running"),
        ):
            most: float = getattr(self._options, name)
            if spent > most:
                raise AirbyteError(
                    f"Job {job.id} {what} for more than {most:g} seconds ({name}); it is {job.status!r} and goes on.",
                    hint="`assetry retry` takes it up again.",
                )

    def unheard(self, job: Job, error: AirbyteError) -> None:
        """Take an error; raise `AirbyteError` when there was no good answer for too long."""
        if self._now() - self._heard > self._options.poll_error_budget:
            raise AirbyteError(
                f"Nothing is known of job {job.id} since {self._options.poll_error_budget:g} seconds: {error.message}",
                hint="The job may be going on: `assetry retry` takes it up again.",
            ) from error


def check_usable(connection: Connection) -> None:
    """Raise `AirbyteError` for a connection that cannot be synced."""
    if not connection.usable:
        reason = f": {connection.reason}" if connection.reason else ""
        raise AirbyteError(
            f"Connection {connection.name!r} is {connection.status}, so it cannot be synced{reason}.",
            hint="Enable it in Airbyte, then `assetry airbyte pull`.",
        )


def _unknown(job: Job, error: AirbyteError) -> AirbyteError:
    return AirbyteError(
        f"Airbyte does not know job {job.id} any more ({error.message}); what became of it is unknown.",
        hint="Look at the connection in Airbyte; `assetry materialize` starts another sync.",
    ).with_status(error.status)
