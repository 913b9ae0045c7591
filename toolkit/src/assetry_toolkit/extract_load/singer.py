"""Taps and targets that speak the Singer protocol, whichever tool runs them: their catalogs, logs and tables.

How many rows a stream has is said by taps in METRIC lines, in two families: with Meltano's SDK as ``{"metric":
"record_count", "tags": {"stream": "users"}}``, with singer-python and PipelineWise as ``{"endpoint": "users"}`` or
``{"database": "public", "table": "users"}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from assetry.plugin import Level

_METRIC = re.compile(r"METRIC:?\s*(\{.*\})")
_BEGIN = re.compile(r"Beginning (?:\w+ )?sync of '([^']+)'")
_LEVEL = re.compile(r"\b(CRITICAL|ERROR|WARNING)\b")
_LEVELS: Mapping[str, Level] = {"critical": "error", "error": "error", "warning": "warning", "debug": "debug"}


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


def stream_ids(catalog: Mapping[str, Any]) -> list[str]:
    """Return the ids of all streams of a catalog, whether they are selected or not.

    >>> stream_ids({"streams": [{"tap_stream_id": "public-users", "stream": "users"}, {"stream": "orders"}]})
    ['public-users', 'orders']
    """
    return [str(each.get("tap_stream_id") or each.get("stream")) for each in catalog.get("streams") or ()]


def selected_streams(catalog: Mapping[str, Any]) -> Iterator[Stream]:
    """Yield the streams of a catalog that are selected in it, with the columns that are.

    >>> users = {"stream": "users", "selected": True, "schema": {"properties": {"id": {"description": "Its number."}}}}
    >>> list(selected_streams({"streams": [users, {"stream": "orders"}]}))
    [Stream(id='users', name='users', keys=[], method=None, cursor=None, columns=[['id', 'Its number.']])]
    """
    for id_, each in zip(stream_ids(catalog), catalog.get("streams") or (), strict=True):
        about = {tuple(entry["breadcrumb"]): entry["metadata"] for entry in each.get("metadata") or ()}
        whole = about.get((), {})
        if not (each.get("selected") or whole.get("selected")) or whole.get("inclusion") == "unsupported":
            continue
        properties = (each.get("schema") or {}).get("properties") or {}
        columns = [
            [name, str((schema or {}).get("description") or "")]
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


class Said(NamedTuple):
    """What one line of a log says, how loud, and which stream it is about, if any.

    `what` is ``began``, ``rows`` (`value`: so many more) or ``ended`` (`value`: whether well) of a stream, else
    ``said``.
    """

    what: Literal["began", "rows", "ended", "said"]
    level: Level = "info"
    stream: str = ""
    value: int = 0


def read_log(text: str, metric: Any = None, level: str = "info") -> Said:
    """Return what a line of a tap or target says; `metric` is what was parsed of it already, if it was.

    `level` is what is said of its loudness elsewhere; CRITICAL, ERROR or WARNING at its front have the last word.

    >>> read_log('INFO METRIC: {"metric": "record_count", "value": 4, "tags": {"endpoint": "users"}}')
    Said(what='rows', level='info', stream='users', value=4)
    >>> read_log("CRITICAL the shop is closed")
    Said(what='said', level='error', stream='', value=0)
    """
    if not isinstance(metric, dict) and (found := _METRIC.search(text)):
        with suppress(ValueError):
            metric = json.loads(found[1])
    if isinstance(metric, dict) and isinstance(tags := metric.get("tags"), dict):
        table = "-".join(str(tags[name]) for name in ("database", "schema", "table") if tags.get(name))
        stream, value = str(tags.get("stream") or tags.get("endpoint") or table), metric.get("value")
        if stream and metric.get("metric") == "record_count" and isinstance(value, (int, float)):
            return Said("rows", stream=stream, value=int(value))
        if stream and metric.get("metric") == "sync_duration" and "status" in tags:
            return Said("ended", stream=stream, value=tags["status"] == "succeeded")
    if begin := _BEGIN.search(text):
        return Said("began", stream=begin[1])
    loud = _LEVEL.search(text[:200])
    return Said("said", _LEVELS.get((loud[1] if loud else level).lower(), "info"))


class TableName(NamedTuple):
    """A stream's name, divided as targets do it: into the schema that it was read from, if it has one, and the table.

    >>> TableName.of("public-Users"), TableName.of("db-public-users").schema, TableName.of("users").schema
    (TableName(schema='public', table='Users'), 'public', None)
    """

    schema: str | None
    table: str

    @classmethod
    def of(cls, stream: str) -> TableName:
        """Divide the name of a stream: database, schema and table with hyphens between them, or the table alone."""
        words = stream.split("-")
        return cls(words[-2], words[-1]) if len(words) in (2, 3) else cls(None, stream)


def conformed(name: str) -> str:
    """Return a name as targets write it: lower case, with underscores, and no digit at the front.

    As `singer_sdk.sql.SQLSink` has it, and PipelineWise.

    >>> conformed("Order Items"), conformed("crm.deals"), conformed("2fa")
    ('order_items', 'crm_deals', '_2fa')
    """
    plain = re.sub(r"[-.\s]", "_", re.sub(r"[^\w\-.\s]", "", name, flags=re.ASCII).strip().lower())
    return f"_{plain}" if plain[:1].isdigit() else plain
