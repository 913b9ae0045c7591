"""What dependencies mean between partitions; asked once, when a graph is made, so that none is without a meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assetry.types.assets import Asset
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition
    from assetry.partitions.links import Link
    from assetry.partitions.mappings import AnyMapping

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
    #: Most assets of a project have one of a few definitions.
    found: dict[tuple[AnyMapping, PartitionsDefinition | None, PartitionsDefinition | None], Link] = {}
    for asset in assets:
        own = asset.partitions_def
        if own is None and not any(dep[0] in definitions or type(dep[1]) is not str for dep in asset.deps):
            continue
        from assetry.partitions.resolution import link_between  # most projects have no partitions

        meanings: list[Link | None] = []
        for dep in asset.deps:
            mapping, other = dep.partition_mapping, definitions.get(dep.key)
            if own is None and other is None and type(mapping) is str:
                meanings.append(None)
                continue
            link = found.get((mapping, own, other))
            if link is None:
                link = link_between(mapping, own, other, asset.key, dep.key, asset.source)
                found[mapping, own, other] = link
            meanings.append(link)
        links[asset.key] = tuple(meanings)
    return links
