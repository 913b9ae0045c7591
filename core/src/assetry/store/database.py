"""The SQLite file below the store: opened, brought to today's form, guarded, and its troubles explained."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assetry.errors import StoreError, StoreVersionError
from assetry.io.private_files import private_file, tighten
from assetry.store.migrations import MIGRATIONS

if TYPE_CHECKING:
    import sqlite3

_APPLICATION = 0x61737472  # "astr": tells our file from another SQLite database
#: The way of `PRAGMA auto_vacuum` in which removed rows leave room that is given back when one asks for it; how many
#: pages of 4 kB at a time; and of how many pages one must be free for the whole file to be written anew.
_IN_STEPS, _STEP, _WORTH_IT = 2, 1000, 10
#: SQLite's name of an error begins with the first; then what it means for the file, and the next step.
_TROUBLES = (
    (
        "SQLITE_NOTADB",
        "is not a SQLite database",
        "It was left as it is. Move it away (mv {path} {path}.bad); assetry then begins a new history.",
    ),
    (
        "SQLITE_CORRUPT",
        "is damaged",
        "It was left as it is. Save what can be saved (sqlite3 {path} .recover), or move it away; assetry then begins"
        " a new history.",
    ),
    (
        "SQLITE_FULL",
        "cannot grow: the disk is full",
        "What was recorded before is safe. Make room, then run `assetry retry`.",
    ),
    (
        "SQLITE_READONLY",
        "may not be written",
        "Make the file and its folder writable for you, or choose another `store`.",
    ),
    (
        "SQLITE_BUSY",
        "is locked by another program",
        "assetry holds it for moments only: close what has it open (a database browser, a backup), and try again.",
    ),
    ("SQLITE_LOCKED", "is locked", "Close what has it open, and try again."),
    ("SQLITE_CANTOPEN", "cannot be opened", "See whether it is a file, in a folder that is yours to write."),
    (
        "SQLITE_IOERR",
        "cannot be read or written: the disk reports an error",
        "What was recorded before is safe. See whether the disk is full or read-only, then run `assetry retry`.",
    ),
)


class Database:
    """One guarded connection to the SQLite file `path`; None is a database in memory.

    A file that is not there counts as empty for readers; the first writer makes it. One that was removed or replaced
    meanwhile is opened anew. Writers wait `patience` seconds for each other. Safe for any number of threads and
    processes, forks included.

    Raises `StoreVersionError` for a file of a newer assetry, `StoreError` for one that cannot be read or written.

    >>> database = Database(None, patience=1)
    >>> database.read("SELECT count(*) FROM runs")
    [(0,)]
    """

    def __init__(self, path: Path | None, patience: float) -> None:
        self.path = path
        self._patience = patience
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        #: Which file is open: it may be removed, and another one made in its place, while it is.
        self._identity: tuple[int, int] | None = None
        self._process = 0
        #: Connections of the process that this one was forked from: to be neither used nor closed here.
        self._inherited: list[sqlite3.Connection] = []

    def read(self, query: str, *values: Any) -> list[Any]:
        """Return the rows of a query, whose `values` may also be one mapping; none when there is no file."""
        named = values[0] if len(values) == 1 and isinstance(values[0], Mapping) else values
        with self._guard(make=False) as db:
            return [] if db is None else db.execute(query, named).fetchall()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give the connection, in a transaction that is on disk at the end, or leaves no trace."""
        with self._guard(make=True) as db:
            assert db is not None
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                _roll_back(db)
                raise

    def give_back(self, *, alone: bool) -> None:
        """Make the file smaller by what was removed from it, as far as that holds nobody up.

        A file that was made by an older assetry has to be written anew for that, once; that is done where no run is
        under way (`alone`) and it is worth it. Until then what is written next takes the room.
        """
        with self._guard(make=False) as db:
            if db is None or self.path is None:
                return
            if _number(db, "auto_vacuum") != _IN_STEPS:
                if alone and _number(db, "freelist_count") * _WORTH_IT >= _number(db, "page_count"):
                    self._write_anew(db)
                return
            free = _number(db, "freelist_count")
        while free:
            begun = time.monotonic()
            with self._guard(make=False) as db:
                if db is None:
                    return
                # A transaction by itself. `execute` would stop after its first page, as it gives no rows.
                db.executescript(f"PRAGMA incremental_vacuum({_STEP})")
                left = _number(db, "freelist_count")
            if left >= free:
                return
            free = left
            pause(begun)

    def _write_anew(self, db: sqlite3.Connection) -> None:
        import sqlite3

        db.execute(f"PRAGMA auto_vacuum = {_IN_STEPS}")
        try:
            db.execute("VACUUM")
        except sqlite3.OperationalError as error:
            # Somebody reads or writes, or the disk has no room for a second file; it is as good as it was.
            if not error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL")):
                raise

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
            self._connection = None

    @contextmanager
    def _guard(self, *, make: bool) -> Iterator[sqlite3.Connection | None]:
        """Give the connection to one thread at a time; None when there is no file and `make` does not want one."""
        import sqlite3

        with self._lock:
            try:
                if self._connection is not None and self._process != os.getpid():
                    self._inherited.append(self._connection)
                    self._connection = None
                if self._connection is not None and self._identity != self._identity_now():
                    self._connection.close()
                    self._connection = None
                if self._connection is None and (make or self.path is None or self.path.exists()):
                    self._connection, self._process = self._open(), os.getpid()
                    self._identity = self._identity_now()
                yield self._connection
            except sqlite3.Error as error:
                raise self._explained(error) from error

    def _identity_now(self) -> tuple[int, int] | None:
        """Return what tells the file at `path` from any other; None when there is none."""
        try:
            found = None if self.path is None else self.path.stat()
        except FileNotFoundError:
            return None
        return None if found is None else (found.st_dev, found.st_ino)

    def _open(self) -> sqlite3.Connection:
        import sqlite3

        target, writable = ":memory:", True
        if self.path is not None:
            writable = not self.path.exists() or os.access(self.path, os.W_OK)
            if writable:
                _make_place(self.path)
            target = _uri(self.path, writable=writable)
        # What `check_same_thread` guards against, our lock does.
        db = sqlite3.connect(target, uri=True, timeout=self._patience, isolation_level=None, check_same_thread=False)
        try:
            self._check_form(db)
            if writable:
                self._set_up(db)
            elif _form(db) < len(MIGRATIONS):
                raise StoreError(
                    f"{self.path} was written by an older assetry, and may not be written to bring it up to date.",
                    hint="Make the file and its folder writable for you, or choose another `store`.",
                )
        except BaseException:
            db.close()
            raise
        return db

    def _check_form(self, db: sqlite3.Connection) -> None:
        """Raise unless the file is new, or ours and not newer than this program."""
        # In this order: a process that sets the file up meanwhile commits its tables and its mark together.
        filled = db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
        if filled and db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
            raise StoreError(
                f"{self.path} is a SQLite database of another program; it was not touched.",
                hint='Give `store` in assetry.toml a file of its own, for example "sqlite:.assetry/state.db".',
            )
        form = _form(db)
        if form > len(MIGRATIONS):
            raise StoreVersionError(
                f"{self.path} was written by a newer assetry: its format is {form},"
                f" and this assetry reads up to {len(MIGRATIONS)}.",
                hint="Upgrade assetry (pip install --upgrade assetry), or give `store` in assetry.toml another file"
                f"{self._older_copies()}.",
            )

    def _older_copies(self) -> str:
        """Return, for people, where copies are that were made before the file was brought to a newer form."""
        found = [] if self.path is None else sorted(self.path.parent.glob(f"{self.path.name}.*.bak"))
        return f", such as {found[-1].name}, a copy of how it was before that" if found else ""

    def _set_up(self, db: sqlite3.Connection) -> None:
        """Bring a new or older file to today's form."""
        import sqlite3

        if self.path is not None and not _number(db, "page_count"):
            db.execute(f"PRAGMA auto_vacuum = {_IN_STEPS}")  # of a file with tables it could not be changed
        if self.path is not None and db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            self._use_log(db)
        db.execute("PRAGMA synchronous = FULL")
        form = _form(db)
        if form >= len(MIGRATIONS):
            return
        if form and self.path is not None:
            _copy(db, self.path, form)
        try:
            self._migrate(db)
        except sqlite3.DatabaseError as error:
            if not form or self.path is None or not error.sqlite_errorname.startswith("SQLITE_ERROR"):
                raise
            raise StoreError(
                f"{self.path} cannot be brought from format {form} to {len(MIGRATIONS)}: {error}.",
                hint=f"It was left as it was, and {_copy_of(self.path, form)} is a copy of it. Please report this.",
            ) from error

    def _migrate(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been first.
            for number in range(_form(db), len(MIGRATIONS)):
                for statement in MIGRATIONS[number].split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number + 1}")
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute("COMMIT")
        except BaseException:
            _roll_back(db)
            raise

    def _use_log(self, db: sqlite3.Connection) -> None:
        """Switch the file to the write-ahead log; SQLite itself does not wait for the lock to do so."""
        import sqlite3

        deadline = time.monotonic() + self._patience
        while True:
            try:
                db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def _explained(self, error: sqlite3.Error) -> StoreError:
        place = self.path or "The store in memory"
        name = getattr(error, "sqlite_errorname", None) or ""
        for start, meaning, hint in _TROUBLES:
            if name.startswith(start):
                return StoreError(f"{place} {meaning} ({error}).", hint=hint.format(path=place))
        return StoreError(f"{place} cannot be used: {error}.", hint="Nothing was changed; `-v` shows where.")


def pause(begun: float) -> None:
    """Wait between two of many transactions as long as the one took that was begun then: others write, too.

    They look only now and then whether they may; no longer than a tenth of a second.
    """
    time.sleep(min(time.monotonic() - begun, 0.1))


def _copy(db: sqlite3.Connection, path: Path, form: int) -> None:
    """Keep a store as it was before it is brought to another form, for those who go back to an older assetry."""
    unfinished = private_file(path.with_name(f"{path.name}.{form}.bak.tmp"))
    unfinished.write_bytes(b"")  # of a copy that was killed
    db.execute("VACUUM INTO ?", (str(unfinished),))
    unfinished.replace(_copy_of(path, form))


def _copy_of(path: Path, form: int) -> Path:
    return path.with_name(f"{path.name}.{form}.bak")


def _form(db: sqlite3.Connection) -> int:
    return _number(db, "user_version")


def _number(db: sqlite3.Connection, name: str) -> int:
    number: int = db.execute(f"PRAGMA {name}").fetchone()[0]
    return number


def _roll_back(db: sqlite3.Connection) -> None:
    # A full disk may already have ended the transaction.
    if db.in_transaction:
        db.execute("ROLLBACK")


def _make_place(path: Path) -> None:
    try:
        private_file(path)
        for name in ("-wal", "-shm"):  # SQLite gives new ones the mode of the file
            tighten(path.with_name(f"{path.name}{name}"))
    except OSError as error:
        raise StoreError(
            f"The folder {path.parent} cannot be made or written: {error.strerror}.",
            hint="Make it yours to write, or choose another `store`.",
        ) from error


def _uri(path: Path, *, writable: bool) -> str:
    uri = path.as_uri()
    if writable:
        return uri
    log = path.with_name(f"{path.name}-wal")
    # With nothing left in the log the file is complete by itself, and can be read where nothing may be written.
    return f"{uri}?mode=ro" if log.exists() and log.stat().st_size else f"{uri}?immutable=1"
