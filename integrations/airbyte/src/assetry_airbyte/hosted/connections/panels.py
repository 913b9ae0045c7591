"""What is shown of an asset beside what every asset has: its connection, its last job, the age of its definition."""

from __future__ import annotations

from assetry.plugin import Asset, Panel, PanelContext
from assetry_toolkit.hosted.panels import connection_panel

_SHOWN = {"cursor": "cursor", "primary_key": "primary key", "trouble": "trouble"}


def panels(asset: Asset, context: PanelContext) -> list[Panel]:
    """Return what is known of the connection of an asset."""
    last = context.materialization.metadata.get("job") if context.materialization is not None else None
    more = [("last job", last)] if last is not None else []
    return [connection_panel(asset, "Airbyte", _SHOWN, "assetry airbyte pull", more)]
