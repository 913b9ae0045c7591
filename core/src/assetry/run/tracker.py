"""The tracker of a run: which assets are open, made, failed or skipped, and which invocations may start.

Decisions only: the tracker does nothing itself. It is told what happened (`started`, `ended`, `checked`, …) and answers
with what follows: the events that the tool forgot, the assets that can no longer be made, the invocations that are
ready. An asset counts for those outside its invocation as soon as it is made and the checks that gate it have passed,
whatever the rest of its invocation does: that is what lets results stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Reversible
from dataclasses import replace

from assetry.graph.graph import AssetGraph
from assetry.plan.plan import Plan, PlannedInvocation
from assetry.run.tracked import Blocker, Interruption, Launch, Tracked, stray, tracked_of
from assetry.types.assets import Asset, Severity
from assetry.types.events import Checked, Event, Failed, Log, Materialized, Progress, Skipped, Started
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey


class Tracker:
    """The assets of a plan, followed from open to settled."""

    def __init__(self, plan: Plan, graph: AssetGraph) -> None:
        self._graph = graph
        self._tracked = {planned.invocation.id: tracked_of(planned) for planned in plan.invocations}
        self._home: dict[AssetKey, str] = {}
        for id_, tracked in self._tracked.items():
            self._home.update(dict.fromkeys((*tracked.unfinished, *tracked.along), id_))
        self._gates = plan.gates
        self._through = plan.through
        self._gated_by: dict[CheckRef, list[AssetKey]] = {}
        for key, refs in plan.gates.items():
            for ref in refs:
                self._gated_by.setdefault(ref, []).append(key)
        self._checked_in = {ref: id_ for id_, tracked in self._tracked.items() for ref in tracked.unchecked}
        checked = dict.fromkeys(ref.key for ref in self._checked_in)
        self._checks = {CheckRef(key, check.name): check for key in checked for check in graph[key].checks}
        self._reads = {ref: self._read_by(ref) for ref in self._checked_in}
        self._readers: dict[AssetKey, list[tuple[str, CheckRef]]] = {}
        for ref, id_ in self._checked_in.items():
            for key in self._reads[ref]:
                self._readers.setdefault(key, []).append((id_, ref))
        self._made: set[AssetKey] = set()
        self._blockers: dict[AssetKey, Blocker] = {}
        self._waiting: dict[AssetKey | CheckRef, list[str]] = {}
        self._ready: dict[str, PlannedInvocation] = {}
        self._open = len(self._tracked)
        for id_, tracked in self._tracked.items():
            self._take_place(id_, tracked)

    def _take_place(self, id_: str, tracked: Tracked) -> None:
        """Note what an invocation has to wait for: assets made elsewhere, and the checks that gate them."""
        invocation = tracked.planned.invocation
        inputs = {key for asset in (*invocation.assets, *invocation.also) for key in self._inputs(asset)}
        for key in inputs:
            if self._home.get(key) == id_:
                continue  # a tool orders its own members, and heeds their checks, by itself
            # A check that is run by the invocation itself is its tool's to heed.
            gates = (ref for ref in self._gates.get(key, ()) if self._checked_in.get(ref, id_) != id_)
            tracked.waits.update(gates)
        # What a check reads, it takes as it is: it does not wait for other checks.
        inputs |= {key for ref in invocation.checks for key in self._reads[ref]}
        tracked.waits.update(key for key in inputs if self._home.get(key, id_) != id_)
        for wanted in tracked.waits:
            self._waiting.setdefault(wanted, []).append(id_)
        if not tracked.waits:
            self._ready[id_] = tracked.planned

    def _inputs(self, asset: Asset) -> tuple[AssetKey, ...]:
        """Return what an asset is made from: its inputs, and those behind views that are not in the plan."""
        return (*(self._own(dep.key) for dep in asset.deps), *self._through.get(asset.key, ()))

    def _own(self, key: AssetKey) -> AssetKey:
        """Return the key under which the graph knows an asset."""
        return self._graph[key].key if key not in self._home and key in self._graph else key

    def _read_by(self, ref: CheckRef) -> tuple[AssetKey, ...]:
        """Return the planned assets that a check reads."""
        return tuple(key for key in (ref.key, *map(self._own, self._checks[ref].also)) if key in self._home)

    # -- what may start ------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Tell whether nothing is running and nothing can start."""
        return self._open == 0

    def ready(self) -> Reversible[PlannedInvocation]:
        """Return the invocations that wait for nothing, in the order of becoming so; the view follows the tracker."""
        return self._ready.values()

    def launch(self, id_: str) -> Launch:
        """Take an invocation that is ready; leave out what can no longer be made, and say so.

        The launch's invocation is None when nothing of it is left.
        """
        del self._ready[id_]
        tracked = self._tracked[id_]
        launch = self._launch(tracked)
        if launch.invocation is None:
            self._close(tracked)
        else:
            tracked.running = True
        return launch

    def again(self, id_: str) -> Launch:
        """Return what is to be done by a second call of an invocation: whatever has no end yet.

        The launch's invocation is None when nothing of it is left.
        """
        tracked = self._tracked[id_]
        tracked.held.clear()
        tracked.spoilt = None
        return self._launch(tracked)

    def _launch(self, tracked: Tracked) -> Launch:
        lost = self._lose_below_blockers(tracked)
        for ref in tuple(tracked.unchecked):
            if any(key in self._blockers and key not in self._made for key in self._reads[ref]):
                self._void(tracked, ref)
        return Launch(tracked.left(), tuple(lost))

    def _lose_below_blockers(self, tracked: Tracked) -> list[Event]:
        """Skip the members that have a blocker above them."""
        planned = tracked.planned.invocation
        lost: list[Event] = []
        first: Blocker | None = None
        for asset in (*planned.assets, *planned.also):
            blocker = self._blocker_above(asset)
            if blocker is not None:
                first = first or blocker
                lost += self._lose(tracked, asset.key, blocker)
        if first is not None and planned.group is not None and planned.group.whole:
            # A tool that cannot leave anything out would build the lost ones on top of what failed.
            for key in (*tracked.unfinished, *tracked.along):
                lost += self._lose(tracked, key, first)
        return lost

    def _blocker_above(self, asset: Asset) -> Blocker | None:
        return next((self._blockers[key] for key in self._inputs(asset) if key in self._blockers), None)

    def _lose(self, tracked: Tracked, key: AssetKey, blocker: Blocker) -> list[Event]:
        """Skip a member because of a blocker; what only came along goes without a word."""
        if key in tracked.along:
            self._settle(tracked, key, blocker)
            return []
        return self._finish(tracked, Skipped(key, blocker.text), blocker)

    # -- what happened -------------------------------------------------------------------------------------------

    def take(self, id_: str, event: Event) -> list[Event]:
        """Take what a tool reported; return the events that are to be recorded, this one among them or not."""
        tracked = self._tracked[id_]
        key: AssetKey | None = getattr(event, "key", None)
        if key is None:
            return [event]
        if key not in self._home:
            if key not in self._graph:
                return [Log(stray(event, False), "warning")]
            if self._graph[key].key != key:
                event = replace(event, key=self._graph[key].key)  # type: ignore[call-arg]
        if tracked.holds(event):
            return []
        if isinstance(event, (Checked, Materialized, Failed, Skipped)):
            return self._take_outcome(id_, tracked, event)
        if isinstance(event, Started):
            tracked.tells_starts = True
            return self._take_start(id_, tracked, event)
        if isinstance(event, Progress) and event.key in tracked.unfinished and event.key not in tracked.started:
            tracked.started.add(event.key)
            return [Started(event.key), event]
        tracked.mentioned.add(event.key)  # type: ignore[attr-defined]
        return [event]

    def _take_outcome(
        self, id_: str, tracked: Tracked, event: Checked | Materialized | Failed | Skipped
    ) -> list[Event]:
        if isinstance(event, Checked):
            return self._take_check(tracked, event)
        if event.key not in tracked.started:
            tracked.unannounced = True
            tracked.mentioned.add(event.key)
        if not isinstance(event, Materialized) and self._home.get(event.key) == id_:
            tracked.spoilt = tracked.spoilt or self._blocker_of(event)
        return self._take_end(id_, tracked, event)

    def _take_start(self, id_: str, tracked: Tracked, event: Started) -> list[Event]:
        first = event.key not in tracked.started or event.key in tracked.parts
        if event.key in tracked.unfinished or event.key in tracked.along:
            tracked.started.add(event.key)
            return [event] if first else []
        if self._home.get(event.key) == id_:
            return []
        return [Log(stray(event, False), "warning", event.key)]

    def _take_end(self, id_: str, tracked: Tracked, event: Materialized | Failed | Skipped) -> list[Event]:
        key = event.key
        if key in tracked.along:
            # What reads it was waiting for that, too.
            self._settle(tracked, key, None if isinstance(event, Materialized) else self._blocker_of(event))
            return [event]
        parts = tracked.parts.get(key)
        if isinstance(event, Failed) and key in self._made and self._home[key] == id_:
            return self._take_back(tracked, event)
        if key not in tracked.unfinished or (parts and event.partition is not None and event.partition not in parts):
            again = self._home.get(key) == id_ and key not in tracked.unfinished
            return [Log(stray(event, again), "warning", key)]
        return self._finish(tracked, event)

    def _take_back(self, tracked: Tracked, event: Failed) -> list[Event]:
        """Take a failure of what was reported as made: what has not begun is not made from it."""
        self._made.discard(event.key)
        self._blockers.setdefault(event.key, self._blocker_of(event))
        self._void_checks_of(event.key)
        parted = self._graph[event.key].partitions_def is not None and event.partition is None
        parts = tracked.planned.invocation.partitions if parted else ()
        return [replace(event, partition=each) for each in parts or (event.partition,)]

    def _take_check(self, tracked: Tracked, event: Checked) -> list[Event]:
        ref = CheckRef(event.key, event.check)
        parts = tracked.planned.invocation.partitions
        if not event.stops and event.metadata.get("partition") in parts[:-1]:
            tracked.passing.add(ref)
            return [event]
        tracked.unchecked.pop(ref, None)
        self._decide(ref, Blocker(event.key, f"check {event.check} of {event.key} failed") if event.stops else None)
        return [event]

    def _finish(
        self, tracked: Tracked, event: Materialized | Failed | Skipped, blocker: Blocker | None = None
    ) -> list[Event]:
        """Note the end of a member, or of a partition of it; an end without a partition is that of all that are left.

        Return the events to record.
        """
        key = event.key
        if isinstance(event, Failed):
            self._blockers.pop(key, None)  # nearer than that a check of it failed before
        if not isinstance(event, Materialized):
            blocker = blocker or self._blocker_of(event)
            if isinstance(event, Skipped) and blocker.root != key:
                event = replace(event, root=blocker.root)
        events: list[Event] = [event]
        parts = tracked.parts.get(key)
        if parts:
            ended = tuple(parts) if event.partition is None else (event.partition,)
            events = [replace(event, partition=each) for each in ended]
            for each in ended:
                del parts[each]
            if blocker is not None:
                tracked.marred.setdefault(key, blocker)
            if parts:
                return events
        self._settle(tracked, key, tracked.marred.pop(key, blocker))
        return events

    def _settle(self, tracked: Tracked, key: AssetKey, blocker: Blocker | None) -> None:
        """Note that a member, or what comes along, has ended."""
        for open_ in (tracked.unfinished, tracked.along, tracked.parts):
            open_.pop(key, None)
        if blocker is None:
            self._made.add(key)
        else:
            self._blockers.setdefault(key, blocker)
            self._void_checks_of(key)
        self._release(key)

    def _blocker_of(self, event: Failed | Skipped) -> Blocker:
        """Return what blocks those below a failed or skipped asset: itself, or what the tool skipped it for."""
        if isinstance(event, Failed):
            return Blocker(event.key, f"{event.key} failed")
        why = f": {event.because}" if event.because else ""
        return self._blocker_above(self._graph[event.key]) or Blocker(event.key, f"{event.key} was skipped{why}")

    def _void_checks_of(self, key: AssetKey) -> None:
        """Drop the checks that can say nothing any more because one of their inputs was not made."""
        for id_, ref in self._readers.pop(key, ()):
            if ref in self._tracked[id_].unchecked:
                self._void(self._tracked[id_], ref)

    def _void(self, tracked: Tracked, ref: CheckRef) -> None:
        tracked.unchecked.pop(ref, None)
        self._decide(ref, None)

    def _decide(self, ref: CheckRef, blocker: Blocker | None) -> None:
        """Note how a check came out for the assets that it gates."""
        if blocker is not None:
            for key in self._gated_by.get(ref, ()):
                self._blockers.setdefault(key, blocker)
        self._release(ref)

    def _release(self, what: AssetKey | CheckRef) -> None:
        """Make ready the invocations that only waited for something which has now ended, well or badly."""
        for id_ in self._waiting.pop(what, ()):
            tracked = self._tracked[id_]
            tracked.waits.discard(what)
            if not tracked.waits and not tracked.ended:
                self._ready[id_] = tracked.planned

    def end(self, id_: str, problem: Interruption | None = None) -> list[Event]:
        """Take the end of an invocation; `problem` says what broke it off. Return the events that its tool owes."""
        tracked = self._tracked[id_]
        owed: list[Event] = []
        if tracked.atomic:
            owed += self._end_atomic(id_, tracked, problem)
        unclear = tracked.unclear()
        cut = Blocker(None, problem.rest) if problem is not None and problem.rest else None
        for asset in tuple(tracked.unfinished.values()):
            blocker = cut if asset.key in tracked.started else self._blocker_above(asset) or cut
            owed += self._finish(tracked, self._owed(tracked, asset, problem, unclear), blocker)
        for key in tuple(tracked.along):
            self._settle(tracked, key, Blocker(key, f"{key} was not made: {problem.message}") if problem else None)
        owed += list(self._owed_checks(tracked, problem))
        self._close(tracked)
        return owed

    def _end_atomic(self, id_: str, tracked: Tracked, problem: Interruption | None) -> list[Event]:
        """Let count what was held when all went well; else skip what had only been reported, because of the root."""
        reported = tracked.reported()
        held, tracked.held = tracked.held, []
        if problem is None and tracked.spoilt is None and len(reported) == len(tracked.unfinished):
            return [each for event in held for each in self._take_outcome(id_, tracked, event)]
        if problem is not None and problem.rest:
            return []  # all of it was under way when the run was stopped
        owed: list[Event] = []
        unclear = tracked.unclear()
        for asset in () if tracked.spoilt else tuple(tracked.unfinished.values()):
            event = None if asset.key in reported else self._owed(tracked, asset, problem, unclear)
            if isinstance(event, Failed):
                owed += self._finish(tracked, event)
                tracked.spoilt = tracked.spoilt or self._blocker_of(event)
        root = tracked.spoilt
        if root is not None:
            kind = tracked.planned.invocation.integration.kind
            for key in tuple(tracked.unfinished):
                because = f"{root.text}, and {kind} makes all of an invocation or nothing"
                owed += self._finish(tracked, Skipped(key, because, root.root), root)
            for key in tuple(tracked.along):
                self._settle(tracked, key, root)
        # What else was checked holds: it is of what others have made.
        checks = (event for event in held if isinstance(event, Checked))
        owed += [
            each
            for event in checks
            if CheckRef(event.key, event.check) in tracked.unchecked
            for each in self._take_check(tracked, event)
        ]
        return owed

    def _close(self, tracked: Tracked) -> None:
        if not tracked.ended:
            self._open -= 1
        tracked.running, tracked.ended = False, True

    def _owed(self, tracked: Tracked, asset: Asset, problem: Interruption | None, unclear: bool) -> Failed | Skipped:
        begun = asset.key in tracked.started
        blocker = self._blocker_above(asset)
        if blocker is not None and not begun:
            return Skipped(asset.key, blocker.text)
        kind = tracked.planned.invocation.integration.kind
        if problem is None:
            return Failed(
                asset.key,
                f"{kind} ended without saying what became of {asset.key}.",
                hint="Look at the log of the run; this may be a fault of the integration.",
            )
        begun = tracked.begun(asset.key)
        # A tool that does not say what it begins may have begun any of the rest.
        if problem.rest and (begun or (unclear and tracked.unannounced)):
            return Skipped(asset.key, f"{problem.rest} while it was being made", cancelled=True)
        if begun or (unclear and not problem.rest):
            return Failed(asset.key, problem.message, hint=problem.hint, retryable=True)
        return Skipped(asset.key, problem.rest or f"the {kind} invocation broke before it began")

    def _owed_checks(self, tracked: Tracked, problem: Interruption | None) -> Iterator[Event]:
        for ref in tuple(tracked.unchecked):
            if ref in tracked.passing and problem is None:
                self._void(tracked, ref)
                continue
            del tracked.unchecked[ref]
            severity: Severity = "warn" if self._checks[ref].severity == "warn" else "error"
            message = problem.message if problem else "The tool ended without reporting this check."
            blocker = Blocker(ref.key, f"check {ref.check} of {ref.key} was not run") if severity == "error" else None
            self._decide(ref, blocker)
            cancelled = problem is not None and problem.rest is not None
            yield Checked(ref.key, ref.check, False, severity, message, cancelled=cancelled)

    def abandon(self, because: str) -> list[Event]:
        """End everything that has not started, as when the run is cancelled; return the events that follow."""
        events: list[Event] = []
        for tracked in self._tracked.values():
            if tracked.running or tracked.ended:
                continue
            for key in tuple(tracked.unfinished):
                events += self._finish(tracked, Skipped(key, because), Blocker(None, because))
            tracked.along.clear()
            tracked.unchecked.clear()
            self._close(tracked)
        self._ready.clear()
        return events
