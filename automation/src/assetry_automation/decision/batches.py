"""What is put together into one run of a tool: what rides along with a start, and what waits for more to come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from assetry.plugin import AssetGraph, AssetKey, EventRecord, Failed, Freshness, Materialized, Started, Status

from assetry_automation.decision.demands import Demands
from assetry_automation.decision.standing import Groups
from assetry_automation.decision.ways import Ways


def with_riders(
    asked: Demands, statuses: Iterable[Status], graph: AssetGraph, groups: Groups, ways: Ways, now: datetime
) -> Demands:
    """Return what is asked, with the data that would be asked for before a tool that is started now is started again.

    So deadlines that lie close to one another are met by one start. A tool is started again when that data is to be
    newer which is made now, and which may lie the least behind.
    """
    if not asked.newer_than:
        return asked
    known = {
        each.key: _Due(each.freshness, ways.of(each.key, each.freshness))
        for each in statuses
        if each.freshness is not None and (each.key in asked.coming or each.key in asked.newer_than)
    }
    again = {key: now + span for key, each in known.items() if key in asked.newer_than and (span := each.span)}
    coming = {key: due for key, due in known.items() if key in asked.coming and due.may_ride(now)}
    if not again or not coming:
        return asked
    shared = _shared(graph, groups, [graph.index(key) for key in (*again, *coming)])
    tools = {key: [*_bits(shared[graph.index(key)])] for key in (*again, *coming)}
    riders: dict[AssetKey, datetime | None] = {}
    while True:
        next_starts: dict[int, datetime] = {}
        for key, at in again.items():
            for group in tools[key]:
                next_starts[group] = min(at, next_starts.get(group, at))
        more = [key for key, due in coming.items() if key not in riders and due.rides(tools[key], next_starts, now)]
        if not more:
            break
        # What rides along starts tools, too, for which others may ride along.
        for key in more:
            span = coming[key].span
            assert span is not None, "it rides"
            riders[key], again[key] = coming[key].freshness.since, now + span
    later = {key: each for key, each in asked.coming.items() if key not in riders}
    newer_than = {**asked.newer_than, **{key: since for key, since in riders.items() if since is not None}}
    return replace(asked, asking=asked.asking.union(riders), newer_than=newer_than, coming=later)


class _Due(NamedTuple):
    """When newer data of an asset is due, and how long the way to it takes."""

    freshness: Freshness
    way: timedelta

    @property
    def span(self) -> timedelta | None:
        """Return how long data that is made now lasts; None where that is not known."""
        freshness = self.freshness
        if freshness.deadline is None or freshness.data_time is None or freshness.since is None:
            return None
        if freshness.since < freshness.data_time:
            return None  # a clock asks for it
        return max(freshness.deadline - freshness.data_time - self.way, timedelta(0))

    def may_ride(self, now: datetime) -> bool:
        """Tell whether newer data now moves a deadline: one of a clock is met only by what is new enough for it."""
        freshness = self.freshness
        return freshness.deadline is not None and freshness.since is not None and freshness.since <= now

    def rides(self, tools: Sequence[int], next_starts: Mapping[int, datetime], now: datetime) -> bool:
        """Tell whether it pays to start sooner than it has to be, together with what is started of its way now."""
        span, deadline = self.span, self.freshness.deadline
        if span is None or deadline is None:
            return False
        starts, begin = [next_starts[each] for each in tools if each in next_starts], deadline - self.way
        # What is not started anyhow is started sooner than it has to be: that costs a part of its time each round, and
        # saves what it shares.
        sooner = max(begin - now, timedelta(0))
        return any(begin < each for each in starts) and sooner * len(tools) <= span * len(starts)


def _shared(graph: AssetGraph, groups: Groups, asked: Sequence[int]) -> dict[int, int]:
    """Return of some assets and all that these are made from, as bits, the groups of each and of all above it."""
    number: dict[str, int] = {}
    found: dict[int, int] = {}
    for i in sorted(graph.ancestors(asked).union(asked)):
        own = groups.get(graph.keys[i])
        bits = 0 if own is None else 1 << number.setdefault(own, len(number))
        for j in graph.upstream[i]:
            bits |= found[j] if j < i else 0  # its own earlier partitions are of its own group
        found[i] = bits
    return found


def _bits(number: int) -> Iterator[int]:
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low


def joint_start(since: Sequence[datetime], overhead: timedelta) -> datetime:
    """Return until when it pays to wait for what else an invocation could make.

    Once all that is ready has waited for as long, taken together, as an invocation costs by itself, one more invocation
    costs no more than waiting has: so it is at most twice what would have been best, whatever comes.

    >>> joint_start([datetime(2026, 1, 5, 9), datetime(2026, 1, 5, 9)], timedelta(minutes=4)).minute
    2
    """
    first = min(since)
    waited = sum((each - first for each in since), timedelta(0))
    found: datetime = first + (waited + overhead) / len(since)
    return max(found, *since)


class Overheads:
    """How many seconds invocations took of a run beside what they made, learned from its events as they come.

    That is what lies before the first asset of an invocation starts and after its last one has ended. `found` has the
    last of each group, `began` is when the first invocation has begun.

    >>> Overheads().found
    {}
    """

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self.began: datetime | None = None
        self._groups: dict[str, str] = {}
        self._began: dict[str, datetime] = {}
        self._first: dict[str, datetime] = {}
        self._last: dict[str, datetime] = {}

    def note(self, record: EventRecord) -> None:
        """Learn of an event."""
        invocation, event = record.invocation, record.event
        if invocation is None:
            return
        if event.name == "invocation_started":
            self.began = self.began or record.at
            if group := getattr(event, "group", None):
                self._groups[invocation], self._began[invocation] = str(group), record.at
        elif isinstance(event, Started):
            self._first.setdefault(invocation, record.at)
        elif isinstance(event, (Materialized, Failed)):
            self._first.setdefault(invocation, record.at)
            self._last[invocation] = record.at
        elif event.name == "invocation_finished" and invocation in self._groups and invocation in self._last:
            ahead, behind = self._first[invocation] - self._began[invocation], record.at - self._last[invocation]
            self.found[self._groups[invocation]] = max((ahead + behind).total_seconds(), 0.0)
