"""What a function of a partitioned asset is given, with each mapping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from assetry import (
    AssetContext,
    AssetKey,
    DailyPartitionsDefinition,
    Dep,
    HourlyPartitionsDefinition,
    Project,
    StaticPartitionMapping,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
)

DAYS = DailyPartitionsDefinition("2024-03-30", timezone="Europe/Berlin", end_date="2024-04-02")
HOURS = HourlyPartitionsDefinition("2024-03-30", timezone="Europe/Berlin", end_date="2024-04-02")


@pytest.fixture
def open_project(tmp_path: Path) -> Iterator[Any]:
    opened: list[Project] = []

    def of(*functions: Any) -> Project:
        project = Project(functions, io="memory:", store="sqlite::memory:", settings=tmp_path, executor="inline")
        opened.append(project)
        return project

    yield of
    for each in opened:
        each.close()


def made(project: Project, name: str, *partitions: str) -> Any:
    result = project.materialize(name, partition=list(partitions))
    assert result.ok, [each.message for each in result.outcomes.values()]
    return result


def test_a_day_reads_its_hours_as_one_table(open_project: Any) -> None:
    @asset(partitions_def=HOURS)
    def events(context: AssetContext) -> pd.DataFrame:
        return pd.DataFrame({"hour": [context.partition]})

    @asset(partitions_def=DAYS)
    def report(events: pd.DataFrame) -> int:
        return len(events)

    project = open_project(events, report)
    made(project, "events", *HOURS.keys(DAYS.window("2024-04-01")[1]))
    made(project, "report", "2024-03-30", "2024-03-31")
    assert project.load_value("report", partition="2024-03-30") == 24
    assert project.load_value("report", partition="2024-03-31") == 23


def test_an_hour_that_was_never_made_is_an_error_that_names_it(open_project: Any) -> None:
    @asset(partitions_def=HOURS)
    def events() -> pd.DataFrame:
        return pd.DataFrame({"a": [1]})

    @asset(partitions_def=DAYS)
    def report(events: pd.DataFrame) -> int:
        return len(events)

    project = open_project(events, report)
    made(project, "events", "2024-03-30-00:00")
    result = project.materialize("report", partition="2024-03-30")
    assert not result.ok
    (outcome,) = result.outcomes.values()
    assert "2024-03-30-01:00" in outcome.message


def test_an_asset_reads_its_own_day_before(open_project: Any) -> None:
    before = Dep(AssetKey("balance"), TimeWindowPartitionMapping(-1, -1), name="previous")

    @asset(partitions_def=DAYS, deps=[before])
    def balance(context: AssetContext, previous: int | None) -> int:
        return (previous or 0) + 1

    project = open_project(balance)
    made(project, "balance", "2024-03-30", "2024-03-31", "2024-04-01")
    assert [project.load_value("balance", partition=key) for key in ("2024-03-30", "2024-03-31", "2024-04-01")] == [
        1,
        2,
        3,
    ]
    (status,) = project.status("balance")
    assert status.status == "fresh"


def test_what_is_no_table_comes_as_a_dict_by_key(open_project: Any) -> None:
    @asset(partitions_def=StaticPartitionsDefinition(["de", "fr", "us"]))
    def country(context: AssetContext) -> str:
        return str(context.partition).upper()

    mapping = StaticPartitionMapping({"eu": ["de", "fr"], "na": "us", "asia": []})

    @asset(
        partitions_def=StaticPartitionsDefinition(["eu", "na", "asia"]),
        deps=[Dep(AssetKey("country"), mapping, "country")],
    )
    def region(country: Any) -> str:
        return repr(country)

    project = open_project(country, region)
    made(project, "country", "de", "fr", "us")
    made(project, "region", "eu", "na", "asia")
    assert project.load_value("region", partition="eu") == "{'de': 'DE', 'fr': 'FR'}"
    assert project.load_value("region", partition="na") == "{'us': 'US'}"
    assert project.load_value("region", partition="asia") == "None"


@pytest.mark.parametrize("partitions", [None, StaticPartitionsDefinition(["a"])])
def test_the_last_is_the_newest_that_there_should_be(open_project: Any, partitions: Any) -> None:
    @asset(partitions_def=DAYS)
    def days(context: AssetContext) -> str:
        return str(context.partition)

    @asset(partitions_def=partitions, deps=[Dep(AssetKey("days"), "last", "days")])
    def newest(days: str) -> str:
        return days

    project = open_project(days, newest)
    made(project, "days", "2024-03-31", "2024-03-30")
    wanted = ["a"] if partitions else []
    result = project.materialize("newest", partition=wanted)
    (outcome,) = result.outcomes.values()
    assert "2024-04-01" in outcome.message  # it was never made
    made(project, "days", "2024-04-01")
    made(project, "newest", *wanted)
    assert project.load_value("newest", partition=wanted[0] if wanted else None) == "2024-04-01"
