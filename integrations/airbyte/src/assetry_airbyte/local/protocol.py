"""The messages of the Airbyte protocol, read tolerantly: one JSON object in a line, and lines that are not.

Records are nearly all of what a connector says, so they are decoded a block of lines at a time; whatever is unusual
in a block (no JSON, a lone surrogate, NaN, a field of another type) makes only that block go line by line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec
from assetry.plugin import paused_gc

from assetry_airbyte.local.json_text import has_long_numbers, number, read, without_special, written

Level = Literal["debug", "info", "warning", "error"]

_LEVELS: Mapping[str, Level] = {
    "FATAL": "error",
    "ERROR": "error",
    "WARN": "warning",
    "WARNING": "warning",
    # What a connector tells of its own work as it goes: events tell of that already.
    "INFO": "debug",
    "DEBUG": "debug",
    "TRACE": "debug",
}


class StreamId(NamedTuple):
    """A stream as the protocol names it: by its name, and a namespace that it may lack.

    >>> str(StreamId("users", "public")), str(StreamId("users"))
    ('public.users', 'users')
    """

    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}" if self.namespace else self.name


class Record(msgspec.Struct, gc=False):
    """One row of a stream."""

    stream: str
    data: dict[str, Any]
    namespace: str | None = None


class Message(msgspec.Struct):
    """One message: its type, and under the type's name what it says.

    What is not a record is kept as the plain JSON it was; the functions below read it.
    """

    type: str
    record: Record | None = None
    state: Any = None
    trace: Any = None
    log: Any = None
    catalog: Any = None
    spec: Any = None
    connectionStatus: Any = None  # noqa: N815 - the protocol's own name
    control: Any = None


class Garbage(NamedTuple):
    """A line that is not a message; `lost` is a record in it that cannot be read."""

    text: str
    lost: bool = False

    @property
    def record(self) -> None:
        """Return None, as of any message that is not a record."""


@lru_cache(maxsize=2)
def _decoder(exact: bool) -> msgspec.json.Decoder[Message]:
    return msgspec.json.Decoder(Message, float_hook=number if exact else None)


def read_messages(block: bytes, *, digits: bool = True) -> Sequence[Message | Garbage]:
    """Return the messages of a block of whole lines; `digits` keeps numbers that floating point does not hold.

    >>> [type(each).__name__ for each in read_messages(b'{"type": "LOG", "log": {}}\\nTraceback: no JSON\\n\\n')]
    ['Message', 'Garbage']
    """
    decoder = _decoder(digits and has_long_numbers(block))
    try:
        with paused_gc():
            return decoder.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [_read_line(line, decoder, digits) for line in block.split(b"\n") if line.strip()]


def _read_line(line: bytes, decoder: msgspec.json.Decoder[Message], digits: bool) -> Message | Garbage:
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    text = line.decode("utf-8", "replace").rstrip()
    try:
        found = read(text, digits=digits)
    except (ValueError, RecursionError):
        return Garbage(text)
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        return Garbage(text)
    record = found.get("record")
    if found["type"] == "RECORD":
        if not (isinstance(record, dict) and isinstance(record.get("data"), dict) and record.get("stream")):
            return Garbage(text, lost=True)
        namespace = record.get("namespace")
        name = None if namespace is None else str(namespace)
        data = {
            field: without_special(value) if isinstance(value, (dict, list)) else value
            for field, value in record["data"].items()
        }
        return Message("RECORD", Record(str(record["stream"]), data, name))
    known = {name: found.get(name) for name in Message.__struct_fields__ if name not in ("type", "record")}
    return Message(found["type"], **known)


def section(value: Any, *path: str) -> Mapping[str, Any]:
    """Return the object at a path of plain JSON; an empty one when anything on the way is missing or no object.

    >>> section({"a": {"b": {"c": 1}}}, "a", "b"), section({"a": 3}, "a", "b")
    ({'c': 1}, {})
    """
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    """Return a JSON value as text; what is missing is empty."""
    return "" if value is None else value if isinstance(value, str) else written(value).decode()


def stream_id(descriptor: Mapping[str, Any]) -> StreamId | None:
    """Return the stream that a descriptor (``{"name": …, "namespace": …}``) names; None when it names none."""
    name = descriptor.get("name")
    namespace = descriptor.get("namespace")
    return StreamId(str(name), None if namespace in (None, "") else str(namespace)) if name else None


class Spoken(NamedTuple):
    """A line of a connector's log."""

    level: Level
    text: str


def read_log(log: Any) -> Spoken:
    """Return a LOG message's level and text, its stack trace included.

    >>> read_log({"level": "WARN", "message": "slow"})
    Spoken(level='warning', text='slow')
    """
    said = section(log)
    trace = text(said.get("stack_trace"))
    return Spoken(
        _LEVELS.get(str(said.get("level")).upper(), "debug"),
        "\n".join(filter(None, (text(said.get("message")), trace))),
    )


class Complaint(NamedTuple):
    """A TRACE of type ERROR; `stream` is None when it is about all of them."""

    text: str
    detail: str
    kind: str
    stream: StreamId | None


def read_complaint(trace: Any) -> Complaint:
    """Return what a TRACE of type ERROR says.

    >>> read_complaint({"error": {"message": "No access", "failure_type": "config_error"}}).kind
    'config_error'
    """
    error = section(trace, "error")
    message, inner = text(error.get("message")).strip(), text(error.get("internal_message")).strip()
    return Complaint(
        message or inner or "The connector reported an error without a message.",
        inner if message else "",
        str(error.get("failure_type") or "system_error"),
        stream_id(section(error, "stream_descriptor")),
    )
