"""Definitions as they were when runs began: of each only what changed since those before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assetry.store.database import Database
from assetry.store.encoding import stored_key, time_text
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    import sqlite3

#: The definitions of a set: of each asset the last one up to it; none where that says that it is gone.
_OF_SET = """SELECT d.key, d.body FROM definitions d JOIN
 (SELECT key, max(number) AS number FROM definitions WHERE number <= ? GROUP BY key) l
 ON l.key = d.key AND l.number = d.number WHERE d.body IS NOT NULL"""
#: By asset and run: the definition that it had when the run began.
_OF_RUNS = """SELECT a.key, (SELECT d.body FROM definitions d WHERE d.key = a.key AND d.number <= s.number
 ORDER BY d.number DESC LIMIT 1) FROM (SELECT key, value AS run FROM json_each(?)) a
 JOIN runs r ON r.id = a.run JOIN definition_sets s ON s.digest = r.definitions"""
_KNOWN = "SELECT 1 FROM definition_sets WHERE digest = ?"


class DefinitionRecords:
    """The part of a store that keeps definitions."""

    _database: Database

    def define(self, digest: str, definitions: Mapping[AssetKey, str]) -> None:
        """Record definitions, each as a text, that runs begin with; those of a digest that is known are there."""
        if self._database.read(_KNOWN, digest):
            return
        with self._database.write() as db:
            if db.execute(_KNOWN, (digest,)).fetchone() is None:
                _write(db, digest, definitions)

    def definitions(self, run_id: str) -> Mapping[AssetKey, str] | None:
        """Return the definitions with which a run began; None when they were not recorded."""
        found = self._database.read(
            "SELECT s.number FROM runs r JOIN definition_sets s ON s.digest = r.definitions WHERE r.id = ?", run_id
        )
        return {stored_key(key): body for key, body in self._database.read(_OF_SET, found[0][0])} if found else None

    def defined(self, runs: Mapping[AssetKey, str]) -> Mapping[AssetKey, str]:
        """Return the definition that each asset had when a run began, given by asset; those that were recorded."""
        found = self._database.read(_OF_RUNS, json.dumps({str(key): run for key, run in runs.items()}))
        return {stored_key(key): body for key, body in found if body is not None}


def _write(db: sqlite3.Connection, digest: str, definitions: Mapping[AssetKey, str]) -> None:
    """Write down what of some definitions is not as in the last set."""
    (last,) = db.execute("SELECT coalesce(max(number), 0) FROM definition_sets").fetchone()
    before = dict(db.execute(_OF_SET, (last,)))
    now = {str(key): body for key, body in definitions.items()}
    changed = [(key, last + 1, body) for key, body in now.items() if before.get(key) != body]
    gone = [(key, last + 1, None) for key in before if key not in now]
    db.executemany("INSERT INTO definitions VALUES (?,?,?)", [*changed, *gone])
    db.execute("INSERT INTO definition_sets VALUES (?,?,?)", (last + 1, digest, time_text(datetime.now(UTC))))
