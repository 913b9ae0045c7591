"""What a run claims of assets with partitions: the ones that it makes, so that others may make others meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import Parts
from assetry.plan.plan import Plan
from assetry.types.keys import AssetKey
from assetry.types.records import ClaimedParts

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition


def claimed_parts(plan: Plan, graph: AssetGraph) -> dict[AssetKey, ClaimedParts]:
    """Return the partitions that a plan makes of each asset that has some."""
    found: dict[AssetKey, ClaimedParts] = {}
    for key, (definition, parts) in wanted_parts(plan, graph).items():
        found[key] = _claimed(definition, parts)
    return found


def places_in(plan: Plan) -> int:
    """Return how many partitions a plan makes, an asset without any counting as one; 0 where none has some."""
    if not any(each.parts for each in plan.invocations):
        return 0
    return sum(
        len(each.parts[asset.key]) if asset.key in each.parts else 1
        for each in plan.invocations
        for asset in each.invocation.assets
    )


def wanted_parts(plan: Plan, graph: AssetGraph) -> dict[AssetKey, tuple[PartitionsDefinition, Parts]]:
    """Return the partitions that a plan makes, in all its invocations, each with its definition."""
    found: dict[AssetKey, tuple[PartitionsDefinition, Parts]] = {}
    for key, parts in plan.parts.items():
        definition = plan.definitions.get(key) or graph[key].partitions_def
        assert definition is not None, "partitions without a definition"
        found[key] = definition, parts
    return found


def _claimed(definition: PartitionsDefinition, parts: Parts) -> ClaimedParts:
    if definition.typical_length is None:
        # Numbers of keys are those of a table, of which another run may know less.
        return ClaimedParts("keys", dict.fromkeys(definition.keys_of(parts), ((0, 1),)))
    ranges: dict[str, list[tuple[int, int]]] = {}
    for strand, first, stop in parts.spans():
        ranges.setdefault(strand, []).append((first, stop))
    return ClaimedParts(str(definition.grid), {strand: tuple(own) for strand, own in ranges.items()})
