"""Columns of one table that are of two types: the type that keeps the values of both, or none.

One rule for all places. A type gives way to another only where that keeps every value as it is: `int32` to `int64`,
dates to times, a decimal to a finer one. 64-bit integers become 64-bit floating point as long as none is greater than
2**53. Text takes in nothing but text. A column without a value has no type of its own and takes any.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pyarrow as pa

_UNITS = ("s", "ms", "us", "ns")
#: How many decimal digits whole numbers of so many bits have.
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}


@dataclass(frozen=True, slots=True)
class Widening:
    """What a table's columns are when other rows have joined it.

    `added` are columns that it lacks, `widened` those that get another type; all by name. `look_there` are columns of
    the table, `look_coming` those of the rows, that the type keeps only while no value is beyond `exact`, the greatest
    whole number up to which 64-bit floating point has every one.
    """

    exact: ClassVar[int] = 2**53
    columns: dict[str, pa.DataType]
    added: dict[str, pa.DataType]
    widened: dict[str, pa.DataType]
    look_there: frozenset[str] = frozenset()
    look_coming: frozenset[str] = frozenset()


def widening(
    there: pa.Schema,
    coming: pa.Schema,
    refuse: Callable[[str, pa.DataType, pa.DataType], Exception],
    free: Collection[str] = (),
    empty: Collection[str] = (),
) -> Widening:
    """Return what a table's columns become when rows join it; raise what `refuse` returns where a value could change.

    `free` are columns of the table without a value, `empty` those of the rows.

    >>> import pyarrow as pa
    >>> one, two = pa.schema([("n", pa.int64())]), pa.schema([("n", pa.float64()), ("at", pa.date32())])
    >>> widening(one, two, lambda *_: TypeError()).columns
    {'n': DataType(double), 'at': DataType(date32[day])}
    """
    columns = {field.name: field.type for field in there}
    added: dict[str, pa.DataType] = {}
    widened: dict[str, pa.DataType] = {}
    look_there: set[str] = set()
    look_coming: set[str] = set()
    for field in coming:
        if field.name not in columns:
            columns[field.name] = added[field.name] = field.type
            continue
        old = columns[field.name]
        if field.name in empty or alike(old, field.type):
            continue
        new = field.type if field.name in free else common_type(old, field.type)
        if new is None:
            raise refuse(field.name, old, field.type)
        if not alike(old, new):
            columns[field.name] = widened[field.name] = new
        if looks_needed(old, new):
            look_there.add(field.name)
        if looks_needed(field.type, new):
            look_coming.add(field.name)
    return Widening(columns, added, widened, frozenset(look_there), frozenset(look_coming))


def looks_needed(old: Any, new: Any) -> bool:
    """Tell whether a type keeps the values of another only within `Widening.exact`.

    >>> import pyarrow as pa
    >>> looks_needed(pa.int64(), pa.float64()), looks_needed(pa.int32(), pa.float64())
    (True, False)
    """
    import pyarrow as pa

    return bool(pa.types.is_integer(old) and old.bit_width == 64 and pa.types.is_floating(new))


def with_leaves(kind: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return a type with what is inside of lists, structs and maps replaced; None where `leaf` has nothing for it.

    >>> import pyarrow as pa
    >>> with_leaves(pa.list_(pa.int8()), lambda kind: pa.int64())
    ListType(list<item: int64>)
    """
    import pyarrow as pa

    is_ = pa.types
    if not is_.is_nested(kind) or is_.is_union(kind) or not kind.num_fields:
        return leaf(kind)
    inner = [with_leaves(kind.field(i).type, leaf) for i in range(kind.num_fields)]
    if None in inner:
        return None
    if is_.is_struct(kind):
        new = pa.struct([(field.name, each) for field, each in zip(kind, inner, strict=True)])
    elif is_.is_map(kind):
        new = pa.map_(with_leaves(kind.key_type, leaf), with_leaves(kind.item_type, leaf))
    elif is_.is_fixed_size_list(kind):
        new = pa.list_(inner[0], kind.list_size)
    elif is_.is_list(kind):
        new = pa.list_(inner[0])
    elif is_.is_large_list(kind) or "list_view" in str(kind):
        new = pa.large_list(inner[0])
    else:
        return leaf(kind)
    # The names of a list's inside differ from library to library, and say nothing.
    return kind if kind.equals(new) else new


def empty_columns(table: pa.Table) -> set[str]:
    """Return the columns of a table that have no value, those of a table without rows among them."""
    return {name for name, column in zip(table.column_names, table.columns, strict=True) if is_empty(column)}


def is_empty(column: Any) -> bool:
    """Tell whether no cell of a column has a value."""
    return bool(column.null_count == len(column))


def without_categories(table: pa.Table) -> pa.Table:
    """Return a table with categories as what they name."""
    import pyarrow as pa

    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(i, field.name, cast_column(table.column(i), field.type.value_type))
    return table


def cast_column(column: Any, kind: Any) -> Any:
    """Return a column as another type, without a value changed; raises `pyarrow.ArrowException` where one would be."""
    import pyarrow as pa

    if column.type.equals(kind):
        return column
    if is_empty(column):
        return pa.chunked_array([pa.nulls(len(column), kind)], kind)
    if pa.types.is_dictionary(column.type):
        # One category after the other, not one cell: also for categories that Arrow does not cast by itself.
        chunks = [(each.dictionary.cast(kind), each.indices) for each in column.chunks]
        return pa.chunked_array([values.take(indices) for values, indices in chunks], kind)
    return column.cast(kind)


def one_below_the_other(
    tables: Iterable[tuple[str, pa.Table]], refuse: Callable[[str, str, str, pa.DataType, pa.DataType], Exception]
) -> pa.Table:
    """Return tables as one, each column of the type that keeps the values of all; what a table lacks is empty there.

    Each table comes with its name. Raises what `refuse` returns of a column, the names of the two tables in which its
    types have nothing in common, and those types.
    """
    import pyarrow as pa

    named = list(tables)
    if all(table.schema.equals(named[0][1].schema) for _, table in named):
        return pa.concat_tables(table for _, table in named)
    named = [(name, without_categories(table)) for name, table in named]
    kinds: dict[str, pa.DataType] = {}
    givers: dict[str, str] = {}  # the table that gave a column its type; none while there was no value
    wideners: dict[str, str] = {}  # the last one for which a column has become wider
    for name, table in named:
        empty = empty_columns(table)
        free = kinds.keys() - givers.keys()

        def no(column: str, old: pa.DataType, new: pa.DataType, name: str = name) -> Exception:
            return refuse(column, givers[column], name, old, new)

        grown = widening(pa.schema(list(kinds.items())), table.schema, no, free, empty)
        kinds = grown.columns
        givers.update({each: name for each in table.column_names if each not in empty and each not in givers})
        wideners.update(dict.fromkeys(grown.widened, name))
    by_name = dict(named)
    whole = []
    for name, table in named:
        columns = []
        for each, kind in kinds.items():
            if each not in table.column_names:
                columns.append(pa.chunked_array([pa.nulls(table.num_rows, kind)], kind))
                continue
            try:
                columns.append(cast_column(table.column(each), kind))
            except pa.ArrowException:
                other = givers[each] if wideners.get(each, name) == name else wideners[each]
                types = (by_name[at].column(each).type for at in (name, other))
                raise refuse(each, name, other, *types) from None
        whole.append(pa.table(columns, names=list(kinds)))
    return pa.concat_tables(whole)


def alike(one: Any, other: Any) -> bool:
    """Tell whether two types are one but for how long their text, bytes or lists may be.

    >>> import pyarrow as pa
    >>> alike(pa.string(), pa.large_string()), alike(pa.string(), pa.binary())
    (True, False)
    """
    return bool(one.equals(other) or _short(one).equals(_short(other)))


def _short(kind: Any) -> Any:
    """Return a type in its plainest form: text, bytes and lists of the usual length."""
    import pyarrow as pa

    is_ = pa.types
    if is_.is_large_string(kind) or is_.is_string_view(kind):
        return pa.string()
    if is_.is_large_binary(kind) or is_.is_binary_view(kind):
        return pa.binary()
    if is_.is_list(kind) or is_.is_large_list(kind):
        return pa.list_(_short(kind.value_type))
    if is_.is_fixed_size_list(kind):
        return pa.list_(_short(kind.value_type), kind.list_size)
    if is_.is_struct(kind):
        return pa.struct([(field.name, _short(field.type)) for field in kind])
    if is_.is_map(kind):
        return pa.map_(_short(kind.key_type), _short(kind.item_type))
    return kind


def common_type(one: Any, other: Any) -> Any:
    """Return the type that keeps the values of two types as they are, or None.

    >>> import pyarrow as pa
    >>> common_type(pa.int8(), pa.uint32()), common_type(pa.date32(), pa.timestamp("ms"))
    (DataType(int64), TimestampType(timestamp[ms]))
    >>> common_type(pa.int64(), pa.string()) is None
    True
    """
    import pyarrow as pa

    if alike(one, other):
        return one
    is_ = pa.types
    if is_.is_null(one) or is_.is_null(other):
        return other if is_.is_null(one) else one
    if _is_number(one) and _is_number(other):
        return _number(one, other)
    if _is_day_or_time(one) and _is_day_or_time(other):
        return _moment(one, other)
    for family, make in ((is_.is_time, pa.time64), (is_.is_duration, pa.duration)):
        if family(one) and family(other):
            unit = max(one.unit, other.unit, key=_UNITS.index)
            return pa.time32(unit) if family is is_.is_time and unit in ("s", "ms") else make(unit)
    if _is_bytes(one) and _is_bytes(other):
        return pa.large_binary() if is_.is_large_binary(one) or is_.is_large_binary(other) else pa.binary()
    return _nested(one, other)


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_day_or_time(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _is_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _number(one: Any, other: Any) -> Any:
    import pyarrow as pa

    is_ = pa.types
    if is_.is_floating(one) or is_.is_floating(other):
        if is_.is_decimal(one) or is_.is_decimal(other):
            return None
        # A float keeps whole numbers of half its bits: float32 those of 16, float64 those of 32 (64: to be looked at).
        bits = max(each.bit_width * (1 if is_.is_floating(each) else 2) for each in (one, other))
        return {16: pa.float16(), 32: pa.float32()}.get(bits, pa.float64())
    if is_.is_decimal(one) or is_.is_decimal(other):
        scale = max(0, *(each.scale for each in (one, other) if is_.is_decimal(each)))
        whole = max(each.precision - each.scale if is_.is_decimal(each) else _DIGITS[each.bit_width]
                    for each in (one, other))  # fmt: skip
        digits = whole + scale
        if digits > 76:
            return None
        return pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale)
    signed = [each.bit_width for each in (one, other) if is_.is_signed_integer(each)]
    unsigned = [each.bit_width for each in (one, other) if is_.is_unsigned_integer(each)]
    if not signed:
        return max(one, other, key=lambda each: int(each.bit_width))
    bits = max(*signed, *(2 * each for each in unsigned)) if unsigned else max(signed)
    return {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}.get(bits, pa.decimal128(20, 0))


def _moment(one: Any, other: Any) -> Any:
    import pyarrow as pa

    times = [each for each in (one, other) if pa.types.is_timestamp(each)]
    if not times:
        return pa.date32()
    zones = {each.tz for each in times}
    # A day has no zone; and of two zones neither counts more.
    if (None in zones and len(zones) > 1) or (zones != {None} and len(times) == 1):
        return None
    unit = max((each.unit for each in times), key=_UNITS.index)
    return pa.timestamp(unit, zones.pop() if len(zones) == 1 else "UTC")


def _nested(one: Any, other: Any) -> Any:
    import pyarrow as pa

    is_ = pa.types
    lists = [each for each in (one, other) if is_.is_list(each) or is_.is_large_list(each)
             or is_.is_fixed_size_list(each)]  # fmt: skip
    if len(lists) == 2:
        value = _inner(one.value_type, other.value_type)
        long = any(is_.is_large_list(each) for each in lists)
        return None if value is None else pa.large_list(value) if long else pa.list_(value)
    if is_.is_struct(one) and is_.is_struct(other):
        if [field.name for field in one] != [field.name for field in other]:
            return None
        kinds = [_inner(mine.type, its.type) for mine, its in zip(one, other, strict=True)]
        names = [field.name for field in one]
        return None if None in kinds else pa.struct(list(zip(names, kinds, strict=True)))
    if is_.is_map(one) and is_.is_map(other):
        key, item = _inner(one.key_type, other.key_type), _inner(one.item_type, other.item_type)
        return None if key is None or item is None else pa.map_(key, item)
    return None


def _inner(one: Any, other: Any) -> Any:
    """Return the common type inside of lists and the like, where no single value can be looked at."""
    kind = common_type(one, other)
    return None if kind is None or looks_needed(one, kind) or looks_needed(other, kind) else kind
