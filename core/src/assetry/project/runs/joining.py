"""Orders of which other runs are making some: the rest is made, and what they make is taken as it comes out.

All of it is one run, which makes in stages what it makes itself, and is over when what it joined has come out. What
another run makes, and what is made from that, is leased by nothing here while it is waited for. So two runs that join
each other never wait for each other in a circle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from assetry.errors import ConflictError, OutdatedPlanError, UsageError
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.dependents import dependents
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan
from assetry.plan.scope import Wants
from assetry.project.runs.order import Manner, Order, request_of
from assetry.project.runs.queueing import Queued
from assetry.project.runs.runner import Runner
from assetry.run.frames.stages import Stages
from assetry.run.interrupts import Interrupts
from assetry.run.leases.lease import shared_parts, wanted_leases
from assetry.run.result import RunResult, new_run
from assetry.types.events import TERMINAL, Checked, Event, Failed, Log, Ranged, Skipped
from assetry.types.keys import AssetKey
from assetry.types.leases import HeldLease
from assetry.types.records import WELL, Attempt, EventRecord

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
        self._run: Stages
        self._fine = True
        self._problems: list[str] = []
        self._outcomes: dict[Place, Attempt] = {}
        #: What is taken of each run, as it is kept with this one.
        self._joined: dict[str, Mapping[str, Any]] = {}
        self._counts: Counter[str] = Counter()
        self._cancelled = False

    def result(self, order: Order, conflict: ConflictError) -> RunResult:
        """Carry out an order of which others hold some, and return how all of it came out."""
        self._run = self._runner.stages(order.plan, request_of(order, self._manner))
        try:
            self._run.open(order.plan)
            self._split(order, conflict.held)
            return self._ended()
        except BaseException:
            self._run.give_up(self._counts)
            raise
        finally:
            self._run.leave()

    def _make(self, order: Order | None) -> None:
        """Make all of an order, or wait for what of it others make."""
        while order is not None and order.plan.invocations and not self._cancelled:
            try:
                result = self._runner.run(order.plan, request_of(order, self._manner), self._run)
            except OutdatedPlanError:
                order = _narrowed(order, order.plan.wants)
            except ConflictError as conflict:
                self._split(order, conflict.held)
                return
            else:
                self._outcomes.update(result.outcomes)
                self._counts.update(result.counts)
                self._problems += result.problems
                self._fine = self._fine and result.ok
                self._cancelled = self._cancelled or result.run.state == "cancelled"
                return

    def _split(self, order: Order, held: Collection[HeldLease]) -> None:
        """Make what others do not hold, nor what is made from that; take theirs; then make what is made from it."""
        plan, wants = order.plan, order.plan.wants
        theirs, late = self._theirs(plan, held)
        taken = _united(theirs.values())
        below = {**self._below(plan, wants, {**taken, **late}), **{key: wants[key] and late[key] for key in late}}
        self._keep(plan, theirs)
        self._make(_narrowed(order, _without(wants, taken, below)))
        for run, own in theirs.items():
            if not self._cancelled:
                self._join(plan, run, own, {each.key for each in held if each.run == run})
        if self._cancelled or not below:
            return
        bad = {key: parts for key in wants if (parts := self._bad(plan, key))}
        lost = self._below(plan, below, bad)
        if lost:
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
        if not self._wait(plan, run, held):
            self._cancelled = True
            self._run.record([Log(f"The run was cancelled while it waited for run {run}.", "warning")])
            return
        if not own:
            return
        attempts = self._runner.services.store.run_attempts(run)
        places = list(self._places(plan, {key: parts for key, parts in own.items() if key in plan.wants}))
        for place in places:
            came_out = _came_out(place, run, attempts)
            self._outcomes[place] = came_out
            self._counts["joined" if came_out.outcome in WELL else "failed"] += 1
        self._tell(run, places, plan)

    def _wait(self, plan: Plan, run: str, held: Collection[AssetKey]) -> bool:
        """Wait until a run has ended, of what is wanted and it holds; return False when that was called off."""
        store = self._runner.services.store
        wanted = {key: parts for key, parts in wanted_leases(plan, self._runner.graph).items() if key in held}
        options = {**self._manner.options, "waits_in": self._run.info.id}
        queued = Queued(store, new_run(tuple(wanted), options), self._say)
        try:
            # As its stages do, it takes a signal for its end, and does not go down by it without a word.
            interrupts = Interrupts(lambda: None)
            with self._run.waiting(), interrupts.listening(True):
                return queued.wait(wanted, frozenset([run]), lambda: bool(interrupts.count))
        finally:
            queued.leave()

    def _say(self, note: str) -> None:
        """Say for whom the run waits, and record it."""
        self._run.record([Log(note)], told=False)
        self._manner.on_note(note)

    def _tell(self, run: str, places: Sequence[Place], plan: Plan) -> None:
        """Record what became of places in another run; what that has recorded of those that went well is told."""
        numbering = self._numbering(plan)
        wanted, failures = set(places), dict[Place, Failed]()
        for record in self._runner.services.store.events(run):
            if isinstance(record.event, (*TERMINAL, Checked)):
                for event in _one_by_one(record.event, numbering):
                    place = event.key, event.partition
                    if isinstance(event, Failed):
                        failures[place] = event
                    if place in wanted and (isinstance(event, Checked) or self._outcomes[place].outcome in WELL):
                        self._pass_on(replace(record, event=event))
        made, failed = dict[AssetKey, list[str]](), list[Event]()
        for place in places:
            key, partition = place
            came_out = self._outcomes[place]
            if came_out.outcome in WELL:
                made.setdefault(key, []).extend(() if partition is None else (partition,))
            else:
                how = failures.get(place) or failures.get((key, None)) or Failed(key, "")
                failed.append(replace(how, message=came_out.message or "", partition=partition))
        self._run.record([*(_made(run, key, names, numbering) for key, names in made.items()), *failed])

    def _pass_on(self, record: EventRecord) -> None:
        """Tell of what another run has recorded."""
        if self._manner.on_event is not None:
            self._manner.on_event(record)

    def _keep(self, plan: Plan, theirs: Mapping[str, Some]) -> None:
        """Keep with the run what it takes of others: a retry does not make that again."""
        numbering = self._numbering(plan)
        for run, own in theirs.items():
            kept = dict(self._joined.get(run, {}))
            for key, parts in _within(plan.wants, own).items():
                definition = numbering.definition(key)
                kept[str(key)] = [*kept.get(str(key), ()), *(parts.to_json(definition) if parts and definition else ())]
            if kept:
                self._joined[run] = kept
        if self._joined:
            self._run.keep({"joined": self._joined})

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
        """Record what is not made, because something that it is made from was not."""
        roots: dict[AssetKey, AssetKey] = {}
        for cause, parts in bad.items():
            if len(roots) < len(lost):
                reached = self._below(plan, lost, {cause: parts})
                roots = {**dict.fromkeys(reached, cause), **roots}
        events, attempts = list[Event](), list[Attempt]()
        for key, partition in self._places(plan, {key: parts or WHOLE for key, parts in lost.items()}):
            root, because = self._cause(roots.get(key) or next(iter(bad)))
            how: Any = {"outcome": "skipped", "message": because, "because": root}
            skipped = Attempt(key=key, partition=partition, run=self._run.info.id, at=datetime.now(UTC), **how)
            self._outcomes[key, partition] = skipped
            self._counts["skipped"] += 1
            attempts.append(skipped)
            events.append(Skipped(key, because, root, partition=partition))
        leases = {key: own for key, own in wanted_leases(plan, self._runner.graph).items() if key in lost}
        self._run.record_skipped(events, attempts, leases)

    def _cause(self, key: AssetKey) -> tuple[AssetKey, str]:
        """Return where it begins that an asset was not made, and that in words, with the run that was to make it."""
        bad = next(each for (asset, _), each in self._outcomes.items() if asset == key and each.outcome not in WELL)
        root = bad.because or key
        return root, f"{root} was not made" + (f" in run {bad.run}" if bad.run != self._run.info.id else "")

    # -- all of it -------------------------------------------------------------------------------------------------

    def _ended(self) -> RunResult:
        """Record that all of it has come out, and return how, as one result."""
        fine = self._fine and all(each.outcome in WELL for each in self._outcomes.values())
        info = self._run.finish("cancelled" if self._cancelled else "succeeded" if fine else "failed", self._counts)
        how: Any = {"load": self._runner.load, "recorded": self._runner.recorded, "joined": tuple(self._joined)}
        return RunResult(info, dict(self._counts), self._outcomes, tuple(self._problems), **how)


def _made(run: str, key: AssetKey, names: Sequence[str], numbering: Numbering) -> Log:
    """Return what is recorded of an asset that another run has made, with these partitions."""
    definition = numbering.definition(key)
    parts = f": {definition.parts_of(names).text(definition)}" if definition is not None else ""
    return Log(f"made in run {run}{parts}", key=key)


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
