"""``assetry airbyte``: what there is to do with Airbyte beside running it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from assetry.plugin import Commands, Integration
from assetry_toolkit.hosted.pulling import add_pull, found_in, lines_of

from assetry_airbyte.options import is_local


def add_commands(commands: Commands) -> None:
    """Add `assetry airbyte`."""
    help = "Read connections from Airbyte, or the streams of connectors that run here."
    add_pull(commands, "airbyte", help, _pulled, _lines)


def _pulled(integration: Integration) -> dict[str, Any]:
    """Read one integration anew; return what to tell of it. Raises `DefinitionError` for tables that there are not."""
    if is_local(integration):
        from assetry_airbyte.local.integration import pull_local

        nothing: dict[str, Any] = {"unusable": [], "trouble": []}
        return {"integration": integration.name, "connections": 0, "streams": pull_local(integration), **nothing}
    from assetry_airbyte.hosted.connections.assets import assets_of
    from assetry_airbyte.hosted.connections.definitions import DEFINITIONS
    from assetry_airbyte.hosted.settings import Options

    options = Options.of(integration)
    renewed = DEFINITIONS.renewed(options, partial(assets_of, integration, options))
    unusable = [each for each in renewed.connections if not each.usable]
    return {
        **found_in(options, renewed, "streams"),
        "unusable": [{"name": each.name, "status": each.status, "reason": each.reason} for each in unusable],
    }


def _lines(found: Mapping[str, Any]) -> Iterable[str]:
    return lines_of(found, "streams")
