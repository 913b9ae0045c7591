"""Tables put together, out of rows and out of partitions, and taken apart; for IO managers that know nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assetry.errors import NothingKeptError, ValueStoreError
from assetry.io.frames import is_frame, to_arrow
from assetry.io.places import no_common_type
from assetry.io.widening import one_below_the_other
from assetry.partitions.definitions import some
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


def load_together(manager: IOManager, asset: Asset, keys: Sequence[str]) -> Any:
    """Return what a manager keeps of some partitions as one value, by one question where it takes that."""
    own = getattr(manager, "load_parts", None)
    if own is not None:
        return own(asset, keys)
    return all_partitions(asset, {key: manager.load(asset, key) for key in keys})


def save_together(manager: IOManager, asset: Asset, parts: Mapping[str, pa.Table]) -> Sequence[Saved]:
    """Keep the tables of some partitions, in one go where a manager can do that; return what was kept of each."""
    own = getattr(manager, "save_parts", None)
    if own is None:
        return [manager.save(asset, rows, key) for key, rows in parts.items()]
    tables = dict(parts)
    if len({tuple(rows.schema) for rows in tables.values()}) > 1:
        whole = _united(asset, {f"partition {key!r}": rows for key, rows in tables.items()})
        start = 0
        for key, rows in parts.items():
            tables[key] = whole.slice(start, rows.num_rows)
            start += rows.num_rows
    names = {name for rows in tables.values() for name in rows.column_names}
    column = "_partition"
    while column in names:
        column += "_"
    saved: Sequence[Saved] = own(asset, with_keys(tables, column), column, tuple(tables))
    if len(saved) != len(tables):
        raise ValueStoreError(
            f"asset {str(asset.key)!r}: save_parts of {type(manager).__name__} was given {len(tables)} partitions and "
            f"tells of {len(saved)}.",
            hint="Return a Saved for each of the keys, in their order.",
        )
    return saved


def rows_by_partition(table: pa.Table, column: str, keys: Sequence[str]) -> dict[str, pa.Table]:
    """Return the rows of each of some partitions, in their order, without the column that holds their keys as text.

    What `save_parts` of an IO manager is given comes apart so, and what `load_parts` has read comes into order. A
    partition without rows has an empty table. Raises `ValueStoreError` for a row that is of none of them.

    >>> import pyarrow as pa
    >>> table = pa.table({"n": [1, 2, 3], "part": ["b", "a", "b"]})
    >>> {key: rows.to_pydict() for key, rows in rows_by_partition(table, "part", ["a", "b", "c"]).items()}
    {'a': {'n': [2]}, 'b': {'n': [1, 3]}, 'c': {'n': []}}
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    told = table.column(column)
    if pa.types.is_dictionary(told.type):
        told = told.cast(told.type.value_type)
    places = pc.index_in(told, value_set=pa.array(keys, told.type))
    if places.null_count:
        strange = pc.unique(told.filter(places.is_null())).to_pylist()
        raise ValueStoreError(f"Rows are of the partitions {some(map(str, strange))}, and not of {some(keys)}.")
    return rows_by_place(table.drop_columns([column]), places.combine_chunks(), keys)


def rows_by_place(table: pa.Table, places: pa.Array, keys: Sequence[str]) -> dict[str, pa.Table]:
    """Return the rows of each of `keys`, in their order, of a table of whose rows the places there are known."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not table.num_rows or not keys:
        return dict.fromkeys(keys, table.slice(0, 0))
    runs = pc.run_end_encode(places)
    if len(runs.values) > 2 * len(keys) + 1000:  # rows of many kinds, mixed: brought into order first
        order = pc.array_sort_indices(places)
        runs = pc.run_end_encode(places.take(order))
    else:
        order = None
    pieces: dict[int, list[Any]] = {}
    start = 0
    for place, stop in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        size = stop - start
        rows = table.slice(start, size) if order is None else table.take(order.slice(start, size))
        pieces.setdefault(place, []).append(rows)
        start = stop
    none = table.slice(0, 0)
    return {key: pa.concat_tables(pieces.get(at, [none])) for at, key in enumerate(keys)}


def with_keys(parts: Mapping[str, pa.Table], column: str) -> pa.Table:
    """Return the rows of several partitions as one table, with one column more that holds the key of each.

    >>> import pyarrow as pa
    >>> with_keys({"a": pa.table({"n": [2]}), "b": pa.table({"n": [1, 3]})}, "part").to_pydict()
    {'n': [2, 1, 3], 'part': ['a', 'b', 'b']}
    """
    import pyarrow as pa

    told = [pa.repeat(pa.scalar(key, pa.string()), rows.num_rows) for key, rows in parts.items()]
    return pa.concat_tables(parts.values()).append_column(column, pa.chunked_array(told, pa.string()))


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
