"""Tables put together out of rows, for IO managers that keep whole tables only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from assetry.assets import Asset
from assetry.errors import NothingKeptError
from assetry.protocols import IOManager, Rows, Saved

if TYPE_CHECKING:
    import pyarrow as pa


def save_whole(manager: IOManager, asset: Asset, rows: Rows) -> Saved:
    """Save rows through a manager that knows nothing of them: read the table, put the new one together, keep that.

    Raises `ValueStoreError` when what is there cannot be read: it is never taken for nothing.
    """
    there = None if rows.mode == "replace" else _there(manager, asset, rows)
    table, changed = joined(there, rows.open().read_all(), rows)
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


def joined(there: pa.Table | None, table: pa.Table, rows: Rows) -> tuple[pa.Table, int]:
    """Return what is there with the new rows in it, and how many of them were not there before in just that form.

    >>> import pyarrow
    >>> old, new = pyarrow.table({"id": [1, 2], "n": [5, 5]}), pyarrow.table({"id": [2, 3], "n": [6, 6]})
    >>> joined(old, new, Rows(lambda: None, "merge", keys=("id",)))[0].to_pydict()
    {'id': [1, 2, 3], 'n': [5, 6, 6]}
    """
    import pyarrow as pa

    whole = table if there is None else pa.concat_tables([there, table], promote_options="permissive")
    if rows.mode == "append" or not rows.keys:
        return whole, table.num_rows
    before = 0 if there is None else there.num_rows
    winners, earlier = _winners(whole, rows, before)
    changed = sum(1 for i, j in earlier.items() if j is None or whole.slice(i, 1) != whole.slice(j, 1))
    return whole.take(pa.array(winners, pa.int64())), changed


def _winners(whole: pa.Table, rows: Rows, before: int) -> tuple[list[int], dict[int, int | None]]:
    """Return the rows that stay, in the order of their keys, and what each new one among them replaces."""
    ranks: Sequence[Any] = whole.column(rows.newest).to_pylist() if rows.newest else ()
    wins = _later(ranks)
    best: dict[tuple[Any, ...], int] = {}
    old: dict[tuple[Any, ...], int] = {}
    for i, key in enumerate(zip(*(whole.column(name).to_pylist() for name in rows.keys), strict=True)):
        if i < before:
            old[key] = i
        if key not in best or wins(i, best[key]):
            best[key] = i
    return list(best.values()), {i: old.get(key) for key, i in best.items() if i >= before}


def _later(ranks: Sequence[Any]) -> Callable[[int, int], bool]:
    """Return what tells whether row `i` beats an earlier row `j`: not older, where anything tells how old they are."""

    def wins(i: int, j: int) -> bool:
        if not ranks or ranks[j] is None:
            return True
        return ranks[i] is not None and bool(ranks[i] >= ranks[j])

    return wins
