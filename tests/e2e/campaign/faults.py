"""What is done to a command from inside: statements of its store that fail or kill it, and a clock that jumps.

A fault of the store is drawn as data (`StoreFault`), and put in place in the process of the command by `install`.
"""

from __future__ import annotations

import ctypes
import datetime as datetimes
import faulthandler
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple


class StoreFault(NamedTuple):
    """What becomes of a statement that a command gives its store, counted from its first one.

    ``kill`` ends the process before it, ``kill_after`` when it has been done; the others are errors of SQLite, at so
    many statements (`times`) in a row.
    """

    kind: Literal["kill", "kill_after", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY"]
    number: int
    times: int = 1


class Faulty:
    """A connection of SQLite, with faults."""

    def __init__(self, connection: sqlite3.Connection, teller: Teller) -> None:
        self._connection = connection
        self._teller = teller

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *values: Any) -> Any:
        return self._told(sql, lambda: self._connection.execute(sql, *values))

    def executemany(self, sql: str, values: Any) -> Any:
        return self._told(sql, lambda: self._connection.executemany(sql, values))

    def _told(self, sql: str, work: Any) -> Any:
        fault = self._teller.next(sql)
        if fault is None:
            return work()
        if fault.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault.kind == "kill_after":
            work()
            os.kill(os.getpid(), signal.SIGKILL)
        error = sqlite3.OperationalError(f"a fault of the campaign, at {sql.split()[0]}")
        error.sqlite_errorname = fault.kind
        raise error


class Teller:
    """Which statement it is now, and what becomes of it."""

    def __init__(self, faults: list[StoreFault]) -> None:
        self._faults = faults
        self.count = 0

    def next(self, sql: str) -> StoreFault | None:
        if sql == "ROLLBACK":
            return None  # a disk that is full lets go of what was not written
        self.count += 1
        return next((each for each in self._faults if 0 <= self.count - each.number < each.times), None)


#: Seconds after which a run on another machine is taken for gone.
LEASE = 10
_NEW_UTS = 0x04000000  # what Linux calls a host name of one's own


def install(faults: list[StoreFault], clock: Path, host: str = "") -> None:
    """Put faults in place in this process, and let it tell the time as `clock` says: by seconds from the true one.

    With a `host` it is on another machine, as far as it and all others can see.
    """
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    _tell_time_by(clock)
    if host:
        if ctypes.CDLL(None, use_errno=True).unshare(_NEW_UTS):
            raise OSError(ctypes.get_errno(), "only root can be on another machine")
        socket.sethostname(host)
    from assetry.store.sqlite import SQLiteStore

    defaults = SQLiteStore.__init__.__kwdefaults__
    assert defaults is not None
    defaults["lease"] = datetimes.timedelta(seconds=LEASE)
    from assetry.store.database import Database

    teller, guard = Teller(faults), Database._guard

    @contextmanager
    def guarded(self: Database, *, make: bool) -> Iterator[Any]:
        with guard(self, make=make) as connection:
            yield None if connection is None else Faulty(connection, teller)

    Database._guard = guarded  # type: ignore[method-assign,assignment]


def _tell_time_by(clock: Path) -> None:
    """Replace the clock of assetry and its integrations, which nothing of their tools sees."""
    file = os.open(clock, os.O_RDONLY)
    true = datetimes.datetime
    true_time = time.time

    def offset() -> float:
        return float(os.pread(file, 20, 0))

    class Kind(type):
        def __instancecheck__(cls, other: object) -> bool:
            return isinstance(other, true)

    class Jumping(true, metaclass=Kind):
        @classmethod
        def now(cls, tz: datetimes.tzinfo | None = None) -> Any:
            return true.fromtimestamp(true_time() + offset(), tz)

    for name, module in tuple(sys.modules.items()):
        if name.partition(".")[0].startswith("assetry") and vars(module).get("datetime") is true:
            module.datetime = Jumping  # type: ignore[attr-defined]
    time.time = lambda: true_time() + offset()
