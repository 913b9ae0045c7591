"""Load an integration: its connections as known, as assets."""

from __future__ import annotations

from assetry.plugin import Asset, Integration

from assetry_airbyte.hosted.connections.assets import RelationOf, assets_of
from assetry_airbyte.hosted.connections.definitions import known
from assetry_airbyte.hosted.settings import Options


def load(integration: Integration, relation: RelationOf | None = None) -> list[Asset]:
    """Return the assets of an integration, from its snapshot; it is read from the API first when there is none.

    A connection whose tables are named is defined by these names alone as long as it cannot be read. Raises
    `DefinitionError` for wrong options, `IntegrationError` when the API does not know what is asked of it.
    """
    options = Options.of(integration)
    return assets_of(integration, options, known(options), relation)
