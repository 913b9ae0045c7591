"""Names for completion: what records have of keys, runs and backfills, and nothing where they cannot be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from assetry import DailyPartitionsDefinition, Project, asset
from assetry.store.names import RecordedNames
from assetry.store.sqlite import SQLiteStore
from assetry.types.records import BackfillRecord


@asset(tags=["daily", "odd"], owners=["ana@example.com"], group="raw", schema={"id": "int"})
def orders() -> list[dict[str, int]]:
    return [{"id": 1}]


@asset(key="shop/total", partitions_def=DailyPartitionsDefinition("2026-01-01"))
def total() -> int:
    return 3


@asset
def old() -> int:
    return 1


def names(root: Path) -> RecordedNames:
    return RecordedNames(root / ".assetry" / "state.db")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with Project([old], root=tmp_path) as project:
        project.materialize()
    with Project([orders, total], root=tmp_path) as project:
        project.materialize("orders")
        project.materialize("shop/total", partition="2026-01-02")
    return tmp_path


def test_keys_are_those_of_the_last_run_and_the_others_are_gone(shop: Path) -> None:
    assert sorted(names(shop).keys()) == ["orders", "shop/total"]
    assert names(shop).gone() == ["old"]


@pytest.mark.parametrize(
    ("method", "found"),
    [
        ("tag", ["daily", "odd"]),
        ("owner", ["ana@example.com"]),
        ("group", ["raw"]),
        ("kind", ["python"]),
        ("integration", ["python"]),
        ("column", ["id"]),
        ("state", []),
    ],
)
def test_methods_have_the_values_of_definitions(method: str, found: list[str], shop: Path) -> None:
    assert sorted(names(shop).values(method)) == found


def test_runs_are_told_with_their_state_the_newest_first(shop: Path) -> None:
    with closing(SQLiteStore(shop / ".assetry" / "state.db")) as store:
        known = [run.id for run in store.runs()]
    assert [id_ for id_, _ in names(shop).runs()] == known
    assert names(shop).runs()[0][1].startswith("succeeded, 20")
    assert names(shop).runs(living=True) == []


def test_partitions_are_those_that_were_made(shop: Path) -> None:
    assert names(shop).partitions() == ["2026-01-02"]


def test_backfills_have_their_names_else_their_ids(shop: Path) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with closing(SQLiteStore(shop / ".assetry" / "state.db")) as store:
        store.change_backfill(BackfillRecord(id="b1", at=at, state="open", body={"name": "january"}), None)
        store.change_backfill(BackfillRecord(id="b2", at=at, state="done"), None)
    assert names(shop).backfills() == [("b2", "done backfill"), ("january", "open backfill")]
    assert names(shop).backfills(living=True) == [("january", "open backfill")]


def test_what_cannot_be_read_has_no_names_and_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    assert RecordedNames(file).keys() == []
    assert not file.exists()
    file.write_text("not a database, but long enough to look like one" * 99)
    assert RecordedNames(file).runs() == []
    sqlite3.connect(tmp_path / "other.db").close()
    assert RecordedNames(tmp_path / "other.db").keys() == []
    assert RecordedNames(None).partitions() == []
