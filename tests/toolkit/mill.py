"""A mill that works by jobs, behind real HTTP on this machine; how its jobs are described; and the context of a run."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from assetry.plugin import Event, Handle, Level, Log, Started
from assetry_toolkit.errors import Refused
from assetry_toolkit.http import Api, Http, Request
from assetry_toolkit.jobs import JobRun, Token
from assetry_toolkit.testing import FakeClock
from assetry_toolkit.work import Job as JobSeen
from assetry_toolkit.work import JobId, JobOptions, Work

from tests.toolkit.loopback import Answer, Asked, Service, serving

ENDED = ("done", "failed", "stopped")


@dataclass
class Job:
    """A job at the mill; each look moves it to the next status of its script."""

    id: int
    status: str = "running"
    script: list[str] = field(default_factory=lambda: ["running", "done"])
    kind: str = "job"


class Seen(JobSeen):
    """A job as it was seen."""

    WAITING, SUCCEEDED, FAILED = ("queued",), ("done",), ("failed", "stopped")


class Mill:
    """The mill's jobs; `next_script` is what the next one goes through, `hides` how many lists show no job yet."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.next_script = ["running", "done"]
        self.hides = 0
        self.numbers = itertools.count(1)
        self.lock = threading.RLock()
        self.service: Service

    def start(self, *script: str, kind: str = "job") -> Job:
        """Start a job, as somebody else would."""
        with self.lock:
            first, *rest = script or self.next_script
            job = Job(next(self.numbers), first, rest, kind)
            self.jobs[job.id] = job
            return job

    def end(self, number: int, status: str = "done") -> None:
        self.jobs[number].status, self.jobs[number].script = status, []

    def asked(self, request: str) -> list[Asked]:
        return [each for each in self.service.asked if re.fullmatch(request, f"{each.method} {each.path}")]

    @property
    def posts(self) -> int:
        return len(self.asked("POST /jobs"))

    @property
    def stopped(self) -> list[int]:
        return [int(each.path.rpartition("/")[2]) for each in self.asked("DELETE .*")]

    def answer(self, asked: Asked) -> Any:
        with self.lock:
            number = int(asked.path.rpartition("/")[2]) if asked.path != "/jobs" else None
            if number is not None and number not in self.jobs:
                return Answer(404, {"message": f"no job {number}"})
            if asked.method == "DELETE":
                if self.jobs[number or 0].status in ENDED:
                    return Answer(409, {"message": "it has ended"})
                self.end(number or 0, "stopped")
                return None
            if asked.method == "POST":
                return self._told(self.start())
            if number is not None:
                job = self.jobs[number]
                job.status = job.script.pop(0) if job.script else job.status
                return self._told(job)
            if self.hides:
                self.hides -= 1
                return []
            return [self._told(job) for job in sorted(self.jobs.values(), key=lambda job: -job.id)]

    def _told(self, job: Job) -> Any:
        return {"id": job.id, "status": job.status, "kind": job.kind}


@contextmanager
def milling(jobs: Mill | None = None) -> Iterator[Mill]:
    """Give a mill for as long as this lasts."""
    mill = jobs or Mill()
    with serving(mill.answer) as mill.service:
        yield mill


#: What is known of assets by a job.
Tells = Callable[[Seen], Iterable[Event]]


class MillJobs(Work[Seen]):
    """The jobs of one mill, as `JobRun` sees them; `tells` says what is known of assets by one of them."""

    service, noun, name, url = "the mill", "job", "'orders'", "https://mill.example.com/orders"

    def __init__(
        self, url: str, clock: FakeClock, id_: str = "orders", tells: Tells = lambda job: (), joins: bool = True
    ) -> None:
        self.id, self.clock, self.tells, self.joins = id_, clock, tells, joins
        self.http = Http(Api(name="Mill", base=url), clock=clock)

    def jobs(self, called_off: Callable[[], bool]) -> Sequence[Seen]:
        return [Seen.read(each) for each in self.http.ask(Request("GET", "jobs"), called_off)]

    def start(self) -> Seen:
        return Seen.read(self.http.once(Request("POST", "jobs")))

    def job(self, id_: JobId) -> Seen:
        return Seen.read(self.http.once(Request("GET", f"jobs/{id_}")))

    def cancel(self, id_: JobId) -> None:
        self.http.once(Request("DELETE", f"jobs/{id_}"))

    def events(self, job: Seen) -> Iterable[Event]:
        return self.tells(job)

    def other(self, job: Seen) -> str | None:
        return None if job.told["kind"] == "job" else str(job.told["kind"])

    def refused(self, error: Refused, called_off: Callable[[], bool]) -> None:
        if error.message.endswith("closed"):
            raise Refused("The mill is closed on Sundays.")
        super().refused(error, called_off)


class Run:
    """The context of a run."""

    run_id = "run"
    deadline: float | None = None
    resume: str | None = None

    def __init__(self) -> None:
        self.options: Mapping[str, Any] = {}
        self.off = threading.Event()

    @property
    def cancelled(self) -> bool:
        return self.off.is_set()

    def secret(self, name: str) -> str:
        raise AssertionError("nothing is secret")

    def load(self, key: Any, form: Any = None, partition: str | None = None) -> Any:
        raise AssertionError("no values are read")

    def save(self, key: Any, value: Any, partition: str | None = None) -> Any:
        raise AssertionError("no values are kept")

    def log(self, message: str, level: Level = "info") -> None:
        raise AssertionError("nothing is logged")


class Told:
    """What a run told, how it ended, and its stream if it was left in the middle."""

    def __init__(self, stream: Generator[Event, None, Seen | None], run: Run) -> None:
        self.stream, self.run = stream, run
        self.events: list[Event] = []
        self.job: Seen | None = None
        self.error: Exception | None = None

    def go(self, until: Callable[[Event], bool] = lambda event: False) -> Told:
        """Take events until one is the right one, or to the end."""
        try:
            while True:
                event = next(self.stream)
                self.events.append(event)
                if until(event):
                    return self
        except StopIteration as end:
            self.job = end.value
        except Exception as error:
            self.error = error
        return self

    @property
    def said(self) -> str:
        return "\n".join(event.message for event in self.events if isinstance(event, Log))

    @property
    def token(self) -> str:
        return [event.token for event in self.events if isinstance(event, Handle)][-1]

    @property
    def started(self) -> list[str]:
        return [str(event.key) for event in self.events if isinstance(event, Started)]


def begin(
    mill: Mill,
    clock: FakeClock,
    resume: str | None = None,
    *,
    late: bool = False,
    work: str = "orders",
    tells: Tells = lambda job: (),
    joins: bool = True,
    **options: Any,
) -> Told:
    """Begin to bring about a job."""
    run = Run()
    jobs = JobRun(MillJobs(mill.service.url, clock, work, tells, joins), run, JobOptions.of(options), late=late)
    return Told(jobs.run(resume, started=["mill/orders"]), run)  # type: ignore[list-item]


def intent(event: Event) -> bool:
    """Tell whether an event notes that a job is about to be started."""
    return _noted(event) == "intent"


def noted(event: Event) -> bool:
    """Tell whether an event notes the job itself."""
    return _noted(event) == "job"


def _noted(event: Event) -> Literal["", "intent", "job"]:
    token = Token.read(event.token) if isinstance(event, Handle) else None
    return "" if token is None else "intent" if token.job is None else "job"
