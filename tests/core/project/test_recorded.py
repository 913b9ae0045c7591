"""What records say of values: of many partitions by one look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry import Asset, Project, asset
from assetry.errors import UnknownDependencyError
from assetry.project.recorded import RecordedValues
from assetry.store.sqlite import SQLiteStore
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization

KEY = AssetKey("sales")


class Watched(SQLiteStore):
    """A store that notes what it is asked for."""

    asked: list[Any]

    def latest(self, keys: Iterable[AssetKey] | None = None, partitions: Any = None) -> Any:
        self.asked.append(partitions)
        return super().latest(keys, partitions)


def made(partition: str | None, **metadata: Any) -> Materialization:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Materialization(key=KEY, at=at, run="r", data_version="1", partition=partition, metadata=metadata)


def test_many_partitions_are_asked_for_at_once_and_no_others() -> None:
    store = Watched(":memory:")
    store.asked = []
    store.append([], [made("a", io="files"), made("b", io="project"), made("c", io="none")])
    recorded = RecordedValues(lambda: store, lasting=True)
    assert recorded.metadata(KEY, ["a", "c", "d", None]) == {"a": {"io": "files"}, "c": {"io": "none"}}
    assert store.asked == [["a", "c", "d", None]]


def test_what_was_made_is_read_once_and_again_only_for_what_was_not() -> None:
    store = Watched(":memory:")
    store.asked = []
    store.append([], [made("a"), made("b")])
    recorded = RecordedValues(lambda: store, lasting=True)
    assert [recorded.was_made(KEY, each) for each in ("a", "b", "a")] == [True, True, True]
    assert len(store.asked) == 1
    assert not recorded.was_made(KEY, "c")
    store.append([], [made("c")])
    assert recorded.was_made(KEY, "c")


def test_of_an_input_that_nothing_defines_any_more_it_is_told_what_made_it(tmp_path: Path) -> None:
    @asset(key="shop/orders")
    def orders() -> int:
        return 1

    @asset
    def report(orders: int) -> int:
        return orders

    def hint(*assets: Asset) -> str:
        with Project(assets, root=tmp_path) as project, pytest.raises(UnknownDependencyError) as told:
            _ = project.graph
        return str(told.value.hint)

    unknown = "Correct the name, or load the integration that defines it."
    assert hint(report) == unknown
    assert not (tmp_path / ".assetry").exists(), "nothing is kept where nothing was"
    with Project([orders, report], root=tmp_path) as project:
        assert project.materialize().ok
    assert hint(report).startswith("shop/orders was made by integration 'python' until ")
    assert hint(report).endswith(", and is not defined there any more: let it be defined again, or leave it out.")

    @asset(deps=["orderz"])
    def other() -> int:
        return 1

    assert hint(other) == unknown
