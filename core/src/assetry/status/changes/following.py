"""What follows from differences of definitions: what they touch, what has to be made, how long that takes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import Parts
from assetry.plan.numbering import Numbering
from assetry.status.changes.diff import Differences
from assetry.status.changes.impact import Impact, impact
from assetry.types.keys import AssetKey


@dataclass(frozen=True, slots=True)
class Prediction:
    """How long it takes to make some assets, in seconds, by how long they took of late.

    `work` is the sum of all, `longest` that of the longest chain of which each is made from the one before. `unknown`
    is how many assets are not in it, because nothing is known of them.
    """

    work: float = 0.0
    longest: float = 0.0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Following:
    """What follows from differences: what they touch, and the partitions of each asset that have to be made.

    Of an asset without partitions that is `assetry.partitions.parts.WHOLE`. What comes out as before ends there when it
    is made: so it is the most that has to be made.
    """

    impact: Impact
    to_make: Mapping[AssetKey, Parts]

    @property
    def partitions(self) -> int:
        """Return how many partitions have to be made, of all assets that have some."""
        parted = {
            each.asset.key for each in (*self.impact.changed, *self.impact.touched) if each.definition is not None
        }
        return sum(len(parts) for key, parts in self.to_make.items() if key in parted)


def following(graph: AssetGraph, found: Differences, numbering: Numbering) -> Following:
    """Return what follows from differences between a graph and what was before it.

    >>> from assetry.status.changes.definition import definitions_of
    >>> from assetry.status.changes.diff import differences
    >>> from assetry.types.assets import Asset
    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> both = definitions_of(graph.assets)
    >>> list(following(graph, differences({AssetKey("b"): both["b"]}, both), Numbering(graph)).to_make)
    [AssetKey('a'), AssetKey('b')]
    """
    parts = {each.key: numbering.existing(each.key) for each in found.added if each.key in graph}
    parts |= {each.definition.key: each.parts for each in found.changed}
    # A definition may have another key than the asset that it is found to be.
    changed = {graph[key].key: own for key, own in parts.items() if own and key in graph}
    reached = impact(graph, changed, numbering)
    due = {
        each.asset.key: each.parts
        for each in (*reached.changed, *reached.touched)
        # What is computed on read is made anew for its own sake only.
        if each.asset.executable and not (each.asset.computed_on_read and each.steps)
    }
    return Following(reached, {key: due[key] for key in graph.keys if key in due})


def predicted(
    graph: AssetGraph,
    to_make: Mapping[AssetKey, Parts],
    took: Mapping[AssetKey, Sequence[float]],
    at_once: Mapping[AssetKey, int | None] | None = None,
) -> Prediction:
    """Return how long it takes to make assets; `took` has the seconds that each took of late, one entry a making.

    `at_once` has how many partitions are made in one go, of those that are made so; None is any number of them.

    >>> from assetry.partitions.parts import WHOLE
    >>> from assetry.types.assets import Asset
    >>> graph = AssetGraph.of(Asset(key=key, kind="x", deps="a" if key == "b" else ()) for key in "abc")
    >>> a, b, c = graph.keys
    >>> predicted(graph, {a: WHOLE, b: WHOLE, c: Parts.range(0, 3)}, {a: [1.0, 9.0, 2.0], c: [0.5]})
    Prediction(work=3.5, longest=2.0, unknown=1)
    """
    from statistics import median  # every command reads this module, and few predict anything

    work = longest = 0.0
    unknown = 0
    ends: dict[AssetKey, float] = {}
    for i, asset in enumerate(graph.assets):
        before = max((ends[graph.keys[j]] for j in graph.upstream[i] if graph.keys[j] in ends), default=0.0)
        seconds = 0.0
        if asset.key in to_make:
            known = took.get(asset.key)
            times = len(to_make[asset.key])
            if at_once is not None and asset.key in at_once:
                most = at_once[asset.key] or times
                times = -(-times // most)
            seconds = median(known) * times if known else 0.0
            unknown += not known
        work += seconds
        ends[asset.key] = before + seconds
        longest = max(longest, ends[asset.key])
    return Prediction(work, longest, unknown)
