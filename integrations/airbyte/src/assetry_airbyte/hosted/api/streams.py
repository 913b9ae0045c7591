"""What the internal configuration API knows of single streams; the public one knows of jobs only.

It is of use and never needed: where it does not answer, the job's own result is taken for all of its tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assetry_toolkit.errors import ServiceError, Unavailable
from assetry_toolkit.hosted.answers import table

from assetry_airbyte.hosted.api.responses import Job
from assetry_airbyte.hosted.api.service import Service

#: A stream, by namespace and name in the source: names alone are not unique.
StreamId = tuple[str | None, str]

_MOST = 1000


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """How a stream fared in a job: `state` is ``complete``, ``incomplete`` or what Airbyte says; "" is unknown."""

    state: str = ""
    cause: str = ""
    rows: int | None = None
    bytes: int | None = None

    @property
    def failed(self) -> bool:
        """Tell whether it surely was not loaded to its end."""
        return self.state == "incomplete"


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What is known of the streams of a job, and why it failed.

    `refreshed` are those that a refresh has read anew; None where that is not said.
    """

    streams: Mapping[StreamId, StreamFacts]
    failure: str = ""
    refreshed: frozenset[StreamId] | None = None


class Streams:
    """The internal API, as long as it answers."""

    def __init__(self, service: Service, workspace: str | None, wanted: bool = True) -> None:
        self._service = service
        self._workspace = workspace
        #: Whether the API answers here; shared, so that one blocked call per workspace is enough.
        self._state: dict[str, str] = service.share(("internal", workspace), dict)
        self._wanted = wanted

    @property
    def available(self) -> bool:
        """Tell whether it is worth asking."""
        return self._wanted and "closed" not in self._state

    def note(self) -> str | None:
        """Return once, for the first who asks, why there are no results by stream."""
        if not self._wanted or "closed" not in self._state or "told" in self._state:
            return None
        self._state["told"] = ""
        return (
            "Airbyte's configuration API does not answer here, so results are known by job, not by table: "
            f"{self._state['closed']}"
        )

    def of(self, connection: str, job: Job, *, states: bool = True) -> JobFacts | None:
        """Return what is known of the streams of a job; None when that is nothing. `states` asks how each ended."""
        if not self.available:
            return None
        try:
            told = self._service.internal("jobs/get_without_logs", {"id": job.id})
            listed = self._states(connection, job) if states else ()
        except Unavailable:
            return None
        except ServiceError as error:
            self._state["closed"] = error.message
            return None
        return JobFacts(_merged(told, listed), _failure(told), _refreshed(told))

    def _states(self, connection: str, job: Job) -> Iterable[Any]:
        body = {
            "workspaceId": self._workspace,
            "connectionId": connection,
            "jobId": job.id,
            "pagination": {"pageSize": _MOST, "rowOffset": 0},
        }
        listed = table(self._service.internal("stream_statuses/list", body)).get("streamStatuses")
        return listed if isinstance(listed, list) else ()


def _merged(told: Any, listed: Iterable[Any]) -> dict[StreamId, StreamFacts]:
    """Return counts and states together; of several attempts the last one counts."""
    stats = table(table(told).get("job")).get("streamAggregatedStats")
    rows: dict[StreamId, tuple[int | None, int | None]] = {}
    for each in stats if isinstance(stats, list) else ():
        id_ = _id(each)
        if id_ is not None:
            rows[id_] = (_count(each, "recordsCommitted"), _count(each, "bytesCommitted"))
    states: dict[StreamId, tuple[int, str, str]] = {}
    for each in listed:
        id_ = _id(each)
        if id_ is not None:
            attempt = _count(each, "attemptNumber") or 0
            state = str(each.get("runState") or "").lower()
            if attempt >= states.get(id_, (-1, "", ""))[0]:
                states[id_] = (attempt, state, str(each.get("incompleteRunCause") or "").lower())
    found = {}
    for id_ in dict.fromkeys((*rows, *states)):
        _, state, cause = states.get(id_, (0, "", ""))
        found[id_] = StreamFacts(state, cause, *rows.get(id_, (None, None)))
    return found


def _refreshed(told: Any) -> frozenset[StreamId] | None:
    listed = table(table(table(told).get("job")).get("refreshConfig")).get("streamsToRefresh")
    if not isinstance(listed, list):
        return None
    return frozenset(id_ for each in listed if (id_ := _id(each, "name", "namespace")) is not None)


def _id(given: Any, name: str = "streamName", namespace: str = "streamNamespace") -> StreamId | None:
    if not isinstance(given, Mapping) or not isinstance(given.get(name), str):
        return None
    of = given.get(namespace)
    return (of if isinstance(of, str) and of else None, given[name])


def _count(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _failure(told: Any) -> str:
    """Return what the last failed attempt said of its failure."""
    attempts = table(told).get("attempts")
    for each in reversed(attempts if isinstance(attempts, list) else []):
        failures = table(table(table(each).get("attempt")).get("failureSummary")).get("failures")
        for failure in map(table, failures if isinstance(failures, list) else ()):
            told_of = failure.get("externalMessage") or failure.get("internalMessage")
            if isinstance(told_of, str) and told_of:
                return told_of
    return ""
