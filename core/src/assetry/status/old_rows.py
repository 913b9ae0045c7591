"""Rows that an incremental asset keeps from an older logic: told before they are kept, and while they are. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from assetry.status.times import time_text
from assetry.types.assets import Asset
from assetry.types.records import Materialization

#: The fact of a record by which it is known: when the last rows of an older logic were made.
OLDER_ROWS = "older_rows"


def warning(asset: Asset) -> str:
    """Return what a change of an asset's code does not reach, for an incremental one; else nothing.

    >>> warning(Asset(key="daily", kind="x", incremental=True))
    'rows made before keep the old logic until a full refresh (`--full-refresh`)'
    """
    return f"rows made before keep the old logic{_until(asset)}" if keeps_rows(asset) else ""


def keeps_rows(asset: Asset) -> bool:
    """Tell whether a run of an asset leaves rows of before as they are: what has partitions makes each of them anew.

    >>> keeps_rows(Asset(key="daily", kind="x", incremental=True))
    True
    """
    return asset.incremental and asset.partitions_def is None


def older_rows(asset: Asset, before: Materialization | None, refreshed: bool) -> str | None:
    """Return until when the rows of an older logic were made that an asset keeps when it is made now; None without any.

    `before` is its last record, `refreshed` says that it is made in full.
    """
    if not keeps_rows(asset) or before is None or (refreshed and asset.refreshable):
        return None
    kept = before.metadata.get(OLDER_ROWS)
    if before.code_parts.get("relation") != asset.code_parts.get("relation"):
        return None  # they are in another table
    changed = None not in (before.code_version, asset.code_version) and before.code_version != asset.code_version
    return before.at.astimezone(UTC).isoformat() if changed else kept and str(kept)


def note(asset: Asset, made: Materialization | None) -> str | None:
    """Return what is to be known of an asset besides its status: that it has rows of an older logic."""
    since = made.metadata.get(OLDER_ROWS) if made is not None and keeps_rows(asset) else None
    if since is None:
        return None
    return f"rows made up to {time_text(datetime.fromisoformat(str(since)))} have an older logic{_until(asset)}"


def _until(asset: Asset) -> str:
    return " until a full refresh (`--full-refresh`)" if asset.refreshable else ", also after a full refresh"
