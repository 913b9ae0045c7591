"""The rows of partitions in a table that a tool keeps in one piece: found by a column, not by a mark of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from assetry.errors import ValueStoreError, near_names
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.types.assets import Asset

if TYPE_CHECKING:
    import pyarrow as pa


def rows_of(asset: Asset, table: pa.Table, partition: str | Sequence[str] | None) -> pa.Table:
    """Return the rows of a partition, or of several, of an asset whose table is its tool's own.

    `Asset.partition_column` holds days or moments, UTC where they have no zone, or keys. What assetry keeps itself is
    returned as it is: its place has given the partition already. Raises `ValueStoreError` when no column is named, when
    there is none of that name, and when it tells no partitions.

    >>> import pyarrow as pa
    >>> from datetime import date
    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> days = DailyPartitionsDefinition("2026-01-01")
    >>> daily = Asset(key="daily", kind="dbt", partitions_def=days, partition_column="day")
    >>> table = pa.table({"day": [date(2026, 1, 1), date(2026, 1, 2)], "n": [1, 2]})
    >>> rows_of(daily, table, "2026-01-02").column("n").to_pylist()
    [2]
    """
    if partition is None or asset.kept or asset.partitions_def is None:
        return table
    keys = [partition] if isinstance(partition, str) else list(partition)
    column = _column(asset, table)
    if isinstance(asset.partitions_def, TimeWindowPartitionsDefinition):
        return table.filter(_within(asset, asset.partitions_def, table.column(column), keys))
    import pyarrow as pa
    import pyarrow.compute as pc

    values = table.column(column)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return table.filter(pc.is_in(values.cast(pa.large_string()), value_set=pa.array(keys, pa.large_string())))


def _column(asset: Asset, table: pa.Table) -> str:
    name = f"asset {str(asset.key)!r}"
    if asset.partition_column is None or isinstance(asset.partitions_def, MultiPartitionsDefinition):
        raise ValueStoreError(
            f"{name}: nothing says which rows of its table are of which partition.",
            where=asset.source,
            hint="Read it in an asset without partitions, which gets all of it; or name the column that does where it "
            "is defined.",
        )
    # Names in SQL mostly have no case.
    found: str | None = {each.casefold(): each for each in reversed(table.column_names)}.get(
        asset.partition_column.casefold()
    )
    if found is None:
        raise ValueStoreError(
            f"{name}: its table has no column {asset.partition_column!r}, which is to tell the partition of each row.",
            where=asset.source,
            near=near_names(asset.partition_column, table.column_names),
            hint=f"It has {', '.join(table.column_names)}.",
        )
    return found


def _within(
    asset: Asset, definition: TimeWindowPartitionsDefinition, values: pa.ChunkedArray, keys: Sequence[str]
) -> Any:
    """Return for each value whether it lies in any of the windows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(values.type):
        # Those with a zone are kept in UTC; without their zone they are just that.
        moments = values.cast(pa.timestamp(values.type.unit)).cast(pa.timestamp("us"), safe=False)
    elif pa.types.is_date(values.type):
        moments = values.cast(pa.timestamp("us"))
    else:
        raise ValueStoreError(
            f"asset {str(asset.key)!r}: column {asset.partition_column!r} is {values.type}, which tells no time.",
            where=asset.source,
            hint="Name a column of dates or timestamps.",
        )
    found: Any = None
    for start, end in _joined(definition, keys):
        inside = pc.and_(pc.greater_equal(moments, start), pc.less(moments, end))
        found = inside if found is None else pc.or_(found, inside)
    return pa.array([False] * len(values), pa.bool_()) if found is None else found


def _joined(definition: TimeWindowPartitionsDefinition, keys: Sequence[str]) -> list[tuple[pa.Scalar, pa.Scalar]]:
    """Return the times that windows cover, neighbours as one."""
    from datetime import UTC

    import pyarrow as pa

    spans: list[list[Any]] = []
    for start, end in sorted(definition.window(key) for key in keys):
        bounds = [each.astimezone(UTC).replace(tzinfo=None) for each in (start, end)]
        if spans and spans[-1][1] == bounds[0]:
            spans[-1][1] = bounds[1]
        else:
            spans.append(bounds)
    return [(pa.scalar(start, pa.timestamp("us")), pa.scalar(end, pa.timestamp("us"))) for start, end in spans]
