"""Rows that come as a stream, into a table: put in its place, added to it, or merged by their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetry.plugin import Asset, Column, NothingKeptError, Relation, Rows

from assetry_duckdb.sql import sql_name, sql_table, table_columns, table_kind
from assetry_duckdb.tables import grow, without_rows
from assetry_duckdb.types import TABLES, check_nanoseconds

if TYPE_CHECKING:
    import duckdb

_COMING, _SHAPE = "assetry_rows", "assetry_shape"
#: The rows that came, in a table of the connection's own.
_STAGED = "temp.main.assetry_staged"


def write_rows(
    connection: duckdb.DuckDBPyConnection, relation: Relation, asset: Asset, rows: Rows
) -> tuple[Any, dict[str, int]]:
    """Write rows in one transaction; return the table's columns, and its ``rows`` and how many ``changed``."""
    table = sql_table(relation)
    reader = TABLES.fit_rows(rows.open(), asset)
    connection.register(_COMING, reader)
    connection.register(_SHAPE, without_rows(reader.schema))
    check_nanoseconds(asset, reader.schema, table_columns(connection, _SHAPE))
    connection.execute("BEGIN")
    try:
        changed = _write(connection, relation, asset, rows)
        columns = table_columns(connection, table)
        counted = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        connection.execute("DROP TABLE IF EXISTS " + _STAGED)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    finally:
        connection.unregister(_COMING)
        connection.unregister(_SHAPE)
    return columns, {"rows": int(counted[0][0]), "changed": changed}


def _write(connection: duckdb.DuckDBPyConnection, relation: Relation, asset: Asset, rows: Rows) -> int:
    """Bring the table to its new form; return how many rows went in that were not there in just that form."""
    table = sql_table(relation)
    kind = table_kind(connection, relation)
    if rows.existing and rows.mode != "replace" and kind != "BASE TABLE":
        raise NothingKeptError(f"The table {relation} is no longer there.")
    if kind == "VIEW":
        connection.execute(f"DROP VIEW {table}")
    if kind is None:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {sql_table(relation[:2])}")
    if rows.mode == "replace" or kind != "BASE TABLE":
        query = _best_of(rows) if rows.keys and rows.mode != "append" else f"SELECT * FROM {_COMING}"
        return _count(connection, f"CREATE OR REPLACE TABLE {table} AS {query}")
    if rows.mode == "merge":
        connection.execute(f"CREATE OR REPLACE TEMP TABLE assetry_staged AS {_best_of(rows)}")
        return _merge(connection, table, asset, rows)
    chosen = grow(connection, table, _COMING, asset, shape=_SHAPE)
    return _count(connection, f"INSERT INTO {table} BY NAME SELECT {chosen} FROM {_COMING}")


def _count(connection: duckdb.DuckDBPyConnection, statement: str) -> int:
    return int(connection.execute(statement).fetchall()[0][0])


def _best_of(rows: Rows) -> str:
    """Return the query for the rows that came, one for each key: the newest, and among equals the last."""
    keys = ", ".join(map(sql_name, rows.keys))
    newest = f"{sql_name(rows.newest)} DESC NULLS LAST, " if rows.newest else ""
    return (
        f"SELECT * EXCLUDE (assetry_place) FROM (SELECT *, row_number() OVER () AS assetry_place FROM {_COMING}) "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {newest}assetry_place DESC) = 1"
    )


def _merge(connection: duckdb.DuckDBPyConnection, table: str, asset: Asset, rows: Rows) -> int:
    """Put staged rows in the place of those with the same keys, unless these are newer or equal; return how many."""
    chosen = grow(connection, table, _STAGED, asset)
    staged = {column.name.casefold() for column in table_columns(connection, _STAGED)}
    columns = table_columns(connection, table)
    same_keys = _same([column for column in columns if column.name in rows.keys])
    if rows.newest:
        newest = sql_name(rows.newest)
        connection.execute(
            f"DELETE FROM {_STAGED} AS s USING {table} AS t WHERE {same_keys} "
            f"AND (t.{newest} > s.{newest} OR (s.{newest} IS NULL AND t.{newest} IS NOT NULL))"
        )
    missing = [f"t.{sql_name(each.name)} IS NULL" for each in columns if each.name.casefold() not in staged]
    present = _same([each for each in columns if each.name.casefold() in staged])
    connection.execute(f"DELETE FROM {_STAGED} AS s USING {table} AS t WHERE {' AND '.join([present, *missing])}")
    connection.execute(f"DELETE FROM {table} AS t USING {_STAGED} AS s WHERE {same_keys}")
    return _count(connection, f"INSERT INTO {table} BY NAME SELECT {chosen} FROM {_STAGED}")


def _same(columns: list[Column]) -> str:
    """Return the condition that `s` and `t` are equal in columns; compared as the table has them."""
    return " AND ".join(
        f"CAST(s.{sql_name(each.name)} AS {each.type}) IS NOT DISTINCT FROM t.{sql_name(each.name)}" for each in columns
    )
