"""Values held against what their asset's definition promises of columns: before anything is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from assetry.columns.column_types import ColumnType, column_type
from assetry.columns.differences import Difference, differences, holds
from assetry.errors import ValueStoreError
from assetry.io.content import columns_of, type_name
from assetry.io.frames import to_arrow
from assetry.io.widening import cast_column, is_empty
from assetry.types.assets import Asset

if TYPE_CHECKING:
    import pyarrow as pa


def table_of(asset: Asset, value: Any, *, categories: bool = False) -> pa.Table:
    """Return an asset's table as `pyarrow.Table`; see `to_arrow` for `categories`.

    A column whose values are all of the declared type gets that type: whole numbers where decimals are declared, dates
    where times are, and a column without a value anything. Raises `ValueStoreError` that names each column which is
    missing, not declared where all are, or of another type; and one that Arrow cannot hold.
    """
    table = to_arrow(value, f"asset {str(asset.key)!r}", categories=categories)
    if not promises(asset):
        return table
    declared = {column.name.casefold(): column_type(column.type) for column in asset.columns}
    unfit: list[Difference] = []
    for i, name in enumerate(table.column_names):
        kind = declared.get(name.casefold())
        if kind is not None:
            column = table.column(i)
            fitted, why = fitted_column(column, kind)
            if why:
                written = next(each.type for each in asset.columns if each.name.casefold() == name.casefold())
                unfit.append(Difference(name, "type", written, type_name(column.type), note=why))
            elif fitted is not column:
                table = table.set_column(i, name, fitted)
    _refuse(asset, [*differences(asset.columns, columns_of(table), asset.columns_are, _unlike), *unfit])
    return table


def no_table(asset: Asset, value: Any) -> ValueStoreError:
    """Return the error that an asset whose columns are promised has a value without any.

    >>> print(no_table(Asset(key="orders", kind="python"), [1]))
    asset 'orders' has a schema, and its value is a list, which has no columns.
      Return a table, or leave the schema out.
    """
    return ValueStoreError(
        f"asset {str(asset.key)!r} has a schema, and its value is a {type(value).__qualname__}, which has no columns.",
        where=asset.source,
        hint="Return a table, or leave the schema out.",
    )


def promises(asset: Asset) -> bool:
    """Tell whether a definition promises anything of columns.

    >>> promises(Asset(key="orders", kind="python"))
    False
    """
    return bool(asset.columns) and asset.columns_are != "described"


def _unlike(declared: ColumnType, found: ColumnType) -> bool:
    return not holds(declared, found)


def _refuse(asset: Asset, wrong: list[Difference]) -> None:
    if not wrong:
        return
    hint = "Correct what the function returns, or its schema."
    if all(each.what == "added" for each in wrong):
        hint = (
            "Leave out what is not declared, declare it, or take it: "
            'extra_columns="accept" of the asset, or under [schema] of the project file.'
        )
    elif casts := dict.fromkeys(filter(None, map(_advice, wrong))):
        hint += f" For example {', '.join(casts)}."
    told = "; ".join(map(str, wrong))
    raise ValueStoreError(
        f"asset {str(asset.key)!r} does not have the columns of its schema: {told}{'' if told.endswith('?') else '.'}",
        where=asset.source,
        hint=hint,
    )


def _advice(wrong: Difference) -> str | None:
    """Return what makes a column of pandas the declared one, where people often need it."""
    declared, found = column_type(wrong.declared), column_type(wrong.found)
    if declared is None or found is None:
        return None
    column = f"frame[{wrong.column!r}]"
    if (declared.kind, found.kind) == ("integer", "float"):
        return f"{column}.astype('Int64') where whole numbers became floating point because some are missing"
    if (declared.kind, found.kind) == ("date", "timestamp"):
        return f"{column}.dt.date"
    if (declared.kind, found.kind) == ("decimal", "float") and declared.digits is not None:
        return f"{column}.map(lambda each: Decimal(f'{{each:.{declared.digits[1]}f}}'))"
    return None


def fitted_column(column: pa.ChunkedArray, declared: ColumnType) -> tuple[pa.ChunkedArray, str]:
    """Return a column as the declared type, where that keeps each value as it is and the type is wholly said.

    What could not be kept so is said in words, to be put after the type that the column has: it is as it was then.
    Anything that is of another type altogether is left to be compared.

    >>> import pyarrow as pa
    >>> numbers = pa.chunked_array([[1, 2]])
    >>> fitted_column(numbers, ColumnType("float"))[0].type, fitted_column(numbers, ColumnType("text"))[0].type
    (DataType(double), DataType(int64))
    >>> fitted_column(pa.chunked_array([[100]]), ColumnType("decimal", digits=(3, 1)))[1]
    ', with values that are not of that type'
    """
    import pyarrow as pa

    found = type_of(column.type)
    kind = arrow_type(declared)
    if kind is None or found == declared:
        return column, ""
    fits = found is not None and holds(declared, found)
    if found is not None and fits and _is_as_said(declared, found):
        return column, ""
    if is_empty(column):
        return cast_column(column, kind), ""
    midnights = declared.kind == "date" and found is not None and found.kind == "timestamp" and not found.zoned
    if not fits and not midnights:
        return column, ""
    try:
        fitted = column
        for step in _steps(column.type, kind):
            fitted = cast_column(fitted, step)
    except pa.ArrowException:
        return column, ", with values that are not of that type"
    # Arrow takes the day of any time, and says nothing.
    return (column if midnights and not fitted.cast(column.type).equals(column) else fitted), ""


def _is_as_said(declared: ColumnType, found: ColumnType) -> bool:
    """Tell whether a type says nothing that the declared one, which holds it, says otherwise."""
    if declared.kind != found.kind:
        return declared.kind in ("text", "uuid", "json")
    return declared.kind not in ("integer", "float", "decimal") or (declared.bits is None and declared.digits is None)


def _steps(old: Any, new: Any) -> Iterator[Any]:
    import pyarrow as pa

    if pa.types.is_integer(old) and pa.types.is_decimal(new):
        # Arrow asks for room for all numbers of the type, not for those that are there.
        yield pa.decimal128(20, 0)
    yield new


def type_of(kind: Any) -> ColumnType | None:
    """Return an Arrow type as a type of the vocabulary; None where that has none.

    >>> import pyarrow as pa
    >>> [str(type_of(each)) for each in (pa.int8(), pa.float32(), pa.large_string())]
    ['tinyint', 'float32', 'text']
    """
    name = type_name(kind)
    return column_type("tinyint" if name == "int8" else name)


def arrow_type(kind: ColumnType) -> Any:
    """Return the Arrow type of a word; None for one that does not say all of it.

    >>> arrow_type(ColumnType("decimal", digits=(10, 2))), arrow_type(ColumnType("decimal")) is None
    (Decimal128Type(decimal128(10, 2)), True)
    """
    import pyarrow as pa

    if kind.kind == "integer" and kind.bits in (None, 8, 16, 32, 64):
        return getattr(pa, f"{'' if kind.signed else 'u'}int{kind.bits or 64}")()
    if kind.kind == "float":
        return {16: pa.float16, 32: pa.float32}.get(kind.bits or 64, pa.float64)()
    if kind.kind == "decimal" and kind.digits is not None and 0 <= kind.digits[1] <= kind.digits[0] <= 76:
        return pa.decimal128(*kind.digits) if kind.digits[0] <= 38 else pa.decimal256(*kind.digits)
    if kind.kind == "timestamp":
        return pa.timestamp("us", "UTC" if kind.zoned else None)
    known = {
        "boolean": pa.bool_,
        "text": pa.string,
        "binary": pa.binary,
        "date": pa.date32,
        "time": lambda: pa.time64("us"),
        "interval": lambda: pa.duration("us"),
    }.get(kind.kind)
    return known() if known is not None else None
