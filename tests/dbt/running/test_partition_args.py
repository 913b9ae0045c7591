"""What dbt is told of partitions: event times, vars, and that nothing is lost in a full refresh."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry import (
    CronPartitionsDefinition,
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    StaticPartitionsDefinition,
    YearlyPartitionsDefinition,
)
from assetry.plugin import Asset, Integration, Invocation, RunError
from assetry_dbt.plugin import assetry_invocation_group
from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.partition_args import event_times, project_for, refuse_losses, vars_of

SHOP = Integration("shop", "dbt", {"project_dir": "/nowhere"})
DAYS = DailyPartitionsDefinition("2026-01-01", "2026-01-06")
NOW = datetime(2026, 2, 1, tzinfo=UTC)
BATCHES: dict[str, Any] = {"partitions": {"batches": "day"}}


def model(name: str, definition: Any = None, **spec: Any) -> Asset:
    given = {"unique_id": f"model.shop.{name}", "target": "dev", **spec}
    return Asset(key=f"shop/{name}", kind="dbt", integration=SHOP, partitions_def=definition, spec=given)


def asking(*assets: Asset, keys: tuple[str, ...] = (), **more: Any) -> Invocation:
    window = (DAYS.window(keys[0])[0], DAYS.window(keys[-1])[1]) if keys and keys[0] in DAYS.keys(NOW) else None
    return Invocation(
        id="1", group=None, integration=SHOP, assets=assets, partitions=keys, **{"window": window, **more}
    )


def test_a_window_is_told_to_microbatch_models_alone() -> None:
    days = ("2026-01-02", "2026-01-03")
    assert event_times(asking(model("a"), model("m", DAYS, **BATCHES), keys=days)) == (
        *("--event-time-start", "2026-01-02T00:00:00"),
        *("--event-time-end", "2026-01-04T00:00:00"),
    )
    assert event_times(asking(model("a"))) == ()
    assert event_times(asking(model("v", DAYS, partitions={"vars": {"start": "a"}}), keys=days)) == ()


SEVEN = ("2026-01-01 07:00:00", "2026-01-01 08:00:00")


@pytest.mark.parametrize(
    ("definition", "keys", "told"),
    [
        (DAYS, ["2026-01-02", "2026-01-03"], ("2026-01-02", "2026-01-04")),
        (MonthlyPartitionsDefinition("2026-01-01"), ["2026-01-01"], ("2026-01-01", "2026-02-01")),
        (YearlyPartitionsDefinition("2026-01-01"), ["2026-01-01"], ("2026-01-01", "2027-01-01")),
        (
            DailyPartitionsDefinition("2026-01-01", hour_offset=6),
            ["2026-01-02"],
            ("2026-01-02 06:00:00", "2026-01-03 06:00:00"),
        ),
        (HourlyPartitionsDefinition("2026-01-01"), ["2026-01-01-07:00"], SEVEN),
        (
            CronPartitionsDefinition("0 0 * * *", "2026-01-01"),
            ["2026-01-01-00:00"],
            ("2026-01-01 00:00:00", "2026-01-02 00:00:00"),
        ),
        (
            DailyPartitionsDefinition("2026-03-28", timezone="Europe/Berlin"),
            ["2026-03-29"],
            ("2026-03-29 00:00:00+01:00", "2026-03-30 00:00:00+02:00"),
        ),
    ],
)  # fmt: skip
def test_vars_tell_a_window_in_the_zone_of_the_partitions(definition: Any, keys: list[str], told: Any) -> None:
    window = definition.window(keys[0])[0].astimezone(UTC), definition.window(keys[-1])[1].astimezone(UTC)
    names = {"start": "from_date", "end": "to_date", "keys": "listed"}
    assert vars_of(names, definition, keys, window) == {"from_date": told[0], "to_date": told[1], "listed": keys}


def test_vars_of_a_run_go_beside_those_of_the_project_and_into_a_folder_of_their_own() -> None:
    project = DbtProject(name="s", project_dir=Path("/s"), target_path=Path("/s/target"), vars={"country": "nl"})
    days = ("2026-01-02",)
    asked = asking(model("v", DAYS, partitions={"vars": {"start": "a", "end": "b"}}), keys=days)
    changed = project_for(project, asked)
    assert changed.command() == (
        """dbt build --vars '{"country": "nl", "a": "2026-01-02", "b": "2026-01-03"}' --target-path target/vars"""
    )
    assert changed.arguments()[-2:] == ("--target-path", "/s/target/vars")
    assert project_for(project, asking(model("a"), model("m", DAYS, **BATCHES), keys=days)) == project
    assert project_for(project, asking(model("w", whole=True))).command().endswith("--target-path target/whole")


def test_groups_are_told_apart_by_what_one_dbt_can_be_told() -> None:
    regions = StaticPartitionsDefinition(["eu"])
    models = {
        "plain": model("plain"),
        "batches": model("m", DAYS, **BATCHES),
        "whole": model("w", whole=True),
        "window": model("v", DAYS, partitions={"vars": {"end": "b", "start": "a"}}),
        "alike": model("u", DAYS, partitions={"vars": {"start": "a", "end": "b"}}),
        "swapped": model("t", DAYS, partitions={"vars": {"start": "b", "end": "a"}}),
        "one": model("r", regions, partitions={"vars": {"key": "region"}}),
        "list": model("q", regions, partitions={"vars": {"keys": "regions"}}),
    }
    groups = {name: assetry_invocation_group(each) for name, each in models.items()}
    found = {name: (each.key, each.partitions, each.mixed) for name, each in groups.items() if each is not None}
    assert found == {
        "plain": ("dbt:shop@dev", "range", True),
        "batches": ("dbt:shop@dev", "range", True),
        "whole": ("dbt:shop@dev?whole", "range", False),
        "window": ("dbt:shop@dev?end=b&start=a", "range", False),
        "alike": ("dbt:shop@dev?end=b&start=a", "range", False),
        "swapped": ("dbt:shop@dev?end=a&start=b", "range", False),
        "one": ("dbt:shop@dev?key=region", "one", False),
        "list": ("dbt:shop@dev?keys=regions", "range", False),
    }


def test_a_full_refresh_that_would_lose_partitions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    days = DAYS.keys(NOW)
    daily = model("m", DAYS, **BATCHES)
    refuse_losses(asking(daily, keys=days[3:]), NOW)
    refuse_losses(asking(daily, keys=days, full_refresh=True), NOW)
    refuse_losses(asking(daily, keys=days[:-1], full_refresh=True), NOW)  # a day that has begun since it was asked
    with pytest.raises(RunError, match="would not be in it: 2026-01-01"):
        refuse_losses(asking(daily, keys=days[1:], full_refresh=True), NOW)
    monkeypatch.setenv("DBT_FULL_REFRESH", "1")
    with pytest.raises(RunError, match=r"2026-01-01\.\.2026-01-03"):
        refuse_losses(asking(daily, keys=days[3:]), NOW)
