"""Types between PostgreSQL and Arrow, where the driver's own mapping is not what a person expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assetry.plugin import ValueStoreError

if TYPE_CHECKING:
    import pyarrow as pa

#: Types that the driver gives as their Arrow counterpart; of `numeric` it gives the digits as text.
_PLAIN = frozenset(
    {"bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "name", "bytea"}
    | {"date", "time", "timestamp", "timestamptz", "interval"}
)
#: Types that are read as another one.
_READ_AS = {"_numeric": "float8[]", "money": "numeric::float8"}


def read_expression(name: str, kind: str) -> str:
    """Return the SQL that reads a column so that the driver gives it as a plain Arrow type: unknown ones as text.

    >>> read_expression('"id"', "uuid"), read_expression('"n"', "int8")
    ('"id"::text AS "id"', '"n"')
    """
    if kind in _PLAIN or (kind.startswith("_") and kind[1:] in _PLAIN - {"numeric"}):
        return name
    return f"{name}::{_READ_AS.get(kind, 'text')} AS {name}"


def from_postgres(table: pa.Table, types: Sequence[tuple[str, int]]) -> pa.Table:
    """Return what the driver gave with numbers as numbers; `types` are PostgreSQL's type and modifier per column.

    ``numeric(p, s)`` becomes that decimal. Plain ``numeric`` becomes the decimal that holds all digits of all values,
    else (NaN, infinity, more than 38 digits) 64-bit floating point.
    """
    import pyarrow as pa

    arrays, fields = [], []
    for field, column, (kind, modifier) in zip(table.schema, table.columns, types, strict=True):
        if kind == "numeric":
            column = _numbers(pa, column, modifier)  # noqa: PLW2901
        arrays.append(column)
        fields.append(pa.field(field.name, column.type))
    return pa.table(arrays, schema=pa.schema(fields))


def _numbers(pa: Any, column: Any, modifier: int) -> Any:
    import pyarrow.compute as pc

    digits = pa.chunked_array([getattr(chunk, "storage", chunk) for chunk in column.chunks], pa.string())
    if modifier >= 4:
        precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
    else:
        point = pc.find_substring(digits, ".")
        after = pc.if_else(pc.less(point, 0), 0, pc.subtract(pc.subtract(pc.utf8_length(digits), point), 1))
        precision, scale = 38, pc.max(after).as_py() or 0
    try:
        kind = pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)
        return digits.cast(kind)
    except (pa.ArrowException, ValueError):
        return digits.cast(pa.float64())


def to_postgres(table: pa.Table, name: str) -> pa.Table:
    """Return the table with types that PostgreSQL has; raise `ValueStoreError` that names a column it cannot keep.

    Nanoseconds are cut to microseconds; unsigned 64-bit numbers become 64-bit ones or, beyond their range, numeric.
    """
    import pyarrow as pa

    for i, field in enumerate(table.schema):
        kind, column = field.type, table.column(i)
        if pa.types.is_struct(kind) or pa.types.is_map(kind) or pa.types.is_union(kind) or _is_deep(pa, kind):
            raise ValueStoreError(
                f"{name}: column {field.name!r} is a {kind}, which PostgreSQL tables do not hold.",
                hint=f"Keep it as JSON text: frame[{field.name!r}] = frame[{field.name!r}].map(json.dumps).",
            )
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            column = column.cast(pa.timestamp("us", kind.tz), safe=False)
        elif pa.types.is_uint64(kind):
            try:
                column = column.cast(pa.int64())
            except pa.ArrowInvalid:
                column = column.cast(pa.decimal128(20, 0))
        if column is not table.column(i):
            table = table.set_column(i, field.name, column)
    return table.replace_schema_metadata(None)


def _is_deep(pa: Any, kind: Any) -> bool:
    """Tell whether it is a list of what is not a plain value."""
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return False
    return bool(pa.types.is_nested(kind.value_type))
