"""What a connector offers, and what is asked of it: streams discovered, chosen and configured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assetry.plugin import Column, DefinitionError, near_names

from assetry_airbyte.local.column_names import named
from assetry_airbyte.local.columns import WRITTEN, kind_of
from assetry_airbyte.local.options import Source, StreamChoice
from assetry_airbyte.local.protocol import StreamId, section

#: Of each sync mode, what the protocol calls its two halves.
_HALVES = {
    "full_refresh_overwrite": ("full_refresh", "overwrite"),
    "full_refresh_append": ("full_refresh", "append"),
    "incremental_append": ("incremental", "append"),
    "incremental_append_dedup": ("incremental", "append_dedup"),
}


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as it is to be read: what the connector says of it (`offered`), and how.

    >>> Stream(StreamId("users"), {"json_schema": {"properties": {"id": {"type": "integer"}}}}).kinds()
    {'id': 'integer'}
    """

    id: StreamId
    offered: Mapping[str, Any] = field(default_factory=dict)
    sync_mode: str = "full_refresh_overwrite"
    cursor: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()

    @property
    def incremental(self) -> bool:
        """Tell whether the stream is read from where the last sync ended."""
        return self.sync_mode.startswith("incremental")

    @property
    def deduplicated(self) -> bool:
        """Tell whether the table has one row for each primary key."""
        return self.sync_mode == "incremental_append_dedup"

    def merged_by(self) -> tuple[str, ...]:
        """Return the fields whose values tell rows apart, where rows are merged; none where they are not."""
        return tuple(path[0] for path in self.keys) if self.deduplicated else ()

    def kinds(self) -> dict[str, str]:
        """Return the kind of each field of the stream's schema."""
        properties = section(self.offered, "json_schema", "properties")
        return {str(name): kind_of(schema) for name, schema in properties.items()}

    def columns(self, widened: Mapping[str, str] | None = None, names: Mapping[str, str] | None = None) -> list[Column]:
        """Return the columns for people: their types, and what the schema says of them; some `names` are known."""
        properties = section(self.offered, "json_schema", "properties")
        kinds = {**self.kinds(), **(widened or {})}
        columns = named(kinds, names)
        return [
            Column(columns[field], WRITTEN[kind], _described(field, columns[field], properties.get(field)))
            for field, kind in kinds.items()
        ]

    def configured(self) -> dict[str, Any]:
        """Return the stream's part of a configured catalog."""
        read, write = _HALVES[self.sync_mode]
        return {
            "stream": dict(self.offered),
            "sync_mode": read,
            "destination_sync_mode": write,
            "cursor_field": list(self.cursor),
            "primary_key": [list(path) for path in self.keys],
            # A new generation each time a table is made anew; a connector that keeps none passes over it.
            "generation_id": 0,
            "minimum_generation_id": 0,
            "sync_id": 0,
        }

    def spec(self) -> dict[str, Any]:
        """Return the stream as JSON, for `Asset.spec`."""
        return {
            "offered": self.offered,
            "sync_mode": self.sync_mode,
            "cursor": list(self.cursor),
            "keys": [list(path) for path in self.keys],
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Stream:
        """Return the stream that `spec` wrote down."""
        offered = spec["offered"]
        keys = tuple(tuple(path) for path in spec["keys"])
        return cls(_id(offered), offered, spec["sync_mode"], tuple(spec["cursor"]), keys)


def _described(field: str, column: str, schema: Any) -> str:
    said = str(section(schema).get("description") or "")
    return said if field == column else f"The source's {field!r}. {said}".rstrip()


def _id(offered: Mapping[str, Any]) -> StreamId:
    return StreamId(str(offered["name"]), str(offered["namespace"]) if offered.get("namespace") else None)


def chosen(catalog: Mapping[str, Any], source: Source) -> list[Stream]:
    """Return the streams of a discovered catalog that the options choose, each as it is to be read.

    Raises `DefinitionError` for a stream that is not offered, and for a sync mode that it cannot be read with.
    """
    offered = [each for each in catalog.get("streams") or () if isinstance(each, dict) and each.get("name")]
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for each in offered:
        by_name.setdefault(str(_id(each)), []).append(each)
        if each.get("namespace"):
            by_name.setdefault(str(each["name"]), []).append(each)
    if source.streams is None:
        return [configure(each, StreamChoice(), source) for each in offered]
    return [configure(_find(by_name, name, source), choice, source) for name, choice in source.streams.items()]


def _find(by_name: Mapping[str, Sequence[Mapping[str, Any]]], name: str, source: Source) -> Mapping[str, Any]:
    found = by_name.get(name, ())
    if len(found) == 1:
        return found[0]
    if not found:
        raise DefinitionError(
            f"Connector {source.name!r} has no stream {name!r}.",
            near=near_names(name, by_name),
            hint=f"It offers: {_listed(by_name)}.",
        )
    raise DefinitionError(
        f"Connector {source.name!r} has {len(found)} streams {name!r}.",
        near=[str(_id(each)) for each in found],
        hint="Write the namespace too.",
    )


def _listed(names: Iterable[str], most: int = 20) -> str:
    listed = sorted(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def configure(offered: Mapping[str, Any], choice: StreamChoice, source: Source) -> Stream:
    """Return a stream as it is to be read: as chosen, else incrementally where its own cursor and key allow it.

    >>> configure({"name": "users"}, StreamChoice(), Source(name="s", root="/")).sync_mode
    'full_refresh_overwrite'
    """
    stream_id = _id(offered)
    modes = [str(each) for each in offered.get("supported_sync_modes") or ("full_refresh",)]
    own_cursor = tuple(map(str, offered.get("default_cursor_field") or ()))
    cursor = (choice.cursor_field,) if choice.cursor_field else own_cursor
    own_keys = tuple(tuple(map(str, path)) for path in offered.get("source_defined_primary_key") or () if path)
    keys = tuple((name,) for name in choice.primary_key) or own_keys
    has_cursor = bool(cursor) or bool(offered.get("source_defined_cursor"))
    mode = choice.sync_mode
    if mode is None:
        follows = "incremental" in modes and has_cursor and keys
        mode = "incremental_append_dedup" if follows else "full_refresh_overwrite"
    stream = Stream(stream_id, offered, mode, cursor if mode.startswith("incremental") else (), keys)
    problem = _problem(stream, modes, has_cursor)
    if problem:
        raise DefinitionError(
            f"Stream {str(stream_id)!r} of connector {source.name!r} {problem[0]}.",
            hint=problem[1],
        )
    return stream


def _problem(stream: Stream, modes: Sequence[str], has_cursor: bool) -> tuple[str, str] | None:
    read = _HALVES[stream.sync_mode][0]
    if read not in modes:
        return f"cannot be read as {stream.sync_mode}", f"The connector supports {' and '.join(modes)} for it."
    if stream.incremental and not has_cursor:
        return "needs a cursor", "Name the column that grows with each change: cursor_field."
    if stream.deduplicated and not stream.keys:
        return "has no primary key", "Name its columns: primary_key, or choose incremental_append."
    if stream.deduplicated and any(len(path) > 1 for path in stream.keys):
        return "has a primary key inside of an object", "Choose another primary_key, or incremental_append."
    return None


def configured_catalog(streams: Iterable[Stream]) -> dict[str, Any]:
    """Return the catalog that a connector is told to read."""
    return {"streams": [stream.configured() for stream in streams]}
