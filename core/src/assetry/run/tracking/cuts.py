"""Early cutoff: what a run leaves, because all that it is made from came out as before.

An asset, or a partition of it, is looked at when everything that it is made from has ended, and every check that gates
that has passed. What was recorded of it is then compared with what it would read now. Where that is the same it is cut:
it counts as made for what is made from it, which may be cut in turn. Nothing is cut beside what a running invocation
makes, and nothing that its tool cannot leave out: not a part of a whole, and no hole in a range.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import and_

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan, PlannedInvocation
from assetry.run.tracking.ends import Ends
from assetry.run.tracking.seats import Seat
from assetry.run.tracking.stock import Stock
from assetry.run.tracking.tracked import Tracked, call_of
from assetry.run.tracking.waiting import Waiting
from assetry.types.assets import Asset, Check
from assetry.types.events import Event, Skipped
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey

#: Tells whether an asset, or a partition of it, would read now what it was made from.
Same = Callable[[AssetKey, "str | None"], bool]
#: By asset: what is to be cut of it; `WHOLE` of one without partitions.
Cut = Mapping[AssetKey, Parts]

#: How many inputs a reason names.
_NAMED = 3


@dataclass(slots=True)
class Cuts:
    """What is cut of a plan under way; `places` are the invocations, `stocks` what has partitions."""

    plan: Plan
    graph: AssetGraph
    numbering: Numbering
    tracked: Mapping[str, Tracked]
    seats: Mapping[str, Seat]
    stocks: Mapping[AssetKey, Stock]
    checks: Mapping[CheckRef, Check]
    waiting: Waiting
    ends: Ends
    #: What has been cut until now.
    done: dict[AssetKey, Parts] = field(default_factory=dict)
    #: By asset, of what has nothing open above it: what was compared, and what of that is as before.
    _compared: dict[AssetKey, Parts] = field(default_factory=dict)
    _same: dict[AssetKey, Parts] = field(default_factory=dict)
    #: What is made in the plan, and by asset what is made from it and may be cut, by invocation.
    _made: set[AssetKey] = field(default_factory=set)
    _below: dict[AssetKey, dict[str, list[AssetKey]]] = field(default_factory=dict)
    #: By check: the assets for whose sake it is run; and by asset the checks.
    _causes: dict[CheckRef, tuple[AssetKey, ...]] = field(default_factory=dict)
    _caused: dict[AssetKey, list[CheckRef]] = field(default_factory=dict)
    _begun: bool = False

    def __post_init__(self) -> None:
        if self.plan.cutoff:
            self.learn(self.plan.invocations)

    def follow(self, plan: Plan, new: Iterable[PlannedInvocation]) -> None:
        """Go on by another plan, that has `new` invocations."""
        self.plan = plan
        self.learn(new)

    def learn(self, invocations: Iterable[PlannedInvocation]) -> None:
        """Learn of invocations: what they make, and what that is made from."""
        invocations = tuple(invocations)
        for planned in invocations:
            self._made.update(asset.key for asset in (*planned.invocation.assets, *planned.invocation.also))
        for planned in invocations:
            for asset in planned.invocation.assets:
                if asset.key in self.plan.cutoff:
                    for key in self._inputs(asset):
                        self._below.setdefault(key, {}).setdefault(planned.id, []).append(asset.key)
            for ref in planned.invocation.checks:
                if ref not in self._causes:
                    self._causes[ref] = self._causes_of(ref)
                    for key in self._causes[ref]:
                        self._caused.setdefault(key, []).append(ref)

    def _inputs(self, asset: Asset) -> Iterator[AssetKey]:
        yield from self.waiting.whole_inputs(asset)
        yield from self.waiting.parted_inputs(asset.key)

    def _causes_of(self, ref: CheckRef) -> tuple[AssetKey, ...]:
        """Return what a check is run for: what is made of what it reads; else what is made from that."""
        read = (ref.key, *self.checks[ref].also)
        return tuple(key for key in read if key in self._made) or tuple(
            below for key in read for below in self.graph.downstream_of(key) if below in self._made
        )

    # -- what can be cut -------------------------------------------------------------------------------------------

    def take(self, same: Same, spared: Collection[str]) -> Iterator[tuple[str, list[Event]]]:
        """Cut what has become so; yield the invocations that are smaller now, and what is to be recorded of each.

        Invocations of `spared` groups are left as they are.
        """
        if not self.plan.cutoff:
            return
        queue = self._touched() if self._begun else _members(self.plan.invocations)
        self._begun = True
        while queue:
            for id_, keys in queue.items():
                planned = self._planned(id_)
                group = planned.invocation.group if planned is not None else None
                if planned is not None and (group is None or group.key not in spared):
                    cut = self._cut_of(planned, keys, same)
                    if cut:
                        yield from self._perform(planned, cut)
            queue = self._touched()

    def _touched(self) -> dict[str, list[AssetKey]]:
        """Return what is made from anything that has ended since the last time, by invocation."""
        found: dict[str, list[AssetKey]] = {}
        for news in sorted(self.ends.news, key=self.graph.index):
            for id_, keys in self._below.get(news, {}).items():
                found.setdefault(id_, []).extend(keys)
        self.ends.news.clear()
        return {id_: list(dict.fromkeys(keys)) for id_, keys in found.items()}

    def _planned(self, id_: str) -> PlannedInvocation | None:
        """Return an invocation that is yet to be called, for some of its partitions at least."""
        seat = self.seats.get(id_)
        if seat is not None:
            return seat.planned if seat.open else None
        tracked = self.tracked.get(id_)
        return None if tracked is None or tracked.running or tracked.ended else tracked.planned

    def _left(self, id_: str, key: AssetKey) -> Parts:
        """Return what an invocation has yet to be called for, of one of its assets."""
        if id_ in self.seats:
            return self.seats[id_].waiting(key)
        return WHOLE if key in self.tracked[id_].unfinished else NOTHING

    def _cut_of(self, planned: PlannedInvocation, keys: Iterable[AssetKey], same: Same) -> Cut:
        """Return what of an invocation is as before, and can be left out by its tool; `keys` are to be looked at."""
        cut: dict[AssetKey, Parts] = {}
        for key in keys:
            found = self._as_before(self.graph[key], self._free(planned.id, key), {}, same)
            if found:
                cut[key] = found
        if not cut or not self._is_joint(planned):
            return cut
        for asset in planned.invocation.assets:
            free = self._free(planned.id, asset.key)
            while more := self._as_before(asset, free, cut, same) - cut.get(asset.key, NOTHING):
                cut[asset.key] = cut.get(asset.key, NOTHING) | more
        while cut:
            allowed = self._with_checks(planned, self._with_tool(planned, cut))
            kept = {
                asset.key: own - self._held(asset, allowed)
                for asset in planned.invocation.assets
                if (own := allowed.get(asset.key))
            }
            kept = {key: own for key, own in kept.items() if own}
            if kept == cut:
                break
            cut = kept
        return cut

    def _is_joint(self, planned: PlannedInvocation) -> bool:
        """Tell whether what can be cut of an asset depends on what is cut of the others of its invocation."""
        group = planned.invocation.group
        return planned.id in self.seats or (group is not None and group.whole)

    def _free(self, id_: str, key: AssetKey) -> Parts:
        return self._left(id_, key) & self.plan.cutoff.get(key, NOTHING)

    def _as_before(self, asset: Asset, parts: Parts, cut: Cut, same: Same) -> Parts:
        """Return what of `parts` has nothing open above it, when `cut` is cut, and would read what it was made from."""
        key = asset.key
        if not parts or self.ends.blocker_above(asset) is not None:
            return NOTHING
        settled = parts - self._held(asset, {})
        news = settled - self._compared.get(key, NOTHING)
        if news:
            self._compared[key] = self._compared.get(key, NOTHING) | news
            self._same[key] = self._same.get(key, NOTHING) | self._equal(asset, news, same)
        found = self._same.get(key, NOTHING) & settled
        if cut:
            # What is open is then as before: that it was so is not remembered, for it may have to be made all the same.
            assumed = parts - self._held(asset, cut) - settled - cut.get(key, NOTHING)
            found |= self._equal(asset, assumed, same)
        return found

    def _equal(self, asset: Asset, parts: Parts, same: Same) -> Parts:
        if asset.partitions_def is None:
            return WHOLE if parts and same(asset.key, None) else NOTHING
        names = self.numbering.keys_of(asset.key, parts)
        return Parts.at(part for part, name in zip(parts, names, strict=True) if same(asset.key, name))

    def _held(self, asset: Asset, cut: Cut) -> Parts:
        """Return what of an asset has to wait for something that is open, or is lost, when `cut` is cut."""
        every = WHOLE if asset.partitions_def is None else self.stocks[asset.key].wanted
        for key in self.waiting.whole_inputs(asset):
            if not self._is_settled(key, cut):
                return every
        held = NOTHING
        for key in self.waiting.parted_inputs(asset.key):
            stock = self.stocks[key]
            open_ = stock.open - cut.get(key, NOTHING)
            for ref, parts in stock.undecided.items():
                if parts and not self._is_void(ref, cut):
                    own = self._causes.get(ref) == (key,) and not self.waiting.is_of_all(ref)
                    open_ |= parts - cut.get(key, NOTHING) if own else parts
            held |= self.numbering.down(asset.key, key, open_ | stock.lost)
        return held

    def _is_settled(self, key: AssetKey, cut: Cut) -> bool:
        if key not in self._made:
            return True  # it is as it was, so that its checks would not say anything else
        if key not in self.ends.made and not self._is_cut(key, cut):
            return False
        return all(ref in self.ends.decided or self._is_void(ref, cut) for ref in self.plan.gates.get(key, ()))

    def _is_cut(self, key: AssetKey, cut: Cut) -> bool:
        """Tell whether nothing of an asset is made in this run, when `cut` is cut."""
        parts = self.done.get(key, NOTHING) | cut.get(key, NOTHING)
        stock = self.stocks.get(key)
        return bool(parts) if stock is None else stock.wanted <= parts

    def _is_void(self, ref: CheckRef, cut: Cut) -> bool:
        """Tell whether nothing that a check is run for is made, when `cut` is cut."""
        causes = self._causes.get(ref, ())
        return bool(causes) and all(self._is_cut(key, cut) for key in causes)

    # -- what a tool can leave out ---------------------------------------------------------------------------------

    def _with_tool(self, planned: PlannedInvocation, cut: Cut) -> Cut:
        """Return what of `cut` the tool of an invocation can leave out without being called more often."""
        group = planned.invocation.group
        if group is None or not group.whole:
            return self._without_holes(planned, cut)
        return self._whole(planned, self._without_holes(planned, self._whole(planned, cut)))

    def _without_holes(self, planned: PlannedInvocation, cut: Cut) -> Cut:
        """Return what of `cut` leaves no hole for a tool that takes ranges."""
        group = planned.invocation.group
        if group is None or not group.counted or group.partitions != "range" or planned.id not in self.seats:
            return cut
        idle = self.seats[planned.id].idle
        rest = {key: own - cut.get(key, NOTHING) for key, own in idle.items()}
        rest = {key: own for key, own in rest.items() if own}
        if all(self.numbering.window(key, own.first(1)) is None for key, own in rest.items()):
            return cut
        gone = {key: own for key, own in cut.items() if key not in rest}
        if len({idle[key] for key in rest}) > 1:
            return gone
        spans = [span for own in rest.values() for span in own.spans()]
        first, stop = min(span[1] for span in spans), max(span[2] for span in spans)
        strands = {strand for strand, _, _ in spans}
        ends = {
            key: Parts.of_strands(
                {
                    strand: numbers - numbers.within(first, stop) if strand in strands else numbers
                    for strand in own.strands
                    if (numbers := own.numbers(strand))
                }
            )
            for key, own in cut.items()
            if key in rest
        }
        return {**gone, **{key: own for key, own in ends.items() if own}}

    def _whole(self, planned: PlannedInvocation, cut: Cut) -> Cut:
        """Return what of `cut` can be left out by a tool that makes all of its assets.

        It is all of each of them, or the partitions that are cut of each, where others are left: assets without any are
        made with those.
        """
        if self._is_all(planned, cut):
            return cut
        members = [asset.key for asset in planned.invocation.assets if asset.key in planned.parts]
        own = [cut.get(key, NOTHING) for key in members]
        found = reduce(and_, own) if own else NOTHING
        left = any(self._left(planned.id, key) - found for key in members)
        return dict.fromkeys(members, found) if found and left else {}

    def _is_all(self, planned: PlannedInvocation, cut: Cut) -> bool:
        """Tell whether nothing of an invocation is left to be made when `cut` is cut."""
        assets = planned.invocation.assets
        return all(self._left(planned.id, asset.key) <= cut.get(asset.key, NOTHING) for asset in assets)

    def _with_checks(self, planned: PlannedInvocation, cut: Cut) -> Cut:
        """Return `cut`, or nothing where a tool that makes all of its assets would be left with checks alone."""
        seat = self.seats.get(planned.id)
        group = planned.invocation.group
        if group is None or not group.whole or (seat is not None and not self._is_all(planned, cut)):
            return cut
        checks = self.tracked[planned.id].unchecked if seat is None else (*seat.checks, *seat.judging)
        return cut if all(self._is_void(ref, cut) for ref in checks) else {}

    # -- cutting ---------------------------------------------------------------------------------------------------

    def _perform(self, planned: PlannedInvocation, cut: Cut) -> Iterator[tuple[str, list[Event]]]:
        for key, parts in cut.items():
            self.done[key] = self.done.get(key, NOTHING) | parts
        seat = self.seats.get(planned.id)
        if seat is None:
            tracked = self.tracked[planned.id]
            events = [each for key in cut for each in self._end(tracked, key)]
            along = not tracked.unfinished
        else:
            gone = {**cut, **self._along(seat, cut)}
            # What it reads besides was made: it looks at that beside all partitions, also those that stay as they are.
            for ref in [each for each in seat.judging if each.key in gone and not self._is_void(each, {})]:
                if len(self.waiting.reads(ref)) > 1:
                    self.waiting.put_off(seat, ref)
            parted = {key: own for key, own in gone.items() if key in seat.idle}
            tracked = call_of(seat.planned, parted, gone.keys() - parted.keys(), seat.judging, self.numbering)
            seat.leave_out(gone)
            events = [each for key in cut for each in self._end(tracked, key)]
            along = True
        for key in tuple(tracked.along) if along else ():
            self.ends.settle(tracked, key, None)
        yield planned.id, events
        for ref in [each for key in cut for each in self._caused.get(key, ())]:
            if ref not in self.ends.decided and self._is_void(ref, {}):
                for id_ in self._void(ref):
                    yield id_, []

    def _along(self, seat: Seat, cut: Cut) -> Cut:
        """Return what only comes along with what is cut of an invocation, and is left out with it."""
        also = [asset.key for asset in seat.planned.invocation.also]
        if not also or self._is_all(seat.planned, cut):
            came = {key: seat.waiting(key) for key in also}
        else:
            every = next(iter(cut.values()))
            came = {key: every & seat.idle.get(key, NOTHING) for key in also}
        return {key: own for key, own in came.items() if own}

    def _end(self, tracked: Tracked, key: AssetKey) -> list[Event]:
        parts = tracked.todo.get(key)
        events = self.ends.finish(tracked, Skipped(key, self._because(key), unchanged=True))
        if parts is not None:
            self.ends.void_parts(tracked, key, parts)
        return events

    def _void(self, ref: CheckRef) -> Iterator[str]:
        """Let a check not be run, where it has not begun; yield the invocations that it was to run in."""
        for id_ in self.waiting.runs(ref):
            seat, tracked = self.seats.get(id_), self.tracked.get(id_)
            if seat is not None:
                seat.checks.pop(ref, None)
                yield id_
            elif tracked is not None and not tracked.running and ref in tracked.unchecked:
                tracked.unchecked.pop(ref)
                tracked.pending.pop(ref, None)
                yield id_
        self.ends.decide(ref, None)

    def _because(self, key: AssetKey) -> str:
        names = [f"`{each}`" for each in dict.fromkeys(self._inputs(self.graph[key])) if each in self._made]
        names = [each for each in names if each != f"`{key}`"]
        if not names:
            return "unchanged: what it is made from is as it was"
        if len(names) > _NAMED + 1:
            names = [*names[:_NAMED], f"{len(names) - _NAMED} more"]
        told = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        return f"unchanged: {told} came out as before"


def _members(invocations: Iterable[PlannedInvocation]) -> dict[str, list[AssetKey]]:
    return {each.id: [asset.key for asset in each.invocation.assets] for each in invocations}
