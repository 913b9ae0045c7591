"""Values held against what their asset's definition promises of columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetry.errors import ValueStoreError
from assetry.io.content import columns_of, type_name
from assetry.io.frames import to_arrow
from assetry.io.widening import cast_column, is_empty
from assetry.status.columns import differences, family
from assetry.types.assets import Asset, Column

if TYPE_CHECKING:
    import pyarrow as pa


def table_of(asset: Asset, value: Any, *, categories: bool = False) -> pa.Table:
    """Return an asset's table as `pyarrow.Table`; see `to_arrow` for `categories`.

    Raises `ValueStoreError` that names a column which Arrow cannot hold, or which is of another type than declared. A
    column without a value has no type of its own and gets the declared one.
    """
    table = to_arrow(value, f"asset {str(asset.key)!r}", categories=categories)
    declared = {column.name.casefold(): column for column in asset.columns or () if column.type}
    if not declared:
        return table
    for i, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        kind = _kind(declared.get(name.casefold()))
        if kind is not None and is_empty(column) and family(type_name(column.type)) != family(str(kind)):
            table = table.set_column(i, name, cast_column(column, kind))
    wrong = [each for each in differences(declared.values(), columns_of(table)) if "not there" not in each]
    if wrong:
        raise ValueStoreError(
            f"asset {str(asset.key)!r}: {'; '.join(wrong)}.",
            where=asset.source,
            hint="Correct what the function returns, or its schema.",
        )
    return table


def _kind(column: Column | None) -> Any:
    """Return a type of the family that a column is declared with; None where that is not known."""
    import pyarrow as pa

    text = (column.type or "").strip().casefold() if column is not None else ""
    whole = pa.int64() if "int" in text else pa.float64()
    moment = pa.date32() if text in ("date", "date32", "date32[day]") else pa.timestamp("us")
    return {"number": whole, "text": pa.string(), "time": moment}.get(family(text) or "")
