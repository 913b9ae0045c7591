"""Roots: what others are out of date from, passed down the graph and named there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from assetry.graph.graph import AssetGraph
from assetry.graph.overlay import ByNumber, NumberedOverlay
from assetry.status.comparison import MOST_ROOTS, Comparison
from assetry.status.reasons import Code, Reason, new_content_text

#: A root: the number of an asset, and what is wrong with it; the lower, the worse.
Root = tuple[int, int]
#: It is itself out of date; it has new content.
OUT, NEW = 0, 1
_WORST_FIRST: tuple[Code, ...] = (
    *("last_failed", "never_materialized", "missing_partitions", "gone", "last_cancelled"),
    *("code_changed", "columns_differ", "deps_changed", "provisional", "overdue"),
)
#: What may be wrong with partitions, of which there may be several at once.
RANKS: Mapping[Code, int] = {code: place - len(_WORST_FIRST) for place, code in enumerate(_WORST_FIRST)}
_NO_ROOTS: tuple[Root, ...] = ()
_ALL_RANKS = (OUT, NEW, *RANKS.values())


class Roots:
    """The roots of assets, added in graph order, and what is said of each further down."""

    def __init__(self, graph: AssetGraph, comparison: Comparison, before: Roots | None = None) -> None:
        self._graph = graph
        self._comparison = comparison
        #: By asset: the roots that its consumers are out of date from; those of partitions are kept elsewhere.
        self.of: ByNumber[tuple[Root, ...]]
        self.of = [_NO_ROOTS] * len(graph) if before is None else NumberedOverlay(before.of)
        #: By asset that grows by appending: those of its roots that make anew what was there before.
        self.rewriting: dict[int, frozenset[Root]] = {} if before is None else {**before.rewriting}
        #: Those below more roots than are named.
        self.crowded: set[int] = set() if before is None else {*before.crowded}
        self._sayings: dict[Root, str] = {} if before is None else {**before._sayings}

    def forget(self, i: int) -> None:
        """Forget what is known of an asset that is judged anew."""
        self.crowded.discard(i)
        for rank in _ALL_RANKS if self._graph.assets[i].partitions_def is not None else (OUT, NEW):
            self._sayings.pop((i, rank), None)

    def said(self, i: int) -> str | None:
        """Return what is said further down of an asset without partitions that is out of date itself."""
        return self._sayings.get((i, OUT))

    def above(self, i: int) -> tuple[Root, ...]:
        """Return the roots that come down to an asset from what it is made from, where none of it has partitions."""
        upstream = self._graph.upstream[i]
        if len(upstream) == 1:
            return self.of[upstream[0]]
        return tuple({root: None for j in upstream for root in self.of[j]})

    def named(self, i: int, roots: Sequence[Root]) -> tuple[Root, ...]:
        """Return the roots in graph order, each asset once, the most that are to be named."""
        if len(roots) < 2:
            return tuple(roots)
        if not self.crowded.isdisjoint(self._graph.upstream[i]):
            self.crowded.add(i)
        # What is itself out of date is worth more than that it also has new content.
        kinds = dict(sorted(roots, reverse=True))
        if len(kinds) > MOST_ROOTS:
            self.crowded.add(i)
        return tuple((j, kinds[j]) for j in sorted(kinds)[:MOST_ROOTS])

    def say(self, root: Root, text: str) -> None:
        """Learn what is to be said of a root further down."""
        self._sayings[root] = text

    def text(self, root: Root, at: datetime | None = None) -> str:
        """Return what is said of a root; of new content, from when it is, where that is known."""
        if at is None and root in self._sayings:
            return self._sayings[root]
        asset, last = self._graph.assets[root[0]], self._comparison.last[root[0]]
        assert last is not None, "new content without a record of it"
        text = new_content_text(asset, at or last.at)
        if at is None:
            self._sayings[root] = text
        return text

    def reasons(self, i: int, roots: Sequence[Root]) -> Iterable[Reason]:
        """Yield why an asset without partitions is out of date from what is above it."""
        for number, root in enumerate(roots, 1):
            text = self.text(root) + (self.more(i) if number == len(roots) else "")
            yield Reason(code_of(root), self._graph.keys[root[0]], text)

    def more(self, i: int) -> str:
        """Return that more is out of date above an asset than is named; nothing when it is not so."""
        return "; more above it is out of date" if i in self.crowded else ""


def code_of(root: Root) -> Code:
    """Return the code of the reason that something is out of date from a root.

    >>> code_of((0, NEW)), code_of((0, RANKS["missing_partitions"]))
    ('upstream_changed', 'missing_partitions')
    """
    return "missing_partitions" if root[1] == RANKS["missing_partitions"] else "upstream_changed"
