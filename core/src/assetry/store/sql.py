"""Records as SQL: what a store keeps, over a database that gives connections and transactions.

What a run has begun is its own until it ends or its process is gone. The next reader sees that, and records the run
as interrupted.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from assetry.errors import StoreError, UsageError
from assetry.gc_pause import paused_gc
from assetry.partitions.key_table import KeyTable
from assetry.store import encoding as rows
from assetry.store.accepted import AcceptedRecords
from assetry.store.database import Database
from assetry.store.definitions import DefinitionRecords
from assetry.store.forgetting import FORGOTTEN, ForgottenRecords
from assetry.store.heartbeat import Heartbeat
from assetry.store.looks import DURATIONS, LOOK, append_durations, append_looks, durations_by_key, look
from assetry.store.materializations import LATEST, LATEST_SINCE, append_materializations
from assetry.store.partition_keys import KEYS, change_keys, key_tables
from assetry.store.processes import hostname, is_alive, process_of
from assetry.store.pruning import prune
from assetry.types.codec import from_json, to_json
from assetry.types.events import Checked
from assetry.types.keys import AssetKey
from assetry.types.protocols import Attempts, EventRecords, Materializations
from assetry.types.records import (
    Attempt,
    Changes,
    ClaimedParts,
    EventRecord,
    KeptHistory,
    Look,
    Looks,
    Materialization,
    Process,
    PrunedHistory,
    RunInfo,
    RunState,
    Verdicts,
    job_tokens,
)

if TYPE_CHECKING:
    import sqlite3

_RUN = "id, state, started, finished, assets, options, process, host"
_ATTEMPT = "a.run, a.key, a.partition, a.at, a.outcome, a.message, a.because"
#: What was only skipped was not tried: it takes the place of nothing that failed, was cancelled or is gone.
_LAST_TRY = """
INSERT INTO latest (attempt, key, partition) VALUES (?,?,?)
ON CONFLICT DO UPDATE SET attempt = excluded.attempt WHERE NOT EXISTS (
    SELECT 1 FROM attempts o JOIN attempts n USING (key, partition)
    WHERE o.run = latest.attempt AND o.key = latest.key AND o.partition = latest.partition AND n.run = excluded.attempt
    AND n.outcome = 'skipped' AND o.run <> n.run AND o.outcome IN ('failed', 'check_failed', 'cancelled', 'gone'))
"""
_OURS = "key IN (SELECT value FROM json_each(?))"
_INTERRUPTED = "interrupted: the process that was making it is gone"
#: The options of a run that has claimed and not begun: it has done nothing, so when it ends there is nothing to retry.
_STARTING = "null"


class SQLStore(AcceptedRecords, DefinitionRecords, ForgottenRecords):
    """Records in the tables of a `Database`.

    A run on a machine that cannot be looked at is taken for gone after `silence` without a sign of life.
    """

    def __init__(self, database: Database, silence: timedelta) -> None:
        self._database = database
        self._silence = silence
        self._heart = Heartbeat(self.heartbeat)
        #: The runs of this process that have not ended.
        self._begun: set[str] = set()

    # -- runs ------------------------------------------------------------------------------------------------------

    def begin(self, run: RunInfo) -> None:
        """Record that a run starts, or that this process goes on with it; its state is ``running``."""
        owner = _owner(run)
        with self._database.write() as db:
            db.execute(
                f"INSERT INTO runs ({_RUN}, owner, seen, definitions) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (id) DO UPDATE SET state='running', finished=NULL, started=excluded.started,"
                " assets=excluded.assets, options=excluded.options, process=excluded.process, host=excluded.host,"
                " owner=excluded.owner, seen=excluded.seen, definitions=excluded.definitions",
                (run.id, "running", *rows.run_row(run)[2:], _json(owner), rows.time_text(_now()), run.definitions),
            )
        self._begun.add(run.id)
        self._keep_alive(run.id)

    def append(
        self,
        events: EventRecords,
        materializations: Materializations = (),
        attempts: Attempts = (),
        looks: Iterable[Look] = (),
    ) -> None:
        """Record events, and what follows from them, in one transaction."""
        event_rows = [rows.event_row(record) for record in events]
        checks = [
            (str(record.event.key), rows.safe_text(record.event.check), record.event.partition or "", *row)
            for record, row in zip(events, event_rows, strict=True)
            if type(record.event) is Checked
        ]
        made = [rows.materialization_row(each) for each in materializations]
        tried = [rows.attempt_row(each) for each in attempts]
        with self._database.write() as db:
            self._check_there(db, {record.run for record in events})
            db.executemany("INSERT INTO events (run, at, invocation, body) VALUES (?,?,?,?)", event_rows)
            _append_handles(db, events)
            if checks:
                db.executemany("INSERT OR REPLACE INTO checks VALUES (?,?,?,?,?,?,?)", checks)
            if tried:
                db.executemany("INSERT OR REPLACE INTO attempts VALUES (?,?,?,?,?,?,?)", tried)
                db.executemany(_LAST_TRY, [row[:3] for row in tried])
            if made:
                append_materializations(db, made)
                append_durations(db, [(row[0], row[6]) for row in made if row[6] is not None])
            append_looks(db, looks)

    def finish(self, run_id: str, state: RunState, at: datetime) -> None:
        """Record how a run ended, and release its claims; what it still was making counts as failed."""
        self._heart.end(run_id)
        with self._database.write() as db:
            self._check_there(db, {run_id})
            self._begun.discard(run_id)
            _end(db, run_id, state, rows.time_text(at), f"{state}: the run ended before it was made")

    def _check_there(self, db: sqlite3.Connection, runs: Iterable[str]) -> None:
        """Refuse records of a run that has begun and is not there: with the file went what it recorded before."""
        for run_id in self._begun.intersection(runs):
            if db.execute("SELECT 1 FROM runs WHERE id = ?", (run_id,)).fetchone() is None:
                place = self._database.path or "the store"
                raise StoreError(
                    f"The records of run {run_id} are gone: {place} was removed or replaced while the run went on.",
                    hint="What it made is there, but not recorded: run it again.",
                )

    def runs(self, limit: int | None = None) -> list[RunInfo]:
        """Return runs, newest first. A run whose process is gone is recorded as interrupted first."""
        self._reap()
        found = self._database.read(
            f"SELECT {_RUN}, pruned FROM runs ORDER BY number DESC LIMIT ?", -1 if limit is None else limit
        )
        return [rows.run_info(row) for row in found]

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

    def events(self, run_id: str, skip: int = 0) -> Iterator[EventRecord]:
        """Yield the events of a run, oldest first, without the first `skip`."""
        last = 0
        if skip:
            # The last one to be skipped, so that every page begins after a number.
            at = self._database.read(
                "SELECT id FROM events WHERE run = ? ORDER BY id LIMIT 1 OFFSET ?", run_id, skip - 1
            )
            last = at[0][0] if at else sys.maxsize
        while True:
            # A page at a time, so that writers need not wait for the reader of a long log.
            page = self._database.read(
                "SELECT id, run, at, invocation, body FROM events WHERE run = ? AND id > ? ORDER BY id LIMIT 1000",
                run_id,
                last,
            )
            if not page:
                return
            for row in page:
                yield rows.event_record(row[1:])
            last = page[-1][0]

    # -- assets ----------------------------------------------------------------------------------------------------

    def latest(
        self, keys: Iterable[AssetKey] | None = None, partitions: Iterable[str | None] | None = None
    ) -> Mapping[tuple[AssetKey, str | None], Materialization]:
        """Return the last materialization of each asset and partition, in one query."""
        found = self._read_of(LATEST, "l.", keys, partitions)
        with paused_gc():
            return {(made.key, made.partition): made for made in map(rows.materialization, found)}

    def changes(self, keys: Iterable[AssetKey], since: str | None = None) -> Changes | None:
        """Return what was made of assets since a revision; None for one that this store does not know."""
        # Before the records: what comes in between is told again, and not missed.
        newest = self._database.read(
            f"SELECT id, run, at, ({FORGOTTEN}) FROM materializations ORDER BY id DESC LIMIT 1"
        )
        revision = _revision(newest[0]) if newest else ""
        if not since:
            return Changes(revision, self.latest(keys))
        if since == revision:
            return Changes(revision, {})
        number = since.partition(" ")[0]
        known = self._database.read(f"SELECT id, run, at, ({FORGOTTEN}) FROM materializations WHERE id = ?", number)
        if not known or _revision(known[0]) != since:
            return None
        found = self._database.read(f"{LATEST_SINCE} AND l.{_OURS}", number, _json([str(key) for key in keys]))
        return Changes(revision, {(made.key, made.partition): made for made in map(rows.materialization, found)})

    def attempts(
        self, keys: Iterable[AssetKey] | None = None, *, made: bool = True
    ) -> Mapping[tuple[AssetKey, str | None], Attempt]:
        """Return the last attempt at each asset and partition, in a fixed number of queries."""
        self._reap()
        unwell = "(SELECT * FROM attempts WHERE outcome <> 'materialized' AND outcome <> 'unchanged') a"
        table = "attempts a" if made else unwell
        found = self._read_of(
            f"SELECT {_ATTEMPT} FROM {table} JOIN latest l"
            " ON l.attempt = a.run AND l.key = a.key AND l.partition = a.partition",
            "l.",
            keys,
        )
        with paused_gc():
            return {(tried.key, tried.partition): tried for tried in map(rows.attempt, found)}

    def run_attempts(self, run_id: str) -> Mapping[tuple[AssetKey, str | None], Attempt]:
        """Return how each asset came out in one run."""
        self._reap()
        found = self._database.read(f"SELECT {_ATTEMPT} FROM attempts a WHERE a.run = ?", run_id)
        return {(tried.key, tried.partition): tried for tried in map(rows.attempt, found)}

    def latest_checks(self, keys: Iterable[AssetKey] | None = None) -> Verdicts:
        """Return the last outcome of each check, by asset, check and partition; each record's event is a `Checked`."""
        found = self._read_of("SELECT key, name, partition, run, at, invocation, body FROM checks", "", keys)
        return {
            (rows.stored_key(key), name, partition or None): rows.event_record(row)
            for key, name, partition, *row in found
        }

    def looks(self, keys: Iterable[AssetKey] | None = None) -> Looks:
        """Return the last look at each asset and partition that was found as it was recorded, in one query."""
        return {(each.key, each.partition): each for each in map(look, self._read_of(LOOK, "", keys))}

    def durations(self, keys: Iterable[AssetKey] | None = None) -> Mapping[AssetKey, Sequence[float]]:
        """Return how many seconds each asset took of late, oldest first, in one query."""
        return durations_by_key(self._read_of(DURATIONS, "", keys))

    # -- claims ----------------------------------------------------------------------------------------------------

    def claim(
        self, run_id: str, keys: Sequence[AssetKey], parts: Mapping[AssetKey, ClaimedParts] | None = None
    ) -> Mapping[AssetKey, str]:
        """Claim the right to build `keys`, or `parts` of them, until the run finishes or its process dies.

        Return the keys that another living run holds, with that run's id; when there is one, nothing is claimed. A
        run may claim before it begins: it is recorded as starting, and forgotten when it ends before it has begun.
        """
        own = {str(key): (parts or {}).get(key) for key in keys}
        wanted = _json(list(own))
        with self._database.write() as db:
            self._reap_in(db)
            others = db.execute(f"SELECT key, run, parts FROM claims WHERE {_OURS} AND run <> ?", (wanted, run_id))
            held = {rows.stored_key(key): run for key, run, theirs in others if _meet(own[key], theirs)}
            if held:
                return held
            starting = RunInfo(
                id=run_id, state="running", started=_now(), assets=tuple(keys), process=os.getpid(), host=hostname()
            )
            row = rows.run_row(starting, _STARTING)
            db.execute(
                f"INSERT INTO runs ({_RUN}, owner, seen) VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING",
                (*row, _json(_owner(starting)), rows.time_text(_now())),
            )
            claims = [(key, run_id, None if each is None else _json(each)) for key, each in own.items()]
            db.executemany("INSERT OR REPLACE INTO claims VALUES (?,?,?)", claims)
        self._keep_alive(run_id)
        return {}

    def claims(self) -> Mapping[AssetKey, str]:
        """Return the assets that living runs hold, or partitions of them, each with the id of such a run."""
        self._reap()
        return {rows.stored_key(key): run for key, run in self._database.read("SELECT key, run FROM claims")}

    def handles(self, run_id: str) -> Mapping[str, str]:
        """Return the token of each invocation of a run whose job may still be under way."""
        return dict(self._database.read("SELECT invocation, token FROM handles WHERE run = ?", run_id))

    def heartbeat(self, run_ids: Iterable[str]) -> None:
        """Give a sign of life for runs; the store does so by itself while a run of this process goes on."""
        with self._database.write() as db:
            db.executemany(
                "UPDATE runs SET seen = ? WHERE id = ? AND state = 'running'",
                [(rows.time_text(_now()), run_id) for run_id in run_ids],
            )

    def close(self) -> None:
        """Close the file; the store may be used again afterwards (``:memory:`` is then empty)."""
        self._heart.stop()
        self._database.close()

    # -- partitions ------------------------------------------------------------------------------------------------

    def partition_keys(self, keys: Iterable[AssetKey] | None = None) -> Mapping[AssetKey, KeyTable]:
        """Return the keys of partitions that were made known of assets, by number, and which of them were dropped."""
        return key_tables(self._read_of(KEYS, "", keys))

    def change_partition_keys(
        self, key: AssetKey, *, known: Sequence[str] = (), add: Sequence[str] = (), drop: Sequence[str] = ()
    ) -> None:
        """Make keys of an asset's partitions known, and drop others, in one transaction."""
        with self._database.write() as db:
            change_keys(db, str(key), rows.time_text(_now()), known, add, drop)

    # -- history ---------------------------------------------------------------------------------------------------

    def prune(self, kept: KeptHistory, *, dry_run: bool = False) -> PrunedHistory:
        """Remove what is not to be kept of the history; return how much that was, or with `dry_run` would be.

        It is done in short transactions, so that other writers need not wait; then the file gives the space back.
        """
        self._reap()
        pruned = prune(self._database, kept, _now(), dry_run=dry_run)
        if any(pruned) and not dry_run:
            self._database.give_back(
                alone=not self._database.read("SELECT 1 FROM runs WHERE state = 'running' LIMIT 1")
            )
        return pruned

    # -- inside ----------------------------------------------------------------------------------------------------

    def _keep_alive(self, run_id: str) -> None:
        """Give signs of life for a run, where other processes can see them."""
        if self._database.path is not None:
            self._heart.begin(run_id)

    def _reap(self) -> None:
        """Record the runs whose process is gone as interrupted."""
        if self._gone(self._database.read("SELECT id, owner, seen FROM runs WHERE state = 'running'")):
            # Where nothing may be written, what stands there can still be read.
            with suppress(StoreError), self._database.write() as db:
                self._reap_in(db)

    def _reap_in(self, db: sqlite3.Connection) -> None:
        running = db.execute("SELECT id, owner, seen FROM runs WHERE state = 'running'").fetchall()
        for run_id in self._gone(running):
            last = db.execute("SELECT at FROM events WHERE run = ? ORDER BY id DESC LIMIT 1", (run_id,)).fetchone()
            _end(db, run_id, "interrupted", last[0] if last else rows.time_text(_now()), _INTERRUPTED)

    def _gone(self, running: Sequence[Sequence[Any]]) -> list[str]:
        gone = []
        for run_id, owner, seen in running:
            alive = is_alive(from_json(Process, json.loads(owner)))
            if alive is None:
                alive = datetime.fromisoformat(seen) + self._silence > _now()
            if not alive:
                gone.append(run_id)
        return gone

    def _read_of(
        self,
        query: str,
        table: str,
        keys: Iterable[AssetKey] | None,
        partitions: Iterable[str | None] | None = None,
    ) -> list[Any]:
        terms = [] if keys is None else [(f"{table}{_OURS}", _json([str(key) for key in keys]))]
        if partitions is not None:
            named = _json([partition or "" for partition in partitions])
            terms.append((f"{table}partition IN (SELECT value FROM json_each(?))", named))
        if not terms:
            return self._database.read(query)
        return self._database.read(f"{query} WHERE {' AND '.join(term for term, _ in terms)}", *(s for _, s in terms))


def _revision(newest: Sequence[Any]) -> str:
    """Return what tells the newest record of a store from that of any other."""
    return " ".join(map(str, newest))


def _append_handles(db: sqlite3.Connection, events: Sequence[EventRecord]) -> None:
    for run in dict.fromkeys(record.run for record in events):
        for invocation, token in job_tokens(record for record in events if record.run == run).items():
            if token is None:
                db.execute("DELETE FROM handles WHERE run = ? AND invocation = ?", (run, invocation))
            else:
                db.execute("INSERT OR REPLACE INTO handles VALUES (?,?,?)", (run, invocation, token))


def _end(db: sqlite3.Connection, run_id: str, state: str, at: str, message: str) -> None:
    db.execute("DELETE FROM runs WHERE id = ? AND options = ?", (run_id, _STARTING))
    db.execute("UPDATE runs SET state = ?, finished = ? WHERE id = ?", (state, at, run_id))
    db.execute("DELETE FROM claims WHERE run = ?", (run_id,))
    db.execute(
        "UPDATE attempts SET outcome = 'failed', message = ? WHERE run = ? AND outcome = 'running'", (message, run_id)
    )


def _meet(own: ClaimedParts | None, theirs: str | None) -> bool:
    """Tell whether two claims on one asset are on the same partitions; None is all of it."""
    return own is None or theirs is None or own.meets(from_json(ClaimedParts, json.loads(theirs)))


def _owner(run: RunInfo) -> Process:
    """Return who carries out `run`: this process, another one here, or one on a machine that cannot be seen."""
    if run.process in (0, os.getpid()) or run.host in ("", hostname()):
        return process_of(run.process or os.getpid())
    return Process(run.process, run.host)


def _now() -> datetime:
    return datetime.now(UTC)


def _json(value: Any) -> str:
    return json.dumps(to_json(value), separators=(",", ":"))
