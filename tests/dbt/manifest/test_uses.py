"""Metrics, semantic models, saved queries and exposures: assets of the lineage that nothing makes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from assetry.graph.graph import AssetGraph
from assetry.plugin import Asset, AssetKey, Integration, Materialization
from assetry_dbt.manifest.assets import Placement, assets_of
from assetry_dbt.manifest.code import CodeVersions
from assetry_dbt.manifest.manifest import decode_manifest
from assetry_dbt.project.dbt_ls import only_listed

from tests.judged import statuses


def item(unique_id: str, *upstream: str, **more: Any) -> dict[str, Any]:
    kind, _, name = unique_id.partition(".shop.")
    return {
        "unique_id": unique_id,
        "name": name,
        "resource_type": kind,
        "package_name": "shop",
        "fqn": ["shop", name],
        "depends_on": {"nodes": list(upstream)},
        "original_file_path": f"models/{name}.yml",
        **more,
    }


def model(name: str, *upstream: str, materialized: str = "table", **more: Any) -> dict[str, Any]:
    code = {"raw_code": f"select '{name}'", "checksum": {"name": "sha256", "checksum": name}}
    place = {"database": "shop", "schema": "main", "alias": name, "config": {"materialized": materialized}}
    return item(f"model.shop.{name}", *upstream, **code, **place, **more)


def sections(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"nodes": {}, **more}
    where = {"model": "nodes", "metric": "metrics", "saved_query": "saved_queries", "exposure": "exposures"}
    for each in items:
        section = where.get(each["resource_type"], f"{each['resource_type']}s")
        found.setdefault(section, {})[each["unique_id"]] = each
    return found


LAYER = sections(
    model("orders"),
    model("middle", "model.shop.orders", materialized="ephemeral"),
    item("semantic_model.shop.orders", "model.shop.middle", label="Orders", group="finance"),
    item("metric.shop.revenue", "semantic_model.shop.orders", type="simple", config={"meta": {"owner": "ann"}}),
    item("metric.shop.twice", "metric.shop.revenue", type="derived", tags=["money"]),
    item("metric.shop.off", "metric.shop.revenue", config={"enabled": False}),
    item("saved_query.shop.weekly", "metric.shop.twice", exports=[{"name": "to_table", "config": {}}]),
    item("exposure.shop.board", "metric.shop.twice", "model.shop.middle", type="dashboard", label=None),
)


def assets(manifest: dict[str, Any]) -> list[Asset]:
    decoded = decode_manifest(json.dumps(manifest).encode())
    return assets_of(decoded, Placement(Integration("transform", "dbt"), "shop", "dev"), CodeVersions(decoded))


@pytest.fixture
def layer() -> dict[str, Asset]:
    return {str(each.key): each for each in assets(LAYER)}


def test_each_is_an_asset_that_only_reads_and_depends_on_what_it_is_asked_of(layer: dict[str, Asset]) -> None:
    deps = {key: [str(dep.key) for dep in asset.deps] for key, asset in layer.items() if asset.consumer}
    assert deps == {
        "shop/semantic_model/orders": ["shop/orders"],
        "shop/metric/revenue": ["shop/semantic_model/orders"],
        "shop/metric/twice": ["shop/metric/revenue"],
        "shop/saved_query/weekly": ["shop/metric/twice"],
        "shop/exposure/board": ["shop/metric/twice", "shop/orders"],
    }
    assert not any(asset.executable or asset.inlined for asset in layer.values() if asset.consumer)
    assert {key: asset.resource_type for key, asset in layer.items() if asset.consumer}["shop/metric/twice"] == "metric"


def test_what_is_said_of_them_comes_along(layer: dict[str, Asset]) -> None:
    revenue, weekly = layer["shop/metric/revenue"], layer["shop/saved_query/weekly"]
    assert (revenue.owners, revenue.metadata["type"], revenue.source) == (("ann",), "simple", "models/revenue.yml")
    assert layer["shop/metric/twice"].tags == ("money",)
    assert weekly.metadata["exports"] == "to_table"
    assert (layer["shop/semantic_model/orders"].group, layer["shop/semantic_model/orders"].metadata["label"]) == (
        "finance",
        "Orders",
    )
    assert "label" not in layer["shop/exposure/board"].metadata


def test_a_name_means_the_table_and_not_the_metric() -> None:
    graph = AssetGraph.of(
        assets(sections(model("revenue"), item("metric.shop.revenue", "model.shop.revenue", type="simple")))
    )
    assert graph.find("revenue") == AssetKey("shop/revenue")


def test_a_source_called_metric_keeps_its_key() -> None:
    source = item("source.shop.metric.revenue", source_name="metric") | {"name": "revenue"}
    found = assets(sections(item("metric.shop.revenue"), sources={"source.shop.metric.revenue": source}))
    assert {str(each.key): each.resource_type for each in found} == {
        "shop/metric/revenue": "source",
        "shop/metrics/revenue": "metric",
    }


def test_what_is_out_of_date_is_told_to_the_end_of_the_chain(layer: dict[str, Asset]) -> None:
    graph = AssetGraph.of(layer.values())
    at = datetime(2026, 1, 1, tzinfo=UTC)
    made = Materialization(key=AssetKey("shop/orders"), at=at, run="r", data_version="1", code_version="other")
    found = {each.key.name: each for each in statuses(graph, {(made.key, None): made}, {}, now=at)}
    assert found["orders"].status in ("stale", "external")
    for name in ("revenue", "twice", "weekly", "board"):
        assert found[name].status == "external"
        assert [(each.code, str(each.asset)) for each in found[name].reasons] == [("upstream_changed", "shop/orders")]


def test_a_model_that_asks_a_metric_is_made_from_tables_as_before() -> None:
    """dbt 1.5 and older let models call metrics."""
    found = {str(each.key): each for each in assets(sections(*LAYER["nodes"].values(), model("late", "metric.shop.m"),
             item("metric.shop.m", "model.shop.orders")))}  # fmt: skip
    assert [str(dep.key) for dep in found["shop/late"].deps] == ["shop/orders"]


def test_those_that_dbt_does_not_list_are_left_out(layer: dict[str, Asset]) -> None:
    listed = frozenset({"model.shop.orders", "metric.shop.twice"})
    assert {str(each.key) for each in only_listed(layer.values(), listed)} == {
        "shop/orders",
        "shop/metric/twice",
        "shop/metric/revenue",  # it is read
    }
