"""Rows that come as a stream, into a table: added to it, or merged by their keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from assetry.plugin import Relation, Rows

from assetry_postgres.sql import Attribute, sql_name, sql_table, table_columns
from assetry_postgres.types import to_postgres

if TYPE_CHECKING:
    import pyarrow as pa


def reader_of(rows: Rows, name: str) -> pa.RecordBatchReader:
    """Return the rows with the types that PostgreSQL has, batch by batch; see `types.to_postgres`."""
    import pyarrow as pa

    reader = rows.open()
    schema = to_postgres(reader.schema.empty_table(), name).schema

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            yield from to_postgres(pa.Table.from_batches([batch]), name).cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())


def keep_best(cursor: Any, staged: Relation, rows: Rows) -> int:
    """Leave one staged row for each key, the newest, and among equals the last that came; return how many are left."""
    keys = ", ".join(map(sql_name, rows.keys))
    newest = f"{sql_name(rows.newest)} DESC NULLS LAST, " if rows.newest else ""
    table = sql_table(staged)
    cursor.execute(
        f"DELETE FROM {table} WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER "
        f"(PARTITION BY {keys} ORDER BY {newest}ctid DESC) AS place FROM {table}) AS ranked WHERE place > 1)"
    )
    cursor.execute(f"SELECT count(*) FROM {table}")
    return int(cursor.fetchall()[0][0])


def add_rows(cursor: Any, relation: Relation, staged: Relation, rows: Rows) -> int:
    """Bring staged rows into a table that is there; return how many went in that were not there in just that form."""
    coming = table_columns(cursor, staged)
    known = {each.name for each in table_columns(cursor, relation)}
    for each in coming:
        if each.name not in known:
            cursor.execute(f"ALTER TABLE {sql_table(relation)} ADD COLUMN {sql_name(each.name)} {each.written}")
    columns = table_columns(cursor, relation)
    if rows.mode == "merge":
        cursor.execute(f"ANALYZE {sql_table(staged)}")
        _clear(cursor, relation, staged, rows, columns)
    types = {each.name: each.written for each in columns}
    names = ", ".join(sql_name(each.name) for each in coming)
    values = ", ".join(f"{sql_name(each.name)}::{types[each.name]}" for each in coming)
    cursor.execute(f"SELECT count(*) FROM {sql_table(staged)}")
    changed = int(cursor.fetchall()[0][0])
    cursor.execute(f"INSERT INTO {sql_table(relation)} ({names}) SELECT {values} FROM {sql_table(staged)}")
    cursor.execute(f"DROP TABLE {sql_table(staged)}")
    return changed


def _clear(cursor: Any, relation: Relation, staged: Relation, rows: Rows, columns: Sequence[Attribute]) -> None:
    """Take what is no news out of the staged rows, then what has their keys out of the table."""
    same_keys = " AND ".join(_same_key(cursor, staged, each) for each in columns if each.name in rows.keys)
    both = f"{sql_table(staged)} AS s USING {sql_table(relation)} AS t WHERE {same_keys}"
    if rows.newest:
        newest = sql_name(rows.newest)
        cursor.execute(
            f"DELETE FROM {both} AND (t.{newest} > s.{newest} OR (s.{newest} IS NULL AND t.{newest} IS NOT NULL))"
        )
    there = {each.name for each in table_columns(cursor, staged)}
    same = [
        f"s.{sql_name(each.name)}::{each.written} IS NOT DISTINCT FROM t.{sql_name(each.name)}"
        if each.name in there
        else f"t.{sql_name(each.name)} IS NULL"
        for each in columns
    ]
    cursor.execute(f"DELETE FROM {both} AND {' AND '.join(same)}")
    cursor.execute(f"DELETE FROM {sql_table(relation)} AS t USING {sql_table(staged)} AS s WHERE {same_keys}")


def _same_key(cursor: Any, staged: Relation, column: Attribute) -> str:
    """Return the condition that a key is the same; NULL is one, though only asked for where there is any.

    PostgreSQL joins by equality fast, by anything that takes NULL in row by row.
    """
    name = sql_name(column.name)
    cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {sql_table(staged)} WHERE {name} IS NULL)")
    equal = f"s.{name}::{column.written} = t.{name}"
    return f"({equal} OR (s.{name} IS NULL AND t.{name} IS NULL))" if cursor.fetchall()[0][0] else equal
