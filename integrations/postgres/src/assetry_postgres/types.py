"""Types between PostgreSQL and Arrow, where the driver's own mapping is not what a person expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assetry.plugin import Asset, TablePlace, ValueStoreError, plain_type, with_leaves

from assetry_postgres.sql import LONGEST_NAME, Attribute, sql_name

if TYPE_CHECKING:
    import pyarrow as pa

#: Column that tells the partitions of a partitioned asset apart; added when kept, left out when read.
PARTITION = "_partition"
#: Columns that every table of PostgreSQL has.
_SYSTEM = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
#: Types that the driver gives as their Arrow counterpart; of `numeric` it gives the digits as text.
_PLAIN = frozenset(
    {"bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "name", "bytea"}
    | {"date", "time", "timestamp", "timestamptz", "interval"}
)
#: Types that are read as another one.
_READ_AS = {"_numeric": "text[]", "_uuid": "text[]", "money": "numeric"}
#: How many decimal digits 64-bit floating point keeps of every number.
_DIGITS = 15


# -- writing -----------------------------------------------------------------------------------------------------------


def kept_as(kind: Any) -> Any:
    """Return the Arrow type as which PostgreSQL keeps an Arrow type; None when it has none.

    >>> import pyarrow as pa
    >>> kept_as(pa.uint32()), kept_as(pa.uint64()), kept_as(pa.list_(pa.uint64()))
    (DataType(int64), Decimal128Type(decimal128(20, 0)), ListType(list<item: int64>))
    >>> kept_as(pa.struct([("a", pa.int64())])) is None
    True
    """
    import pyarrow as pa

    kind = plain_type(kind)
    if not pa.types.is_nested(kind):
        return _kept_as(kind)
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return None
    inner = kind.value_type
    if pa.types.is_nested(inner) or pa.types.is_duration(inner):
        return None
    # Arrays of numbers without an upper limit are for no driver to read.
    return with_leaves(kind, lambda leaf: pa.int64() if pa.types.is_uint64(leaf) else _kept_as(leaf))


def _kept_as(kind: Any) -> Any:
    import pyarrow as pa

    is_ = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return kind if kind.extension_name == "arrow.uuid" else None
    if is_.is_decimal(kind):
        return kind if is_.is_decimal256(kind) else pa.decimal128(kind.precision, kind.scale)
    if is_.is_timestamp(kind):
        return pa.timestamp("us", kind.tz)
    if is_.is_time(kind):
        return pa.time64("us")
    if is_.is_duration(kind):
        return pa.duration("us")
    if is_.is_fixed_size_binary(kind):
        return pa.binary()
    wider = {"int8": pa.int16, "uint8": pa.int16, "uint16": pa.int32, "uint32": pa.int64, "halffloat": pa.float32}
    if str(kind) in wider:
        return wider[str(kind)]()
    return pa.decimal128(20, 0) if is_.is_uint64(kind) else kind


#: What a table of PostgreSQL can keep, and one that has partitions in it.
TABLES = TablePlace("PostgreSQL", kept_as, longest_name=LONGEST_NAME, reserved=_SYSTEM)
PARTITIONS = replace(TABLES, reserved=_SYSTEM | {PARTITION})


def to_postgres(table: pa.Table, asset: Asset, keys: pa.Array | pa.ChunkedArray | None = None) -> pa.Table:
    """Return the table with types that PostgreSQL has; raise `ValueStoreError` that names a column it cannot keep.

    `keys` tell the partition of each row, where there are any; they become a column of their own.
    """
    if keys is None:
        return TABLES.fit(table, asset).replace_schema_metadata(None)
    return PARTITIONS.fit(table, asset).replace_schema_metadata(None).append_column(PARTITION, keys)


def sql_type(kind: Any) -> str:
    """Return how PostgreSQL writes an Arrow type that `kept_as` gives.

    >>> import pyarrow as pa
    >>> sql_type(pa.decimal128(10, 2)), sql_type(pa.list_(pa.int64())), sql_type(pa.timestamp("us", "UTC"))
    ('numeric(10,2)', 'bigint[]', 'timestamp with time zone')
    """
    import pyarrow as pa

    is_ = pa.types
    if is_.is_decimal(kind):
        return f"numeric({kind.precision},{kind.scale})" if 0 <= kind.scale <= kind.precision else "numeric"
    if is_.is_timestamp(kind):
        return f"timestamp {'without' if kind.tz is None else 'with'} time zone"
    if is_.is_nested(kind):
        inner = sql_type(kind.value_type)
        return f"{'numeric' if inner.startswith('numeric') else inner}[]"
    known = {
        "bool": "boolean", "int16": "smallint", "int32": "integer", "int64": "bigint", "float": "real",
        "double": "double precision", "binary": "bytea", "large_binary": "bytea", "date32[day]": "date",
        "time64[us]": "time without time zone", "duration[us]": "interval", "month_day_nano_interval": "interval",
        "arrow.uuid": "uuid",
    }  # fmt: skip
    return known.get(getattr(kind, "extension_name", str(kind)), "text")


# -- reading -----------------------------------------------------------------------------------------------------------


def read_expression(name: str, kind: str, *, span: bool = False) -> str:
    """Return the SQL that reads a column so that the driver gives it as a plain Arrow type: unknown ones as text.

    `span`: an interval is read as its length in microseconds.

    >>> read_expression('"id"', "uuid"), read_expression('"n"', "int8")
    ('"id"::text AS "id"', '"n"')
    """
    if span:
        return f"(extract(epoch FROM {name}) * 1000000)::int8 AS {name}"
    if kind in _PLAIN or (kind.startswith("_") and kind[1:] in _PLAIN - {"numeric"}):
        return name
    return f"{name}::{_READ_AS.get(kind, 'text')} AS {name}"


def read(cursor: Any, table: str, attributes: Sequence[Attribute], rest: str = "", name: str = "") -> pa.Table:
    """Return columns of a table, given its quoted name, as Arrow; `name` is the asset's, for errors.

    Numbers are numbers, and intervals durations, but for those with months, which have no length.
    """
    spans = [each.name for each in attributes if each.type == "interval"]
    if spans:
        dated = ", ".join(
            f"bool_or(extract(year FROM {each}) <> 0 OR extract(month FROM {each}) <> 0)"
            for each in map(sql_name, spans)
        )
        cursor.execute(f"SELECT {dated} FROM {table}")
        spans = [each for each, months in zip(spans, cursor.fetchall()[0], strict=True) if not months]
    expressions = ", ".join(
        read_expression(sql_name(each.name), each.type, span=each.name in spans) for each in attributes
    )
    cursor.execute(f"SELECT {expressions} FROM {table}{rest}")
    return from_postgres(cursor.fetch_arrow_table(), attributes, spans, name)


def from_postgres(
    table: pa.Table, attributes: Sequence[Attribute], spans: Sequence[str] = (), name: str = ""
) -> pa.Table:
    """Return what the driver gave with numbers as numbers, and with durations.

    ``numeric(p, s)`` becomes that decimal, plain ``numeric`` the decimal that holds all digits of all values. Where
    there are NaN or infinity, it is 64-bit floating point, if that has all digits. Raises `ValueStoreError` otherwise.
    """
    import pyarrow as pa

    arrays = []
    for column, each in zip(table.columns, attributes, strict=True):
        if each.name in spans:
            column = column.cast(pa.duration("us"))  # noqa: PLW2901
        elif each.type in ("numeric", "money"):
            digits = pa.chunked_array([getattr(chunk, "storage", chunk) for chunk in column.chunks], pa.string())
            column = _numbers(pa, digits, each, name)  # noqa: PLW2901
        elif each.type == "_numeric":
            column = _number_lists(pa, column, each, name)  # noqa: PLW2901
        arrays.append(column)
    return pa.table(arrays, names=[each.name for each in attributes])


def _numbers(pa: Any, digits: Any, attribute: Attribute, name: str) -> Any:
    import pyarrow.compute as pc

    if attribute.type == "numeric" and attribute.modifier >= 4:
        precision, scale = (attribute.modifier - 4) >> 16, ((attribute.modifier - 4) & 0x7FF ^ 1024) - 1024
        precision, scale = max(precision, precision - scale, scale), max(scale, 0)
    else:
        # All digits are counted first: Arrow does not notice that a number is too great for a decimal.
        after = pc.utf8_length(pc.replace_substring_regex(digits, r"^[^.]*\.?", ""))
        before = pc.utf8_length(pc.replace_substring_regex(digits, r"^-|\..*", ""))
        scale = pc.max(after).as_py() or 0
        precision = max(38, (pc.max(before).as_py() or 0) + scale)
    if precision <= 76:
        try:
            return digits.cast(pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale))
        except pa.ArrowException:  # NaN, infinity
            pass
    bare = pc.replace_substring_regex(digits, r"^[-+0.]*|[^0-9]", "")
    if (pc.max(pc.utf8_length(bare)).as_py() or 0) <= _DIGITS:
        return digits.cast(pa.float64())
    raise ValueStoreError(
        f"{name}: column {attribute.name!r} is {attribute.written} with NaN, infinity or more digits than Arrow has.",
        hint=f"Read it from a view that casts it, for example to text: {sql_name(attribute.name)}::text.",
    )


def _number_lists(pa: Any, column: Any, attribute: Attribute, name: str) -> Any:
    plain = column.combine_chunks()
    plain = plain if isinstance(plain, pa.Array) else pa.concat_arrays(plain.chunks)
    full = pa.chunked_array([plain.flatten()])
    numbers = _numbers(pa, full, attribute, name).combine_chunks()
    numbers = numbers if isinstance(numbers, pa.Array) else pa.concat_arrays(numbers.chunks)
    sizes = pa.compute.list_value_length(plain).fill_null(0).to_pylist()
    ends = [0]
    for size in sizes:
        ends.append(ends[-1] + size)
    offsets = pa.array(ends, pa.int32())
    return pa.ListArray.from_arrays(offsets, numbers, mask=plain.is_null())
