"""Assets from connections: one per enabled table, or per table that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assetry.plugin import Asset, AssetKey, DefinitionError, Integration, Relation
from assetry_toolkit.hosted.assets import ConnectionAssets
from assetry_toolkit.hosted.keys import key_part, slug, slugs
from assetry_toolkit.hosted.tables import Override, TakenTables, asked_place, find_table, find_tables

from assetry_fivetran.api.responses import Connection, Destination, Table
from assetry_fivetran.connections.definitions import DEFINITIONS, known
from assetry_fivetran.connections.naming import Tables
from assetry_fivetran.connections.snapshot import Snapshot
from assetry_fivetran.settings import Options

KIND = "fivetran"
PAGE = "https://fivetran.com/dashboard/connections/{id}/status"

#: Return the table that one really is: (connection, table, what the rules say) -> Relation, a tuple of three, or None.
RelationOf = Callable[[Connection, Table, Relation | None], Any]


def load(integration: Integration, relation: RelationOf | None = None) -> list[Asset]:
    """Return the assets of an integration, from its snapshot; it is read from the API first when there is none.

    Raises `DefinitionError` for wrong options, when a table is asked for that is not there, or when there is no
    connection; `IntegrationError` when the API does not know what is asked of it.
    """
    options = Options.of(integration)
    return assets_of(integration, options, known(options), relation)


def assets_of(
    integration: Integration, options: Options, snapshot: Snapshot, relation: RelationOf | None = None
) -> list[Asset]:
    """Return the assets of what a snapshot says."""
    if not snapshot.connections:
        raise DefinitionError(
            f"Fivetran has no connection in {f'group {options.group_id}' if options.group_id else 'this account'}.",
            where=f"integration {options.name!r}",
            hint="Make one in Fivetran, then `assetry fivetran pull`.",
        )
    places = snapshot.destinations.values()
    there = [] if any(each.service == "unknown" for each in places) else [(each.group, each.service) for each in places]
    Override.check(options.destinations, there, options.name)
    connections = DEFINITIONS.there(snapshot)
    maker = _Maker(options, integration, snapshot, relation)
    if options.destination_tables:
        return maker.named(connections)
    parts: Mapping[str, str] = {}
    if options.connection_id is None:
        oldest = sorted(connections, key=lambda each: (each.gone, each.created or "", each.id))
        parts = slugs((each.id, each.name) for each in oldest)
    return [asset for each in connections for asset in maker.tables(each, parts.get(each.id))]


@dataclass(slots=True)
class _Maker:
    options: Options
    integration: Integration
    snapshot: Snapshot
    relation: RelationOf | None
    _taken: TakenTables[tuple[Connection, Table]] = field(default_factory=TakenTables)

    def tables(self, connection: Connection, part: str | None) -> list[Asset]:
        """Return an asset for each table of a connection, one for all of it where no table is known."""
        shared = self._shared(connection)
        base = "/".join(key_part(each) for each in (self.integration.name, part) if each)
        if not connection.tables:
            shared.common.resource_type = "connection"
            shared.common.description = connection.note or ""
            return [shared.common.asset(AssetKey(base if part else f"{base}/{slug(connection.name)}"), None, {})]
        own = connection.name.partition(".")[0]
        places: dict[str, str] = {}
        found = []
        for table in connection.tables:
            place = places.get(table.schema_there)
            if place is None:
                schema = shared.tables.schema_of(table)
                place = places[table.schema_there] = base if schema == own else f"{base}/{key_part(schema)}"
            # Not through AssetKey(…), which would look at each of the parts again.
            found.append(self._asset(str.__new__(AssetKey, f"{place}/{key_part(table.name_there)}"), table, shared))
        self._take_tables(shared, connection.tables, found)
        return found

    def named(self, connections: Sequence[Connection]) -> list[Asset]:
        """Return an asset for each table that the options name, keyed by the name as it was written."""
        found = []
        shared = {each.id: self._shared(each) for each in connections}
        candidates = [
            ((each, table), self._names(table, shared[each.id])) for each in connections for table in each.tables
        ]
        one = connections[0]
        of = f"connection {one.name!r}" if len(connections) == 1 else "any of these connections"

        def find(wanted: str) -> tuple[Any, tuple[Connection, Table]]:
            if not candidates and len(connections) == 1:
                # A connection whose tables are not known yet: the table is taken at its word.
                schema, _, name = wanted.rpartition(".")
                return wanted, (one, Table(schema, name, schema, name))
            pair = find_table(wanted, candidates, of, self.options.name, KIND)
            return (pair[0].id, *pair[1][:2]), pair

        for key, (connection, table) in find_tables(self.options.destination_tables, find, self.options.name):
            found.append(self._asset(key, table, shared[connection.id]))
            self._take_tables(shared[connection.id], [table], found[-1:])
        return found

    def _names(self, table: Table, shared: _Shared) -> list[str]:
        """Return by what a table may be asked for: its name, with its schema, and the source's names."""
        names = [table.name_there, table.name, f"{table.schema}.{table.name}", f"{table.schema_there}.{table.name}"]
        names += [f"{table.schema_there}.{table.name_there}", f"{shared.tables.schema_of(table)}.{table.name_there}"]
        return list(dict.fromkeys(names))

    # -- one asset ---------------------------------------------------------------------------------------------------

    def _shared(self, connection: Connection) -> _Shared:
        """Return what is the same for all tables of a connection."""
        destination = self.snapshot.destinations.get(connection.group or "") or Destination("")
        override = Override.among(self.options.destinations, connection.group, destination.service)
        metadata: dict[str, Any] = {"connection": connection.name, "connection_id": connection.id}
        told = {
            "service": connection.service,
            "destination": destination.service,
            "schedule": connection.schedule,
            "note": connection.note,
            "definitions_read": "" if self.snapshot.imagined else self.snapshot.at.isoformat(),
            "url": PAGE.format(id=connection.id),
        }
        spec = {"connection": connection.id, "name": connection.name, "tables": len(connection.tables)}
        common = ConnectionAssets(
            integration=self.integration,
            group=connection.name,
            spec={**spec, "unverified": True} if self.snapshot.imagined or connection.note else spec,
            metadata={**metadata, **told},
            deps=self.options.deps,
            gone=connection.gone,
            trouble=connection.trouble,
            breaks=connection.breaks,
            tell=_manner,
        )
        return _Shared(connection, Tables(connection, destination, override), common)

    def _asset(self, key: AssetKey, table: Table, shared: _Shared) -> Asset:
        found = shared.tables.of(table) if table.schema_there else Relation(None, None, table.name)
        found = asked_place(self.relation, shared.connection, table, found)
        return shared.common.asset(key, found, {"schema": table.schema, "table": table.name}, table[4:])

    def _take_tables(self, shared: _Shared, tables: Sequence[Table], assets: Sequence[Asset]) -> None:
        """Note what is loaded into which table; raise `DefinitionError` where one would overwrite another."""
        group = None if shared.connection.gone else shared.connection.group
        folds_case = shared.tables.folds_case
        twice = self._taken.fill(shared.connection, group, tables, assets, folds_case=folds_case)
        if twice is not None:
            (*_, schema, name), (one, table), (other, its) = twice
            raise DefinitionError(
                f"Two tables fill one, {schema}.{name}: {_told(table)} of connection {one.id} ({one.name!r}) and "
                f"{_told(its)} of connection {other.id} ({other.name!r}).",
                where=f"integration {self.options.name!r}",
                hint="Block one of them in Fivetran, then `assetry fivetran pull`; or define one of them only "
                "(destination_tables, names). Where these are two tables, say which, or that it is not known "
                f'(join = false): [integrations.{self.options.name}.destinations."{group}"].',
            )


def _told(table: Table) -> str:
    return repr(f"{table.schema}.{table.name}")


class _Shared(NamedTuple):
    connection: Connection
    tables: Tables
    common: ConnectionAssets


def _manner(manner: tuple[str, bool]) -> dict[str, Any]:
    """Return what is told of a table by how it is synced."""
    sync_mode, gone = manner
    return {"sync_mode": sync_mode.lower(), "gone": gone and "the source has this table no more"}
