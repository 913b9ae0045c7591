"""How far each stream has been read: kept beside the project, and only once the rows are in their table.

Most connectors keep a state for each stream; some keep one for all of them together (`shared`), which is of use only to
the very streams that it was kept for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from assetry.plugin import RunError
from assetry_toolkit.files import locked, write_whole

from assetry_airbyte.local.catalog import Stream
from assetry_airbyte.local.json_text import read, written
from assetry_airbyte.local.protocol import StreamId, section, stream_id


@dataclass(frozen=True, slots=True)
class StreamState:
    """What is known of one stream's table.

    `state` is the connector's own; None for a stream that is read whole. `version` is the data version of the table,
    `widened` the fields that hold more than the schema says, `how` the way it was read: a state serves only that.
    `names` are the columns of the fields.
    """

    state: Any = None
    version: str | None = None
    widened: Mapping[str, str] = field(default_factory=dict)
    how: Any = None
    names: Mapping[str, str] = field(default_factory=dict)


def how(stream: Stream) -> list[Any]:
    """Return the way a stream is read; when it changes, the state of another way is of no use."""
    return [stream.sync_mode, list(stream.cursor), [list(path) for path in stream.keys]]


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept of one connector.

    >>> Kept().of(StreamId("users")).state is None
    True
    """

    streams: Mapping[str, StreamState] = field(default_factory=dict)
    #: The messages of a state for several streams together, and the names of these.
    shared: tuple[Any, ...] = ()
    shared_by: tuple[str, ...] = ()

    def of(self, id_: StreamId) -> StreamState:
        """Return what is kept of a stream."""
        return self.streams.get(_name(id_), StreamState())


def _name(id_: StreamId) -> str:
    # A JSON list: a dot may stand in names.
    return json.dumps([id_.namespace, id_.name])


class StateFile:
    """The file with the state of one connector; changed as a whole, by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Kept:
        """Return what is kept; raise `RunError` when the file cannot be understood: it is never taken for nothing."""
        try:
            found = read(self.path.read_bytes())
            streams = {name: _stream_state(each) for name, each in found["streams"].items()}
            shared = section(found, "shared")
            return Kept(streams, tuple(shared.get("messages", ())), tuple(shared.get("streams", ())))
        except FileNotFoundError:
            return Kept()
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise RunError(
                f"The state of the connector cannot be read: {type(error).__name__}: {error}.",
                where=str(self.path),
                hint="Put the file right; or remove it, and everything is read anew.",
            ) from error

    def change(self, change: Callable[[Kept], Kept]) -> None:
        """Replace what is kept by what `change` makes of it; on the disk when this returns."""
        with locked(self.path.with_suffix(".lock")):
            content = written(_document(change(self.read())))
            write_whole(self.path, msgspec.json.format(content, indent=1), durable=True)

    def commit(self, id_: StreamId, state: StreamState) -> None:
        """Keep what is known of one stream."""
        self.change(lambda kept: Kept({**kept.streams, _name(id_): state}, kept.shared, kept.shared_by))

    def commit_shared(self, messages: Iterable[Any], ids: Iterable[StreamId]) -> None:
        """Keep a state for several streams together."""
        shared, names = tuple(messages), tuple(sorted(map(_name, ids)))
        self.change(lambda kept: Kept(kept.streams, shared, names))

    def forget(self, id_: StreamId) -> None:
        """Forget how far a stream was read, so that it is read anew; a shared state goes with it."""

        def without(kept: Kept) -> Kept:
            streams = {**kept.streams, _name(id_): StreamState(names=kept.of(id_).names)}
            shared = _name(id_) in kept.shared_by
            return Kept(streams, () if shared else kept.shared, () if shared else kept.shared_by)

        self.change(without)


def _stream_state(found: Mapping[str, Any]) -> StreamState:
    widened, names = dict(found.get("widened") or {}), dict(found.get("names") or {})
    return StreamState(found.get("state"), found.get("version"), widened, found.get("how"), names)


def _document(kept: Kept) -> dict[str, Any]:
    streams = {
        name: {
            "state": each.state,
            "version": each.version,
            "widened": dict(each.widened),
            "how": each.how,
            "names": dict(each.names),
        }
        for name, each in kept.streams.items()
    }
    return {"version": 1, "streams": streams, "shared": {"streams": kept.shared_by, "messages": kept.shared}}


class Resumption:
    """From where each stream is read: which state the connector is given, and which tables go on growing.

    Raises `RunError` for a shared state that was kept for other streams than those that are to be read now.
    """

    def __init__(self, kept: Kept, streams: Iterable[Stream], full_refresh: bool) -> None:
        self.notes: list[str] = []
        self.messages: list[Any] = []
        self._continuing: set[StreamId] = set()
        incremental = [] if full_refresh else [stream for stream in streams if stream.incremental]
        if kept.shared and incremental:
            self._share(kept, incremental)
        for stream in incremental:
            self._follow(kept.of(stream.id), stream)

    def continues(self, id_: StreamId) -> bool:
        """Tell whether a stream is read from where it ended, and its table grows."""
        return id_ in self._continuing

    def _follow(self, known: StreamState, stream: Stream) -> None:
        if known.state is None:
            return
        if known.how != how(stream):
            self.notes.append(
                f"{stream.id} was read as {_told(known.how)} before and is now read as {_told(how(stream))}: "
                "it is read anew, and its table replaced."
            )
            return
        if stream.id not in self._continuing:
            self._continuing.add(stream.id)
            descriptor = {"name": stream.id.name, "namespace": stream.id.namespace}
            descriptor = {name: value for name, value in descriptor.items() if value is not None}
            body = {"stream_descriptor": descriptor, "stream_state": known.state}
            self.messages.append({"type": "STREAM", "stream": body})

    def document(self) -> Any:
        """Return what the connector is given as its state; None when it reads everything anew."""
        if len(self.messages) == 1 and "data" in self.messages[0] and "global" not in self.messages[0]:
            return self.messages[0]["data"]  # the form of old connectors
        return self.messages or None

    def _share(self, kept: Kept, incremental: Sequence[Stream]) -> None:
        asked = {_name(stream.id): stream for stream in incremental}
        otherwise = [stream for stream in incremental if kept.of(stream.id).how != how(stream)]
        if set(asked) == set(kept.shared_by) and otherwise:
            self.notes.append(f"{otherwise[0].id} is read in another way than before: everything is read anew.")
        elif set(asked) == set(kept.shared_by):
            self.messages += kept.shared
            self._continuing.update(stream.id for stream in asked.values())
        elif set(asked) & set(kept.shared_by):
            raise RunError(
                "The connector keeps one state for several streams together, and the one that is kept is of other "
                f"streams ({_names(kept.shared_by)}) than are to be read ({_names(asked)}).",
                hint="Run them together; or read these anew with --full-refresh.",
            )


def _names(names: Iterable[str]) -> str:
    return ", ".join(json.loads(name)[1] for name in sorted(names))


def _told(way: Any) -> str:
    try:
        mode, cursor, keys = way
        more = [f"cursor {'.'.join(cursor)}"] if cursor else []
        more += [f"key {', '.join('.'.join(path) for path in keys)}"] if keys else []
        return f"{mode} ({'; '.join(more)})" if more else str(mode)
    except (TypeError, ValueError):
        return "something else"


@dataclass(slots=True)
class Heard:
    """The states that a connector reports while it is read; the last of each stream counts."""

    streams: dict[StreamId, Any] = field(default_factory=dict)
    shared: Any = None

    def take(self, state: Any) -> None:
        """Take a STATE message.

        >>> heard = Heard()
        >>> heard.take({"type": "STREAM", "stream": {"stream_descriptor": {"name": "a"}, "stream_state": {"at": 1}}})
        >>> heard.streams
        {StreamId(name='a', namespace=None): {'at': 1}}
        """
        said = section(state)
        if said.get("type") == "STREAM" or "stream" in said:
            id_ = stream_id(section(said, "stream", "stream_descriptor"))
            if id_ is not None:
                self.streams[id_] = section(said, "stream").get("stream_state")
        elif said:
            # GLOBAL, or the one blob of old connectors. Statistics are for the one who moves the rows, not for it.
            drop = ("sourceStats", "destinationStats")
            self.shared = {name: value for name, value in said.items() if name not in drop}
