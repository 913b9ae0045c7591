"""Rows counted after a load: whether those that were extracted are in the table, whatever the loader says.

before = rows_of(context, asset)  # not needed where rows have keys
extracted = …
rows = rows_of(context, asset)
if rows is not None and not may_be_all(extracted, rows, before):
    yield Failed(asset.key, f"{extracted} rows were extracted, and the table has {rows}.")
"""

from __future__ import annotations

from assetry.plugin import Asset, AssetryError, NothingKeptError, RunContext

#: The count of rows of a table that is not there.
ABSENT = -1


def rows_of(context: RunContext, asset: Asset) -> int | None:
    """Return how many rows the table of an asset has, `ABSENT` when it is not there; None where that cannot be told.

    It is counted in the place that was chosen for it (`chosen_place`), or where the project keeps its tables. A table
    of which a part of the place is unknown is not looked for there; one that is not there may be elsewhere, unless its
    rows were counted there when it was last made.
    """
    chosen = chosen_place(asset)
    if asset.relation is None or (chosen is None and None in asset.relation):
        return None
    try:
        found: int | None = context.aggregate(asset.key, "count")
    except NothingKeptError as error:
        there = (error.made or {}).get("rows") is not None
        return ABSENT if there or chosen is not None else None
    except AssetryError as error:
        context.log(f"The rows of {asset.relation} cannot be counted: {error.args[0]}", "debug", asset.key)
        return None
    return found


def chosen_place(asset: Asset) -> str | None:
    """Return what says where an asset's table is, in words: an `io` of its own, or of its integration.

    None where nothing does: then it may be anywhere. A table without a schema is not found by its integration's.

    >>> chosen_place(Asset(key="crm/orders", kind="mill", relation=("lake", "raw", "orders"), io="duckdb:lake.duckdb"))
    'its own `io`'
    """
    if asset.io is not None:
        return "its own `io`"
    own, place = asset.integration, asset.relation
    if own is None or own.options.get("io") is None or place is None or place.schema is None:
        return None
    return f"`io` of integration {own.name!r}"


def may_be_all(extracted: int, rows: int, before: int | None = None) -> bool:
    """Tell whether a table may hold all rows that were extracted: `rows` now, and `before` where they have no keys.

    Rows with the same key become one, so with keys (`before` is None then) a table has at least as many as were
    extracted only if none was repeated, which is the rule. Without keys rows are added, or take the place of all.

    >>> may_be_all(4, 4), may_be_all(4, 3), may_be_all(4, 1000)
    (True, False, True)
    >>> may_be_all(4, 10, before=6), may_be_all(4, 9, before=6), may_be_all(4, 4, before=6)
    (True, False, True)
    """
    replaced = rows == extracted
    return rows >= extracted + (0 if before is None or replaced else max(before, 0))
