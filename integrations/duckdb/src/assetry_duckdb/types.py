"""Types between DuckDB and Arrow, where the two do not have the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assetry.plugin import Asset, Column, TablePlace, plain_type, unkept, with_leaves

from assetry_duckdb.sql import sql_name

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

#: Column that tells the partitions of a partitioned asset apart; added when kept, left out when read.
PARTITION = "_partition"
#: Types that are read as text: Arrow has none, or DuckDB's driver gives them with something lost.
_AS_TEXT = ("TIME WITH TIME ZONE", "BIT", "BIGNUM", "VARINT", "UHUGEINT", "VARIANT")


def kept_as(kind: Any) -> Any:
    """Return the Arrow type as which DuckDB keeps an Arrow type; None when it has none.

    >>> import pyarrow as pa
    >>> kept_as(pa.list_(pa.float16())), kept_as(pa.decimal256(50, 2))
    (ListType(list<item: float>), None)
    """
    import pyarrow as pa

    inner = with_leaves(plain_type(kind), _kept_as)
    if inner is not None and pa.types.is_nested(inner) and with_leaves(inner, _but_no_duration) is None:
        return None  # it would come back as intervals, and inside of lists there is no telling
    return inner


def _but_no_duration(kind: Any) -> Any:
    import pyarrow as pa

    return None if pa.types.is_duration(kind) else kind


def _kept_as(kind: Any) -> Any:
    import pyarrow as pa

    is_ = pa.types
    if is_.is_decimal(kind):
        return pa.decimal128(kind.precision, kind.scale) if kind.precision <= 38 else None
    if isinstance(kind, pa.BaseExtensionType):
        return kind if kind.extension_name == "arrow.uuid" else None
    if is_.is_float16(kind):
        return pa.float32()
    if is_.is_duration(kind):
        return pa.duration("us")
    return None if is_.is_union(kind) or is_.is_nested(kind) else kind


#: What a table of DuckDB can keep, and one that has partitions in it.
TABLES = TablePlace("DuckDB", kept_as, folds_case=True)
PARTITIONS = replace(TABLES, reserved=frozenset({PARTITION}))


def to_duckdb(table: pa.Table, asset: Asset, keys: pa.Array | pa.ChunkedArray | None = None) -> pa.Table:
    """Return a table with types that DuckDB keeps; raise `ValueStoreError` that names a column it cannot keep.

    `keys` tell the partition of each row, where there are any; they become a column of their own.
    """
    if keys is None:
        return TABLES.fit(_without_nanoseconds(table), asset)
    return PARTITIONS.fit(_without_nanoseconds(table), asset).append_column(PARTITION, keys)


def _without_nanoseconds(table: pa.Table) -> pa.Table:
    """Return the table with times in microseconds where nothing is lost: DuckDB's functions are made for those."""
    import pyarrow as pa

    for i, each in enumerate(table.schema):
        kind = each.type
        if (pa.types.is_timestamp(kind) or pa.types.is_time64(kind)) and kind.unit == "ns":
            plain = pa.time64("us") if pa.types.is_time64(kind) else pa.timestamp("us", kind.tz)
            try:
                column = table.column(i).cast(plain)
            except pa.ArrowInvalid:
                continue
            table = table.set_column(i, each.name, column)
    return table


def check_nanoseconds(asset: Asset, schema: pa.Schema, columns: Sequence[Column]) -> None:
    """Raise `ValueStoreError` when a column has nanoseconds, and this version of DuckDB no type for them."""
    for field, column in zip(schema, columns, strict=True):
        if "[ns" in str(field.type) and "NS" not in (column.type or ""):
            why = f"this version has nothing finer than {column.type}"
            hint = f"Round it: frame[{field.name!r}] = frame[{field.name!r}].dt.round('us')."
            raise unkept(asset, field.name, field.type, "DuckDB", why, hint)


# -- reading -----------------------------------------------------------------------------------------------------------


def read(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[Column], where: str | None = None
) -> pa.Table:
    """Return columns of a table, given its quoted name, as Arrow: times in UTC, intervals as durations.

    An interval with months in it has no length, and stays one.
    """
    spans = [column.name for column in columns if column.type == "INTERVAL"]
    if spans:
        dated = ", ".join(
            f"bool_or(datepart('year', {n}) <> 0 OR datepart('month', {n}) <> 0)" for n in map(sql_name, spans)
        )
        found = connection.execute(f"SELECT {dated} FROM {table}").fetchall()[0]
        spans = [name for name, months in zip(spans, found, strict=True) if not months]
    chosen = ", ".join(_expression(column, spans) for column in columns)
    query = f"SELECT {chosen} FROM {table}" + (f" WHERE {where}" if where else "")
    return _from_duckdb(connection.sql(query).to_arrow_table(), spans)


def _expression(column: Column, spans: Sequence[str]) -> str:
    name = sql_name(column.name)
    if column.name in spans:
        return f"epoch_us({name}) AS {name}"
    return f"CAST({name} AS VARCHAR) AS {name}" if column.type in _AS_TEXT else name


def _from_duckdb(table: pa.Table, spans: Sequence[str]) -> pa.Table:
    import pyarrow as pa

    for i, field in enumerate(table.schema):
        column = table.column(i)
        kind = pa.duration("us") if field.name in spans else with_leaves(field.type, _in_utc)
        if kind is not None and not kind.equals(field.type):
            table = table.set_column(i, field.name, column.cast(kind))
    return table


def _in_utc(kind: Any) -> Any:
    import pyarrow as pa

    # DuckDB shows a moment in the zone of the machine that reads it.
    return pa.timestamp(kind.unit, "UTC") if pa.types.is_timestamp(kind) and kind.tz is not None else kind
