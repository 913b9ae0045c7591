"""Data versions of tables: what the warehouse says of each, else what Fivetran says of the connection."""

from __future__ import annotations

from assetry.plugin import Asset, AssetryError, RunContext

from assetry_fivetran.api.responses import Standing

#: The column that Fivetran gives every table: when it wrote a row.
SYNCED = "_fivetran_synced"


class TableTimes:
    """When rows of tables were last written, read from the warehouse where the project reaches it.

    A table whose newest row is the one of before keeps its data version, so nothing below it is stale. Tables of which
    nothing can be said have the version of their connection's sync, so they count as changed.
    """

    def __init__(self, context: RunContext, wanted: bool) -> None:
        self._context = context
        self._wanted = wanted

    def version(self, asset: Asset, standing: Standing) -> tuple[str, str]:
        """Return the data version of a table after a sync, and by what it is known: ``table`` or ``connection``."""
        newest = self._newest(asset)
        if newest is None:
            return f"sync:{standing.mark.succeeded.isoformat()}", "connection"
        return f"synced:{newest}", "table"

    def _newest(self, asset: Asset) -> str | None:
        # Rows that are deleted at the source are deleted in a live table, too: that leaves no time behind.
        if not self._wanted or asset.relation is None or asset.metadata.get("sync_mode") == "live":
            return None
        try:
            found = self._context.aggregate(asset.key, "max", SYNCED)
        except AssetryError:
            return None  # no such table there, or no such column: it is another warehouse
        if found is None:
            return None
        return found.isoformat() if hasattr(found, "isoformat") else str(found)
