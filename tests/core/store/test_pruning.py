"""What is removed of the history, and what never is."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import assetry.store.pruning as pruning_module
import pytest
from assetry.store.database import Database
from assetry.store.sqlite import SQLiteStore
from assetry.types.events import Checked, Handle, InvocationFinished, Log, Materialized
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, EventRecord, KeptHistory, Materialization, PrunedHistory, RunInfo

START = datetime(2026, 1, 1, tzinfo=UTC)
A, B = AssetKey("a"), AssetKey("b")


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with closing(SQLiteStore(tmp_path / "state.db")) as store:
        yield store


def make(store: SQLiteStore, number: int, *keys: AssetKey, end: bool = True, outcome: Any = "materialized") -> str:
    """Record a run of one day that tries some assets."""
    run, at = f"run-{number:03}", day(number)
    store.begin(RunInfo(id=run, state="running", started=at, assets=keys or (A,), process=os.getpid()))
    for key in keys or (A,):
        record = EventRecord(at=at, run=run, event=Materialized(key, data_version=run), invocation="1")
        made = Materialization(key=key, at=at, run=run, data_version=run)
        tried = Attempt(key=key, run=run, at=at, outcome=outcome)
        store.append([record], [made] if outcome == "materialized" else [], [tried])
    if end:
        store.finish(run, "succeeded", at + timedelta(hours=1))
    return run


def kept(number: int, **given: Any) -> KeptHistory:
    before = day(number)
    return KeptHistory(events=before, runs=before, attempts=before, materializations=before, **given)


def told(store: SQLiteStore) -> Any:
    """Return all that a status, a plan and a retry are made of."""
    return dict(store.latest()), dict(store.attempts()), dict(store.latest_checks()), store.leases()


def test_what_is_old_goes_and_what_stands_stays(store: SQLiteStore) -> None:
    for number in range(5):
        make(store, number)
    before = told(store)
    wanted = PrunedHistory(events=3, runs=3, attempts=3, materializations=3)
    assert store.prune(kept(3), dry_run=True) == wanted
    assert len(store.runs()) == 5
    assert store.prune(kept(3)) == wanted
    assert [run.id for run in store.runs()] == ["run-004", "run-003"]
    assert list(store.events("run-000")) == []
    assert dict(store.run_attempts("run-000")) == {}
    assert told(store) == before
    assert store.prune(kept(3)) == PrunedHistory()


def test_nothing_goes_unless_it_is_asked_for(store: SQLiteStore) -> None:
    for number in range(3):
        make(store, number)
    assert store.prune(KeptHistory()) == PrunedHistory()
    assert store.prune(KeptHistory(events=day(2))) == PrunedHistory(events=2)
    assert [len(list(store.events(run.id))) for run in store.runs()] == [1, 0, 0]
    assert store.prune(KeptHistory(materializations=day(9))) == PrunedHistory(materializations=2)


def test_a_run_tells_what_of_it_is_gone(store: SQLiteStore) -> None:
    make(store, 0)
    make(store, 1)
    before = datetime.now(UTC)
    store.prune(KeptHistory(events=day(1), attempts=day(1)))
    last, first = store.runs()
    assert last.pruned == {}
    assert set(first.pruned) == {"events", "attempts"}
    assert all(before <= at <= datetime.now(UTC) for at in first.pruned.values())
    assert store.run("run-000") == first


def test_the_last_of_everything_stays_though_its_run_goes(store: SQLiteStore) -> None:
    make(store, 0, A, B)
    store.append([EventRecord(at=day(0), run="run-000", event=Checked(B, "is_full", True), invocation="1")])
    make(store, 5, A)
    before = told(store)
    assert store.prune(kept(9)) == PrunedHistory(events=4, runs=2, attempts=1, materializations=1)
    assert store.runs() == []
    assert told(store) == before
    # The next one is made anew; then nothing holds the old attempt any more.
    make(store, 10, A, B)
    assert store.prune(kept(11)).attempts == 2
    assert {each.run for each in store.attempts().values()} == {"run-010"}


def test_living_runs_those_with_handles_and_those_that_are_asked_for_stay_whole(store: SQLiteStore) -> None:
    make(store, 0)
    make(store, 1)
    store.append([EventRecord(at=day(1), run="run-001", event=Handle("job-1"), invocation="1")])
    make(store, 2)
    make(store, 3)
    make(store, 4, end=False)
    make(store, 5)
    pruned = store.prune(kept(9, whole=frozenset(["run-002"])))
    assert pruned == PrunedHistory(events=3, runs=3, attempts=2, materializations=2)
    assert [run.id for run in store.runs()] == ["run-004", "run-002", "run-001"]
    assert [len(list(store.events(run.id))) for run in store.runs()] == [1, 1, 2]
    assert all(store.run_attempts(run.id) for run in store.runs())
    assert store.handles("run-001") == {"1": "job-1"}
    assert not any(run.pruned for run in store.runs())


def test_what_broke_a_run_stays_as_long_as_the_run(store: SQLiteStore) -> None:
    make(store, 0)
    ends = [InvocationFinished("failed", 1.0, "acme ended with 70"), InvocationFinished("failed", 1.0)]
    store.append([EventRecord(at=day(0), run="run-000", event=each, invocation="1") for each in ends])
    make(store, 1)
    assert store.prune(KeptHistory(events=day(1))).events == 2
    assert [each.event for each in store.events("run-000")] == ends[:1]
    assert store.prune(kept(1)) == PrunedHistory(events=1, runs=1, attempts=1, materializations=1)


def test_no_number_is_used_twice_and_a_revision_stays_or_is_unknown(store: SQLiteStore) -> None:
    make(store, 0, B)
    make(store, 1, A)
    old = store.changes([A, B])
    make(store, 2, A)
    newest = store.changes([A, B])
    assert old is not None
    assert newest is not None
    store.prune(kept(9))
    same = store.changes([A, B], newest.revision)
    assert same is not None
    assert (same.revision, dict(same.latest)) == (newest.revision, {})
    assert store.changes([A, B], old.revision) is None
    make(store, 3, B)
    after = store.changes([A, B], newest.revision)
    assert after is not None
    assert set(after.latest) == {(B, None)}
    assert after.revision.partition(" ")[0] == "4"


@pytest.mark.parametrize("page", [1, 2, 7])
def test_it_goes_page_by_page(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr(pruning_module, "PAGE", page)
    for number in range(5):
        make(store, number, A, B)
    before = told(store)
    wanted = PrunedHistory(events=8, runs=4, attempts=8, materializations=8)
    assert store.prune(kept(4), dry_run=True) == wanted
    assert store.prune(kept(4)) == wanted
    assert told(store) == before


def test_random_histories_stay_true_whenever_they_are_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning_module, "PAGE", 3)
    for seed in range(40):
        chance = random.Random(seed)
        with closing(SQLiteStore(":memory:")) as pruned, closing(SQLiteStore(":memory:")) as plain:
            for number in range(chance.randrange(2, 12)):
                keys = chance.sample([A, B], chance.randrange(1, 3))
                end, outcome = chance.random() < 0.8, chance.choice(["materialized", "materialized", "failed"])
                for each in (pruned, plain):
                    make(each, number, *keys, end=end, outcome=outcome)
                if chance.random() < 0.4:
                    some = {
                        name: day(chance.randrange(number + 2))
                        for name in ("events", "runs", "attempts", "materializations")
                        if chance.random() < 0.7
                    }
                    whole = frozenset(f"run-{each:03}" for each in range(number) if chance.random() < 0.2)
                    counted = pruned.prune(KeptHistory(**some, whole=whole), dry_run=True)
                    assert pruned.prune(KeptHistory(**some, whole=whole)) == counted
                    for run in whole & {each.id for each in pruned.runs()}:
                        info = pruned.run(run)
                        assert info is not None
                        if not info.pruned:
                            assert list(pruned.events(run)) == list(plain.events(run))
            assert told(pruned) == told(plain)
            left = {each.id: each for each in pruned.runs()}
            assert [each for each in plain.runs() if each.id in left] == [
                replace(each, pruned={}) for each in left.values()
            ]


KILLED = """
import sys, os, signal
from datetime import UTC, datetime
import assetry.store.pruning as pruning
from assetry.store.sqlite import SQLiteStore
from assetry.types.records import KeptHistory
pruning.PAGE = 2
remove, left = pruning._remove, int(sys.argv[2])
def counting(*given):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return remove(*given)
pruning._remove = counting
at = datetime(2026, 1, 7, tzinfo=UTC)
SQLiteStore(sys.argv[1]).prune(KeptHistory(events=at, runs=at, attempts=at, materializations=at))
"""


def test_killed_at_any_page_the_next_one_goes_on(tmp_path: Path) -> None:
    for pages in (0, 1, 4, 7, 10, 12):
        path = tmp_path / f"{pages}.db"
        with closing(SQLiteStore(path)) as store:
            for number in range(8):
                make(store, number)
            before = told(store)
        killed = subprocess.run([sys.executable, "-c", KILLED, str(path), str(pages)], check=False)
        assert killed.returncode == (-signal.SIGKILL if pages < 12 else 0)
        with closing(SQLiteStore(path)) as store:
            assert told(store) == before
            for run in store.runs():
                # What is half gone says so.
                assert len(list(store.events(run.id))) == 1 or "events" in run.pruned
            store.prune(kept(6))
            assert [run.id for run in store.runs()] == ["run-007", "run-006"]
            assert told(store) == before


def test_a_run_beside_it_writes_all_that_it_has_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning_module, "PAGE", 1)
    with closing(SQLiteStore(tmp_path / "state.db")) as old, closing(SQLiteStore(tmp_path / "state.db")) as beside:
        for number in range(20):
            make(old, number)
        beside.begin(RunInfo(id="beside", state="running", started=day(0), process=os.getpid()))
        done = threading.Event()

        def write() -> None:
            for number in range(30):
                record = EventRecord(at=day(0), run="beside", event=Log(str(number)), invocation="1")
                made = Materialization(key=B, at=day(0), run="beside", data_version=str(number))
                beside.append([record], [made], [Attempt(key=B, run="beside", at=day(0), outcome="running")])
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        old.prune(kept(30))
        writer.join(60)
        assert done.is_set()
        assert [event.event.message for event in beside.events("beside")] == [str(number) for number in range(30)]  # type: ignore[attr-defined]
        assert [run.id for run in beside.runs()] == ["beside"]
        assert beside.latest()[B, None].data_version == "29"


def filled(path: Path) -> None:
    with closing(SQLiteStore(path)) as store:
        make(store, 0)
        events = [EventRecord(at=day(0), run="run-000", event=Log("x" * 1000), invocation="1")] * 2000
        store.append(events)
        make(store, 5)


def size(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def test_the_file_becomes_smaller_also_beside_a_run(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    filled(path)
    before = size(path)
    with closing(SQLiteStore(path)) as store:
        make(store, 6, end=False)
        store.prune(kept(3))
    assert size(path) < before / 4


def test_a_file_of_before_is_written_anew_once_when_nothing_runs(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    filled(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA auto_vacuum = 0")
        db.execute("VACUUM")
    before = size(path)
    with closing(SQLiteStore(path)) as store:
        make(store, 6, end=False)
        store.prune(kept(3))
        assert size(path) >= before
        store.finish("run-006", "succeeded", day(6))
        make(store, 7)
        store.prune(kept(6))
    assert size(path) < before / 4
    assert Database(path, patience=1).read("PRAGMA auto_vacuum") == [(2,)]
