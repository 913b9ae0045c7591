"""Tables of a DuckDB file, in and out as Arrow."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import parse_qsl, unquote

from assetry.plugin import (
    Asset,
    Column,
    Relation,
    Rows,
    Saved,
    ValueStoreError,
    advice,
    content_version,
    nothing_kept,
    private_file,
    private_folder,
    rows_by_partition,
    unkept,
)

from assetry_duckdb.aside import writable
from assetry_duckdb.deletion import delete_partition, drop
from assetry_duckdb.opening import is_whole
from assetry_duckdb.rows import write_rows
from assetry_duckdb.sql import sql_name, sql_table, table_columns, tables
from assetry_duckdb.tables import VALUE, has_partitions, is_one_of, write
from assetry_duckdb.types import PARTITION, check_nanoseconds, read, to_duckdb
from assetry_duckdb.unbegun import remove_unbegun

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

T = TypeVar("T")

#: Seconds to wait for a file that another process has locked, and for a table that another thread is writing.
PATIENCE = 5.0
_MEMORY = ":memory:"
#: Held while a file is opened: a second thread would be handed the database before all its functions are there.
_opening = threading.Lock()


@dataclass(frozen=True, slots=True)
class DuckDBAddress:
    """A DuckDB file, and how it is opened.

    `config` must be what every other connection of this process gives, dbt's among them: DuckDB refuses a second
    connection to an open file with another configuration. `attached` maps further databases to their files.

    >>> DuckDBAddress.from_url("duckdb:shop.duckdb?schema=raw&threads=4")
    DuckDBAddress(path='shop.duckdb', schema='raw', config={'threads': '4'}, attached={})
    """

    path: str
    schema: str = "main"
    config: Mapping[str, str] = field(default_factory=dict)
    attached: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_url(cls, url: str) -> DuckDBAddress:
        """Read ``duckdb:PATH?schema=NAME&attach.DATABASE=PATH&OPTION=VALUE``; what needs it is percent-encoded."""
        path, _, query = url.removeprefix("duckdb:").partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True))
        schema = given.pop("schema", "main")
        attached = {name[7:]: given.pop(name) for name in list(given) if name.startswith("attach.")}
        return cls(unquote(path.removeprefix("//")) or _MEMORY, schema, given, attached)

    @property
    def database(self) -> str:
        """Return the name that DuckDB gives the file's database: the file's name up to its first dot."""
        if self.path == _MEMORY:
            return "memory"
        return re.split(r"[\\/]", self.path.removeprefix("md:"))[-1].partition("?")[0].partition(".")[0]


class DuckDBIO:
    """The tables of a DuckDB file.

    An asset's table is its `relation`; without one, the last part of its key in the URL's schema (``main``). A table
    is replaced in one transaction. The partitions of an asset are rows of one table, told apart by the column
    ``_partition``. The file is open only while a table is read or written, so that other processes get their turn.

    >>> io = DuckDBIO.from_url("duckdb:warehouse/shop.duckdb?schema=raw")
    >>> str(io.relation(Asset(key="app/events", kind="python")))
    'shop.raw.events'
    """

    form: Literal["arrow", "any"] = "arrow"

    def __init__(self, address: DuckDBAddress) -> None:
        self.address = address
        self._memory: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()

    @classmethod
    def from_url(cls, url: str) -> DuckDBIO:
        """Return the manager for a URL; nothing is opened yet."""
        return cls(DuckDBAddress.from_url(url))

    def relation(self, asset: Asset) -> Relation:
        """Return the table that holds an asset, or would."""
        named = asset.relation or Relation(None, None, asset.key.name)
        return named.within(self.address.database, self.address.schema)

    def load(self, asset: Asset, partition: str | None = None) -> pa.Table:
        """Return the table as Arrow; raise `ValueStoreError` when there is none, or the file cannot be opened."""
        with self._reading(asset, partition) as (connection, relation):
            return _read(connection, relation, asset, None if partition is None else (partition,))

    def load_parts(self, asset: Asset, keys: Sequence[str]) -> pa.Table:
        """Return the rows of some partitions, by one query and in the order of `keys`; raises as `load` does."""
        with self._reading(asset, keys[0] if keys else None) as (connection, relation):
            return _read(connection, relation, asset, keys)

    def aggregate(self, asset: Asset, function: str, column: str | None = None) -> Any:
        """Return how many rows the table has (``count``), or the greatest value of a column (``max``).

        Raises as `load` does, and `ValueStoreError` when there is no such column.
        """
        with self._reading(asset) as (connection, relation):
            what = "count(*)" if column is None else f"{function}({sql_name(column)})"
            return connection.execute(f"SELECT {what} FROM {sql_table(relation)}").fetchall()[0][0]

    @contextmanager
    def _reading(
        self, asset: Asset, partition: str | None = None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, Relation]]:
        """Give a connection to read a table with; that it is not there, or cannot be read, is an error of ours."""
        import duckdb

        relation = self.relation(asset)
        place = f"in DuckDB file {self.address.path} ({relation})"
        if not self._exists():
            raise nothing_kept(asset, partition, f"{place}: there is no such file")
        with self._connection(relation) as connection:
            try:
                yield connection, relation
            except duckdb.CatalogException as error:
                raise nothing_kept(asset, partition, place) from error
            except duckdb.Error as error:
                raise ValueStoreError(f"{relation} cannot be read: {error}") from error

    def save(self, asset: Asset, value: pa.Table, partition: str | None = None) -> Saved:
        """Replace the table, or the rows of one partition; readers see the old rows or the new ones.

        Raises `ValueStoreError`, and leaves what was there, when DuckDB refuses.
        """
        import pyarrow as pa

        keys = None if partition is None else (partition,)
        told = None if partition is None else pa.repeat(pa.scalar(partition, pa.string()), value.num_rows)
        columns = self._write(asset, to_duckdb(value, asset, told), keys)
        return self._saved(asset, value, columns)

    def save_parts(self, asset: Asset, value: pa.Table, column: str, keys: Sequence[str]) -> list[Saved]:
        """Replace the rows of some partitions, all in one transaction; see `assetry.plugin.IOManager`.

        Raises as `save` does.
        """
        parts = rows_by_partition(value, column, keys)
        columns = self._write(asset, to_duckdb(value.drop_columns([column]), asset, value.column(column)), keys)
        return [self._saved(asset, rows, columns) for rows in parts.values()]

    def _write(self, asset: Asset, table: pa.Table, keys: Sequence[str] | None) -> tuple[Column, ...]:
        import duckdb

        relation = self.relation(asset)
        with self._writing(asset, relation) as connection:
            connection.register(VALUE, table)
            check_nanoseconds(asset, table.schema, table_columns(connection, VALUE))
            try:
                return _patiently(lambda: write(connection, relation, asset, keys))
            except duckdb.Error:
                _blame(connection, asset, table)
                raise

    def _saved(self, asset: Asset, rows: pa.Table, columns: tuple[Column, ...]) -> Saved:
        facts = {"rows": rows.num_rows, "relation": str(self.relation(asset))}
        return Saved(content_version(rows), columns, facts)

    def save_rows(self, asset: Asset, rows: Rows) -> Saved:
        """Save rows as they come, in one transaction; see `assetry.plugin.Rows`."""
        relation = self.relation(asset)
        with self._writing(asset, relation) as connection:
            columns, facts = _patiently(lambda: write_rows(connection, relation, asset, rows))
        return Saved(None, columns, {**facts, "relation": str(relation)})

    def delete(self, asset: Asset, partition: str | None = None) -> None:
        """Drop the table or view of an asset, or delete the rows of one partition; see `assetry.plugin.IOManager`.

        Raises `ValueStoreError`, and leaves what was there, when it cannot be reached, or a view stands on it.
        """
        import duckdb

        relation = self.relation(asset)
        if not self._is_reached(relation):
            raise ValueStoreError(
                f"{relation} is in a database that {self.address.path} does not lead to.",
                hint=f"Attach it: `?attach.{relation.database}=PATH` in the URL.",
            )
        if not self._exists():
            return
        with self._connection(relation) as connection:
            try:
                if partition is None:
                    _patiently(lambda: drop(connection, relation))
                else:
                    _patiently(lambda: delete_partition(connection, relation, partition))
            except duckdb.Error as error:
                raise ValueStoreError(f"{relation} cannot be deleted: {error}") from error

    def exists(self, places: Sequence[tuple[Asset, str | None]]) -> list[bool | None]:
        """Return for each asset whether its table is there; None where it is in a database that is not attached here.

        Asked once for each database. A partition is there when its table is: it may have no rows.
        """
        relations = [self.relation(asset) for asset, _ in places]
        there: dict[str, set[tuple[str, str]] | None] = {}
        for relation in relations:
            name = (relation.database or "").lower()
            if name not in there:
                there[name] = self._tables(relation)
        return [_is_there(there[(each.database or "").lower()], each) for each in relations]

    @contextmanager
    def columns(self) -> Iterator[Callable[[Asset], tuple[Column, ...]]]:
        """Give what returns the columns of an asset's table; the file is open only while it does. Raises as `load`."""

        def columns(asset: Asset) -> tuple[Column, ...]:
            with self._reading(asset) as (connection, relation):
                return table_columns(connection, sql_table(relation))

        yield columns

    def _tables(self, relation: Relation) -> set[tuple[str, str]] | None:
        """Return all tables and views of the database of `relation`; None when it cannot be reached from here."""
        if not self._is_reached(relation):
            return None
        attached = self.address.attached.get(relation.database or "")
        # Neither is made by looking at it.
        if not self._exists() or (attached is not None and ":" not in attached and not Path(attached).exists()):
            return set()
        with self._connection(relation) as connection:
            return tables(connection, relation.database or "")

    def _is_reached(self, relation: Relation) -> bool:
        name = relation.database or ""
        return name in self.address.attached or name.lower() == self.address.database.lower()

    def close(self) -> None:
        """Forget a database in memory; a file is never left open."""
        with self._lock:
            if self._memory is not None:
                self._memory.close()
                self._memory = None

    def _exists(self) -> bool:
        # Connecting would create the file, and a look must leave nothing behind.
        path = self.address.path
        return path == _MEMORY or path.startswith("md:") or Path(path).exists()

    @contextmanager
    def _writing(self, asset: Asset, relation: Relation) -> Iterator[duckdb.DuckDBPyConnection]:
        """Give a connection to write with; what DuckDB refuses is an error that says that nothing is lost."""
        import duckdb

        if self.address.path != _MEMORY:
            private_folder(Path(self.address.path).parent)
        with self._connection(relation) as connection:
            if Path(self.address.path).exists():
                private_file(Path(self.address.path))  # now that DuckDB has made it
            try:
                yield connection
            except duckdb.Error as error:
                raise ValueStoreError(
                    f"asset {str(asset.key)!r}: {relation} cannot be written: {error}",
                    where=asset.source,
                    hint="What was there before is still there; correct the cause, then run `assetry retry`.",
                ) from error

    @contextmanager
    def _connection(self, relation: Relation) -> Iterator[duckdb.DuckDBPyConnection]:
        with writable(self.address.path) as path:
            connection = self._connect(path)
            try:
                alias = relation.database or ""
                if alias in self.address.attached:
                    attached = self.address.attached[alias].replace("'", "''")
                    connection.execute(f"ATTACH IF NOT EXISTS '{attached}' AS {sql_name(alias)}")
                yield connection
            finally:
                connection.close()

    def _connect(self, path: str) -> duckdb.DuckDBPyConnection:
        import duckdb

        if path == _MEMORY:
            with self._lock:
                self._memory = self._memory or duckdb.connect(_MEMORY, config=dict(self.address.config))
                return self._memory.cursor()
        end = time.monotonic() + PATIENCE
        pause = 0.01
        while True:
            try:
                with _opening:
                    connection = duckdb.connect(path, config=dict(self.address.config))
                if is_whole(connection) or time.monotonic() >= end:
                    return connection
                connection.close()
            except duckdb.ConnectionException as error:
                raise self._other_configuration(error) from error
            except duckdb.Error as error:
                if remove_unbegun(Path(path)):
                    continue
                opens = "Unique file handle conflict" in str(error) and time.monotonic() < end
                if not opens and "Could not set lock" not in str(error):
                    raise ValueStoreError(f"DuckDB file {path} cannot be opened: {error}") from error
                if time.monotonic() >= end:
                    raise self._locked(error) from error
            time.sleep(pause)
            pause = min(2 * pause, 0.5)

    def _locked(self, error: Exception) -> ValueStoreError:
        holder = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
        who = f"{_command(holder[2]) or holder[1]} (PID {holder[2]})" if holder else "another process"
        return ValueStoreError(
            f"DuckDB file {self.address.path} is locked by {who}.",
            where=self.address.path,
            hint="Wait for its end, or close it where it is only open, then run `assetry retry`. "
            "A DuckDB file serves one process at a time.",
        )

    def _other_configuration(self, error: Exception) -> ValueStoreError:
        ours = "&".join(f"{name}={value}" for name, value in self.address.config.items()) or "none"
        return ValueStoreError(
            f"DuckDB file {self.address.path} is already open in this process with other options: {error}.",
            hint=f"Give every connection the same ones (here: {ours}); "
            "for dbt they stand under `config_options` in its profile, here after `?` in the URL.",
        )


def _is_there(tables: set[tuple[str, str]] | None, relation: Relation) -> bool | None:
    return None if tables is None else ((relation.schema or "").lower(), relation.identifier.lower()) in tables


def _read(
    connection: duckdb.DuckDBPyConnection, relation: Relation, asset: Asset, keys: Sequence[str] | None
) -> pa.Table:
    """Return a table, or the rows of some partitions of it in their order, as it is at one moment."""
    import pyarrow as pa

    table = sql_table(relation)
    connection.execute("BEGIN")
    try:
        columns = table_columns(connection, table)
        if asset.kind != "python" or not has_partitions(connection, relation, columns):
            return read(connection, table, columns)
        own = tuple(column for column in columns if column.name != PARTITION)
        # Without rows it may be that a partition is empty, or that it was never made; the run's records know.
        if keys is None or len(keys) == 1:
            return read(connection, table, own, None if keys is None else is_one_of(keys))
        found = read(connection, table, columns, is_one_of(keys))
        parts = rows_by_partition(found, PARTITION, keys)
        return pa.concat_tables(parts.values()) if parts else found.drop_columns([PARTITION])
    finally:
        connection.execute("ROLLBACK")


def _blame(connection: duckdb.DuckDBPyConnection, asset: Asset, table: pa.Table) -> None:
    """Raise an error that names the column whose values DuckDB does not take, when it is one column."""
    import duckdb

    for each in table.schema:
        trial = f"CREATE OR REPLACE TEMP TABLE assetry_column AS SELECT {sql_name(each.name)} FROM {VALUE}"
        try:
            connection.execute(f"{trial} LIMIT 0")
        except duckdb.Error:
            return  # that has nothing to do with values
        try:
            connection.execute(trial)
        except duckdb.Error as reason:
            raise unkept(asset, each.name, each.type, "DuckDB", str(reason), advice(each)) from None


def _patiently(write: Callable[[], T]) -> T:
    """Call `write`, again when another connection of this process was writing the same thing."""
    import duckdb

    end = time.monotonic() + PATIENCE
    pause = 0.01
    while True:
        try:
            return write()
        except duckdb.Error as error:
            # The second: another thread opened the file a moment ago, and the functions for Arrow are not there yet.
            passing = isinstance(error, duckdb.TransactionException) or "python_arrow_scan does not exist" in str(error)
            if not passing or time.monotonic() >= end:
                raise
        time.sleep(pause)
        pause = min(2 * pause, 0.5)


def _command(process: str) -> str | None:
    """Return the command line of a process, where the system tells."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return os.fsdecode(b" ".join(word for word in words if word)) or None
