"""Orphans as JSON: what is recorded, and nothing defines any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from assetry.status.changes.orphans import Orphan
from assetry.types.records import Origin


def orphan_to_json(orphan: Orphan) -> dict[str, Any]:
    """Return an orphan as JSON data.

    >>> from assetry.types.keys import AssetKey
    >>> orphan_to_json(Orphan(AssetKey("shop/old"), "nothing defines it any more"))["where"]
    []
    """
    last = orphan.records[0] if orphan.records else None
    return {
        "key": str(orphan.key),
        "partitions": None if orphan.partitions is None else list(orphan.partitions),
        "because": orphan.because,
        "where": [_place(each) for each in orphan.origins],
        "rows": orphan.total("rows"),
        "bytes": orphan.total("bytes"),
        "made_at": None if last is None else last.at.astimezone(UTC).isoformat(),
        "run": None if last is None else last.run,
        "refused": orphan.refused,
    }


def _place(origin: Origin) -> Mapping[str, Any]:
    return {
        "kind": origin.kind,
        "integration": origin.integration,
        "relation": None if origin.relation is None else str(origin.relation),
        "view": origin.view,
        "io": origin.io,
    }
