"""Where the records of assets with partitions are asked for, and the records of a few, given one by one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from assetry.graph.graph import AssetGraph
from assetry.status.looked import Seen
from assetry.status.partitions.recorded import RecordedPartitions
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Latest, Materialization


class Recorded(Protocol):
    """What is recorded of assets with partitions."""

    def partitions(self, asset: Asset) -> RecordedPartitions:
        """Return what is recorded of the partitions of an asset; it is asked for in graph order."""
        ...

    def rows(self, key: AssetKey) -> Iterable[Materialization]:
        """Return the last records of an asset and its partitions."""
        ...

    def seen(self, asset: Asset, recorded: RecordedPartitions) -> Mapping[str | None, bool]:
        """Return which partitions of an asset were looked at just now, each with whether it is there."""
        ...


class RowsGiven:
    """The records of partitions where they are given one by one."""

    def __init__(self, graph: AssetGraph, latest: Latest, seen: Seen) -> None:
        self._made: dict[AssetKey, list[Materialization]] = {}
        self._seen: dict[AssetKey, dict[str | None, bool]] = {}
        for (key, partition), there in seen.items():
            self._seen.setdefault(key, {})[partition] = there
        if graph.links:
            for (key, _), made in latest.items():
                self._made.setdefault(key, []).append(made)

    def partitions(self, asset: Asset) -> RecordedPartitions:
        """Return what is recorded of the partitions of an asset."""
        assert asset.partitions_def is not None
        return RecordedPartitions.of(asset.partitions_def, self.rows(asset.key))

    def rows(self, key: AssetKey) -> Iterable[Materialization]:
        """Return the last records of an asset and its partitions."""
        return self._made.get(key, ())

    def seen(self, asset: Asset, recorded: RecordedPartitions) -> Mapping[str | None, bool]:  # noqa: ARG002
        """Return which partitions of an asset were looked at just now, each with whether it is there."""
        return self._seen.get(asset.key, {})
