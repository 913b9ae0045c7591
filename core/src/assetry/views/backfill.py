"""Backfills as JSON."""

from __future__ import annotations

from typing import Any

from assetry.status.backfill import Backfill


def backfill_to_json(backfill: Backfill) -> dict[str, Any]:
    """Return a backfill as ``assetry backfill --output json`` has it.

    >>> from datetime import UTC, datetime
    >>> backfill_to_json(Backfill(id="b1", state="done", at=datetime(2026, 1, 1, tzinfo=UTC), wanted=3, done=3))["left"]
    0
    """
    return {
        "id": backfill.id,
        "name": backfill.name,
        "state": backfill.state,
        "at": backfill.at.isoformat(),
        "by": backfill.by,
        "why": backfill.why,
        "select": list(backfill.select),
        "partition": list(backfill.partition),
        "wanted": backfill.wanted,
        "done": backfill.done,
        "failed": backfill.failed,
        "blocked": backfill.blocked,
        "running": backfill.running,
        "left": backfill.left,
        "eta": None if backfill.eta is None else backfill.eta.isoformat(),
        "only_failed": backfill.only_failed,
        "assets": [
            {"key": str(each.key), "wanted": each.wanted, "done": each.done, "failed": each.failed, "left": each.left}
            for each in backfill.assets
        ],
        "failures": list(backfill.failures),
        "notes": list(backfill.notes),
    }
