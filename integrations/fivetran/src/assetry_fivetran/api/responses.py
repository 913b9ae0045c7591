"""Fivetran's answers as values, read tolerantly: what is needed must be there, all else may be missing or new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from assetry_toolkit.errors import Unavailable
from assetry_toolkit.hosted.answers import moment, table, text
from assetry_toolkit.hosted.fetching import few, trouble_of
from assetry_toolkit.hosted.snapshots import Breaks, table_id

#: What of a destination's configuration says where tables go. Nothing else of it is kept.
PLACES = ("database", "project_id", "catalog")

#: Why a connection has no tables.
NO_TABLES = "Fivetran knows its tables after its first sync; then `assetry fivetran pull`."

#: Before any moment: a sync that never ended.
NEVER = datetime.min.replace(tzinfo=UTC)


class Table(NamedTuple):
    """One enabled table of a connection: its schema and name at the source, and in the destination.

    `sync_mode` is ``SOFT_DELETE``, ``HISTORY``, ``LIVE`` or ""; `gone` says that the source has it no more.
    """

    schema: str
    name: str
    schema_there: str
    name_there: str
    sync_mode: str = ""
    gone: bool = False

    @property
    def id(self) -> str:
        """Return how it is told from other tables of its connection."""
        return table_id(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection as it was read; `reason` says what is wrong with it, `note` why its tables are not known.

    `name` is Fivetran's "schema": the connection's name, and that of its schema in the destination or the prefix of
    its schemas, which is `prefix` where the configuration says so. `breaks` are as `breaks_of` has them, `synced` is
    when it was last synced, where it was just read.
    """

    id: str
    name: str
    service: str = ""
    group: str | None = None
    status: str = "connected"
    reason: str | None = None
    schedule: str | None = None
    prefix: str | None = None
    source_naming: bool = False
    created: str | None = None
    note: str | None = None
    tables: tuple[Table, ...] = ()
    breaks: Breaks = field(default_factory=dict, hash=False)
    synced: datetime | None = None

    @property
    def gone(self) -> bool:
        """Tell whether it is there no more; a broken or paused one may be well again when it is to be synced."""
        return self.status == "deleted"

    @property
    def table_ids(self) -> list[str] | None:
        """Return the ids of its tables; None where they are not known."""
        return None if self.note == NO_TABLES else [each.id for each in self.tables]

    @property
    def trouble(self) -> str | None:
        """Return what is wrong with it, as a sentence would have it; None when nothing is."""
        off = self.breaks and few(each.name_there for each in self.tables if self.breaks.get(each.id, ()) is None)
        lost = f"without {off}, which it syncs no more" if off else None
        return "; ".join(filter(None, (trouble_of(self.status, self.reason, ("connected",)), lost))) or None


@dataclass(frozen=True, slots=True)
class Destination:
    """What a group's destination is: the service, and what its configuration says of where tables go."""

    group: str
    service: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    incomplete: bool = False


class Mark(NamedTuple):
    """When a connection's last syncs ended, by the server's clock."""

    succeeded: datetime = NEVER
    failed: datetime = NEVER

    def json(self) -> list[str | None]:
        """Return the moments as JSON.

        >>> Mark.of(Mark().json()) == Mark()
        True
        """
        return [None if each == NEVER else each.isoformat() for each in self]

    @classmethod
    def of(cls, given: Any) -> Mark:
        """Return what `json` returned; what cannot be read is no moment."""
        return cls(*(moment(each) or NEVER for each in given)) if isinstance(given, list) and len(given) == 2 else cls()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a connection stands at a moment, as far as the API tells."""

    id: str
    name: str
    mark: Mark = field(default_factory=Mark)
    state: str = "scheduled"
    setup: str = "connected"
    paused: bool = False
    manual: bool = False
    historical: bool = False
    rescheduled_for: datetime | None = None
    tasks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def syncing(self) -> bool:
        """Tell whether a sync is under way; a state that is new to us counts as one."""
        return self.state not in ("scheduled", "paused", "rescheduled", "")

    @property
    def status(self) -> str:
        """Return all that is wrong with it: ``paused and broken``; ``connected`` when nothing is.

        >>> Standing("c", "crm", paused=True, setup="broken").status
        'paused and broken'
        """
        return joined("paused" if self.paused else "connected", self.setup)

    @property
    def reason(self) -> str | None:
        """Return why it cannot be synced, where Fivetran says more than that it is paused."""
        return "; ".join(self.tasks) or None if self.setup != "connected" else None


def joined(*statuses: str) -> str:
    """Return the status of a connection of which all of these are true, each but once."""
    words = dict.fromkeys(word for each in statuses for word in each.split(" and ") if word != "connected")
    return " and ".join(words) or "connected"


def data_of(body: Any, what: str) -> Mapping[str, Any]:
    """Return what an answer is about; raise `Unavailable` when it holds nothing."""
    data = table(body).get("data")
    if not isinstance(data, Mapping):
        raise Unavailable(f"Fivetran's answer about {what} holds no data.")
    return data


def connection_of(given: Mapping[str, Any]) -> Connection:
    """Return a connection without its tables; raise `Unavailable` when the answer has no id.

    >>> connection_of({"id": "c", "schema": "crm", "paused": True, "status": None, "surprise": 1}).trouble
    'paused'
    """
    now = standing_of(given)
    return Connection(
        id=now.id,
        name=now.name,
        service=text(given.get("service")) or "",
        group=text(given.get("group_id")),
        status=now.status,
        reason=now.reason,
        schedule=_schedule(given),
        prefix=text(table(given.get("config")).get("schema_prefix")),
        source_naming=given.get("destination_schema_names") == "SOURCE_NAMING",
        created=text(given.get("created_at")),
        synced=moment(given.get("succeeded_at")),
    )


def standing_of(given: Mapping[str, Any]) -> Standing:
    """Return how a connection stands; raise `Unavailable` when the answer has no id.

    >>> standing_of({"id": "c", "status": {"sync_state": "syncing"}}).syncing
    True
    """
    id_, status = text(given.get("id")), table(given.get("status"))
    if id_ is None:
        raise Unavailable("Fivetran's answer about a connection does not say which one it is.")
    return Standing(
        id=id_,
        name=text(given.get("schema")) or id_,
        mark=Mark(moment(given.get("succeeded_at")) or NEVER, moment(given.get("failed_at")) or NEVER),
        state=(text(status.get("sync_state")) or "").lower(),
        setup=(text(status.get("setup_state")) or "connected").lower(),
        paused=given.get("paused") is True,
        manual=given.get("schedule_type") == "manual",
        historical=status.get("is_historical_sync") is True,
        rescheduled_for=moment(status.get("rescheduled_for")),
        tasks=tuple(_messages(status.get("tasks"))),
        warnings=tuple(_messages(status.get("warnings"))),
    )


def tables_of(given: Mapping[str, Any]) -> tuple[Table, ...]:
    """Return the enabled tables of a schema configuration; names are taken as they are, whatever is in them.

    Raises `Unavailable` for schemas that are none, such as null: that does not say that there are no tables.

    >>> tables_of({"schemas": {"Sales.EU": {"enabled": True, "name_in_destination": "sales_eu", "tables": {
    ...     "Order.Lines": {"enabled": True, "name_in_destination": "order_lines"}, "x": {"enabled": False}}}}})
    (Table(schema='Sales.EU', name='Order.Lines', schema_there='sales_eu', name_there='order_lines', ...),)
    """
    schemas = given.get("schemas")
    if not isinstance(schemas, Mapping):
        raise Unavailable("Fivetran's answer about the tables of a connection cannot be read.")
    return tuple(_tables(schemas))


def _tables(schemas: Mapping[str, Any]) -> Iterable[Table]:
    for schema, about in schemas.items():
        if table(about).get("enabled") is not True:
            continue
        schema_there = text(about.get("name_in_destination")) or schema
        for name, one in table(about.get("tables")).items():
            if table(one).get("enabled") is True:
                there = text(one.get("name_in_destination")) or name
                gone = table(one.get("enabled_patch_settings")).get("reason_code") == "DELETED"
                yield Table(schema, name, schema_there, there, text(one.get("sync_mode")) or "", gone)


def destination_of(given: Mapping[str, Any]) -> Destination:
    """Return a destination, whatever of it can be read; its secrets are left out.

    >>> destination_of({"id": "d", "group_id": "g", "service": "snowflake", "config": {"database": "RAW"}}).group
    'g'
    """
    config = table(given.get("config"))
    return Destination(
        group=text(given.get("group_id")) or text(given.get("id")) or "",
        service=(text(given.get("service")) or "").lower(),
        config={name: config[name] for name in PLACES if text(config.get(name))},
        incomplete=(text(given.get("setup_status")) or "").lower() == "incomplete",
    )


def _messages(given: Any) -> Iterable[str]:
    for each in given if isinstance(given, list) else ():
        told = text(table(each).get("message")) or text(table(each).get("code"))
        if told:
            yield told.strip().rstrip(".")


def _schedule(given: Mapping[str, Any]) -> str | None:
    if given.get("schedule_type") == "manual":
        return "manual"
    minutes = given.get("sync_frequency")
    if not isinstance(minutes, int) or isinstance(minutes, bool):
        return None
    at = text(given.get("daily_sync_time"))
    return f"daily at {at}" if minutes == 1440 and at else f"every {minutes} minutes"
