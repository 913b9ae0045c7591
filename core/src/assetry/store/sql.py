"""Records as SQL: what a store keeps, over a database that gives connections and transactions."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assetry.errors import ConflictError
from assetry.gc_pause import paused_gc
from assetry.partitions.key_table import KeyTable
from assetry.store import encoding as rows
from assetry.store.accepted import AcceptedRecords
from assetry.store.backfills import BackfillRecords
from assetry.store.definitions import DefinitionRecords
from assetry.store.documents import DocumentRecords, change_document
from assetry.store.forgetting import FORGOTTEN, ForgottenRecords
from assetry.store.leases.pools import SQLPools
from assetry.store.looks import DURATIONS, LOOK, append_durations, append_looks, durations_by_key, look
from assetry.store.materializations import LATEST, LATEST_SINCE, append_materializations, history
from assetry.store.partitions.keys import KEYS, change_keys, key_tables
from assetry.store.pruning import PictureRecords, prune
from assetry.types.codec import to_json
from assetry.types.events import Checked
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease
from assetry.types.protocols import Attempts, EventRecords, Materializations
from assetry.types.records import (
    Attempt,
    Beside,
    Changes,
    EventRecord,
    KeptHistory,
    Look,
    Looks,
    Materialization,
    PrunedHistory,
    Verdicts,
    job_tokens,
)

if TYPE_CHECKING:
    import sqlite3

_ATTEMPT = "a.run, a.key, a.partition, a.at, a.outcome, a.message, a.because, a.hint"
#: What was only skipped was not tried: it takes the place of nothing that failed, was cancelled or is gone.
_LAST_TRY = """
INSERT INTO latest (attempt, key, partition) VALUES (?,?,?)
ON CONFLICT DO UPDATE SET attempt = excluded.attempt WHERE latest.attempt IS NOT excluded.attempt AND NOT EXISTS (
    SELECT 1 FROM attempts o JOIN attempts n USING (key, partition)
    WHERE o.run = latest.attempt AND o.key = latest.key AND o.partition = latest.partition AND n.run = excluded.attempt
    AND n.outcome = 'skipped' AND o.run <> n.run AND o.outcome IN ('failed', 'check_failed', 'cancelled', 'gone'))
"""
#: What may be a check that failed: by its text, since SQLite reads no JSON with NaN in it, as metadata may have.
_FAILED = """instr(body, '"passed":false') > 0"""
_OURS = "key IN (SELECT value FROM json_each(?))"


def _passed(record: EventRecord) -> bool:
    return isinstance(record.event, Checked) and record.event.passed


class SQLStore(
    AcceptedRecords, BackfillRecords, DefinitionRecords, DocumentRecords, ForgottenRecords, PictureRecords, SQLPools
):
    """Records in the tables of a `Database`; see `SQLRuns` for who may write them."""

    # -- runs ------------------------------------------------------------------------------------------------------

    def append(
        self,
        events: EventRecords,
        materializations: Materializations = (),
        attempts: Attempts = (),
        looks: Iterable[Look] = (),
        *,
        lease: Lease | None = None,
        beside: Beside | None = None,
    ) -> None:
        """Record events, and what follows from them, in one transaction, with what is to be changed beside it."""
        event_rows = [rows.event_row(record) for record in events]
        checks = [
            (str(record.event.key), rows.safe_text(record.event.check), record.event.partition or "", *row)
            for record, row in zip(events, event_rows, strict=True)
            if type(record.event) is Checked
        ]
        made = [rows.materialization_row(each) for each in materializations]
        tried = [rows.attempt_row(each) for each in attempts]
        with self._database.write() as db:
            if lease is not None:
                self._check(db, lease)
            db.executemany("INSERT INTO events (run, at, invocation, body) VALUES (?,?,?,?)", event_rows)
            _append_handles(db, events)
            if checks:
                db.executemany("INSERT OR REPLACE INTO checks VALUES (?,?,?,?,?,?,?)", checks)
            if tried:
                db.executemany("INSERT OR REPLACE INTO attempts VALUES (?,?,?,?,?,?,?,?)", tried)
                db.executemany(_LAST_TRY, [row[:3] for row in tried])
            if made:
                append_materializations(db, made)
                append_durations(db, [(row[0], row[6]) for row in made if row[6] is not None])
            if looks:
                append_looks(db, looks)
            if beside is not None:
                self._change(db, beside)

    def _change(self, db: sqlite3.Connection, beside: Beside) -> None:
        """Change what is to be changed in a transaction of records; raise `ConflictError` where others were first."""
        for change in beside.documents:
            if change_document(db, change) is None:
                raise ConflictError(
                    f"{change.key!r} was changed by others meanwhile, and nothing was recorded.", hint="Try again."
                )
        for keys in beside.keys:
            change_keys(db, str(keys.key), rows.time_text(self._now()), keys.known, keys.add, keys.drop)

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

    def history(
        self, key: AssetKey, partition: str | None = None, limit: int | None = None
    ) -> Sequence[Materialization]:
        """Return what was made of an asset, or of one partition of it, newest first, in one query."""
        return [rows.materialization(row) for row in self._database.read(*history(str(key), partition, limit))]

    def changes(self, keys: Iterable[AssetKey] | None = None, since: str | None = None) -> Changes | None:
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
        if keys is None:
            found = self._database.read(LATEST_SINCE, number)
        else:
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

    def latest_checks(self, keys: Iterable[AssetKey] | None = None, *, failed: bool = False) -> Verdicts:
        """Return the last outcome of each check, by asset, check and partition; each record's event is a `Checked`."""
        table = f"(SELECT * FROM checks WHERE {_FAILED})" if failed else "checks"
        found = self._read_of(f"SELECT key, name, partition, run, at, invocation, body FROM {table}", "", keys)
        checks = {
            (rows.stored_key(key), name, partition or None): rows.event_record(row)
            for key, name, partition, *row in found
        }
        if failed:
            return {place: each for place, each in checks.items() if not _passed(each)}
        return checks

    def looks(self, keys: Iterable[AssetKey] | None = None) -> Looks:
        """Return the last look at each asset and partition that was found as it was recorded, in one query."""
        return {(each.key, each.partition): each for each in map(look, self._read_of(LOOK, "", keys))}

    def durations(self, keys: Iterable[AssetKey] | None = None) -> Mapping[AssetKey, Sequence[float]]:
        """Return how many seconds each asset took of late, oldest first, in one query."""
        return durations_by_key(self._read_of(DURATIONS, "", keys))

    # -- jobs, and the end -----------------------------------------------------------------------------------------

    def handles(self, run_id: str) -> Mapping[str, str]:
        """Return the token of each invocation of a run whose job may still be under way."""
        return dict(self._database.read("SELECT invocation, token FROM handles WHERE run = ?", run_id))

    def close(self) -> None:
        """Close the file; the store may be used again afterwards (``:memory:`` is then empty)."""
        self._database.close()

    # -- partitions ------------------------------------------------------------------------------------------------

    def partition_keys(self, keys: Iterable[AssetKey] | None = None) -> Mapping[AssetKey, KeyTable]:
        """Return the keys of partitions that were made known of assets, by number, and which of them were dropped."""
        return key_tables(self._read_of(KEYS, "", keys))

    def change_partition_keys(
        self,
        key: AssetKey,
        *,
        known: Sequence[str] = (),
        add: Sequence[str] = (),
        drop: Sequence[str] = (),
        lease: Lease | None = None,
    ) -> None:
        """Make keys of an asset's partitions known, and drop others, in one transaction."""
        with self._database.write() as db:
            if lease is not None:
                self._check(db, lease)
            change_keys(db, str(key), rows.time_text(self._now()), known, add, drop)

    # -- history ---------------------------------------------------------------------------------------------------

    def prune(self, kept: KeptHistory, *, dry_run: bool = False) -> PrunedHistory:
        """Remove what is not to be kept of the history; return how much that was, or with `dry_run` would be.

        It is done in short transactions, so that other writers need not wait; then the file gives the space back.
        """
        self._reap()
        pruned = prune(self._database, kept, self._now(), dry_run=dry_run)
        if any(pruned) and not dry_run:
            self._database.give_back(
                alone=not self._database.read("SELECT 1 FROM runs WHERE state = 'running' LIMIT 1")
            )
        return pruned

    # -- inside ----------------------------------------------------------------------------------------------------

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


def _json(value: Any) -> str:
    return json.dumps(to_json(value), separators=(",", ":"))
