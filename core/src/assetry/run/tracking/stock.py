"""What a run has yet to make of an asset with partitions, and what of it is lost to those that read it."""

from __future__ import annotations

from collections.abc import Collection

from assetry.partitions.parts import NOTHING, Parts
from assetry.plan.plan import Plan
from assetry.run.tracking.tracked import Blocker
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey


class Stock:
    """The partitions of one asset that a run is to make.

    >>> stock = Stock(Parts.range(0, 3))
    >>> stock.end(Parts.of([1]))
    >>> stock.open, stock.left
    (Parts({'': [(0, 1), (2, 3)]}), 2)
    """

    def __init__(self, wanted: Parts) -> None:
        self.wanted = wanted
        #: How many have no end yet.
        self.left = len(wanted)
        #: What nothing can be made from: it was not made, or a check of it failed.
        self.lost = NOTHING
        #: What was not made.
        self.unmade = NOTHING
        #: By check that gates the asset: the partitions that it has not judged yet.
        self.undecided: dict[CheckRef, Parts] = {}
        self._open = wanted
        #: What has ended since `open` was last asked for: taken off together, for they may be many.
        self._ended: dict[str, list[tuple[int, int]]] = {}
        self._why: dict[tuple[str, int], Blocker] = {}

    @property
    def open(self) -> Parts:
        """Return the partitions that have no end yet."""
        if self._ended:
            self._open -= Parts(self._ended)
            self._ended = {}
        return self._open

    @property
    def failed(self) -> bool:
        """Tell whether one of them was not made."""
        return bool(self.unmade)

    def end(self, parts: Parts, blocker: Blocker | None = None) -> None:
        """Note that partitions have come to their end; `blocker` says why nothing can be made from them."""
        self.left -= len(parts)
        for strand, first, stop in parts.spans():
            self._ended.setdefault(strand, []).append((first, stop))
        if blocker is not None:
            self.unmade |= parts
            self.lose(parts, blocker)

    def lose(self, parts: Parts, blocker: Blocker) -> None:
        """Note that nothing can be made from partitions; what was said first counts."""
        self.lost |= parts
        for part in parts:
            self._why.setdefault(part, blocker)

    def replace(self, parts: Parts, blocker: Blocker) -> None:
        """Note a nearer reason why nothing can be made from partitions."""
        self.lost |= parts
        self._why.update(dict.fromkeys(parts, blocker))

    def decide(self, ref: CheckRef, parts: Parts | None, blocker: Blocker | None) -> None:
        """Note how a check came out for partitions; None for all that it has not judged, or for all when it has."""
        left = self.undecided.get(ref, NOTHING)
        judged = left or self.wanted if parts is None else parts
        self.undecided[ref] = left - judged
        if blocker is not None:
            self.lose(judged, blocker)

    def held(self, own: Collection[CheckRef] = ()) -> Parts:
        """Return the partitions that nothing can be made from yet; `own` are checks not to be waited for."""
        found = self.open
        for ref, parts in self.undecided.items():
            if parts and ref not in own:
                found |= parts
        return found

    def blocker(self, parts: Parts) -> Blocker | None:
        """Return why nothing can be made from the first of `parts` that is lost; None when none is."""
        part = next(iter(parts & self.lost), None)
        return None if part is None else self._why[part]


def stocks_of(plan: Plan) -> dict[AssetKey, Stock]:
    """Return what is to be made of each asset with partitions, in all invocations."""
    stocks = {key: Stock(parts) for key, parts in plan.parts.items()}
    for key, stock in stocks.items():
        stock.undecided = dict.fromkeys(plan.gates.get(key, ()), stock.wanted)
    return stocks
