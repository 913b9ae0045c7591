from __future__ import annotations

from datetime import timedelta

from assetry.plugin import Asset, AssetGraph, AssetKey, Freshness
from assetry_automation.decision.ways import START, Ways, ways_of

SLACK, SECOND = timedelta(minutes=10), timedelta(seconds=1)


def test_what_starting_costs_comes_on_top_of_the_way_once_for_each_invocation_on_it() -> None:
    graph = AssetGraph.of(
        [
            Asset(key="sync", kind="x"),
            Asset(key="stg", kind="x", deps=["sync"]),
            Asset(key="mart", kind="x", deps=["stg"]),
            Asset(key="model", kind="x", deps=["mart"]),
            Asset(key="export", kind="x", deps=["model"]),
        ]
    )
    groups = {AssetKey("sync"): "s", **dict.fromkeys(map(AssetKey, ("stg", "mart", "export")), "dbt")}
    found = ways_of(graph, groups, SLACK, {START: 3.0, "dbt": 20.0, "s": 1.0})
    took = Freshness("met", way=timedelta(minutes=8))
    seconds = {str(key): (found.of(key, took) - 600 * SECOND).total_seconds() for key in graph.keys}
    assert seconds == {"sync": 4, "stg": 24, "mart": 24, "model": 24, "export": 44}


def test_where_nothing_was_started_yet_it_is_the_way_alone_and_the_slack_where_that_is_not_known() -> None:
    graph = AssetGraph.of([Asset(key="a", kind="x")])
    found = ways_of(graph, {}, SLACK, {})
    assert found == Ways(SLACK)
    assert found.of(AssetKey("a"), Freshness("met")) == SLACK
