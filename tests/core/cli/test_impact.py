"""What a change touches, as the command line tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder

DAYS = """
from assetry import DailyPartitionsDefinition, WeeklyPartitionsDefinition, asset

@asset(partitions_def=DailyPartitionsDefinition("2024-02-04", end_date="2024-02-18"), owners=["ana@example.com"])
def events() -> str:
    return ""

@asset(partitions_def=WeeklyPartitionsDefinition("2024-02-04", end_date="2024-02-18"), owners=["ben@example.com"])
def weekly(events) -> int:
    return 1

@asset(group="reports", tags=["pii"])
def report(weekly) -> int:
    return 1

@asset(tags=["pii"])
def apart() -> int:
    return 1
"""


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_change_is_counted_by_kind_group_and_owner(shop: Folder) -> None:
    told = lines(shop.call("impact", "orders").stdout)
    assert told[:3] == [
        "orders python asset, owned by data@example.com",
        "A change of it touches 2 assets",
        "",
    ]
    assert told[3:] == ["kinds python 2", "types asset 2"]
    assert "-v names every asset" in shop.call("impact", "orders").stderr
    named = lines(shop.call("impact", "-v", "orders").stdout)
    assert named[-2:] == ["shop/total python asset 1 step", "report python asset 1 step"]


def test_json_names_what_is_touched(shop: Folder) -> None:
    found = shop.json("impact", "total")
    assert [each["key"] for each in found["of"]] == ["shop/total"]
    assert found["counts"] == {"assets": 1, "direct": 1, "steps": 1, "exposures": 0, "partitions": 0}
    assert found["by"]["owner"] == [{"name": None, "assets": 1}]
    assert [(each["key"], each["steps"]) for each in found["assets"]] == [("report", 1)]
    assert [each["key"] for each in shop.ndjson("impact", "orders")] == ["shop/total", "report"]
    assert shop.call("impact", "report").stdout.splitlines()[1] == "Nothing is made from it."
    assert shop.call("impact", "report", "--output", "ndjson").stdout == ""


def test_partitions_of_it_touch_those_that_are_made_from_them(shop: Folder) -> None:
    shop.write("shop_assets.py", DAYS)
    everything = lines(shop.call("impact", "events").stdout)
    assert "partitions 2 of weekly" in everything
    assert "owners ben@example.com 1, no owner 1" in everything
    one = shop.json("impact", "events", "-p", "2024-02-05", "-p", "2024-02-06")
    assert one["of"][0]["partitions"] == {"count": 2, "ranges": [["2024-02-05", "2024-02-06"]]}
    assert one["assets"][0]["partitions"] == {"count": 1, "ranges": [["2024-02-04", "2024-02-04"]]}
    assert one["assets"][1]["partitions"] is None
    assert (
        "weekly python asset 1 step 2024-02-04"
        in lines(shop.call("impact", "events", "-p", "last:14", "-v").stdout)[-2]
    )


def test_several_are_one_change(shop: Folder) -> None:
    shop.write("shop_assets.py", DAYS)
    told = lines(shop.call("impact", "tag:pii", "weekly").stdout)
    assert sorted(told[:3]) == [
        "apart python asset",
        "report python asset",
        "weekly python asset, 2 partitions, owned by ben@example.com",
    ]
    assert told[3] == "Nothing is made from them."


def test_what_there_is_not_is_told_with_what_was_meant(shop: Folder) -> None:
    assert "did you mean 'orders'" in shop.call("impact", "ordesr", code=2).stderr
    assert "has no partitions" in shop.call("impact", "orders", "-p", "a", code=2).stderr
    shop.write("shop_assets.py", DAYS)
    assert "did you mean '2024-02-05'" in shop.call("impact", "events", "-p", "2024-2-5", code=2).stderr
    assert "Missing argument" in shop.call("impact", code=2).stderr
