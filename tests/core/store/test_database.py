import os
import sqlite3

import pytest
from assetry.errors import StoreError
from assetry.store.database import Database


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "x.db", patience=5)
    yield database
    database.close()


def add(database, key):
    with database.write() as db:
        db.execute("INSERT INTO claims VALUES (?, 'r1')", (key,))


def keys(database):
    return [key for (key,) in database.read("SELECT key FROM claims ORDER BY key")]


def test_what_is_written_is_on_disk_before_it_is_reported(database):
    add(database, "a")
    assert database.read("PRAGMA synchronous") == [(2,)]
    assert database.read("PRAGMA journal_mode") == [("wal",)]


def test_a_transaction_that_breaks_leaves_no_trace(database):
    def broken():
        with database.write() as db:
            db.execute("INSERT INTO claims VALUES ('a', 'r1')")
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
    assert database.read("PRAGMA user_version") == [(1,)]
    database.close()
    add(database, "b")
    assert keys(database) == ["a", "b"]


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
