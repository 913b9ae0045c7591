"""Reading definitions from the API: connections, their streams, and where their destinations put tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from assetry.plugin import IntegrationError
from assetry_toolkit.errors import Refused, Unavailable
from assetry_toolkit.hosted.fetching import Definitions, Reading, no_such, together

from assetry_airbyte.hosted.api.responses import Connection, Destination, read_connection
from assetry_airbyte.hosted.api.service import Service, service_for
from assetry_airbyte.hosted.connections.snapshot import SNAPSHOTS, Snapshot
from assetry_airbyte.hosted.settings import Options


def _connections(service: Service, options: Options, before: Snapshot | None) -> list[Connection]:
    earlier = before.connections if before is not None else ()
    reading = Reading(earlier)
    if options.connection_id is not None or options.ids:
        wanted = options.ids if options.connection_id is None else (options.connection_id, *options.ids)
        return reading.named(wanted, service.connection, lambda id_, error: _no_such(service, options, id_, error))
    listed = service.connections(options.workspace_id)

    def by_id(id_: str) -> Connection | None:
        """Return a connection that the list left out, if it is one of those that are asked for."""
        found = service.connection(id_)
        return found if options.workspace_id in (None, found.workspace) else None

    return reading.listed(
        [(str(each["connectionId"]), each) for each in listed if each.get("connectionId")],
        lambda given: _read(service, given),
        lambda given, error: Connection(
            str(given["connectionId"]), str(given.get("name") or given["connectionId"]), "broken", error.message
        ),
        by_id,
    )


def _no_such(service: Service, options: Options, id_: str, error: Refused) -> IntegrationError:
    there: list[Mapping[str, Any]] = []
    with suppress(Refused, Unavailable):  # credentials may see single ones only
        there = service.connections(None)
    named = [(str(each.get("connectionId")), str(each.get("name"))) for each in there]
    where = f"in the connection's URL of {service.address.public}"
    hint = f"The id stands {where}; reading it needs the role workspace reader."
    return no_such("connection", id_, error, named, hint, "ids" if id_ in options.ids else None)


def _read(service: Service, given: Mapping[str, Any]) -> Connection:
    """Return a connection that was listed."""
    if isinstance(given.get("configurations"), Mapping):
        return read_connection(given)
    return service.connection(str(given["connectionId"]))  # older servers list connections without their streams


def _destinations(
    service: Service, connections: Iterable[Connection], before: Snapshot | None
) -> dict[str, Destination]:
    earlier = before.destinations if before is not None else {}
    wanted = dict.fromkeys(each.destination for each in connections if each.destination is not None)

    def one(id_: str) -> Destination:
        try:
            return service.destination(id_)
        except (Refused, Unavailable):
            # Without it the tables' database is unknown; everything else works.
            return earlier.get(id_) or Destination(id_)

    return {each.id: each for each in together(one, wanted)}


def _all(
    service: Service, options: Options, before: Snapshot | None
) -> tuple[Iterable[Connection], Mapping[str, Destination]]:
    """Return the connections; one that is gone, or cannot be read, stays as it was, with the reason."""
    connections = _connections(service, options, before)
    return connections, _destinations(service, connections, before)


DEFINITIONS = Definitions(
    SNAPSHOTS, service_for, _all, lambda id_: Connection(id_, id_), lambda each: (each.destination, each.name)
)
#: See `assetry_toolkit.hosted.fetching.Definitions` for both.
known, pull = DEFINITIONS.known, DEFINITIONS.pull
