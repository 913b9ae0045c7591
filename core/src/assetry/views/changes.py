"""The JSON shapes of what a change touches, and of how definitions differ."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from assetry.status.changes.definition import Definition
from assetry.status.changes.diff import Changed, Differences
from assetry.status.changes.following import Following, Prediction
from assetry.status.changes.impact import Impact, Touched


def impact_to_json(found: Impact) -> dict[str, Any]:
    """Return what ``assetry impact KEY --output json`` prints.

    >>> from assetry.graph.graph import AssetGraph
    >>> from assetry.partitions.parts import WHOLE
    >>> from assetry.plan.numbering import Numbering
    >>> from assetry.status.changes.impact import impact
    >>> from assetry.types.assets import Asset
    >>> from assetry.types.keys import AssetKey
    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> impact_to_json(impact(graph, {AssetKey("a"): WHOLE}, Numbering(graph)))["counts"]["assets"]
    1
    """
    tallies = {"kind": found.by_kind, "type": found.by_type, "group": found.by_group, "owner": found.by_owner}
    steps = [each.steps for each in found.touched]
    return {
        "version": 1,
        "of": [_touched_to_json(each) for each in found.changed],
        "counts": {
            "assets": len(found.touched),
            "direct": steps.count(1),
            "steps": max(steps, default=0),
            "exposures": len(found.exposures),
            "partitions": found.partitions,
        },
        "by": {name: [each._asdict() for each in tally] for name, tally in tallies.items()},
        "exposures": [{"key": str(each.asset.key), "owners": list(each.asset.owners)} for each in found.exposures],
        "assets": [_touched_to_json(each) for each in found.touched],
    }


def _touched_to_json(each: Touched) -> dict[str, Any]:
    asset, parts = each.asset, each.parts
    return {
        "key": str(asset.key),
        "kind": asset.kind,
        "type": asset.resource_type,
        "group": asset.group,
        "owners": list(asset.owners),
        "exposure": asset.consumer,
        "steps": each.steps,
        "partitions": None
        if each.definition is None
        else {"count": len(parts), "ranges": parts.to_json(each.definition)},
    }


def diff_to_json(
    found: Differences, following: Following, prediction: Prediction, since: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what ``assetry diff --output json`` prints; `since` says with what definitions were compared.

    >>> from assetry.graph.graph import AssetGraph
    >>> from assetry.plan.numbering import Numbering
    >>> from assetry.status.changes.following import following
    >>> follows = following(AssetGraph.of([]), Differences(), Numbering(AssetGraph.of([])))
    >>> diff_to_json(Differences(), follows, Prediction(), {"kind": "records"})["counts"]["changed"]
    0
    """
    touched = following.impact.touched
    rows = [
        *(_defined_to_json(each, "added", str(found.renamed.get(each.key, "")) or None) for each in found.added),
        *(_defined_to_json(each, "removed") for each in found.removed),
        *(_changed_to_json(each) for each in found.changed),
        *({"change": "touched", **_touched_to_json(each)} for each in touched),
    ]
    return {
        "version": 1,
        "since": {name: _plain(value) for name, value in since.items()},
        "counts": {
            "added": len(found.added),
            "removed": len(found.removed),
            "changed": len(found.changed),
            "touched": len(touched),
            "exposures": len(following.impact.exposures),
        },
        "to_make": {
            "assets": [str(key) for key in following.to_make],
            "partitions": following.partitions,
            "seconds": {"work": prediction.work, "longest": prediction.longest, "unknown": prediction.unknown},
        },
        "assets": rows,
    }


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _defined_to_json(each: Definition, change: str, renamed: str | None = None) -> dict[str, Any]:
    told = {"change": change, "key": str(each.key), "kind": each.kind, "type": each.type}
    return {**told, "renamed_from": renamed} if change == "added" else told


def _changed_to_json(each: Changed) -> dict[str, Any]:
    return {
        **_defined_to_json(each.definition, "changed"),
        "changes": [{"part": change.part, "text": change.text} for change in each.changes],
        "owners": (each.definition.parts.get("about") or {}).get("owners", []),
    }
