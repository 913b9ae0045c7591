"""What a call goes ahead with: all that can still be made, and of a tool that takes ranges the first of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.run.tracking.ends import Ends
from assetry.run.tracking.seats import Seat, runs
from assetry.run.tracking.stock import Stock
from assetry.run.tracking.tracked import Blocker, Launch, Tracked
from assetry.run.tracking.waiting import Waiting
from assetry.types.assets import Asset
from assetry.types.events import Event, Skipped
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey


@dataclass(frozen=True, slots=True)
class Launching:
    """What calls go ahead with; `stocks` are the assets with partitions."""

    numbering: Numbering
    stocks: Mapping[AssetKey, Stock]
    waiting: Waiting
    ends: Ends

    def launch(self, id_: str, tracked: Tracked) -> Launch:
        """Leave out of a call what cannot be made any more, and checks that have nothing to look at."""
        lost = self._lose_below_blockers(tracked)
        for ref in tuple(tracked.unchecked):
            if any(map(self._is_lost, self._looked_at_whole(tracked, ref))):
                self.ends.void(tracked, ref)
        return Launch(tracked.left(self.numbering), tuple(lost), id_, id_)

    def is_blocked(self, seat: Seat) -> bool:
        """Tell whether nothing of an invocation can be made: its tool leaves nothing out."""
        return any(self.ends.blocker_above(asset) is not None for asset in seat.planned.invocation.assets)

    def without_holes(self, seat: Seat, tracked: Tracked, launch: Launch) -> Launch:
        """Call a tool that takes ranges for the first one that is left only; the others are for later calls."""
        timed = {key: own for key, own in tracked.todo.items() if self._has_time(key)}
        if launch.invocation is None or not timed or self.numbering.common_window(timed) is not None:
            return launch
        first = next(runs(tracked.members(), timed))
        rest = {key: left for key, own in timed.items() if (left := own - first.get(key, NOTHING))}
        later = self._made_from(tracked, rest)
        for key, left in rest.items():
            seat.idle[key] = left
            tracked.give_back(key, left)
        for key in later:
            seat.whole.add(key)
            tracked.give_back_whole(key)
        for ref in tuple(tracked.unchecked):
            if not (later | rest.keys()).isdisjoint(self._looked_at_whole(tracked, ref)):
                del tracked.unchecked[ref]
                tracked.pending.pop(ref, None)
                tracked.judging -= {ref}
                self.waiting.put_off(seat, ref)
        return replace(launch, invocation=tracked.left(self.numbering))

    def _has_time(self, key: AssetKey) -> bool:
        definition = self.numbering.definition(key)
        return definition is not None and definition.typical_length is not None

    def _made_from(self, tracked: Tracked, rest: dict[AssetKey, Parts]) -> set[AssetKey]:
        """Return the members without partitions that are made from `rest`; add what is made from those to it."""
        later: set[AssetKey] = set()
        for asset in tracked.members():
            if asset.key not in tracked.unfinished and asset.key not in tracked.along:
                continue  # it has ended: something above it is lost
            whole = {*self.waiting.whole_inputs(asset)}
            if asset.key in tracked.todo:
                if whole & later:
                    rest[asset.key] = tracked.todo[asset.key]
                continue
            parted = [key for key in self.waiting.parted_inputs(asset.key) if key in rest]
            if whole & (later | rest.keys()) or any(
                rest[key] & self.numbering.up(asset.key, key, WHOLE) for key in parted
            ):
                later.add(asset.key)
        return later

    def _looked_at_whole(self, tracked: Tracked, ref: CheckRef) -> list[AssetKey]:
        """Return what a check of a call looks at as a whole, not at just the partitions that are made in it."""
        return [key for key in self.waiting.reads(ref) if key != ref.key or ref not in tracked.pending]

    def _is_lost(self, key: AssetKey) -> bool:
        """Tell whether an asset, or a partition of it, was not made."""
        stock = self.stocks.get(key)
        lost = key in self.ends.blockers and key not in self.ends.made
        return lost or (stock is not None and stock.failed)

    def _lose_below_blockers(self, tracked: Tracked) -> list[Event]:
        """Skip the members, and partitions of them, that have a blocker above them."""
        planned = tracked.planned.invocation
        whole = planned.group is not None and planned.group.whole
        lost: list[Event] = []
        first: Blocker | None = None
        for asset in (*planned.assets, *planned.also):
            if asset.key not in tracked.unfinished and asset.key not in tracked.along:
                continue
            blocker = self.ends.blocker_above(asset)
            if blocker is not None:
                first = first or blocker
                lost += self._lose(tracked, asset.key, blocker)
            # What is lost may be read by later partitions of the same asset.
            while below := self._parts_below_blockers(tracked, asset):
                for why, parts in below.items():
                    keys = tracked.todo if whole else (asset.key,)
                    for key in tuple(keys):
                        lost += self._lose(tracked, key, why, parts)
        if first is not None and whole:
            # A tool that cannot leave anything out would build the lost ones on top of what failed.
            for key in (*tracked.unfinished, *tracked.along):
                lost += self._lose(tracked, key, first)
        return lost

    def _parts_below_blockers(self, tracked: Tracked, asset: Asset) -> dict[Blocker, Parts]:
        """Return the partitions of a member that are made from something lost, by why that is lost."""
        found: dict[Blocker, list[tuple[str, int]]] = {}
        todo, seen = tracked.todo.get(asset.key, NOTHING), NOTHING
        for upper in self.waiting.parted_inputs(asset.key) if todo else ():
            stock = self.stocks[upper]
            lost = todo & self.numbering.down(asset.key, upper, stock.lost)
            for strand, number in lost - seen:
                part = Parts.range(number, number + 1, strand)
                blocker = stock.blocker(self.numbering.up(asset.key, upper, part))
                if blocker is not None:
                    found.setdefault(blocker, []).append((strand, number))
            seen |= lost
        return {blocker: Parts.at(parts) for blocker, parts in found.items()}

    def _lose(self, tracked: Tracked, key: AssetKey, blocker: Blocker, parts: Parts | None = None) -> list[Event]:
        """Skip a member, or partitions of it, because of a blocker; what only came along goes without a word."""
        if parts is not None:
            parts &= tracked.todo.get(key, NOTHING)
            if not parts:
                return []
        if key in tracked.along:
            self.ends.settle(tracked, key, blocker, parts)
            return []
        event = Skipped(key, blocker.text)
        events = [event] if parts is None else tracked.ranged(event, parts)
        return [told for each in events for told in self.ends.finish(tracked, each, blocker)]
