"""Tables put together: out of rows, for IO managers that keep whole tables only, and out of partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetry.errors import NothingKeptError
from assetry.io.frames import is_frame, to_arrow
from assetry.io.places import no_common_type
from assetry.io.widening import one_below_the_other
from assetry.types.assets import Asset
from assetry.types.protocols import IOManager, Rows, Saved

if TYPE_CHECKING:
    import pyarrow as pa


def all_partitions(asset: Asset, values: dict[str, Any]) -> Any:
    """Return the values of all partitions as one: tables one below the other, anything else by partition.

    Raises `ValueStoreError` when a column has types in two partitions that have nothing in common.
    """
    if not all(is_frame(value) for value in values.values()):
        return values
    name = f"asset {str(asset.key)!r}"
    return _united(asset, {f"partition {part!r}": to_arrow(value, name) for part, value in values.items()})


def _united(asset: Asset, tables: dict[str, pa.Table]) -> pa.Table:
    return one_below_the_other(
        tables.items(),
        lambda column, one, other, old, new: no_common_type(asset, column, old, new, one, other),
    )


def save_whole(manager: IOManager, asset: Asset, rows: Rows) -> Saved:
    """Save rows through a manager that knows nothing of them: read the table, put the new one together, keep that.

    Raises `ValueStoreError` when what is there cannot be read: it is never taken for nothing.
    """
    there = None if rows.mode == "replace" else _there(manager, asset, rows)
    table, changed = joined(there, rows.open().read_all(), rows, asset)
    saved = manager.save(asset, table)
    return Saved(None, saved.columns, {**saved.metadata, "rows": table.num_rows, "changed": changed})


def _there(manager: IOManager, asset: Asset, rows: Rows) -> pa.Table | None:
    try:
        table: pa.Table = manager.load(asset)
    except NothingKeptError:
        if rows.existing:
            raise
        return None
    return table


def joined(there: pa.Table | None, table: pa.Table, rows: Rows, asset: Asset) -> tuple[pa.Table, int]:
    """Return what is there with the new rows in it, and how many of them were not there before in just that form.

    >>> import pyarrow
    >>> old, new = pyarrow.table({"id": [1, 2], "n": [5, 5]}), pyarrow.table({"id": [2, 3], "n": [6, 6]})
    >>> joined(old, new, Rows(lambda: None, "merge", keys=("id",)), Asset(key="orders", kind="x"))[0].to_pydict()
    {'id': [1, 2, 3], 'n': [5, 6, 6]}
    """
    import pyarrow as pa

    if rows.mode == "append" or not rows.keys:
        return table if there is None else _below(there, table, asset), table.num_rows
    table = table.take(pa.array(_best(table, rows), pa.int64()))
    if there is None:
        return table, table.num_rows
    whole, before = _below(there, table, asset), there.num_rows
    news, gone = _news(whole, rows, before)
    stays = [i for i in range(before) if i not in gone]
    return whole.take(pa.array(stays + news, pa.int64())), len(news)


def _below(there: pa.Table, table: pa.Table, asset: Asset) -> pa.Table:
    return _united(asset, {"what is there": there, "the rows that come": table})


def _best(table: pa.Table, rows: Rows) -> list[int]:
    """Return the rows that stay of those that came: one for each key, in the order in which their keys came up."""
    ranks = _ranks(table, rows)
    best: dict[tuple[Any, ...], int] = {}
    for i, key in enumerate(_keys(table, rows)):
        if key not in best or not _newer(ranks, best[key], i):
            best[key] = i
    return list(best.values())


def _news(whole: pa.Table, rows: Rows, before: int) -> tuple[list[int], set[int]]:
    """Return the rows that came (from `before` on) and say something new, and those whose place they take."""
    ranks, cells = _ranks(whole, rows), whole.to_pylist()
    keys = _keys(whole, rows)
    old: dict[tuple[Any, ...], list[int]] = {}
    for j in range(before):
        old.setdefault(keys[j], []).append(j)
    news: list[int] = []
    gone: set[int] = set()
    for i in range(before, len(keys)):
        same = old.get(keys[i], ())
        if not any(_newer(ranks, j, i) or cells[j] == cells[i] for j in same):
            news.append(i)
            gone.update(same)
    return news, gone


def _keys(table: pa.Table, rows: Rows) -> list[tuple[Any, ...]]:
    return list(zip(*(table.column(name).to_pylist() for name in rows.keys), strict=True))


def _ranks(table: pa.Table, rows: Rows) -> list[Any]:
    return table.column(rows.newest).to_pylist() if rows.newest else []


def _newer(ranks: list[Any], i: int, j: int) -> bool:
    """Tell whether row `i` is newer than row `j`; what has no rank is the oldest."""
    if not ranks or ranks[i] is None:
        return False
    return ranks[j] is None or bool(ranks[i] > ranks[j])
