"""Airbyte's answers as values, read tolerantly: what is needed must be there, everything else may be missing or new."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from assetry_toolkit import work
from assetry_toolkit.errors import Unavailable
from assetry_toolkit.hosted.answers import moment, table, text, whole
from assetry_toolkit.hosted.fetching import GONE_STATUSES, trouble_of
from assetry_toolkit.hosted.snapshots import Breaks, table_id

#: Jobs that empty all tables of a connection, or some of them.
RESETS = ("reset", "clear")
#: A job that reads some streams anew from their beginning, and syncs the others as ever.
REFRESH = "refresh"
#: The way to sync a stream in which rows are added to those that are there, and none is changed.
APPENDING = "incremental_append"
#: The sync modes by which a sync only adds rows.
ADDING = ("full_refresh_append", APPENDING)
#: The statuses of a connection that can be synced; "" is one that is not known yet.
_USABLE = ("", "active")


class Stream(NamedTuple):
    """One selected stream of a connection, by its name in the source."""

    name: str
    namespace: str | None = None
    sync_mode: str = ""
    cursor: tuple[str, ...] = ()
    primary_key: tuple[str, ...] = ()
    object_name: str | None = None

    @property
    def adds(self) -> bool:
        """Tell whether a sync only adds rows, so that several connections may fill one table."""
        return self.sync_mode in ADDING

    @property
    def reads_all(self) -> bool:
        """Tell whether each sync reads all that the source has."""
        return self.sync_mode.startswith("full_refresh")

    @property
    def overwrites(self) -> bool:
        """Tell whether each sync replaces the table, so that a sync of no rows leaves an empty one."""
        return self.sync_mode == "full_refresh_overwrite"


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection as the API shows it; `reason` says what is wrong with one that cannot be synced."""

    id: str
    name: str
    status: str = "active"
    reason: str | None = None
    workspace: str | None = None
    source: str | None = None
    destination: str | None = None
    namespace_definition: str | None = None
    namespace_format: str | None = None
    prefix: str = ""
    schedule: str | None = None
    tags: tuple[str, ...] = ()
    created: int | float | str | None = None
    streams: tuple[Stream, ...] = ()
    breaks: Breaks = field(default_factory=dict, hash=False)

    @property
    def synced(self) -> None:
        """Return when it was last synced: the API does not tell that with a connection."""

    @property
    def table_ids(self) -> list[str]:
        """Return how its streams are told from one another."""
        return [table_id(each.name, each.namespace) for each in self.streams]

    @property
    def usable(self) -> bool:
        """Tell whether it can be synced."""
        return self.status in _USABLE

    @property
    def trouble(self) -> str | None:
        """Return what is wrong with it, as a sentence would have it; None when nothing is."""
        return trouble_of(self.status, self.reason, _USABLE)

    @property
    def gone(self) -> bool:
        """Tell whether it was deleted: what it has made is made no more."""
        return self.status in GONE_STATUSES


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination: its type, and what its configuration says of where tables go; never its secrets."""

    id: str
    name: str = ""
    type: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Job(work.Job):
    """One job as the API shows it; `rows` and `bytes` are what was committed, None when it does not say."""

    type: str = "sync"
    connection: str | None = None
    started: datetime | None = None
    updated: datetime | None = None
    seconds: float | None = None
    rows: int | None = None
    bytes: int | None = None

    @property
    def began(self) -> datetime | None:
        """Return when it began to read its source: what is there since then it may have missed."""
        if self.started is not None or self.updated is None or self.seconds is None:
            return self.started
        return self.updated - timedelta(seconds=self.seconds)

    @property
    def moved_nothing(self) -> bool:
        """Tell whether it surely moved no rows."""
        return self.rows == 0 or (self.rows is None and self.bytes == 0)


def read_list(body: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list answer; raise `Unavailable` when it is not one.

    >>> read_list({"data": [{"jobId": 1}, None]})
    [{'jobId': 1}]
    """
    found = body.get("data") if isinstance(body, Mapping) else body
    if not isinstance(found, list):
        raise Unavailable("Airbyte answered with something else than the list that was asked for.")
    return [each for each in found if isinstance(each, Mapping)]


def read_job(body: Any) -> Job:
    """Return a job; raise `Unavailable` when the answer has no id or no status, which are all that is needed.

    >>> read_job({"jobId": "7", "status": "running", "rowsSynced": None, "surprise": 1}).id
    7
    """
    given = table(body)
    id_, status = given.get("jobId", given.get("id")), given.get("status")
    if isinstance(id_, bool) or not isinstance(id_, (int, str)) or id_ == "" or not isinstance(status, str):
        raise Unavailable("Airbyte's answer about a job says neither its id nor how it stands.")
    return Job(
        id=whole(id_) if whole(id_) is not None else id_,  # type: ignore[arg-type]
        status=status.lower(),
        # The internal API calls it otherwise.
        type=(text(given.get("jobType", given.get("configType"))) or "sync").lower(),
        connection=text(given.get("connectionId")),
        started=moment(given.get("startTime")),
        updated=moment(given.get("lastUpdatedAt")),
        seconds=seconds(given.get("duration")),
        rows=whole(given.get("rowsSynced")),
        bytes=whole(given.get("bytesSynced")),
    )


def read_jobs(body: Any) -> list[Job]:
    """Return the jobs of a list, those that cannot be read left out, newest first, each once."""
    jobs: dict[int | str, Job] = {}
    for each in read_list(body):
        try:
            job = read_job(each)
        except Unavailable:
            continue
        jobs.setdefault(job.id, job)
    return sorted(jobs.values(), key=lambda job: job.order, reverse=True)


def read_connection(body: Any) -> Connection:
    """Return a connection; raise `Unavailable` when the answer has no id."""
    given = table(body)
    id_ = text(given.get("connectionId"))
    if not id_:
        raise Unavailable("Airbyte's answer about a connection does not say which one it is.")
    streams = table(given.get("configurations")).get("streams")
    return Connection(
        id=id_,
        name=text(given.get("name")) or id_,
        status=(text(given.get("status")) or "active").lower(),
        reason=text(given.get("statusReason")),
        workspace=text(given.get("workspaceId")),
        source=text(given.get("sourceId")),
        destination=text(given.get("destinationId")),
        namespace_definition=text(given.get("namespaceDefinition")),
        namespace_format=text(given.get("namespaceFormat")),
        prefix=text(given.get("prefix")) or "",
        schedule=_schedule(given.get("schedule")),
        tags=tuple(_tags(given.get("tags"))),
        created=given.get("createdAt") if isinstance(given.get("createdAt"), (int, float, str)) else None,
        streams=tuple(_streams(streams)),
    )


def read_destination(body: Any, id_: str) -> Destination:
    """Return a destination, whatever of it can be read; its secrets are left out."""
    given = table(body)
    config = table(given.get("configuration"))
    kept = {name: config[name] for name in PLACES if name in config}
    return Destination(id_, text(given.get("name")) or "", (text(given.get("destinationType")) or "").lower(), kept)


#: What of a destination's configuration says where tables go. Nothing else of it is kept.
PLACES = (
    *("database", "schema", "dataset_id", "project_id", "destination_path", "default_schema", "catalog"),
    *("disable_type_dedupe", "raw_data_schema", "raw_data_dataset", "dataset", "username"),
)


def _streams(given: Any) -> Iterable[Stream]:
    for each in given if isinstance(given, list) else ():
        name = text(each.get("name")) if isinstance(each, Mapping) else None
        if name:
            yield Stream(
                name,
                text(each.get("namespace")),
                text(each.get("syncMode")) or "",
                tuple(_path(each.get("cursorField"))),
                tuple(_path(each.get("primaryKey"))),
                text(each.get("destinationObjectName")),
            )


def _path(given: Any) -> Iterable[str]:
    """Yield the names of a list of fields, each a text or a path.

    >>> list(_path([["id"], ["owner", "name"], "at"]))
    ['id', 'owner.name', 'at']
    """
    for each in given if isinstance(given, list) else ():
        if isinstance(each, str):
            yield each
        elif isinstance(each, list):
            yield ".".join(map(str, each))


def _schedule(given: Any) -> str | None:
    if not isinstance(given, Mapping):
        return None
    told = (given.get("cronExpression"), given.get("basicTiming"), given.get("scheduleType"))
    return next((each for each in told if isinstance(each, str) and each), None)


def _tags(given: Any) -> Iterable[str]:
    for each in given if isinstance(given, list) else ():
        name = each.get("name") if isinstance(each, Mapping) else each
        if isinstance(name, str) and name:
            yield name


_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$")


def seconds(value: Any) -> float | None:
    """Return the seconds of an ISO 8601 duration; None when unreadable.

    >>> seconds("PT1M30S"), seconds("P1DT1H"), seconds(12), seconds("long")
    (90.0, 90000.0, 12.0, None)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    found = _DURATION.match(value) if isinstance(value, str) else None
    if found is None:
        return None
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + rest
