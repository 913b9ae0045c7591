import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from assetry.errors import StoreError, StoreVersionError
from assetry.store import database as database_module
from assetry.store.database import Database
from assetry.store.sqlite import SQLiteStore
from assetry.types.events import Checked
from assetry.types.keys import AssetKey
from assetry.types.leases import HeldLease, LeasedParts
from assetry.types.records import EventRecord


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "x.db", patience=5)
    yield database
    database.close()


def add(database, key):
    with database.write() as db:
        db.execute("INSERT INTO leases (key, run) VALUES (?, 'r1')", (key,))


def keys(database):
    return [key for (key,) in database.read("SELECT key FROM leases ORDER BY key")]


def test_what_is_written_is_on_disk_before_it_is_reported(database):
    add(database, "a")
    assert database.read("PRAGMA synchronous") == [(2,)]
    assert database.read("PRAGMA journal_mode") == [("wal",)]


def test_a_transaction_that_breaks_leaves_no_trace(database):
    def broken():
        with database.write() as db:
            db.execute("INSERT INTO leases (key, run) VALUES ('a', 'r1')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert keys(database) == []
    add(database, "b")
    assert keys(database) == ["b"]


def test_an_open_reader_sees_what_others_write(database):
    add(database, "a")
    other = Database(database.path, patience=5)
    assert keys(other) == ["a"]
    add(database, "b")
    assert keys(other) == ["a", "b"]
    other.close()


def test_an_older_form_is_brought_to_todays_with_its_records(database):
    """A file that was begun, and whose making was broken off before its form was set."""
    sqlite3.connect(database.path).close()
    database.path.touch()
    add(database, "a")
    assert database.read("PRAGMA user_version") == [(len(database_module.MIGRATIONS),)]
    database.close()
    add(database, "b")
    assert keys(database) == ["a", "b"]


def of_format(number, path):
    """Make a store as assetry wrote it when its format was `number`."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript((Path(__file__).parent / f"format_{number}.sql").read_text())


def of_format_1(path):
    of_format(1, path)


def test_a_file_of_every_former_format_is_there_to_be_read():
    stored = {each.stem for each in Path(__file__).parent.glob("format_*.sql")}
    assert stored >= {f"format_{number}" for number in range(1, len(database_module.MIGRATIONS))}


@pytest.mark.parametrize("number", range(1, len(database_module.MIGRATIONS)))
def test_a_former_format_is_read_with_all_that_was_recorded(tmp_path, number):
    of_format(number, tmp_path / "state.db")
    with closing(SQLiteStore(str(tmp_path / "state.db"))) as store:
        assert [run.state for run in store.runs()] == ["succeeded", "failed", "succeeded"]
        assert [len(list(store.events(run.id))) for run in store.runs()] == [7, 7, 7]
        assert set(store.latest()) == {("parts", "a"), ("parts", "b"), ("total", None)}
        # What it said of the partition in passing is where the verdict now belongs.
        found = {place: each.event.passed for place, each in store.latest_checks().items()}
        seen = {("parts", "not_a", "b"): True} if number > 1 else {}
        assert found == {("parts", "not_a", "a"): False, ("total", "many", None): False, **seen}
        tried = {place: each.outcome for place, each in store.attempts().items()}
        whole = {("parts", None): "check_failed"} if number == 1 else {}
        failed = "materialized" if number == 1 else "check_failed"
        assert tried == {
            **whole,
            ("parts", "a"): failed,
            ("parts", "b"): "materialized",
            ("total", None): "materialized",
        }
        assert {key: len(each) for key, each in store.durations().items()} == {"parts": 2, "total": 1}
        assert store.durations()["parts"][-1] == round(store.latest()["parts", "a"].seconds, 3)
        reached = {place for place, each in store.latest().items() if each.as_of is not None}
        assert reached == ({("parts", "a")} if number > 7 else set())
        assert set(store.looks()) == ({("total", None)} if number > 7 else set())
        keys = {"files": ("x.csv", "y.csv")} if number > 4 else {}
        assert {key: table.keys for key, table in store.partition_keys().items()} == keys
        defined = store.defined({key: "20260102-030405-c9f730" for key, _ in store.latest()})
        assert set(defined) == ({"parts", "total"} if number > 5 else set())
        said = {each.key: each for each in store.acceptances() if not each.undone}
        assert set(said) == ({"parts", "total"} if number > 6 else set())
        if said:
            # One was taken back then, the other can be now: what it stands for is still the last record.
            assert store.latest()["parts", "b"] == said["parts"].before
            taken_back = replace(said["total"], before=said["total"].after, after=said["total"].before, undone=True)
            assert not store.accept([taken_back])
            assert store.latest()["total", None] == said["total"].before
        assert [each.state for each in store.backfills()] == (["cancelled"] if number > 10 else [])
        assert dict(store.documents("acme")) == {}
        again = Checked("parts", "not_a", True, partition="b")
        store.append([EventRecord(at=datetime(2026, 1, 3, tzinfo=UTC), run="r", event=again)])
        found = {place: each.event.passed for place, each in store.latest_checks(["parts"]).items()}
        assert found == {("parts", "not_a", "a"): False, ("parts", "not_a", "b"): True}


def test_what_a_run_held_before_there_were_leases_is_leased_to_it(tmp_path):
    """A run of then, on another machine, has its ten minutes; then it is gone, and what it held with it."""
    path, now = tmp_path / "state.db", datetime(2026, 1, 2, 4, 14, tzinfo=UTC)
    of_format(9, path)
    run = "20260102-040405-bbbbbb"
    with closing(sqlite3.connect(path)) as db, db:
        columns = "id, state, started, assets, options, process, host, owner, seen"
        row = (run, "running", "2026-01-02T04:04:05+00:00", '["parts","total"]', "{}", 7, "shop-2")
        who = '{"pid":7,"host":"shop-2/x"}'
        db.execute(f"INSERT INTO runs ({columns}) VALUES (?,?,?,?,?,?,?,?,?)", (*row, who, "2026-01-02T04:05:00+00:00"))
        held = [("parts", run, '{"grid":"keys","ranges":{"b":[[0,1]]}}'), ("total", run, None)]
        db.executemany("INSERT INTO claims VALUES (?,?,?)", held)
        db.execute(
            "INSERT INTO attempts VALUES (?, 'parts', 'c', '2026-01-02T04:04:05+00:00', 'running', NULL, NULL)", (run,)
        )
        db.execute("INSERT INTO latest VALUES ('parts', 'c', NULL, ?)", (run,))
    with closing(SQLiteStore(path, clock=lambda: now)) as store:
        assert store.runs()[0].state == "running"
        own = LeasedParts("keys", {"b": ((0, 1),)})
        assert store.leases() == (HeldLease("parts", run, own), HeldLease("total", run))
        assert store.lease("r", {AssetKey("total"): None}).held == (HeldLease("total", run),)
        lease = store.lease("r", {AssetKey("parts"): LeasedParts("keys", {"c": ((0, 1),)})}).lease
        assert lease.token > 6, "there were six records"
    assert (tmp_path / "state.db.9.bak").exists()
    with closing(SQLiteStore(path, clock=lambda: now + timedelta(minutes=2))) as store:
        assert [each.state for each in store.runs() if each.id == run] == ["interrupted"]
        assert store.attempts()["parts", "c"].outcome == "failed"


def test_a_migration_that_breaks_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "state.db"
    of_format(1, path)
    broken = (database_module.MIGRATIONS[0], database_module.MIGRATIONS[1] + "; SELECT x FROM nowhere")
    with monkeypatch.context() as patch:
        patch.setattr(database_module, "MIGRATIONS", broken)
        with pytest.raises(StoreError, match=r"from format 1 to 2: no such table: nowhere") as caught:
            add(Database(path, patience=1), "x")
    assert str(tmp_path / "state.db.1.bak") in caught.value.hint
    for each in (path, tmp_path / "state.db.1.bak"):
        db = sqlite3.connect(each)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM checks").fetchone() == (2,)
        db.close()


def test_a_file_is_copied_before_it_is_brought_to_another_form(tmp_path):
    path = tmp_path / ".assetry" / "state.db"
    path.parent.mkdir()
    of_format(1, path)
    # A copy that was killed.
    (path.parent / "state.db.1.bak.tmp").write_bytes(b"half of it")
    add(Database(path, patience=1), "x")
    copy = path.parent / "state.db.1.bak"
    assert oct(copy.stat().st_mode)[-3:] == "600"
    assert sorted(each.name for each in path.parent.glob("*.bak*")) == ["state.db.1.bak"]
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM runs").fetchone() == (3,)
        db.execute("PRAGMA user_version = 99")
    # Who goes back to an older assetry is told of it.
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreVersionError) as caught:
        Database(path, patience=1).read("SELECT 1")
    assert "such as state.db.1.bak, a copy of how it was" in str(caught.value.hint)


@pytest.mark.skipif(not os.geteuid(), reason="nothing is forbidden to root")
def test_an_older_file_that_may_not_be_written_is_told(tmp_path):
    path = tmp_path / "state.db"
    of_format(1, path)
    path.chmod(0o400)
    with pytest.raises(StoreError, match="older assetry"):
        Database(path, patience=1).read("SELECT 1")


def test_a_child_process_gets_a_connection_of_its_own(database):
    add(database, "a")
    ours = database._connection
    pid = os.fork()
    if not pid:
        fine = keys(database) == ["a"] and database._connection is not ours
        os._exit(0 if fine else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert database._connection is ours


def test_a_query_that_is_wrong_is_an_error_of_ours(database):
    add(database, "a")
    with pytest.raises(StoreError, match="cannot be used: no such table"):
        database.read("SELECT * FROM elsewhere")
