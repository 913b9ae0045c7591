"""What a backfill needs that was never made, and that it does not make itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.status.staleness import Status
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.plan.scope import Wants


def refuse_missing_inputs(graph: AssetGraph, wants: Wants, statuses: Sequence[Status], numbering: Numbering) -> None:
    """Raise `UsageError`, naming it, where something above was never made, and is not made here either."""
    missing = missing_inputs(graph, wants, statuses, numbering)
    for key, (parts, below) in missing.items():
        definition = numbering.definition(key)
        which = "was never made" if definition is None else f"was never made for {definition.text_of(parts)}"
        more = f", and so were {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UsageError(
            f"{below} is made from {key}, which {which}{more}.",
            hint=f"Make it, too: add -s {key}, or ask for -s '+{below}', which is all that it is made from.",
        )


def missing_inputs(
    graph: AssetGraph, wants: Wants, statuses: Sequence[Status], numbering: Numbering
) -> dict[AssetKey, tuple[Parts, AssetKey]]:
    """Return what is needed and was never made: partitions of assets, each with one that is made from it.

    What a view needs is what it reads. Of what nothing here makes nothing is known.
    """
    there = {each.key: _made(each) for each in statuses}
    existing = {each.key: WHOLE if each.partitions is None else each.partitions.existing for each in statuses}
    wanted = {key: parts or WHOLE for key, parts in wants.items()}
    needed, named = dict(wanted), {key: key for key in wants}
    found: dict[AssetKey, tuple[Parts, AssetKey]] = {}
    for asset in reversed(graph.assets):
        key = asset.key
        if not needed.get(key):
            continue
        own = wanted.get(key, NOTHING)
        reads = needed[key] if asset.computed_on_read else own
        read = {
            upper: numbering.up(key, upper, reads) if numbering.links(key, upper) else WHOLE
            for upper in dict.fromkeys(dep.key for dep in asset.deps)
            if reads
        }
        needed[key] |= read.pop(key, NOTHING)  # its own past
        lost = ((needed[key] - own) & existing[key]) - there[key]
        if lost and asset.executable and not asset.computed_on_read:
            found[key] = lost, named[key]
        for upper, parts in read.items():
            needed[upper] = needed.get(upper, NOTHING) | parts
            named.setdefault(upper, named[key])
    return dict(reversed(found.items()))


def _made(status: Status) -> Parts:
    """Return what of an asset was made at some time."""
    if status.partitions is not None:
        return status.partitions.made
    return NOTHING if status.last_materialized is None else WHOLE


def seconds_of(wants: Wants | Mapping[AssetKey, Parts], seconds: Mapping[AssetKey, float], slots: int) -> float | None:
    """Return about how long some partitions take, in seconds; None while nothing is known.

    >>> seconds_of({AssetKey("a"): Parts.range(0, 10)}, {AssetKey("a"): 6.0}, 2)
    30.0
    """
    known = [each for key, each in seconds.items() if key in wants]
    if not known:
        return None
    return sum(len(parts or WHOLE) * seconds.get(key, max(known)) for key, parts in wants.items()) / max(slots, 1)
