"""What is shown of an asset beside what every asset has: its connection, its last sync, the age of its definition."""

from __future__ import annotations

from assetry.plugin import Asset, Panel, PanelContext
from assetry_toolkit.hosted.panels import connection_panel

_SHOWN = {"service": "service", "trouble": "trouble", "gone": "note", "note": "tables"}


def panels(asset: Asset, context: PanelContext) -> list[Panel]:
    """Return what is known of the connection of an asset, and of its last sync."""
    last = context.materialization.metadata if context.materialization is not None else {}
    more = (
        [("last sync", f"{last['synced_at']} (known by {last.get('result_known_by')})")] if "synced_at" in last else []
    )
    return [connection_panel(asset, "Fivetran", _SHOWN, "assetry fivetran pull", more)]
