"""What is shown of an asset beside what every asset has: its connection, and how old its definition is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from assetry.plugin import Asset, Panel

from assetry_toolkit.hosted.snapshots import read_when

#: Metadata that connections of all services have, by name, with its title.
SHOWN = {"connection": "connection", "destination": "destination", "sync_mode": "sync mode", "schedule": "schedule"}


def connection_panel(
    asset: Asset, service: str, shown: Mapping[str, str], command: str, more: Iterable[tuple[Any, ...]] = ()
) -> Panel:
    """Return a panel with metadata of an asset: what all services have, and more by the titles in `shown`.

    `command` reads the definition anew.

    >>> asset = Asset(key="shop/orders", kind="mill", metadata={"connection": "crm", "grain": "rye"})
    >>> connection_panel(asset, "Mill", {"grain": "kind of grain"}, "assetry mill pull").rows[:2]
    (('connection', 'crm'), ('kind of grain', 'rye'))
    """
    known = asset.metadata
    rows = [(title, known[name]) for name, title in {**SHOWN, **shown}.items() if name in known]
    rows.append(("definition read", read_when(known.get("definitions_read"), datetime.now(UTC), command)))
    url = known.get("url")
    return Panel(title=service, rows=(*rows, *more), links={f"in {service}": url} if url else {})
