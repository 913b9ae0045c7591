from __future__ import annotations

import pickle
from typing import Any

import pytest
from assetry.errors import CycleError, DefinitionError
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, HourlyPartitionsDefinition
from assetry.partitions.mappings import MultiPartitionMapping, StaticPartitionMapping, TimeWindowPartitionMapping
from assetry.types.assets import Asset, Dep
from assetry.types.codec import from_json, to_json
from assetry.types.keys import AssetKey

DAYS, HOURS = DailyPartitionsDefinition("2026-01-01"), HourlyPartitionsDefinition("2026-01-01")
BEFORE = TimeWindowPartitionMapping(-1, -1)


def node(key: str, *deps: Any, **given: Any) -> Asset:
    return Asset(key=key, kind="x", deps=deps, source=f"{key}.py:1", **given)


def test_what_dependencies_mean_is_known_where_there_are_partitions() -> None:
    graph = AssetGraph.of([
        node("events", partitions_def=HOURS),
        node("report", "events", "config", partitions_def=DAYS),
        node("config"),
        node("end", "report", "config"),
        node("plain", "config"),
    ])  # fmt: skip
    assert set(graph.links) == {"events", "report", "end"}
    events, config = graph.links[AssetKey("report")]
    assert events is not None
    assert not events.same_numbers
    assert config is not None
    assert config.upstream is None
    assert graph.links[AssetKey("end")][1] is None
    assert pickle.loads(pickle.dumps(graph)).links == graph.links


def test_an_asset_may_read_earlier_partitions_of_itself() -> None:
    graph = AssetGraph.of([node("balance", Dep(AssetKey("balance"), BEFORE), partitions_def=DAYS)])
    assert graph.upstream == ((),)
    assert graph.downstream == ((),)
    assert len(graph["balance"].deps) == len(graph.links[AssetKey("balance")]) == 1
    # By another name of it, too.
    named = node("balance", Dep(AssetKey("old"), BEFORE), partitions_def=DAYS, aliases=["old"])
    assert AssetGraph.of([named]).upstream == ((),)


@pytest.mark.parametrize("mapping", ["same", "all", "last", TimeWindowPartitionMapping(-1, 0)])
def test_an_asset_may_read_nothing_else_of_itself(mapping: Any) -> None:
    with pytest.raises(DefinitionError, match="depends on itself") as caught:
        node("balance", Dep(AssetKey("balance"), mapping), partitions_def=DAYS)
    assert "TimeWindowPartitionMapping(-1, -1)" in (caught.value.hint or "")
    with pytest.raises(DefinitionError, match="depends on itself"):
        node("balance", Dep(AssetKey("balance"), BEFORE))
    with pytest.raises(DefinitionError, match="depends on itself"):
        AssetGraph.of([node("balance", Dep(AssetKey("old"), mapping), partitions_def=DAYS, aliases=["old"])])


def test_a_cycle_of_two_names_the_way_out() -> None:
    with pytest.raises(CycleError) as caught:
        AssetGraph.of([
            node("a", "b", partitions_def=DAYS),
            node("b", Dep(AssetKey("a"), BEFORE), partitions_def=DAYS),
        ])  # fmt: skip
    assert "may read earlier partitions of itself" in (caught.value.hint or "")


def test_what_has_no_meaning_is_an_error_of_the_graph_with_both_assets_and_the_place() -> None:
    up, other = StaticPartitionsDefinition(["1", "2"]), StaticPartitionsDefinition(["A", "B"])
    with pytest.raises(DefinitionError, match=r"`other` has the partitions 'A', 'B'.*`up`") as caught:
        AssetGraph.of([node("up", partitions_def=up), node("other", "up", partitions_def=other)])
    assert caught.value.where == "other.py:1"
    with pytest.raises(DefinitionError, match="`b` has no partitions"):
        AssetGraph.of([node("a"), node("b", Dep(AssetKey("a"), BEFORE))])


@pytest.mark.parametrize(
    "mapping",
    [
        "last",
        BEFORE,
        TimeWindowPartitionMapping(0, 3, "upstream"),
        StaticPartitionMapping({"eu": ["de", "fr"], "us": "us", "asia": []}),
        MultiPartitionMapping({"date": BEFORE, "region": "all"}, upstream={"date": "day"}),
    ],
)
def test_mappings_travel_as_json_and_pickled(mapping: Any) -> None:
    asset = node("a", Dep(AssetKey("b"), mapping), partitions_def=DAYS)
    assert from_json(Asset, to_json(asset)) == asset
    assert pickle.loads(pickle.dumps(asset)) == asset
    assert hash(mapping) == hash(pickle.loads(pickle.dumps(mapping)))
