"""``assetry fivetran``: what there is to do with Fivetran beside running it."""

from __future__ import annotations

from functools import partial
from typing import Any

from assetry.plugin import Commands, Integration
from assetry_toolkit.hosted.pulling import add_pull, found_in, lines_of


def add_commands(commands: Commands) -> None:
    """Add `assetry fivetran`."""
    add_pull(commands, "fivetran", "Read connections from Fivetran.", _pulled, lambda found: lines_of(found, "tables"))


def _pulled(integration: Integration) -> dict[str, Any]:
    """Read one integration anew; return what to tell of it. Raises `DefinitionError` for tables that there are not."""
    from assetry_fivetran.connections.assets import assets_of
    from assetry_fivetran.connections.definitions import DEFINITIONS
    from assetry_fivetran.settings import Options

    options = Options.of(integration)
    return found_in(options, DEFINITIONS.renewed(options, partial(assets_of, integration, options)), "tables")
