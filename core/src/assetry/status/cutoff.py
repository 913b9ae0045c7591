"""What may turn out to need no making: assets that are out of date only because of what they are made from. Pure.

When all of that comes out as it was, they are up to date, and a run that was to make what is out of date leaves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.status.comparison import MOST_ROOTS
from assetry.status.staleness import Status
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.plan.scope import Wants


@dataclass(frozen=True, slots=True)
class Cutoff:
    """What of the wanted assets may need no making; `WHOLE` stands for an asset without partitions.

    `certain` are those of which nothing is out of date but from what is made here as well: those that need no making
    if, and only if, that comes out as before.
    """

    parts: Mapping[AssetKey, Parts] = field(default_factory=dict)
    certain: frozenset[AssetKey] = frozenset()


def cutoff(graph: AssetGraph, wants: Wants, statuses: Iterable[Status], numbering: Numbering) -> Cutoff:
    """Return what of the wanted assets may need no making; `statuses` are those of all assets.

    It is nothing that is out of date in itself, nor what reads anything that stays out of date: that would not be up to
    date if it was left.

    >>> from datetime import UTC, datetime
    >>> from assetry.status.reasons import Reason
    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> a, b = graph.keys
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> found = [Status(a, "stale", (Reason("overdue", a, "overdue"),), at),
    ...          Status(b, "stale", (Reason("upstream_changed", a, "`a` is overdue"),), at)]
    >>> list(cutoff(graph, {a: None, b: None}, found, Numbering(graph)).parts)
    [AssetKey('b')]
    >>> list(cutoff(graph, {b: None}, found, Numbering(graph)).parts)
    []
    """
    if not wants:
        return Cutoff()
    by_key = {each.key: each for each in statuses}
    #: By asset: what of it is out of date when all that is wanted is made.
    left: dict[AssetKey, Parts] = {}
    found: dict[AssetKey, Parts] = {}
    certain: set[AssetKey] = set()
    #: By position, what is read by reading a view: a bit for each asset, as sets of all that is above were too many.
    shown: dict[int, int] = {}
    unwanted = 0
    for i, key in enumerate(graph.keys):
        unwanted |= (key not in wants) << i
    for i, asset in enumerate(graph.assets):
        status = by_key[asset.key]
        wanted = _wanted(asset, status, wants)
        due = _due(status)
        above = NOTHING
        read = 0
        for j in graph.upstream[i]:
            read |= 1 << j | shown.get(j, 0)
        if asset.computed_on_read:
            shown[i] = read
        for key in dict.fromkeys(dep.key for dep in asset.deps):
            parts = left.get(key)
            if parts and key != asset.key:
                linked = numbering.links(asset.key, key)
                above |= numbering.down(asset.key, key, parts) if linked else parts
        if asset.executable and (stays := (due - wanted) | above):
            left[asset.key] = stays
        as_wanted = asset.key in wants and (wants[asset.key] is None) == (asset.partitions_def is None)
        if as_wanted and asset.executable and not asset.computed_on_read:
            parts = (_from_above(asset, status) & wanted) - above
            if parts:
                found[asset.key] = parts
                if _is_certain(status, parts, partial(_is_among, graph, read & unwanted)):
                    certain.add(asset.key)
    return Cutoff(found, frozenset(certain))


def _is_among(graph: AssetGraph, bits: int, key: AssetKey) -> bool:
    """Tell whether there is a bit for an asset; a record may name one that is not there any more."""
    return key in graph and bool(bits >> graph.index(key) & 1)


def _wanted(asset: Asset, status: Status, wants: Wants) -> Parts:
    if asset.key not in wants:
        return NOTHING
    parts = wants[asset.key]
    if parts is not None:
        return parts
    # One with partitions may be made as a whole, too.
    return WHOLE if asset.partitions_def is None else NOTHING if status.partitions is None else status.partitions.due


def _due(status: Status) -> Parts:
    if status.partitions is not None:
        return status.partitions.due
    return WHOLE if status.reasons or status.status in ("never", "failed") else NOTHING


def _from_above(asset: Asset, status: Status) -> Parts:
    """Return what of an asset was made, and has nothing wrong in itself."""
    own = [reason for reason in status.reasons if reason.is_of(asset.key)]
    if status.partitions is None:
        return NOTHING if own or status.last_materialized is None else WHOLE
    parts = status.partitions.made & status.partitions.existing
    for reason in own:
        parts -= reason.parts
    return parts - status.partitions.failed


def _is_certain(status: Status, parts: Parts, is_other: Callable[[AssetKey], bool]) -> bool:
    """Tell whether any of `parts` is out of date, and none of what it reads has new content but what is made here.

    `is_other` tells whether it reads an asset that is not made here. More roots than some are not named: then nothing
    is certain.
    """
    roots = {reason.asset for reason in status.reasons}
    if len(roots) >= MOST_ROOTS:
        return False
    if status.partitions is None:
        return bool(roots) and not any(map(is_other, roots))
    parts &= status.partitions.stale
    for reason in status.reasons:
        if is_other(reason.asset):
            parts -= reason.parts
    return bool(parts)
