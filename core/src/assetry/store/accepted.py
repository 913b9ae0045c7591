"""Records that count as made from something else, because a person said so; what they said stays for ever."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from assetry.store import encoding as rows
from assetry.store.leases.runs import SQLRuns
from assetry.store.materializations import LATEST, append_materializations
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease
from assetry.types.records import Acceptance

if TYPE_CHECKING:
    import sqlite3


class AcceptedRecords(SQLRuns):
    """The part of a store that keeps what people said of records."""

    def accept(self, acceptances: Sequence[Acceptance], *, lease: Lease | None = None) -> Sequence[Acceptance]:
        """Let records count as others, each where it is still the last one; return those that are not any more."""
        late: list[Acceptance] = []
        with self._database.write() as db:
            if lease is not None:
                self._check(db, lease)
            taken = [each for each in acceptances if _is_last(db, each, late)]
            append_materializations(db, [rows.materialization_row(each.after) for each in taken])
            db.executemany(
                "INSERT INTO accepted (key, partition, at, by, why, causes, undone, before, after)"
                " VALUES (?,?,?,?,?,?,?,?,?)",
                map(_row, taken),
            )
        return late

    def acceptances(self, keys: Iterable[AssetKey] | None = None) -> Sequence[Acceptance]:
        """Return all that people said of records, oldest first."""
        query = "SELECT at, by, why, causes, undone, before, after FROM accepted"
        if keys is None:
            return [_acceptance(row) for row in self._database.read(f"{query} ORDER BY id")]
        ours = json.dumps([str(key) for key in keys])
        found = self._database.read(f"{query} WHERE key IN (SELECT value FROM json_each(?)) ORDER BY id", ours)
        return [_acceptance(row) for row in found]


def _is_last(db: sqlite3.Connection, each: Acceptance, late: list[Acceptance]) -> bool:
    """Tell whether a record is still the last one of its place; else add what was said of it to `late`."""
    asked = f"{LATEST} WHERE l.key = ? AND l.partition = ?"
    found = db.execute(asked, (str(each.key), each.partition or "")).fetchone()
    is_last = found is not None and rows.materialization(found) == each.before
    late.extend(() if is_last else (each,))
    return is_last


def _row(each: Acceptance) -> rows.Row:
    return (
        *(str(each.key), each.partition or "", rows.time_text(each.at), rows.safe_text(each.by)),
        *(rows.safe_text(each.why), json.dumps(each.causes), int(each.undone)),
        *(json.dumps(rows.materialization_row(made)) for made in (each.before, each.after)),
    )


def _acceptance(row: rows.Row) -> Acceptance:
    at, by, why, causes, undone, before, after = row
    return Acceptance(
        at=datetime.fromisoformat(at),
        by=by,
        why=why,
        causes=tuple(json.loads(causes)),
        undone=bool(undone),
        before=rows.materialization(json.loads(before)),
        after=rows.materialization(json.loads(after)),
    )
