"""What a manifest asks of how new data is, and of when a model is made without being asked."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from assetry.automation import eager, on_cron
from assetry.plugin import Asset, DefinitionError, FreshnessPolicy, Integration
from assetry_dbt.manifest.assets import Placement, assets_of
from assetry_dbt.manifest.code import CodeVersions
from assetry_dbt.manifest.manifest import Node, decode_manifest
from assetry_dbt.manifest.policies import automation_policy
from assetry_dbt.outside.observe import has_freshness

from tests.dbt.manifest.test_uses import item, model, sections

HOURS, DAY = {"count": 6, "period": "hour"}, {"count": 1, "period": "day"}
CLOCK = {"cron": "0 9 * * MON-FRI", "timezone": "Europe/Berlin"}


def asked(freshness: Any) -> dict[str, Any]:
    return {"meta": {"assetry": {"freshness": freshness}}}


def source(name: str, **more: Any) -> dict[str, Any]:
    return item(f"source.shop.raw.{name}", **{"source_name": "raw", "name": name, **more})


def assets(*items: dict[str, Any]) -> dict[str, Asset]:
    decoded = decode_manifest(json.dumps(sections(*items)).encode())
    found = assets_of(decoded, Placement(Integration("transform", "dbt"), "shop", "dev"), CodeVersions(decoded))
    return {asset.key.name: asset for asset in found}


def test_models_sources_and_exposures_ask_by_their_meta() -> None:
    found = assets(
        source("clicks", freshness={"warn_after": HOURS, "error_after": DAY}, **asked({"maximum_lag": DAY})),
        source("views", config=asked({"maximum_lag": HOURS})),
        source("users"),
        model("orders", "source.shop.raw.clicks", **asked({"max_age": DAY})),
        item("exposure.shop.board", "model.shop.orders", config=asked({"maximum_lag": HOURS, **CLOCK})),
        item("metric.shop.revenue", "model.shop.orders", **asked({"maximum_lag": DAY})),
    )
    hours, day = timedelta(hours=6), timedelta(days=1)
    assert {name: asset.freshness_policy for name, asset in found.items()} == {
        "clicks": FreshnessPolicy(hours, maximum_lag=day),
        "views": FreshnessPolicy(maximum_lag=hours),
        "users": None,
        "orders": FreshnessPolicy(day),
        "board": FreshnessPolicy(maximum_lag=hours, **CLOCK),
        "revenue": FreshnessPolicy(maximum_lag=day),
    }
    # dbt looks at what has its own `freshness:`, and at nothing else.
    assert [name for name, asset in found.items() if has_freshness(asset)] == ["clicks"]


@pytest.mark.parametrize(
    ("freshness", "said", "near"),
    [
        ("6h", "is '6h'", ()),
        ({}, "is {}", ()),
        ({"maximum_lags": HOURS}, "has 'maximum_lags', which does not exist", ("maximum_lag",)),
        ({"maximum_lag": "6h"}, "has '6h' as its maximum_lag", ()),
        ({"maximum_lag": {"count": 6, "period": "week"}}, "as its maximum_lag", ()),
        ({"maximum_lag": {"count": True, "period": "hour"}}, "as its maximum_lag", ()),
        ({"cron": "0 9 * * *"}, "is not possible: FreshnessPolicy(cron=…)", ()),
        ({"maximum_lag": HOURS, "cron": "nine"}, "is not possible: ", ()),
    ],
)
def test_what_meta_says_wrongly_is_named_with_its_place(freshness: Any, said: str, near: tuple[str, ...]) -> None:
    with pytest.raises(DefinitionError) as caught:
        assets(item("exposure.shop.board", **asked(freshness)))
    assert "of exposure.shop.board" in caught.value.message
    assert said in caught.value.message
    assert (caught.value.where, caught.value.near[:1]) == ("models/board.yml", near)
    assert caught.value.hint


def test_the_age_of_a_source_is_said_as_dbt_says_it() -> None:
    with pytest.raises(DefinitionError, match="which dbt says in another way") as caught:
        assets(source("clicks", **asked({"max_age": DAY})))
    assert "warn_after" in str(caught.value.hint)


def automated(**config: Any) -> Node:
    return Node("model.shop.orders", "orders", "model", config=config, original_file_path="models/orders.sql")


def test_meta_goes_before_build_after() -> None:
    after = {"build_after": {"count": 15, "period": "minute", "updates_on": "all"}}
    every = eager(every=timedelta(minutes=15))
    assert automation_policy(automated(freshness=after)) == every
    assert automation_policy(
        automated(freshness=after, meta={"assetry": {"automation": {"cron": "@daily"}}})
    ) == on_cron("@daily")
    del after["build_after"]["updates_on"]
    assert automation_policy(automated(freshness=after)) == every.wait_for("any")


@pytest.mark.parametrize("given", [None, {}, {"build_after": None}, {"build_after": {"count": None}}, "1h"])
def test_what_says_nothing_is_no_policy(given: Any) -> None:
    assert automation_policy(automated(freshness=given)) is None


def test_a_wrong_word_is_told_with_model_and_file() -> None:
    with pytest.raises(DefinitionError, match=r"of model.shop.orders: automation='eeger'") as raised:
        automation_policy(automated(meta={"assetry": {"automation": "eeger"}}))
    assert raised.value.where == "models/orders.sql"
