"""What a run leases: the assets that it makes, of those with partitions these, so that others may make others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from assetry.errors import ConflictError, OutdatedPlanError
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import WHOLE, Parts
from assetry.plan.plan import Plan
from assetry.types.keys import AssetKey
from assetry.types.leases import HeldLease, Lease, LeasedParts, WantedLeases
from assetry.types.protocols import Store
from assetry.types.records import RunInfo

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition


def take_lease(
    info: RunInfo,
    plan: Plan,
    graph: AssetGraph,
    store: Store,
    still: Callable[[], bool] | None = None,
    let_go: Callable[[Lease], object] = id,
) -> Lease:
    """Lease what a plan makes, for a run.

    Raises `ConflictError` when a living run has any of it, and `OutdatedPlanError` when the plan is not to be carried
    out any more, as `still` tells once all is leased. Nothing is leased then: `let_go` gives back what was.
    """
    wanted = wanted_leases(plan, graph)
    lease, held = store.lease(info.id, wanted, priority=info.priority)
    if lease is None:
        raise _conflict(wanted, held)
    try:
        fits = still is None or still()
    except BaseException:
        let_go(lease)
        raise
    if not fits:
        let_go(lease)
        raise OutdatedPlanError("Another run has made some of what was planned.", hint="Plan again.")
    return lease


def _conflict(wanted: WantedLeases, held: Sequence[HeldLease]) -> ConflictError:
    runs = {each.key: each.run for each in held}
    key = next(each for each in wanted if each in runs)
    more = f" and {len(runs) - 1} more of these assets" if len(runs) > 1 else ""
    what = f"partitions of {key} that are asked for" if wanted[key] is not None else key
    error = ConflictError(
        f"Run {runs[key]} is building {what}{more}.",
        hint=f"`--on-conflict wait` waits for it, `--on-conflict join` makes the rest and takes what it makes; "
        f"`assetry cancel {runs[key]}` stops it.",
    )
    error.held = tuple(held)
    return error


def made_since(plan: Plan, graph: AssetGraph, store: Store) -> bool:
    """Tell whether any of what a plan makes was made since the revision of the records that it was made by."""
    wanted = wanted_parts(plan, graph)
    found = store.changes(list(plan.wants), plan.revision)
    if found is None:
        return True  # it is not known any more
    names: dict[AssetKey, set[str]] = {}
    for key, part in found.latest:
        if key not in wanted or part is None:
            return True
        if key not in names:
            definition, parts = wanted[key]
            names[key] = set(definition.keys_of(parts))
        if part in names[key]:
            return True
    return False


def wanted_leases(plan: Plan, graph: AssetGraph) -> dict[AssetKey, LeasedParts | None]:
    """Return what a plan makes: each asset, with the partitions of it where it has some."""
    made = (asset for each in plan.invocations for asset in (*each.invocation.assets, *each.invocation.also))
    known: dict[tuple[int, Parts], LeasedParts] = {}
    parts: dict[AssetKey, LeasedParts] = {}
    for key, (definition, own) in wanted_parts(plan, graph).items():
        # Mostly a few sets of partitions are those of all assets, and a set may have thousands of ranges.
        place = id(definition), own
        parts[key] = known[place] = known.get(place) or leased_parts(definition, own)
    return {asset.key: parts.get(asset.key) for asset in made}


def assets_of(plan: Plan) -> tuple[AssetKey, ...]:
    """Return the assets that a plan makes, in its order."""
    return tuple(dict.fromkeys(asset.key for each in plan.invocations for asset in each.invocation.assets))


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


def shared_parts(plan: Plan, graph: AssetGraph, held: Iterable[HeldLease], run: str) -> dict[AssetKey, Parts]:
    """Return what of a plan a run holds, by asset; `WHOLE` stands for one without partitions."""
    wanted = wanted_parts(plan, graph)
    return {
        each.key: shared_with(*wanted[each.key], each.parts) if each.key in wanted else WHOLE
        for each in held
        if each.run == run
    }


def shared_with(definition: PartitionsDefinition, own: Parts, theirs: LeasedParts | None) -> Parts:
    """Return which partitions of one's own another lease is of; all where it cannot be told."""
    if theirs is None or theirs.grid != leased_parts(definition, own).grid:
        return own
    if definition.typical_length is None:
        return definition.parts_of([key for key in definition.keys_of(own) if key in theirs.ranges])
    return own & Parts(theirs.ranges)


def leased_parts(definition: PartitionsDefinition, parts: Parts) -> LeasedParts:
    """Return partitions as they are leased: comparable with those of runs that know other keys."""
    if definition.typical_length is None:
        # Numbers of keys are those of a table, of which another run may know less.
        return LeasedParts("keys", dict.fromkeys(definition.keys_of(parts), ((0, 1),)))
    ranges: dict[str, list[tuple[int, int]]] = {}
    for strand, first, stop in parts.spans():
        ranges.setdefault(strand, []).append((first, stop))
    return LeasedParts(str(definition.grid), {strand: tuple(own) for strand, own in ranges.items()})
