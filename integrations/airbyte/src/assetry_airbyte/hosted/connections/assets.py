"""Assets from connections: one per stream, or per table that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import repeat
from typing import Any

from assetry.plugin import Asset, AssetKey, DefinitionError, Dep, Integration, Relation, near_names

from assetry_airbyte.hosted.api.responses import Connection, Destination, Stream
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
    chosen = _chosen(options, snapshot)
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
            near=near[:3],
            hint=f"There are {len(names)} connections; `assetry airbyte pull` reads them anew.",
        )
    return found


def _fits(options: Options, connection: Connection) -> bool:
    named = not options.names or any(fnmatchcase(connection.name, pattern) for pattern in options.names)
    return named and (not options.tags or not set(options.tags).isdisjoint(connection.tags))


def _slugs(connections: Sequence[Connection]) -> dict[str, str]:
    """Return a key part for each connection: its name, with the id's beginning where an older one has that name."""
    taken: dict[str, str] = {}
    # The oldest keeps the plain name, so that its key does not change when another of that name is made.
    for each in sorted(connections, key=lambda each: (_age(each.created), each.id)):
        plain = slug(each.name)
        taken.setdefault(plain if plain not in taken else f"{plain}_{each.id[:8]}", each.id)
    return {id_: part for part, id_ in taken.items()}


def _age(created: Any) -> tuple[int, float, str]:
    if isinstance(created, (int, float)):
        return 0, float(created), ""
    return 1, 0.0, str(created or "")


def slug(name: str) -> str:
    """Return a name as part of a key: lower case, everything but letters and digits an underscore.

    >>> slug("Shop DB → Snowflake")
    'shop_db_snowflake'
    """
    words = "".join(each if each.isalnum() else " " for each in name.lower()).split()
    return "_".join(words) or "connection"


def key_part(name: str) -> str:
    """Return a name as part of a key, so that no two names give the same part.

    >>> key_part("orders"), key_part("a/b"), key_part(" c")
    ('orders', 'a%2Fb', '%20c')
    >>> key_part(" ") == key_part("  ")
    False
    """
    if name.isidentifier():
        return name  # most names are
    if name.isprintable() and "/" not in name and "%" not in name and name == name.strip():
        return name
    last = len(name) - 1
    return "".join(
        _coded(each) if each in "/%" or not each.isprintable() or (i in (0, last) and each.isspace()) else each
        for i, each in enumerate(name)
    )


def _coded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


@dataclass(slots=True)
class _Maker:
    integration: Integration
    options: Options
    snapshot: Snapshot
    relation: RelationOf | None
    #: What is loaded into each table of each destination: connection and stream.
    _taken: dict[str, dict[Any, tuple[Connection, Stream]]] = field(default_factory=dict)

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
        self._take_tables(shared, connection.streams, found)
        return found

    def tables(self, connections: Sequence[Connection]) -> list[Asset]:
        """Return an asset for each table that the options name, keyed by the name as it was written."""
        found = []
        taken: dict[tuple[str, str | None, str], str] = {}
        for wanted in self.options.destination_tables:
            connection, stream = self._stream_of(wanted, connections)
            where = (connection.id, stream.namespace, stream.name)
            if taken.setdefault(where, wanted) != wanted:
                raise DefinitionError(
                    f"destination_tables names one table twice: {taken[where]!r} and {wanted!r}.",
                    where=f"integration {self.options.name!r}",
                    hint="Leave one of them out.",
                )
            key = AssetKey([key_part(self.integration.name), *map(key_part, wanted.split("."))])
            shared = self._shared(connection)
            found.append(self._asset(key, stream, shared))
            self._take_tables(shared, [stream], found[-1:])
        return found

    def _stream_of(self, wanted: str, connections: Sequence[Connection]) -> tuple[Connection, Stream]:
        streams = [(each, stream) for each in connections for stream in each.streams]
        shared = {each.id: self._shared(each) for each in connections}
        named = [(pair, self._names(pair[1], shared[pair[0].id])) for pair in streams]
        for same in (str.__str__, str.casefold):
            fitting = [pair for pair, names in named if same(wanted) in {same(name) for name in names}]
            if len(fitting) == 1:
                return fitting[0]
            if fitting:
                ways = sorted(names[-1] for pair, names in named if pair in fitting)
                raise DefinitionError(
                    f"destination_tables: {wanted!r} fits several streams.",
                    where=f"integration {self.options.name!r}",
                    near=ways[:3],
                    hint="Write the namespace too.",
                )
        if not streams and len(connections) == 1:
            # A connection that could not be read yet: the table is taken at its word.
            return connections[0], Stream(wanted.rpartition(".")[2], wanted.rpartition(".")[0] or None)
        known = [name for _, names in named for name in names[:1]]
        raise DefinitionError(
            f"destination_tables: {wanted!r} is not a table of "
            + (f"connection {connections[0].name!r}." if len(connections) == 1 else "any of these connections."),
            where=f"integration {self.options.name!r}",
            near=near_names(wanted, [name for _, names in named for name in names]),
            hint=f"Its tables: {', '.join(known[:10])}{' …' if len(known) > 10 else ''}. "
            "`assetry airbyte pull` reads them anew.",
        )

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
        if not connection.usable:
            reason = f": {connection.reason}" if connection.reason else ""
            metadata["unusable"] = f"{connection.status}{reason}"
        if not self.snapshot.imagined:
            metadata["definitions_read"] = self.snapshot.at.isoformat(timespec="seconds")
        page = self.options.address.page(connection.workspace, connection.id)
        if page:
            metadata["url"] = page
        spec = {"connection": connection.id, "name": connection.name, "workspace": connection.workspace}
        return _Shared(
            connection=connection,
            tables=Tables(connection, destination, self._override(connection, destination)),
            deps=tuple(Dep(AssetKey(each)) for each in self.options.deps),
            spec={**spec, "unverified": True} if self.snapshot.imagined else spec,
            metadata=metadata,
            description=""
            if connection.usable
            else f"Not synced: connection {connection.name!r} is {metadata['unusable']}",
        )

    def _asset(self, key: AssetKey, stream: Stream, shared: _Shared) -> Asset:
        connection = shared.connection
        return Asset(
            key=key,
            kind=KIND,
            integration=self.integration,
            deps=shared.deps,
            spec={**shared.spec, "stream": stream.name, "namespace": stream.namespace},
            description=shared.description,
            group=connection.name,
            tags=connection.tags,
            metadata=shared.metadata_of(stream),
            relation=shared.tables.of(stream) if self.relation is None else self._relation(stream, shared),
            executable=connection.usable,
            resource_type="stream",
        )

    def _take_tables(self, shared: _Shared, streams: Sequence[Stream], assets: Sequence[Asset]) -> None:
        """Note what is loaded into which table; raise `DefinitionError` where one stream would overwrite another."""
        connection = shared.connection
        if not connection.usable or connection.destination is None:
            return
        taken = self._taken.setdefault(connection.destination, {})
        places: list[Any] = [asset.relation for asset in assets]
        if shared.tables.folds_case:
            places = [place and place.folded for place in places]
        # Nearly always all of them are new; there may be very many.
        if taken.keys().isdisjoint(places) and len({None, *places}) == len(places) + 1:
            taken.update(zip(places, zip(repeat(connection), streams, strict=False), strict=True))
            return
        for place, stream, asset in zip(places, streams, assets, strict=True):
            if asset.relation is not None:
                first = taken.setdefault(place, (connection, stream))
                if first[1] is not stream and not (first[0] is not connection and first[1].adds and stream.adds):
                    raise self._one_table(asset.relation, first, (connection, stream))

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
        found = shared.tables.of(stream)
        if self.relation is None:
            return found
        said = self.relation(shared.connection, stream, found)
        return None if said is None else Relation(*said)

    def _destination(self, connection: Connection) -> Destination | None:
        return self.snapshot.destinations.get(connection.destination or "")

    def _override(self, connection: Connection, destination: Destination | None) -> Mapping[str, Any] | None:
        """Return what the options say of a destination, by its id, its name, its kind, or ``*`` for all."""
        given = self.options.destinations
        if not given:
            return None
        names = (connection.destination, destination and destination.name, destination and destination.type, "*")
        return next((given[name] for name in names if name and name in given), None)


def _told(stream: Stream) -> str:
    return repr(f"{stream.namespace}.{stream.name}" if stream.namespace else stream.name)


@dataclass(slots=True)
class _Shared:
    """What is the same for all streams of a connection."""

    connection: Connection
    tables: Tables
    deps: tuple[Dep, ...]
    spec: Mapping[str, Any]
    metadata: Mapping[str, Any]
    description: str
    #: Streams that are synced in the same manner share their metadata.
    _made: dict[tuple[Any, ...], Mapping[str, Any]] = field(default_factory=dict)

    def metadata_of(self, stream: Stream) -> Mapping[str, Any]:
        """Return the metadata of a stream."""
        manner = stream[2:5]
        found = self._made.get(manner)
        if found is None:
            told = {
                "sync_mode": stream.sync_mode,
                "cursor": ", ".join(stream.cursor),
                "primary_key": ", ".join(stream.primary_key),
            }
            found = self._made[manner] = {
                **self.metadata,
                **{name: value for name, value in told.items() if value},
            }
        return found
