"""What a function is told of its partition: by its context, and by a parameter of that name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from assetry import (
    AssetContext,
    DailyPartitionsDefinition,
    Dep,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    MultiPartitionsDefinition,
    Project,
    StaticPartitionsDefinition,
    asset,
    asset_check,
    multi_asset,
)
from assetry.errors import DefinitionError, UnknownDependencyError
from assetry.partitions.definitions import PartitionsDefinition
from hypothesis import given
from hypothesis import strategies as st

DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")
REGIONS = StaticPartitionsDefinition(["eu", "us", "jp"])


@pytest.fixture
def run(tmp_path: Any) -> Iterator[Any]:
    opened: list[Project] = []

    def of(*functions: Any, partition: Any = "2026-01-01..2026-01-02", select: str | None = None) -> Project:
        project = Project(functions, io="memory:", store="sqlite::memory:", settings=tmp_path, executor="threads:2")
        opened.append(project)
        result = project.materialize(select, partition=partition)
        assert result.ok, [each.message for each in result.outcomes.values()]
        return project

    yield of
    for each in opened:
        each.close()


# -- the partition before ----------------------------------------------------------------------------------------------


def test_the_context_says_which_partition_comes_before(run: Any) -> None:
    told: dict[str | None, str | None] = {}

    @asset(partitions_def=DAYS)
    def sales(context: AssetContext) -> int:
        told[context.partition] = context.previous
        return 1

    @asset_check(asset=sales)
    def good(value: int, context: AssetContext) -> bool:
        return context.previous == told[context.partition]

    run(sales, good, partition="2026-01-01..2026-01-03")
    assert told == {"2026-01-01": None, "2026-01-02": "2026-01-01", "2026-01-03": "2026-01-02"}


def test_of_a_range_it_is_the_one_before_the_first(run: Any) -> None:
    told: list[str | None] = []

    @asset(partitions_def=DAYS, partitions="range", max_partitions=2)
    def sales(context: AssetContext) -> None:
        told.append(context.previous)

    run(sales, partition="2026-01-01..2026-01-04")
    assert sorted(told, key=str) == ["2026-01-02", None]


def test_an_asset_without_partitions_has_none_before(run: Any) -> None:
    @asset
    def sales(context: AssetContext) -> None:
        assert context.previous is None

    run(sales, partition=())


def test_before_a_window_is_the_one_before_that_is_not_excluded() -> None:
    days = DailyPartitionsDefinition("2026-01-02", exclude=["0 0 * * SAT,SUN", "2026-01-06"])
    assert days.previous("2026-01-07") == "2026-01-05"
    assert days.previous("2026-01-05") == "2026-01-02"
    assert days.previous("2026-01-02") is None
    hours = HourlyPartitionsDefinition("2026-10-01", timezone="Europe/Berlin")
    night = [hours.key(hours.number("2026-10-25-01:00") + step) for step in range(4)]
    assert [hours.previous(each) for each in night[1:]] == night[:-1], "the hour that comes twice is two partitions"


def test_where_keys_come_into_being_none_comes_before() -> None:
    assert DynamicPartitionsDefinition("file").previous("b.csv") is None


@given(st.data())
def test_what_comes_before_is_the_neighbour_in_the_order_of_all(data: st.DataObject) -> None:
    definitions: list[PartitionsDefinition] = [
        DAYS,
        REGIONS,
        MonthlyPartitionsDefinition("2025-01-01", end_date="2026-01-01"),
        MultiPartitionsDefinition({"day": REGIONS, "kind": StaticPartitionsDefinition(["a", "b"])}),
    ]
    definition = data.draw(st.sampled_from(definitions))
    keys = definition.keys(datetime(2027, 1, 1))
    at = data.draw(st.integers(0, len(keys) - 1))
    assert definition.previous(keys[at]) == (keys[at - 1] if at else None)


@given(st.sampled_from(["day", "region"]), st.integers(1, 31), st.sampled_from(REGIONS.partition_keys))
def test_of_several_dimensions_it_is_the_window_before_with_the_rest_as_it_is(
    first: str, day: int, region: str
) -> None:
    parts = {"day": DAYS, "region": REGIONS}
    both = MultiPartitionsDefinition({first: parts.pop(first), **parts})

    def key(number: int) -> str:
        names = {"day": f"2026-01-{number:02}", "region": region}
        return "|".join(names[name] for name in both.partitions_defs)

    assert both.previous(key(day)) == (key(day - 1) if day > 1 else None)


# -- a parameter that is named so ------------------------------------------------------------------------------------


def test_a_parameter_named_partition_receives_the_key(run: Any) -> None:
    @asset(partitions_def=DAYS)
    def sales(partition: str) -> str:
        return partition

    @asset(partitions_def=DAYS)
    async def doubled(partition: str, sales: str, context: AssetContext) -> str:
        assert partition == context.partition == sales
        return 2 * sales

    @multi_asset(assets=["a", "b"], partitions_def=DAYS)
    def both(partition: str, sales: str) -> dict[str, str]:
        return {"a": partition, "b": sales}

    project = run(sales, doubled, both)
    assert project.load_value("doubled", partition="2026-01-02") == "2026-01-022026-01-02"
    assert [str(dep.key) for dep in project.graph["doubled"].deps] == ["sales"]
    assert project.load_value("a", partition="2026-01-02") == project.load_value("b", partition="2026-01-02")
    assert sales("2026-01-05") == "2026-01-05", "called by itself it takes plain values"


def test_one_with_a_default_receives_it_too(run: Any) -> None:
    @asset(partitions_def=DAYS)
    def sales(partition: str = "2020-01-01") -> str:
        return partition

    @asset
    def other(partition: str = "default") -> str:
        return partition

    project = run(sales, other)
    assert project.load_value("sales", partition="2026-01-02") == "2026-01-02"
    assert project.load_value("other") == "default"


@pytest.mark.parametrize("explicit", [False, True])
def test_an_asset_that_is_called_partition_is_what_the_parameter_takes(run: Any, explicit: bool) -> None:
    @asset(key="disk/partition")
    def partition() -> str:
        return "sda1"

    @asset(partitions_def=DAYS, deps={"partition": "disk/partition"} if explicit else ())
    def sales(partition: str) -> str:
        return partition

    project = run(partition, sales)
    assert project.load_value("sales", partition="2026-01-02") == "sda1"
    assert [str(dep.key) for dep in project.graph["sales"].deps] == ["disk/partition"]


def test_a_check_may_take_it(run: Any) -> None:
    told: list[tuple[str, str | None]] = []

    @asset(partitions_def=DAYS)
    def sales(partition: str) -> str:
        return partition

    @asset_check(asset=sales)
    def good(value: str, partition: str) -> None:
        told.append((value, partition))

    @asset
    def total() -> str:
        return "all"

    @asset_check(asset=total, also=[sales])
    def sums(total: str, sales: Any, partition: str | None) -> None:
        told.append((total, partition))

    @asset_check(asset=sales)
    def first(partition: str) -> None:
        told.append(("first", partition))

    run(sales, good, total, sums, first)
    assert sorted(told, key=str) == [
        ("2026-01-01", "2026-01-01"),
        ("2026-01-02", "2026-01-02"),
        ("all", None),
        ("first", "2026-01-01"),
        ("first", "2026-01-02"),
    ], "the first parameter of a check is the value, whatever its name"


def test_without_partitions_the_error_says_what_the_name_means() -> None:
    @asset
    def sales(partition: str) -> str:
        return partition

    with pytest.raises(UnknownDependencyError, match=r"depends on 'partition' \(its argument 'partition'\)") as caught:
        _ = Project([sales], io="memory:", store="sqlite::memory:").graph
    assert caught.value.hint == (
        "An argument named 'partition' receives the key of the partition where the asset has partitions: "
        "partitions_def=…."
    )


def test_of_a_function_that_takes_ranges_the_error_names_their_keys() -> None:
    @asset(partitions_def=DAYS, partitions="range")
    def sales(partition: str) -> str:
        return partition

    with pytest.raises(UnknownDependencyError) as caught:
        _ = Project([sales], io="memory:", store="sqlite::memory:").graph
    assert "`context.partitions`" in str(caught.value.hint)


def test_a_check_with_a_parameter_too_many_is_told_of_the_name() -> None:
    with pytest.raises(DefinitionError, match=r"takes 2 values, but is about 1 assets") as caught:

        @asset_check(asset="sales")
        def good(value: str, part: str) -> None: ...

    assert "`partition`" in str(caught.value.hint)


def test_an_optional_dependency_that_means_nothing_falls_away_and_others_do_not() -> None:
    from assetry import Asset, AssetKey
    from assetry.graph.graph import AssetGraph

    made = Asset(key="b", kind="x", deps=[Dep(AssetKey("a")), Dep(AssetKey("gone"), optional=True)])
    graph = AssetGraph.of([Asset(key="a", kind="x"), made])
    assert [str(dep.key) for dep in graph["b"].deps] == ["a"]
    with pytest.raises(UnknownDependencyError):
        AssetGraph.of([made])
