"""What is shown of an asset beside what every asset has: its connection, and how old its definition is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from assetry.plugin import Asset, Panel, PanelContext

from assetry_toolkit.hosted.snapshots import read_when

#: Metadata that connections of all services have, by name, with its title.
SHOWN = {"connection": "connection", "destination": "destination", "sync_mode": "sync mode", "schedule": "schedule"}


def connection_panel(
    asset: Asset,
    context: PanelContext,
    service: str,
    shown: Mapping[str, str],
    command: str,
    last: Mapping[str, str] | None = None,
) -> Panel:
    """Return a panel with metadata of an asset: what all services have, and more by the titles in `shown`.

    `command` reads the definition anew. `last` has titles for metadata of the asset's last materialization.

    >>> asset = Asset(key="shop/orders", kind="mill", metadata={"connection": "crm", "grain": "rye"})
    >>> connection_panel(asset, PanelContext(), "Mill", {"grain": "kind of grain"}, "assetry mill pull").rows[:2]
    (('connection', 'crm'), ('kind of grain', 'rye'))
    """
    known, made = asset.metadata, context.materialization.metadata if context.materialization is not None else {}
    titles = {**SHOWN, **shown}
    rows = [(title, known[name]) for name, title in titles.items() if name in known]
    rows.append(("definition read", read_when(known.get("definitions_read"), datetime.now(UTC), command)))
    rows += [(title, made[name]) for name, title in (last or {}).items() if name in made]
    url = known.get("url")
    links = {f"in {service}": url} if url else {}
    return Panel(title=service, rows=tuple(rows), links=links, tells=(*titles, "definitions_read", "url"))
