from __future__ import annotations

import dataclasses
import json
import pickle
from datetime import timedelta
from typing import Any

import pytest
from assetry.errors import DefinitionError
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.types.assets import Asset, AssetCheck, Check, Column, Dep, Integration, Relation
from assetry.types.codec import from_json, to_json
from assetry.types.keys import AssetKey
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy

FULL = Asset(
    key="shop/orders",
    kind="dbt",
    deps=["shop/raw", Dep(AssetKey("x"), "all", "x", {"why": "because"})],
    integration=Integration("transform", "dbt", {"project_dir": "transform"}),
    spec={"unique_id": "model.shop.orders", "deep": {"list": [1, None, True]}},
    description="All orders.",
    group="sales",
    owners=["data@example.com"],
    tags=["nightly"],
    metadata={"rows": 3},
    columns_are="all",
    columns=[Column("id", "integer", "The number.", ("pii",))],
    checks=[
        Check(
            "not_null_id",
            "warn",
            (AssetKey("x"),),
            spec={"n": 1},
            tags=("strict",),
            fqn=("shop", "not_null_id"),
            reads=(AssetKey("m"),),
        )
    ],
    relation=("db", None, "orders"),
    source="models/orders.sql",
    code_version="1",
    code_parts={"body": "a"},
    partitions_def=DailyPartitionsDefinition("2024-01-01", timezone="Europe/Berlin"),
    partition_column="day",
    pool="warehouse",
    weight=2,
    freshness_policy=FreshnessPolicy(timedelta(hours=6)),
    retry_policy=RetryPolicy(3, 1.5, 2.0),
    automation=AutomationPolicy("overdue"),
    executable=False,
    consumer=True,
    computed_on_read=True,
    resource_type="model",
    facets={"package": "shop", "source": [["raw"], ["raw", "orders"]], "config": {"meta": {"pii": True, "n": None}}},
    fqn=["shop", "marts", "orders"],
    version="2",
    aliases=["shop/raw/orders"],
    joins="other/orders",
    fallback=True,
    inlined=True,
    reads=["shop/middle"],
    io="memory:",
    kept=True,
    lasting=False,
    incremental=True,
    refreshable=False,
    grows="append",
)


def test_every_field_travels_as_json_and_pickled() -> None:
    plain = Asset(key="a", kind="x")
    unset = [
        field.name for field in dataclasses.fields(Asset) if getattr(FULL, field.name) == getattr(plain, field.name)
    ]
    assert unset == []
    for asset in (FULL, plain, dataclasses.replace(FULL, fqn=None)):
        assert from_json(Asset, to_json(asset)) == asset
        assert pickle.loads(pickle.dumps(asset)) == asset
    assert to_json(plain) == {"key": "a", "kind": "x"}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"deps": [Dep(AssetKey("up"), "lsat")]}, "Dependency 'up' of asset 'a' has the partition_mapping 'lsat'"),
        ({"checks": [Check("c", "fatal")]}, "Check 'c' of asset 'a' has the severity 'fatal'"),
        ({"checks": [Check("c", None)]}, "Check 'c' of asset 'a' has the severity None"),  # type: ignore[arg-type]
    ],
)
def test_words_of_no_meaning_are_refused_with_asset_and_place(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        Asset(key="a", kind="x", source="assets.py:3", **parts)
    assert caught.value.message.startswith(message)
    assert caught.value.where == "assets.py:3"


def test_a_check_that_stands_apart_travels_as_json_and_pickled() -> None:
    check = Check("no_gaps", also=(AssetKey("a"),), spec={"n": 1}, counted=False, facets={"test_name": "gaps"})
    for apart in (
        AssetCheck(AssetKey("shop/orders"), check, Integration("q", "acme", {"x": [1]})),
        AssetCheck(AssetKey("orders"), Check("ok")),
    ):
        assert from_json(AssetCheck, json.loads(json.dumps(to_json(apart)))) == apart
        assert pickle.loads(pickle.dumps(apart)) == apart


def test_written_forms_become_values() -> None:
    assert FULL.deps == (Dep(AssetKey("shop/raw")), Dep(AssetKey("x"), "all", "x", {"why": "because"}))
    assert type(FULL.deps[0].key) is AssetKey
    assert FULL.relation == Relation("db", None, "orders")
    assert str(FULL.relation) == "db.orders"
    assert (FULL.owners, FULL.fqn, FULL.aliases) == (
        ("data@example.com",),
        ("shop", "marts", "orders"),
        ("shop/raw/orders",),
    )
    assert type(FULL.aliases[0]) is type(FULL.joins) is AssetKey
    assert Asset(key=("a", "b"), kind="x").key == "a/b"


def test_an_asset_is_a_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        FULL.description = "other"  # type: ignore[misc]
    assert hash(FULL) == hash(dataclasses.replace(FULL, description="other"))
    assert dataclasses.replace(FULL, description="other") != FULL
    assert len({Integration("a", "dbt", {"x": 1}), Integration("a", "dbt", {"x": 1})}) == 1


def test_an_asset_that_needs_itself_is_refused() -> None:
    with pytest.raises(DefinitionError) as caught:
        Asset(key="a", kind="python", deps=["b", "a"], source="assets.py:3")
    assert caught.value.where == "assets.py:3"
    assert caught.value.hint


@pytest.mark.parametrize("wrong", [["a//b"], [""], [("a", "")]])
def test_a_dependency_that_is_no_key_is_refused(wrong: list[str]) -> None:
    with pytest.raises(DefinitionError):
        Asset(key="a", kind="python", deps=wrong)


def test_policies_refuse_what_cannot_be() -> None:
    with pytest.raises(DefinitionError):
        FreshnessPolicy(timedelta(0))
    with pytest.raises(DefinitionError):
        RetryPolicy(-1)
    with pytest.raises(DefinitionError):
        AutomationPolicy("sometimes")
