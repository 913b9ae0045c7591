"""Assets from connections: one per stream, or per table that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from assetry.plugin import Asset, AssetKey, DefinitionError, Integration, Invocation, Relation, near_names
from assetry_toolkit.hosted.assets import ConnectionAssets, connection_command
from assetry_toolkit.hosted.fetching import few, not_replaced
from assetry_toolkit.hosted.keys import fits, key_part, slugs
from assetry_toolkit.hosted.tables import Override, TakenTables, asked_place, find_table, find_tables

from assetry_airbyte.hosted.api.responses import ADDING, APPENDING, Connection, Destination, Stream
from assetry_airbyte.hosted.connections.definitions import DEFINITIONS
from assetry_airbyte.hosted.connections.naming import Tables, placed
from assetry_airbyte.hosted.connections.snapshot import Snapshot
from assetry_airbyte.hosted.settings import Options

KIND = "airbyte"

#: Return the table of a stream: (connection, stream, what the rules say) -> Relation, a tuple of three, or None.
RelationOf = Callable[[Connection, Stream, Relation | None], Any]


def assets_of(
    integration: Integration, options: Options, snapshot: Snapshot, relation: RelationOf | None = None
) -> list[Asset]:
    """Return the assets of what a snapshot says and the options choose.

    Raises `DefinitionError` when a table is asked for that is not there, or when the filters leave nothing.
    """
    there = [(each.id, each.name, each.type) for each in snapshot.destinations.values()]
    # Of one that could not be read there is only the id.
    Override.check(options.destinations, there if all(each[2] for each in there) else [], options.name)
    found = not_replaced(_chosen(options, snapshot), DEFINITIONS.place)
    # What is switched off comes after what may have taken its place.
    chosen = sorted(found, key=lambda each: (not each.usable, each.gone))
    maker = _Maker(integration, options, snapshot, relation)
    if options.destination_tables:
        return maker.tables(chosen)
    slugs = {} if options.connection_id is not None else _slugs(chosen)
    return [asset for connection in chosen for asset in maker.streams(connection, slugs.get(connection.id))]


def _chosen(options: Options, snapshot: Snapshot) -> list[Connection]:
    found = [each for each in snapshot.connections if _fits(options, each)]
    if not found and snapshot.connections and (options.names or options.tags):
        names = [each.name for each in snapshot.connections]
        near = [near for name in options.names for near in near_names(name, names)]
        raise DefinitionError(
            "No connection has these names and tags.",
            where=f"integration {options.name!r}",
            option="names" if options.names else "tags",
            near=near[:3],
            hint=f"There are {len(names)} connections; `assetry airbyte pull` reads them anew.",
        )
    return found


def _fits(options: Options, connection: Connection) -> bool:
    return fits(connection.name, options.names) and (
        not options.tags or not set(options.tags).isdisjoint(connection.tags)
    )


def _slugs(connections: Sequence[Connection]) -> dict[str, str]:
    oldest = sorted(connections, key=lambda each: (each.gone, _age(each.created), each.id))
    return slugs((each.id, each.name) for each in oldest)


def _age(created: Any) -> tuple[int, float, str]:
    if isinstance(created, (int, float)):
        return 0, float(created), ""
    return 1, 0.0, str(created or "")


@dataclass(slots=True)
class _Maker:
    integration: Integration
    options: Options
    snapshot: Snapshot
    relation: RelationOf | None
    #: What is loaded into each table of each destination: connection and stream.
    _taken: TakenTables[tuple[Connection, Stream]] = field(default_factory=lambda: TakenTables(_may_share))

    def streams(self, connection: Connection, part: str | None) -> Iterable[Asset]:
        """Return an asset for each stream of a connection."""
        base = "/".join(key_part(each) for each in (self.integration.name, part) if each)
        places: dict[str | None, str] = {}
        shared = self._shared(connection)
        prefix = shared.tables.prefix
        found = []
        for stream in connection.streams:
            namespace = stream.namespace
            if namespace not in places:
                places[namespace] = f"{base}/{key_part(namespace)}" if namespace else base
            # Not through AssetKey(…), which would look at each of the parts again.
            key = str.__new__(AssetKey, f"{places[namespace]}/{key_part(prefix + stream.name)}")
            found.append(self._asset(key, stream, shared))
        return self._taken_by(shared, connection.streams, found)

    def tables(self, connections: Sequence[Connection]) -> list[Asset]:
        """Return an asset for each table that the options name, keyed by the name as it was written."""
        found = []
        find = find_tables(
            self.options.destination_tables, lambda name: self._named(name, connections), self.options.name
        )
        for key, (connection, stream) in find:
            shared = self._shared(connection)
            found += self._taken_by(shared, [stream], [self._asset(key, stream, shared)])
        return found

    def _named(self, wanted: str, connections: Sequence[Connection]) -> tuple[Any, tuple[Connection, Stream]]:
        connection, stream = self._stream_of(wanted, connections)
        return (connection.id, stream.namespace, stream.name), (connection, stream)

    def _stream_of(self, wanted: str, connections: Sequence[Connection]) -> tuple[Connection, Stream]:
        streams = [(each, stream) for each in connections for stream in each.streams]
        if not streams and len(connections) == 1:
            # A connection that could not be read yet: the table is taken at its word.
            return connections[0], Stream(wanted.rpartition(".")[2], wanted.rpartition(".")[0] or None)
        shared = {each.id: self._shared(each) for each in connections}
        named = [(pair, self._names(pair[1], shared[pair[0].id])) for pair in streams]
        of = f"connection {connections[0].name!r}" if len(connections) == 1 else "any of these connections"
        return find_table(wanted, named, of, self.options.name, "airbyte")

    def _names(self, stream: Stream, shared: _Shared) -> list[str]:
        """Return by what a table may be asked for: its name, with its schema, and the stream's names."""
        namespace, name = placed(shared.connection, stream)
        relation = self._relation(stream, shared)
        names = [name, stream.name]
        if relation is not None:
            names += [relation.identifier, f"{relation.schema}.{relation.identifier}"]
        names += [f"{each}.{stem}" for each in (namespace, stream.namespace) if each for stem in (name, stream.name)]
        return list(dict.fromkeys(names))

    # -- one asset ---------------------------------------------------------------------------------------------------

    def _shared(self, connection: Connection) -> _Shared:
        """Return what is the same for all streams of a connection."""
        destination = self._destination(connection)
        metadata: dict[str, Any] = {"connection": connection.name, "connection_id": connection.id}
        if destination is not None and destination.type:
            metadata["destination"] = destination.type
        if connection.schedule:
            metadata["schedule"] = connection.schedule
        if not self.snapshot.imagined:
            metadata["definitions_read"] = self.snapshot.at.isoformat()
        page = self.options.address.page(connection.workspace, connection.id)
        if page:
            metadata["url"] = page
        spec = {"connection": connection.id, "name": connection.name, "workspace": connection.workspace}
        common = ConnectionAssets(
            integration=self.integration,
            group=connection.name,
            spec={**spec, "unverified": True} if self.snapshot.imagined else spec,
            metadata=metadata,
            deps=self.options.deps,
            tags=connection.tags,
            gone=connection.gone,
            trouble=connection.trouble,
            resource_type="stream",
            breaks=connection.breaks,
            tell=_manner,
            fields=self._by_manner,
        )
        return _Shared(connection, Tables(connection, destination, self._override(connection, destination)), common)

    def _asset(self, key: AssetKey, stream: Stream, shared: _Shared) -> Asset:
        relation = self._relation(stream, shared)
        return shared.common.asset(key, relation, {"stream": stream.name, "namespace": stream.namespace}, stream[2:5])

    def _by_manner(self, manner: tuple[str, tuple[str, ...], tuple[str, ...]]) -> Mapping[str, Any]:
        """Return the fields of an asset that depend on how its stream is synced."""
        # A refresh takes no rows out of a table that is only added to.
        adds = manner[0] in ADDING
        left = {"refreshable": False} if adds and self.options.on_full_refresh == "remove" else {}
        return {"grows": "append" if manner[0] == APPENDING else "replace", **left}

    def _taken_by(self, shared: _Shared, streams: Sequence[Stream], assets: list[Asset]) -> list[Asset]:
        """Note what is loaded into which table, and return the assets that are: raise where one overwrites another.

        What another connection loads now, in the place of one that is gone, is left out; in the place of one that is
        switched off, it is that one's table.
        """
        connection, folds_case = shared.connection, shared.tables.folds_case
        there = connection.destination
        if not connection.usable and there is not None:
            taken = {each.key for each in assets if self._taken.has(there, each.relation, folds_case=folds_case)}
            free = [pair for pair in zip(streams, assets, strict=True) if pair[1].key not in taken]
            streams, own = [stream for stream, _ in free], [asset for _, asset in free]
            # Of two that are off the first has the table.
            self._taken.fill(connection, there, streams, own, folds_case=folds_case)
            left = own if connection.gone else assets
            return [replace(each, executable=False) if each.key in taken else each for each in left]
        twice = self._taken.fill(connection, there, streams, assets, folds_case=folds_case)
        if twice is not None:
            raise self._one_table(*twice)
        return assets

    def _one_table(
        self, relation: Relation, one: tuple[Connection, Stream], other: tuple[Connection, Stream]
    ) -> DefinitionError:
        (first, stream), (second, its) = one, other
        told = f"{_told(stream)} and {_told(its)} of connection {first.name!r}"
        if second is not first:
            told = f"{_told(stream)} of connection {first.name!r} and {_told(its)} of connection {second.name!r}"
        return DefinitionError(
            f"Two streams are loaded into one table, {relation}: {told}.",
            where=f"integration {self.options.name!r}",
            hint=(
                "Give one of them another namespace or prefix in Airbyte, or disable it, then `assetry airbyte pull`; "
                "or define one of them only (destination_tables, names). Where these are two tables, say which, or "
                "that it is not known (join = false): "
                f'[integrations.{self.options.name}.destinations."{first.destination}"].'
            ),
        )

    def _relation(self, stream: Stream, shared: _Shared) -> Relation | None:
        return asked_place(self.relation, shared.connection, stream, shared.tables.of(stream))

    def _destination(self, connection: Connection) -> Destination | None:
        return self.snapshot.destinations.get(connection.destination or "")

    def _override(self, connection: Connection, destination: Destination | None) -> Override:
        """Return what the options say of a destination, by its id, its name, its kind, or ``*`` for all."""
        found = destination or Destination("")
        return Override.among(self.options.destinations, connection.destination, found.name, found.type)


def command(invocation: Invocation) -> str:
    """Return how people are told of the sync of a connection, and of the streams that it reads anew."""
    told = connection_command("airbyte sync", invocation)
    if not invocation.full_refresh:
        return told
    streams = [(each, Stream("", None, str(each.metadata.get("sync_mode", "")))) for each in invocation.assets]
    anew = [str(each.spec["stream"]) for each, stream in streams if each.refreshable and not stream.reads_all]
    return f"{told}, reads {few(anew)} anew" if anew else told


def _may_share(one: tuple[Connection, Stream], other: tuple[Connection, Stream]) -> bool:
    """Tell whether two streams may fill one table: those of two connections, where both only add."""
    return one[0] is not other[0] and one[1].adds and other[1].adds


def _told(stream: Stream) -> str:
    return repr(f"{stream.namespace}.{stream.name}" if stream.namespace else stream.name)


class _Shared(NamedTuple):
    connection: Connection
    tables: Tables
    common: ConnectionAssets


def _manner(manner: tuple[str, tuple[str, ...], tuple[str, ...]]) -> dict[str, str]:
    """Return what is told of a stream by how it is synced."""
    mode, cursor, key = manner
    return {"sync_mode": mode, "cursor": ", ".join(cursor), "primary_key": ", ".join(key)}
