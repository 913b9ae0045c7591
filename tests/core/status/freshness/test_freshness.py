"""Whether data is as new as policies ask: what is at risk, what is overdue, and what is made anew for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry.errors import DefinitionError
from assetry.graph.graph import AssetGraph
from assetry.status.freshness.freshness import Freshness, needed_durations
from assetry.status.staleness import Status, judge
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.policies import FreshnessPolicy
from assetry.types.records import Look, Materialization

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)  # a Monday
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def lag(hours: float, **more: Any) -> FreshnessPolicy:
    return FreshnessPolicy(maximum_lag=hours * HOUR, **more)


def asset(key: str, *deps: str, **more: Any) -> Asset:
    return Asset(**{"key": key, "kind": "x", "deps": deps, **more})


class World:
    """Assets, each made at noon from what was there an hour before, unless something else is said."""

    def __init__(self, *assets: Asset, took: dict[str, list[float]] | None = None) -> None:
        self.graph = AssetGraph.of(assets)
        self.latest: dict[Any, Materialization] = {}
        self.looks: dict[Any, Look] = {}
        self.took = {AssetKey(key): seconds for key, seconds in (took or {}).items()}
        for each in self.graph.assets:
            if not each.consumer:
                self.make(each.key)

    def make(self, key: str, at: datetime = NOON, as_of: datetime | None = None, version: str = "1") -> None:
        inputs = {dep.key: self.latest[dep.key, None].data_version for dep in self.graph[key].deps}
        self.latest[AssetKey(key), None] = Materialization(
            **{"key": AssetKey(key), "at": at, "run": "r", "data_version": version, "inputs": inputs},
            as_of=as_of or at - HOUR,
        )

    def statuses(self, now: datetime) -> dict[str, Status]:
        found = judge(self.graph, self.latest, {}, now=now, looks=self.looks, durations=self.took)
        return {str(each.key): each for each in found.statuses}

    def fresh(self, key: str, now: datetime) -> Freshness:
        found = self.statuses(now)[key].freshness
        assert found is not None
        return found

    def states(self, key: str, start: datetime, *minutes: int) -> list[str]:
        return [self.fresh(key, start + each * MINUTE).state for each in minutes]


def test_data_is_at_risk_when_the_way_to_newer_takes_longer_than_there_is_time() -> None:
    took = {"raw": [600.0], "b": [60.0] * 19 + [9000.0], "c": [1.0] * 18 + [1200.0, 1300.0]}
    world = World(asset("raw"), asset("b", "raw"), asset("c", "b", freshness_policy=lag(3)), took=took)
    # Its data is of eleven, so that newer is due at two; raw takes 10 minutes, b mostly 1, c up to 20.
    assert world.fresh("c", NOON).deadline == NOON + 2 * HOUR
    assert world.states("c", NOON, 0, 89, 90, 120, 121) == ["met", "met", "at_risk", "at_risk", "overdue"]
    assert "which takes 31 min" in world.fresh("c", NOON + 90 * MINUTE).text


def test_what_reaches_further_already_is_not_made_again_on_the_way() -> None:
    took = {"raw": [3600.0], "b": [60.0]}
    world = World(asset("raw"), asset("b", "raw", freshness_policy=lag(3)), took=took)
    world.make("raw", NOON + HOUR, version="2")  # as of noon: b alone is left to be made
    assert world.statuses(NOON + HOUR)["b"].status == "stale"
    assert world.states("b", NOON + 2 * HOUR, -2, 0) == ["met", "at_risk"]
    assert "which takes 1 min" in world.fresh("b", NOON + 2 * HOUR).text


def test_views_and_dashboards_are_as_new_as_what_they_read() -> None:
    world = World(
        asset("raw"),
        asset("old"),
        asset("view", "raw", "old", computed_on_read=True, freshness_policy=lag(2)),
        asset("board", "view", executable=False, consumer=True, freshness_policy=FreshnessPolicy(2 * HOUR)),
    )
    world.make("old", NOON - HOUR)
    for key in ("view", "board"):
        assert world.fresh(key, NOON - MINUTE) == world.fresh("view", NOON - MINUTE)
        assert world.states(key, NOON, 0, 1) == ["met", "overdue"]
    found = world.statuses(NOON + MINUTE)
    assert (found["old"].status, found["raw"].status, found["view"].status) == ("stale", "fresh", "fresh")
    assert found["old"].reasons[0].text.startswith("overdue: data of `view` may lie 2 hours behind at most")


def test_a_sync_that_moved_nothing_makes_all_that_is_below_as_new_as_it() -> None:
    world = World(asset("raw", executable=False), asset("b", "raw", freshness_policy=lag(2)))
    at = NOON + 2 * HOUR
    assert world.states("b", at, 0) == ["overdue"]
    world.looks[AssetKey("raw"), None] = Look(key=AssetKey("raw"), at=at, data_version="1", as_of=at - HOUR)
    assert world.states("b", at, 0, 60, 61) == ["met", "met", "overdue"]
    assert world.fresh("b", at).data_time == at - HOUR
    # What nothing here loads is nothing to be made.
    assert {each.status for each in world.statuses(at + 2 * HOUR).values()} == {"external", "fresh"}


def test_what_was_ended_is_overdue_until_what_came_after_that() -> None:
    again = NOON + HOUR
    ended = FreshnessPolicy(ended="it was off", again=again, max_age=2 * HOUR)
    world = World(
        asset("raw"), asset("seen", executable=False, freshness_policy=ended), asset("b", freshness_policy=ended)
    )
    for key, at in (("seen", again + HOUR), ("b", again)):  # data of an hour before is what was seen
        assert (world.states(key, again, 0), world.fresh(key, again).text) == (["overdue"], "it was off")
        world.make(key, at)
        assert world.states(key, again, 60, 120, 121) == ["met", "met", "overdue"]
    lasting = World(asset("b", freshness_policy=FreshnessPolicy(ended="it is off")))
    lasting.make("b", again)
    assert lasting.states("b", again, 0) == ["overdue"]


def test_with_a_clock_data_matters_at_its_ticks_alone() -> None:
    policy = lag(2, cron="0 9 * * MON-FRI", timezone="Europe/Berlin")  # at eight in UTC
    world = World(asset("raw"), asset("b", "raw", freshness_policy=policy), took={"raw": [1800.0]})
    tuesday = NOON.replace(day=6, hour=8)
    assert world.fresh("b", NOON).deadline == tuesday
    assert world.states("b", tuesday, -31, -29, 0) == ["met", "at_risk", "overdue"]
    world.make("raw", tuesday - 61 * MINUTE)  # as of a minute too early
    world.make("b", tuesday - HOUR)
    assert world.states("b", tuesday, 0) == ["overdue"]
    world.make("raw", tuesday - HOUR)
    # It is new enough for the tick as well as just before it, when there was no time to make it anew.
    assert world.states("b", tuesday, -1, 0) == ["met", "met"]
    assert world.fresh("b", tuesday).deadline == tuesday.replace(day=7)
    friday = NOON.replace(day=9)
    assert world.states("b", friday, 0) == ["overdue"]
    world.make("raw", friday.replace(hour=20))
    assert world.fresh("b", friday.replace(day=11)).deadline == NOON.replace(day=12, hour=8), "no tick at the weekend"
    assert world.states("b", friday.replace(day=11), 0) == ["met"]


def test_what_asks_for_what_never_was_is_doubted() -> None:
    took = {"raw": [3000.0, 4000.0], "b": [700.0, 800.0]}
    world = World(asset("raw"), asset("b", "raw", freshness_policy=lag(1)), took=took)
    note = world.statuses(NOON)["b"].note
    assert note == "its data may lie 1 hour behind at most, and the way to it never took less than 1 h 1 min"


def test_the_age_of_an_asset_itself_counts_from_when_it_was_made() -> None:
    world = World(asset("b", freshness_policy=FreshnessPolicy(2 * HOUR)), took={"b": [600.0]})
    assert world.states("b", NOON + 2 * HOUR, -11, -9, 1) == ["met", "at_risk", "overdue"]
    both = World(asset("b", freshness_policy=FreshnessPolicy(5 * HOUR, maximum_lag=2 * HOUR)))
    assert both.fresh("b", NOON).deadline == NOON + HOUR
    assert both.states("b", NOON, 60, 61) == ["met", "overdue"]


def test_nothing_is_known_of_what_was_never_seen() -> None:
    raw, seen = asset("raw", executable=False), asset("seen")
    world = World(raw, seen, asset("b", "raw", "seen", computed_on_read=True, freshness_policy=lag(2)))
    del world.latest[AssetKey("raw"), None]
    found = world.fresh("b", NOON)
    assert (found.state, found.text) == ("unknown", "nothing is known of how old `raw` is")
    # What is known of the rest suffices to know that it is too old.
    assert world.states("b", NOON + 2 * HOUR, 0) == ["overdue"]
    never = World(asset("b", freshness_policy=lag(2)))
    never.latest.clear()
    assert (never.fresh("b", NOON).state, never.fresh("b", NOON).text) == ("overdue", "it was never made")


def test_a_dashboard_is_overdue_where_what_it_shows_was_never_made() -> None:
    board = asset("board", "view", executable=False, consumer=True, freshness_policy=lag(2))
    world = World(asset("raw"), asset("b", "raw"), asset("view", "b", computed_on_read=True), board)
    assert world.fresh("board", NOON).state == "met"
    del world.latest[AssetKey("b"), None]
    assert (world.fresh("board", NOON).state, world.fresh("board", NOON).text) == ("overdue", "`b` was never made")


def test_what_is_late_is_asked_for_again_when_what_is_there_by_then_is_too_old() -> None:
    world = World(asset("raw"), asset("b", "raw", freshness_policy=lag(2)))
    world.make("raw", NOON + HOUR, version="2")  # as of noon, and b is not made of it
    moment = timedelta(microseconds=1)
    for minutes in (50, 90, 119):
        assert world.fresh("b", NOON + minutes * MINUTE).again == NOON + 2 * HOUR + moment
    assert world.statuses(NOON + 2 * HOUR)["raw"].status == "fresh"
    assert world.statuses(NOON + 2 * HOUR + moment)["raw"].status == "stale"
    clock = World(asset("raw"), asset("b", "raw", freshness_policy=lag(2, cron="0 9 * * *")))
    assert clock.fresh("b", NOON).again == NOON + 21 * HOUR + moment


def test_what_was_never_made_is_made_from_what_is_new_enough_for_it() -> None:
    world = World(asset("raw"), asset("b", "raw", freshness_policy=lag(2)))
    del world.latest[AssetKey("b"), None]
    assert world.statuses(NOON + HOUR)["raw"].status == "fresh"
    # Nor does it matter how new the data seems of what is out of date.
    stale = World(asset("raw"), asset("b", "raw", freshness_policy=lag(2)))
    stale.make("b", NOON + 2 * HOUR)
    stale.make("raw", NOON - HOUR, version="2")
    assert {each.status for each in stale.statuses(NOON + 2 * HOUR).values()} == {"stale"}
    (reason,) = world.statuses(NOON + 2 * HOUR)["raw"].reasons
    assert reason.text.endswith("may lie 2 hours behind at most, and would be of 2026-01-05 11:00:00 UTC")


def test_only_what_policies_ask_about_is_looked_up() -> None:
    graph = AssetGraph.of([asset("raw"), asset("b", "raw", freshness_policy=lag(1)), asset("c", "b")])
    assert needed_durations(graph) == {"raw", "b"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "says nothing"),
        ({"maximum_lag": timedelta(0)}, "maximum_lag=…"),
        ({"max_age": 5}, "max_age=…"),
        ({"cron": "0 9 * * *"}, "not how old data may be"),
        ({"maximum_lag": HOUR, "timezone": "Europe/Berlin"}, "without cron"),
        ({"maximum_lag": HOUR, "cron": "nine"}, "nine"),
        ({"maximum_lag": HOUR, "cron": 9}, "is no cron text"),
        ({"maximum_lag": HOUR, "cron": "0 9 * * *", "timezone": "Europe/Berlyn"}, "Berlyn"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        FreshnessPolicy(**given)
    assert said in caught.value.message
    assert caught.value.hint
