"""The world behind the fake server: workspaces, connections, destinations and jobs, with Airbyte's rules."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assetry_toolkit.testing import FakeServer, Refusal, Seen

from assetry_airbyte.testing.destinations import configuration

TERMINAL = ("succeeded", "failed", "cancelled")


class Problem(Refusal):
    """An error that is answered, as application/problem+json."""

    def __init__(self, status: int, title: str, message: str) -> None:
        about = {"type": f"https://reference.airbyte.com/reference/errors#{title}", "title": title, "status": status}
        super().__init__(status, {**about, "detail": message, "data": {"message": message}})


@dataclass(slots=True)
class FakeJob:
    """One job; `script` holds the states still to come, one for each look at it."""

    id: int
    connection: str
    type: str = "sync"
    status: str = "running"
    script: list[str] = field(default_factory=list)
    created: float = 0.0
    updated: float = 0.0
    #: Rows by stream that are committed when it ends.
    rows: dict[str, int] = field(default_factory=dict)
    #: States by stream, for those that differ from what the job's own state says.
    streams: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    #: The streams that a refresh reads anew, by namespace and name, and how.
    refreshed: dict[tuple[str | None, str], str] = field(default_factory=dict)
    #: The moment at which it succeeds by itself, instead of by looks.
    until: float | None = None

    @property
    def terminal(self) -> bool:
        """Tell whether it has ended."""
        return self.status in TERMINAL


@dataclass(slots=True)
class FakeConnection:
    """One connection; change anything, at any time.

    `script` are the states of its next jobs, one for each look; `seconds` lets them end by the clock instead.
    """

    id: str
    name: str
    workspace: str
    source: str
    destination: str
    streams: list[dict[str, Any]]
    fields: dict[str, Any] = field(default_factory=dict)
    script: list[str] = field(default_factory=lambda: ["running", "succeeded"])
    seconds: float | None = None
    rows: dict[str, int] = field(default_factory=dict)
    stream_states: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    deleted: bool = False
    #: Streams that the next sync is to read anew, which makes it a refresh.
    pending: dict[tuple[str | None, str], str] = field(default_factory=dict)


class World(FakeServer):
    """The state of an Airbyte, and its answers about it; all methods are safe for threads."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        super().__init__(now)
        self.workspace = str(uuid.UUID(int=1))
        self.connections: dict[str, FakeConnection] = {}
        self.destinations: dict[str, dict[str, Any]] = {}
        self.jobs: dict[int, FakeJob] = {}
        self.tags: dict[str, str] = {}
        self.internal = True
        self._ids = itertools.count(2)
        self._job_ids = itertools.count(1)

    # -- setting it up -----------------------------------------------------------------------------------------------

    def add_destination(self, kind: str = "postgres", **config: Any) -> str:
        """Add a destination and return its id; what its kind needs beyond `config` is filled in.

        One whose ``refreshes`` are set to False in `destinations` takes none.
        """
        with self.lock:
            id_ = self._id()
            self.destinations[id_] = {"kind": kind, "config": config}
            return id_

    def add_connection(
        self, name: str, streams: Sequence[str | Mapping[str, Any]], *, destination: str | None = None, **fields: Any
    ) -> FakeConnection:
        """Add a connection; a stream is a name, or the fields of the API; `fields` are those of the answer."""
        with self.lock:
            made = FakeConnection(
                id=fields.pop("connectionId", None) or self._id(),
                name=name,
                workspace=fields.pop("workspaceId", self.workspace),
                source=self._id(),
                destination=destination or self.add_destination("postgres", database="db", schema="public"),
                streams=[{"name": each} if isinstance(each, str) else dict(each) for each in streams],
                fields=fields,
            )
            self.connections[made.id] = made
            return made

    def _id(self) -> str:
        return str(uuid.UUID(int=next(self._ids)))

    def start(self, connection: FakeConnection | str, type_: str = "sync", status: str | None = None) -> FakeJob:
        """Start a job, as somebody else would; with `status` it has that state and keeps it."""
        with self.lock:
            of = self.connections[connection] if isinstance(connection, str) else connection
            script = [status] if status else list(of.script)
            if type_ == "sync" and of.pending:
                type_ = "refresh"
            job = FakeJob(
                next(self._job_ids), of.id, type_, script[0], script[1:], self.now(), self.now(), failure=of.failure
            )
            if type_ == "refresh":
                job.refreshed, of.pending = of.pending, {}
            if of.seconds is not None and status is None:
                job.status, job.script, job.until = "running", [], self.now() + of.seconds
            self.jobs[job.id] = job
            if job.terminal:
                self._end(job)
            return job

    def finish(self, job: FakeJob | int, status: str = "succeeded", rows: Mapping[str, int] | None = None) -> None:
        """End a job now."""
        with self.lock:
            ended = self.jobs[job] if isinstance(job, int) else job
            ended.status, ended.script = status, []
            self._end(ended, rows)

    def _end(self, job: FakeJob, rows: Mapping[str, int] | None = None) -> None:
        of = self.connections[job.connection]
        names = [stream["name"] for stream in of.streams]
        given = {**dict.fromkeys(names, 10), **of.rows} if rows is None else dict(rows)
        job.rows = {name: given.get(name, 0) for name in names}
        job.streams = dict(of.stream_states)
        job.updated = self.now()

    def _look(self, job: FakeJob) -> None:
        if job.until is not None and self.now() >= job.until and not job.terminal:
            job.status = "succeeded"
            self._end(job)
        elif job.script and not job.terminal:
            job.status = job.script.pop(0)
            if job.terminal:
                self._end(job)

    # -- the public API ------------------------------------------------------------------------------------------------

    def public_answer(self, seen: Seen) -> Any:
        """Return the JSON of an answer of the public API; raise `Problem`."""
        query = seen.query
        with self.lock:
            for pattern, work in (
                ("GET /health", lambda: "Successful operation"),
                ("GET /workspaces", self._list_workspaces),
                ("GET /connections", lambda: self._list_connections(query)),
                ("GET /connections/(.+)", lambda id_: self._connection_json(self._connection(id_))),
                ("GET /destinations/(.+)", self._destination),
                ("GET /jobs", lambda: self._list_jobs(query)),
                ("POST /jobs", lambda: self._post_job(seen.body)),
                ("GET /jobs/(.+)", self._get_job),
                ("DELETE /jobs/(.+)", self._delete_job),
            ):
                found = re.fullmatch(pattern, str(seen))
                if found:
                    return work(*found.groups())
            raise Problem(404, "resource-not-found", f"There is no {seen}")

    def _list_workspaces(self) -> Any:
        return {"data": [{"workspaceId": self.workspace, "name": "Main", "dataResidency": "us", "notifications": {}}]}

    def _connection(self, id_: str) -> FakeConnection:
        found = self.connections.get(id_)
        if found is None or found.deleted:
            raise Problem(404, "resource-not-found", f"Could not find connection {id_}")
        return found

    def _list_connections(self, query: Mapping[str, str]) -> Any:
        wanted = query.get("workspaceIds")
        found = [each for each in self.connections.values() if not each.deleted and wanted in (None, each.workspace)]
        return _page([self._connection_json(each) for each in found], query)

    def _connection_json(self, of: FakeConnection) -> dict[str, Any]:
        tags = [
            {
                "tagId": str(uuid.uuid5(uuid.NAMESPACE_DNS, each)),
                "name": each,
                "color": "FBECB1",
                "workspaceId": of.workspace,
            }
            for each in of.fields.get("tags", ())
        ]
        told = {
            "connectionId": of.id,
            "name": of.name,
            "sourceId": of.source,
            "destinationId": of.destination,
            "workspaceId": of.workspace,
            "status": "active",
            "schedule": {"scheduleType": "manual"},
            "dataResidency": "us",
            "nonBreakingSchemaUpdatesBehavior": "ignore",
            "namespaceDefinition": "source",
            "createdAt": 1700000000,
            **of.fields,
            "tags": tags,
            "configurations": {
                "streams": [_given({"syncMode": "full_refresh_overwrite", **each}) for each in of.streams]
            },
        }
        return _given(told)

    def _destination(self, id_: str) -> Any:
        found = self.destinations.get(id_)
        if found is None:
            raise Problem(404, "resource-not-found", f"Could not find destination {id_}")
        return {
            "destinationId": id_,
            "name": found["kind"].title(),
            "destinationType": found["kind"],
            "definitionId": str(uuid.uuid5(uuid.NAMESPACE_DNS, found["kind"])),
            "workspaceId": self.workspace,
            "createdAt": 1700000000,
            "configuration": configuration(found["kind"], found["config"]),
        }

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def _list_jobs(self, query: Mapping[str, str]) -> Any:
        found = list(self.jobs.values())
        if "connectionId" in query:
            found = [job for job in found if job.connection == query["connectionId"]]
        if "workspaceIds" in query:
            found = [job for job in found if self.connections[job.connection].workspace == query["workspaceIds"]]
            for job in found:
                self._look(job)
        if "status" in query:
            found = [job for job in found if job.status == query["status"]]
        if "jobType" in query:
            found = [job for job in found if job.type == query["jobType"]]
        # Unless asked otherwise the oldest come first.
        order, _, direction = query.get("orderBy", "createdAt|ASC").partition("|")
        found.sort(key=lambda job: (job.updated if order == "updatedAt" else job.created, job.id))
        if direction == "DESC":
            found.reverse()
        return _page([self._job_json(job) for job in found], query)

    def _job(self, id_: str) -> FakeJob:
        found = self.jobs.get(int(id_)) if id_.isdecimal() else None
        if found is None:
            raise Problem(404, "resource-not-found", f"Could not find job with id: {id_}")
        return found

    def _get_job(self, id_: str) -> Any:
        job = self._job(id_)
        self._look(job)
        return self._job_json(job)

    def _post_job(self, body: Any) -> Any:
        of = self._connection(str(body["connectionId"]))
        type_ = body.get("jobType", "sync")
        if type_ == "refresh":
            raise Problem(422, "unprocessable-entity", "Refreshes are not supported in the public API")
        if of.fields.get("status", "active") != "active":
            raise Problem(409, "state-conflict", "Could not fulfill request")
        for job in self.jobs.values():
            if job.connection != of.id or job.terminal:
                continue
            if job.status in ("pending", "queued") and job.type == type_:
                return self._job_json(job)
            raise Problem(409, "try-again-later", f"A sync is already running for: {of.id}")
        return self._job_json(self.start(of, type_))

    def _delete_job(self, id_: str) -> Any:
        job = self._job(id_)
        if job.terminal:
            raise Problem(409, "state-conflict", "Job is not currently running")
        job.status, job.script, job.until = "cancelled", [], None
        job.updated = self.now()
        return self._job_json(job)

    def _job_json(self, job: FakeJob) -> dict[str, Any]:
        told: dict[str, Any] = {
            "jobId": job.id,
            "status": job.status,
            "jobType": job.type,
            "startTime": self._time(job.created),
            "connectionId": job.connection,
        }
        if job.terminal:
            told["lastUpdatedAt"] = self._time(job.updated)
            told["duration"] = f"PT{job.updated - job.created:.0f}S"
            told["rowsSynced"] = sum(job.rows.values())
            told["bytesSynced"] = 100 * told["rowsSynced"]
        return told

    def _time(self, at: float) -> str:
        return self.moment(at).strftime("%Y-%m-%dT%H:%M:%SZ")

    # -- the internal API ----------------------------------------------------------------------------------------------

    def internal_answer(self, path: str, body: Any) -> Any:
        """Return the JSON of an answer of the configuration API."""
        with self.lock:
            if not self.internal:
                raise Problem(403, "forbidden", "The configuration API is not open to applications")
            if path == "/jobs/get_without_logs":
                return self._job_details(self._job(str(body["id"])))
            if path == "/actor_definition_versions/get_for_destination":
                found = self._destination(str(body["destinationId"]))
                takes = self.destinations[found["destinationId"]].get("refreshes", True)
                name = f"airbyte/destination-{found['destinationType']}"
                return {"dockerRepository": name, "dockerImageTag": "1.0.0", "supportsRefreshes": takes}
            if path == "/connections/refresh":
                return self._refresh(self._connection(str(body["connectionId"])), body)
            if path == "/stream_statuses/list":
                return self._stream_statuses(self._job(str(body["jobId"])))
            raise Problem(404, "not-found", f"There is no {path}")

    def _refresh(self, of: FakeConnection, body: Any) -> Any:
        """Start a refresh; where a job is under way it is left to the next one, and no job is named."""
        if body["refreshMode"] not in ("Truncate", "Merge"):
            raise Problem(422, "invalid-input", f"Unexpected value '{body['refreshMode']}'")
        if not self.destinations[of.destination].get("refreshes", True):
            return {"job": None}
        asked = [(each.get("streamNamespace"), each["streamName"]) for each in body.get("streams") or ()]
        asked = asked or [(each.get("namespace"), each["name"]) for each in of.streams]
        of.pending = {**dict.fromkeys(asked, body["refreshMode"]), **of.pending}
        busy = any(job.connection == of.id and not job.terminal for job in self.jobs.values())
        if busy or of.fields.get("status", "active") != "active":
            return {"job": None}
        job = self.start(of, "refresh")
        told = {"id": job.id, "configType": "refresh", "configId": of.id, "status": job.status}
        return {"job": {**told, "createdAt": int(job.created), "updatedAt": int(job.updated)}}

    def _namespaces(self, job: FakeJob) -> list[tuple[str | None, str]]:
        return [(each.get("namespace"), each["name"]) for each in self.connections[job.connection].streams]

    def _job_details(self, job: FakeJob) -> Any:
        stats = [
            {
                "streamName": name,
                "streamNamespace": namespace,
                "recordsCommitted": job.rows.get(name, 0),
                "bytesCommitted": 100 * job.rows.get(name, 0),
            }
            for namespace, name in self._namespaces(job)
        ]
        failures = [{"externalMessage": job.failure}] if job.failure else []
        attempt = {"attempt": {"id": 0, "status": job.status, "failureSummary": {"failures": failures}}}
        told: dict[str, Any] = {"id": job.id, "configType": job.type, "streamAggregatedStats": stats}
        if job.type == "refresh":
            named = [_given({"name": name, "namespace": namespace}) for namespace, name in job.refreshed]
            told["refreshConfig"] = {"streamsToRefresh": named}
        return {"job": told, "attempts": [attempt]}

    def _stream_statuses(self, job: FakeJob) -> Any:
        state = "COMPLETE" if job.status == "succeeded" else "INCOMPLETE"
        return {
            "streamStatuses": [
                {
                    "streamName": name,
                    "streamNamespace": namespace,
                    "jobId": job.id,
                    "attemptNumber": 0,
                    "runState": job.streams.get(name, state),
                    "incompleteRunCause": "FAILED" if job.streams.get(name, state) == "INCOMPLETE" else None,
                }
                for namespace, name in self._namespaces(job)
            ]
        }


def _given(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without what there is none of, as Airbyte answers."""
    return {name: value for name, value in told.items() if value is not None}


def _page(found: list[dict[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    limit, offset = min(int(query.get("limit", 20)), 100), int(query.get("offset", 0))
    page = found[offset : offset + limit]
    # As at Airbyte's: of the host that the server was configured with, and there as long as a page has anything.
    following = f"https://airbyte.internal/api/public/v1/?offset={offset + limit}" if page else ""
    return {"data": page, "previous": "", "next": following}
