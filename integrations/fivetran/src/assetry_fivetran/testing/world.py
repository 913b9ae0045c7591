"""The world behind the fake server: groups, destinations, connections and their syncs, with Fivetran's rules.

Nothing happens by itself: when something is asked for, all that was due by the clock happens first. So a fake whose
clock is the client's own is as quick as the client waits.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from assetry_toolkit.testing import FakeServer

Outcome = Literal["SUCCESSFUL", "FAILURE", "FAILURE_WITH_TASK", "RESCHEDULED", "CANCELED"]


@dataclass(slots=True)
class FakeSync:
    """One sync: when it began and ended, by the server's clock, and how; `scope` are the tables of a re-sync."""

    connection: str
    began: float
    ended: float | None = None
    outcome: Outcome | None = None
    resync: bool = False
    scope: Mapping[str, Sequence[str]] | None = None

    @property
    def anew(self) -> bool:
        """Tell whether it reads all of the connection anew."""
        return self.resync and self.scope is None


@dataclass(slots=True)
class FakeConnection:
    """One connection; change anything, at any time.

    * `seconds`: how long its syncs take, for `math.inf` until `FakeFivetran.finish`; `start_delay`: how long
      after they were asked for they start; `ignores`: how many requests for a sync are accepted and forgotten.
    * `outcomes`: of its next syncs; when there are none left they succeed. `put_off`: for how many seconds one that
      comes out as ``RESCHEDULED`` is. `retries`: whether Fivetran tries a failed one again, after `retry_delay`.
    * `passes_tests`: whether its set-up tests find nothing wrong; else they leave it broken, until a sync ends well.
      `tested` is how often they were run: by each change that does not say otherwise.
    * `schemas`: its schema configuration, as the API shows it; None when it has none.
    """

    id: str
    name: str
    group: str
    service: str = "salesforce"
    schemas: dict[str, dict[str, Any]] | None = None
    config: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    paused: bool = False
    manual: bool = False
    setup: str = "connected"
    passes_tests: bool = True
    tested: int = 0
    seconds: float = 4.0
    start_delay: float = 0.0
    ignores: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    put_off: float = 600.0
    retries: bool = False
    retry_delay: float = 5.0
    tasks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    table_resync: bool = True
    deleted: bool = False
    succeeded_at: float | None = None
    failed_at: float | None = None
    rescheduled_for: float | None = None
    #: When the next sync starts, and whether it reads everything anew.
    due: tuple[float, bool, Mapping[str, Sequence[str]] | None] | None = None
    syncs: list[FakeSync] = field(default_factory=list)

    def tables(self, schema: str | None = None) -> dict[str, dict[str, Any]]:
        """Return the tables of a schema, the first one unless told, as the API shows them."""
        schemas = self.schemas or {}
        found: dict[str, dict[str, Any]] = schemas[schema or next(iter(schemas))]["tables"]
        return found

    @property
    def current(self) -> FakeSync | None:
        """Return the sync that is under way."""
        return self.syncs[-1] if self.syncs and self.syncs[-1].ended is None else None


class World(FakeServer):
    """The state of a Fivetran account; all methods are safe for threads."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        super().__init__(now)
        self.connections: dict[str, FakeConnection] = {}
        #: By group; the id of a destination need not be that of its group.
        self.destinations: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, str] = {}
        #: Is told of each sync that succeeded, to write what it would have written.
        self.on_sync: Callable[[FakeConnection, FakeSync], None] = lambda _connection, _sync: None
        self._ids = itertools.count(1)

    # -- setting it up -----------------------------------------------------------------------------------------------

    def add_destination(
        self, group: str, service: str = "snowflake", *, status: str = "connected", **config: Any
    ) -> str:
        """Add a group with its destination and return the group's id."""
        with self.lock:
            self.groups[group] = group
            self.destinations[group] = {
                "id": f"destination_{group}",
                "group_id": group,
                "service": service,
                "region": "GCP_US_EAST4",
                "time_zone_offset": "-5",
                "setup_status": status,
                "config": {"password": "******", **config},
            }
            return group

    def add_connection(
        self,
        name: str,
        tables: Sequence[str] | Mapping[str, Sequence[str]] | None = (),
        *,
        group: str = "warehouse",
        prefixed: bool = False,
        **fields: Any,
    ) -> FakeConnection:
        """Add a connection of this name: Fivetran's "schema"; `fields` are those of `FakeConnection`.

        `tables` are names, in a schema called like the connection, or by schema; None when there is no schema
        configuration. `prefixed` is for databases: their schemas have the connection's name before theirs.
        """
        with self.lock:
            if group not in self.groups:
                self.add_destination(group, database="RAW")
            by_schema = tables if tables is None or isinstance(tables, Mapping) else {name.partition(".")[0]: tables}
            made = FakeConnection(
                id=fields.pop("id", None) or f"connection_{next(self._ids)}",
                name=name,
                group=group,
                schemas=None if by_schema is None else {each: schema(each, names) for each, names in by_schema.items()},
                **fields,
            )
            if prefixed:
                made.config.setdefault("schema_prefix", name)
                for each, about in (made.schemas or {}).items():
                    about["name_in_destination"] = f"{name}_{each}"
            self.connections[made.id] = made
            return made

    # -- what happens ------------------------------------------------------------------------------------------------

    def begin(
        self,
        connection: FakeConnection,
        after: float = 0.0,
        *,
        resync: bool = False,
        scope: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Let a sync begin, as Fivetran's own schedule or somebody else would."""
        with self.lock:
            connection.due = (self.now() + after, resync, scope)
            self.advance(connection)

    def finish(self, connection: FakeConnection, outcome: Outcome = "SUCCESSFUL") -> None:
        """End the sync that is under way, now."""
        with self.lock:
            self.advance(connection)
            if connection.current is not None:
                self._end(connection, connection.current, self.now(), outcome)

    def advance(self, of: FakeConnection) -> None:
        """Let happen what is due by the clock."""
        while True:
            now, current = self.now(), of.current
            if current is not None and now >= current.began + of.seconds:
                outcome = of.outcomes.pop(0) if of.outcomes else "SUCCESSFUL"
                self._end(of, current, current.began + of.seconds, outcome)
            elif current is None and of.due is not None and now >= of.due[0] and not of.paused:
                at, resync, scope = of.due
                of.due = of.rescheduled_for = None
                of.syncs.append(FakeSync(of.id, at, resync=resync, scope=scope))
            else:
                return

    def _end(self, of: FakeConnection, sync: FakeSync, at: float, outcome: Outcome) -> None:
        sync.ended, sync.outcome = at, outcome
        if outcome == "SUCCESSFUL":
            of.succeeded_at, of.setup = at, "connected"
            self.on_sync(of, sync)
        elif outcome in ("FAILURE", "FAILURE_WITH_TASK"):
            of.failed_at = at
            if outcome == "FAILURE_WITH_TASK":
                of.setup = "broken"
            if of.retries:
                of.retries, of.due = False, (at + of.retry_delay, False, None)
        elif outcome == "RESCHEDULED":
            of.rescheduled_for = at + of.put_off
            of.due = None if of.manual else (at + of.put_off, False, None)

    # -- how it is shown ---------------------------------------------------------------------------------------------

    def time(self, at: float | None) -> str | None:
        """Return a moment as the API writes it."""
        return None if at is None else self.moment(at).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def connection_json(self, of: FakeConnection) -> dict[str, Any]:
        """Return a connection as the API shows it."""
        self.advance(of)
        state = (
            "syncing" if of.current else "paused" if of.paused else "rescheduled" if of.rescheduled_for else "scheduled"
        )
        told = {
            "id": of.id,
            "group_id": of.group,
            "service": of.service,
            "service_version": 1,
            "schema": of.name,
            "paused": of.paused,
            "pause_after_trial": False,
            "connected_by": "user_1",
            "created_at": self.time(0.0),
            "succeeded_at": self.time(of.succeeded_at),
            "failed_at": self.time(of.failed_at),
            "sync_frequency": 360,
            "schedule_type": "manual" if of.manual else "auto",
            "data_delay_sensitivity": "NORMAL",
            "destination_schema_names": "FIVETRAN_NAMING",
            "config": {"token": "******", **of.config},
            "status": {
                "setup_state": of.setup,
                "schema_status": "ready",
                "sync_state": state,
                "update_state": "on_schedule",
                "is_historical_sync": of.succeeded_at is None or (of.current is not None and of.current.anew),
                "rescheduled_for": self.time(of.rescheduled_for),
                "tasks": [{"code": "reconnect", "message": each, "details": None} for each in of.tasks],
                "warnings": [{"code": "resync_table_warning", "message": each} for each in of.warnings],
                **of.status,
            },
        }
        return {name: value for name, value in {**told, **of.fields}.items() if value is not ...}


def schema(name: str, tables: Sequence[str]) -> dict[str, Any]:
    """Return a schema of a schema configuration.

    >>> schema("crm", ["Orders"])["tables"]["Orders"]["name_in_destination"]
    'orders'
    """
    listed = {
        each: {
            "enabled": True,
            "name_in_destination": each.lower(),
            "sync_mode": "SOFT_DELETE",
            "enabled_patch_settings": {"allowed": True},
            "supports_columns_config": True,
        }
        for each in tables
    }
    return {"name_in_destination": name, "enabled": True, "tables": listed}
