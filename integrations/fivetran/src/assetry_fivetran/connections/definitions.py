"""Reading definitions from the API: connections, their tables, and where their destinations put them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from assetry.plugin import IntegrationError
from assetry_toolkit.errors import Refused, Unavailable, WrongAddress
from assetry_toolkit.hosted.answers import text
from assetry_toolkit.hosted.fetching import Definitions, Reading, check_filters, few, no_such, together, warn_of_trouble
from assetry_toolkit.hosted.keys import fits

from assetry_fivetran.api.responses import NO_TABLES, Connection, Destination, Standing, Table, connection_of, joined
from assetry_fivetran.api.service import Service, service_for
from assetry_fivetran.connections.snapshot import SNAPSHOTS, Snapshot
from assetry_fivetran.settings import Options

#: Why a connection that has tables has none here.
ALL_DISABLED = "All its tables are disabled in Fivetran: enable some there, then `assetry fivetran pull`."


def _with_destination(connection: Connection, destinations: Mapping[str, Destination]) -> Connection:
    """Return a connection, marked where its group has no destination that data could go to."""
    found = destinations.get(connection.group or "")
    if found is None or not found.incomplete or connection.gone:
        return connection
    unfinished, none = "the destination's set-up is not finished", f"its group {connection.group} has no destination"
    reason = "; ".join(filter(None, (connection.reason, unfinished if found.service else none)))
    return replace(connection, status=joined(connection.status, "incomplete"), reason=reason)


def learn(options: Options, now: Standing, mask: Callable[[str], str]) -> None:
    """Let the snapshot say how a connection stands `now`, where that is another status, so that it is warned of.

    `mask` takes secrets out of what Fivetran says of it.
    """

    def learnt(known: Connection, places: Mapping[str, Destination]) -> Connection:
        found = _with_destination(replace(known, status=now.status, reason=mask(now.reason or "") or None), places)
        return known if found.status == known.status else found

    SNAPSHOTS.renew(options.snapshot_path, options.asks_for, now.id, learnt)


class _Reader:
    """One reading of all that the options ask for."""

    def __init__(self, service: Service, options: Options, before: Snapshot | None) -> None:
        self._service = service
        self._options = options
        self._option = "ids" if options.connection_id is None else "connection_id"
        earlier = before.connections if before is not None else ()
        self._reading = Reading(earlier)
        self._places = before.destinations if before is not None else {}

    def connections(self) -> list[Connection]:
        """Return the connections; those that were there before and are no more are marked."""
        options = self._options
        ids = (options.connection_id,) if options.connection_id is not None else options.ids
        if ids:
            found = self._reading.named(ids, self._asked_for, self._no_such)
            fitting = self._fitting([(each, each.name, each.service) for each in found], self._option)
            return [each for each in found if each.gone or each in fitting]
        listed = self._listed(options.group_id)
        names = ([text(each.get(name)) or "" for each in listed] for name in ("schema", "service"))
        wanted = self._fitting([*zip(listed, *names, strict=True)])
        return self._reading.listed(
            [(id_, each) for each in wanted if (id_ := text(each.get("id"))) is not None],
            self._with_tables,
            lambda given, error: replace(connection_of(given), note=f"Its tables could not be read: {error.message}"),
            self._not_listed,
        )

    def destinations(self, connections: Iterable[Connection]) -> dict[str, Destination]:
        """Return the destinations of the connections, by group; one without a service is one that is not there."""
        groups = list(dict.fromkeys(each.group for each in connections if each.group is not None))
        if len(groups) > 1:
            with suppress(Refused):  # a key that may see single ones only
                listed = self._service.destinations()
                return {group: listed.get(group, Destination(group, incomplete=True)) for group in groups}
        return {each.group: each for each in together(self._destination, groups)}

    def _destination(self, group: str) -> Destination:
        try:
            return replace(self._service.destination(group), group=group)
        except (Refused, Unavailable) as error:
            if error.status == 404:
                return Destination(group, incomplete=True)
            told = f"the destination of group {group} could not be read ({error.message.rstrip('.')})"
            warn_of_trouble([told], self._options.name, "fivetran")
        # Without it the tables' database is unknown; everything else works.
        return self._places.get(group) or Destination(group, service="unknown")

    def _asked_for(self, id_: str) -> Connection:
        return self._with_tables(self._service.connection(id_))

    def _not_listed(self, id_: str) -> Connection | None:
        """Return a connection that a list left out, if it is one of those that are asked for."""
        given = self._service.connection(id_)
        found = connection_of(given)
        wanted = self._fits(found.name, found.service) and self._options.group_id in (None, found.group)
        return self._with_tables(given) if wanted else None

    def _listed(self, group: str | None) -> list[Mapping[str, Any]]:
        try:
            return self._service.connections(group)
        except Refused as error:
            if error.status != 404:
                raise
            if group is not None:
                raise self._no_group(group, error) from None
            api = self._service.http.api
            told = f"There is no Fivetran API at {api.base}: {error.message}"
            raise WrongAddress(told, status=404, hint=api.address_hint) from None

    def _no_such(self, id_: str, error: Refused) -> IntegrationError:
        there: list[tuple[str, str]] = []
        with suppress(Refused, Unavailable):  # a key may see single ones only
            there = [(str(each.get("id")), str(each.get("schema"))) for each in self._listed(None)]
        hint = "The id stands in the connection's URL in Fivetran, /connections/ID/status."
        return no_such("connection", id_, error, there, hint, self._option)

    def _no_group(self, id_: str, error: Refused) -> IntegrationError:
        there: list[tuple[str, str]] = []
        with suppress(Refused, Unavailable):
            self._listed(None)
            there = [(str(each.get("id")), str(each.get("name"))) for each in self._service.listed("groups")]
        hint = f"Each destination is a group: {few(f'{own} ({name})' for own, name in there) or 'see its URL'}."
        return no_such("group", id_, error, there, hint)

    def _with_tables(self, given: Mapping[str, Any]) -> Connection:
        connection = connection_of(given)
        tables = self._service.tables(connection.id)
        if not tables:
            note, known = (ALL_DISABLED, ()) if tables == () else (NO_TABLES, _by_name(connection))
            return replace(connection, tables=known, note=note)
        own = {connection.name, connection.name.partition(".")[0]}
        if "config" not in given and not own.intersection(each.schema_there for each in tables):
            # Lists may leave out the configuration, which alone tells whether schemas have a prefix.
            connection = connection_of(self._service.connection(connection.id))
        return replace(connection, tables=tables)

    def _fitting(self, about: Sequence[tuple[Any, str, str]], among: str | None = None) -> list[Any]:
        """Return the connections, given with name and service, that the filters fit; raise where there are none."""
        options, names = self._options, [name for _, name, _ in about]
        fitting = [each for each, *own in about if self._fits(*own)]
        asked = {"names": (options.names, names), "services": (options.services, [each[2] for each in about])}
        asked["schemas"] = options.schemas, [name.partition(".")[0] for name in names]
        check_filters(asked, bool(fitting), "Fivetran", options.name, among)
        return fitting

    def _fits(self, name: str, service: str) -> bool:
        options = self._options
        tests = (options.names, name), (options.services, service), (options.schemas, name.partition(".")[0])
        return all(fits(has, wanted) for wanted, has in tests)


def _by_name(connection: Connection) -> tuple[Table, ...]:
    """Return the table that a connection's name names: those of some services are called schema and table."""
    schema, dot, name = connection.name.partition(".")
    return (Table(schema, name, schema, name),) if dot and schema and name else ()


def _read(
    service: Service, options: Options, before: Snapshot | None
) -> tuple[Iterable[Connection], Mapping[str, Destination]]:
    """Return the connections; one that is gone, or cannot be read, stays as it was, with the reason."""
    reader = _Reader(service, options, before)
    connections = reader.connections()
    destinations = reader.destinations(connections)
    return (_with_destination(each, destinations) for each in connections), destinations


DEFINITIONS = Definitions(
    SNAPSHOTS, service_for, _read, lambda id_: Connection(id_, id_), lambda each: (each.group, each.name)
)
#: See `assetry_toolkit.hosted.fetching.Definitions` for both.
known, pull = DEFINITIONS.known, DEFINITIONS.pull
