"""Functions that are called for a range of partitions at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from assetry import (
    AssetContext,
    AssetKey,
    DailyPartitionsDefinition,
    Dep,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    MultiPartitionsDefinition,
    Project,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
    asset_check,
    multi_asset,
)
from assetry.python.calls.portion import Portion
from assetry.types.events import Ranged

DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")
HOURS = HourlyPartitionsDefinition("2026-01-01", end_date="2026-02-01")
REGIONS = StaticPartitionsDefinition(["eu", "us", "jp"])
Calls = list[tuple[str, ...]]


@pytest.fixture
def open_project(tmp_path: Path) -> Iterator[Any]:
    opened: list[Project] = []

    def of(*functions: Any, **more: Any) -> Project:
        given = {"io": "memory:", "store": "sqlite::memory:", "settings": tmp_path, "executor": "threads:4", **more}
        opened.append(Project(functions, **given))
        return opened[-1]

    yield of
    for each in opened:
        each.close()


def days(*numbers: int) -> list[str]:
    return [f"2026-01-{number:02}" for number in numbers]


def daily(calls: Calls, **more: Any) -> Any:
    @asset(partitions_def=DAYS, partitions="range", partition_column="day", **more)
    def sales(context: AssetContext) -> pd.DataFrame:
        calls.append(context.partitions)
        assert context.partition is None
        assert context.window == (DAYS.window(context.partitions[0])[0], DAYS.window(context.partitions[-1])[1])
        rows = [(day, number) for day in context.partitions for number in range(3)]
        return pd.DataFrame(rows, columns=["day", "n"])

    return sales


def outcomes(result: Any) -> dict[str | None, str]:
    return {partition: each.outcome for (_, partition), each in result.outcomes.items()}


def test_a_range_is_one_call_and_each_partition_is_made(open_project: Any) -> None:
    calls: Calls = []
    project = open_project(daily(calls))
    result = project.materialize("sales", partition="2026-01-02..2026-01-20")
    assert result.ok
    assert calls == [tuple(days(*range(2, 21)))]
    assert outcomes(result) == dict.fromkeys(days(*range(2, 21)), "materialized")
    records = project.store.latest()
    assert {made.metadata["rows"] for made in records.values()} == {3}
    assert len({made.data_version for made in records.values()}) == 19
    assert project.load_value("sales", partition="2026-01-05")["n"].tolist() == [0, 1, 2]


def test_what_comes_out_alike_of_a_range_is_told_in_one_event(open_project: Any) -> None:
    @asset(partitions_def=DAYS, partitions="range")
    def marks(context: AssetContext) -> dict[str, str]:
        return {day: "odd" if day == "2026-01-04" else "even" for day in context.partitions}

    @asset(partitions_def=DAYS, partitions="range")
    def sent(context: AssetContext) -> None:
        if "2026-01-01" in context.partitions:
            raise ValueError("no")

    project = open_project(marks, sent)
    result = project.materialize(partition="2026-01-01..2026-01-06")
    told = [each.event for each in project.store.events(result.run.id) if isinstance(each.event, Ranged)]
    assert [(each.name, each.parts, each.count) for each in told if each.key == "marks"] == [
        ("started", "2026-01-01..2026-01-06", 6),
        ("materialized", "2026-01-01..2026-01-03", 3),
        ("materialized", "2026-01-04", 1),
        ("materialized", "2026-01-05..2026-01-06", 2),
    ]
    assert [(each.name, each.parts, each.count) for each in told if each.key == "sent"] == [
        ("started", "2026-01-01..2026-01-06", 6),
        ("failed", "2026-01-01..2026-01-06", 6),
    ]
    assert result.counts["failed"] == result.counts["materialized"] == 6
    assert project.load_value("marks", partition="2026-01-04") == "odd"


def test_ranges_are_cut_where_there_is_a_gap_and_where_they_are_too_long(open_project: Any) -> None:
    calls: Calls = []
    project = open_project(daily(calls, max_partitions=3))
    planned = project.plan("sales", partition=days(1, 2, 3, 4, 8, 9))
    assert len(planned.invocations) == 3
    assert project.materialize("sales", partition=days(1, 2, 3, 4, 8, 9)).ok
    assert sorted(calls) == [tuple(days(1, 2, 3)), tuple(days(4)), tuple(days(8, 9))]


def test_partitions_whose_rows_did_not_change_are_no_news_below(open_project: Any) -> None:
    changed = {"2026-01-02": 1}

    @asset(partitions_def=DAYS, partitions="range", partition_column="day")
    def sales(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame([(day, changed.get(day, 0)) for day in context.partitions], columns=["day", "n"])

    @asset(partitions_def=DAYS)
    def report(sales: pd.DataFrame) -> int:
        return int(sales["n"].sum())

    project = open_project(sales, report)
    assert project.materialize(partition="2026-01-01..2026-01-04").ok
    changed["2026-01-02"] = 2
    assert project.materialize("sales", partition="2026-01-01..2026-01-04").ok
    stale = project.plan("report", stale=True)
    (planned,) = stale.invocations
    wanted = planned.invocation.partitions
    assert "2026-01-02" in wanted
    assert not {"2026-01-01", "2026-01-03", "2026-01-04"} & set(wanted)


def test_the_inputs_of_the_whole_range_are_one_table(open_project: Any) -> None:
    seen: list[tuple[int, str]] = []

    @asset(partitions_def=HOURS)
    def events(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"at": [context.window[0]] if context.window else [], "hour": [context.partition]})

    @asset(partitions_def=DAYS, partitions="range", partition_column="at")
    def daily_events(events: pd.DataFrame) -> pd.DataFrame:
        seen.append((len(events), events["hour"].iloc[0]))
        return events

    project = open_project(events, daily_events)
    assert project.materialize(partition="2026-01-03..2026-01-05").ok
    assert seen == [(72, "2026-01-03-00:00")]
    assert len(project.load_value("daily_events", partition="2026-01-04")) == 24


def test_an_input_that_was_never_made_is_named(open_project: Any) -> None:
    @asset(partitions_def=HOURS)
    def events() -> pd.DataFrame:
        return pd.DataFrame({"n": [1]})

    @asset(partitions_def=DAYS, partitions="range", partition_column="at")
    def daily_events(events: pd.DataFrame) -> pd.DataFrame:
        return events

    project = open_project(events, daily_events)
    assert project.materialize("events", partition="2026-01-01-00:00").ok
    result = project.materialize("daily_events", partition="2026-01-01..2026-01-02")
    assert outcomes(result) == dict.fromkeys(days(1, 2), "failed")
    assert all("Partition '2026-01-01-01:00' of asset 'events'" in each.message for each in result.outcomes.values())


def test_a_day_without_rows_is_made_with_an_empty_table(open_project: Any) -> None:
    @asset(partitions_def=DAYS, partitions="range", partition_column="day")
    def sales() -> pd.DataFrame:
        return pd.DataFrame({"day": [date(2026, 1, 2)], "n": [1.5]})

    project = open_project(sales)
    assert project.materialize(partition="2026-01-01..2026-01-03").ok
    empty = project.load_value("sales", form=pa.Table, partition="2026-01-03")
    assert (empty.num_rows, str(empty.schema.field("n").type)) == (0, "double")


def test_rows_outside_fail_the_whole_range_and_nothing_is_kept(open_project: Any) -> None:
    @asset(partitions_def=DAYS, partitions="range", partition_column="day")
    def sales(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"day": [*context.partitions, "2026-01-20", "2026-01-20"]})

    project = open_project(sales)
    result = project.materialize(partition="2026-01-01..2026-01-02")
    assert outcomes(result) == dict.fromkeys(days(1, 2), "failed")
    for each in result.outcomes.values():
        assert "2 rows of 4 are outside" in each.message
        assert "'2026-01-20' (2 rows)" in each.message
        assert "test_portion.py" in each.message
    assert not project.store.latest()


def test_a_failure_of_the_call_fails_all_its_partitions_and_no_other_range(open_project: Any) -> None:
    @asset(partitions_def=DAYS, partitions="range", partition_column="day", max_partitions=2)
    def sales(context: AssetContext) -> pd.DataFrame:
        if "2026-01-03" in context.partitions:
            raise RuntimeError("no")
        return pd.DataFrame({"day": context.partitions})

    result = open_project(sales).materialize(partition="2026-01-01..2026-01-06")
    made = outcomes(result)
    assert {key for key, word in made.items() if word == "failed"} == set(days(3, 4))
    assert {key for key, word in made.items() if word == "materialized"} == set(days(1, 2, 5, 6))


def test_one_partition_at_a_time_may_have_a_column_that_tells_it(open_project: Any) -> None:
    @asset(partitions_def=DAYS, partition_column="day")
    def sales(context: AssetContext) -> pd.DataFrame:
        assert context.partitions == (context.partition,)
        other = "2026-01-09" if context.partition == "2026-01-02" else context.partition
        return pd.DataFrame({"day": [context.partition, other]})

    result = open_project(sales).materialize(partition="2026-01-01..2026-01-03")
    assert outcomes(result) == {"2026-01-01": "materialized", "2026-01-02": "failed", "2026-01-03": "materialized"}


def test_a_column_that_is_not_there_names_the_near_ones(open_project: Any) -> None:
    for mode in ("one", "range"):

        @asset(partitions_def=DAYS, partitions=mode, partition_column="dya")  # type: ignore[arg-type]
        def sales() -> pd.DataFrame:
            return pd.DataFrame({"day": ["2026-01-01"]})

        (outcome,) = open_project(sales).materialize(partition="2026-01-01").outcomes.values()
        assert "'sales'" in outcome.message
        assert "no column 'dya'" in outcome.message
        assert "did you mean 'day'?" in outcome.message


def test_a_list_of_keys_is_one_call(open_project: Any) -> None:
    calls: Calls = []

    @asset(partitions_def=REGIONS, partitions="range", partition_column="region")
    def sales(context: AssetContext) -> pd.DataFrame:
        calls.append(context.partitions)
        assert context.window is None
        return pd.DataFrame({"region": context.partitions})

    assert open_project(sales).materialize(partition=["jp", "eu"]).ok
    assert [set(each) for each in calls] == [{"eu", "jp"}]


def test_keys_that_come_into_being_are_one_call(open_project: Any) -> None:
    calls: Calls = []

    @asset(partitions_def=DynamicPartitionsDefinition("file"), partitions="range", max_partitions=2)
    def sizes(context: AssetContext) -> dict[str, int]:
        calls.append(context.partitions)
        return {key: len(key) for key in context.partitions}

    project = open_project(sizes)
    assert project.materialize(partition=["a.csv", "bb.csv", "ccc.csv"]).ok
    assert sorted(map(len, calls)) == [1, 2]
    assert project.load_value("sizes", partition="bb.csv") == 6


def test_of_several_dimensions_a_range_is_of_time_with_one_key_of_the_others(open_project: Any) -> None:
    calls: Calls = []
    both = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})

    @asset(partitions_def=both, partitions="range", partition_column="day")
    def sales(context: AssetContext) -> pd.DataFrame:
        calls.append(context.partitions)
        assert context.window is not None
        first = context.window[0]
        return pd.DataFrame({"day": [first], "region": context.partitions[0].split("|")[1]})

    project = open_project(sales)
    result = project.materialize(partition="day=2026-01-01..2026-01-03,region=eu; day=2026-01-01..2026-01-03,region=us")
    assert result.ok, outcomes(result)
    assert sorted(calls) == [tuple(f"{day}|{region}" for day in days(1, 2, 3)) for region in ("eu", "us")]
    assert project.load_value("sales", partition="2026-01-01|us")["region"].tolist() == ["us"]


def test_a_range_that_reads_the_partition_before_it_is_given_that_one(open_project: Any) -> None:
    seen: list[tuple[tuple[str, ...], list[int]]] = []

    @asset(
        partitions_def=DAYS,
        partitions="range",
        partition_column="day",
        max_partitions=2,
        deps=[Dep(AssetKey("total"), TimeWindowPartitionMapping(-1, -1), "total")],
    )
    def total(context: AssetContext, total: pd.DataFrame | None) -> pd.DataFrame:
        before = [] if total is None else total["n"].tolist()
        seen.append((context.partitions, before))
        start = before[-1] if before else 0
        return pd.DataFrame([(day, start + at + 1) for at, day in enumerate(context.partitions)], columns=["day", "n"])

    project = open_project(total)
    result = project.materialize(partition="2026-01-01..2026-01-05")
    assert result.ok, [each.message for each in result.outcomes.values()]
    assert seen == [(tuple(days(1, 2)), []), (tuple(days(3, 4)), [2]), (tuple(days(5)), [4])]


@pytest.mark.parametrize("can_subset", [False, True])
def test_a_function_of_several_assets_is_called_for_ranges_of_all(open_project: Any, can_subset: bool) -> None:
    calls: Calls = []

    @multi_asset(
        assets=["a", {"key": "b", "partition_column": "when"}],
        partitions_def=DAYS,
        partitions="range",
        max_partitions=2,
        partition_column="day",
        can_subset=can_subset,
    )
    def both(context: AssetContext) -> dict[str, Any]:
        calls.append(context.partitions)
        return {
            "a": pd.DataFrame({"day": context.partitions}),
            "b": pd.DataFrame(
                {"when": [datetime(2026, 1, int(day[-2:]), 5, tzinfo=UTC) for day in context.partitions]}
            ),
        }

    project = open_project(both)
    result = project.materialize(partition="2026-01-01..2026-01-03")
    assert result.ok, [each.message for each in result.outcomes.values()]
    assert sorted(calls) == [tuple(days(1, 2)), tuple(days(3))]
    assert len(project.load_value("b")) == 3


def test_a_range_stops_where_the_one_before_it_is_lost(open_project: Any) -> None:
    @multi_asset(
        assets=["a", {"key": "b", "deps": [Dep(AssetKey("a"), TimeWindowPartitionMapping(-1, -1))]}],
        partitions_def=DAYS,
        partitions="range",
        max_partitions=1,
    )
    def both(context: AssetContext) -> dict[str, Any]:
        if context.partitions == ("2026-01-02",):
            raise RuntimeError("no")
        return {name: dict.fromkeys(context.partitions, 1) for name in "ab"}

    result = open_project(both).materialize("a b", partition="2026-01-01..2026-01-03")
    told = {(str(key), partition): each.outcome for (key, partition), each in result.outcomes.items()}
    assert told["a", "2026-01-01"] == "materialized"
    assert told["a", "2026-01-02"] == "failed"
    assert told["b", "2026-01-03"] == "skipped"


def test_checks_look_at_each_partition_of_a_range(open_project: Any) -> None:
    @asset(partitions_def=DAYS, partitions="range", partition_column="day")
    def sales(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"day": context.partitions, "n": range(len(context.partitions))})

    @asset_check(asset=sales)
    def has_one_row(frame: pd.DataFrame, context: AssetContext) -> None:
        assert len(frame) == 1
        assert frame["day"].tolist() == [context.partition]
        assert frame["n"].tolist() != [1], "one"

    project = open_project(sales, has_one_row)
    assert not project.materialize(partition="2026-01-01..2026-01-03").ok
    verdicts = project.store.latest_checks()
    assert {partition: each.event.passed for (_, _, partition), each in verdicts.items()} == {
        "2026-01-01": True,
        "2026-01-02": False,
        "2026-01-03": True,
    }


def test_a_portion_of_other_partitions_covers_no_time() -> None:
    assert Portion(("2026-01-01",)).window(HOURS) is None
    assert Portion(("2026-01-01", "2026-01-02")).window(DAYS) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 3, tzinfo=UTC),
    )


def test_a_function_that_keeps_its_data_itself_makes_all_its_partitions(open_project: Any) -> None:
    @asset(partitions_def=DAYS, partitions="range")
    def copied() -> None:
        return None

    assert outcomes(open_project(copied).materialize(partition="2026-01-01..2026-01-02")) == dict.fromkeys(
        days(1, 2), "materialized"
    )


def test_a_table_of_a_range_without_a_column_that_tells_its_rows_is_refused(open_project: Any) -> None:
    @asset(partitions_def=DAYS, partitions="range")
    def sales() -> pd.DataFrame:
        return pd.DataFrame({"day": ["2026-01-01"]})

    (outcome,) = open_project(sales).materialize(partition="2026-01-01").outcomes.values()
    assert "nothing says which row belongs to which" in outcome.message


def test_a_hole_in_the_inputs_leaves_two_ranges(open_project: Any) -> None:
    calls: Calls = []

    @asset(partitions_def=DAYS)
    def clicks(context: AssetContext) -> pd.DataFrame:
        if context.partition == "2026-01-03":
            raise RuntimeError("no")
        return pd.DataFrame({"day": [context.partition]})

    @asset(partitions_def=DAYS, partitions="range", partition_column="day")
    def sums(context: AssetContext, clicks: pd.DataFrame) -> pd.DataFrame:
        calls.append(context.partitions)
        return clicks

    result = open_project(clicks, sums).materialize(partition="2026-01-01..2026-01-05")
    assert sorted(calls) == [tuple(days(1, 2)), tuple(days(4, 5))]
    assert result.outcomes[AssetKey("sums"), "2026-01-03"].outcome == "skipped"


def test_what_is_tried_again_starts_all_its_partitions_once(open_project: Any) -> None:
    tries: list[int] = []

    @asset(partitions_def=DAYS, partitions="range", partition_column="day", retry_policy=2)
    def sales(context: AssetContext) -> pd.DataFrame:
        tries.append(1)
        if len(tries) < 2:
            raise RuntimeError("not yet")
        return pd.DataFrame({"day": context.partitions})

    assert open_project(sales).materialize(partition="2026-01-01..2026-01-02").ok
    assert len(tries) == 2
