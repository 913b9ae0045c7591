"""What dependencies mean between partitions; asked once, when a graph is made, so that none is without a meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assetry.types.assets import Asset
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.links import Link

#: By asset, for each of its `deps`: what it means between their partitions; None where neither has any.
Links = Mapping[AssetKey, tuple["Link | None", ...]]


def partition_links(assets: Sequence[Asset]) -> Links:
    """Return the meaning of every dependency that has partitions at one of its ends, or a mapping that is a value.

    `deps` are named by key. Raises `DefinitionError`, naming both assets, for a mapping that has no meaning.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> regions = StaticPartitionsDefinition(["eu", "us"])
    >>> raw = Asset(key="raw", kind="x", partitions_def=regions)
    >>> partition_links([raw, Asset(key="report", kind="x", deps=["raw"])])[AssetKey("report")][0].upstream is regions
    True
    """
    definitions = {asset.key: asset.partitions_def for asset in assets if asset.partitions_def is not None}
    links: dict[AssetKey, tuple[Link | None, ...]] = {}
    for asset in assets:
        own = asset.partitions_def
        if own is None and not any(dep[0] in definitions or type(dep[1]) is not str for dep in asset.deps):
            continue
        from assetry.partitions.resolution import link_between  # most projects have no partitions

        found = [
            link_between(dep.partition_mapping, own, other, asset.key, dep.key, asset.source)
            if own is not None or other is not None or type(dep.partition_mapping) is not str
            else None
            for dep in asset.deps
            for other in (definitions.get(dep.key),)
        ]
        links[asset.key] = tuple(found)
    return links
