"""Partitions listed, and keys that come into being: added before anything is made of them, dropped, added again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Folder

FILES = """
from assetry import (
    AssetContext, DailyPartitionsDefinition, DynamicPartitionsDefinition, MultiPartitionsDefinition,
    StaticPartitionsDefinition, asset,
)

FILE = DynamicPartitionsDefinition("file")

@asset
def inbox(context: AssetContext) -> int:
    context.add_partition("files", "new.csv", "a.csv")
    return 1

@asset(partitions_def=FILE)
def files(context: AssetContext) -> str:
    return context.partition

@asset(partitions_def=FILE)
def rows(files) -> int:
    return len(files)

@asset(partitions_def=StaticPartitionsDefinition(["eu", "us"]))
def regions(context: AssetContext) -> str:
    return context.partition

@asset(partitions_def=MultiPartitionsDefinition({
    "day": DailyPartitionsDefinition("2026-01-01", end_date="2026-01-03"), "file": FILE,
}))
def both(context: AssetContext) -> str:
    return context.partition
"""


@pytest.fixture
def files(shop: Folder) -> Folder:
    shop.write("shop_assets.py", FILES)
    return shop


def sets(folder: Folder, key: str) -> Any:
    """Return what `partitions list` and `status` both tell of an asset."""
    (found,) = folder.json("partitions", "list", key)["partitions"]
    (status,) = folder.json("status", "-s", key)["assets"]
    assert {name: found[name] for name in status["partitions"]} == status["partitions"]
    return {name: [first for first, _ in ranges] for name, ranges in found["sets"].items()}


def test_a_key_that_is_added_is_missing_until_it_is_made(files: Folder) -> None:
    files.call("materialize", "-q", "-s", "files", "-p", "a.csv")
    told = files.call("partitions", "add", "files", "b.csv", "a.csv")
    assert told.stdout == "Added to files: b.csv\n"
    assert "The others were known already." in told.stderr
    assert sets(files, "files") == {"fresh": ["a.csv"], "missing": ["b.csv"]}
    plan = files.json("plan", "--stale", "-s", "files")
    assert plan["invocations"][0]["own_partitions"] or plan["invocations"][0]["partitions"] == ["b.csv"]
    assert files.json("materialize", "-s", "files", "-p", "all")["counts"]["materialized"] == 2
    assert sets(files, "files") == {"fresh": ["a.csv", "b.csv"]}


def test_one_that_is_dropped_is_made_by_nothing_and_an_error_when_it_is_named(files: Folder) -> None:
    for key in ("a.csv", "b.csv"):
        files.call("materialize", "-q", "-s", "files", "-p", key)
    assert files.json("partitions", "drop", "files", "a.csv") == {"version": 1, "asset": "files", "dropped": ["a.csv"]}
    assert sets(files, "files") == {"fresh": ["b.csv"], "orphan": ["a.csv"]}
    assert files.json("materialize", "-s", "files", "-p", "all")["counts"] == {"materialized": 1}
    error = files.call("materialize", "-s", "files", "-p", "a.csv", code=2).stderr
    assert "The file 'a.csv' was dropped." in error
    assert "did you mean 'b.csv'?" in error
    assert "assetry partitions add" in error
    assert sets(files, "files") == {"fresh": ["b.csv"], "orphan": ["a.csv"]}
    told = files.call("partitions", "files")
    assert "Dropped from files: a.csv." in told.stderr
    assert files.json("partitions", "files")["partitions"][0]["dropped"] == ["a.csv"]
    files.call("partitions", "drop", "files", "a.csv")
    # There again, with all that was recorded of it, under its number: `last` is the one that came last.
    files.call("partitions", "add", "files", "a.csv")
    assert sets(files, "files") == {"fresh": ["a.csv", "b.csv"]}
    assert files.json("plan", "-s", "files")["invocations"][0]["partitions"] == ["b.csv"]


def test_one_that_is_dropped_is_no_new_one_for_what_is_made_from_it(files: Folder) -> None:
    files.call("materialize", "-q", "-s", "files", "-p", "a.csv,b.csv")
    files.call("partitions", "drop", "files", "a.csv")
    assert "was dropped" in files.call("materialize", "-s", "files+", "-p", "a.csv,b.csv", code=2).stderr
    assert sets(files, "rows") == {}


def test_a_retry_leaves_out_what_was_dropped_since(files: Folder) -> None:
    files.write("shop_assets.py", FILES.replace("    return context.partition", "    raise ValueError"))
    files.call("materialize", "-q", "-s", "files", "-p", "a.csv,b.csv", code=1)
    files.call("partitions", "drop", "files", "a.csv")
    files.write("shop_assets.py", FILES)
    assert sets(files, "files") == {"failed": ["b.csv"]}
    assert files.json("retry")["counts"] == {"materialized": 1}
    assert sets(files, "files") == {"fresh": ["b.csv"]}


def test_a_key_with_time_makes_all_windows_of_it_known(files: Folder) -> None:
    assert files.json("partitions", "add", "both", "2026-01-01|x")["added"] == ["x"]
    assert files.json("partitions", "list", "both")["partitions"][0]["total"] == 2
    assert files.json("materialize", "-s", "both", "--stale")["counts"] == {"materialized": 2}
    error = files.call("partitions", "drop", "both", "2026-01-01|x", code=2).stderr
    assert "cannot be dropped by itself" in error
    files.call("partitions", "drop", "both", "x")
    assert files.json("partitions", "list", "both")["partitions"][0]["orphan"] == 2
    assert "The partition 'x' was dropped" in files.call("plan", "-s", "both", "-p", "2026-01-01|x", code=2).stderr


def test_a_function_adds_partitions(files: Folder) -> None:
    files.call("materialize", "-q", "-s", "inbox")
    assert sets(files, "files") == {"missing": ["new.csv", "a.csv"]}
    logs = files.call("logs").stdout
    assert "Added to the partitions of files: 'new.csv', 'a.csv'" in logs
    files.call("materialize", "-q", "-s", "inbox")
    assert "Added" not in files.call("logs").stdout
    assert files.json("materialize", "--stale", "-s", "files+")["counts"] == {"materialized": 2}
    # Each asset has keys of its own.
    assert sets(files, "rows") == {}


def test_a_function_cannot_add_to_what_is_fixed(files: Folder) -> None:
    files.write("shop_assets.py", FILES.replace('"files", "new.csv"', '"regions", "new.csv"'))
    files.call("materialize", "-q", "-s", "inbox", code=1)
    assert "The partitions of regions are fixed by its definition." in files.call("logs").stdout


def test_all_kinds_are_listed_with_counts(files: Folder) -> None:
    files.call("materialize", "-q", "-s", "regions", "-p", "eu")
    rows = files.json("partitions")["partitions"]
    assert [(row["asset"], row["kind"], row["total"]) for row in rows] == [
        ("files", "dynamic", 0),
        ("rows", "dynamic", 0),
        ("regions", "static", 2),
        ("both", "multi", 0),
    ] or {row["asset"]: row["total"] for row in rows} == {"files": 0, "rows": 0, "regions": 2, "both": 0}
    assert len(files.ndjson("partitions")) == 4
    text = files.call("partitions").stdout
    assert "regions: 1 of 2 made; 1 fresh, 1 missing" in text
    assert "us" not in text.split()
    assert "us" in files.call("partitions", "regions").stdout.split()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "files"], "wants the key of an asset, and partitions of it"),
        (["ad", "files", "x"], "did you mean 'add'?"),
        (["add", "file", "x"], "did you mean 'files'?"),
        (["add", "regions", "asia"], "fixed by its definition"),
        (["add", "inbox", "x"], "inbox has no partitions"),
        (["list", "inbox"], "inbox has no partitions"),
        (["drop", "files", "x"], "files has no partition 'x'."),
    ],
)
def test_what_is_wrong_is_told_with_what_was_meant(files: Folder, words: list[str], said: str) -> None:
    assert said in files.call("partitions", *words, code=2).stderr


def test_without_partitions_there_is_nothing_to_list(shop: Folder) -> None:
    assert "No asset has partitions." in shop.call("partitions").stderr
