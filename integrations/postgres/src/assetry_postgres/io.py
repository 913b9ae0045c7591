"""Tables of a PostgreSQL database, in and out as Arrow through ADBC."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from assetry.plugin import (
    Asset,
    Column,
    NothingKeptError,
    Relation,
    Rows,
    Saved,
    ValueStoreError,
    advice,
    content_version,
    nothing_kept,
    rows_by_partition,
    unkept,
)

from assetry_postgres.address import Address
from assetry_postgres.rows import add_rows, keep_best
from assetry_postgres.sql import LONGEST_NAME, Attribute, sql_name, sql_table, table_columns, table_kind, tables
from assetry_postgres.tables import drop, has_partitions, is_one_of, mark_own, put, replace_partitions, stage
from assetry_postgres.types import PARTITION, TABLES, read, sql_type, to_postgres

if TYPE_CHECKING:
    import pyarrow as pa

_READING = "Look whether the user of the URL may read it."
_DELETING = "It is still there. Drop what stands on it first, or let a user delete it who may."
_WRITING = "What was there before is still there; correct the cause, then run `assetry retry`."


class PostgresIO:
    """The tables of a PostgreSQL database.

    An asset's table is its `relation`; without one, the last part of its key in the URL's schema (``public``). A
    table is written under another name and takes the old one's place, with its grants, in one transaction. Where
    views stand on the old one, it stays and its rows are exchanged instead, provided that the columns which views read
    are the same. The partitions of an asset are rows of one table, told apart by the column ``_partition``.

    >>> io = PostgresIO.from_url("postgresql://bob@localhost/shop?schema=raw")
    >>> str(io.relation(Asset(key="app/events", kind="python")))
    'shop.raw.events'
    """

    form: Literal["arrow", "any"] = "arrow"

    def __init__(self, address: Address) -> None:
        self.address = address

    @classmethod
    def from_url(cls, url: str) -> PostgresIO:
        """Return the manager for a URL; nothing is opened yet."""
        return cls(Address.from_url(url))

    def relation(self, asset: Asset) -> Relation:
        """Return the table that holds an asset, or would."""
        named = asset.relation or Relation(None, None, asset.key.name)
        return named.within(self.address.database, self.address.schema)

    def load(self, asset: Asset, partition: str | None = None) -> pa.Table:
        """Return the table as Arrow; raise `ValueStoreError` when there is none, or the database is out of reach."""
        return self._load(asset, None if partition is None else (partition,))

    def load_parts(self, asset: Asset, keys: Sequence[str]) -> pa.Table:
        """Return the rows of some partitions, by one query and in the order of `keys`; raises as `load` does."""
        return self._load(asset, keys)

    def _load(self, asset: Asset, keys: Sequence[str] | None) -> pa.Table:
        import pyarrow as pa

        relation, name = self._reachable(asset), f"asset {str(asset.key)!r}"
        with self._cursor(f"{relation} cannot be read", _READING) as cursor:
            attributes = table_columns(cursor, relation)
            if not attributes:
                raise nothing_kept(asset, keys[0] if keys else None, f"in PostgreSQL {self.address.name} ({relation})")
            if asset.kind != "python" or not has_partitions(cursor, relation, attributes):
                return read(cursor, sql_table(relation), attributes, "", name)
            where = "" if keys is None else f" WHERE {is_one_of(keys)}"
            if keys is None or len(keys) == 1:
                attributes = [each for each in attributes if each.name != PARTITION]
                return read(cursor, sql_table(relation), attributes, where, name)
            found = read(cursor, sql_table(relation), attributes, where, name)
        parts = rows_by_partition(found, PARTITION, keys)
        return pa.concat_tables(parts.values()) if parts else found.drop_columns([PARTITION])

    def aggregate(self, asset: Asset, function: str, column: str | None = None) -> Any:
        """Return how many rows the table has (``count``), or the greatest value of a column (``max``).

        Raises as `load` does, and `ValueStoreError` when there is no such column.
        """
        relation = self._reachable(asset)
        with self._cursor(f"{relation} cannot be read", _READING) as cursor:
            if not table_columns(cursor, relation):
                raise nothing_kept(asset, None, f"in PostgreSQL {self.address.name} ({relation})")
            what = "count(*)" if column is None else f"{function}({sql_name(column)})"
            cursor.execute(f"SELECT {what} FROM {sql_table(relation)}")
            return cursor.fetchall()[0][0]

    def save(self, asset: Asset, value: pa.Table, partition: str | None = None) -> Saved:
        """Replace the table, or the rows of one partition, in one transaction.

        Raises `ValueStoreError`, and leaves what was there, when PostgreSQL refuses.
        """
        import pyarrow as pa

        keys = None if partition is None else (partition,)
        told = None if partition is None else pa.repeat(pa.scalar(partition, pa.string()), value.num_rows)
        return self._saved(asset, value, self._write(asset, to_postgres(value, asset, told), keys))

    def save_parts(self, asset: Asset, value: pa.Table, column: str, keys: Sequence[str]) -> list[Saved]:
        """Replace the rows of some partitions, all in one transaction; see `assetry.plugin.IOManager`.

        Raises as `save` does.
        """
        parts = rows_by_partition(value, column, keys)
        table = to_postgres(value.drop_columns([column]), asset, value.column(column))
        written = self._write(asset, table, keys)
        return [self._saved(asset, rows, written) for rows in parts.values()]

    def _write(self, asset: Asset, table: pa.Table, keys: Sequence[str] | None) -> Sequence[Attribute]:
        """Put a table, or the rows of some partitions, in the place of what is there; return the columns there then."""
        relation = self._writable(asset)
        with self._writing(asset, relation, table) as cursor:
            _create_schema(cursor, relation.schema or "")
            existing = table_columns(cursor, relation)
            staged, _ = stage(cursor, relation, table)
            if keys is not None and has_partitions(cursor, relation, existing):
                replace_partitions(cursor, relation, staged, asset, keys)
            else:
                put(cursor, relation, existing, staged)
            if keys is None and PARTITION in table.column_names:
                mark_own(cursor, relation)
            return table_columns(cursor, relation)

    def _saved(self, asset: Asset, rows: pa.Table, written: Sequence[Attribute]) -> Saved:
        columns = [Column(each.name, each.written) for each in written if each.name in rows.column_names]
        facts = {"rows": rows.num_rows, "relation": str(self.relation(asset))}
        return Saved(content_version(rows), tuple(columns), facts)

    def save_rows(self, asset: Asset, rows: Rows) -> Saved:
        """Save rows as they come, in one transaction; see `assetry.plugin.Rows`."""
        relation = self._writable(asset)
        coming = TABLES.fit_rows(rows.open(), asset)
        with self._writing(asset, relation) as cursor:
            _create_schema(cursor, relation.schema or "")
            existing = table_columns(cursor, relation)
            grows = rows.mode != "replace" and bool(existing) and table_kind(cursor, relation) in "rp"
            if rows.mode != "replace" and rows.existing and not grows:
                raise NothingKeptError(f"The table {relation} is no longer there.", where=asset.source)
            staged, changed = stage(cursor, relation, coming)
            if rows.keys and rows.mode != "append":
                changed = keep_best(cursor, staged, rows)
            if grows:
                changed = add_rows(cursor, relation, staged, asset, rows)
            else:
                put(cursor, relation, existing, staged)
            written = table_columns(cursor, relation)
        facts = {"changed": changed, "relation": str(relation), **({} if grows else {"rows": changed})}
        return Saved(None, tuple(Column(each.name, each.written) for each in written), facts)

    def delete(self, asset: Asset, partition: str | None = None) -> None:
        """Drop the table or view of an asset, or delete the rows of one partition; see `assetry.plugin.IOManager`.

        Raises `ValueStoreError`, and leaves what was there, when the user may not, or anything stands on it.
        """
        relation = self._reachable(asset)
        with self._cursor(f"{relation} cannot be deleted", _DELETING, asset.source) as cursor:
            _wait_for_others(cursor, relation)
            attributes = table_columns(cursor, relation)
            if not attributes:
                return
            if partition is None:
                drop(cursor, relation)
            elif has_partitions(cursor, relation, attributes):
                cursor.execute(f"DELETE FROM {sql_table(relation)} WHERE {is_one_of((partition,))}")

    def exists(self, places: Sequence[tuple[Asset, str | None]]) -> list[bool | None]:
        """Return for each asset whether its table is there; None where it is in another database. Asked in one query.

        A partition is there when its table is: it may have no rows.
        """
        relations = [self.relation(asset) for asset, _ in places]
        own = self.address.database.casefold()
        here = [(each.database or own).casefold() == own for each in relations]
        schemas = {each.schema or "" for each, mine in zip(relations, here, strict=True) if mine}
        if not schemas:
            return [None] * len(places)
        with self._cursor("the tables there are cannot be listed", _READING) as cursor:
            there = tables(cursor, schemas)
        return [
            (each.schema, each.identifier) in there if mine else None
            for each, mine in zip(relations, here, strict=True)
        ]

    @contextmanager
    def columns(self) -> Iterator[Callable[[Asset], tuple[Column, ...]]]:
        """Give what returns the columns of an asset's table, over one connection; raises as `load` does."""
        with ExitStack() as opened:
            cursors: list[Any] = []

            def columns(asset: Asset) -> tuple[Column, ...]:
                relation = self._reachable(asset)
                if not cursors:
                    cursors.append(opened.enter_context(self._cursor("columns cannot be read", _READING, lasting=True)))
                found = table_columns(cursors[0], relation)
                if not found:
                    raise nothing_kept(asset, None, f"in PostgreSQL {self.address.name} ({relation})")
                return tuple(Column(each.name, each.written) for each in found)

            yield columns

    def close(self) -> None:
        """Do nothing: no connection stays open."""

    def _writable(self, asset: Asset) -> Relation:
        relation = self._reachable(asset)
        if len(relation.identifier.encode()) > LONGEST_NAME:
            raise ValueStoreError(
                f"{relation.identifier!r} is too long for a PostgreSQL table ({LONGEST_NAME} bytes).",
                where=asset.source,
                hint="Give the asset a shorter key.",
            )
        return relation

    def _reachable(self, asset: Asset) -> Relation:
        relation = self.relation(asset)
        if relation.database and relation.database.casefold() != self.address.database.casefold():
            raise ValueStoreError(
                f"{relation} is in another database than {self.address.name}, and PostgreSQL cannot reach across.",
                where=asset.source,
                hint="Give the asset an io_manager URL of that database.",
            )
        return relation

    @contextmanager
    def _writing(self, asset: Asset, relation: Relation, table: pa.Table | None = None) -> Iterator[Any]:
        """Give a cursor to write `table` with; when PostgreSQL does not take it, say which column is why."""
        try:
            with self._cursor(
                f"asset {str(asset.key)!r}: {relation} cannot be written", _WRITING, asset.source
            ) as cursor:
                _wait_for_others(cursor, relation)
                yield cursor
        except ValueStoreError as error:
            self._blame(asset, table, error)
            raise

    def _blame(self, asset: Asset, table: pa.Table | None, error: ValueStoreError) -> None:
        """Raise the error again, with the column whose values PostgreSQL does not take, when it is one column."""
        if table is None or "column '" in error.message or self._refusal(table.slice(0, 0)) is not None:
            return  # that has nothing to do with values
        for field in table.schema:
            why = self._refusal(table.select([field.name]))
            if why is not None:
                raise unkept(asset, field.name, field.type, TABLES.name, why.rstrip("."), advice(field)) from None

    def _refusal(self, table: pa.Table) -> str | None:
        """Return why PostgreSQL does not take a table's values, tried in a table that is gone at once."""
        try:
            with self._cursor("?", _WRITING) as cursor:
                columns = ", ".join(f"{sql_name(field.name)} {sql_type(field.type)}" for field in table.schema)
                cursor.execute(f"CREATE TEMP TABLE assetry_column ({columns}) ON COMMIT DROP")
                cursor.adbc_ingest("assetry_column", table, mode="append", temporary=True)
        except ValueStoreError as error:
            return error.message.removeprefix("?: ")
        return None

    @contextmanager
    def _cursor(self, doing: str, hint: str, where: str | None = None, *, lasting: bool = False) -> Iterator[Any]:
        """Give a cursor in a transaction: committed at the end, rolled back when anything is raised.

        A `lasting` one has no transaction, and sees what others do meanwhile.
        """
        from adbc_driver_manager import Error
        from adbc_driver_postgresql import dbapi

        try:
            connection = dbapi.connect(self.address.uri, autocommit=lasting)
        except Error as error:
            raise ValueStoreError(
                f"PostgreSQL {self.address.name} cannot be reached: {self._reason(error)}",
                hint="Start the server, or correct host, user and password.",
            ) from None
        try:
            with connection.cursor() as cursor:
                yield cursor
            if not lasting:
                connection.commit()
        except Error as error:
            raise ValueStoreError(f"{doing}: {self._reason(error)}", where=where, hint=hint) from None
        finally:
            # Closing without a commit rolls back.
            connection.close()

    def _reason(self, error: Exception) -> str:
        """Return what PostgreSQL said, without the driver's words around it and without secrets."""
        text = re.split(r"\n\nQuery was:|\nLINE \d+:|\nCONTEXT:", str(error))[0]
        text = re.sub(r"^(?:[A-Z_]+: )?(?:\[libpq\] )?(?:Failed to [^\n]*?(?:ERROR|FATAL): +)?", "", text, count=1)
        text = re.sub(r"\.? *(?:Vendor code: \d+\. *)?SQLSTATE: \w+$", "", text.strip()).strip()
        return self.address.scrub(" ".join(text.split()))


def _wait_for_others(cursor: Any, relation: Relation) -> None:
    # Two partitions may come at once, and none of the two may take the other for nothing.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext($1))", (f"assetry {relation}",))
    cursor.fetchall()


def _create_schema(cursor: Any, schema: str) -> None:
    cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = $1", (schema,))
    if not cursor.fetchall():
        # Two runs may both find it missing; the lock makes the second one wait, and then find it.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('assetry schema'))")
        cursor.fetchall()
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {sql_name(schema)}")
