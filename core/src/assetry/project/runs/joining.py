"""Orders of which other runs are making some: the rest is made, and what they make is taken as it comes out.

What another run makes, and what is made from that, is leased by nothing here while it is waited for. So two runs that
join each other never wait for each other in a circle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assetry.errors import ConflictError, OutdatedPlanError, UsageError
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.dependents import dependents
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan
from assetry.plan.scope import Wants
from assetry.project.runs.order import Manner, Order, request_of
from assetry.project.runs.queueing import Queued
from assetry.project.runs.runner import Runner
from assetry.run.leases.lease import shared_parts, wanted_leases
from assetry.run.result import RunResult, new_run
from assetry.types.events import TERMINAL, Checked, Failed, Ranged, Skipped
from assetry.types.keys import AssetKey
from assetry.types.leases import HeldLease
from assetry.types.records import WELL, Attempt, EventRecord, RunState

if TYPE_CHECKING:
    from assetry.run.retry import Attempts

#: An asset, and the partition of it; None for all of it.
Place = tuple[AssetKey, str | None]
#: Partitions of assets, `WHOLE` for one without any.
Some = Mapping[AssetKey, Parts]


class Joining:
    """One order carried out beside those who make some of it."""

    def __init__(self, runner: Runner, manner: Manner) -> None:
        self._runner = runner
        self._manner = manner
        self._own: list[RunResult] = []
        self._outcomes: dict[Place, Attempt] = {}
        self._joined: dict[str, None] = {}
        self._counts: Counter[str] = Counter()
        self._cancelled = False

    def result(self, order: Order, conflict: ConflictError) -> RunResult:
        """Carry out an order of which others hold some, and return how all of it came out."""
        self._split(order, conflict.held)
        return self._merged(order.plan)

    def _make(self, order: Order | None) -> None:
        """Make all of an order, or wait for what of it others make."""
        while order is not None and order.plan.invocations and not self._cancelled:
            try:
                result = self._runner.run(order.plan, request_of(order, self._manner))
            except OutdatedPlanError:
                order = _narrowed(order, order.plan.wants)
            except ConflictError as conflict:
                self._split(order, conflict.held)
                return
            else:
                self._own.append(result)
                self._outcomes.update(result.outcomes)
                self._counts.update(result.counts)
                self._cancelled = self._cancelled or result.run.state == "cancelled"
                return

    def _split(self, order: Order, held: Collection[HeldLease]) -> None:
        """Make what others do not hold, nor what is made from that; take theirs; then make what is made from it."""
        plan, wants = order.plan, order.plan.wants
        theirs, late = self._theirs(plan, held)
        taken = _united(theirs.values())
        below = {**self._below(plan, wants, {**taken, **late}), **{key: wants[key] and late[key] for key in late}}
        self._make(_narrowed(order, _without(wants, taken, below)))
        for run, own in theirs.items():
            if not self._cancelled:
                self._join(plan, run, own, {each.key for each in held if each.run == run})
        if self._cancelled or not below:
            return
        bad = {key: parts for key in wants if (parts := self._bad(plan, key))}
        lost = self._below(plan, below, bad)
        self._skip(plan, lost, bad)
        self._make(_narrowed(order, _without(below, lost)))

    def _theirs(self, plan: Plan, held: Collection[HeldLease]) -> tuple[dict[str, Some], dict[AssetKey, Parts]]:
        """Return what is taken of each run that holds some, and what is made here once they have ended.

        That is what they make from other data than it would be made from here, because something above it is made here;
        and what a tool cannot make without what they hold.
        """
        runs = dict.fromkeys(each.run for each in held)
        theirs: dict[str, Some] = {run: shared_parts(plan, self._runner.graph, held, run) for run in runs}
        taken = _united(theirs.values())
        late = _whole_with(plan, taken)
        own = _without(plan.wants, taken, self._below(plan, plan.wants, {**taken, **late}))
        mine = {key: parts or WHOLE for key, parts in own.items()}
        again = self._below(plan, _within(plan.wants, taken), mine)
        for run, parts in theirs.items():
            left = {key: each - (again[key] or WHOLE) if key in again else each for key, each in parts.items()}
            theirs[run] = {key: each for key, each in left.items() if each}
        return theirs, {**late, **{key: parts or WHOLE for key, parts in again.items()}}

    def _below(self, plan: Plan, wants: Wants, parts: Some) -> Wants:
        return dependents(self._runner.graph, wants, parts, self._numbering(plan))

    def _numbering(self, plan: Plan) -> Numbering:
        return Numbering(self._runner.graph, plan.definitions, plan.now)

    # -- what others make ----------------------------------------------------------------------------------------

    def _join(self, plan: Plan, run: str, own: Some, held: Collection[AssetKey]) -> None:
        """Wait until a run has ended that makes some of what is wanted, and take how `own` of that came out."""
        store = self._runner.services.store
        wanted = {key: parts for key, parts in wanted_leases(plan, self._runner.graph).items() if key in held}
        queued = Queued(store, new_run(tuple(wanted), self._manner.options), self._manner.on_note)
        try:
            if not queued.wait(wanted, frozenset([run])):
                self._cancelled = True
                return
        finally:
            queued.leave()
        if not own:
            return
        attempts = store.run_attempts(run)
        self._joined[run] = None
        places = set(self._places(plan, {key: parts for key, parts in own.items() if key in plan.wants}))
        for place in places:
            came_out = _came_out(place, run, attempts)
            self._outcomes[place] = came_out
            self._counts["joined" if came_out.outcome in WELL else "failed"] += 1
        self._tell(run, places, self._numbering(plan))

    def _tell(self, run: str, places: Collection[Place], numbering: Numbering) -> None:
        """Tell what became of places in another run, as that has recorded it, and of those it did not come to."""
        on_event = self._manner.on_event
        if on_event is None:
            return
        told = set()
        for record in self._runner.services.store.events(run):
            if isinstance(record.event, (*TERMINAL, Checked)):
                for event in _one_by_one(record.event, numbering):
                    if (event.key, event.partition) in places:
                        told.add((event.key, event.partition))
                        on_event(replace(record, event=event))
        for place in places:
            came_out = self._outcomes[place]
            if place not in told and came_out.outcome not in WELL:
                failed = Failed(place[0], came_out.message or "", partition=place[1])
                on_event(EventRecord(at=came_out.at, run=run, event=failed))

    def _places(self, plan: Plan, parts: Some) -> Iterator[Place]:
        numbering = self._numbering(plan)
        for key, own in parts.items():
            names: Iterable[str | None] = numbering.keys_of(key, own) if numbering.definition(key) else (None,)
            yield from ((key, name) for name in names)

    # -- what cannot be made ---------------------------------------------------------------------------------------

    def _bad(self, plan: Plan, key: AssetKey) -> Parts:
        """Return what of an asset was to be made until now and did not come out well."""
        definition = self._numbering(plan).definition(key)
        bad = [part for (asset, part), each in self._outcomes.items() if asset == key and each.outcome not in WELL]
        if definition is None or None in bad:
            return WHOLE if definition is None and bad else (plan.parts.get(key, NOTHING) if bad else NOTHING)
        return definition.parts_of([part for part in bad if part is not None])

    def _skip(self, plan: Plan, lost: Wants, bad: Some) -> None:
        """Record for the result what is not made, because something that it is made from was not."""
        first = next(iter(bad), None)
        run = next(reversed(self._joined), "")
        for place in self._places(plan, {key: parts or WHOLE for key, parts in lost.items()}):
            because = f"{first} was not made" + (f" in run {run}" if run else "")
            at = datetime.now(UTC)
            skipped = Attempt(
                key=place[0], partition=place[1], run=run, at=at, outcome="skipped", message=because, because=first
            )
            self._outcomes[place] = skipped
            self._counts["skipped"] += 1
            if self._manner.on_event is not None:
                event = Skipped(place[0], because, first, partition=place[1])
                self._manner.on_event(EventRecord(at=at, run=run, event=event))

    # -- all of it -------------------------------------------------------------------------------------------------

    def _merged(self, plan: Plan) -> RunResult:
        """Return how everything came out, as one result: of the last run of our own, or else of the last one joined."""
        fine = all(each.ok for each in self._own) and all(each.outcome in WELL for each in self._outcomes.values())
        state: RunState = "cancelled" if self._cancelled else "succeeded" if fine else "failed"
        infos = [each.run for each in self._own]
        if not infos:
            known = (self._runner.services.store.run(run) for run in self._joined)
            infos = [run for run in known if run is not None] or [new_run((), self._manner.options)]
        started, now = min(each.started for each in infos), datetime.now(UTC)
        info = replace(infos[-1], state=state, started=started, finished=now, assets=tuple(plan.wants))
        problems = tuple(problem for each in self._own for problem in each.problems)
        recorded = self._runner.recorded
        joined = tuple(self._joined)
        return RunResult(info, dict(self._counts), self._outcomes, problems, self._runner.load, recorded, joined)


def _one_by_one(event: Ranged | Checked, numbering: Numbering) -> Sequence[Ranged | Checked]:
    """Return an event of a range of partitions as one of each: not all of them need be wanted here."""
    if isinstance(event, Ranged):
        with suppress(UsageError):  # it is of partitions that are not known here
            return numbering.one_by_one(event)
    return (event,)


def _narrowed(order: Order, wants: Wants) -> Order | None:
    """Return the order of some wants; None of none."""
    assert order.narrowed is not None, "an order that is joined can be narrowed"
    return order.narrowed(wants) if wants else None


def _whole_with(plan: Plan, held: Some) -> dict[AssetKey, Parts]:
    """Return what is not held itself, and whose tool cannot leave out what is."""
    late: dict[AssetKey, Parts] = {}
    for planned in plan.invocations:
        invocation = planned.invocation
        if invocation.group is not None and invocation.group.whole:
            members = {asset.key for asset in (*invocation.assets, *invocation.also)}
            if members & held.keys():
                made = (asset.key for asset in invocation.assets if asset.key not in held)
                late.update((key, plan.parts.get(key, WHOLE)) for key in made)
    return late


def _united(some: Iterable[Some]) -> dict[AssetKey, Parts]:
    united: dict[AssetKey, Parts] = {}
    for each in some:
        for key, parts in each.items():
            united[key] = united.get(key, NOTHING) | parts
    return united


def _within(wants: Wants, parts: Some) -> Wants:
    """Return what is wanted of `parts`."""
    return {key: own if own is None else own & parts[key] for key, own in wants.items() if key in parts}


def _without(wants: Wants, *others: Mapping[AssetKey, Parts | None]) -> Wants:
    """Return what is wanted, without what is in others; one without partitions goes as a whole."""
    left: dict[AssetKey, Parts | None] = dict(wants)
    for other in others:
        for key, parts in other.items():
            own = left.get(key)
            if own is None or parts is None or not own - parts:
                left.pop(key, None)
            else:
                left[key] = own - parts
    return left


def _came_out(place: Place, run: str, attempts: Attempts) -> Attempt:
    """Return how a run has left what it was to make."""
    found, whole = attempts.get(place), attempts.get((place[0], None))
    if whole is not None and whole.outcome not in WELL:
        found = replace(whole, partition=place[1])
    if found is not None and found.outcome in WELL:
        return found
    said = f": {found.message}" if found is not None and found.message else ""
    message = f"run {run} was to make it, and did not{said}"
    at = datetime.now(UTC) if found is None else found.at
    return Attempt(key=place[0], partition=place[1], run=run, at=at, outcome="failed", message=message)
