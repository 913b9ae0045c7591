"""Slots of pools as SQL: taken before an invocation starts, freed at its end, at its run's, or when that is gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assetry.store import encoding as rows
from assetry.store.leases.grants import granted
from assetry.store.leases.runs import SQLRuns
from assetry.types.leases import Lease, Slot, SlotRequest

if TYPE_CHECKING:
    import sqlite3

_SLOT = "pool, run, ticket, weight, most, priority, since, held"
#: All of them: who waits for one pool may wait for the next one of another.
_ALL = f"SELECT {_SLOT} FROM slots ORDER BY pool, held DESC, since, run, ticket"


class SQLPools(SQLRuns):
    """Slots of pools, and runs that take them, in the tables of a `Database`."""

    def exchange_slots(
        self, lease: Lease, *, free: Collection[str] = (), take: Sequence[SlotRequest] = ()
    ) -> tuple[str, ...]:
        """Free slots of a run, and take others; return the tickets of those that it has now.

        What it cannot have yet it waits for, in its turn, from the first time that it asks on.
        """
        with self._database.write() as db:
            self._check(db, lease)
            db.executemany("DELETE FROM slots WHERE run = ? AND ticket = ?", [(lease.run, ticket) for ticket in free])
            if not take:
                return ()
            self._reap_in(db)
            self._ask(db, lease.run, take)
            standing = map(_slot, db.execute(_ALL).fetchall())
            found = granted(standing, {(lease.run, each.ticket) for each in take}, self._now())
            taken = [ticket for _, ticket in found]
            now = rows.time_text(self._now())
            db.executemany(
                "UPDATE slots SET held = 1, since = ? WHERE run = ? AND ticket = ?",
                [(now, lease.run, ticket) for ticket in taken],
            )
            return tuple(taken)

    def _ask(self, db: sqlite3.Connection, run_id: str, take: Sequence[SlotRequest]) -> None:
        """Let requests wait from now on that do not yet."""
        now = rows.time_text(self._now())
        (priority,) = db.execute("SELECT priority FROM runs WHERE id = ?", (run_id,)).fetchone()
        db.executemany(
            "INSERT INTO slots VALUES (?,?,?,?,?,?,?,0) ON CONFLICT DO NOTHING",
            [
                (run_id, each.ticket, share.pool, share.weight, share.limit, priority, now)
                for each in take
                for share in each.shares
            ],
        )

    def slots(self) -> tuple[Slot, ...]:
        """Return what living runs hold of pools, and wait for."""
        self._reap()
        return tuple(map(_slot, self._database.read(_ALL)))


def _slot(row: Sequence[Any]) -> Slot:
    pool, run, ticket, weight, limit, priority, since, held = row
    return Slot(pool, run, ticket, weight, limit, priority, datetime.fromisoformat(since), bool(held))
