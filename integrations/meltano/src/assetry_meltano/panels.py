"""What is shown of an asset beside what every asset has: its pipeline, how it is read, the last run."""

from __future__ import annotations

from assetry.plugin import Asset, Panel, PanelContext
from assetry_toolkit.hosted.panels import connection_panel

_SHOWN = {
    "pipeline": "pipeline",
    "environment": "environment",
    "replication_method": "replication",
    "replication_key": "replication key",
    "primary_key": "primary key",
    "unknown": "streams unknown",
    "stale": "catalog is old",
}
_OF_RUN = {"run": "last run", "state_id": "state", "rows_extracted": "rows extracted", "result_known_by": "known by"}


def panels(asset: Asset, context: PanelContext) -> list[Panel]:
    """Return what is known of the pipeline of an asset."""
    return [connection_panel(asset, context, "Meltano", _SHOWN, "assetry meltano pull", _OF_RUN)]
