"""Who waits for what in a run, and which invocations wait for nothing any more.

Most wait for assets, and checks on them, as a whole: those are counted down. What reads an asset with partitions waits
for those partitions that it is made from, which is asked of the mapping, and only of those readers whose input has
moved since they were last looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Reversible, Sequence
from typing import NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, Parts
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan, PlannedInvocation
from assetry.run.tracking.seats import Seat
from assetry.run.tracking.stock import Stock
from assetry.run.tracking.tracked import Tracked
from assetry.types.assets import Asset, Check
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey

Place = Tracked | Seat


class _Reading(NamedTuple):
    """That a member of an invocation is made from partitions of `upper`; `own` are made in the same invocation."""

    lower: AssetKey
    upper: AssetKey
    own: Parts


class _Rest(NamedTuple):
    """That an invocation reads all of what it makes some partitions of, its `own`: the others are made before."""

    key: AssetKey
    own: Parts
    #: Whether checks on it are waited for.
    checked: bool


class Waiting:
    """The invocations of a plan by what they wait for; `places` are the invocations, `stocks` what has partitions."""

    def __init__(
        self,
        plan: Plan,
        graph: AssetGraph,
        numbering: Numbering,
        places: Mapping[str, Place],
        stocks: Mapping[AssetKey, Stock],
        checks: Mapping[CheckRef, Check],
        of_all: set[CheckRef],
    ) -> None:
        self._graph = graph
        self._numbering = numbering
        self._places = places
        self._stocks = stocks
        self._checks = checks
        self._of_all = of_all
        self._gates = plan.gates
        self._through = plan.through
        self._planned: dict[str, PlannedInvocation] = {}
        self._makers: dict[AssetKey, str] = {}
        self._checked_in: dict[CheckRef, list[str]] = {}
        self._reads: dict[CheckRef, tuple[AssetKey, ...]] = {}
        self._readers: dict[AssetKey, list[tuple[str, CheckRef]]] = {}
        self._waiting: dict[AssetKey | CheckRef, list[str]] = {}
        #: By invocation: what it reads of partitions; by asset: the invocations that read partitions of it.
        self._readings: dict[str, list[_Reading]] = {}
        self._rests: dict[str, list[_Rest]] = {}
        self._excused: dict[tuple[str, AssetKey], frozenset[CheckRef]] = {}
        self._read_by: dict[AssetKey, list[str]] = {}
        self._parted: dict[AssetKey, tuple[AssetKey, ...]] = {}
        self._moved: set[AssetKey] = set()
        self._ready: dict[str, PlannedInvocation] = {}
        self.add(plan.invocations)

    def add(
        self, invocations: Iterable[PlannedInvocation], open_: Collection[AssetKey | CheckRef] | None = None
    ) -> None:
        """Take invocations in; they wait for nothing but what is `open_`, None for all that is planned."""
        invocations = tuple(invocations)
        for each in invocations:
            self._planned[each.id] = each
            self._makers |= {asset.key: each.id for asset in (*each.invocation.assets, *each.invocation.also)}
        for each in invocations:
            for ref in each.invocation.checks:
                self._checked_in.setdefault(ref, []).append(each.id)
                for key in self.reads(ref):
                    self._readers.setdefault(key, []).append((each.id, ref))
        for each in invocations:
            self._take_place(each.id, self._places[each.id], open_)

    def drop(self, id_: str) -> None:
        """Forget an invocation that was not called yet: others are called in its place."""
        self.leave(id_)
        for ref in self._planned.pop(id_).invocation.checks:
            self._checked_in[ref].remove(id_)
            for key in self.reads(ref):
                self._readers[key] = [each for each in self._readers.get(key, ()) if each != (id_, ref)]

    def leave(self, id_: str) -> None:
        """Let an invocation wait for nothing any more: others are called for what is left of it."""
        for wanted in self._places[id_].waits:
            self._waiting[wanted].remove(id_)
        for reading in self._readings.pop(id_, ()):
            self._read_by[reading.upper].remove(id_)
        for rest in self._rests.pop(id_, ()):
            self._read_by[rest.key].remove(id_)
        self._ready.pop(id_, None)

    # -- what reads what -------------------------------------------------------------------------------------------

    def has(self, key: AssetKey) -> bool:
        """Tell whether an asset is made in the plan."""
        return key in self._makers

    def reads(self, ref: CheckRef) -> tuple[AssetKey, ...]:
        """Return the planned assets that a check reads."""
        found = self._reads.get(ref)
        if found is None:
            read = (ref.key, *self._checks[ref].also)
            found = self._reads[ref] = tuple(key for key in read if key in self._makers)
        return found

    def is_of_all(self, ref: CheckRef) -> bool:
        """Tell whether a check judges all partitions of its asset at once."""
        return ref in self._of_all

    def put_off(self, seat: Seat, ref: CheckRef) -> None:
        """Let a check judge all of its asset at once, with the last call of an invocation."""
        seat.put_off(ref)
        self._of_all.add(ref)
        self._excused.clear()
        self.moved(ref.key)

    def runs(self, ref: CheckRef) -> Sequence[str]:
        """Return the invocations that run a check."""
        return self._checked_in.get(ref, ())

    def readers(self, key: AssetKey) -> list[tuple[str, CheckRef]]:
        """Return the checks that read an asset, each with the invocation that runs it; once."""
        return self._readers.pop(key, [])

    def whole_inputs(self, asset: Asset) -> Iterable[AssetKey]:
        """Yield what an asset is made from as a whole: inputs without partitions, and those behind views."""
        for dep in asset.deps:
            if dep.key not in self._stocks:
                yield dep.key
        yield from self._through.get(asset.key, ())

    def parted_inputs(self, key: AssetKey) -> tuple[AssetKey, ...]:
        """Return what an asset is made from whose partitions are made here."""
        if not self._stocks:
            return ()
        found = self._parted.get(key)
        if found is None:
            deps = dict.fromkeys(dep.key for dep in self._graph[key].deps)
            found = self._parted[key] = tuple(
                each for each in deps if each in self._stocks and self._numbering.links(key, each)
            )
        return found

    def _take_place(self, id_: str, place: Place, open_: Collection[AssetKey | CheckRef] | None) -> None:
        """Note what an invocation has to wait for: assets made elsewhere, and the checks that gate them."""
        planned = self._planned[id_]
        invocation = planned.invocation
        members = {asset.key: asset for asset in (*invocation.assets, *invocation.also)}
        inputs = {key for asset in members.values() for key in self.whole_inputs(asset)}
        for key in inputs:
            if key in members:
                continue  # a tool orders its own members, and heeds their checks, by itself
            # A check that is run by the invocation itself is its tool's to heed.
            gates = (ref for ref in self._gates.get(key, ()) if id_ not in self._checked_in.get(ref, (id_,)))
            place.waits.update(gates)
        # What a check reads, it takes as it is: it does not wait for other checks.
        looked = {key for ref in invocation.checks for key in self.reads(ref)}
        place.waits.update(key for key in inputs | looked if key not in members and key in self._makers)
        if open_ is not None:
            place.waits.intersection_update(open_)
        for wanted in place.waits:
            self._waiting.setdefault(wanted, []).append(id_)
        splits = isinstance(place, Seat) and place.splits
        for key in members if self._stocks else ():
            for upper in self.parted_inputs(key):
                itself = upper == key and splits
                own = NOTHING if itself else planned.parts.get(upper, NOTHING)
                self._readings.setdefault(id_, []).append(_Reading(key, upper, own))
                self._read_by.setdefault(upper, []).append(id_)
        for rest in self._rests_of(planned, inputs) if planned.parts else ():
            self._rests.setdefault(id_, []).append(rest)
            self._read_by.setdefault(rest.key, []).append(id_)
        self.look(id_)

    def _not_awaited(self, id_: str, upper: AssetKey) -> frozenset[CheckRef]:
        """Return the checks on partitions of an asset that an invocation cannot wait for.

        One that judges all of it at once is run by the invocation itself, or after it, where it looks at what that
        makes.
        """
        found = self._excused.get((id_, upper))
        if found is None:
            invocation = self._planned[id_].invocation
            members = {asset.key for asset in (*invocation.assets, *invocation.also)}
            found = self._excused[id_, upper] = frozenset(
                ref
                for ref in self._gates.get(upper, ())
                if (ref.key != upper or self.is_of_all(ref))
                and (id_ in self._checked_in.get(ref, ()) or not members.isdisjoint(self.reads(ref)))
            )
        return found

    def _rests_of(self, planned: PlannedInvocation, whole: Collection[AssetKey]) -> Iterator[_Rest]:
        """Yield what an invocation reads all of, and makes only a part: behind views, and for its checks."""
        looked = (
            (key, False)
            for ref in planned.invocation.checks
            for key in self.reads(ref)
            if key != ref.key or self.is_of_all(ref)
        )
        for key, checked in dict.fromkeys((*looked, *((key, True) for key in whole))):
            own = planned.parts.get(key, NOTHING)
            if own and self._stocks[key].wanted - own:
                yield _Rest(key, own, checked)

    # -- what may start ------------------------------------------------------------------------------------------

    def ready(self) -> Reversible[PlannedInvocation]:
        """Return the invocations that wait for nothing, in the order of becoming so."""
        while self._moved:
            for id_ in self._read_by.get(self._moved.pop(), ()):
                self.look(id_)
        return self._ready.values()

    def moved(self, key: AssetKey) -> None:
        """Learn that partitions of an asset have ended, or were checked."""
        if key in self._read_by:
            self._moved.add(key)

    def release(self, what: AssetKey | CheckRef) -> None:
        """Make ready the invocations that only waited for something which has now ended, well or badly."""
        for id_ in self._waiting.pop(what, ()):
            self._places[id_].waits.discard(what)
            self.look(id_)

    def taken(self, id_: str) -> None:
        """Learn that an invocation was called; what is left of it comes after all others that are ready."""
        self._ready.pop(id_, None)

    def clear(self) -> None:
        """Let nothing start any more."""
        self._ready.clear()
        self._moved.clear()

    def look(self, id_: str) -> None:
        """See whether an invocation can start, or can be called for more of its partitions."""
        place = self._places[id_]
        if not place.waits and not place.ended and self._can_start(id_, place):
            self._ready.setdefault(id_, self._planned[id_])

    def _can_start(self, id_: str, place: Place) -> bool:
        if any(self._is_open(id_, rest) for rest in self._rests.get(id_, ())):
            return False
        readings = self._readings.get(id_, ())
        if isinstance(place, Tracked):
            return not place.running and not any(self._held(id_, each) for each in readings)
        if not place.unmade:
            # What is left are checks, or nothing any more: then it comes to its end.
            return not place.running
        if not place.splits:
            return not place.running and not any(self._held(id_, each) & place.waiting(each.lower) for each in readings)
        place.ready = place.left
        for each in readings:
            if place.ready:
                place.ready -= self._held(id_, each)
        return bool(place.ready)

    def _is_open(self, id_: str, rest: _Rest) -> bool:
        stock = self._stocks[rest.key]
        return bool((stock.held(self._not_awaited(id_, rest.key)) if rest.checked else stock.open) - rest.own)

    def _held(self, id_: str, reading: _Reading) -> Parts:
        """Return the partitions that have to wait because of what they read."""
        held = self._stocks[reading.upper].held(self._not_awaited(id_, reading.upper)) - reading.own
        return self._numbering.down(reading.lower, reading.upper, held)

    def doomed(self, seat: Seat) -> Parts:
        """Return what is ready of an invocation and cannot be made, because of what it reads."""
        found = NOTHING
        for each in self._readings.get(seat.planned.id, ()):
            lost = self._stocks[each.upper].lost
            if lost:
                found |= self._numbering.down(each.lower, each.upper, lost)
        return found & seat.ready
