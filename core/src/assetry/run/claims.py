"""What a run claims: the assets that it makes, of those with partitions these, so that others may make others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assetry.errors import ConflictError, OutdatedPlanError
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import Parts
from assetry.plan.plan import Plan
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import ClaimedParts, RunInfo

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition


def claim(info: RunInfo, plan: Plan, graph: AssetGraph, store: Store, still: Callable[[], bool] | None = None) -> None:
    """Claim what a plan makes, for a run that has not begun.

    Raises `ConflictError` when a living run has any of it, and `OutdatedPlanError` when the plan is not to be carried
    out any more, as `still` tells once all is claimed. Nothing is claimed then.
    """
    made = [asset for each in plan.invocations for asset in (*each.invocation.assets, *each.invocation.also)]
    keys = list(dict.fromkeys(asset.key for asset in made))
    parts = claimed_parts(plan, graph)
    # A store of before there were claims on partitions takes those on assets.
    held = store.claim(info.id, keys, parts) if parts else store.claim(info.id, keys)
    if held:
        key = next(each for each in keys if each in held)
        run_id = held[key]
        more = f" and {len(held) - 1} more of these assets" if len(held) > 1 else ""
        what = f"partitions of {key} that are asked for" if key in parts else key
        raise ConflictError(
            f"Run {run_id} is building {what}{more}.",
            hint=f"Wait for it (`assetry logs -f {run_id}` ends with it), or stop it with `assetry cancel {run_id}`.",
        )
    if still is not None and not still():
        store.finish(info.id, "cancelled", datetime.now(UTC))
        raise OutdatedPlanError("Another run has made some of what was planned.", hint="Plan again.")


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
