"""Backfills as SQL: what is wanted of each, and whether it still is."""

from __future__ import annotations

import json
from datetime import datetime

from assetry.store.database import Database
from assetry.store.encoding import time_text
from assetry.types.codec import to_json
from assetry.types.records import BackfillRecord


class BackfillRecords:
    """The part of a store that keeps backfills."""

    _database: Database

    def backfills(self) -> list[BackfillRecord]:
        """Return all backfills, newest first."""
        found = self._database.read("SELECT id, at, state, body FROM backfills ORDER BY number DESC")
        return [
            BackfillRecord(id=id_, at=datetime.fromisoformat(at), state=state, body=json.loads(body))
            for id_, at, state, body in found
        ]

    def change_backfill(self, record: BackfillRecord, before: str | None) -> bool:
        """Record a backfill as it is now, when its state was `before`, None for one that is new; return whether it was.

        Safe against others who change it at the same time.
        """
        body = json.dumps(to_json(record.body), separators=(",", ":"))
        with self._database.write() as db:
            if before is None:
                asked = "INSERT INTO backfills (id, at, state, body) VALUES (?,?,?,?) ON CONFLICT (id) DO NOTHING"
                changed = db.execute(asked, (record.id, time_text(record.at), record.state, body))
            else:
                asked = "UPDATE backfills SET state = ?, body = ? WHERE id = ? AND state = ?"
                changed = db.execute(asked, (record.state, body, record.id, before))
            return changed.rowcount > 0
