"""What a store keeps beside its records, one row each: the last look at an asset, and how long it took of late."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assetry.store.encoding import Row, safe_text, stored_key, time_text
from assetry.types.records import Look

if TYPE_CHECKING:
    import sqlite3

#: How many durations are kept of each asset, and how wide each is written: seconds to the thousandth, with a comma.
_DURATIONS, _WIDTH = 64, 10
_LONGEST = 99_999.0
_KEEP = (
    "INSERT INTO durations VALUES (?,?) ON CONFLICT DO UPDATE"
    f" SET seconds = substr(seconds || excluded.seconds, -{_DURATIONS * _WIDTH})"
)
LOOK = "SELECT key, partition, at, data_version, as_of FROM looks"
DURATIONS = "SELECT key, seconds FROM durations"


def append_looks(db: sqlite3.Connection, looks: Iterable[Look]) -> None:
    """Write down looks, each in the place of the one before."""
    written = [
        (str(each.key), each.partition or "", time_text(each.at), safe_text(each.data_version), time_text(each.as_of))
        for each in looks
    ]
    db.executemany("INSERT OR REPLACE INTO looks VALUES (?,?,?,?,?)", written)


def look(row: Row) -> Look:
    """Return the look of a row that `LOOK` asks for."""
    key, partition, at, data_version, as_of = row
    return Look(
        key=stored_key(key),
        partition=partition or None,
        at=datetime.fromisoformat(at),
        data_version=data_version,
        as_of=datetime.fromisoformat(as_of),
    )


def append_durations(db: sqlite3.Connection, took: Sequence[tuple[str, float]]) -> None:
    """Write down how long assets took, given by key, oldest first."""
    texts: dict[str, list[str]] = {}
    for key, seconds in took:
        texts.setdefault(key, []).append(f"{min(max(seconds, 0.0), _LONGEST):9.3f},")
    db.executemany(_KEEP, [(key, "".join(each[-_DURATIONS:])) for key, each in texts.items()])


def durations(text: str) -> tuple[float, ...]:
    """Return the seconds that an asset took of late, oldest first, of what is kept.

    >>> durations("    1.500,   12.000,")
    (1.5, 12.0)
    """
    return tuple(map(float, text.split(",")[:-1]))


def durations_by_key(rows: Iterable[Any]) -> dict[Any, tuple[float, ...]]:
    """Return the durations of rows that `DURATIONS` asks for, by key."""
    return {stored_key(key): durations(text) for key, text in rows}
