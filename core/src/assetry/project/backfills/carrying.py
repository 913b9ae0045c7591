"""Backfills, carried out: chunk after chunk, each a run, until nothing is left or it was called off.

Nothing is kept of how far it is: that follows from the records, each time. So a process that is killed, or several that
carry out backfills of the same partitions, lose nothing and make nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from assetry.errors import AssetryError, ConflictError, LeaseLostError, UsageError
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan
from assetry.project.ask import Ask
from assetry.project.backfills.asked import BackfillOrder, wants_from_json, wants_to_json
from assetry.project.backfills.chunks import ChunkRequest, middle_of, next_chunk
from assetry.project.backfills.needed import seconds_of
from assetry.project.runs.runner import Runner
from assetry.project.wants import Wanted
from assetry.run.interrupts import Interrupts
from assetry.run.leases.heartbeat import Heartbeat
from assetry.run.leases.lease import made_since, shared_with
from assetry.run.result import RunRequest, new_run
from assetry.status.backfill import Backfill, BackfillState, Standing, size
from assetry.status.staleness import Judgement, known_definitions
from assetry.types.events import TERMINAL, Failed, Skipped
from assetry.types.keys import AssetKey
from assetry.types.leases import HeldLease
from assetry.types.protocols import Store
from assetry.types.records import BackfillRecord, EventRecord

if TYPE_CHECKING:
    from assetry.plan.scope import Wants

#: Seconds between two looks at what others make: at first, and at most; and between two words of progress.
FIRST, MOST, TELLING = 0.1, 1.0, 0.5
OnProgress = Callable[[Backfill], None]


@dataclass(frozen=True, slots=True)
class BackfillTools:
    """What backfills are carried out with: the project's graph and records, its plans, and what runs them."""

    graph: AssetGraph
    store: Store
    runner: Runner
    judged: Callable[[datetime], Judgement]
    plan: Callable[[Wanted, Ask, Judgement, datetime], Plan]
    slots: int

    def standing(self, record: BackfillRecord) -> tuple[Standing, tuple[str, ...]]:
        """Return how far a backfill is, as the records tell it, and what has changed since it was asked for."""
        order, now = BackfillOrder.of(record), datetime.now(UTC)
        definitions = known_definitions(self.judged(now).statuses)
        found = wants_from_json(order.wants, order.grids, self.graph, definitions)
        standing = Standing(found.wants, Numbering(self.graph, found.definitions, now), order.ask.retries)
        for run in reversed(self.store.runs(backfill=record.id)):
            if run.state != "running" and run.id not in order.resumed:
                standing.tried(run.id, self.store.run_attempts(run.id).values())
        given_up = {} if record.state == "open" else order.given_up
        if given_up:  # what runs have said of it may be pruned by now
            standing.gave_up(wants_from_json(given_up, order.grids, self.graph, definitions).wants, order.failures)
        made_after(self.store, standing, order.revision, record.at)
        gone = (f"{key}: {said}" for key, said in found.gone.items())
        return standing, (*gone, *_code_notes(self.graph, order, found.wants))

    def ended(self, record: BackfillRecord, standing: Standing | None = None) -> BackfillOrder:
        """Return the order of a backfill with how far it is, to be kept when it ends."""
        standing = standing or self.standing(record)[0]
        counts, order = standing.told(self.graph), BackfillOrder.of(record)
        failed = wants_to_json(standing.given_up, standing.numbering)
        told = standing.assets(), standing.sentences()
        return replace(order, counts=counts, assets=told[0], failures=told[1], given_up=failed)

    def told(
        self, record: BackfillRecord, known: tuple[Standing, tuple[str, ...]] | None = None, rate: float | None = None
    ) -> Backfill:
        """Return a backfill as it stands; `rate` is how many partitions are made in a second, where that is known."""
        order = BackfillOrder.of(record)
        found = Backfill(
            id=record.id,
            state=_state(self.store, record),
            at=record.at,
            name=order.name,
            by=order.by,
            why=order.ask.why,
            select=order.select,
            partition=order.partition,
            only_failed=order.limit is not None,
        )
        if record.state == "done" and order.counts is not None and known is None:
            ended: Mapping[str, Any] = order.counts
            return replace(found, **ended, assets=order.assets, failures=order.failures)
        # Of one that ended otherwise others may have made more since, or what ran when it was called off.
        standing, notes = known or self.standing(record)
        counts: Mapping[str, Any] = standing.told(self.graph)
        running = sum(map(len, self.held(standing).values()))
        eta = None
        if found.state == "running" and counts["left"]:
            if rate:
                seconds: float | None = counts["left"] / rate
            else:
                seconds = seconds_of(standing.left, middle_of(self.store.durations(standing.wants)), self.slots)
            eta = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
        return replace(
            found,
            state="done" if self.all_made(record, standing) else found.state,
            **counts,
            running=running,
            eta=eta,
            assets=standing.assets(),
            failures=standing.sentences(),
            notes=notes,
        )

    def all_made(self, record: BackfillRecord, standing: Standing) -> bool:
        """Tell whether a backfill ended with something left, and all of it was made since.

        Not where some of it cannot be made any more: that was not made.
        """
        counts = BackfillOrder.of(record).counts if record.state in ("cancelled", "failed") else None
        return counts is not None and not standing.left and size(standing.wants) == counts["wanted"]

    def held(self, standing: Standing, id_: str | None = None) -> dict[AssetKey, Parts]:
        """Return what is left and some living run is making; of a backfill `id_` also what those want who come first.

        So a run that waits for what one chunk makes comes before the next one.
        """
        left, held = standing.left, dict[AssetKey, Parts]()
        leases = list(self.store.leases())
        for waiting in () if id_ is None else takewhile(lambda each: each.run.id != id_, self.store.queue()):
            leases += (HeldLease(key, waiting.run.id, parts) for key, parts in waiting.wanted.items())
        for each in leases:
            if each.key not in left:
                continue
            own, definition = left[each.key], standing.numbering.definition(each.key)
            theirs = WHOLE if own is None or definition is None else shared_with(definition, own, each.parts)
            if theirs:
                held[each.key] = held.get(each.key, NOTHING) | theirs
        return held


def _state(store: Store, record: BackfillRecord) -> BackfillState:
    if record.state != "open":
        return record.state
    run = store.run(record.id)
    return "running" if run is not None and run.id == record.id else "queued"


def made_after(store: Store, standing: Standing, revision: str | None, at: datetime) -> str | None:
    """Let a standing learn what was made since a revision, or where that is not known any more, a moment."""
    found = store.changes(list(standing.wants), revision)
    if found is not None:
        standing.made(found.latest.values())
        return found.revision
    newest = store.changes(())
    standing.made(made for made in store.latest(list(standing.wants)).values() if made.at >= at)
    return None if newest is None else newest.revision


def _code_notes(graph: AssetGraph, order: BackfillOrder, wants: Wants) -> Iterator[str]:
    changed = [key for key in wants if str(key) in order.codes and graph[key].code_version != order.codes[str(key)]]
    if changed:
        what = f"{changed[0]} and {len(changed) - 1} more" if len(changed) > 1 else changed[0]
        yield f"the code of {what} has changed since it began: what is made from now on is by the new one"


class Carrying:
    """One backfill that this process carries out."""

    def __init__(
        self,
        tools: BackfillTools,
        record: BackfillRecord,
        on_event: Callable[[EventRecord], None] | None,
        on_progress: OnProgress | None,
    ) -> None:
        self._tools = tools
        self._record = record
        self._on_event = on_event
        self._on_progress = on_progress
        self._interrupts = Interrupts(lambda: None)
        self._began, self._done_before = time.monotonic(), 0
        self._seen, self._told_at = 0, 0.0
        self._lost: LeaseLostError | None = None

    def carry_out(self) -> Backfill:
        """Carry it out as far as that goes, and return how it stands then.

        Raises `ConflictError` when another process carries it out, and `LeaseLostError` when this one was taken for
        gone.
        """
        store, id_ = self._tools.store, self._record.id
        order = BackfillOrder.of(self._record)
        info = new_run((), {"backfill": id_}, id_)
        lease = store.enqueue(replace(info, state="queued", priority=order.priority), {})
        try:
            with self._interrupts.listening(True), Heartbeat(store, lease, self._lose):
                self._work()
        finally:
            with suppress(AssetryError):
                if any(each.run.id == id_ for each in store.queue()):
                    store.finish(id_, "cancelled", datetime.now(UTC))
        self._look()  # it may have been called off while its last run was stopped
        return self._tools.told(self._record)

    def _look(self) -> None:
        """Learn what was changed of it meanwhile."""
        found = next((each for each in self._tools.store.backfills() if each.id == self._record.id), None)
        if found is None:
            raise UsageError(f"The record of backfill {self._record.id} is gone.", hint="Ask for it again.")
        self._record = found

    def _lose(self, error: LeaseLostError) -> None:
        self._lost = error

    def _work(self) -> None:
        known = self._tools.standing(self._record)
        standing, since = known[0], BackfillOrder.of(self._record).revision
        self._done_before = size(standing.wants) - size(standing.left)
        pause = FIRST
        while self._goes_on():
            since = made_after(self._tools.store, standing, since, self._record.at)
            self._tell(known)
            order = BackfillOrder.of(self._record)
            theirs, most = self._tools.held(standing, self._record.id), order.ask.stop_after
            stops = most is not None and standing.failures >= most
            chunk = {} if stops else self._next(standing, theirs, order)
            if chunk:
                pause = FIRST
                if not self._run(chunk, since, order, known):
                    return
            elif theirs and not stops:
                time.sleep(pause)  # others are making all that is left, or come first
                pause = min(2 * pause, MOST)
            else:
                self._end(_state_after(standing, order), known)
                return

    def _goes_on(self) -> bool:
        """Tell whether it was neither interrupted nor called off."""
        if self._lost is not None:
            raise self._lost
        self._look()
        return self._record.state == "open" and not self._interrupts.count

    def _next(self, standing: Standing, theirs: Mapping[AssetKey, Parts], order: BackfillOrder) -> Wants:
        """Return what is to be made next: not what others are making or wait for, nor what is given up."""
        tools, ask, left = self._tools, order.ask, standing.left
        if order.limit is not None:
            known = standing.numbering.definitions_of(left)
            left = _both(left, wants_from_json(order.limit, order.grids, tools.graph, known).wants)
        off = {**theirs, **{key: parts | theirs.get(key, NOTHING) for key, parts in standing.given_up.items()}}
        request = ChunkRequest(
            seconds=middle_of(tools.store.durations(standing.wants)),
            slots=min(tools.slots, ask.at_once or tools.slots),
            most=ask.max_partitions,
            newest_first=ask.newest_first,
        )
        return next_chunk(tools.graph, left, _both(left, off), standing.numbering, request)

    def _run(
        self, chunk: Wants, since: str | None, order: BackfillOrder, known: tuple[Standing, tuple[str, ...]]
    ) -> bool:
        """Make a chunk, as one run; return whether it goes on after it.

        `since` is the revision up to which it is known what was made: what came after it is not to be made again.
        """
        tools, standing, now = self._tools, known[0], datetime.now(UTC)
        ask = Ask(stale=order.ask.only == "stale")
        wanted = Wanted(chunk, standing.numbering.definitions_of(chunk))
        plan = tools.plan(wanted, ask, tools.judged(now), now)
        plan = replace(plan, revision=since)
        options = {
            "select": list(order.select),
            "exclude": list(order.exclude),
            **ask.options(),
            "partition": list(order.partition),
            "backfill": self._record.id,
        }
        request = RunRequest(
            options,
            on_event=lambda record: self._hear(record, known),
            still=lambda: not made_since(plan, tools.graph, tools.store),
            priority=order.priority,
            at_once=order.ask.at_once,
        )
        self._seen = 0
        try:
            result = tools.runner.run(plan, request)
        except ConflictError:
            return True  # others were first: by what they have leased, or have made
        self._seen = 0
        before = size(standing.left), standing.tries.total()
        standing.tried(result.run.id, result.outcomes.values())
        if result.run.state == "cancelled":
            return False
        if before == (size(standing.left), standing.tries.total()):
            standing.nothing_said(chunk, f"run {result.run.id} did not say what became of it")
        return True

    # -- what is told ----------------------------------------------------------------------------------------------

    def _hear(self, record: EventRecord, known: tuple[Standing, tuple[str, ...]]) -> None:
        if self._on_event is not None:
            self._on_event(record)
        event = record.event
        if isinstance(event, TERMINAL) and not isinstance(event, Failed):
            self._seen += not isinstance(event, Skipped) or event.unchanged
        if self._on_progress is not None and time.monotonic() - self._told_at >= TELLING:
            self._tell(known)

    def _tell(self, known: tuple[Standing, tuple[str, ...]]) -> None:
        """Tell how it stands, with what was made in the chunk that is under way."""
        if self._on_progress is None:
            return
        done = size(known[0].wants) - size(known[0].left) - self._done_before + self._seen
        elapsed = time.monotonic() - self._began
        found = self._tools.told(self._record, known, done / elapsed if done and elapsed > 1 else None)
        more = min(self._seen, found.left)
        self._on_progress(replace(found, done=found.done + more, left=found.left - more))
        self._told_at = time.monotonic()

    def _end(self, state: str, known: tuple[Standing, tuple[str, ...]]) -> None:
        """Record that nothing more will be made now, unless it was called off just now."""
        order = replace(self._tools.ended(self._record, known[0]), limit=None, was=None)
        ended = order.on(self._record, state=state)
        if self._tools.store.change_backfill(ended, "open"):
            self._record = ended


def _state_after(standing: Standing, order: BackfillOrder) -> str:
    """Return how a backfill is when nothing more of it is made: what it was not asked for now is wanted still."""
    if not standing.left:
        return "done"
    if order.limit is None or standing.given_up:
        return "failed"
    return "cancelled" if order.was == "cancelled" else "open"


def _both(wants: Wants, other: Wants | Mapping[AssetKey, Parts]) -> Wants:
    """Return what is wanted and in another list, too."""
    found = {key: own if own is None else own & (other[key] or WHOLE) for key, own in wants.items() if key in other}
    return {key: own for key, own in found.items() if own is None or own}
