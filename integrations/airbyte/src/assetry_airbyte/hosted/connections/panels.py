"""What is shown of an asset beside what every asset has: its connection, its last job, the age of its definition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from assetry.plugin import Asset, Panel, PanelContext

from assetry_airbyte.hosted.api.responses import moment

_SHOWN = {
    "connection": "connection",
    "destination": "destination",
    "sync_mode": "sync mode",
    "cursor": "cursor",
    "primary_key": "primary key",
    "schedule": "schedule",
    "unusable": "not synced because",
}


def panels(asset: Asset, context: PanelContext) -> list[Panel]:
    """Return what is known of the connection of an asset."""
    rows: list[tuple[Any, ...]] = [
        (title, asset.metadata[name]) for name, title in _SHOWN.items() if name in asset.metadata
    ]
    rows.append(("definition read", read_when(asset.metadata.get("definitions_read"), datetime.now(UTC))))
    if context.materialization is not None and "job" in context.materialization.metadata:
        rows.append(("last job", context.materialization.metadata["job"]))
    url = asset.metadata.get("url")
    return [Panel(title="Airbyte", rows=tuple(rows), links={"in Airbyte": url} if url else {})]


def read_when(at: Any, now: datetime) -> str:
    """Return how old a definition is, for people.

    >>> read_when("2026-01-01T00:00:00+00:00", datetime(2026, 1, 3, 1, tzinfo=UTC))
    '2 days ago; `assetry airbyte pull` reads it anew'
    >>> read_when(None, datetime.now(UTC))
    'never: `assetry airbyte pull` reads it'
    """
    then = moment(at)
    if then is None:
        return "never: `assetry airbyte pull` reads it"
    return f"{age((now - then).total_seconds())}; `assetry airbyte pull` reads it anew"


def age(seconds: float) -> str:
    """Return a length of time until now, in its largest unit.

    >>> age(30), age(60), age(7300)
    ('just now', '1 minute ago', '2 hours ago')
    """
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = int(seconds // size)
        if count >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
