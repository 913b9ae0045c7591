"""Impact: what is made, near or far, from some assets, and so is touched by a change of them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey


class Touched(NamedTuple):
    """One asset that a change touches: how many steps away it is, and which of its partitions.

    `parts` is `WHOLE` for an asset without partitions; else `definition` says what its numbers mean.
    """

    asset: Asset
    steps: int
    parts: Parts
    definition: PartitionsDefinition | None = None


class Tally(NamedTuple):
    """How many assets have something in common, such as an owner; `name` is None for those that have none."""

    name: str | None
    assets: int


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change touches: `changed` are the assets that change, no step away, `touched` those that follow.

    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"], owners=["ana"])])
    >>> found = impact(graph, {AssetKey("a"): WHOLE}, Numbering(graph))
    >>> [(str(each.asset.key), each.steps) for each in found.touched], found.by_owner
    ([('b', 1)], (Tally(name='ana', assets=1),))
    """

    changed: tuple[Touched, ...]
    touched: tuple[Touched, ...]

    @property
    def by_kind(self) -> tuple[Tally, ...]:
        """Return how many assets there are of each kind, most first and at last those without; so do the others."""
        return self._tallied(lambda asset: (asset.kind,))

    @property
    def by_type(self) -> tuple[Tally, ...]:
        """Return how many there are of each type: models, snapshots, exposures."""
        return self._tallied(lambda asset: (asset.resource_type,))

    @property
    def by_group(self) -> tuple[Tally, ...]:
        """Return how many there are in each group."""
        return self._tallied(lambda asset: (asset.group,) if asset.group else ())

    @property
    def by_owner(self) -> tuple[Tally, ...]:
        """Return how many each owner has; one with two owners counts for both."""
        return self._tallied(lambda asset: asset.owners)

    @property
    def exposures(self) -> tuple[Touched, ...]:
        """Return what only reads: dashboards and the like."""
        return tuple(each for each in self.touched if each.asset.consumer)

    @property
    def partitions(self) -> int:
        """Return how many partitions are touched, of all assets that have some."""
        return sum(len(each.parts) for each in self.touched if each.definition is not None)

    def _tallied(self, names: Callable[[Asset], Iterable[str]]) -> tuple[Tally, ...]:
        counts = Counter(name for each in self.touched for name in names(each.asset) or (None,))
        return tuple(Tally(*each) for each in sorted(counts.items(), key=_place))


def _place(counted: tuple[str | None, int]) -> tuple[bool, int, str]:
    name, count = counted
    return name is None, -count, name or ""


def impact(graph: AssetGraph, changed: Mapping[AssetKey, Parts], numbering: Numbering) -> Impact:
    """Return what a change of some assets, of these partitions of each, touches, in graph order.

    What changes itself is not among it; where it is made from another one that does, more of its partitions may change.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> regions = StaticPartitionsDefinition(["eu", "us"])
    >>> made = [Asset(key=key, kind="x", deps=deps, partitions_def=regions) for key, deps in (("a", []), ("b", ["a"]))]
    >>> graph = AssetGraph.of(made)
    >>> impact(graph, {AssetKey("a"): regions.parts_of(["us"])}, Numbering(graph)).touched[0].parts.text(regions)
    'us'
    """
    found: dict[AssetKey, Touched] = {}
    for i, asset in enumerate(graph.assets):
        above = [found[key] for j in graph.upstream[i] if (key := graph.keys[j]) in found]
        if not above and asset.key not in changed:
            continue
        parts = changed.get(asset.key, NOTHING)
        for each in above:
            linked = numbering.links(asset.key, each.asset.key)
            parts |= numbering.down(asset.key, each.asset.key, each.parts) if linked else WHOLE
        if parts:
            steps = 0 if asset.key in changed else 1 + min(each.steps for each in above)
            parts = numbering.following(asset.key, parts)
            found[asset.key] = Touched(asset, steps, parts, numbering.definition(asset.key))
    every = found.values()
    return Impact(tuple(each for each in every if not each.steps), tuple(each for each in every if each.steps))
