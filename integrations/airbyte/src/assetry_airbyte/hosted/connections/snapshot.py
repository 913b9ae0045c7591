"""What of Airbyte's connections stands in the snapshot, and how."""

from __future__ import annotations

from typing import Any

from assetry_toolkit.hosted import snapshots

from assetry_airbyte.hosted.api.responses import Connection, Destination, Stream

Snapshot = snapshots.Snapshot[Connection, Destination]

#: What of a connection is kept as it is; its streams are kept as lists, the most compact form.
_KEPT = (
    *("id", "name", "status", "reason", "workspace", "source", "destination", "namespace_definition"),
    *("namespace_format", "prefix", "schedule", "created", "breaks"),
)


def _connection_json(connection: Connection) -> dict[str, Any]:
    kept = {name: getattr(connection, name) for name in _KEPT}
    return {
        **{name: value for name, value in kept.items() if value not in (None, "", {})},
        "tags": list(connection.tags),
        **_streams_json(connection.streams),
    }


def _streams_json(streams: tuple[Stream, ...]) -> dict[str, Any]:
    """Return streams as rows; how they are synced is the same for most, and stands once."""
    manners: dict[tuple[Any, ...], int] = {}
    rows = [[each.name, each.namespace, manners.setdefault(each[2:], len(manners))] for each in streams]
    return {"manners": [list(each) for each in manners], "streams": rows}


def _connection(given: dict[str, Any]) -> Connection:
    manners = [(mode, tuple(cursor), tuple(key), name) for mode, cursor, key, name in given.pop("manners")]
    given["tags"] = tuple(given["tags"])
    given["streams"] = tuple(
        [Stream(name, namespace, *manners[manner]) for name, namespace, manner in given["streams"]]
    )
    return Connection(**given)


#: Reads and writes the snapshots of Airbyte.
SNAPSHOTS: snapshots.SnapshotFile[Connection, Destination] = snapshots.SnapshotFile(
    version=1,
    connection=_connection,
    connection_json=_connection_json,
    destination=Destination,
)
