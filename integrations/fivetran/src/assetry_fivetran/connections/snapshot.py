"""What of Fivetran's connections stands in the snapshot, and how."""

from __future__ import annotations

from typing import Any

from assetry_toolkit.hosted import snapshots

from assetry_fivetran.api.responses import Connection, Destination, Table

Snapshot = snapshots.Snapshot[Connection, Destination]

_KEPT = tuple("id name service group status reason schedule prefix source_naming created note breaks".split())  # noqa: SIM905


def _connection_json(connection: Connection) -> dict[str, Any]:
    """Return a connection as JSON: its schemas stand once each, what a table has in common with most is left out."""
    kept = {name: getattr(connection, name) for name in _KEPT}
    schemas: dict[tuple[str, str], list[Any]] = {}
    for each in connection.tables:
        row: list[Any] = [each.name, each.name_there, each.sync_mode, each.gone]
        while not row[-1]:
            row.pop()
        if row == [each.name, each.name]:
            row.pop()
        schemas.setdefault(each[0:3:2], []).append(row if len(row) > 1 else row[0])
    return {
        **{name: value for name, value in kept.items() if value not in (None, "", False, {})},
        "schemas": [[*names, rows] for names, rows in schemas.items()],
    }


def _connection(given: dict[str, Any]) -> Connection:
    """Return what `_connection_json` wrote; raise `ValueError` or `TypeError` for anything else."""
    tables: list[Table] = []
    for schema, there, rows in given.pop("schemas"):
        for row in rows:
            if isinstance(row, str):
                tables.append(Table(schema, row, there, row))
            else:
                name, *more = row
                tables.append(Table(schema, name, there, *more))
    connection = Connection(**given, tables=tuple(tables))
    kinds = {"id": str, "name": str, "source_naming": bool, "breaks": dict}
    if not all(isinstance(getattr(connection, each), kinds.get(each, str | None)) for each in _KEPT):
        raise TypeError("This is no connection.")
    if not all(type(each.gone) is bool and all(isinstance(name, str) for name in each[:5]) for each in tables):
        raise TypeError("This is no table.")
    return connection


#: Reads and writes the snapshots of Fivetran.
SNAPSHOTS: snapshots.SnapshotFile[Connection, Destination] = snapshots.SnapshotFile(
    version=1,
    connection=_connection,
    connection_json=_connection_json,
    destination=Destination,
    destination_id="group",
)
