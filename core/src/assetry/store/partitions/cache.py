"""What records say of partitions, kept in a file beside them: read in a blink, and brought up to date with what is new.

It can be made again from the records at any time: removing the file is harmless, and so is one that cannot be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assetry.io.private_files import private_file
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.key_table import KeyTable
from assetry.partitions.recorded import has_dynamic, with_known
from assetry.partitions.strands import Strand
from assetry.status.partitions.recorded import Early, RecordedPartitions, Trace
from assetry.store.encoding import materialization, materialization_row, stored_key
from assetry.types.assets import Asset, Column
from assetry.types.codec import from_json, to_json
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import Materialization

if TYPE_CHECKING:
    import sqlite3

Presence = Callable[[Asset, RecordedPartitions], Mapping[str | None, bool]]
#: The form of the file; one of another form is made anew.
_FORM = 3
#: What stands in the file of an asset: its print, its head, and the bodies of its strands.
_Rows = tuple[str, str, dict[str, bytes]]
#: Of so many assets the file is read at once: one by one, that would be most of what a status costs.
_AT_ONCE = 100
_TABLES = f"""
    CREATE TABLE IF NOT EXISTS kept (revision TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS assets (key TEXT PRIMARY KEY, print TEXT NOT NULL, head TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS strands (
        key TEXT NOT NULL, strand TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (key, strand));
    PRAGMA user_version = {_FORM};
"""


class PartitionCache:
    """The file at `path` that keeps what a store says of partitions; None keeps nothing.

    >>> PartitionCache(None).path is None
    True
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    @contextmanager
    def read(self, keys: Sequence[AssetKey], store: Store, look: Presence) -> Iterator[CachedPartitions]:
        """Give what the store says of the partitions of assets, and keep what was new of it at the end.

        `look` tells which partitions of an asset are there, as far as that is known at once.
        """
        with self._opened() as db:
            cached = CachedPartitions(keys, store, db, look)
            yield cached
            if db is not None:
                self._keep(cached)

    def _keep(self, cached: CachedPartitions) -> None:
        import sqlite3

        try:
            cached.keep()
        except (sqlite3.OperationalError, OSError):
            pass  # another command keeps it, or nothing may be written
        except sqlite3.DatabaseError:
            self._remove()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection | None]:
        import sqlite3

        if self.path is None:
            yield None
            return
        db = None
        try:
            db = _connected(self.path)
        except (sqlite3.DatabaseError, OSError) as error:
            # While another command has it locked, it is not damaged.
            if not getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                with suppress(sqlite3.Error, OSError):
                    self._remove()
                    db = _connected(self.path)
        try:
            yield db
        finally:
            if db is not None:
                db.close()

    def _remove(self) -> None:
        """Remove the file, and what SQLite keeps beside it, which would be taken for that of a new one."""
        assert self.path is not None
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                self.path.with_name(f"{self.path.name}{suffix}").unlink(missing_ok=True)


class CachedPartitions:
    """What a store says of the partitions of some assets, as far as it is asked for."""

    def __init__(self, keys: Sequence[AssetKey], store: Store, db: sqlite3.Connection | None, look: Presence) -> None:
        self._keys = keys
        self._look = look
        self._store = store
        self._db = db
        self._tables = store.partition_keys(keys)
        self._since = _revision(db)
        changes = None if self._since is None else store.changes(keys, self._since)
        if changes is None:  # nothing is kept; or it is another store than it was, or its history was pruned
            # All of a store may be more than fits into memory: it is read asset by asset.
            self._since, changes = None, store.changes([])
        assert changes is not None, "a store knows of all that it has"
        self._revision = changes.revision
        self._news: dict[AssetKey, list[Materialization]] = {}
        for (key, _), made in changes.latest.items():
            self._news.setdefault(key, []).append(made)
        self._changed: dict[AssetKey, tuple[str, RecordedPartitions, list[str]]] = {}
        #: What was read of assets that are to be asked for next, and the place of each asset among all.
        self._ahead: dict[AssetKey, _Rows | None] = {}
        self._places: dict[AssetKey, int] = {}

    def partitions(self, asset: Asset) -> RecordedPartitions:
        """Return what is recorded of the partitions of an asset."""
        assert asset.partitions_def is not None
        definition = with_known(asset.partitions_def, self._tables.get(asset.key))
        news, print_ = self._news.get(asset.key, []), _print(definition)
        if asset.key in self._changed:
            return self._changed[asset.key][1]  # it was asked for before
        known = self._known(asset.key, definition, print_)
        if known is not None and not news:
            return known
        found = known.changed(sorted(news, key=lambda each: each.at)) if known is not None else None
        if found is None:
            found, known = RecordedPartitions.of(definition, self.rows(asset.key)), None
        old = known.strands if known is not None else {}
        names = [name for name, strand in found.strands.items() if strand is not old.get(name)]
        self._changed[asset.key] = print_, found, names
        return found

    def rows(self, key: AssetKey) -> Iterable[Materialization]:
        """Return the last records of an asset and its partitions."""
        return self._store.latest([key]).values()

    def seen(self, asset: Asset, recorded: RecordedPartitions) -> Mapping[str | None, bool]:
        """Return which partitions of an asset were looked at just now, each with whether it is there."""
        return self._look(asset, recorded)

    def _known(self, key: AssetKey, definition: PartitionsDefinition, print_: str) -> RecordedPartitions | None:
        if self._db is None or self._since is None:
            return None
        try:
            if key not in self._ahead:
                self._ahead = _rows_of(self._db, self._from(key))
            kept, head, bodies = self._ahead.pop(key) or ("", "", {})
            same = kept == print_
            return _with_table(_decoded(json.loads(head), definition, bodies), self._tables.get(key)) if same else None
        except Exception as error:
            if isinstance(error, (*_troubles(), ValueError, TypeError, KeyError)):
                return None  # it is damaged, and read from the records
            raise

    def _from(self, key: AssetKey) -> Sequence[AssetKey]:
        """Return an asset and those that will be asked for after it: not so many that memory would feel it."""
        if not self._places:
            self._places = {each: n for n, each in enumerate(self._keys)}
        first = self._places[key]
        return self._keys[first : first + _AT_ONCE]

    def keep(self) -> None:
        """Write down what is new; what another command has written meanwhile stays."""
        db = self._db
        if db is None or (self._revision == self._since and not self._changed):
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            if _revision(db) == self._since or self._since is None:
                self._write(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _write(self, db: sqlite3.Connection) -> None:
        # Whatever was not asked for now would miss what is new of it.
        unasked = [key for key in self._news if key not in self._changed]
        gone = {key for (key,) in db.execute("SELECT key FROM assets")}.difference(self._keys).union(unasked)
        anew = [key for key, (_, found, names) in self._changed.items() if len(names) == len(found.strands)]
        if self._since is None:
            db.execute("DELETE FROM assets")
            db.execute("DELETE FROM strands")
        for key in (*gone, *anew):
            db.execute("DELETE FROM strands WHERE key = ?", (key,))
        db.executemany("DELETE FROM assets WHERE key = ?", [(key,) for key in gone])
        for key, (print_, found, names) in self._changed.items():
            db.execute("INSERT OR REPLACE INTO assets VALUES (?,?,?)", (key, print_, json.dumps(_head(found))))
            rows = [(key, name, found.strands[name].to_bytes()) for name in names]
            db.executemany("INSERT OR REPLACE INTO strands VALUES (?,?,?)", rows)
        db.execute("DELETE FROM kept")
        db.execute("INSERT INTO kept VALUES (?)", (self._revision,))


def _with_table(found: RecordedPartitions, table: KeyTable | None) -> RecordedPartitions | None:
    """Return what is recorded, with the keys that a store knows of; None where they have other numbers there."""
    if table is None or not has_dynamic(found.definition):
        return found
    cached: KeyTable = getattr(found.definition, "table", KeyTable())
    joined = table.joined(cached)
    return None if joined is None else replace(found, definition=found.definition.with_table(joined))


def _connected(path: Path) -> sqlite3.Connection:
    import sqlite3

    db = sqlite3.connect(private_file(path), timeout=0.2, isolation_level=None)
    try:
        (form,) = db.execute("PRAGMA user_version").fetchone()
        if form != _FORM:
            if form:
                raise sqlite3.DatabaseError(f"of form {form}")
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(_TABLES)
        # What is lost when the machine goes down is made again.
        db.execute("PRAGMA synchronous = NORMAL")
        _revision(db)  # what is damaged behind its head is seen here
    except BaseException:
        db.close()
        raise
    return db


def _revision(db: sqlite3.Connection | None) -> str | None:
    if db is None:
        return None
    found = db.execute("SELECT revision FROM kept").fetchone()
    return None if found is None else str(found[0])


def _rows_of(db: sqlite3.Connection, keys: Sequence[AssetKey]) -> dict[AssetKey, _Rows | None]:
    """Return what stands in the file of each of some assets, None where nothing does."""
    these = f"WHERE key IN ({','.join('?' * len(keys))})"
    names = [str(key) for key in keys]
    bodies: dict[str, dict[str, bytes]] = {}
    for name, strand, body in db.execute(f"SELECT key, strand, body FROM strands {these}", names):
        bodies.setdefault(name, {})[strand] = body
    found: dict[AssetKey, _Rows | None] = dict.fromkeys(keys)
    for name, kept, head in db.execute(f"SELECT key, print, head FROM assets {these}", names):
        found[stored_key(name)] = kept, head, bodies.get(name, {})
    return found


def _troubles() -> tuple[type[Exception], ...]:
    import sqlite3

    return sqlite3.Error, OSError


@lru_cache(maxsize=4096)
def _print(definition: PartitionsDefinition) -> str:
    """Return what the numbers of partitions depend on, and from when on each has all its data."""
    from hashlib import blake2b

    return blake2b(repr(definition).encode(), digest_size=12).hexdigest()


# -- what stands beside the strands ----------------------------------------------------------------------------------


def _head(found: RecordedPartitions) -> dict[str, Any]:
    table: KeyTable | None = getattr(found.definition, "table", None)
    return {
        "keys": None if table is None else table.keys,
        "traces": [_trace_json(trace) for trace in found.traces],
        "unknown": {key: [version.hex(), at] for key, (version, at) in found.unknown.items()},
        "last": None if found.last is None else materialization_row(found.last),
        "whole": None if found.whole is None else materialization_row(found.whole),
        "early": [[*place, *(at and at.isoformat() for at in each)] for place, each in found.early.items()],
        "reached": None if found.reached is None else found.reached.isoformat(),
        "total": f"{found.total:x}",
    }


def _decoded(
    head: Mapping[str, Any], definition: PartitionsDefinition, bodies: Mapping[str, bytes]
) -> RecordedPartitions:
    from datetime import datetime

    if head["keys"] is not None:
        definition = definition.with_table(KeyTable(tuple(head["keys"])))
    return RecordedPartitions(
        definition,
        {name: Strand.from_bytes(body) for name, body in bodies.items()},
        tuple(map(_trace, head["traces"])),
        {key: (bytes.fromhex(version), at) for key, (version, at) in head["unknown"].items()},
        None if head["last"] is None else materialization(head["last"]),
        None if head["whole"] is None else materialization(head["whole"]),
        {
            (strand, number): Early(*(at and datetime.fromisoformat(at) for at in times))
            for strand, number, *times in head["early"]
        },
        None if head["reached"] is None else datetime.fromisoformat(head["reached"]),
        int(head["total"], 16),
    )


def _trace_json(trace: Trace) -> list[Any]:
    columns = [None if each is None else list(map(to_json, each)) for each in (trace.columns, trace.promised)]
    return [trace.code_version, trace.code_parts, columns[0], trace.inputs, trace.io, columns[1], trace.epochs]


def _trace(data: list[Any]) -> Trace:
    code, parts, columns, inputs, io, promised, epochs = data
    return Trace(
        code,
        tuple((name, part) for name, part in parts),
        _columns(columns),
        tuple((stored_key(key), summed) for key, summed in inputs),
        io,
        _columns(promised),
        tuple((stored_key(key), epoch) for key, epoch in epochs),
    )


def _columns(data: list[Any] | None) -> tuple[Column, ...] | None:
    return None if data is None else tuple(from_json(Column, column) for column in data)
