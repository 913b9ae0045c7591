"""Old history, removed: page by page, so that a run beside it never waits for more than one of them.

What is to go is looked for without holding anybody up, and looked at once more in the transaction that removes it. A
process that is killed meanwhile has removed whole pages; the next one goes on from there. Pictures among metadata are
in files, which go once nothing that is kept refers to them.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from assetry.store.database import Database, pause
from assetry.store.encoding import time_text
from assetry.store.leases.runs import SQLRuns
from assetry.types.records import KeptHistory, PrunedHistory

if TYPE_CHECKING:
    import sqlite3

#: How many rows go in one transaction.
PAGE = 5000

#: Each table with metadata, and its texts.
_TEXTS = (("events", "body"), ("materializations", "trace"), ("accepted", "before"), ("accepted", "after"))
#: How many rows are looked through at a time.
_LOOK = 50_000
#: Within a text of JSON there are backslashes before the quotes.
_DIGEST = re.compile(r'\\*"digest\\*":\\*"([0-9a-f]{32})\\*"')
_MARK = "'png'"

#: A run that has ended, and of which not everything is to stay.
_OVER = """r.state <> 'running' AND r.id NOT IN (SELECT value FROM json_each(:whole))
 AND r.id NOT IN (SELECT run FROM handles)"""
#: The event that says what broke an invocation: a retry of its run tells it, also when nothing else is left of that.
_BREAK = """CASE WHEN e.body LIKE '{"event":"invocation_finished"%' THEN json_extract(e.body, '$.state') = 'failed'
 AND coalesce(json_extract(e.body, '$.message'), '') <> '' ELSE 0 END"""
_LIVING = "SELECT id FROM runs WHERE state = 'running'"


class _Kind(NamedTuple):
    """One kind of records: which are old, from those after the last one that was looked at, and how one is removed.

    The first `key` columns of `old` are the place of a record in the order, and what `remove` takes.
    """

    old: str
    remove: str
    key: int
    #: Where the history of a run gets a hole that it is to tell of: what it is called, and the column with its run.
    told: tuple[str, int] | None = None


_EVENTS = _Kind(
    "SELECT r.number, e.id, r.id FROM runs r CROSS JOIN events e ON e.run = r.id"
    f" WHERE {_OVER} AND r.finished < :before AND r.number >= :after0 AND (r.number, e.id) > (:after0, :after1)"
    f" AND (r.finished < :runs OR NOT {_BREAK})"
    " ORDER BY r.number, e.id LIMIT :page",
    f"DELETE FROM events WHERE id = :key1 AND run NOT IN ({_LIVING})",
    2,
    ("events", 2),
)
_ATTEMPTS = _Kind(
    "SELECT a.run, a.key, a.partition FROM attempts a LEFT JOIN runs r ON r.id = a.run"
    f" WHERE (a.run, a.key, a.partition) > (:after0, :after1, :after2)"
    f" AND CASE WHEN r.id IS NULL THEN a.at < :before ELSE {_OVER} AND r.finished < :before END"
    " AND NOT EXISTS (SELECT 1 FROM latest l WHERE l.key = a.key AND l.partition = a.partition AND l.attempt = a.run)"
    " ORDER BY a.run, a.key, a.partition LIMIT :page",
    "DELETE FROM attempts WHERE run = :key0 AND key = :key1 AND partition = :key2 AND NOT EXISTS"
    " (SELECT 1 FROM latest l WHERE l.key = :key1 AND l.partition = :key2 AND l.attempt = :key0)"
    f" AND run NOT IN ({_LIVING})",
    3,
    ("attempts", 0),
)
_MATERIALIZATIONS = _Kind(
    "SELECT m.id FROM materializations m WHERE m.id > :after0 AND m.at < :before"
    f" AND m.run NOT IN (SELECT value FROM json_each(:whole)) AND m.run NOT IN ({_LIVING})"
    " AND m.run NOT IN (SELECT run FROM handles)"
    # The newest one is what the next one is counted from, and what tells how far others have read.
    " AND m.id < (SELECT max(id) FROM materializations) AND NOT EXISTS (SELECT 1 FROM latest l"
    " WHERE l.key = m.key AND l.partition = m.partition AND l.materialization = m.id)"
    " ORDER BY m.id LIMIT :page",
    # What was made anew once stays so.
    "DELETE FROM materializations WHERE id = :key0",
    1,
)
_RUNS = _Kind(
    f"SELECT r.number, r.id FROM runs r WHERE {_OVER} AND r.finished < :before AND r.number > :after0"
    " ORDER BY r.number LIMIT :page",
    "DELETE FROM runs WHERE number = :key0 AND state <> 'running' AND NOT EXISTS"
    " (SELECT 1 FROM events e WHERE e.run = runs.id)",
    1,
)


def prune(database: Database, kept: KeptHistory, now: datetime, *, dry_run: bool = False) -> PrunedHistory:
    """Remove what is not to be kept; return how much that was, or with `dry_run` would be.

    >>> prune(Database(None, patience=1), KeptHistory(), datetime(2026, 1, 1))
    PrunedHistory(events=0, runs=0, attempts=0, materializations=0)
    """
    # A run goes last: until all that is its own has gone, it tells that some of that has.
    kinds = {
        "events": (_EVENTS, _later(kept.events, kept.runs)),
        "attempts": (_ATTEMPTS, _later(kept.attempts, kept.runs)),
        "materializations": (_MATERIALIZATIONS, kept.materializations),
        "runs": (_RUNS, kept.runs),
    }
    counts = dict.fromkeys(kinds, 0)
    for name, (kind, before) in kinds.items():
        if before is None:
            continue
        for page in _pages(database, kind, before, kept):
            counts[name] += len(page) if dry_run else _remove(database, kind, page, now)
    return PrunedHistory(**counts)


def _later(*moments: datetime | None) -> datetime | None:
    return max((each for each in moments if each is not None), default=None)


def _pages(database: Database, kind: _Kind, before: datetime, kept: KeptHistory) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield what is old, some rows at a time."""
    asked: dict[str, Any] = {
        "before": time_text(before),
        "runs": "" if kept.runs is None else time_text(kept.runs),
        "whole": json.dumps(sorted(kept.whole)),
        "page": PAGE,
    }
    after: Sequence[Any] = (-1,) * kind.key if kind is not _ATTEMPTS else ("",) * kind.key
    while True:
        page = database.read(kind.old, {**asked, **_named("after", after)})
        if not page:
            return
        yield page
        after = page[-1][: kind.key]


def _remove(database: Database, kind: _Kind, page: Sequence[Sequence[Any]], now: datetime) -> int:
    """Remove rows in one transaction; return how many there still were."""
    begun = time.monotonic()
    with database.write() as db:
        before = db.total_changes
        db.executemany(kind.remove, [_named("key", row[: kind.key]) for row in page])
        removed = db.total_changes - before
        if kind.told is not None:
            what, column = kind.told
            _tell(db, what, {row[column] for row in page}, now)
    pause(begun)
    return removed


def _tell(db: sqlite3.Connection, what: str, runs: set[str], now: datetime) -> None:
    """Note of runs that some of their history is gone, and since when."""
    db.executemany(
        f"UPDATE runs SET pruned = json_set(coalesce(pruned, '{{}}'), '$.{what}', ?) WHERE id = ?",
        [(time_text(now), run) for run in runs],
    )


def _named(name: str, values: Sequence[Any]) -> Mapping[str, Any]:
    return {f"{name}{place}": value for place, value in enumerate(values)}


class PictureRecords(SQLRuns):
    """The part of a store that tells which pictures are needed."""

    def pictures(self) -> frozenset[str]:
        """Return the digests of all pictures that anything recorded refers to."""
        return frozenset(digest for text in self._texts() for digest in _DIGEST.findall(text))

    def _texts(self) -> Iterator[str]:
        for table, column in _TEXTS:
            # A page at a time, so that writers need not wait for the reader of a long table.
            ((most,),) = self._database.read(f"SELECT coalesce(max(id), 0) FROM {table}") or [(0,)]
            for start in range(0, most, _LOOK):
                query = f"SELECT {column} FROM {table} WHERE id > ? AND id <= ? AND instr({column}, {_MARK})"
                yield from (text for (text,) in self._database.read(query, start, start + _LOOK))
        yield from (text for (text,) in self._database.read(f"SELECT body FROM checks WHERE instr(body, {_MARK})"))
