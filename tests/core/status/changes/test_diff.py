"""How definitions differ: each part told, nothing that is the same, nothing that is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, HourlyPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.status.changes.definition import PARTS, Definition, definition_of, definitions_of, digest
from assetry.status.changes.diff import Change, Differences, differences
from assetry.status.changes.following import following, predicted
from assetry.types.assets import Asset, Check, Column, Dep, Integration
from assetry.types.codec import from_json, to_json
from assetry.types.keys import AssetKey
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 20, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-01")
WHOLE_ASSET = Asset(
    key="shop/orders",
    kind="dbt",
    integration=Integration("transform", "dbt"),
    deps=["shop/raw", Dep(AssetKey("shop/other"), TimeWindowPartitionMapping(-1, 0))],
    columns=[Column("id", "integer"), Column("note")],
    code_version="1",
    code_parts={"body": "b1", "config": "c1"},
    partitions_def=DAYS,
    relation=("db", "main", "orders"),
    freshness_policy=FreshnessPolicy(timedelta(hours=6)),
    retry_policy=RetryPolicy(2),
    automation=AutomationPolicy("stale"),
    checks=[Check("unique"), Check("few", "warn")],
    owners=["ana"],
    tags=["daily"],
    group="marts",
    description="Orders.",
)

#: What changes, and the part that tells it with what it says.
CHANGES: list[tuple[dict[str, Any], str, str]] = [
    ({"kind": "python", "integration": None}, "made by", "it is made by python, not by dbt"),
    ({"integration": Integration("other", "dbt")}, "made by", "it is made by other, not by transform"),
    ({"executable": False}, "made by", "nothing here makes it any more"),
    ({"code_version": "2", "code_parts": {"body": "b2", "config": "c1"}}, "code", "its body changed"),
    ({"code_version": "2", "code_parts": {}}, "code", "its body and config changed"),
    ({"deps": ["shop/raw", "shop/new", *WHOLE_ASSET.deps[1:]]}, "reads", "it now reads `shop/new`"),
    ({"deps": WHOLE_ASSET.deps[:1]}, "reads", "it no longer reads `shop/other`"),
    ({"deps": ["shop/raw", "shop/other"]}, "reads", "it reads other partitions of `shop/other`"),
    (
        {"columns": [Column("id", "integer"), Column("note"), Column("at", "date")]},
        "columns",
        "column `at` is new, date",
    ),
    ({"columns": [Column("note"), Column("id", "text")]}, "columns", "column `id` is text, was integer"),
    ({"columns": [Column("id", "integer")]}, "columns", "column `note` is gone"),
    ({"partitions_def": None}, "partitions", "its partitions are none, were daily (from 2026-01-01)"),
    ({"relation": (None, None, "orders")}, "table", "its table is orders, was db.main.orders"),
    ({"freshness_policy": FreshnessPolicy(timedelta(hours=1))}, "policy", "freshness: 1:00:00, was 6:00:00"),
    (
        {"freshness_policy": FreshnessPolicy(maximum_lag=timedelta(hours=6))},
        "policy",
        "freshness: maximum_lag 6:00:00, was 6:00:00",
    ),
    ({"automation": None}, "policy", "automation: none, was as usual"),
    ({"grows": "append"}, "policy", "grows: append, was none"),
    ({"pool": "warehouse", "weight": 2}, "policy", "pool: warehouse, 2 slots, was none"),
    (
        {"checks": [Check("unique", "warn"), Check("few", "warn")]},
        "checks",
        "check `unique` is of severity warn, was error",
    ),
    ({"checks": [Check("few", "warn"), Check("new")]}, "checks", "check `new` is new"),
    ({"owners": ["ben"], "tags": []}, "about", "its owners and tags changed"),
    ({"description": "All orders.", "owners": [], "group": None}, "about", "its description, owners, group changed"),
]


def told(before: Asset, now: Asset) -> list[Change]:
    numbering = Numbering(AssetGraph.of([replace(now, deps=())]), now=NOW)
    found = differences(definitions_of([before]), definitions_of([now]), numbering.existing)
    assert not found.added
    assert not found.removed
    return [change for each in found.changed for change in each.changes]


@pytest.mark.parametrize(("change", "part", "text"), CHANGES, ids=[text for _, _, text in CHANGES])
def test_each_part_is_told_by_what_changed_in_it(change: dict[str, Any], part: str, text: str) -> None:
    found = told(WHOLE_ASSET, replace(WHOLE_ASSET, **change))
    assert {each.part for each in found} == {part}
    assert text in [each.text for each in found]
    of_data = part in ("made by", "code", "reads", "table")
    if part != "partitions":
        assert {len(each.parts) for each in found} == {19 if of_data else 0}


def test_what_is_the_same_is_no_difference_whatever_its_order() -> None:
    turned = replace(WHOLE_ASSET, columns=WHOLE_ASSET.columns[::-1], deps=WHOLE_ASSET.deps[::-1])
    assert told(WHOLE_ASSET, turned) == []
    assert told(WHOLE_ASSET, replace(WHOLE_ASSET, spec={"x": 1}, metadata={"y": 2}, facets={"z": [1]})) == []


def test_a_code_that_is_not_known_is_no_difference() -> None:
    assert told(replace(WHOLE_ASSET, code_version=None, code_parts={}), WHOLE_ASSET) == []


@pytest.mark.parametrize(
    ("before", "now", "further"),
    [
        (None, DAYS, 19),
        (HourlyPartitionsDefinition("2026-01-01"), DAYS, 19),
        (DailyPartitionsDefinition("2026-01-01", timezone="Europe/Berlin"), DAYS, 19),
        (DailyPartitionsDefinition("2026-01-11"), DAYS, 10),
        (DAYS, DailyPartitionsDefinition("2026-01-11"), 0),
        (DAYS, None, 1),
        (StaticPartitionsDefinition(["eu", "us"]), StaticPartitionsDefinition(["as", "us", "eu"]), 1),
    ],
)
def test_other_partitions_make_just_those_that_were_not_there(before: Any, now: Any, further: int) -> None:
    plain = Asset(key="a", kind="x")
    (change,) = told(replace(plain, partitions_def=before), replace(plain, partitions_def=now))
    assert (change.part, len(change.parts)) == ("partitions", further)


def test_what_came_and_went_is_told_and_a_new_name_of_the_same_code() -> None:
    old = Asset(key="old", kind="x", code_version="1", code_parts={"body": "b", "relation": "old"})
    new = Asset(key="new", kind="x", code_version="2", code_parts={"body": "b", "relation": "new"})
    found = differences(definitions_of([old]), definitions_of([new]))
    assert ([each.key for each in found.added], [each.key for each in found.removed]) == ([new.key], [old.key])
    assert found.renamed == {new.key: old.key}
    twins = differences(definitions_of([old, replace(old, key=AssetKey("older"))]), definitions_of([new]))
    assert twins.renamed == {}
    assert found.any
    assert not Differences().any


def test_what_is_told_otherwise_has_the_last_word_on_its_part() -> None:
    key = WHOLE_ASSET.key
    before = {key: definition_of(replace(WHOLE_ASSET, code_version="0", owners=()))}
    said = Change("code", "3 of 19 partitions: its body changed", Parts.range(0, 3))
    found = differences(before, definitions_of([WHOLE_ASSET]), told={key: [said]})
    assert [change.part for change in found.changed[0].changes] == ["code", "about"]
    assert found.changed[0].parts == Parts.range(0, 3)


# -- kept, and read again ----------------------------------------------------------------------------------------------


def test_a_definition_is_the_same_after_json_and_as_text() -> None:
    found = definition_of(WHOLE_ASSET)
    assert set(found.parts) == set(PARTS)
    assert Definition.from_json(found.to_json()) == found
    assert Definition.from_text(found.key, found.text) == found
    again = definition_of(from_json(Asset, to_json(WHOLE_ASSET)))
    assert again.text == found.text


def test_what_is_part_of_its_readers_is_no_definition() -> None:
    assert definitions_of([Asset(key="a", kind="x", inlined=True)]) == {}


@given(st.permutations(["a", "b", "c"]), st.sampled_from(["a", "b", "c"]))
def test_the_digest_is_of_what_is_defined_and_of_nothing_else(order: list[str], changed: str) -> None:
    assets = {name: Asset(key=name, kind="x", code_version=name) for name in "abc"}
    one = {each.key: definition_of(each).text for each in assets.values()}
    other = {AssetKey(name): definition_of(assets[name]).text for name in order}
    assert digest(one) == digest(other)
    assert digest(one) != digest({**other, AssetKey(changed): "x"})


# -- what follows ------------------------------------------------------------------------------------------------------


def test_what_follows_is_made_in_order_without_what_is_computed_on_read() -> None:
    assets = [
        Asset(key="raw", kind="x", executable=False),
        Asset(key="a", kind="x", deps=["raw"], code_version="1"),
        Asset(key="view", kind="x", deps=["a"], computed_on_read=True),
        Asset(key="b", kind="x", deps=["view"]),
        Asset(key="board", kind="x", deps=["b"], executable=False, consumer=True),
        Asset(key="apart", kind="x", owners=["ana"]),
    ]
    graph = AssetGraph.of(assets)
    before = definitions_of(
        [assets[0], replace(assets[1], code_version="0"), *assets[2:5], replace(assets[5], owners=())]
    )
    found = differences(before, definitions_of(graph.assets))
    assert [str(each.definition.key) for each in found.changed] == ["a", "apart"]
    follows = following(graph, found, Numbering(graph))
    assert list(map(str, follows.to_make)) == ["a", "b"]
    assert [str(each.asset.key) for each in follows.impact.touched] == ["view", "b", "board"]


def test_partitions_that_follow_are_those_that_read_what_changed() -> None:
    hours = HourlyPartitionsDefinition("2026-01-01")
    assets = [
        Asset(key="events", kind="x", partitions_def=hours),
        Asset(key="daily", kind="x", deps=["events"], partitions_def=DAYS),
        Asset(key="total", kind="x", deps=["daily"]),
    ]
    graph = AssetGraph.of(assets)
    numbering = Numbering(graph, now=NOW)
    earlier = replace(assets[0], partitions_def=HourlyPartitionsDefinition("2026-01-03"))
    found = differences(definitions_of([earlier, *assets[1:]]), definitions_of(assets), numbering.existing)
    follows = following(graph, found, numbering)
    assert {str(key): len(parts) for key, parts in follows.to_make.items()} == {"events": 48, "daily": 2, "total": 1}
    assert follows.partitions == 50


def test_time_is_the_sum_and_the_longest_chain_by_how_long_each_took() -> None:
    graph = AssetGraph.of(
        [
            Asset(key="a", kind="x"),
            Asset(key="b", kind="x", deps=["a"]),
            Asset(key="c", kind="x", deps=["b"]),
            Asset(key="d", kind="x"),
        ]
    )
    a, b, c, d = (AssetKey(name) for name in "abcd")
    took = {a: [2.0, 100.0, 4.0], b: [50.0], d: [1.0]}
    # What is not made takes no time, and stands between what is.
    found = predicted(graph, {a: WHOLE, c: WHOLE, d: Parts.range(0, 10)}, took)
    assert (found.work, found.longest, found.unknown) == (14.0, 10.0, 1)
    ranges = predicted(graph, {d: Parts.range(0, 10)}, took, {d: 4})
    assert (ranges.work, predicted(graph, {d: Parts.range(0, 10)}, took, {d: None}).work) == (3.0, 1.0)
    assert predicted(graph, {b: NOTHING}, took).work == 0
