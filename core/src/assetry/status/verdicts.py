"""Verdicts of checks: which of those that are recorded stand. Pure."""

from __future__ import annotations

from assetry.graph.graph import AssetGraph
from assetry.types.records import Verdicts


def standing(graph: AssetGraph, told: Verdicts) -> Verdicts:
    """Return the outcomes of checks that are still defined, and are of the asset as it is.

    One of a partition says nothing of an asset that has none any more.

    >>> standing(AssetGraph.of([]), {})
    {}
    """
    partitioned = {(asset.key, check.name): asset.partitions_def for asset in graph.assets for check in asset.checks}
    return {
        (key, name, partition): record
        for (key, name, partition), record in told.items()
        if (key, name) in partitioned and (partition is None or partitioned[key, name] is not None)
    }
