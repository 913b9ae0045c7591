"""What has become of the assets of a run, and of their partitions: made, lost, checked; and what follows for others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan
from assetry.run.tracking.seats import Seat
from assetry.run.tracking.stock import Stock
from assetry.run.tracking.tracked import Blocker, Tracked, stray
from assetry.run.tracking.waiting import Waiting
from assetry.types.assets import Asset
from assetry.types.events import Checked, Event, Failed, Log, Materialized, Skipped
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey


class Ends:
    """The ends that assets and partitions of a plan have come to.

    `tracked` are the calls, `seats` the invocations with partitions, `stocks` the assets with partitions.
    """

    def __init__(
        self,
        plan: Plan,
        graph: AssetGraph,
        numbering: Numbering,
        tracked: Mapping[str, Tracked],
        seats: Mapping[str, Seat],
        stocks: Mapping[AssetKey, Stock],
        waiting: Waiting,
    ) -> None:
        self._graph = graph
        self._numbering = numbering
        self._tracked = tracked
        self._seats = seats
        self._stocks = stocks
        self._waiting = waiting
        self._gated_by: dict[CheckRef, list[AssetKey]] = {}
        for key, refs in plan.gates.items():
            for ref in refs:
                self._gated_by.setdefault(ref, []).append(key)
        #: What was made as a whole, and why nothing can be made from others.
        self.made: set[AssetKey] = set()
        self.blockers: dict[AssetKey, Blocker] = {}
        #: The checks that have nothing more to say.
        self.decided: set[CheckRef] = set()
        #: What has ended, or was checked, since this was last emptied: assets, also for some of their partitions.
        self.news: set[AssetKey] = set()

    def take_end(self, tracked: Tracked, event: Materialized | Failed | Skipped) -> list[Event]:
        """Take the end of an asset, or of partitions of it, that a tool reported; return the events to record."""
        return [told for each in self._apart(tracked, event) for told in self._take_end(tracked, each)]

    def _apart(
        self, tracked: Tracked, event: Materialized | Failed | Skipped
    ) -> Iterable[Materialized | Failed | Skipped]:
        """Return the end of a range as ends of ranges without a gap, that have ended before or have not."""
        parts = tracked.parts_of(event) if event.through is not None else None
        if parts is None:
            return (event,)
        fresh = parts & tracked.todo.get(event.key, NOTHING)
        # What is lost of it has ended, or was not even asked of the tool.
        again = parts - fresh - self._stocks[event.key].lost
        return [*tracked.ranged(event, fresh), *tracked.ranged(event, again)] or (event,)

    def _take_end(self, tracked: Tracked, event: Materialized | Failed | Skipped) -> list[Event]:
        key = event.key
        todo = tracked.todo.get(key)
        part = tracked.parts_of(event)
        if key in tracked.along and (todo is None or event.partition is None or (part is not None and part <= todo)):
            # What reads it was waiting for that, too.
            blocker = None if isinstance(event, Materialized) else self.blocker_of(event)
            self.settle(tracked, key, blocker, part if todo is not None else None)
            return [event]
        if isinstance(event, Failed) and (taken_back := self._take_back(tracked, event, part)):
            return taken_back
        ended = key not in tracked.unfinished or (todo is not None and part is not None and not part <= todo)
        named = event.partition is not None and (todo is not None or event.through is not None)
        if ended or (named and part is None):
            again = tracked.makes(key) and key not in tracked.unfinished
            return [Log(stray(event, again), "warning", key)]
        return self.finish(tracked, event)

    def _take_back(self, tracked: Tracked, event: Failed, part: Parts | None) -> list[Event]:
        """Take a failure of what was reported as made: what has not begun is not made from it; none where it was not.

        Return the events to record.
        """
        key, stock = event.key, self._stocks.get(event.key)
        if stock is None or key not in tracked.given:
            if key not in self.made or not tracked.makes(key):
                return []
            self.made.discard(key)
            self.blockers.setdefault(key, self.blocker_of(event))
            self._void_checks_of(key)
            return [event]
        todo = tracked.todo.get(key, NOTHING)
        made = (tracked.given[key] if part is None else part) - todo - stock.lost
        if not made or (part is None and todo):
            return []
        stock.unmade |= made
        stock.lose(made, self.blocker_of(event))
        self._waiting.moved(key)
        self.made.discard(key)
        self.void_parts(tracked, key, made)
        if not stock.left:
            self.blockers.setdefault(key, self.blocker_of(event))
            self._void_checks_of(key)
        return [*tracked.ranged(event, made)]

    def take_check(self, tracked: Tracked, event: Checked) -> list[Event]:
        """Take how a check came out, for an asset or a partition of it; return the events to record."""
        ref = CheckRef(event.key, event.check)
        blocker = Blocker(event.key, f"check {event.check} of {event.key} failed") if event.stops else None
        parts = tracked.pending.get(ref)
        part = tracked.part(event.key, event.partition) if event.partition is not None else None
        if parts is None:
            tracked.unchecked.pop(ref, None)
            # What it says late of its own partitions is nothing to those of other calls.
            self.decide(ref, blocker, (part or tracked.given[ref.key]) if ref in tracked.judging else None)
            return [event]
        judged = parts if part is None else part & parts
        tracked.passing.add(ref)
        self._judged(tracked, ref, judged, blocker)
        return [event]

    def _judged(self, tracked: Tracked, ref: CheckRef, parts: Parts, blocker: Blocker | None) -> None:
        """Note how a check of a member came out for some of its partitions."""
        left = tracked.pending[ref] - parts
        if left:
            tracked.pending[ref] = left
        else:
            del tracked.pending[ref]
            tracked.unchecked.pop(ref, None)
        self.decide(ref, blocker, parts)

    def finish(
        self, tracked: Tracked, event: Materialized | Failed | Skipped, blocker: Blocker | None = None
    ) -> list[Event]:
        """Note the end of a member, or of a partition of it; an end without a partition is that of all that are left.

        Return the events to record.
        """
        key = event.key
        todo = tracked.todo.get(key)
        part = None if todo is None else tracked.parts_of(event)
        if isinstance(event, Failed) and todo is None:
            self.blockers.pop(key, None)  # nearer than that a check of it failed before
        # An asset may be below an earlier partition of itself.
        handed = blocker is not None and todo is not None
        if not isinstance(event, Materialized) and not (isinstance(event, Skipped) and event.unchanged):
            blocker = blocker or self.blocker_of(event)
            if isinstance(event, Skipped) and (blocker.root != key or handed):
                event = replace(event, root=blocker.root)
        events: list[Event] = [event]
        if todo is not None:
            events = [*tracked.ranged(event, todo if part is None else part)]
        if isinstance(event, Failed) and todo is not None and blocker is not None:
            self._stocks[key].replace(todo if part is None else part, blocker)
        self.settle(tracked, key, blocker, part)
        return events

    def settle(self, tracked: Tracked, key: AssetKey, blocker: Blocker | None, part: Parts | None = None) -> None:
        """Note that a member, what comes along, or a partition of it, has ended."""
        todo = tracked.todo.get(key)
        self.news.add(key)
        if todo is not None:
            ended = todo if part is None else part
            self._settle_parts(tracked, key, ended, blocker)
            return
        for open_ in (tracked.unfinished, tracked.along):
            open_.pop(key, None)
        if blocker is None:
            self.made.add(key)
        else:
            self.blockers.setdefault(key, blocker)
            self._void_checks_of(key)
        self._waiting.release(key)

    def _settle_parts(self, tracked: Tracked, key: AssetKey, ended: Parts, blocker: Blocker | None) -> None:
        left = tracked.todo[key] - ended
        if left:
            tracked.todo[key] = left
        else:
            for open_ in (tracked.unfinished, tracked.along, tracked.todo):
                open_.pop(key, None)
        stock = self._stocks[key]
        stock.end(ended, blocker)
        if blocker is not None:
            self.void_parts(tracked, key, ended)
        self._waiting.moved(key)
        if stock.left:
            return
        if stock.failed:
            self.blockers.setdefault(key, stock.blocker(stock.wanted) or Blocker(key, f"{key} failed"))
            self._void_checks_of(key)
        else:
            self.made.add(key)
        self._waiting.release(key)

    def blocker_of(self, event: Failed | Skipped) -> Blocker:
        """Return what blocks those below a failed or skipped asset: itself, or what the tool skipped it for."""
        if isinstance(event, Failed):
            return Blocker(event.key, f"{event.place} failed")
        why = f": {event.because}" if event.because else ""
        root = event.root or event.key
        return self.blocker_above(self._graph[event.key]) or Blocker(root, f"{event.place} was skipped{why}")

    def _void_checks_of(self, key: AssetKey) -> None:
        """Drop the checks that can say nothing any more because one of their inputs was not made."""
        for id_, ref in self._waiting.readers(key):
            seat = self._seats.get(id_)
            if seat is not None and ref in seat.checks:
                del seat.checks[ref]
                self.decide(ref, None)
            for call in (id_,) if seat is None else tuple(seat.running):
                tracked = self._tracked[call]
                # Of an asset's own partitions each is judged for itself.
                if ref in tracked.unchecked and (ref.key != key or ref not in tracked.pending):
                    self.void(tracked, ref)

    def void_parts(self, tracked: Tracked, key: AssetKey, parts: Parts) -> None:
        """Let no check be owed for partitions that were not made."""
        for ref in tuple(tracked.pending):
            if ref.key == key and (judged := tracked.pending[ref] & parts):
                self._judged(tracked, ref, judged, None)

    def void(self, tracked: Tracked, ref: CheckRef) -> None:
        """Let a check not be owed any more: there is nothing that it could look at."""
        tracked.unchecked.pop(ref, None)
        self.decide(ref, None, tracked.pending.pop(ref, None))

    def decide(self, ref: CheckRef, blocker: Blocker | None, parts: Parts | None = None) -> None:
        """Note how a check came out for the assets that it gates; `parts` are those of its own asset that it judged."""
        gated = self._gated_by.get(ref, ())
        own = self._stocks.get(ref.key) if ref.key in gated else None
        if own is not None:
            own.decide(ref, parts, blocker)
            self._waiting.moved(ref.key)
        over = own is None or not own.undecided.get(ref)
        for key in gated:
            stock = self._stocks.get(key)
            if blocker is not None and (stock is None or stock is not own):
                self.blockers.setdefault(key, blocker)
            if stock is not None and stock is not own and (over or blocker is not None):
                stock.decide(ref, None, blocker)
                self._waiting.moved(key)
        self.news.update(gated)
        if over:
            self.decided.add(ref)
            self._waiting.release(ref)

    def blocker_above(self, asset: Asset) -> Blocker | None:
        """Return what keeps all of an asset from being made; None when that is nothing."""
        for key in self._waiting.whole_inputs(asset):
            if key in self.blockers:
                return self.blockers[key]
        if asset.key in self._stocks:
            return None  # each partition has its own
        for key in self._waiting.parted_inputs(asset.key):
            stock = self._stocks[key]
            if stock.lost:
                # An asset that has partitions, and is made as a whole, reads all that there are.
                every = asset.partitions_def is not None
                read = stock.wanted if every else self._numbering.up(asset.key, key, WHOLE)
                blocker = stock.blocker(read)
                if blocker is not None:
                    return blocker
        return None
