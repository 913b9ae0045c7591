"""Rows: records as the columns of an SQL table, and back.

Written by hand and not by `assetry.types.codec`, because a run writes four of them for each asset and a status reads
two for each asset of the graph. What is written here is never refused: metadata that is not JSON is kept as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from assetry.types.assets import Column, Relation
from assetry.types.codec import from_json, to_json
from assetry.types.events import Event, Log
from assetry.types.keys import AssetKey
from assetry.types.records import Accepted, Appended, Attempt, EventRecord, Materialization, Origin, RunInfo

Row = tuple[Any, ...]


def event_row(record: EventRecord) -> Row:
    """Return (run, at, invocation, body)."""
    return record.run, time_text(record.at), record.invocation, _event_text(record.event)


def event_record(row: Row) -> EventRecord:
    """Return the event of (run, at, invocation, body)."""
    run, at, invocation, body = row
    return EventRecord(at=datetime.fromisoformat(at), run=run, event=_event(body), invocation=invocation)


def materialization_row(made: Materialization) -> Row:
    """Return (key, partition, at, run, data_version, code_version, seconds, trace, as_of)."""
    trace: dict[str, Any] = {}
    if made.inputs:
        trace["inputs"] = made.inputs
    if made.code_parts:
        trace["code_parts"] = made.code_parts
    if made.columns is not None:
        trace["columns"] = _column_texts(made.columns)
    if made.metadata:
        trace["metadata"] = made.metadata
    if made.origin is not None:
        trace["origin"] = _origin_texts(made.origin)
    if made.accepted is not None:
        code, columns = made.accepted
        trace["accepted"] = [code, None if columns is None else _column_texts(columns)]
    if made.appended:
        trace["appended"] = {key: _appended_text(each) for key, each in made.appended.items()}
    if made.epoch is not None:
        trace["epoch"] = made.epoch
    return (
        str(made.key),
        made.partition or "",
        time_text(made.at),
        made.run,
        safe_text(made.data_version),
        safe_text(made.code_version),
        made.seconds,
        _dumps(trace) if trace else None,
        None if made.as_of is None else time_text(made.as_of),
    )


def _appended_text(read: Appended) -> list[str | None]:
    return [None if read.as_of is None else time_text(read.as_of), read.epoch]


def _appended(given: Mapping[str, Sequence[str | None]]) -> dict[AssetKey, Appended]:
    found = {}
    for key, (as_of, epoch) in given.items():
        found[stored_key(key)] = Appended(None if as_of is None else datetime.fromisoformat(as_of), epoch)
    return found


def materialization(row: Row) -> Materialization:
    """Return the materialization of a row as `materialization_row` makes it."""
    key, partition, at, run, data_version, code_version, seconds, text, as_of = row
    trace = _decode(text)[0] if text else {}
    columns = trace.get("columns")
    inputs = trace.get("inputs")
    return Materialization(
        key=stored_key(key),
        partition=partition or None,
        at=datetime.fromisoformat(at),
        run=run,
        data_version=data_version,
        code_version=code_version,
        code_parts=trace.get("code_parts") or {},
        inputs={stored_key(name): version for name, version in inputs.items()} if inputs else {},
        columns=None if columns is None else tuple([_column(column) for column in columns]),
        metadata=trace.get("metadata") or {},
        seconds=seconds,
        accepted=_accepted(*trace["accepted"]) if "accepted" in trace else None,
        as_of=None if as_of is None else datetime.fromisoformat(as_of),
        appended=_appended(trace["appended"]) if "appended" in trace else {},
        epoch=trace.get("epoch"),
        origin=_origin(**trace["origin"]) if "origin" in trace else None,
    )


def _origin_texts(origin: Origin) -> dict[str, Any]:
    """Return an origin as JSON, without what is usual."""
    told = {"kind": origin.kind, "integration": origin.integration, "relation": origin.relation, "io": origin.io}
    found = {name: value for name, value in told.items() if value is not None}
    return {**found, **({"view": True} if origin.view else {}), **({"kept": True} if origin.kept else {})}


def _origin(relation: list[str | None] | None = None, **given: Any) -> Origin:
    return Origin(relation=None if relation is None else Relation(*relation), **given)  # type: ignore[arg-type]


def _accepted(code: str | None, columns: list[dict[str, Any]] | None) -> Accepted:
    return Accepted(code, None if columns is None else tuple([_column(column) for column in columns]))


def attempt_row(attempt: Attempt) -> Row:
    """Return (run, key, partition, at, outcome, message, because, hint)."""
    return (
        attempt.run,
        str(attempt.key),
        attempt.partition or "",
        time_text(attempt.at),
        attempt.outcome,
        safe_text(attempt.message),
        None if attempt.because is None else str(attempt.because),
        safe_text(attempt.hint),
    )


def attempt(row: Row) -> Attempt:
    """Return the attempt of a row as `attempt_row` makes it."""
    run, key, partition, at, outcome, message, because, hint = row
    return Attempt(
        key=stored_key(key),
        partition=partition or None,
        run=run,
        at=datetime.fromisoformat(at),
        outcome=outcome,
        message=message,
        because=None if because is None else stored_key(because),
        hint=hint,
    )


def run_row(run: RunInfo, options: str | None = None) -> Row:
    """Return (id, state, started, finished, assets, options, process, host, priority); `options` may be JSON."""
    return (
        run.id,
        run.state,
        time_text(run.started),
        None if run.finished is None else time_text(run.finished),
        _dumps(run.assets),
        _dumps(run.options) if options is None else options,
        run.process,
        run.host,
        run.priority,
    )


def run_info(row: Row) -> RunInfo:
    """Return the run of a row as `run_row` makes it, with JSON of what was pruned of it behind, if anything was."""
    run_id, state, started, finished, assets, options, process, host, priority, *more = row
    pruned = json.loads(more[0]) if more and more[0] else {}
    return RunInfo(
        id=run_id,
        state=state,
        started=datetime.fromisoformat(started),
        finished=None if finished is None else datetime.fromisoformat(finished),
        assets=tuple(map(stored_key, json.loads(assets))),
        options=json.loads(options) or {},
        process=process,
        host=host,
        pruned={what: datetime.fromisoformat(at) for what, at in pruned.items()},
        priority=priority,
    )


def time_text(at: datetime) -> str:
    """Return a time as ISO 8601 in UTC; one without a zone is taken as UTC.

    >>> time_text(datetime(2026, 1, 2, 3, 4, 5))
    '2026-01-02T03:04:05+00:00'
    """
    if at.tzinfo is not UTC:
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.isoformat()


class _Field(NamedTuple):
    name: str
    json_name: str
    default: Any


@cache
def _fields(kind: Any) -> tuple[_Field, ...]:
    return tuple(
        _Field(
            field.name, kind.json_names.get(field.name, field.name), None if field.default is MISSING else field.default
        )
        for field in fields(kind)
    )


def _event_text(event: Event) -> str:
    body: dict[str, Any] = {"event": event.name}
    kind: Any = type(event)
    for name, json_name, default in _fields(kind):
        value = getattr(event, name)
        if value is not default and value != {}:
            body[json_name] = _column_texts(value) if name == "columns" else value
    return _dumps(body)


def _event(text: str) -> Event:
    try:
        return from_json(Event, json.loads(text))
    except TypeError:
        # A newer assetry may know more events than this one; their record is shown as it stands.
        return Log(text, "debug")


def _lenient(value: Any) -> Any:
    """Make JSON of what `json` does not know: our own values, numbers of other libraries, else text."""
    if isinstance(value, Mapping):
        return dict(value)
    number = getattr(value, "item", None)
    if callable(number) and getattr(value, "ndim", None) == 0:
        return number()
    try:
        return to_json(value)
    except TypeError:
        return str(value)


_decode = json.JSONDecoder().raw_decode
_encode = json.JSONEncoder(separators=(",", ":"), default=_lenient).encode


def _dumps(value: Any) -> str:
    try:
        return _encode(value)
    except TypeError:
        return _encode(_text_keys(value))


def _text_keys(value: Any) -> Any:
    """Make every key of the mappings in `value` text, as JSON wants them."""
    if isinstance(value, Mapping):
        return {str(key): _text_keys(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_text_keys(item) for item in value]
    return value


def safe_text(text: str | None) -> str | None:
    r"""Return `text` with what is not Unicode (undecodable bytes of a tool's output) written out.

    >>> safe_text("caf\udce9")
    'caf\\udce9'
    """
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@lru_cache(maxsize=200_000)
def stored_key(text: str) -> AssetKey:
    """Return the key that was written as `text`: it was checked then, and a status reads tens of thousands."""
    return str.__new__(AssetKey, text)


def _column_texts(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """Return columns as `to_json` does, at a tenth of its cost: they are most of what a record holds."""
    texts = []
    for name, type_, description, tags in columns:
        text: dict[str, Any] = {"name": name}
        if type_ is not None:
            text["type"] = type_
        if description:
            text["description"] = description
        if tags:
            text["tags"] = tags
        texts.append(text)
    return texts


def _column(data: dict[str, Any]) -> Column:
    if "description" in data or "tags" in data:
        return Column(data["name"], data.get("type"), data.get("description", ""), tuple(data.get("tags", ())))
    return _plain_column(data["name"], data.get("type"))


@lru_cache(maxsize=10_000)
def _plain_column(name: str, type_: str | None) -> Column:
    # The same few thousand columns come back in asset after asset; one value of each is enough.
    return Column(name, type_)
