"""The board of a run: which assets are open, made, failed or skipped, and which invocations may start.

Decisions only: the board does nothing itself. It is told what happened (`started`, `ended`, `checked`, …) and answers
with what follows: the events that the tool forgot, the assets that can no longer be made, the invocations that are
ready. An asset counts for those outside its invocation as soon as it is made and the checks that gate it have passed,
whatever the rest of its invocation does: that is what lets results stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from assetry.assets import Asset
from assetry.events import Checked, Event, Failed, Log, Materialized, Skipped
from assetry.graph import AssetGraph
from assetry.invocations import CheckRef, Invocation
from assetry.keys import AssetKey
from assetry.plan import Plan, PlannedInvocation


@dataclass(slots=True)
class Seat:
    """Keep what the board knows of one planned invocation."""

    planned: PlannedInvocation
    #: Assets outside, and checks on them, that have not come to their end yet.
    waits: set[AssetKey | CheckRef] = field(default_factory=set)
    #: Members without a terminal event, in dependency order.
    unfinished: dict[AssetKey, Asset] = field(default_factory=dict)
    unchecked: dict[CheckRef, None] = field(default_factory=dict)
    started: set[AssetKey] = field(default_factory=set)
    running: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Say why an asset cannot be built upon: the asset at the root, and what befell it."""

    root: AssetKey
    text: str


@dataclass(frozen=True, slots=True)
class Launch:
    """Say that an invocation can go ahead: what is left of it, and the members that cannot be made."""

    invocation: Invocation | None
    events: tuple[Event, ...]


class Board:
    """Follow the assets of a plan from open to settled."""

    def __init__(self, plan: Plan, graph: AssetGraph) -> None:
        self._graph = graph
        self._seats = {planned.invocation.id: Seat(planned) for planned in plan.invocations}
        self._home: dict[AssetKey, str] = {}
        for id_, seat in self._seats.items():
            seat.unfinished = {asset.key: asset for asset in seat.planned.invocation.assets}
            seat.unchecked = dict.fromkeys(seat.planned.invocation.checks)
            self._home.update(dict.fromkeys(seat.unfinished, id_))
        self._gates = plan.gates
        self._through = plan.through
        self._gated_by: dict[CheckRef, list[AssetKey]] = {}
        for key, refs in plan.gates.items():
            for ref in refs:
                self._gated_by.setdefault(ref, []).append(key)
        self._checked_in = {ref: id_ for id_, seat in self._seats.items() for ref in seat.unchecked}
        self._reads = {ref: self._read_by(ref) for ref in self._checked_in}
        self._readers: dict[AssetKey, list[tuple[str, CheckRef]]] = {}
        for id_, seat in self._seats.items():
            for ref in seat.unchecked:
                for key in self._reads[ref]:
                    self._readers.setdefault(key, []).append((id_, ref))
        self._made: set[AssetKey] = set()
        self._faults: dict[AssetKey, Fault] = {}
        self._waiting: dict[AssetKey | CheckRef, list[str]] = {}
        self._ready: dict[str, None] = {}
        self._open = len(self._seats)
        for id_, seat in self._seats.items():
            self._take_place(id_, seat)

    def _take_place(self, id_: str, seat: Seat) -> None:
        """Note what an invocation has to wait for: assets made elsewhere, and the checks that gate them."""
        invocation = seat.planned.invocation
        inputs = {key for asset in invocation.assets for key in self._inputs(asset) if self._home.get(key) != id_}
        read = inputs.union(*(self._reads[ref] for ref in invocation.checks))
        seat.waits.update(key for key in read if self._home.get(key, id_) != id_)
        for key in inputs:
            # A check that is run by the invocation itself is its tool's to heed, and checks do not gate each other.
            gates = (ref for ref in self._gates.get(key, ()) if self._checked_in.get(ref, id_) != id_)
            seat.waits.update(gates)
        for wanted in seat.waits:
            self._waiting.setdefault(wanted, []).append(id_)
        if not seat.waits:
            self._ready[id_] = None

    def _inputs(self, asset: Asset) -> tuple[AssetKey, ...]:
        """Return what an asset is made from: its inputs, and those behind views that are not in the plan."""
        return (*(self._own(dep.key) for dep in asset.deps), *self._through.get(asset.key, ()))

    def _own(self, key: AssetKey) -> AssetKey:
        """Return the key under which the graph knows an asset."""
        return self._graph[key].key if key not in self._home and key in self._graph else key

    def _read_by(self, ref: CheckRef) -> tuple[AssetKey, ...]:
        """Return the planned assets that a check reads."""
        check = next(check for check in self._graph[ref.key].checks if check.name == ref.check)
        return tuple(key for key in (ref.key, *map(self._own, check.also)) if key in self._home)

    # -- what may start ------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Tell whether nothing is running and nothing can start."""
        return self._open == 0

    def ready(self) -> Iterator[PlannedInvocation]:
        """Yield the invocations that wait for nothing, in the order of becoming so."""
        return (self._seats[id_].planned for id_ in self._ready)

    def launch(self, id_: str) -> Launch:
        """Take an invocation that is ready; leave out what can no longer be made, and say so.

        The launch's invocation is None when nothing of it is left.
        """
        del self._ready[id_]
        seat = self._seats[id_]
        planned = seat.planned.invocation
        lost: list[Event] = []
        for asset in planned.assets:
            fault = self._fault_above(asset)
            if fault is not None:
                lost.append(self._lose(id_, asset.key, fault))
        if planned.group is not None and planned.group.whole and lost:
            # A tool that cannot leave anything out would build the lost ones on top of what failed.
            fault = next(iter(self._faults[event.key] for event in lost if isinstance(event, Skipped)))
            lost += [self._lose(id_, key, fault) for key in tuple(seat.unfinished)]
        for ref in tuple(seat.unchecked):
            if any(key in self._faults and key not in self._made for key in self._reads[ref]):
                self._void(seat, ref)
        if not seat.unfinished and not seat.unchecked:
            self._close(seat)
            return Launch(None, tuple(lost))
        seat.running = True
        left = replace(planned, assets=tuple(seat.unfinished.values()), checks=tuple(seat.unchecked))
        return Launch(left, tuple(lost))

    def _fault_above(self, asset: Asset) -> Fault | None:
        return next((self._faults[key] for key in self._inputs(asset) if key in self._faults), None)

    def _lose(self, id_: str, key: AssetKey, fault: Fault) -> Event:
        """Skip a member because of a fault above it."""
        event = Skipped(key, fault.text)
        self._finish(self._seats[id_], event, fault)
        return event

    # -- what happened -------------------------------------------------------------------------------------------

    def take(self, id_: str, event: Event) -> list[Event]:
        """Take what a tool reported; return the events that are to be recorded, this one among them or not."""
        seat = self._seats[id_]
        key: AssetKey | None = getattr(event, "key", None)
        if key is None:
            return [event]
        known = key in seat.unfinished
        if isinstance(event, Checked):
            return self._take_check(seat, event)
        if isinstance(event, (Materialized, Failed, Skipped)):
            if known:
                self._finish(seat, event)
                return [event]
            if any(asset.key == key for asset in seat.planned.invocation.also):
                return [event]
            again = self._home.get(key) == id_
            return [Log(_stray(event, again), "warning", key if key in self._graph else None)]
        if known and event.name == "started":
            if key in seat.started:
                return []
            seat.started.add(key)
        return [event] if key in self._graph else [Log(_stray(event, False), "warning")]

    def _take_check(self, seat: Seat, event: Checked) -> list[Event]:
        if event.key not in self._graph:
            return [Log(_stray(event, False), "warning")]
        ref = CheckRef(event.key, event.check)
        seat.unchecked.pop(ref, None)
        failed = not event.passed and event.severity == "error"
        self._decide(ref, Fault(event.key, f"check {event.check} of {event.key} failed") if failed else None)
        return [event]

    def _finish(self, seat: Seat, event: Event, fault: Fault | None = None) -> None:
        """Note a member's terminal event."""
        key: AssetKey = event.key  # type: ignore[attr-defined]
        del seat.unfinished[key]
        if isinstance(event, Materialized):
            self._made.add(key)
        else:
            text = f"{key} failed" if isinstance(event, Failed) else getattr(event, "because", "")
            self._faults.setdefault(key, fault or self._inherited(key, text, isinstance(event, Failed)))
            self._void_checks_of(key)
        self._release(key)

    def _inherited(self, key: AssetKey, text: str, failed: bool) -> Fault:
        """Return the fault of a failed or skipped asset: its own, or the one above it that the tool skipped it for."""
        above = None if failed else self._fault_above(self._graph[key])
        return above or Fault(key, text or f"{key} was skipped")

    def _void_checks_of(self, key: AssetKey) -> None:
        """Let go of the checks that can no longer say anything because one of their inputs was not made."""
        for id_, ref in self._readers.pop(key, ()):
            if ref in self._seats[id_].unchecked:
                self._void(self._seats[id_], ref)

    def _void(self, seat: Seat, ref: CheckRef) -> None:
        seat.unchecked.pop(ref, None)
        self._decide(ref, None)

    def _decide(self, ref: CheckRef, fault: Fault | None) -> None:
        """Note how a check came out for the assets that it gates."""
        if fault is not None:
            for key in self._gated_by.get(ref, ()):
                self._faults.setdefault(key, fault)
        self._release(ref)

    def _release(self, what: AssetKey | CheckRef) -> None:
        """Let those go on who wait for something that has come to its end, good or bad."""
        for id_ in self._waiting.pop(what, ()):
            seat = self._seats[id_]
            seat.waits.discard(what)
            if not seat.waits:
                self._ready[id_] = None

    def end(self, id_: str, problem: str | None, hint: str | None = None) -> list[Event]:
        """Take the end of an invocation; `problem` says what broke it. Return the events that its tool owes."""
        seat = self._seats[id_]
        owed: list[Event] = []
        for asset in tuple(seat.unfinished.values()):
            event = self._owed(seat, asset, problem, hint)
            self._finish(seat, event)
            owed.append(event)
        owed += list(self._owed_checks(seat, problem))
        self._close(seat)
        return owed

    def _close(self, seat: Seat) -> None:
        if not seat.ended:
            self._open -= 1
        seat.running, seat.ended = False, True

    def _owed(self, seat: Seat, asset: Asset, problem: str | None, hint: str | None) -> Event:
        fault = self._fault_above(asset)
        if fault is not None and asset.key not in seat.started:
            return Skipped(asset.key, fault.text)
        kind = seat.planned.invocation.integration.kind
        if problem is None:
            return Failed(
                asset.key,
                f"{kind} ended without saying what became of {asset.key}.",
                hint="Look at the log of the run; this may be a fault of the integration.",
            )
        if asset.key in seat.started or not seat.started:
            return Failed(asset.key, problem, hint=hint, retryable=True)
        return Skipped(asset.key, f"the {kind} invocation broke before its turn")

    def _owed_checks(self, seat: Seat, problem: str | None) -> Iterator[Event]:
        for ref in tuple(seat.unchecked):
            del seat.unchecked[ref]
            check = next(check for check in self._graph[ref.key].checks if check.name == ref.check)
            message = problem or "The tool ended without reporting this check."
            event = Checked(ref.key, ref.check, False, "warn" if check.severity == "warn" else "error", message)
            self._decide(
                ref,
                Fault(ref.key, f"check {ref.check} of {ref.key} was not run") if check.severity == "error" else None,
            )
            yield event

    def abandon(self, because: str) -> list[Event]:
        """End everything that has not started, as when the run is cancelled; return the events that follow."""
        events: list[Event] = []
        for seat in self._seats.values():
            if seat.running or seat.ended:
                continue
            for key in tuple(seat.unfinished):
                event = Skipped(key, because)
                self._finish(seat, event, Fault(key, because))
                events.append(event)
            seat.unchecked.clear()
            self._close(seat)
        self._ready.clear()
        return events


def _stray(event: Event, again: bool) -> str:
    key = getattr(event, "key", None)
    if again:
        return f"The tool reported a second end for {key} ({event.name}); the first one counts."
    return f"The tool reported {event.name} for {key}, which was not asked of it; ignored."
