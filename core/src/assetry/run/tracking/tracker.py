"""The tracker of a run: which assets are open, made, failed or skipped, and which invocations may start.

Decisions only: the tracker does nothing itself. It is told what happened (`started`, `ended`, `checked`, …) and answers
with what follows: the events that the tool forgot, the assets that can no longer be made, the invocations that are
ready. An asset counts for those outside its invocation as soon as it is made and the checks that gate it have passed,
whatever the rest of its invocation does: that is what lets results stream.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Reversible
from dataclasses import replace

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan, PlannedInvocation
from assetry.plan.replan import replan
from assetry.run.tracking.cuts import Cuts, Same
from assetry.run.tracking.ends import Ends
from assetry.run.tracking.launching import Launching
from assetry.run.tracking.left import remainders, still_open
from assetry.run.tracking.owed import owed_end, unbegun
from assetry.run.tracking.seats import Seat, checks_of_all, seat_of, some
from assetry.run.tracking.stock import stocks_of
from assetry.run.tracking.tracked import Blocker, Interruption, Launch, Tracked, call_of, stray, tracked_of
from assetry.run.tracking.waiting import Waiting
from assetry.types.assets import Asset, Severity
from assetry.types.events import Checked, Event, Failed, Log, Materialized, Progress, Skipped, Started
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey


class Tracker:
    """The assets of a plan, and their partitions, followed from open to settled."""

    def __init__(self, plan: Plan, graph: AssetGraph) -> None:
        self._plan = plan
        self._graph = graph
        self._numbering = Numbering(graph, plan.definitions, plan.now)
        self._tracked: dict[str, Tracked] = {}
        self._seats: dict[str, Seat] = {}
        self._places: dict[str, Tracked | Seat] = {}
        #: Checks that judge all of an asset at once.
        self._of_all: set[CheckRef] = set()
        checked = dict.fromkeys(ref.key for each in plan.invocations for ref in each.invocation.checks)
        self._checks = {CheckRef(key, check.name): check for key in checked for check in graph[key].checks}
        self._take_places(plan)
        self._stocks = stocks_of(plan)
        #: The planned invocation of each call for some partitions.
        self._home: dict[str, str] = {}
        self._waiting = Waiting(plan, graph, self._numbering, self._places, self._stocks, self._checks, self._of_all)
        known = (self._tracked, self._seats, self._stocks)
        self._ends = Ends(plan, graph, self._numbering, *known, self._waiting)
        self._launching = Launching(self._numbering, self._stocks, self._waiting, self._ends)
        self._cuts = Cuts(plan, graph, self._numbering, *known, self._checks, self._waiting, self._ends)
        self._open = len(self._places)

    def _take_places(self, plan: Plan, beside: Iterable[PlannedInvocation] = ()) -> None:
        """Take in the invocations of a plan; `beside` are others of the run."""
        self._of_all |= checks_of_all((*beside, *plan.invocations), self._checks, self._numbering)
        for each in plan.invocations:
            if each.parts:
                self._places[each.id] = self._seats[each.id] = seat_of(each, self._numbering, self._of_all)
            else:
                self._places[each.id] = self._tracked[each.id] = tracked_of(each)

    # -- what may start ------------------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Tell whether nothing is running and nothing can start."""
        return self._open == 0

    def ready(self) -> Reversible[PlannedInvocation]:
        """Return the invocations that wait for nothing, in the order of becoming so; the view follows the tracker.

        One with partitions is among them as long as some of them wait for nothing.
        """
        return self._waiting.ready()

    def over(self, told: str) -> bool:
        """Tell whether what is recorded under an id, see `Launch.told`, has come to its end."""
        seat = self._seats.get(told)
        return seat.ended if seat is not None and seat.splits else self._tracked[told].ended

    def launch(self, id_: str, most: int | None = None) -> Launch:
        """Take an invocation that is ready; leave out what can no longer be made, and say so.

        Where it may be called for some of its partitions at a time, at most `most` of those that are ready are taken.
        The launch's invocation is None when nothing of it is left.
        """
        seat = self._seats.get(id_)
        if seat is not None:
            return self._launch_of(id_, seat, most)
        self._waiting.taken(id_)
        tracked = self._tracked[id_]
        launch = self._launching.launch(id_, tracked)
        if launch.invocation is None:
            self._close(id_, tracked)
        else:
            tracked.running = True
        return launch

    def _launch_of(self, id_: str, seat: Seat, most: int | None) -> Launch:
        """Call an invocation for partitions."""
        if seat.splits:
            doomed = seat.ready if self._launching.is_blocked(seat) else self._waiting.doomed(seat)
            taken = doomed | some(seat.ready - doomed, most) if most is not None else seat.ready
            parts, whole = seat.take(taken), set[AssetKey]()
        else:
            parts, whole = seat.take_all()
        tracked = call_of(seat.planned, parts, whole, seat.judging, self._numbering)
        tracked.unchecked.update(seat.take_checks(bool(parts or whole)))
        call = seat.name()
        self._tracked[call], self._home[call] = tracked, id_
        seat.running.add(call)
        self._waiting.taken(id_)
        launch = self._launching.launch(call, tracked)
        group = seat.planned.invocation.group
        if group is not None and group.partitions == "range":
            launch = self._launching.without_holes(seat, tracked, launch)
        if launch.invocation is None:
            self._close(call, tracked)
        else:
            tracked.running = True
            self._waiting.look(id_)
        own = seat.planned.parts if seat.splits else tracked.given
        told = id_ if seat.splits else launch.told
        partitions = sum(map(len, own.values())) - (seat.cut if seat.splits else 0)
        return replace(launch, told=told, partitions=partitions)

    def again(self, id_: str) -> Launch:
        """Return what is to be done by a second call of an invocation: whatever has no end yet.

        The launch's invocation is None when nothing of it is left.
        """
        tracked = self._tracked[id_]
        tracked.held.clear()
        tracked.spoilt = None
        return self._launching.launch(id_, tracked)

    def cut(self, same: Same, spared: Collection[str] = ()) -> list[tuple[str, list[Event]]]:
        """Leave out what does not have to be made, as `same` tells of what waits for nothing any more.

        Return the events of each invocation that is smaller now; those of `spared` groups stay as they are.
        """
        found = list(self._cuts.take(same, spared))
        for id_ in dict.fromkeys(id_ for id_, _ in found):
            seat = self._seats.get(id_)
            if seat is not None:
                if seat.open:
                    self._waiting.look(id_)
                elif not seat.running and not seat.ended:
                    seat.ended = True
                    self._open -= 1
                    self._waiting.taken(id_)
            elif not self._tracked[id_].ended and self._tracked[id_].left(self._numbering) is None:
                self._waiting.taken(id_)
                self._close(id_, self._tracked[id_])
        return found

    def replan(self, spared: Collection[str] = ()) -> Plan | None:
        """Collapse what was not called yet once more; return the plan of it where that takes less, and go on by it.

        Of an invocation that was called for some of its partitions, the others are called for by new ones. None where
        it takes no less, and while one of a `spared` group is yet to be called.
        """
        left = remainders(self._plan.invocations, self._tracked, self._seats, self._numbering)
        groups = (each.invocation.group for each in self._plan.invocations if each.id in left)
        if not left or any(group is not None and group.key in spared for group in groups):
            return None
        found = replan(self._graph, self._plan, left)
        if found is not None:
            self._follow(found, left)
        return found

    def _follow(self, found: Plan, left: Collection[str]) -> None:
        """Go on by a plan of what was `left`."""
        begun = [id_ for id_ in left if id_ in self._seats and self._seats[id_].calls]
        for id_ in begun:
            self._waiting.leave(id_)
            self._seats[id_].give_up()
        for id_ in set(left).difference(begun):
            self._waiting.drop(id_)
            for known in (self._tracked, self._seats, self._places):
                known.pop(id_, None)
        kept = tuple(each for each in self._plan.invocations if each.id in begun or each.id not in left)
        self._take_places(found, kept)
        self._open += len(found.invocations) - len(left) + sum(not self._seats[id_].ended for id_ in begun)
        self._plan = replace(self._plan, invocations=(*kept, *found.invocations))
        open_ = still_open(self._tracked.values(), self._seats.values())
        self._waiting.add(found.invocations, open_)
        self._cuts.follow(self._plan, found.invocations)

    # -- what happened -------------------------------------------------------------------------------------------

    def take(self, id_: str, event: Event) -> list[Event]:
        """Take what a tool reported; return the events that are to be recorded, this one among them or not."""
        tracked = self._tracked[id_]
        key: AssetKey | None = getattr(event, "key", None)
        if key is None:
            return [event]
        if not self._waiting.has(key):
            if key not in self._graph:
                return [Log(stray(event, False), "warning")]
            if self._graph[key].key != key:
                event = replace(event, key=self._graph[key].key)  # type: ignore[call-arg]
        if tracked.holds(event):
            return []
        if isinstance(event, (Checked, Materialized, Failed, Skipped)):
            return self._take_outcome(tracked, event)
        if isinstance(event, Started):
            tracked.tells_starts = True
            return self._take_start(tracked, event)
        if isinstance(event, Progress) and event.key in tracked.unfinished and event.key not in tracked.started:
            tracked.started.add(event.key)
            return [Started(event.key), event]
        tracked.mentioned.add(event.key)  # type: ignore[attr-defined]
        return [event]

    def _take_outcome(self, tracked: Tracked, event: Checked | Materialized | Failed | Skipped) -> list[Event]:
        if isinstance(event, Checked):
            return self._ends.take_check(tracked, event)
        if event.key not in tracked.started:
            tracked.unannounced = True
            tracked.mentioned.add(event.key)
        if not isinstance(event, Materialized) and tracked.makes(event.key):
            tracked.spoilt = tracked.spoilt or self._ends.blocker_of(event)
        return self._ends.take_end(tracked, event)

    def _take_start(self, tracked: Tracked, event: Started) -> list[Event]:
        first = event.key not in tracked.started or event.key in tracked.todo
        if event.key in tracked.unfinished or event.key in tracked.along:
            tracked.started.add(event.key)
            part = tracked.parts_of(event)
            if part is not None:
                part &= tracked.todo[event.key]  # between two may be what is lost, and what has ended stays so
                tracked.begun_parts[event.key] = tracked.begun_parts.get(event.key, NOTHING) | part
                return [*tracked.ranged(event, part)]
            if event.through is None:
                return [event] if first else []
            return [Log(stray(event, False), "warning", event.key)]
        if tracked.makes(event.key):
            return []
        return [Log(stray(event, False), "warning", event.key)]

    def end(self, id_: str, problem: Interruption | None = None) -> list[Event]:
        """Take the end of an invocation; `problem` says what broke it off. Return the events that its tool owes."""
        tracked = self._tracked[id_]
        owed: list[Event] = []
        if tracked.atomic:
            owed += self._end_atomic(tracked, problem)
        unclear = tracked.unclear()
        cut = Blocker(None, problem.rest) if problem is not None and problem.rest else None
        for asset in tuple(tracked.unfinished.values()):
            owed += self._owed_by(tracked, asset, problem, unclear, cut)
        for key in tuple(tracked.along):
            self._ends.settle(tracked, key, Blocker(key, f"{key} was not made: {problem.message}") if problem else None)
        owed += list(self._owed_checks(tracked, problem))
        self._close(id_, tracked)
        return owed

    def _owed_by(
        self, tracked: Tracked, asset: Asset, problem: Interruption | None, unclear: bool, cut: Blocker | None
    ) -> Iterator[Event]:
        """Yield the ends that are owed of a member, also of its partitions: of those that had not begun others."""
        begun = tracked.begun_parts.get(asset.key, NOTHING) if asset.key in tracked.todo else NOTHING
        if problem is not None and begun:
            for event in tracked.ranged(unbegun(self._ends, tracked, asset, problem), tracked.todo[asset.key] - begun):
                yield from self._ends.finish(tracked, event, self._ends.blocker_above(asset) or cut)
        if asset.key in tracked.unfinished:
            blocker = cut if asset.key in tracked.started else self._ends.blocker_above(asset) or cut
            yield from self._ends.finish(tracked, owed_end(self._ends, tracked, asset, problem, unclear), blocker)

    def _end_atomic(self, tracked: Tracked, problem: Interruption | None) -> list[Event]:
        """Let count what was held when all went well; else skip what had only been reported, because of the root."""
        reported = tracked.reported()
        held, tracked.held = tracked.held, []
        if problem is None and tracked.spoilt is None and len(reported) == len(tracked.unfinished):
            return [each for event in held for each in self._take_outcome(tracked, event)]
        if problem is not None and problem.rest:
            return []  # all of it was under way when the run was stopped
        owed: list[Event] = []
        unclear = tracked.unclear()
        for asset in () if tracked.spoilt else tuple(tracked.unfinished.values()):
            event = None if asset.key in reported else owed_end(self._ends, tracked, asset, problem, unclear)
            if isinstance(event, Failed):
                owed += self._ends.finish(tracked, event)
                tracked.spoilt = tracked.spoilt or self._ends.blocker_of(event)
        root = tracked.spoilt
        if root is not None:
            kind = tracked.planned.invocation.integration.kind
            for key in tuple(tracked.unfinished):
                because = f"{root.text}, and {kind} makes all of an invocation or nothing"
                owed += self._ends.finish(tracked, Skipped(key, because, root.root), root)
            for key in tuple(tracked.along):
                self._ends.settle(tracked, key, root)
        # What else was checked holds: it is of what others have made.
        checks = (event for event in held if isinstance(event, Checked))
        owed += [
            each
            for event in checks
            if CheckRef(event.key, event.check) in tracked.unchecked
            for each in self._ends.take_check(tracked, event)
        ]
        return owed

    def _close(self, id_: str, tracked: Tracked) -> None:
        over = not tracked.ended
        tracked.running, tracked.ended = False, True
        seat = self._seats.get(self._home.get(id_, ""))
        if seat is not None:
            seat.running.discard(id_)
            over = not seat.ended and not seat.open and not seat.running
            seat.ended = seat.ended or over
            self._waiting.look(seat.planned.id)
        self._open -= over

    def _owed_checks(self, tracked: Tracked, problem: Interruption | None) -> Iterator[Event]:
        for ref in tuple(tracked.unchecked):
            if ref in tracked.passing and problem is None:
                self._ends.void(tracked, ref)
                continue
            del tracked.unchecked[ref]
            parts = tracked.pending.pop(ref, None)
            severity: Severity = "warn" if self._checks[ref].severity == "warn" else "error"
            message = problem.message if problem else "The tool ended without reporting this check."
            blocker = Blocker(ref.key, f"check {ref.check} of {ref.key} was not run") if severity == "error" else None
            self._ends.decide(ref, blocker, parts)
            if problem is None and parts is not None and (lost := self._lost_of(tracked, ref.key)):
                # It would look at all of the asset, of which a part is not there; the others are made all the same.
                yield Log(f"Check {ref.check} of {ref.key} was not run: {lost}.", "warning", ref.key)
                continue
            cancelled = problem is not None and problem.rest is not None
            yield Checked(ref.key, ref.check, False, severity, message, cancelled=cancelled)

    def _lost_of(self, tracked: Tracked, key: AssetKey) -> str | None:
        """Return why a partition that a call was for is not there; None when all are."""
        stock = self._stocks[key]
        blocker = stock.blocker(tracked.given[key] & stock.unmade)
        return None if blocker is None else blocker.text

    def abandon(self, because: str) -> list[Event]:
        """End everything that has not started, as when the run is cancelled; return the events that follow."""
        events: list[Event] = []
        for id_, seat in self._seats.items():
            if seat.open:
                # What is idle is called for nothing any more; what runs comes to its own end.
                seat.checks.clear()
                call = f"{id_}.rest"
                self._tracked[call] = call_of(seat.planned, *seat.take_all(), (), self._numbering)
                self._home[call] = id_
        for id_, tracked in tuple(self._tracked.items()):
            if tracked.running or tracked.ended:
                continue
            for key in tuple(tracked.unfinished):
                events += self._ends.finish(tracked, Skipped(key, because), Blocker(None, because))
            tracked.along.clear()
            tracked.unchecked.clear()
            tracked.pending.clear()
            self._close(id_, tracked)
        self._waiting.clear()
        return events
