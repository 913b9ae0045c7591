"""Reading: what a connector says, turned into events, tables and states, stream by stream.

A stream whose connector says that it is complete is loaded at once, while the others go on; only the last one waits
for the connector's exit code, so that one which fails after all is never taken for a success.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from shlex import quote
from typing import Any, Protocol

from assetry.plugin import (
    Asset,
    AssetryError,
    Event,
    Failed,
    Log,
    Materialized,
    NothingKeptError,
    Progress,
    Rows,
    Saved,
    Started,
)
from assetry_toolkit.commands import Block, LogLimit, ending, plain
from assetry_toolkit.secrets import Mask

from assetry_airbyte.local.catalog import Stream
from assetry_airbyte.local.counts import Count
from assetry_airbyte.local.protocol import (
    Complaint,
    Garbage,
    Message,
    StreamId,
    read_complaint,
    read_log,
    read_messages,
    section,
    stream_id,
    text,
)
from assetry_airbyte.local.spool import BATCH, Form, Spool
from assetry_airbyte.local.state import Heard, Resumption, StateFile, StreamState, how

#: Seconds between two events about the progress of a stream.
TICK = 0.5
#: Lines that are not messages, and kept whole; of those after that only the number is told.
TOLD_LINES = 200
_LONGEST_LINE = 2000


class Saving(Protocol):
    """What saves the rows of an asset: `RunContext.save`."""

    def __call__(self, key: Any, value: Any) -> Saved:
        """Save the rows."""


@dataclass(slots=True)
class Target:
    """One stream, from its start to its table."""

    asset: Asset
    stream: Stream
    spool: Spool
    known: StreamState
    continues: bool
    status: str = ""
    started: bool = False
    ended: bool = False
    total: float | None = None
    told: float = 0.0
    complaints: list[Complaint] = field(default_factory=list)
    count: Count = field(default_factory=Count)


@dataclass(frozen=True, slots=True)
class Load:
    """What one reading is to do: which streams, from which state, with what kept where.

    `counted` fails a stream of which fewer records came than the connector counted; else that is a warning.
    """

    assets: Sequence[tuple[Asset, Stream]]
    resumption: Resumption
    states: StateFile
    folder: Path
    save: Saving
    mask: Mask
    extracted_at: datetime | None = None
    full_refresh: bool = False
    counted: bool = True


class Reading:
    """The output of a connector, and the events that follow from it."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._states = load.states
        self._mask = load.mask
        self._heard = Heard()
        self._general: list[Complaint] = []
        #: Lines that are not messages, and how many of them are records that cannot be read.
        self._limit, self._lost = LogLimit(TOLD_LINES, "the connector's output"), 0
        self._unknown: set[StreamId] = set()
        #: Where rows go that were not asked for, and how many went there.
        self._nowhere: list[dict[str, Any]] = []
        self._left_out = 0
        #: The records of all streams together, for states that are of all of them.
        self._count = Count()
        #: Whether the connector says of its streams when they are complete; old ones do not.
        self._speaks = False
        kept = load.states.read()
        self._targets: dict[StreamId, Target] = {}
        for number, (asset, stream) in enumerate(load.assets):
            known = kept.of(stream.id)
            widened = {} if load.full_refresh else known.widened
            form = Form({**stream.kinds(), **widened}, stream.merged_by(), known.names, load.extracted_at)
            spool = Spool(load.folder / str(number), form)
            continues = load.resumption.continues(stream.id)
            self._targets[stream.id] = Target(asset, stream, spool, known, continues)

    # -- what it says --------------------------------------------------------------------------------------------

    def take(self, block: Block) -> Iterator[Event]:
        """Take a block of output; yield what it tells."""
        if block.stream == "err":
            for line in block.data.decode("utf-8", "replace").splitlines():
                yield from self._line(line, "debug")
        elif block.stream == "out":
            yield from self._messages(read_messages(block.data))
        yield from self._progress()

    def _messages(self, messages: Iterable[Message | Garbage]) -> Iterator[Event]:
        name: tuple[str, str | None] | None = None
        add = self._nowhere.append
        for message in messages:
            record = message.record
            if record is None:
                yield from self._other(message)
                name = None  # it may have ended the stream
                continue
            # Every row comes by here, so this is all that is done with it.
            if name is None or record.stream != name[0] or record.namespace != name[1]:
                name = (record.stream, record.namespace)
                add = yield from self._place(StreamId(*name))
            add(record.data)
        self._left_out += len(self._nowhere)
        self._nowhere.clear()
        for target in self._targets.values():
            if len(target.spool.rows) >= BATCH:
                target.spool.flush()

    def _place(self, id_: StreamId) -> Generator[Event, None, Callable[[dict[str, Any]], None]]:
        """Return what takes the rows of a stream."""
        target = self._find(id_)
        if target is None:
            if id_ not in self._unknown:
                self._unknown.add(id_)
                yield Log(f"The connector sends rows of {id_}, which was not asked for; they are left out.", "warning")
            return self._nowhere.append
        if not target.started:
            yield from self._start(target)
        if target.ended:
            if id_ not in self._unknown:
                self._unknown.add(id_)
                told = f"The connector sends rows of {id_} after it said that it was complete; they are left out."
                yield Log(told, "warning", target.asset.key)
            return self._nowhere.append
        return target.spool.rows.append

    def _find(self, id_: StreamId) -> Target | None:
        """Return the stream that is meant; one without its namespace is found by its name, if that is one only."""
        target = self._targets.get(id_)
        if target is None and id_.namespace is None:
            same = [each for known, each in self._targets.items() if known.name == id_.name]
            target = same[0] if len(same) == 1 else None
        return target

    def _start(self, target: Target) -> Iterator[Event]:
        target.started = True
        yield Started(target.asset.key)

    def _other(self, message: Message | Garbage) -> Iterator[Event]:
        if isinstance(message, Garbage):
            self._lost += message.lost
            yield from self._line(message.text, "info")
        elif message.type == "STATE":
            yield from self._heard_of(message.state)
        elif message.type == "TRACE":
            yield from self._trace(message.trace)
        elif message.type == "LOG":
            said = read_log(message.log)
            yield Log(self._mask(said.text), said.level)
        elif message.type == "CONTROL":
            changed = ", ".join(section(message.control, "connectorConfig", "config")) or "something"
            yield Log(
                f"The connector wants its configuration changed ({changed}); assetry keeps none, so change it "
                "where it stands.",
                "warning",
            )
        elif message.type not in ("SPEC", "CATALOG", "CONNECTION_STATUS"):
            yield Log(f"The connector sent a message of unknown type {self._mask(message.type)}; ignored.", "debug")

    def _heard_of(self, state: Any) -> Iterator[Event]:
        self._heard.take(state)
        id_ = stream_id(section(state, "stream", "stream_descriptor"))
        if id_ is None and section(state).get("type") == "GLOBAL":
            rows = sum(each.spool.count for each in self._targets.values())
            self._count.take(state, rows + self._left_out + len(self._nowhere))
        target = self._find(id_) if id_ else None
        if target is not None:
            target.count.take(state, target.spool.count)
            if target.ended and target.count.lacking > 0:
                yield Log(f"{id_}: {target.count} before it was said to be complete.", "warning", target.asset.key)

    def _trace(self, trace: Any) -> Iterator[Event]:
        kind = section(trace).get("type")
        if kind == "ERROR":
            complaint = read_complaint(trace)
            target = self._find(complaint.stream) if complaint.stream else None
            (target.complaints if target else self._general).append(complaint)
            key = target.asset.key if target else None
            yield Log(self._mask("\n".join(filter(None, (complaint.text, complaint.detail)))), "error", key)
        elif kind == "STREAM_STATUS":
            status = section(trace, "stream_status")
            id_ = stream_id(section(status, "stream_descriptor"))
            target = self._find(id_) if id_ else None
            if target is not None:
                yield from self._status(target, str(status.get("status")).upper())
        elif kind == "ESTIMATE":
            self._estimate(section(trace, "estimate"))
        else:
            yield Log(f"The connector sent a trace of unknown type {self._mask(text(kind))}; ignored.", "debug")

    def _estimate(self, estimate: Mapping[str, Any]) -> None:
        id_, rows = stream_id(estimate), estimate.get("row_estimate")
        target = self._find(id_) if id_ else None
        if target is not None and isinstance(rows, (int, float)) and rows > 0:
            target.total = rows

    def _status(self, target: Target, status: str) -> Iterator[Event]:
        self._speaks = True
        if not target.started:
            yield from self._start(target)
        if target.ended or target.status in ("COMPLETE", "INCOMPLETE"):
            return
        target.status = status
        if status == "COMPLETE" and any(not each.ended for each in self._targets.values() if each is not target):
            yield from self._finish(target)

    def _line(self, line: str, level: Any) -> Iterator[Event]:
        # Before it is cut, which may go through a secret; and without what may stand in the middle of one.
        told = self._mask(plain(line))
        yield from self._limit.take(told if len(told) <= _LONGEST_LINE else told[:_LONGEST_LINE] + " …", level)

    def _progress(self) -> Iterator[Event]:
        now = time.monotonic()
        for target in self._targets.values():
            if target.started and not target.ended and target.spool.count and now - target.told >= TICK:
                target.told = now
                yield Progress(target.asset.key, target.spool.count, target.total)

    # -- how it ends ---------------------------------------------------------------------------------------------

    def end(self, returncode: int, errors: Sequence[str] = ()) -> Iterator[Event]:
        """Take the connector's end; yield how every stream came out that has not ended yet."""
        yield from self._limit.end()
        for target in self._targets.values():
            if target.ended:
                continue
            failure = self._failure(target, returncode, errors)
            if failure is not None:
                target.ended = True
                target.spool.discard()
                yield failure
                continue
            if not target.started:
                yield from self._start(target)
            yield from self._finish(target)
        if self._lost:
            yield Log(f"Records that are left out because they have no stream or no data: {self._lost}.", "warning")
        if self._count.lacking:
            yield Log(f"Of all streams together {self._count}.", "warning")
        if returncode == 0:
            self._keep_last_states()

    def _failure(self, target: Target, returncode: int, errors: Sequence[str]) -> Failed | None:
        """Return why a stream did not come out well; None when it did."""
        complaints = [*target.complaints, *self._general]
        if returncode == 0 and not complaints and (target.status == "COMPLETE" or not self._speaks):
            # Where nothing is said of streams, the exit code speaks for them.
            return self._miscounted(target, self._count) if self._count.lacking > 0 and self._load.counted else None
        if complaints:
            said = complaints[0]
            message = self._mask(said.text)
            return Failed(target.asset.key, message, self._advice(said), retryable=said.kind == "transient_error")
        if returncode == 0:
            message = f"The connector ended well, but it did not say that {target.stream.id} was complete."
            return Failed(target.asset.key, message, "Its log may tell why; then run `assetry retry`.", retryable=True)
        said_so = ", though it had said that the stream was complete" if target.status == "COMPLETE" else ""
        message = f"The connector {ending(returncode)}{said_so}."
        tail = self._mask("\n".join(errors))
        return Failed(target.asset.key, message, f"It wrote:\n{tail}" if tail else None, retryable=True)

    def _miscounted(self, target: Target, count: Count) -> Failed:
        message = f"{target.stream.id}: {count}. Nothing of it was loaded."
        hint = (
            "Run `assetry retry`: it is read again from where the last sync ended. If the connector is known to count "
            'wrongly, record_count = "warn" in its options takes what comes.'
        )
        return Failed(target.asset.key, message, hint, retryable=True)

    def _advice(self, complaint: Complaint) -> str:
        if complaint.kind == "config_error":
            return "Correct the connector's config, then run `assetry retry`."
        if complaint.kind == "transient_error":
            return "It may be over by now: run `assetry retry`."
        return "What was there before is still there; the run's log has the details."

    def _keep_last_states(self) -> None:
        """Keep what was reported after a stream was loaded, and a state for several streams together."""
        targets = [target for target in self._targets.values() if target.stream.incremental]
        if not all(target.ended and target.status == "LOADED" for target in targets):
            return
        if self._heard.shared is not None and targets:
            self._states.commit_shared([self._heard.shared], [target.stream.id for target in targets])

    # -- the table -----------------------------------------------------------------------------------------------

    def _finish(self, target: Target) -> Iterator[Event]:
        """Put the rows of a stream into its table, keep its state, and say so."""
        target.ended = True
        spool = target.spool
        spool.finish()
        for surprise in spool.surprises:
            yield Log(f"{target.stream.id}: {surprise}.", "warning", target.asset.key)
        refused = self._refusal(target)
        if refused is not None:
            target.status = "FAILED"
            spool.discard()
            yield refused
            return
        if target.count.lacking:
            yield Log(f"{target.stream.id}: {target.count}.", "warning", target.asset.key)
        if spool.partly_keyed:
            told = f"{target.stream.id}: {spool.partly_keyed} rows lack a part of their primary key ({_listed(target)})"
            yield Log(f"{told}; the rest of it tells them apart.", "warning", target.asset.key)
        yield Progress(target.asset.key, spool.count, spool.count)
        try:
            saved = self._load.save(target.asset.key, self._rows(target))
        except NothingKeptError:
            self._states.forget(target.stream.id)
            message = f"The table of {target.stream.id} is gone, so what came since the last sync is not enough."
            yield Failed(target.asset.key, message, "Run `assetry retry`: it is read anew from its beginning.", True)
            return
        except AssetryError as error:
            hint = error.hint
            if target.continues and spool.widened():
                anew = f"assetry materialize -s {quote(target.asset.key.selection)} --full-refresh"
                hint = f"{hint or ''} `{anew}` reads it anew.".strip()
            yield Failed(target.asset.key, self._mask(error.message), hint)
            return
        finally:
            if target.status != "LOADED":
                target.status = "FAILED"
        target.status = "LOADED"
        version = self._version(target, saved)
        self._states.commit(target.stream.id, self._state(target, version))
        spool.discard()
        facts = {**saved.metadata, "records": spool.count, "sync_mode": target.stream.sync_mode}
        if target.asset.grows == "append" and not target.continues:
            facts["epoch"] = version  # it was read from its beginning
        yield Materialized(target.asset.key, data_version=version, columns=saved.columns, metadata=facts)

    def _refusal(self, target: Target) -> Failed | None:
        """Return why rows that came are not loaded; None when they are."""
        if target.count.lacking > 0 and self._load.counted:
            return self._miscounted(target, target.count)
        lacking = target.spool.keyless
        if not lacking:
            return None
        message = (
            f"{lacking} {'row' if lacking == 1 else 'rows'} of {target.stream.id} came without a value of the primary "
            f"key ({_listed(target)}), by which rows are merged."
        )
        hint = (
            'Name columns that every row has (primary_key), or choose sync_mode = "incremental_append", which merges '
            "nothing. Nothing of it was loaded."
        )
        return Failed(target.asset.key, message, hint)

    def _rows(self, target: Target) -> Rows:
        stream, spool = target.stream, target.spool
        keys = tuple(spool.names[key] for key in stream.merged_by() if key in spool.names)
        cursor = stream.cursor[0] if keys and len(stream.cursor) == 1 else None
        newest = spool.names[cursor] if cursor in spool.kinds else None
        if stream.sync_mode == "full_refresh_append" and not self._load.full_refresh:
            return Rows(target.spool.open, "append")
        if not target.continues:
            return Rows(target.spool.open, "replace", keys, newest)
        return Rows(target.spool.open, "merge" if keys else "append", keys, newest, existing=True)

    def _version(self, target: Target, saved: Saved) -> str:
        """Return the version of the table: of what was put in, and of what it was put into."""
        version = target.spool.version()
        grows = target.continues or target.stream.sync_mode == "full_refresh_append"
        if not grows or self._load.full_refresh:
            return version
        before = target.known.version
        if before is not None and not saved.metadata.get("changed", 1):
            return before
        return blake2b(f"{before}\n{version}".encode(), digest_size=16).hexdigest()

    def _state(self, target: Target, version: str) -> StreamState:
        declared = target.stream.kinds()
        widened = {name: kind for name, kind in target.spool.kinds.items() if declared.get(name) != kind}
        reported = self._heard.streams.get(target.stream.id)
        if reported is None and target.stream.id.namespace is not None:
            reported = self._heard.streams.get(StreamId(target.stream.id.name))
        if reported is None and target.continues:
            reported = target.known.state
        state = reported if target.stream.incremental else None
        return StreamState(state, version, widened, how(target.stream), target.spool.names)


def _listed(target: Target) -> str:
    return ", ".join(target.stream.merged_by())
