"""What of a plan is made from something, near or far. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.plan.scope import Wants


def dependents(graph: AssetGraph, wants: Wants, parts: Mapping[AssetKey, Parts], numbering: Numbering) -> Wants:
    """Return what of the wanted assets is made from `parts`, without these; `WHOLE` is one without partitions.

    What is neither wanted nor a view is not made anew, so that what is made from it does not change by it.

    >>> from assetry.types.assets import Asset
    >>> deps = {"a": [], "b": ["a"], "view": ["b"], "c": ["view"], "table": ["b"], "d": ["table"], "e": []}
    >>> graph = AssetGraph.of(Asset(key=k, kind="x", deps=d, computed_on_read=k == "view") for k, d in deps.items())
    >>> a, b, c, d, e = map(AssetKey, "abcde")
    >>> sorted(map(str, dependents(graph, dict.fromkeys([a, b, c, d, e]), {a: WHOLE}, Numbering(graph))))
    ['b', 'c']
    """
    reached: dict[AssetKey, Parts] = dict(parts)
    found: dict[AssetKey, Parts | None] = {}
    for asset in graph.assets:
        key, wanted = asset.key, asset.key in wants
        if not wanted and not asset.computed_on_read:
            continue
        own = wants.get(key) or WHOLE
        # A view hands on also what of it is not wanted: nothing has to be made of it.
        hands_on = numbering.existing(key) if asset.computed_on_read else own
        above = _above(graph, key, reached, numbering, hands_on)
        below = (above & own) - parts.get(key, NOTHING)
        if wanted and below:
            found[key] = below if wants[key] is not None else None
        handed_on = above if asset.computed_on_read else below
        if handed_on:
            reached[key] = reached.get(key, NOTHING) | handed_on
    return found


def _above(
    graph: AssetGraph, key: AssetKey, reached: Mapping[AssetKey, Parts], numbering: Numbering, own: Parts
) -> Parts:
    """Return the partitions of an asset that are made from what is reached; of itself, too, by way of `own`."""
    found = NOTHING
    deps = dict.fromkeys(dep.key for dep in graph[key].deps)
    for upper in deps:
        if upper != key and (parts := reached.get(upper)):
            linked = numbering.links(key, upper)
            found |= numbering.down(key, upper, parts) if linked else WHOLE
    if key in deps:
        last, mine = NOTHING, (found & own) | reached.get(key, NOTHING)
        while mine != last:
            last, mine = mine, mine | (numbering.down(key, key, mine) & own)
        found |= mine
    return found
