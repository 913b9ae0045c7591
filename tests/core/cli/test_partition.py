"""Partitions as the command line shows them: how many, which, and one in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder

DAYS = """
from assetry import AssetContext, DailyPartitionsDefinition, WeeklyPartitionsDefinition, asset, asset_check

@asset(partitions_def=DailyPartitionsDefinition("2024-02-04", end_date="2024-02-18"), code_version="1")
def events(context: AssetContext) -> str:
    return context.partition

@asset(partitions_def=WeeklyPartitionsDefinition("2024-02-04", end_date="2024-02-18"))
def weekly(events) -> int:
    return len(events)

@asset_check(asset=events)
def is_even(events) -> bool:
    return events != "2024-02-05"

@asset
def report(weekly) -> int:
    return len(weekly)
"""


def made(shop: Folder) -> None:
    shop.write("shop_assets.py", DAYS)
    days = [word for day in range(4, 11) for word in ("--partition", f"2024-02-{day:02}")]
    shop.call("materialize", "-q", "-s", "events", *days, code=1)
    shop.call("materialize", "-q", "-s", "weekly", "--partition", "2024-02-04")


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_status_counts_partitions_and_names_them_when_asked(shop: Folder) -> None:
    made(shop)
    counts = "parts events: 7 of 14 made; 6 fresh, 7 missing, 1 failed"
    assert counts in lines(shop.call("status").stdout)
    told = lines(shop.call("status", "-p").stdout)
    assert {counts, "failed 2024-02-05", "missing 2024-02-11..2024-02-17"} <= set(told)
    assert "fresh 2024-02-04, 2024-02-06..2024-02-10" in told


def test_json_has_the_sets_and_the_partitions_of_each_reason(shop: Folder) -> None:
    made(shop)
    events, weekly, report = shop.json("status", "-s", "events+")["assets"]
    assert events["partitions"] == {
        **{"total": 14, "made": 7, "fresh": 6, "stale": 0, "missing": 7, "failed": 1, "running": 0, "orphan": 0},
        "waiting": 0,
        "sets": {
            "fresh": [["2024-02-04", "2024-02-04"], ["2024-02-06", "2024-02-10"]],
            "missing": [["2024-02-11", "2024-02-17"]],
            "failed": [["2024-02-05", "2024-02-05"]],
        },
    }
    found = {reason["code"]: reason["partitions"] for reason in events["reasons"]}
    assert found == {
        "last_failed": [["2024-02-05", "2024-02-05"]],
        "missing_partitions": [["2024-02-11", "2024-02-17"]],
    }
    # The week is out of date from the failed day alone.
    above = [reason for reason in weekly["reasons"] if reason["code"] == "upstream_changed"]
    assert [(reason["asset"], reason["partitions"]) for reason in above] == [("events", [["2024-02-04"] * 2])]
    assert report["partitions"] is None
    assert {reason["partitions"] for reason in report["reasons"]} == {None}


def test_one_partition_tells_why_and_what_it_was_made_from(shop: Folder) -> None:
    made(shop)
    one = shop.json("show", "weekly", "-p", "2024-02-04")["partition"]
    assert (one["partition"], one["status"]) == ("2024-02-04", "stale")
    assert [reason["asset"] for reason in one["reasons"]] == ["events"]
    (read,) = one["made_from"]
    assert (read["key"], read["partitions"], read["missing"]) == ("events", [["2024-02-04", "2024-02-10"]], [])
    assert read["read"]
    assert [each["key"] for each in one["used_by"]] == ["report"]
    told = lines(shop.call("show", "events", "-p", "2024-02-05").stdout)
    assert {"status failed", "weekly 2024-02-04", "is_even 2024-02-05 failed"} <= set(told)
    missing = lines(shop.call("show", "weekly", "-p", "last").stdout)
    assert "events 2024-02-11..2024-02-17 never made: 2024-02-11..2024-02-17" in missing


def test_what_is_no_partition_is_an_error_that_names_what_is_near(shop: Folder) -> None:
    made(shop)
    assert "2024-02-05" in shop.call("show", "events", "-p", "2024-2-5", code=2).stderr
    assert "means 7 partitions" in shop.call("show", "events", "-p", "missing", code=2).stderr
    assert "has no partitions" in shop.call("show", "report", "-p", "last", code=2).stderr


def test_show_counts_partitions_and_what_checks_say_of_them(shop: Folder) -> None:
    made(shop)
    told = lines(shop.call("show", "events").stdout)
    assert "partitions daily, 7 of 14 made; 6 fresh, 7 missing, 1 failed" in told
    assert any("in 1 of 7 partitions, 2024-02-05" in line for line in told)
    checks = shop.json("show", "events")["asset"]["checks"][0]
    assert checks["last"]["partition"] == "2024-02-05"
    assert [each["passed"] for each in checks["partitions"]].count(False) == 1
