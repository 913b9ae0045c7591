"""The table of materializations: what was made, newest last, and which row is the last of each partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assetry.store.encoding import Row

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = "m.key, m.partition, m.at, m.run, m.data_version, m.code_version, m.seconds, m.trace, m.as_of"
#: In this order: there may be many records of a partition, and one of them is the last.
LATEST = f"SELECT {_COLUMNS} FROM latest l CROSS JOIN materializations m ON m.id = l.materialization"
LATEST_SINCE = (
    f"SELECT {_COLUMNS} FROM materializations m CROSS JOIN latest l"
    " ON l.key = m.key AND l.partition = m.partition AND l.materialization = m.id WHERE m.id > ?"
)
#: Newest first. Where a record was let count as another one, that alone: it has the time and the run of the first.
_HISTORY = f"""
    SELECT {_COLUMNS} FROM materializations m WHERE m.id IN (
        SELECT max(id) FROM materializations WHERE key = :key AND (:partition IS NULL OR partition = :partition)
        GROUP BY partition, run, at ORDER BY at DESC, max(id) DESC LIMIT :limit)
    ORDER BY m.at DESC, m.id DESC
"""
_NEXT = "UPDATE marks SET value = value + 1 WHERE name = 'revision'"


def history(key: str, partition: str | None, limit: int | None) -> tuple[str, Mapping[str, str | int | None]]:
    """Return the query of what was made of an asset, or of one partition of it, with its values."""
    return _HISTORY, {"key": key, "partition": partition, "limit": -1 if limit is None else limit}


def append_materializations(db: sqlite3.Connection, made: Sequence[Row]) -> None:
    """Write down what was made, each as the last of its asset and partition."""
    first = db.execute("SELECT coalesce(max(id), 0) + 1 FROM materializations").fetchone()[0]
    numbered = [(number, *row) for number, row in enumerate(made, first)]
    db.executemany("INSERT INTO materializations VALUES (?,?,?,?,?,?,?,?,?,?)", numbered)
    db.executemany(
        "INSERT INTO latest (materialization, key, partition) VALUES (?,?,?)"
        " ON CONFLICT DO UPDATE SET materialization = excluded.materialization",
        [row[:3] for row in numbered],
    )
    db.execute(_NEXT)


def next_revision(db: sqlite3.Connection) -> int:
    """Return the next revision of a store, in a transaction: it only ever grows."""
    db.execute(_NEXT)
    found: int = db.execute("SELECT value FROM marks WHERE name = 'revision'").fetchone()[0]
    return found
