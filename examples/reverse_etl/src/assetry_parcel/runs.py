"""The runs of a sync: how Parcel is asked about them over HTTP, and what they say of assets."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from assetry.plugin import AssetKey, Event, Failed, Integration, Invocation, JobOverError, Log, Materialized, RunContext
from assetry_toolkit.auth import bearer
from assetry_toolkit.http import Api, Http, Request
from assetry_toolkit.jobs import JobRun
from assetry_toolkit.secrets import resolve
from assetry_toolkit.work import Job, JobId, JobOptions, Work


def connect(place: Integration, secret: Callable[[str], str]) -> Http:
    """Return the API of an integration's Parcel; `secret` is asked for the key by the first request."""
    hint = f"Make a key in Parcel, and put it where api_key under [integrations.{place.name}] says."
    api = Api(name="Parcel", base=f"{place.options['url'].rstrip('/')}/api/v1", auth_hint=hint)
    return Http(api, bearer(lambda: resolve(place.options["api_key"], secret), named="the API key"))


class Run(Job):
    """A run of a sync; Parcel tells of its objects each by its name, status, rows, rejected rows and error."""

    FAILED = ("failed", "cancelled", "lost")


class Sync(Work[Run]):
    """A sync; `keys` are the assets by the names of its objects."""

    service, noun, gone = "Parcel", "run", "Read anew what there is: assetry parcel pull"

    def __init__(self, http: Http, spec: Mapping[str, Any], keys: Mapping[str, AssetKey], every: float | None) -> None:
        self.id, self.url, self.name, self.every = spec["page"], spec["page"], repr(spec["sync"]), every
        self.http, self.keys, self.runs = http, keys, f"syncs/{spec['sync']}/runs"

    def jobs(self, called_off: Callable[[], bool]) -> Sequence[Run]:
        return [Run.read(each) for each in self.http.ask(Request("GET", self.runs), called_off)["data"]]

    def start(self) -> Run:
        return Run.read(self.http.once(Request("POST", self.runs))["data"])

    def job(self, id_: JobId) -> Run:
        return Run.read(self.http.once(Request("GET", f"runs/{id_}"))["data"])

    def cancel(self, id_: JobId) -> None:
        self.http.once(Request("POST", f"runs/{id_}/cancel"))

    def events(self, job: Run) -> Iterator[Event]:
        for key, each in ((self.keys.get(each["name"]), each) for each in job.told["objects"]):
            if key and each["status"] == "sent":
                if each["rejected"]:
                    yield Log(f"Rejected rows: {each['rejected']}.", "warning", key)
                yield Materialized(key, metadata={"rows": each["rows"], "rejected": each["rejected"], "run": job.id})
            elif key and each["status"] == "failed":
                yield Failed(key, each["error"], hint="Correct it in Parcel or in the table, then run `assetry retry`.")


def run_sync(http: Http, invocation: Invocation, context: RunContext, given: Mapping[str, Any]) -> Iterator[Event]:
    """Run the sync of an invocation, all of whose objects are asked for or come along."""
    keys = {asset.spec["object"]: asset.key for asset in (*invocation.assets, *invocation.also)}
    sync = Sync(http, invocation.assets[0].spec, keys, given.get("poll_every"))
    # What runs already may have read its tables before they were made: it does not count.
    run = yield from JobRun(sync, context, JobOptions.of(given), late=True).run(context.resume, [*keys.values()])
    if run and any(each["status"] == "pending" for each in run.told["objects"]):
        why = f"Run {run.id} of {sync.name} ended early, {run.status}: {run.told['error'] or 'it says no more'}"
        raise JobOverError(why, hint=f"See {sync.url}, then run `assetry retry`.")
    for name in keys.keys() - {each["name"] for each in run.told["objects"]} if run else ():
        yield Failed(keys[name], f"Sync {sync.name} of Parcel sends no {name}.", hint=sync.gone)
