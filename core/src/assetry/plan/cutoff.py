"""Which assets of a plan need no making when what they are made from comes out as before. Pure.

It is told before anything runs; what comes out as before is seen in the run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from assetry.graph.graph import AssetGraph
from assetry.plan.plan import PlannedInvocation
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey


def with_cutoff(
    graph: AssetGraph,
    invocations: Sequence[PlannedInvocation],
    certain: Collection[AssetKey],
    gates: Mapping[AssetKey, Sequence[CheckRef]],
    through: Mapping[AssetKey, Sequence[AssetKey]],
) -> tuple[PlannedInvocation, ...]:
    """Return invocations, in the order of a plan, with what of each may be cut, and by whom.

    `certain` are the assets that are out of date from nothing but what is made in the plan. One that is made in one go
    with what it is made from is not cut, unless that is; nor is one that a check in its own invocation may yet stop;
    and a tool that can leave nothing out is cut as a whole.
    """
    if not certain:
        return tuple(invocations)
    made = {asset.key for each in invocations for asset in (*each.invocation.assets, *each.invocation.also)}

    def marked() -> Iterator[PlannedInvocation]:
        for planned in invocations:
            invocation = planned.invocation
            members = {asset.key for asset in (*invocation.assets, *invocation.also)}
            whole = invocation.group is not None and invocation.group.whole
            found: dict[AssetKey, tuple[AssetKey, ...]] = {}
            for asset in invocation.assets:
                read = dict.fromkeys((*graph.upstream_of(asset.key), *through.get(asset.key, ())))
                by = tuple(key for key in read if key in made)
                free = all(key not in members or key in found or whole for key in by)
                held = any(ref in invocation.checks for key in by if key not in members for ref in gates.get(key, ()))
                if asset.key in certain and by and free and not held:
                    found[asset.key] = by
            if whole and len(found) < len(invocation.assets):
                found = {}
            yield replace(planned, may_be_cut=found) if found else planned

    return tuple(marked())
