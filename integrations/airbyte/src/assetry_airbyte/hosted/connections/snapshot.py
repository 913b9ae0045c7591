"""The snapshot: what was read from Airbyte's API, in one file beside the project's records.

It is all that is needed to define the assets, so that a project loads in milliseconds, without a network, and the
same for everybody who has the file. It holds names and places, never a secret. `assetry airbyte pull` makes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assetry_toolkit.files import write_whole

from assetry_airbyte.hosted.api.responses import Connection, Destination, Stream, moment

VERSION = 1

#: What of a connection is kept as it is; its streams are kept as lists, the most compact form.
_KEPT = (
    *("id", "name", "status", "reason", "workspace", "source", "destination", "namespace_definition"),
    *("namespace_format", "prefix", "schedule", "created"),
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read: when (UTC), what was asked for, the connections, and their destinations by id."""

    at: datetime
    asked: Mapping[str, Any] = field(default_factory=dict)
    connections: tuple[Connection, ...] = ()
    destinations: Mapping[str, Destination] = field(default_factory=dict)

    @property
    def imagined(self) -> bool:
        """Tell whether nothing was read yet: there is only what the options say."""
        return self.at.timestamp() == 0

    def answers(self, asked: Mapping[str, Any]) -> bool:
        """Tell whether this was read for the same options."""
        return dict(self.asked) == dict(asked)


def read_snapshot(path: Path) -> Snapshot | None:
    """Return the snapshot in a file; None when there is none, or none that can be understood: it can be made anew."""
    try:
        given = json.loads(path.read_bytes())
        if given["version"] != VERSION:
            return None
        return Snapshot(
            at=moment(given["at"]) or datetime.fromtimestamp(0, UTC),
            asked=given["asked"],
            connections=tuple(map(_connection, given["connections"])),
            destinations={each["id"]: Destination(**each) for each in given["destinations"]},
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot; readers see the old one or the new one, never a part."""
    document = {
        "version": VERSION,
        "at": snapshot.at.isoformat(timespec="seconds"),
        "asked": dict(snapshot.asked),
        "destinations": [
            {"id": each.id, "name": each.name, "type": each.type, "config": dict(each.config)}
            for each in snapshot.destinations.values()
        ],
        "connections": [_written(each) for each in snapshot.connections],
    }
    # One connection to a line: differences are readable where the file is under version control.
    write_whole(path, _lines(document))


def _lines(document: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in document.items() if name != "connections"}
    head = json.dumps(rest, ensure_ascii=False)[:-1]
    rows = ",\n".join(json.dumps(each, ensure_ascii=False) for each in document["connections"])
    return f'{head}, "connections": [\n{rows}\n]}}\n'


def _written(connection: Connection) -> dict[str, Any]:
    kept = {name: getattr(connection, name) for name in _KEPT}
    return {
        **{name: value for name, value in kept.items() if value not in (None, "")},
        "tags": list(connection.tags),
        **_streams_written(connection.streams),
    }


def _streams_written(streams: tuple[Stream, ...]) -> dict[str, Any]:
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
