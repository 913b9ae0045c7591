"""Rows that come as a stream, into a table: added to it, or merged by their keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assetry.plugin import Asset, Relation, Rows

from assetry_postgres.sql import Attribute, sql_name, sql_table, table_columns
from assetry_postgres.tables import as_there, grow, insert


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


def add_rows(cursor: Any, relation: Relation, staged: Relation, asset: Asset, rows: Rows) -> int:
    """Bring staged rows into a table that is there; return how many went in that were not there in just that form."""
    grow(cursor, relation, staged, asset)
    if rows.mode == "merge":
        cursor.execute(f"ANALYZE {sql_table(staged)}")
        _clear(cursor, relation, staged, rows, table_columns(cursor, relation))
    cursor.execute(f"SELECT count(*) FROM {sql_table(staged)}")
    changed = int(cursor.fetchall()[0][0])
    insert(cursor, relation, staged)
    return changed


def _clear(cursor: Any, relation: Relation, staged: Relation, rows: Rows, columns: Sequence[Attribute]) -> None:
    """Delete staged rows of which the table has newer or equal ones, then those of the table with the same keys."""
    coming = {each.name: each for each in table_columns(cursor, staged)}
    same_keys = " AND ".join(
        _same_key(cursor, staged, coming[each.name], each) for each in columns if each.name in rows.keys
    )
    both = f"{sql_table(staged)} AS s USING {sql_table(relation)} AS t WHERE {same_keys}"
    if rows.newest:
        newest = sql_name(rows.newest)
        cursor.execute(
            f"DELETE FROM {both} AND (t.{newest} > s.{newest} OR (s.{newest} IS NULL AND t.{newest} IS NOT NULL))"
        )
    same = [
        f"{as_there(coming[each.name], each, 's.')} IS NOT DISTINCT FROM t.{sql_name(each.name)}"
        if each.name in coming
        else f"t.{sql_name(each.name)} IS NULL"
        for each in columns
    ]
    cursor.execute(f"DELETE FROM {both} AND {' AND '.join(same)}")
    cursor.execute(f"DELETE FROM {sql_table(relation)} AS t USING {sql_table(staged)} AS s WHERE {same_keys}")


def _same_key(cursor: Any, staged: Relation, coming: Attribute, column: Attribute) -> str:
    """Return the condition that a key is the same; NULL is one, though only asked for where there is any.

    PostgreSQL joins by equality fast, by anything that takes NULL in row by row.
    """
    name = sql_name(column.name)
    cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {sql_table(staged)} WHERE {name} IS NULL)")
    equal = f"{as_there(coming, column, 's.')} = t.{name}"
    return f"({equal} OR (s.{name} IS NULL AND t.{name} IS NULL))" if cursor.fetchall()[0][0] else equal
