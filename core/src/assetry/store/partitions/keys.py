"""Keys of partitions that were made known: numbered once, dropped and taken up again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from assetry.partitions.key_table import KeyTable
from assetry.store.encoding import stored_key
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    import sqlite3

KEYS = "SELECT key, number, partition, dropped FROM partition_keys"


def key_tables(rows: Iterable[Any]) -> dict[AssetKey, KeyTable]:
    """Return the tables of rows that `KEYS` asks for, by asset."""
    found: dict[str, list[tuple[str, int]]] = {}
    for key, _, partition, dropped in sorted(rows):
        found.setdefault(key, []).append((partition, dropped))
    return {
        stored_key(key): KeyTable(
            tuple(partition for partition, _ in own),
            frozenset(number for number, (_, dropped) in enumerate(own) if dropped),
        )
        for key, own in found.items()
    }


def change_keys(
    db: sqlite3.Connection, key: str, now: str, known: Sequence[str], add: Sequence[str], drop: Sequence[str]
) -> None:
    """Give keys of an asset that have none the next numbers, and note which are dropped."""
    names = list(dict.fromkeys((*known, *drop, *add)))
    asked = "SELECT partition FROM partition_keys WHERE key = ? AND partition IN (SELECT value FROM json_each(?))"
    there = {name for (name,) in db.execute(asked, (key, json.dumps(names)))}
    (first,) = db.execute("SELECT coalesce(max(number), -1) + 1 FROM partition_keys WHERE key = ?", (key,)).fetchone()
    fresh = enumerate((name for name in names if name not in there), first)
    db.executemany(
        "INSERT INTO partition_keys VALUES (?,?,?,0,?)", [(key, name, number, now) for number, name in fresh]
    )
    dropped = {**dict.fromkeys(drop, 1), **dict.fromkeys(add, 0)}
    db.executemany(
        "UPDATE partition_keys SET dropped = ?1, at = ?2 WHERE key = ?3 AND partition = ?4 AND dropped <> ?1",
        [(gone, now, key, name) for name, gone in dropped.items()],
    )
