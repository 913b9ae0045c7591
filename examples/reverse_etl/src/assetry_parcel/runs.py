"""The runs of a sync: how Parcel is asked about them, for `assetry_toolkit.jobs`, and what they say of assets."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from assetry.plugin import AssetKey, Event, Failed, JobOverError, Level, Log, Materialized, RunContext, Started
from assetry_toolkit.clock import Clock
from assetry_toolkit.errors import Refused, ServiceError
from assetry_toolkit.http import Http, Request
from assetry_toolkit.jobs import JobRun
from assetry_toolkit.options import JOB_OPTIONS
from assetry_toolkit.polling import JobId, Look, Poller, Turn
from assetry_toolkit.work import JobOptions

READ_ANEW = "Read anew what there is: assetry parcel syncs --write"


@dataclass(frozen=True)
class Run:
    """A run of a sync, as Parcel last told of it; each of `objects` has name, status, rows, rejected and error."""

    id: JobId
    sync: str = ""
    status: str = "unknown"
    error: str | None = None
    objects: Sequence[Mapping[str, Any]] = ()

    @property
    def order(self) -> float:
        return int(self.id)

    @property
    def waiting(self) -> bool:
        return self.status == "queued"

    @property
    def ended(self) -> bool:
        return self.status in ("succeeded", "failed", "cancelled", "lost")

    @property
    def succeeded(self) -> bool:
        return self.status == "succeeded"


@dataclass
class Sync:
    """A sync, as work for `JobRun`; `seen` is the run that is followed, as it was last looked at."""

    http: Http
    spec: Mapping[str, Any]
    given: Mapping[str, Any]
    seen: Run | None = None
    service = "Parcel"
    noun = "run"
    clock = Clock()

    @property
    def id(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        return repr(self.spec["sync"])

    @property
    def url(self) -> str:
        return str(self.spec["page"])

    @property
    def runs(self) -> str:
        return f"syncs/{self.spec['sync']}/runs"

    def jobs(self, called_off: Callable[[], bool]) -> Sequence[Run]:
        try:
            found = self.http.ask(Request("GET", self.runs), called_off)["data"]
        except Refused as error:
            raise Refused(error.message, status=error.status, hint=READ_ANEW) from error
        return [Run(**each) for each in found]

    def start(self) -> Run:
        self.seen = None  # that was a run of others, for whose end ours had to wait
        return Run(**self.http.once(Request("POST", self.runs))["data"])

    def watch(self, id_: JobId, called_off: Callable[[], bool]) -> Generator[Look[Run], None, None]:
        for look in Poller(self._turn, every=self.given.get("poll_every")).watch(id_, called_off):
            self.seen = look.job or self.seen
            yield look

    def _turn(self, ids: Sequence[JobId]) -> Turn[Run]:
        try:
            found = self.http.once(Request("GET", "runs", params={"ids": ",".join(map(str, ids))}))["data"]
        except ServiceError as error:  # such as a 429: the next turn comes after the pause that it asks for
            return Turn({id_: Look(None, error) for id_ in ids})
        looks: dict[JobId, Look[Run]] = {each["id"]: Look(Run(**each)) for each in found}
        return Turn({id_: looks.get(id_) or Look(None, Refused(f"There is no run {id_}.", status=404)) for id_ in ids})

    def cancel(self, id_: JobId) -> None:
        self.http.once(Request("POST", f"runs/{id_}/cancel"))

    def unseen(self, id_: JobId) -> Run:
        return Run(id_)

    def other(self, job: Run) -> str | None:  # noqa: ARG002
        return None

    def news(self, job: Run) -> tuple[str, Level] | None:
        over = sum(each["status"] != "pending" for each in job.objects)
        return f"{over} of {len(job.objects)} objects are done.", "info"

    def refused(self, error: Refused, called_off: Callable[[], bool]) -> None:  # noqa: ARG002
        return None


def run_sync(sync: Sync, context: RunContext, left: dict[str, AssetKey]) -> Generator[Event, None, None]:
    """Run a sync, and tell of the assets that are left, by the names of their objects, as soon as each was sent."""
    options = JobOptions(**{name: sync.given[name] for name in JOB_OPTIONS if name in sync.given})
    # Whatever runs already may have read its tables before they were made: it does not count.
    story = JobRun(sync, context, options, late=True).run(context.resume, [*left.values()])
    run = yield from _followed(story, sync, left)
    if run is None:
        return
    yield from _ends(run, left)
    if any(each["status"] == "pending" for each in run.objects):
        why = f": {run.error}" if run.error else "."
        raise JobOverError(
            f"Run {run.id} of {sync.name} ended early, {run.status}{why}",
            hint=f"See {sync.url}, then run `assetry retry`.",
        )
    for name, key in left.items():
        yield Failed(key, f"Sync {sync.name} of Parcel sends no {name}.", hint=READ_ANEW)


def _followed(
    story: Generator[Event, None, Run | None], sync: Sync, left: dict[str, AssetKey]
) -> Generator[Event, None, Run | None]:
    """Pass on what is told of a run, and tell of each object with what is told when a look has found it done."""
    begins = set(left.values())
    with closing(story):
        while True:
            try:
                event = next(story)
            except StopIteration as end:
                ended: Run | None = end.value
                return ended
            yield event
            if isinstance(event, Started):
                begins.discard(event.key)
            if sync.seen and not begins:
                yield from _ends(sync.seen, left)


def _ends(run: Run, left: dict[str, AssetKey]) -> Iterator[Event]:
    """Tell of the objects of which it was not told yet."""
    for each in run.objects:
        if each["status"] in ("sent", "failed") and (key := left.pop(each["name"], None)):
            if each["rejected"]:
                some = "row was" if each["rejected"] == 1 else "rows were"
                yield Log(f"{each['rejected']} {some} rejected.", "warning", key)
            if each["status"] == "sent":
                yield Materialized(key, metadata={"rows": each["rows"], "rejected": each["rejected"], "run": run.id})
            else:
                yield Failed(key, each["error"], hint="Correct it in Parcel or in the table, then run `assetry retry`.")
