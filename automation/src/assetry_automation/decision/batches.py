"""What is put together into one run of a tool: what rides along with a start, and what waits for more to come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from assetry.plugin import AssetGraph, AssetKey, EventRecord, Failed, Freshness, Materialized, Started, Status

from assetry_automation.decision.demands import Demands, way_of
from assetry_automation.decision.settings import Settings

#: By asset: the key of the group whose members share an invocation of their tool.
Groups = Mapping[AssetKey, str]


def with_riders(
    asked: Demands, statuses: Iterable[Status], graph: AssetGraph, groups: Groups, settings: Settings, now: datetime
) -> Demands:
    """Return what is asked, with the data that would be asked for before a tool that is started now is started again.

    So deadlines that lie close to one another are met by one start. A tool is started again when that data is to be
    newer which is made now, and which may lie the least behind.
    """
    known = {each.key: each.freshness for each in statuses if each.key in asked.coming or each.key in asked.newer_than}
    again = {key: now + span for key, each in known.items() if key in asked.newer_than and (span := _span(each))}
    coming = [key for key in asked.coming if _may_ride(graph, key, known.get(key), now)]
    if not again or not coming:
        return asked
    shared = _ways(graph, groups)
    ways = {key: [*_bits(shared[graph.index(key)])] for key in (*again, *coming)}
    riders: dict[AssetKey, datetime | None] = {}
    while True:
        next_starts: dict[int, datetime] = {}
        for key, at in again.items():
            for group in ways[key]:
                next_starts[group] = min(at, next_starts.get(group, at))
        more = [
            key for key in coming if key not in riders and _rides(known[key], ways[key], next_starts, settings, now)
        ]
        if not more:
            break
        # What rides along starts tools, too, for which others may ride along.
        for key in more:
            freshness, span = known[key], _span(known[key])
            assert freshness is not None and span is not None, "it rides"  # noqa: PT018
            riders[key], again[key] = freshness.since, now + span
    later = {key: each for key, each in asked.coming.items() if key not in riders}
    newer_than = {**asked.newer_than, **{key: since for key, since in riders.items() if since is not None}}
    return replace(asked, asking=asked.asking.union(riders), newer_than=newer_than, coming=later)


def _rides(
    freshness: Freshness | None,
    way: Sequence[int],
    next_starts: Mapping[int, datetime],
    settings: Settings,
    now: datetime,
) -> bool:
    """Tell whether it pays to start sooner than it has to be, together with what is started of its way now."""
    span = _span(freshness)
    if freshness is None or span is None:
        return False
    starts, begin = [next_starts[each] for each in way if each in next_starts], _begin(freshness, settings)
    # What is not started anyhow is started sooner than it has to be: that costs a part of its time each round, and
    # saves what it shares.
    sooner = max(begin - now, timedelta(0))
    return any(begin < each for each in starts) and sooner * len(way) <= span * len(starts)


def _may_ride(graph: AssetGraph, key: AssetKey, freshness: Freshness | None, now: datetime) -> bool:
    """Tell whether newer data now moves a deadline: one of a clock is met only by data that is new enough for it."""
    policy = graph[key].freshness_policy
    if policy is None or freshness is None or freshness.deadline is None or freshness.since is None:
        return False
    return freshness.since <= now


def _span(freshness: Freshness | None) -> timedelta | None:
    """Return how long data that is made now lasts; None where that is not known."""
    if freshness is None or freshness.deadline is None or freshness.data_time is None or freshness.since is None:
        return None
    if freshness.since < freshness.data_time:
        return None  # a clock asks for it
    return max(freshness.deadline - freshness.data_time - way_of(freshness), timedelta(0))


def _begin(freshness: Freshness, settings: Settings) -> datetime:
    assert freshness.deadline is not None, "only what has a deadline rides along"
    return freshness.deadline - (way_of(freshness) or settings.slack)


def _ways(graph: AssetGraph, groups: Groups) -> list[int]:
    """Return by asset, as bits, the groups of it and of all that it is made from."""
    number: dict[str, int] = {}
    found: list[int] = []
    for i, key in enumerate(graph.keys):
        own = groups.get(key)
        bits = 0 if own is None else 1 << number.setdefault(own, len(number))
        for j in graph.upstream[i]:
            bits |= found[j] if j < i else 0  # its own earlier partitions are of its own group
        found.append(bits)
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


def overheads_of(events: Iterable[EventRecord]) -> dict[str, float]:
    """Return by group how many seconds its invocations took of a run beside what they made: the last of each.

    That is what lies before its first asset starts and after its last one has ended.
    """
    groups: dict[str, str] = {}
    began: dict[str, datetime] = {}
    first: dict[str, datetime] = {}
    last: dict[str, datetime] = {}
    found: dict[str, float] = {}
    for record in events:
        invocation, event = record.invocation, record.event
        if invocation is None:
            continue
        if event.name == "invocation_started" and getattr(event, "group", None):
            groups[invocation], began[invocation] = str(event.group), record.at  # type: ignore[attr-defined]
        elif isinstance(event, Started):
            first.setdefault(invocation, record.at)
        elif isinstance(event, (Materialized, Failed)):
            first.setdefault(invocation, record.at)
            last[invocation] = record.at
        elif event.name == "invocation_finished" and invocation in groups and invocation in last:
            ahead, behind = first[invocation] - began[invocation], record.at - last[invocation]
            found[groups[invocation]] = max((ahead + behind).total_seconds(), 0.0)
    return found
