"""The store in one SQLite file, as a plugin over our own hook.

One file, one connection per process, guarded by a lock. SQLite's write-ahead log lets other processes read while one
writes; every write is one transaction that is on disk (`synchronous=FULL`) when it returns. So a process may be
killed at any moment: what it reported is there, and what it had not reported is gone as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

from assetry.errors import UsageError
from assetry.hooks.specs import hookimpl
from assetry.store.database import Database
from assetry.store.leases.runs import utc_now
from assetry.store.sql import SQLStore
from assetry.types.protocols import Store

#: How long a writer waits for another one, in seconds.
PATIENCE = 30.0
#: How long a run on a machine that cannot be looked at may give no sign of life.
LEASE = timedelta(seconds=60)

ASSETRY_SCHEMES = {"store": ("sqlite",)}


@hookimpl
def assetry_open_store(url: str) -> Store:
    """Open the SQLite file of a URL such as ``sqlite:.assetry/state.db``, or ``sqlite::memory:``."""
    path = url.partition(":")[2]
    if not path or path.startswith("//"):
        raise UsageError(f"{url!r} names no file.", hint="Write the path after the colon: sqlite:.assetry/state.db")
    return SQLiteStore(unquote(path))


class SQLiteStore(SQLStore):
    """Records in the SQLite file at `path` (``:memory:``: in this process only).

    A file that is not there counts as empty until something is written; then it is made, with its folder, and a
    ``.gitignore`` in it when the folder is called ``.assetry``. Safe for any number of threads and processes. Writers
    wait `patience` seconds for each other; a run on a machine that cannot be looked at is taken for gone when it has
    not renewed its lease for as long as that is, by `clock`.

    Raises `StoreVersionError` for a file of a newer assetry, `StoreError` for one that cannot be read or written.

    >>> store = SQLiteStore(":memory:")
    >>> store.runs()
    []
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        patience: float = PATIENCE,
        lease: timedelta = LEASE,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.path = None if str(path) == ":memory:" else Path(path).absolute()
        database = Database(self.path, patience)
        super().__init__(database, lease, clock)
        # Trouble is told now, before anything is run; a new file waits for the first record.
        database.read("SELECT 1")
