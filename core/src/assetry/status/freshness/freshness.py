"""Whether data is as new as policies ask, and what has to be made anew where it is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Literal, NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.graph.overlay import ByNumber
from assetry.status.freshness.data_times import DataTimes, is_only_used
from assetry.status.looked import age_text, overdue_text
from assetry.status.times import span_text, time_text
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.policies import FreshnessPolicy
from assetry.types.records import Materialization

#: What is told of the data of an asset that has none.
NEVER_MADE = "it was never made"

FreshnessState = Literal["met", "at_risk", "overdue", "unknown"]
#: From the best to the worst.
FRESHNESS_STATES: tuple[FreshnessState, ...] = ("met", "unknown", "at_risk", "overdue")
_MOMENT = timedelta(microseconds=1)
#: By asset: how many seconds it took of late, oldest first.
Durations = Mapping[AssetKey, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether the data of an asset is as new as its policy asks.

    `state` is ``met``; ``at_risk`` when bringing newer data there takes longer than there is time, as far as it took of
    late; ``overdue``; or ``unknown`` when nothing is known of something that it is made from. `data_time` is the moment
    that its data reaches, `deadline` when newer data is to be there, or was to be. `text` says it for people, and
    `doubt` that the policy asks for what never was. At the deadline data is to be as of `since`, where a lag is asked
    for, and bringing it there takes as long as `way`, as far as it took of late. `again` is when newer data is asked
    for than there will be once all is made that is out of date.

    >>> Freshness("met").deadline is None
    True
    """

    state: FreshnessState
    data_time: datetime | None = None
    deadline: datetime | None = None
    text: str = ""
    doubt: str = ""
    since: datetime | None = None
    way: timedelta = timedelta(0)
    again: datetime | None = None


class Demand(NamedTuple):
    """That an asset is to be made anew, because data is to be newer than `since`; `text` says for whom."""

    since: datetime
    text: str


class Ask(NamedTuple):
    """What a policy asks now: data not before `since`, and newer data by `deadline`."""

    since: datetime
    deadline: datetime | None


def with_policies(graph: AssetGraph) -> list[int]:
    """Return the assets of a graph, by number, that have a policy.

    >>> with_policies(AssetGraph.of([Asset(key="a", kind="x")]))
    []
    """
    return [i for i, asset in enumerate(graph.assets) if asset.freshness_policy is not None]


def needed_durations(graph: AssetGraph, also: Iterable[AssetKey] = ()) -> set[AssetKey]:
    """Return the assets of which policies have to know how long they take: those that have one, and all above these.

    `also` are others that something is asked of.

    >>> needed_durations(AssetGraph.of([Asset(key="a", kind="x")]))
    set()
    """
    asked = [*with_policies(graph), *(graph.index(key) for key in also)]
    return {graph.keys[i] for i in graph.ancestors(asked).union(asked)} if asked else set()


def lag_policies(asset: Asset) -> tuple[FreshnessPolicy, ...]:
    """Return what is asked of how far the data of an asset may lie behind.

    What is only used, such as a dashboard, is never made: its age is that of the data that it shows.

    >>> policy = FreshnessPolicy(timedelta(hours=6))
    >>> asset = Asset(key="a", kind="x", executable=False, consumer=True, freshness_policy=policy)
    >>> [str(each.maximum_lag) for each in lag_policies(asset)]
    ['6:00:00']
    """
    policy = asset.freshness_policy
    if policy is None:
        return ()
    found = [policy] if policy.maximum_lag is not None else []
    if policy.max_age is not None and is_only_used(asset):
        found.append(FreshnessPolicy(maximum_lag=policy.max_age))
    return tuple(found)


class Freshnesses:
    """Whether the data of assets is as new as their policies ask; `asked` are those that have one."""

    def __init__(
        self,
        graph: AssetGraph,
        data_times: DataTimes,
        last: ByNumber[Materialization | None],
        durations: Durations,
        now: datetime,
        asked: Sequence[int],
    ) -> None:
        self._graph = graph
        self._data_times = data_times
        self._last = last
        self._durations = durations
        self._now = now
        self._asked = asked
        #: By asset: how long bringing newer data there takes, and the shortest that it ever took.
        self._ways: dict[int, tuple[timedelta, timedelta]] = {}

    def found(self) -> dict[AssetKey, Freshness]:
        """Return how fresh each asset with a policy is."""
        self._look_for_ways()
        return {self._graph.keys[i]: each for i in self._asked if (each := self._freshness(i)) is not None}

    # -- one policy --------------------------------------------------------------------------------------------------

    def _freshness(self, i: int) -> Freshness | None:
        asset = self._graph.assets[i]
        policy = asset.freshness_policy
        assert policy is not None, "only what has a policy is asked"
        judged = [*self._by_age(i, asset, policy)]
        for each in lag_policies(asset):
            judged += (self._led(i, each, found) for found in self._by_lag(i, each))
        if not judged:
            return None
        worst = max(judged, key=lambda each: FRESHNESS_STATES.index(each.state))
        deadline = min((each.deadline for each in judged if each.deadline is not None), default=None)
        doubt = next((each.doubt for each in judged if each.doubt), "")
        first = min(judged, key=lambda each: (each.deadline is None, each.deadline or self._now))
        at = self._data_times.of(i).at
        again = min((each.again for each in judged if each.again is not None), default=None)
        return Freshness(worst.state, at, deadline, worst.text, doubt, first.since, first.way, again)

    def _by_age(self, i: int, asset: Asset, policy: FreshnessPolicy) -> Iterator[Freshness]:
        reached = self._data_times.aged(i)
        if policy.ended:
            known = [each for each in (reached, self._data_times.of(i).at) if each is not None]
            if ended := policy.ended_at(max(known, default=None)):
                yield Freshness("overdue", text=ended)
                return
        if policy.max_age is None or asset.computed_on_read or is_only_used(asset):
            return
        if reached is None:
            if asset.executable:
                yield Freshness("overdue", text=NEVER_MADE)
            else:
                yield Freshness("unknown", text="it was never seen")
            return
        deadline, took = reached + policy.max_age, self._usual(i)
        told = overdue_text(asset, reached, self._now)
        if told is not None:
            yield Freshness("overdue", deadline=deadline, text=told)
        elif self._now + took > deadline:
            until = f"it may be {age_text(policy.max_age)} old at most, which it is at {time_text(deadline)}"
            text = f"{until}, and takes {span_text(took)}"
            yield Freshness("at_risk", deadline=deadline, text=text)
        else:
            yield Freshness("met", deadline=deadline, text=f"it may be {age_text(policy.max_age)} old at most")

    def _by_lag(self, i: int, policy: FreshnessPolicy) -> Iterator[Freshness]:
        assert policy.maximum_lag is not None, "it says how far data may lie behind"
        way, shortest = self._ways[i]
        doubt = ""
        if policy.cron is None and policy.maximum_lag < shortest:
            may = f"its data may lie {age_text(policy.maximum_lag)} behind at most"
            doubt = f"{may}, and the way to it never took less than {span_text(shortest)}"
        found = self._data_times.of(i)
        if found.at is None:
            never = self._never_made(i)
            text = f"nothing is known of how old {self._unknown(i)} is"
            if never is not None:
                text = NEVER_MADE if never == i else f"`{self._graph.keys[never]}` was never made"
            yield Freshness("unknown" if never is None else "overdue", text=text, doubt=doubt)
            return
        since, deadline = self._ask(policy, found.at)
        may = f"may lie {age_text(policy.maximum_lag)} behind at most"
        if found.at < since:
            when = f"since {time_text(deadline)}" if deadline is not None else "always"
            text = f"its data is of {time_text(found.at)}, and {may}: overdue {when}"
            yield Freshness("overdue", deadline=deadline, text=text, doubt=doubt)
        elif found.blind:
            text = f"nothing is known of how old {self._unknown(i)} is"
            yield Freshness("unknown", deadline=deadline, text=text, doubt=doubt)
        elif deadline is not None and self._now + way > deadline and found.at < self._wanted_at(policy, deadline):
            due = f"its data is of {time_text(found.at)}, and newer is due at {time_text(deadline)}"
            text = f"{due}, which takes {span_text(way)}"
            yield Freshness("at_risk", deadline=deadline, text=text, doubt=doubt)
        else:
            text = f"its data is of {time_text(found.at)}, and {may}"
            yield Freshness("met", deadline=deadline, text=text, doubt=doubt)

    def _led(self, i: int, policy: FreshnessPolicy, found: Freshness) -> Freshness:
        """Return a freshness with how new data is to be at its deadline, and how long the way there is."""
        assert policy.maximum_lag is not None, "it says how far data may lie behind"
        at, since = self._data_times.of(i).at, self._now
        if policy.cron is not None and found.deadline is not None:
            since = found.deadline - policy.maximum_lag
        elif at is not None:
            since = at + _MOMENT  # what is newer by now need not be made once more
        return replace(found, since=since, way=self._ways[i][0], again=self._again(i, policy))

    def _again(self, i: int, policy: FreshnessPolicy) -> datetime | None:
        """Return when a policy asks for newer data than there will be once all is made that is out of date."""
        assert policy.maximum_lag is not None
        soon = self._data_times.of(i).soon
        again = None if soon is None else soon + policy.maximum_lag
        if policy.cron is not None:
            again = policy.ticks(self._now)[1]
        # A moment later: what is exactly as old as it may be is not asked for.
        return again + _MOMENT if again is not None and again >= self._now else None

    def _ask(self, policy: FreshnessPolicy, at: datetime) -> Ask:
        """Return what a policy asks now of data that reaches to a moment."""
        assert policy.maximum_lag is not None
        if policy.cron is None:
            return Ask(self._now - policy.maximum_lag, at + policy.maximum_lag)
        before, after = policy.ticks(self._now)
        if before is not None and at < before - policy.maximum_lag:
            return Ask(before - policy.maximum_lag, before)
        return Ask(at, after)

    def _wanted_at(self, policy: FreshnessPolicy, deadline: datetime) -> datetime:
        """Return how new data is to be at a deadline; without a clock, newer than it is."""
        assert policy.maximum_lag is not None
        return deadline - policy.maximum_lag if policy.cron is not None else self._now

    def _unknown(self, i: int) -> str:
        """Return what it is of which nothing is known, of all that is read by reading an asset."""
        while above := [j for j in self._graph.upstream[i] if self._data_times.of(j).blind]:
            i = above[0]
        return f"`{self._graph.keys[i]}`"

    def _never_made(self, i: int) -> int | None:
        """Return what was never made of an asset and of what is read by reading it; None for nothing."""
        waiting, seen = [i], {i}
        while waiting:
            j = waiting.pop()
            asset = self._graph.assets[j]
            if asset.executable and self._last[j] is None:
                return j
            if asset.computed_on_read or is_only_used(asset):
                above = [each for each in self._graph.upstream[j] if each not in seen]
                seen.update(above)
                waiting += reversed(above)
        return None

    # -- how long it takes -------------------------------------------------------------------------------------------

    def _look_for_ways(self) -> None:
        asked = [i for i in self._asked if lag_policies(self._graph.assets[i])]
        for i in sorted(self._graph.ancestors(asked).union(asked)) if asked else ():
            at, above = self._data_times.of(i).at, self._graph.upstream[i]
            slow = [j for j in above if self._holds_back(j, at)]
            zero = timedelta(0)
            self._ways[i] = (
                self._usual(i) + max((self._ways[j][0] for j in slow), default=zero),
                self._least(i) + max((self._ways[j][1] for j in above), default=zero),
            )

    def _holds_back(self, j: int, at: datetime | None) -> bool:
        """Tell whether an input has to be made before data newer than that of a moment can be there."""
        reached = self._data_times.of(j).at
        return reached is None or at is None or reached <= at or self._data_times.flawed[j]

    def _took(self, i: int) -> Sequence[float]:
        asset = self._graph.assets[i]
        made = asset.executable and not asset.computed_on_read and asset.grows != "never"
        return self._durations.get(asset.key, ()) if made else ()

    def _usual(self, i: int) -> timedelta:
        """Return how long making an asset takes: no longer than it did 19 times out of 20."""
        took = sorted(self._took(i))
        return timedelta(seconds=took[ceil(0.95 * len(took)) - 1] if took else 0.0)

    def _least(self, i: int) -> timedelta:
        return timedelta(seconds=min(self._took(i), default=0.0))

    # -- what is to be made ------------------------------------------------------------------------------------------

    def demands(self, newer_than: Mapping[AssetKey, datetime]) -> dict[int, Demand]:
        """Return what is to be made anew though it is up to date, because something is overdue that is made from it.

        So is what is to be made for data of some assets to be `newer_than` a moment.
        """
        found: dict[int, Demand] = {}
        for i, demand in (*self._overdue(), *self._wished(newer_than)):
            for j in self._too_old(i, demand.since):
                known = found.get(j)
                if self._helps(j) and (known is None or known.since < demand.since):
                    found[j] = demand
        return found

    def _overdue(self) -> Iterator[tuple[int, Demand]]:
        """Yield what is overdue by a policy, with how new its data is to be."""
        asked = [(i, policy) for i in self._asked for policy in lag_policies(self._graph.assets[i])]
        for i, policy in asked:
            # How new it will be once all is made that is out of date: what is missing for it is made in the same run.
            at = self._data_times.of(i).soon
            is_ = "is" if self._data_times.of(i).at == at else "would be"
            since = None if at is None else self._ask(policy, at).since
            if at is None or since is None or at >= since:
                continue
            assert policy.maximum_lag is not None, "it says how far data may lie behind"
            key, age = self._graph.keys[i], age_text(policy.maximum_lag)
            told = f"overdue: data of `{key}` may lie {age} behind at most, and {is_} of {time_text(at)}"
            yield i, Demand(since, told)

    def _wished(self, newer_than: Mapping[AssetKey, datetime]) -> Iterator[tuple[int, Demand]]:
        for key, since in newer_than.items():
            at = self._data_times.of(i := self._graph.index(key)).soon
            if at is not None and at < since:
                told = f"data of `{key}` is to be as of {time_text(since)}, and is of {time_text(at)}"
                yield i, Demand(since, told)

    def _too_old(self, i: int, since: datetime) -> Iterable[int]:
        """Return an asset, and all above it, whose data will not reach to a moment."""
        seen, waiting = {i}, [i]
        while waiting:
            for j in self._graph.upstream[waiting.pop()]:
                at = self._data_times.of(j).soon
                if j not in seen and (at is None or at < since):
                    seen.add(j)
                    waiting.append(j)
        return sorted(seen)

    def _helps(self, j: int) -> bool:
        """Tell whether an asset would have newer data if what of it is up to date was made now, too."""
        asset, at = self._graph.assets[j], self._data_times.of(j).soon
        made_anyway = self._data_times.flawed[j] and asset.partitions_def is None
        if not asset.executable or asset.computed_on_read or at is None or made_anyway:
            return False
        above = self._graph.upstream[j]
        return at < ((self._data_times.together(above).soon if above else None) or self._now)
