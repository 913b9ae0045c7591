"""What records say of values: of many partitions by one look."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

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
