"""Data versions of tables: what the warehouse says of each, else what Fivetran says of the connection."""

from __future__ import annotations

from assetry.plugin import Asset, RunContext
from assetry_toolkit.extract_load.newest_rows import TABLE, NewestRows

from assetry_fivetran.api.responses import Standing

#: The column that Fivetran gives every table: when it wrote a row.
SYNCED = "_fivetran_synced"
_ELSEWHERE = (
    "Of some services there is no table before it has rows: disable it until then. `table_times = false` looks at none."
)


class TableTimes:
    """When rows of tables were last written, read from the warehouse where the project reaches it.

    A table whose newest row is the one of before keeps its data version, so nothing below it is stale. Tables of which
    nothing can be said have the version of their connection's sync, so they count as changed.
    """

    def __init__(self, context: RunContext, wanted: bool) -> None:
        self._newest = NewestRows(context, SYNCED, _ELSEWHERE)
        self._wanted = wanted

    def version(self, asset: Asset, standing: Standing) -> tuple[str, str]:
        """Return the data version of a table after a sync, and by what it is known: ``table`` or ``connection``.

        Raises `NothingKeptError` where the table should be there and is not.
        """
        # Rows that are deleted at the source are deleted in a live table, too: that leaves no time behind.
        told = self._wanted and asset.metadata.get("sync_mode") != "live"
        newest = self._newest.of(asset) if told else None
        if newest is None:
            return f"sync:{standing.mark.succeeded.isoformat()}", "connection"
        return f"synced:{newest}", TABLE
