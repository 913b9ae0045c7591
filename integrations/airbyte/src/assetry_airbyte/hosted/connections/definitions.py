"""Reading definitions from the API: connections, their streams, and where their destinations put tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from assetry.plugin import IntegrationError, read_secret
from assetry_toolkit.errors import AuthError, Refused, ServiceError, Unavailable, WrongAddress

from assetry_airbyte.hosted.api.responses import Connection, Destination, read_connection
from assetry_airbyte.hosted.api.service import Service, service_for
from assetry_airbyte.hosted.connections.snapshot import Snapshot, read_snapshot, write_snapshot
from assetry_airbyte.hosted.settings import Options

#: How many requests are under way at a time while definitions are read.
AT_A_TIME = 4

In = TypeVar("In")
Out = TypeVar("Out")


def known(options: Options) -> Snapshot:
    """Return what is known of the connections: the snapshot, read from the API first when there is none.

    Raises `IntegrationError` when it has to be read and cannot be.
    """
    found = read_snapshot(options.snapshot_path)
    if found is not None and found.answers(options.asks_for):
        return found
    # Tables that are named are defined without an answer, too: a start-up should not wait long for one.
    named = options.connection_id is not None and options.destination_tables
    return pull(options, attempts=1 if named else None)


def pull(options: Options, attempts: int | None = None) -> Snapshot:
    """Read everything anew, keep it as the snapshot and return it; `attempts` limits how often a look is repeated.

    A connection that is gone, or cannot be read, stays as it was, with the reason; it never hides the others. Raises
    `IntegrationError` when the API cannot be reached or refuses us.
    """
    before = read_snapshot(options.snapshot_path)
    if before is not None and not before.answers(options.asks_for):
        before = None
    with service_for(options, read_secret) as service:
        service.http.attempts = attempts or service.http.attempts
        connections = _connections(service, options, before)
        destinations = _destinations(service, connections, before)
    found = Snapshot(datetime.now(UTC), options.asks_for, tuple(connections), destinations)
    write_snapshot(options.snapshot_path, found)
    return found


def _connections(service: Service, options: Options, before: Snapshot | None) -> list[Connection]:
    earlier = {each.id: each for each in before.connections} if before is not None else {}
    if options.connection_id is not None or options.ids:
        wanted = options.ids if options.connection_id is None else (options.connection_id, *options.ids)
        return _together(lambda id_: _one(service, id_, earlier.get(id_), len(wanted) > 1), dict.fromkeys(wanted))
    listed = service.connections(options.workspace_id)
    found = [each for each in _together(lambda given: _listed(service, given, earlier), listed) if each is not None]
    present = {each.id for each in found}
    gone = (each for each in earlier.values() if each.id not in present)
    return [*found, *(_marked(each, "deleted", "Airbyte does not list it any more") for each in gone)]


def _one(service: Service, id_: str, earlier: Connection | None, among_others: bool) -> Connection:
    """Return a connection that was named by its id."""
    try:
        return service.connection(id_)
    except Refused as error:
        if error.status not in (400, 403, 404, 409, 422):
            raise
        if earlier is not None:
            return _marked(earlier, "deleted", error.message)
        if among_others:
            return Connection(id_, id_, "deleted", error.message)
        raise IntegrationError(
            f"There is no connection {id_!r} at {service.address.public}, or it may not be read: {error.message}",
            hint="The id stands in the connection's URL in Airbyte; reading it needs the role workspace reader.",
        ) from None


def _listed(service: Service, given: Mapping[str, Any], earlier: Mapping[str, Connection]) -> Connection | None:
    """Return a connection that was listed; None when nothing of it can be understood."""
    id_ = str(given.get("connectionId"))
    try:
        if isinstance(given.get("configurations"), Mapping):
            return read_connection(given)
        return service.connection(id_)  # older servers list connections without their streams
    except (AuthError, WrongAddress):
        raise
    except ServiceError as error:
        if id_ in earlier:
            return _marked(earlier[id_], earlier[id_].status, f"it could not be read again: {error.message}")
        return (
            Connection(id_, str(given.get("name") or id_), "broken", error.message) if "connectionId" in given else None
        )


def _marked(connection: Connection, status: str, reason: str) -> Connection:
    return replace(connection, status=status, reason=reason)


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

    return {each.id: each for each in _together(one, wanted)}


def _together(work: Callable[[In], Out], things: Iterable[In]) -> list[Out]:
    """Return what `work` makes of each thing, in order, a few at a time."""
    listed = list(things)
    if len(listed) < 2:
        return [work(each) for each in listed]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="assetry-airbyte") as pool:
        return list(pool.map(work, listed))
