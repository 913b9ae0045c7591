"""What was made counts as up to date because somebody says so, as the command line asks for it and tells it."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Folder

DAYS = """
from assetry import AssetContext, DailyPartitionsDefinition, asset

@asset(partitions_def=DailyPartitionsDefinition("2024-02-04", end_date="2024-02-18"), code_version="1")
def events(context: AssetContext) -> str:
    return context.partition
"""


@pytest.fixture
def changed(shop: Folder) -> Folder:
    shop.call("materialize", "-q")
    text = (shop.root / "shop_assets.py").read_text()
    shop.write("shop_assets.py", text.replace("[3, 1, 2]", "[3, 1, 1 + 1]"))
    return shop


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_what_is_accepted_is_told_with_what_is_not(changed: Folder) -> None:
    dry = lines(changed.call("accept", "orders", "total", "--dry-run").stdout)
    assert dry[:3] == ["1 asset would be accepted:", "orders its code", "Not accepted:"]
    assert dry[3].startswith("shop/total `orders` is out of date: ")
    changed.call("status", "--exit-code", code=4)
    done = changed.call("accept", "orders", "total", "--why", "The same numbers.")
    assert lines(done.stdout) == [
        *("1 asset is accepted:", "orders its code", "Not accepted:", "shop/total it is up to date")
    ]
    assert "`assetry accept --undo -s orders -s total -C " in done.stderr
    changed.call("status", "--exit-code")


def test_show_tells_for_ever_who_accepted_what_when_and_why(changed: Folder) -> None:
    changed.call("accept", "-s", "orders", "--why", "The same numbers.", "-q")
    (said,) = changed.json("show", "orders")["asset"]["accepted"]
    assert (said["by"], said["why"], said["causes"]) == (getpass.getuser(), "The same numbers.", ["code_changed"])
    assert said["made_with"]
    assert f"made with code {said['made_with'][:15]}" in changed.call("show", "orders").stdout
    changed.call("accept", "orders", "--undo", "--by", "ben", "--why", "They are not.")
    changed.call("materialize", "-q")
    told = lines(changed.call("show", "orders").stdout)
    rows = told[told.index("Accepted") + 1 :][:2]
    assert f"{getpass.getuser()} its code The same numbers. made with code " in rows[0]
    assert rows[1].endswith("ben taken back They are not.")
    assert [each["undone"] for each in changed.json("show", "orders")["asset"]["accepted"]] == [False, True]


def test_partitions_are_accepted_one_by_one(shop: Folder) -> None:
    shop.write("shop_assets.py", DAYS)
    shop.call("materialize", "-q", "-s", "events", "-p", "2024-02-06..2024-02-08")
    shop.write("shop_assets.py", DAYS.replace('code_version="1"', 'code_version="2"'))
    found = shop.json("accept", "events", "-p", "2024-02-06..2024-02-07", "--why", "Only a comment.")
    assert found["accepted"][0]["partitions"] == ["2024-02-06", "2024-02-07"]
    assert "never made" in found["still"][0]["because"]
    one = shop.json("show", "events", "-p", "2024-02-06")["partition"]
    assert (one["status"], one["accepted"][0]["why"]) == ("fresh", "Only a comment.")
    told = lines(shop.call("show", "events", "-p", "2024-02-06").stdout)
    assert "code 1, accepted as 2" in told
    assert shop.json("show", "events", "-p", "2024-02-08")["partition"]["status"] == "stale"


def test_a_wrong_question_is_answered(changed: Folder) -> None:
    assert "What is to be accepted?" in changed.call("accept", "--why", "x", code=2).stderr
    assert "Nobody will know why" in changed.call("accept", "orders", code=2).stderr
    assert "did you mean 'orders'" in changed.call("accept", "ordesr", "--why", "x", code=2).stderr
    assert "did you mean" in changed.call("accept", "orders", "--why", "x", "--cause", "code_chaged", code=2).stderr
