"""The catalog of a tap: which streams it offers, those that are selected, and the asset that one of them is."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from assetry.plugin import Asset, AssetKey, Column, IntegrationError, Relation, near_names

from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.hosted.answers import table
from assetry_toolkit.hosted.assets import ConnectionAssets
from assetry_toolkit.hosted.pulling import counted

_AS_SINGER = 'Singer has it: {"streams": [{"tap_stream_id": …, "metadata": [{"breadcrumb": [], "metadata": {…}}]}]}.'


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a catalog: `columns` are names with their descriptions, `method` is ``INCREMENTAL`` and the like.

    All of it is JSON: ``Stream(**asdict(stream))`` is the same.
    """

    id: str
    name: str
    keys: Sequence[str] = ()
    method: str | None = None
    cursor: str | None = None
    columns: Sequence[Sequence[str]] = ()

    @property
    def grows(self) -> bool:
        """Tell whether it is read from where the last sync ended."""
        return self.method in ("INCREMENTAL", "LOG_BASED")

    def appends(self, load_method: str | None = None) -> bool:
        """Tell whether its target only adds rows: it is told to (``append-only``), or has no key to merge them by.

        >>> keyed, keyless = (Stream("users", "users", keys, "INCREMENTAL") for keys in (["id"], []))
        >>> keyed.appends(), keyed.appends("append-only"), keyless.appends(), keyless.appends("overwrite")
        (False, True, True, False)
        """
        if self.method != "INCREMENTAL":
            return False  # what a log tells is changed and deleted, too
        return load_method == "append-only" or (not self.keys and load_method in (None, "upsert"))


def stream_ids(catalog: Mapping[str, Any]) -> list[str]:
    """Return the ids of all streams of a catalog, whether they are selected or not.

    Raises `IntegrationError` where it is no catalog.

    >>> stream_ids({"streams": [{"tap_stream_id": "public-users", "stream": "users"}, {"stream": "orders"}]})
    ['public-users', 'orders']
    """
    return [_id(each, number) for number, each in enumerate(_entries(catalog, "streams"), 1)]


def _id(stream: Mapping[str, Any], number: int) -> str:
    found = next((str(each) for each in (stream.get("tap_stream_id"), stream.get("stream")) if each), "")
    if not found.strip():
        message = f"The catalog is none of Singer: entry {number} of streams has no name, neither"
        raise IntegrationError(f"{message} `tap_stream_id` nor `stream`.", hint=_AS_SINGER)
    return found


def _entries(whole: Mapping[str, Any], name: str, of: str = "") -> list[Mapping[str, Any]]:
    """Return the objects of a list of a catalog."""
    found = whole.get(name) or []
    for number, each in enumerate(found if isinstance(found, list) else [found], 1):
        if not isinstance(found, list) or not isinstance(each, dict):
            what = f"entry {number} of {name}{of}" if isinstance(found, list) else f"{name}{of}"
            raise IntegrationError(f"The catalog is none of Singer: {what} is {each!r}.", hint=_AS_SINGER)
    return list(found)


def _metadata(stream: Mapping[str, Any], of: str) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """Return what is said of a stream and of its columns, by their places."""
    found: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for each in _entries(stream, "metadata", of):
        place, said = each.get("breadcrumb"), each.get("metadata")
        if not isinstance(place, list) or not isinstance(said, dict):
            what = "`breadcrumb`, a list" if not isinstance(place, list) else "`metadata`, an object"
            message = f"The catalog is none of Singer: an entry of metadata{of} has no {what}."
            raise IntegrationError(message, hint=_AS_SINGER)
        found[tuple(map(str, place))] = said
    return found


def selected_streams(catalog: Mapping[str, Any]) -> Iterator[Stream]:
    """Yield the streams of a catalog that are selected in it, with the columns that are.

    Raises `IntegrationError` where it is no catalog.

    >>> users = {"stream": "users", "selected": True, "schema": {"properties": {"id": {"description": "Its number."}}}}
    >>> list(selected_streams({"streams": [users, {"stream": "orders"}]}))
    [Stream(id='users', name='users', keys=[], method=None, cursor=None, columns=[['id', 'Its number.']])]
    """
    for id_, each in zip(stream_ids(catalog), _entries(catalog, "streams"), strict=True):
        about = _metadata(each, f" of stream {id_!r}")
        whole = about.get((), {})
        if not (each.get("selected") or whole.get("selected")) or whole.get("inclusion") == "unsupported":
            continue
        # A schema may be true or false, in JSON Schema: anything, and nothing.
        properties = table(table(each.get("schema")).get("properties"))
        columns = [
            [name, str(table(schema).get("description") or "")]
            for name, schema in properties.items()
            if _is_read(about.get(("properties", name), {}))
        ]
        keys = each.get("key_properties") or whole.get("table-key-properties") or ()
        # Old taps take it from the stream itself, new ones from its metadata.
        method = whole.get("replication-method") or each.get("replication_method")
        method = method or whole.get("forced-replication-method")
        cursor = whole.get("replication-key") or each.get("replication_key")
        yield Stream(id_, str(each.get("stream") or id_), list(keys), method, cursor, columns)


def _is_read(about: Mapping[str, Any]) -> bool:
    return about.get("inclusion") == "automatic" or about.get("selected", about.get("selected-by-default", True))


@dataclass(frozen=True, slots=True)
class Catalog:
    """What is worth keeping of a catalog: the `streams` that are selected in it, and the ids of all that it `offered`.

    >>> catalog = Catalog.read({"streams": [{"stream": "users", "selected": True}, {"stream": "orders"}]})
    >>> catalog.offered, Catalog.from_json(catalog.to_json()) == catalog
    (['users', 'orders'], True)
    """

    streams: Sequence[Stream]
    offered: Sequence[str]

    @classmethod
    def read(cls, catalog: Mapping[str, Any]) -> Self:
        """Return it of a catalog as a tap gives it, once what is selected was marked.

        Raises `IntegrationError` where it is no catalog.
        """
        return cls(list(selected_streams(catalog)), stream_ids(catalog))

    def instead_of(self, before: Mapping[str, Any] | None, file: Path) -> Self:
        """Return it, to be kept in a `file` in the place of the one `before`.

        Raises `IntegrationError` where it has no stream all at once: a tap that fails may answer so.

        >>> Catalog([], []).instead_of(Catalog([], ["users"]).to_json(), Path("shop.json"))
        Traceback (most recent call last):
        assetry.errors.IntegrationError: its catalog is empty, and had 1 stream: users.
        ...
        """
        had = before["offered"] if before and not self.offered else ()
        if had:
            more = f" and {len(had) - 10} more" if len(had) > 10 else ""
            raise IntegrationError(
                f"its catalog is empty, and had {counted(len(had), 'stream')}: {', '.join(had[:10])}{more}.",
                hint=f"Ask it again. If it really has none any more, leave it out, or remove what is known: {file}.",
            )
        return self

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        """Return it as it was kept."""
        return cls([Stream(**each) for each in kept["streams"]], kept["offered"])

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, to keep it."""
        return asdict(self)

    def warnings(self, chosen: Mapping[str, Any], tap: str, where: str) -> list[str]:
        """Return what to tell of patterns that choose streams of a `tap` and match none, by the option they stand in.

        A pattern is the stream's, with ``!`` before it where it leaves out, and after a dot those of columns; a dot of
        the stream's own is escaped. One with a variable in it, and what is no list, is not known here. `where` is the
        place of the tap's definition.

        Raises `IntegrationError` where there are streams and none is selected: a run would make nothing.

        >>> catalog = Catalog([Stream("visits", "visits")], ["visits", "orders"])
        >>> catalog.warnings({"select": ["visits.id", "oders.*"]}, "tap-shop", "mill.yml:3")
        ["select of tap-shop: 'oders.*' matches none of its streams (mill.yml:3). Did you mean orders?"]
        """
        told: list[str] = []
        near: Sequence[str] = ()
        for option, pattern in _patterns(chosen):
            stream = re.split(r"(?<!\\)\.", pattern.removeprefix("!"))[0].replace("\\.", ".")
            if self.offered and not fnmatch.filter(self.offered, stream):
                alike = near_names(stream, self.offered)
                near = near or alike
                meant = f" Did you mean {', '.join(alike)}?" if alike else ""
                told.append(f"{option} of {tap}: {pattern!r} matches none of its streams ({where}).{meant}")
        if self.offered and not self.streams:
            offers = f"It offers {', '.join(self.offered[:10])}{' …' if self.offered[10:] else ''}."
            raise IntegrationError(
                f"{tap} selects none of its streams.", where=where, near=near, hint="\n".join([offers, *told])
            )
        return told if self.offered else [f"{tap} has no streams ({where})."]


def _patterns(chosen: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for option, patterns in chosen.items():
        for each in map(str, patterns if isinstance(patterns, list) else ()):
            if "$" not in each:
                yield option, each


def stream_asset(
    common: ConnectionAssets,
    key: AssetKey,
    stream: Stream,
    relation: Relation | None,
    code: Mapping[str, str],
    state: str = "",
    **more: Any,
) -> Asset:
    """Return the asset of a stream; `code` are digests of what else decides what is in its table, `more` its fields.

    `state` names the state by which it is read: with another one a run reads its rows from the first on. Its spec has
    `stream`, `name`, `keys` and `method`, which `assetry_toolkit.singer.loads` reads.

    >>> from assetry.plugin import Integration
    >>> common = ConnectionAssets(integration=Integration("shop", "mill"), group="tap-shop", spec={})
    >>> users = stream_asset(common, AssetKey("shop/users"), Stream("users", "users", ["id"], "INCREMENTAL"), None, {})
    >>> users.incremental, users.metadata, users.spec["stream"]
    (True, {'replication_method': 'INCREMENTAL', 'primary_key': 'id'}, 'users')
    """
    parts = {**code, "stream": digest([stream.keys, stream.method, stream.cursor, stream.columns])}
    # By this part it is known whether a run leaves rows of before as they are, see `assetry.status.old_rows`.
    parts["relation"] = digest([relation, state])
    manner = (("replication_method", stream.method), ("replication_key", stream.cursor))
    return common.asset(
        key,
        relation,
        {"stream": stream.id, "name": stream.name, "method": stream.method, "keys": list(stream.keys)},
        (*manner, ("primary_key", ", ".join(stream.keys))),
        code_version=digest(parts),
        code_parts=parts,
        columns=tuple(Column(name, description=told) for name, told in stream.columns),
        incremental=stream.grows,
        **more,
    )
