"""Runs as SQL: which there are, who carries them out, and what each may make until when.

What a run has begun or leased is its own until it ends or its process is gone. The next reader sees that, and records
the run as interrupted: from then on what that process still writes is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from assetry.errors import ConflictError, LeaseLostError, StoreError, UsageError
from assetry.store import encoding as rows
from assetry.store.database import Database
from assetry.store.leases.processes import hostname, is_alive, process_of
from assetry.store.materializations import next_revision
from assetry.types.codec import from_json, to_json
from assetry.types.keys import AssetKey
from assetry.types.leases import (
    HeldLease,
    Lease,
    Leased,
    LeasedParts,
    QueuedRun,
    WantedLeases,
    lease_lost,
    meeting,
    rank,
)
from assetry.types.records import INTERRUPTED, Process, RunInfo, RunState

if TYPE_CHECKING:
    import sqlite3

_RUN = "id, state, started, finished, assets, options, process, host, priority"
_GONE = f"{INTERRUPTED}process that was making it is gone"
#: The options of a run that has leased and not begun: it has done nothing, so when it ends there is nothing to retry.
_STARTING = "null"
_LIVES = "state IN ('running', 'queued')"
_LIVING = f"SELECT id, owner, expires FROM runs WHERE {_LIVES}"
#: Runs of this process that have ended and whose end could not be written, by file: they are over all the same.
_UNWRITTEN = set[tuple[str, str]]()
_NEW = f"INSERT INTO runs ({_RUN}, owner, expires, definitions) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"


def utc_now() -> datetime:
    """Return what the clock of this machine says."""
    return datetime.now(UTC)


class SQLRuns:
    """Runs, and what they have leased, in the tables of a `Database`.

    A run on a machine that cannot be looked at is taken for gone when its lease, of `length`, has not been renewed; all
    by `clock`.
    """

    def __init__(self, database: Database, length: timedelta, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._length = length
        self._now = clock

    # -- what there is -------------------------------------------------------------------------------------------

    def runs(
        self,
        limit: int | None = None,
        *,
        running: bool = False,
        interrupted: bool = False,
        backfill: str | None = None,
    ) -> list[RunInfo]:
        """Return runs, newest first. A run whose process is gone is recorded as interrupted first."""
        self._reap()
        terms, values = [f"{_LIVES} AND state = 'running'" if running else "state <> 'queued'"], list[str | int]()
        terms += ["state = 'interrupted'"] if interrupted else []
        if backfill is not None:
            # By its text at first, since SQLite reads no JSON with NaN in it, as options may have.
            terms.append("instr(options, ?) > 0")
            values.append(json.dumps(backfill))
        asked = f"SELECT {_RUN}, pruned FROM runs WHERE {' AND '.join(terms)} ORDER BY number DESC LIMIT ?"
        found = self._database.read(asked, *values, -1 if limit is None or backfill is not None else limit)
        runs = [rows.run_info(row) for row in found]
        if backfill is not None:
            runs = [each for each in runs if each.backfill == backfill][:limit]
        return runs

    def run(self, run_id: str) -> RunInfo | None:
        """Return one run, by its id or a unique beginning of it; raise `UsageError` when several begin so."""
        self._reap()
        if not run_id:
            return None
        found = self._database.read(f"SELECT {_RUN}, pruned FROM runs WHERE id = ?", run_id)
        if not found:
            found = self._database.read(
                f"SELECT {_RUN}, pruned FROM runs WHERE substr(id, 1, ?) = ? ORDER BY number DESC LIMIT 6",
                len(run_id),
                run_id,
            )
        if len(found) > 1:
            raise UsageError(
                f"Several runs begin with {run_id!r}.", near=[row[0] for row in found], hint="Give more of the id."
            )
        return rows.run_info(found[0]) if found else None

    def owner(self, run_id: str) -> Process | None:
        """Return who carries out, or carried out, a run; None when there is no such run."""
        found = self._database.read("SELECT owner FROM runs WHERE id = ?", run_id)
        return from_json(Process, json.loads(found[0][0])) if found else None

    def leases(self) -> tuple[HeldLease, ...]:
        """Return what living runs have leased."""
        self._reap()
        return tuple(
            HeldLease(rows.stored_key(key), run, _parts(parts))
            for key, run, parts in self._database.read("SELECT key, run, parts FROM leases ORDER BY key, run")
        )

    # -- to its beginning ----------------------------------------------------------------------------------------

    def lease(self, run_id: str, wanted: WantedLeases, *, priority: int = 0) -> Leased:
        """Lease assets, or partitions of them, to a run until it ends or is gone: all of it, or nothing.

        A run may lease before it begins: it is recorded as starting, and forgotten when it ends before it has begun.
        What it had leased before, it has no more.
        """
        with self._database.write() as db:
            self._reap_in(db)
            asked = "SELECT key, run, parts FROM leases WHERE key IN (SELECT value FROM json_each(?)) AND run <> ?"
            others = db.execute(asked, (json.dumps(list(wanted)), run_id))
            held = meeting(wanted, (HeldLease(rows.stored_key(key), run, _parts(text)) for key, run, text in others))
            held = held or self._ahead(db, run_id, wanted)
            if held:
                return Leased(None, held)
            self._start(db, run_id, tuple(wanted), priority)
            db.execute("DELETE FROM leases WHERE run = ?", (run_id,))
            # Mostly a few sets of partitions are those of all assets.
            texts = {name: _parts_text(parts) for name, parts in {id(each): each for each in wanted.values()}.items()}
            db.executemany(
                "INSERT OR REPLACE INTO leases VALUES (?,?,?)",
                [(str(key), run_id, texts[id(parts)]) for key, parts in wanted.items()],
            )
            return Leased(self._granted(db, run_id))

    def _start(self, db: sqlite3.Connection, run_id: str, keys: tuple[AssetKey, ...], priority: int) -> None:
        """Record a run that has not begun, unless it is under way; it waits no more, and goes on if it had ended.

        From now on it is the newest: what it makes is made after all that was recorded until now.
        """
        run = RunInfo(id=run_id, state="running", started=self._now(), assets=keys, priority=priority)
        run = replace(run, process=os.getpid(), host=hostname())
        db.execute(
            f"{_NEW} ON CONFLICT (id) DO UPDATE SET state = 'running', finished = NULL, wanted = NULL,"
            " process = excluded.process, host = excluded.host, owner = excluded.owner,"
            " options = CASE state WHEN 'queued' THEN excluded.options ELSE options END WHERE state <> 'running'",
            self._new(run, _STARTING),
        )
        if keys:
            newest = "(SELECT max(number) FROM runs)"
            db.execute(f"UPDATE runs SET number = {newest} + 1 WHERE id = ? AND number < {newest}", (run_id,))

    def _new(self, run: RunInfo, options: str | None = None) -> tuple[Any, ...]:
        """Return what `_NEW` takes."""
        return (*rows.run_row(run, options), _json(_owner(run)), self._expiry()[1], run.definitions)

    # -- waiting -------------------------------------------------------------------------------------------------

    def enqueue(self, run: RunInfo, wanted: WantedLeases) -> Lease:
        """Record that a run waits until it can lease what it wants."""
        texts = json.dumps({str(key): _parts_text(parts) for key, parts in wanted.items()})
        with self._database.write() as db:
            self._reap_in(db)
            found = db.execute("SELECT state, token, owner FROM runs WHERE id = ?", (run.id,)).fetchone()
            if found is not None and found[0] == "queued" and found[2] != _json(_owner(run)):
                raise _elsewhere(run.id, from_json(Process, json.loads(found[2])))
            db.execute(
                f"{_NEW} ON CONFLICT (id) DO UPDATE SET assets = excluded.assets WHERE state = 'queued'",
                self._new(replace(run, state="queued")),
            )
            db.execute("UPDATE runs SET wanted = ? WHERE id = ? AND state = 'queued'", (texts, run.id))
            if found is not None and found[0] == "queued":
                return self._as_lease(run.id, found[1], self._expiry()[0])
            return self._granted(db, run.id)

    def queue(self) -> tuple[QueuedRun, ...]:
        """Return the runs that wait, the first first."""
        self._reap()
        found = self._database.read(f"SELECT {_RUN}, pruned, wanted FROM runs WHERE {_LIVES} AND state = 'queued'")
        return _in_order(found, self._now())

    def _ahead(self, db: sqlite3.Connection, run_id: str, wanted: WantedLeases) -> tuple[HeldLease, ...]:
        """Return what of the same those want who wait, and come before a run that waits."""
        found = db.execute(f"SELECT {_RUN}, pruned, wanted FROM runs WHERE {_LIVES} AND state = 'queued'").fetchall()
        if run_id not in (row[0] for row in found):
            return ()
        before = takewhile(lambda each: each.run.id != run_id, _in_order(found, self._now()))
        theirs = (HeldLease(key, run.id, parts) for run, own in before for key, parts in own.items())
        return meeting(wanted, theirs)

    def prioritize(self, run_id: str, priority: int) -> None:
        """Give a run that waits or goes on, and what it waits for, another class."""
        with self._database.write() as db:
            db.execute(f"UPDATE runs SET priority = ? WHERE id = ? AND {_LIVES}", (priority, run_id))
            db.execute("UPDATE slots SET priority = ? WHERE run = ?", (priority, run_id))

    # -- to its end ----------------------------------------------------------------------------------------------

    def begin(self, run: RunInfo, lease: Lease | None = None) -> Lease:
        """Record that a run starts, or that this process goes on with it; its state is ``running``."""
        with self._database.write() as db:
            if lease is not None:
                self._check_starting(db, lease)
            db.execute(
                f"{_NEW} ON CONFLICT (id) DO UPDATE SET state='running', finished=NULL, started=excluded.started,"
                " assets=excluded.assets, options=excluded.options, process=excluded.process, host=excluded.host,"
                " owner=excluded.owner, expires=excluded.expires, definitions=excluded.definitions",
                self._new(replace(run, state="running")),
            )
            return self._granted(db, run.id) if lease is None else lease

    def renew(self, lease: Lease) -> Lease:
        """Let a lease expire later, by the clock of this store; raise `LeaseLostError` when its run no longer has it.

        One that has expired is had as long as nobody has looked.
        """
        with self._database.write() as db:
            self._check(db, lease)
            at, text = self._expiry()
            db.execute("UPDATE runs SET expires = ? WHERE id = ?", (text, lease.run))
        return self._as_lease(lease.run, lease.token, at)

    def finish(self, run_id: str, state: RunState, at: datetime, *, lease: Lease | None = None) -> None:
        """Record how a run ended, and release what it had leased; what it still was making counts as failed.

        Where that cannot be written, it counts as gone for all that this process does later.
        """
        try:
            with self._database.write() as db:
                if lease is not None:
                    self._check(db, lease)
                _end(db, run_id, state, rows.time_text(at), f"{state}: the run ended before it was made")
        except StoreError:
            _UNWRITTEN.add(self._place(run_id))
            raise
        _UNWRITTEN.discard(self._place(run_id))

    # -- inside --------------------------------------------------------------------------------------------------

    def _granted(self, db: sqlite3.Connection, run_id: str) -> Lease:
        """Give a run a new lease: with it, what was written with an earlier one is refused from now on."""
        _UNWRITTEN.discard(self._place(run_id))
        token = next_revision(db)
        at, text = self._expiry()
        db.execute("UPDATE runs SET token = ?, expires = ? WHERE id = ?", (token, text, run_id))
        return self._as_lease(run_id, token, at)

    def _as_lease(self, run_id: str, token: int, expires: datetime) -> Lease:
        if self._database.path is None:
            return Lease(run_id, token)  # it ends with this process, which sees itself
        return Lease(run_id, token, expires, self._length.total_seconds())

    def _expiry(self) -> tuple[datetime, str]:
        at = self._now() + self._length
        return at, rows.time_text(at)

    def _check(self, db: sqlite3.Connection, lease: Lease) -> None:
        """Raise unless a run is running, and with this lease."""
        found = db.execute("SELECT state, token, expires FROM runs WHERE id = ?", (lease.run,)).fetchone()
        if found is None:
            # With a file that was removed went what was recorded before.
            where = self._database.path or "the store"
            raise StoreError(
                f"The records of run {lease.run} are gone: {where} was removed or replaced while the run went on.",
                hint="What it made is there, but not recorded: run it again.",
            )
        state, token, expires = found
        if state not in ("running", "queued") or token != lease.token:
            raise self._lost(lease, state, datetime.fromisoformat(expires))

    def _check_starting(self, db: sqlite3.Connection, lease: Lease) -> None:
        """Do as `_check` of a run that has leased: of one that is taken for gone before it begins nothing is left."""
        if db.execute("SELECT 1 FROM runs WHERE id = ?", (lease.run,)).fetchone() is None:
            raise lease_lost(lease.run, " before it had begun: its process was taken for gone")
        self._check(db, lease)

    def _lost(self, lease: Lease, state: str, expires: datetime) -> LeaseLostError:
        """Return why a run has its lease no more; it is in `state` now, and the last one would expire then."""
        if state == "running":
            return lease_lost(lease.run, ": another process goes on with it")
        if state != "interrupted":
            return lease_lost(lease.run, f": it has ended already, as {state}")
        if expires > self._now():
            return lease_lost(lease.run, ": its process was taken for gone")
        silence = f"it had given no sign of life for {self._length.total_seconds():.0f} s"
        return lease_lost(lease.run, f" at {expires.astimezone():%H:%M:%S}: {silence}")

    def _reap(self) -> None:
        """Record the runs whose process is gone as interrupted."""
        if self._gone(self._database.read(_LIVING)):
            # Where nothing may be written, what stands there can still be read.
            with suppress(StoreError), self._database.write() as db:
                self._reap_in(db)

    def _reap_in(self, db: sqlite3.Connection) -> None:
        living = db.execute(_LIVING).fetchall()
        expiring = {run_id: expires for run_id, _, expires in living}
        for run_id in self._gone(living):
            last = db.execute("SELECT at FROM events WHERE run = ? ORDER BY id DESC LIMIT 1", (run_id,)).fetchone()
            # Its last sign of life: what it recorded, or that its lease was renewed.
            renewed = rows.time_text(datetime.fromisoformat(expiring[run_id]) - self._length)
            _end(db, run_id, "interrupted", max(renewed, last[0]) if last else rows.time_text(self._now()), _GONE)

    def _place(self, run_id: str) -> tuple[str, str]:
        return str(self._database.path or ""), run_id

    def _gone(self, living: Sequence[Sequence[Any]]) -> list[str]:
        gone = []
        for run_id, owner, expires in living:
            alive = False if self._place(run_id) in _UNWRITTEN else is_alive(from_json(Process, json.loads(owner)))
            if alive is None:
                alive = datetime.fromisoformat(expires) > self._now()
            if not alive:
                gone.append(run_id)
        return gone


def _end(db: sqlite3.Connection, run_id: str, state: str, at: str, message: str) -> None:
    db.execute("DELETE FROM runs WHERE id = ? AND (options = ? OR state = 'queued')", (run_id, _STARTING))
    db.execute("UPDATE runs SET state = ?, finished = ? WHERE id = ?", (state, at, run_id))
    db.execute("DELETE FROM leases WHERE run = ?", (run_id,))
    db.execute("DELETE FROM slots WHERE run = ?", (run_id,))
    db.execute(
        "UPDATE attempts SET outcome = 'failed', message = ? WHERE run = ? AND outcome = 'running'", (message, run_id)
    )


def _in_order(found: Iterable[Sequence[Any]], now: datetime) -> tuple[QueuedRun, ...]:
    """Return the runs of rows, with what each wants, the first first."""
    queued = [
        QueuedRun(
            rows.run_info(tuple(row)),
            {rows.stored_key(key): _parts(text) for key, text in json.loads(wanted or "{}").items()},
        )
        for *row, wanted in found
    ]
    return tuple(sorted(queued, key=lambda each: (*rank(each.run.priority, each.run.started, now), each.run.id)))


def _parts_text(parts: LeasedParts | None) -> str | None:
    """Return leased partitions as JSON; by hand, because there may be thousands of ranges."""
    return None if parts is None else json.dumps({"grid": parts.grid, "ranges": dict(parts.ranges)})


@lru_cache(maxsize=1000)
def _parts(text: str | None) -> LeasedParts | None:
    """Return leased partitions as `_parts_text` writes them."""
    if text is None:
        return None
    found = json.loads(text)
    return LeasedParts(found["grid"], {name: tuple(map(tuple, own)) for name, own in found["ranges"].items()})


def _elsewhere(id_: str, owner: Process) -> ConflictError:
    """Return the error of what another process carries out under the same id."""
    host = owner.host.partition("/")[0]
    return ConflictError(
        f"{id_} is carried out by process {owner.pid} on {host} already.",
        hint=f"`assetry queue` shows it; `assetry cancel {id_}` stops it.",
    )


def _owner(run: RunInfo) -> Process:
    """Return who carries out `run`: this process, another one here, or one on a machine that cannot be seen."""
    if run.process in (0, os.getpid()) or run.host in ("", hostname()):
        return process_of(run.process or os.getpid())
    return Process(run.process, run.host)


def _json(value: Any) -> str:
    return json.dumps(to_json(value), separators=(",", ":"))
