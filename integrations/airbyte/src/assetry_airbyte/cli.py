"""``assetry airbyte``: what there is to do with Airbyte beside running it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from assetry.plugin import Commands, Integration
from assetry_toolkit.hosted.pulling import add_pull, counted

from assetry_airbyte.options import is_local


def add_commands(commands: Commands) -> None:
    """Add `assetry airbyte`."""
    help = "Read connections from Airbyte, or the streams of connectors that run here."
    add_pull(commands, "airbyte", help, _pulled, _lines)


def _pulled(integration: Integration) -> dict[str, Any]:
    """Read one integration anew; return what to tell of it."""
    if is_local(integration):
        from assetry_airbyte.local.integration import pull_local

        nothing: dict[str, Any] = {"unusable": [], "trouble": []}
        return {"integration": integration.name, "connections": 0, "streams": pull_local(integration), **nothing}
    from assetry_airbyte.hosted.connections.definitions import pull as pull_hosted
    from assetry_airbyte.hosted.settings import Options

    options = Options.of(integration)
    snapshot = pull_hosted(options)
    unusable = [each for each in snapshot.connections if not each.usable]
    troubled = [each for each in snapshot.connections if each.trouble]
    return {
        "integration": integration.name,
        "file": str(options.snapshot_path),
        "connections": len(snapshot.connections),
        "streams": sum(len(each.streams) for each in snapshot.connections),
        "unusable": [{"name": each.name, "status": each.status, "reason": each.reason} for each in unusable],
        "trouble": [{"name": each.name, "status": each.status, "told": each.trouble} for each in troubled],
    }


def _lines(found: Mapping[str, Any]) -> Iterable[str]:
    connections, streams = counted(found["connections"], "connection"), counted(found["streams"], "stream")
    yield f"{found['integration']}: {connections + ', ' if found['connections'] else ''}{streams}"
    yield from (f"  {each['name']}: {each['told']}" for each in found["trouble"])
