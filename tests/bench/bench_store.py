"""What the store and a status cost: CPU per asset of a run's records, beside the barest append to such a file.

One asset is four records: an event that it started, one that it was made, its materialization and its attempt.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.store.sqlite import SQLiteStore
from assetry.types.assets import Asset, Column
from assetry.types.events import Materialized, Started
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, EventRecord, Materialization, RunInfo

from tests.bench.measure import row
from tests.judged import statuses

ROUNDS = 5
START = datetime(2026, 1, 2, tzinfo=UTC)
RUN = "20260102-030405-abcdef"


class Batch(NamedTuple):
    """What one turn of a run's loop writes."""

    events: Sequence[EventRecord]
    materializations: Sequence[Materialization]
    attempts: Sequence[Attempt]


def batches(assets: int, size: int) -> list[Batch]:
    """Return the records of a run of `assets`, `size` of them in each transaction."""
    columns = tuple(Column(f"column_{n}", "BIGINT") for n in range(4))
    made: list[Batch] = []
    for first in range(0, assets, size):
        events, materializations, attempts = [], [], []
        for n in range(first, min(first + size, assets)):
            key, at = AssetKey(f"shop/asset_{n:05}"), START + timedelta(milliseconds=n)
            event = Materialized(key, data_version=f"{n:016x}", columns=columns, metadata={"rows": n})
            events += [EventRecord(at=at, run=RUN, event=each, invocation=str(n)) for each in (Started(key), event)]
            materializations.append(
                Materialization(
                    key=key,
                    at=at,
                    run=RUN,
                    data_version=f"{n:016x}",
                    code_version="0123456789abcdef",
                    code_parts={"body": "01234567", "config": "89abcdef"},
                    inputs={AssetKey(f"shop/asset_{m:05}"): f"{m:016x}" for m in range(max(0, n - 2), n)},
                    columns=columns,
                    metadata={"rows": n},
                    seconds=0.001,
                )
            )
            attempts.append(Attempt(key=key, run=RUN, at=at, outcome="materialized"))
        made.append(Batch(events, materializations, attempts))
    return made


def cpu(work: Callable[[], Any]) -> float:
    """Return the CPU seconds that `work` takes in this process."""
    before = time.process_time()
    work()
    return time.process_time() - before


def append(folder: Path, records: Sequence[Batch]) -> float:
    """Return the CPU seconds of appending records to a new store."""
    store = SQLiteStore(folder / "state.db")
    store.begin(RunInfo(id=RUN, state="running", started=START, process=os.getpid()))
    taken = cpu(lambda: [store.append(*batch) for batch in records])
    store.close()
    return taken


def bare(folder: Path, assets: int, size: int) -> float:
    """Return the CPU seconds of appending one narrow row per asset, `size` rows a transaction, just as durably."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)")

    def write() -> None:
        for first in range(0, assets, size):
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO t (body) VALUES (?)", [(f"asset {n}",) for n in range(first, first + size)])
            db.execute("COMMIT")

    taken = cpu(write)
    db.close()
    return taken


def status(graph: AssetGraph, folder: Path, records: Sequence[Batch]) -> tuple[float, float]:
    """Return the CPU seconds of reading the last state of all assets, and of judging it."""
    append(folder, records)
    store = SQLiteStore(folder / "state.db")
    known: list[Any] = []
    reading = cpu(lambda: known.extend((store.latest(), store.attempts())))
    judging = cpu(lambda: statuses(graph, *known, now=START))
    store.close()
    return reading, judging


def best(work: Callable[[Path], Any]) -> Any:
    """Return the least of several rounds, each in a folder of its own."""
    found = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            found.append(work(Path(folder)))
    return min(found)


def main() -> None:
    """Print the figures."""
    assets = 1000
    for size in (1, 10, 100):
        records = batches(assets, size)
        taken = best(lambda f, r=records: append(f, r)) / assets
        least = best(lambda f, s=size: bare(f, assets, s)) / assets
        name = f"store, {size} asset{'s' if size > 1 else ''} a transaction, CPU an asset"
        row(name, f"{taken * 1e6:.0f} µs", "at most 150 µs in batches", taken <= 150e-6 if size > 1 else None)
        row("  of which a bare row of SQLite", f"{least * 1e6:.0f} µs", "")
    many = batches(10_000, 1000)
    graph = AssetGraph.of(
        Asset(key=made.key, kind="bench", code_version=made.code_version, deps=made.inputs)
        for batch in many
        for made in batch.materializations
    )
    reading, judging = best(lambda f: status(graph, f, many))
    row("last state of 10,000 assets: reading", f"{reading * 1e3:.0f} ms", "")
    row("last state of 10,000 assets: judging", f"{judging * 1e3:.0f} ms", "under 300 ms", judging < 0.3)


if __name__ == "__main__":
    main()
