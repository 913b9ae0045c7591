"""What was told of an asset when it was made, as people and programs see it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pictures import png

if TYPE_CHECKING:
    from conftest import Folder

ASSETS = """
import os
from pathlib import Path
from datetime import datetime, UTC
from assetry import AssetContext, DailyPartitionsDefinition, Link, Markdown, Output, Png, Preview, asset

here = Path(__file__).parent

@asset
def orders(context: AssetContext):
    import pyarrow as pa
    table = pa.table({"id": [1, 2, 3], "name": ["ann", None, "a\\x1b[31mb"]})
    number = int((here / "number").read_text())
    context.add_metadata(loss=float("nan"), nested={"a": [1, None]}, note="one\\ntwo", longer="x" * 300)
    return Output(table.slice(0, number), metadata={
        "mean": number / 4,
        "count": 1000 * number,
        "same": 7,
        "page": Link("https://example.com/7", "build 7"),
        "report": Markdown("# Orders\\n\\nAll *well*."),
        "head": Preview(table, 2),
        "plot": Png(here / "plot.png"),
        "odd": {"type": "png"},
    })

@asset(partitions_def=DailyPartitionsDefinition("2026-01-01", end_date="2026-01-03"))
def sales(partition: str) -> Output[int]:
    number = int((here / "number").read_text())
    return Output(number, metadata={"count": number})
"""


@pytest.fixture
def told(folder: Folder) -> Folder:
    folder.write("assets.py", ASSETS)
    (folder.root / "plot.png").write_bytes(png(640, 480))
    for number in ("2", "3"):
        folder.write("number", number)
        folder.call("materialize", "-q", "--partition", "all")
    return folder


def test_text_shows_numbers_with_their_difference_and_the_rest_as_it_is(told: Folder) -> None:
    text = told.call("show", "orders").stdout
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "mean 0.75 (+0.25)",
        "count 3,000 (+1,000)",
        "same 7 (as before)",
        "loss nan",
        'nested {"a": [1, null]}',
        "page build 7: https://example.com/7",
        "# Orders",
        "All *well*.",
        "head 2 of 3 rows",
        "id name",
        "1 ann",
        'odd {"type": "png"}',
    ):
        assert line in lines, f"{line!r} is not in\n{text}"
    assert "3 rows (+1)" in text
    assert "note one" in lines
    (picture,) = (told.root / ".assetry" / "state.db.pictures").iterdir()
    assert f"a picture of 640 by 480 pixels, {picture}" in text
    assert "preview" not in text
    assert "x" * 101 not in text
    assert "\x1b[31mb" not in text
    everything = told.call("show", "orders", "-v").stdout
    assert "x" * 300 in everything
    assert "  two" in everything
    assert "preview" in everything


def test_json_has_the_numbers_of_late_and_the_files_of_pictures(told: Folder) -> None:
    shown = told.json("show", "orders")["asset"]
    assert [each["value"] for each in shown["numbers"]["count"]] == [2000, 3000]
    assert [each["value"] for each in shown["numbers"]["rows"]] == [2, 3]
    assert [each["value"] for each in shown["numbers"]["loss"]] == [None, None], "JSON has no NaN"
    assert {*shown["numbers"]["count"][0]} == {"at", "run", "partition", "value"}
    made = shown["last_materialization"]["metadata"]
    assert made["plot"]["width"] == 640
    assert shown["pictures"]["plot"] is not None
    assert Path(shown["pictures"]["plot"]).read_bytes() == png(640, 480)
    assert shown["pictures"]["odd"] is None
    logged = told.json("logs")["events"]
    (event,) = [each for each in logged if each["event"] == "materialized" and each["asset"] == "orders"]
    assert event["metadata"]["page"] == {"type": "link", "url": "https://example.com/7", "title": "build 7"}


def test_a_partition_has_its_own(told: Folder) -> None:
    assert "count  3 (+1)" in told.call("show", "sales", "-p", "2026-01-01").stdout
    part = told.json("show", "sales", "-p", "2026-01-01")["partition"]
    assert [each["value"] for each in part["numbers"]["count"]] == [2, 3]
    whole = told.json("show", "sales")["asset"]["numbers"]["count"]
    assert [each["value"] for each in whole] == [2, 2, 3, 3]
    assert sorted((each["value"], each["partition"]) for each in whole) == [
        (2, "2026-01-01"),
        (2, "2026-01-02"),
        (3, "2026-01-01"),
        (3, "2026-01-02"),
    ]


def test_logs_tell_it_where_more_is_asked_for(told: Folder) -> None:
    assert "build 7" not in told.call("logs").stdout
    assert "build 7: https://example.com/7" in told.call("logs", "-v").stdout


def test_a_picture_that_is_not_here_is_told_as_such(told: Folder) -> None:
    for path in (told.root / ".assetry" / "state.db.pictures").iterdir():
        path.unlink()
    assert "it is not here" in told.call("show", "orders").stdout
    assert told.json("show", "orders")["asset"]["pictures"]["plot"] is None


def test_what_was_told_nothing_of_has_no_such_section(shop: Folder) -> None:
    shop.call("materialize", "-q")
    assert "Metadata of what was made" not in shop.call("show", "total").stdout
    assert {*shop.json("show", "report")["asset"]["numbers"]} == {"bytes"}


def test_pruning_tells_of_pictures_that_nothing_refers_to(told: Folder) -> None:
    (kept,) = (told.root / ".assetry" / "state.db.pictures").iterdir()
    unused = kept.with_name(f"{'0' * 32}.png")
    for path in (kept, unused):
        path.write_bytes(png())
        os.utime(path, (0, 0))
    assert told.json("prune", "--history", "--dry-run")["pictures"] == 1
    text = told.call("prune", "--history")
    assert "1  pictures that nothing refers to" in text.stdout
    assert "Nothing is old enough" not in text.stderr
    assert (kept.exists(), unused.exists()) == (True, False)
    assert told.json("prune", "--history")["pictures"] == 0
