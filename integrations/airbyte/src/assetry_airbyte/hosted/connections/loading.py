"""Load an integration: its connections as known, as assets."""

from __future__ import annotations

from datetime import UTC, datetime

from assetry.plugin import Asset, Integration, UsageError
from assetry_toolkit.errors import Unavailable

from assetry_airbyte.hosted.api.responses import Connection
from assetry_airbyte.hosted.connections.assets import RelationOf, assets_of
from assetry_airbyte.hosted.connections.definitions import known
from assetry_airbyte.hosted.connections.snapshot import Snapshot
from assetry_airbyte.hosted.settings import Options


def load(integration: Integration, relation: RelationOf | None = None) -> list[Asset]:
    """Return the assets of an integration, from its snapshot; it is read from the API first when there is none.

    A connection whose tables are named is defined by these names alone as long as it cannot be read. Raises
    `DefinitionError` for wrong options, `IntegrationError` when the API does not know what is asked of it.
    """
    options = Options.of(integration)
    try:
        found = known(options)
    except (Unavailable, UsageError):
        if options.connection_id is None or not options.destination_tables:
            raise
        found = by_name(options)
    return assets_of(integration, options, found, relation)


def by_name(options: Options) -> Snapshot:
    """Return what is known of a connection that was never read: that it is there."""
    id_ = options.connection_id or ""
    return Snapshot(datetime.fromtimestamp(0, UTC), options.asks_for, (Connection(id_, id_),))
