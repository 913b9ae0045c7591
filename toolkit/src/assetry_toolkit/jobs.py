"""Jobs of a service: started at most once, found again whatever happened in between, and followed to their end.

A job is never started blindly. Before, the newest job is noted (`Handle` keeps that, durably); whenever it is unclear
whether a job was started, the jobs after that one tell. What runs already is joined. Only a job that we started is ever
cancelled.

An integration says by a `Work` what there is to do, and gets the job as it ended::

    job = yield from JobRun(work, context, options).run(context.resume, started=keys)
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from typing import Generic, TypeVar, cast

from assetry.plugin import (
    AssetKey,
    AssetryError,
    Event,
    Failed,
    Handle,
    JobOverError,
    Level,
    Log,
    Materialized,
    RunContext,
    RunError,
    Skipped,
    Started,
)

from assetry_toolkit.errors import AuthError, Refused, ServiceError, Unavailable, WrongAddress
from assetry_toolkit.patience import Patience, told_within
from assetry_toolkit.polling import LOST, JobId
from assetry_toolkit.retries import again_text, pause_after
from assetry_toolkit.work import GONE, Job, JobOptions, JobState, Work

#: Seconds for which a job is looked for that may or may not have been started, and between two looks.
SEARCH, SEARCH_EVERY = 90.0, 10.0
#: How often a start is tried that was refused for a passing reason, and that got lost on the way.
STARTS = 3

J = TypeVar("J", bound=JobState)
Story = Generator[Event, None, J]


@dataclass(frozen=True, slots=True)
class Token:
    """What a `Handle` keeps: the work and the newest job before we asked for one, then the job in its place.

    `ours` tells whether we started it: only then may we cancel it.

    >>> Token.read(Token("c", after=4).text()).after
    4
    """

    work: str
    job: JobId | None = None
    after: float | None = None
    ours: bool = True

    def text(self) -> str:
        """Return the token as JSON."""
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def read(cls, text: str | None) -> Token | None:
        """Return what `text` wrote; None when it is not one of ours."""
        try:
            given = json.loads(text or "")
            return cls(given["work"], given.get("job"), given.get("after"), bool(given.get("ours", True)))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


class _Unseen(Job):
    """A job of an earlier run of which only the id is known, until it was seen; it counts as one that waits."""

    WAITING = ("unseen",)


class JobRun(Generic[J]):
    """One job that is brought about: started or found, and followed to its end.

    `late` says that a job which is under way already has begun before our inputs were done, so that it does not count:
    say ``late=bool(invocation.inputs)``, or True where the service itself reads tables that are made in the same run,
    as syncs of a reverse ETL do.
    """

    def __init__(self, work: Work[J], context: RunContext, options: JobOptions, *, late: bool = False) -> None:
        self._work = work
        self._context = context
        self._options = options
        self._attach = options.attach or ("wait_then_start" if late else "accept")
        #: The job that is followed, and whether we started it, so that we may cancel it.
        self.job: J | None = None
        self.ours = False
        #: The newest job before our own, for telling what came after it.
        self._newest: float | None = None
        self._told: set[str] = set()
        #: The assets that have not started, what was told of assets, and which of them have their end.
        self._waiting: list[AssetKey] = []
        self._known: list[Event] = []
        self._over: set[str] = set()

    # -- the whole of it ---------------------------------------------------------------------------------------------

    def run(self, resume: str | None, started: Sequence[AssetKey] = ()) -> Generator[Event, None, J | None]:
        """Start or find the job, follow it, and return it as it ended; None when the run was cancelled.

        `resume` is the token of an earlier run, or None; `started` are the assets that start when the job no longer
        waits, and what `Work.events` knows of them is yielded as it goes. Closing the generator, and
        `context.cancelled`, cancel the job if we started it. Raises `ServiceError` when what became of it is unknown,
        `RunError` when it was left running, and `JobOverError` when the service does not have it any more: the run then
        starts another one.
        """
        self._waiting = list(started)
        try:
            with closing(self._story(Token.read(resume))) as story:
                for event in story:
                    yield event
                    if self.job is not None and not self.job.waiting:
                        yield from self._begun()
        except GeneratorExit:
            self._stop()
            self._check_not_left()
            raise
        except _CalledOff:
            pass
        job = self.job
        if job is None or not job.ended:
            self._stop()
            self._check_not_left()
            return None
        yield from self._done(job)
        return job

    def _story(self, resume: Token | None) -> Generator[Event, None, None]:
        job = yield from self._begin(resume if resume is not None and resume.work == self._work.id else None)
        yield from self._follow(job)

    def _begun(self) -> Iterable[Event]:
        waiting, self._waiting = self._waiting, []
        return [Started(key) for key in waiting]

    def _done(self, job: J) -> Iterator[Event]:
        """Tell what is known of assets by how our job stands, and was not told yet."""
        yield from self._begun()
        for event in self._work.events(job):
            end = event.place if isinstance(event, (Materialized, Failed, Skipped)) else None
            if end not in self._over if end is not None else event not in self._known:
                if end is not None:
                    self._over.add(end)
                else:
                    self._known.append(event)
                yield event

    def _stop(self) -> None:
        """Cancel the job that we started; leave one that was joined."""
        job = self.job
        if job is None or job.ended or not self.ours or self._options.on_cancel == "leave":
            return
        # Ended in the meantime, or gone: then there is nothing to cancel. And nothing more can be done.
        with suppress(ServiceError):
            self._work.cancel(job.id)

    def _check_not_left(self) -> None:
        """Raise `RunError` when our job goes on, so that its token is kept."""
        job = self.job
        if job is not None and not job.ended and self.ours and self._options.on_cancel == "leave":
            raise RunError(
                f"Job {job.id} was left running in {self._work.service}.", hint="`assetry retry` takes it up again."
            )

    def _off(self) -> bool:
        return self._context.cancelled

    def _wait(self, seconds: float, error: ServiceError) -> None:
        """Wait before something is tried again; raise the error when called off."""
        if not self._work.clock.sleep(seconds, self._off):
            raise error

    # -- beginning ---------------------------------------------------------------------------------------------------

    def _begin(self, resume: Token | None) -> Story[J]:
        if resume is not None and resume.job is not None:
            job = yield from self._taken_up(resume, resume.job)
            if job is not None:
                return job
        elif resume is not None:
            job = self._after(resume.after)
            if job is not None and (not job.ended or job.succeeded):
                yield Log(f"An earlier run had just started job {job.id}; it is taken up.")
                return (yield from self._take(job, ours=True))
        return (yield from self._start())

    def _taken_up(self, resume: Token, id_: JobId) -> Generator[Event, None, J | None]:
        """Return the job that an earlier run had started; None when it failed, so that another one is due."""
        # It has not ended, so that it is never returned, and no `Work` is asked about it.
        self.job, self.ours = cast("J", _Unseen(id_, "unseen")), resume.ours
        job = yield from self._follow_one(self.job, once=True)
        if isinstance(job, _Unseen):
            raise _CalledOff
        if job.ended and not job.succeeded:
            yield Log(f"Job {job.id} of the earlier run ended as {job.status}; another {self._work.noun} is started.")
            self.job, self.ours = None, False
            return None
        yield Log(f"Job {job.id} of the earlier run is taken up; it is {job.status}.")
        return job

    def _start(self) -> Story[J]:
        lost = refused = 0
        while True:
            joined = yield from self._join_or_wait()
            if joined is not None:
                return joined
            yield Handle(Token(self._work.id, after=self._newest).text(), self._work.url)
            if self._off():
                raise _CalledOff
            try:
                job = self._work.start()
                return (yield from self._take(job, ours=job.order > (self._newest or 0) or job.order < 0))
            except Refused as error:
                refused += 1
                yield from self._refused(error, refused)
            except (Unavailable, WrongAddress) as error:
                lost += 1
                found = yield from self._search(error, last=lost >= STARTS)
                if found is not None:
                    return (yield from self._take(found, ours=True))

    def _join_or_wait(self) -> Generator[Event, None, J | None]:
        """Return a job that is under way already; None when nothing is in the way of a new one."""
        noun, name = self._work.noun, self._work.name
        while True:
            if self._off():
                raise _CalledOff
            jobs = self._jobs()
            self._newest = max((job.order for job in jobs), default=None)
            busy = [job for job in jobs if not job.ended]
            if not busy:
                return None
            job = next((each for each in busy if not each.waiting), busy[0])
            other = self._work.other(job)
            if other is not None or (not self._work.joins and self._attach != "refuse"):
                yield Log(f"A {other or noun} is under way on {name} (job {job.id}); waiting for its end.")
            elif self._attach == "refuse":
                raise ServiceError(
                    f"A {noun} of {name} is under way already (job {job.id}).",
                    hint='attach = "accept" joins it, attach = "wait_then_start" waits for its end.',
                )
            elif self._attach == "accept" or job.waiting:
                yield Log(f"A {noun} of {name} is under way already (job {job.id}); it is joined.")
                return (yield from self._take(job, ours=False))
            else:
                yield Log(f"A {noun} of {name} began before its inputs were done (job {job.id}); waiting.")
            yield from self._follow_one(job)

    def _take(self, job: J, ours: bool) -> Story[J]:
        self.job, self.ours = job, ours
        yield Handle(Token(self._work.id, job.id, ours=ours).text(), self._work.url)
        return job

    # -- when it is unclear what happened ----------------------------------------------------------------------------

    def _jobs(self) -> Sequence[J]:
        try:
            budget = self._options.poll_error_budget
            return self._work.jobs(told_within(budget, self._work.clock, self._context, self._work.name))
        except Refused as error:
            self._work.refused(error, self._off)
            raise

    def _after(self, newest: float | None) -> J | None:
        """Return the newest job that came after another one, or any that is under way and would be joined."""
        for job in self._jobs():
            ours = job.order > (newest or 0) or (self._work.joins and not job.ended)
            if ours and self._work.other(job) is None:
                return job
        return None

    def _search(self, error: ServiceError, last: bool) -> Generator[Event, None, J | None]:
        """Look for the job of a start that had no answer; None when it surely was not started."""
        if isinstance(error, Unavailable) and error.executed is False:
            if last:
                raise error
            self._wait(pause_after(error, 1, self._work.clock), error)
            return None
        noun = self._work.noun
        yield Log(f"It is unclear whether the {noun} was started: {error.message} Looking for its job.", "warning")
        until = self._work.clock.monotonic() + SEARCH
        while True:
            with suppress(Unavailable):
                job = self._after(self._newest)
                if job is not None:
                    return job
            if self._work.clock.monotonic() >= until:
                break
            self._wait(SEARCH_EVERY, error)
        if last:
            raise error
        return None

    def _refused(self, error: Refused, times: int) -> Generator[Event, None, None]:
        """Judge a refused start: return when it should be tried again, raise when that is of no use."""
        if error.status == 409 and any(not job.ended for job in self._jobs()):
            return  # something is under way: the next look decides what to do about it
        self._work.refused(error, self._off)
        if error.status != 409 or times > STARTS:
            raise error
        yield Log(f"{self._work.service} would not start the {self._work.noun} yet: {error.message}", "warning")
        self._wait(pause_after(error, times, self._work.clock), error)

    # -- following ---------------------------------------------------------------------------------------------------

    def _follow(self, job: J) -> Story[J]:
        """Follow a job to its end; when another one took its place, follow that one."""
        while True:
            job = yield from self._follow_one(job)
            later = None if job.succeeded or self._off() else self._replacing(job)
            if later is None:
                return job
            if not self._options.follow_superseded:
                yield from self._done(job)
                raise ServiceError(
                    f"Job {job.id} ended as {job.status}; job {later.id} took its place.",
                    hint="follow_superseded = true follows such a job.",
                )
            yield Log(f"Job {job.id} ended as {job.status}; job {later.id} took its place and is followed.", "warning")
            job = yield from self._take(later, ours=False)

    def _replacing(self, job: J) -> J | None:
        if not self._work.joins:
            return None
        with suppress(Unavailable, Refused):
            mine = (each for each in self._work.jobs(self._off) if self._work.other(each) is None)
            return next((each for each in mine if each.order > job.order), None)
        return None

    def _follow_one(self, job: J, once: bool = False) -> Story[J]:
        """Poll a job until it has ended (with `once`, until it was seen); return it as last seen when called off."""
        patience = Patience(self._options, self._work.clock.monotonic)
        mine = self.job is not None and self.job.id == job.id
        if job.ended:
            return job
        lost = 0
        if not once:
            yield from self._seen(job, mine)
        with closing(self._work.watch(job.id, self._off)) as looks:
            for look in looks:
                if look.job is not None:
                    job, lost = look.job, 0
                    self.job = job if mine else self.job
                    if job.ended or once:
                        yield from self._news(job)
                        return job
                    yield from self._seen(job, mine)
                    patience.heard(f"Job {job.id}", job.status, waiting=job.waiting)
                elif isinstance(look.error, Refused):
                    lost += 1
                    if lost > len(LOST):
                        raise self._unknown(job, look.error)
                elif isinstance(look.error, (AuthError, WrongAddress, Unavailable)):
                    yield from self._say(
                        f"Polling job {job.id}: {look.error.message}{again_text(look.error)}", "warning"
                    )
                    patience.unheard(f"job {job.id}", look.error)
        return job

    def _seen(self, job: J, mine: bool) -> Iterator[Event]:
        """Tell of a job that has not ended; how one has ended is told when it is known that no other one follows."""
        yield from self._news(job)
        if mine and not job.waiting:
            yield from self._done(job)

    def _news(self, job: J) -> Iterable[Event]:
        news = self._work.news(job)
        if news is not None:
            yield from self._say(*news)

    def _say(self, message: str, level: Level) -> Iterable[Event]:
        """Say something once."""
        if message not in self._told:
            self._told.add(message)
            yield Log(message, level)

    def _unknown(self, job: J, error: ServiceError) -> AssetryError:
        """Return the error for a job that cannot be asked about: gone, or only out of our sight."""
        service, noun = self._work.service, self._work.noun
        said = f"{service} does not know job {job.id} any more ({error.message}); what became of it is unknown."
        hint = f"Look for it in {service}; `assetry retry` starts another {noun}."
        if error.status in GONE:
            return JobOverError(said, hint=hint)
        hint = f"Look for it in {service}; `assetry materialize` starts another {noun}."
        return ServiceError(said, status=error.status, hint=hint)


class _CalledOff(Exception):
    """The run was cancelled while there was no job of ours."""
