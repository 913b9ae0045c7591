"""A table put in the place of what is there, and one partition of it; columns that become wider for what comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assetry.plugin import Asset, Column, Relation, Widening, plain_type

from assetry_duckdb.sql import sql_name, sql_table, sql_text, table_columns, table_kind
from assetry_duckdb.types import PARTITION, TABLES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

#: Under which name a value waits to be written.
VALUE = "assetry_value"
#: What is said of a column that is called as that of partitions, and is one of the asset's own.
_OWN = "assetry: a column of the asset's own, not that of partitions"


def has_partitions(connection: duckdb.DuckDBPyConnection, relation: Relation, columns: tuple[Column, ...]) -> bool:
    """Tell whether a table is one of partitions, and not one whose asset has a column of that name."""
    if PARTITION not in [column.name for column in columns]:
        return False
    found = connection.execute(
        "SELECT comment FROM duckdb_columns() WHERE lower(database_name) = lower(?) AND lower(schema_name) = lower(?) "
        "AND lower(table_name) = lower(?) AND column_name = ?",
        [*relation, PARTITION],
    ).fetchall()
    return (_OWN,) not in found


def write(
    connection: duckdb.DuckDBPyConnection, relation: Relation, asset: Asset, keys: Sequence[str] | None
) -> tuple[Column, ...]:
    """Write the registered value in one transaction; return the columns that the table has then.

    With `keys` the value has the rows of these partitions, told apart by a column, and takes the place of theirs.
    """
    table = sql_table(relation)
    connection.execute("BEGIN")
    try:
        existing = table_kind(connection, relation)
        if existing is None:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {sql_table(relation[:2])}")
        elif existing == "VIEW":
            connection.execute(f"DROP VIEW {table}")
        columns = table_columns(connection, table) if existing == "BASE TABLE" else ()
        if keys is not None and has_partitions(connection, relation, columns):
            _replace_partitions(connection, table, asset, keys)
        else:
            connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {VALUE}")
        columns = table_columns(connection, table)
        if keys is None and PARTITION in [column.name for column in columns]:
            connection.execute(f"COMMENT ON COLUMN {table}.{PARTITION} IS {sql_text(_OWN)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return tuple(column for column in columns if keys is None or column.name != PARTITION)


def is_one_of(keys: Sequence[str]) -> str:
    """Return the condition that a row is of one of some partitions, as SQL.

    >>> is_one_of(["2026-01-01", "it's"])
    "_partition IN ('2026-01-01', 'it''s')"
    """
    return f"{PARTITION} IN ({', '.join(map(sql_text, keys))})" if keys else "false"


def _replace_partitions(connection: duckdb.DuckDBPyConnection, table: str, asset: Asset, keys: Sequence[str]) -> None:
    connection.execute(f"DELETE FROM {table} WHERE {is_one_of(keys)}")
    there, coming = (table_columns(connection, each) for each in (table, VALUE))
    # As a table without partitions would: two names that are one to DuckDB are no name for both.
    known = {column.name for column in there}
    names = [*known, *(column.name for column in coming if column.name not in known)]
    TABLES.check_names(names, asset)
    chosen = grow(connection, table, VALUE, asset)
    connection.execute(f"INSERT INTO {table} BY NAME SELECT {chosen} FROM {VALUE}")


def grow(
    connection: duckdb.DuckDBPyConnection, table: str, coming: str, asset: Asset, *, shape: str | None = None
) -> str:
    """Make room in a table for the rows of `coming`, and return the columns to select from there, as SQL.

    The table gets the columns that it lacks, and the types that keep the values of both. `shape` has the columns of
    rows that can be read once only, so that nothing is known of their values. Raises `ValueStoreError` that names a
    column.
    """
    import duckdb

    there = {column.name.casefold(): column for column in table_columns(connection, table)}
    new = table_columns(connection, shape or coming)
    # Of the same type in DuckDB's own words: nothing to be done, whatever Arrow calls it.
    differing = {
        column.name: there[column.name.casefold()].name
        for column in new
        if column.name.casefold() in there and there[column.name.casefold()].type != column.type
    }
    missing = [column for column in new if column.name.casefold() not in there]
    for column in missing:
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {sql_name(column.name)} {column.type}")
    if not differing:
        return ", ".join(sql_name(column.name) for column in new)
    own = {name: name for name in differing}
    old, come = _schema(connection, table, differing), _schema(connection, shape or coming, own)
    free = _without_values(connection, table, differing)
    empty = set() if shape else _without_values(connection, coming, own)
    grown = TABLES.grown(asset, old, come, free, empty)
    for name in differing:
        there_too_great = name in grown.look_there - free and _exceeds(connection, table, differing[name])
        coming_too_great = not shape and name in grown.look_coming and _exceeds(connection, coming, name)
        kind = grown.widened.get(name)
        if there_too_great or coming_too_great or (kind is not None and TABLES.kept_as(kind) is None):
            raise TABLES.no_common_type(asset, name, old.field(name).type, come.field(name).type)
    written = _written(connection, grown.widened)
    for name, kept in differing.items():
        type_ = written.get(name, there[kept.casefold()].type)
        try:
            if name in grown.widened:
                using = f" USING CAST(NULL AS {type_})" if name in free else ""
                connection.execute(f"ALTER TABLE {table} ALTER COLUMN {sql_name(kept)} TYPE {type_}{using}")
            if not shape and name not in empty:
                connection.execute(f"SELECT count(CAST({sql_name(name)} AS {type_})) FROM {coming}").fetchall()
        except duckdb.ConversionException:  # a year that nanoseconds do not reach
            raise TABLES.no_common_type(asset, name, old.field(name).type, come.field(name).type) from None
    return ", ".join(_selected(column, grown, empty) for column in new)


def _selected(column: Column, grown: Widening, empty: set[str]) -> str:
    """Return a column to be inserted as SQL, which fails at a whole number that floating point does not have."""
    name = sql_name(column.name)
    if column.name in empty:
        return f"NULL AS {name}"
    if column.name not in grown.look_coming:
        return name
    said = sql_text(f"column {column.name!r} is floating point there, which does not have the whole number ")
    return (
        f"CASE WHEN {name} BETWEEN -{grown.exact} AND {grown.exact} OR {name} IS NULL THEN {name} "
        f"ELSE error({said} || {name}) END AS {name}"
    )


def _without_values(connection: duckdb.DuckDBPyConnection, table: str, names: Mapping[str, str]) -> set[str]:
    counts = ", ".join(f"count({sql_name(name)})" for name in names.values())
    found = connection.execute(f"SELECT {counts} FROM {table}").fetchall()[0]
    return {name for name, count in zip(names, found, strict=True) if not count}


def _exceeds(connection: duckdb.DuckDBPyConnection, table: str, name: str) -> bool:
    exact, column = Widening.exact, sql_name(name)
    return bool(
        connection.execute(f"SELECT 1 FROM {table} WHERE {column} NOT BETWEEN -{exact} AND {exact} LIMIT 1").fetchall()
    )


def _schema(connection: duckdb.DuckDBPyConnection, table: str, names: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow types of columns of a table, under the names by which they are mapped."""
    import pyarrow as pa

    found = connection.sql(f"SELECT {', '.join(map(sql_name, names.values()))} FROM {table} LIMIT 0").to_arrow_table()
    uuids = {
        each.name: _with_uuids(each.type) for each in table_columns(connection, table) if "UUID" in (each.type or "")
    }
    kinds = [uuids.get(own, plain_type(field.type)) for own, field in zip(names.values(), found.schema, strict=True)]
    return pa.schema(list(zip(names, kinds, strict=True)))


def _with_uuids(written: str | None) -> pa.DataType:
    """Return the Arrow type of a column with UUIDs, which DuckDB otherwise gives as text: made of text, they change."""
    import duckdb

    # The setting is one of the whole database, and others read this one.
    with duckdb.connect(config={"arrow_lossless_conversion": True}) as other:
        return other.sql(f"SELECT CAST(NULL AS {written}) AS x").to_arrow_table().schema.field("x").type


def without_rows(schema: pa.Schema) -> pa.Table:
    """Return a table of a schema; Arrow's own `empty_table` does not know lists of UUIDs."""
    import pyarrow as pa

    return pa.table([pa.nulls(0, field.type) for field in schema], schema=schema)


def _written(connection: duckdb.DuckDBPyConnection, kinds: Mapping[str, pa.DataType]) -> dict[str, str]:
    """Return how DuckDB writes Arrow types."""
    import pyarrow as pa

    if not kinds:
        return {}
    connection.register("assetry_kinds", without_rows(pa.schema(list(kinds.items()))))
    try:
        return {column.name: str(column.type) for column in table_columns(connection, "assetry_kinds")}
    finally:
        connection.unregister("assetry_kinds")
