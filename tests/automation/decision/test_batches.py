from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from assetry.plugin import Asset, AssetGraph, AssetKey, EventRecord, Freshness, FreshnessPolicy, Materialized, Status
from assetry.types.events import InvocationFinished, InvocationStarted, Started
from assetry_automation.decision.batches import Overheads, joint_start, with_riders
from assetry_automation.decision.demands import Demands, demands
from assetry_automation.decision.ways import Ways
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WAYS = Ways()


def lagging(*assets: tuple[str, int, int], group: str = "dbt") -> tuple[Demands, set[str]]:
    """Return what is asked of assets with lags and ages of data in minutes, and those that ride along."""
    defined, known = [], []
    for key, lag, age in assets:
        policy = FreshnessPolicy(maximum_lag=lag * MINUTE)
        defined.append(Asset(key=key, kind="x", freshness_policy=policy))
        at = NOW - age * MINUTE
        led = Freshness("met", at, at + lag * MINUTE, "", "", at + timedelta(microseconds=1))
        known.append(Status(AssetKey(key), "fresh", freshness=led))
    graph = AssetGraph.of(defined)
    asked = demands(known, {}, WAYS, {}, {}, NOW)
    groups = {each.key: group or str(each.key) for each in graph.assets}
    found = with_riders(asked, known, graph, groups, WAYS, NOW)
    return found, {str(key) for key in set(found.newer_than) - set(asked.newer_than)}


def test_what_would_be_due_before_the_next_start_rides_along() -> None:
    # The first is due now, and again in an hour; the second in half an hour, the third in two.
    found, riders = lagging(("a", 60, 60), ("b", 90, 60), ("c", 180, 60))
    assert riders == {"b"}
    assert AssetKey("b") in found.asking
    assert AssetKey("b") not in found.coming
    assert AssetKey("c") in found.coming


def test_nothing_rides_along_where_nothing_starts_or_tools_differ() -> None:
    assert lagging(("a", 60, 30), ("b", 90, 60))[1] == set()
    assert lagging(("a", 60, 60), ("b", 90, 60), group="")[1] == set()


def test_what_shares_a_tool_far_above_rides_along() -> None:
    policy = FreshnessPolicy(maximum_lag=60 * MINUTE)
    defined = [
        Asset(key="sync", kind="x"),
        Asset(key="a", kind="x", deps=["sync"], freshness_policy=policy),
        Asset(key="b", kind="x", deps=["sync"], freshness_policy=policy),
    ]
    old, new = NOW - 60 * MINUTE, NOW - 40 * MINUTE
    known = [
        Status(AssetKey(key), "fresh", freshness=Freshness("met", at, at + 60 * MINUTE, since=at + MINUTE))
        for key, at in (("a", old), ("b", new))
    ]
    graph = AssetGraph.of(defined)
    asked = demands(known, {}, WAYS, {}, {}, NOW)
    found = with_riders(asked, known, graph, {AssetKey("sync"): "airbyte:1"}, WAYS, NOW)
    assert set(found.newer_than) == {AssetKey("a"), AssetKey("b")}


def test_what_was_made_just_now_by_a_tool_of_its_own_does_not_ride_along() -> None:
    policy = FreshnessPolicy(maximum_lag=60 * MINUTE)
    keys = ("a", "b", "c")
    below = [Asset(key=key, kind="x", deps=["sync"], freshness_policy=policy) for key in keys]
    graph = AssetGraph.of([Asset(key="sync", kind="x"), *below])
    made = {"a": NOW - 60 * MINUTE, "b": NOW - 2 * MINUTE, "c": NOW - 40 * MINUTE}
    known = [
        Status(AssetKey(key), "fresh", freshness=Freshness("met", at, at + 60 * MINUTE, since=at + MINUTE))
        for key, at in made.items()
    ]
    groups = {AssetKey(key): f"tool:{key}" for key in ("sync", *keys)}
    found = with_riders(demands(known, {}, WAYS, {}, {}, NOW), known, graph, groups, WAYS, NOW)
    # Each of them saves a sync, and costs a run of its own tool 20 minutes sooner than it had to be, or 58.
    assert set(found.newer_than) == {AssetKey("a"), AssetKey("c")}


def test_what_rides_along_takes_others_along_with_what_it_starts() -> None:
    policy = FreshnessPolicy(maximum_lag=60 * MINUTE)
    deps = {"a": ["one"], "b": ["one", "two"], "c": ["two"]}
    below = [Asset(key=key, kind="x", deps=of, freshness_policy=policy) for key, of in deps.items()]
    graph = AssetGraph.of([Asset(key="one", kind="x"), Asset(key="two", kind="x"), *below])
    made = {"a": NOW - 60 * MINUTE, "b": NOW - 50 * MINUTE, "c": NOW - 50 * MINUTE}
    known = [
        Status(AssetKey(key), "fresh", freshness=Freshness("met", at, at + 60 * MINUTE, since=at + MINUTE))
        for key, at in made.items()
    ]
    groups = {AssetKey(key): f"tool:{key}" for key in ("one", "two", *deps)}
    found = with_riders(demands(known, {}, WAYS, {}, {}, NOW), known, graph, groups, WAYS, NOW)
    assert set(found.newer_than) == {AssetKey("a"), AssetKey("b"), AssetKey("c")}


@given(st.lists(st.integers(0, 600), min_size=1, max_size=8), st.integers(0, 600))
def test_waiting_costs_what_one_more_invocation_costs(seconds: list[int], overhead: int) -> None:
    since = [NOW + timedelta(seconds=each) for each in seconds]
    start = joint_start(since, timedelta(seconds=overhead))
    waited = sum((start - each).total_seconds() for each in since)
    assert start >= max(since)
    assert waited >= overhead - 0.001
    assert start == max(since) or waited <= overhead + 0.001


def learned(records: Iterable[EventRecord]) -> Overheads:
    found = Overheads()
    for each in records:
        found.note(each)
    return found


def test_what_an_invocation_takes_beside_its_assets_is_known_by_its_events() -> None:
    def record(seconds: float, event: object) -> EventRecord:
        return EventRecord(at=NOW + timedelta(seconds=seconds), run="r", invocation="1", event=event)  # type: ignore[arg-type]

    key = AssetKey("a")
    records = [
        record(0, InvocationStarted("dbt", (key,), "dbt:shop")),
        record(4, Started(key)),
        record(9, Materialized(key)),
        record(10, InvocationFinished("succeeded", 10)),
    ]
    assert learned(records).found == {"dbt:shop": 5.0}
    assert learned(records).began == NOW
    assert learned(records[:1] + records[3:]).found == {}
