"""How long it takes to bring newer data to an asset, all that is above it and what starting costs included. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from assetry.plugin import AssetGraph, AssetKey, Freshness

from assetry_automation.decision.standing import Groups

#: A way is begun so much earlier than it takes of late, nineteen times out of twenty.
MARGIN = 1.25
#: The key of what it takes until a run has begun, among what is known of invocations by their groups.
START = ""

_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Ways:
    """How long before their deadlines newer data of assets is begun.

    It is `slack` where it is not known how long the way takes; what is known are the assets on it. A run has `start`ed
    so long after it was wanted, and `tools` take so long, by asset, beside what they make on its way.

    >>> Ways(start=timedelta(seconds=3)).of(AssetKey("a"), Freshness("met", way=timedelta(minutes=8)))
    datetime.timedelta(seconds=603)
    """

    slack: timedelta = _NOTHING
    start: timedelta = _NOTHING
    tools: Mapping[AssetKey, timedelta] = field(default_factory=dict)

    def of(self, key: AssetKey, freshness: Freshness) -> timedelta:
        """Return how long before its deadline newer data of an asset is begun."""
        took = freshness.way * MARGIN if freshness.way else self.slack
        return took + self.start + self.tools.get(key, _NOTHING)


def ways_of(
    graph: AssetGraph,
    groups: Groups,
    slack: timedelta,
    overheads: Mapping[str, float],
    among: Sequence[int] | None = None,
) -> Ways:
    """Return how long ways take, where `overheads` are seconds by group, as invocations were of late.

    With `among`, of these assets alone, which are in graph order and have all that each is made from among them.
    """
    start = timedelta(seconds=overheads.get(START, 0.0))
    if overheads.keys() <= {START}:
        return Ways(slack, start)
    found: dict[int, float] = {}
    for i in range(len(graph)) if among is None else among:
        own = groups.get(graph.keys[i])
        cost = overheads.get(own, 0.0) if own is not None else 0.0
        # What shares an invocation with what it is made from costs nothing more.
        above = ((found[j], groups.get(graph.keys[j])) for j in graph.upstream[i] if j < i)
        found[i] = max((so_far + (0.0 if group == own else cost) for so_far, group in above), default=cost)
    return Ways(slack, start, {graph.keys[i]: timedelta(seconds=each) for i, each in found.items() if each})
