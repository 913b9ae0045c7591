"""``assetry fivetran``: what there is to do with Fivetran beside running it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from assetry.plugin import Commands, Integration
from assetry_toolkit.hosted.pulling import add_pull, counted


def add_commands(commands: Commands) -> None:
    """Add `assetry fivetran`."""
    add_pull(commands, "fivetran", "Read connections from Fivetran.", _pulled, _lines)


def _pulled(integration: Integration) -> dict[str, Any]:
    """Read one integration anew; return what to tell of it."""
    from assetry_fivetran.connections.definitions import pull
    from assetry_fivetran.settings import Options

    options = Options.of(integration)
    snapshot = pull(options)
    troubled = [each for each in snapshot.connections if each.trouble or each.note]
    return {
        "integration": integration.name,
        "file": str(options.snapshot_path),
        "connections": len(snapshot.connections),
        "tables": sum(len(each.tables) for each in snapshot.connections),
        "trouble": [{"name": each.name, "status": each.status, "told": each.trouble or each.note} for each in troubled],
    }


def _lines(found: Mapping[str, Any]) -> Iterable[str]:
    yield f"{found['integration']}: {counted(found['connections'], 'connection')}, {counted(found['tables'], 'table')}"
    yield from (f"  {each['name']}: {each['told']}" for each in found["trouble"])
