"""Keys of partitions that come into being: known before anything is made of them, dropped, and there again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry.errors import UsageError
from assetry.partitions.definitions import DynamicPartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.run.partition_keys import PartitionKeys
from assetry.store.sqlite import SQLiteStore
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization, RunInfo
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 1, 3, 12, tzinfo=UTC)
FILE = DynamicPartitionsDefinition("file")
FILES = Asset(key="files", kind="x", partitions_def=FILE)
DAYS = DailyPartitionsDefinition("2026-01-01")
BOTH = Asset(key="both", kind="x", partitions_def=MultiPartitionsDefinition({"day": DAYS, "file": FILE}))
REGION = StaticPartitionsDefinition(["eu", "us"])
PLAIN = Asset(key="plain", kind="x", partitions_def=MultiPartitionsDefinition({"file": FILE, "region": REGION}))


@pytest.fixture
def store() -> Iterator[SQLiteStore]:
    store = SQLiteStore(":memory:")
    store.begin(RunInfo(id="r", state="running", started=NOW))
    yield store
    store.close()


def make(store: SQLiteStore, asset: Asset, key: str, minutes: int = 0) -> None:
    at = NOW + timedelta(minutes=minutes)
    store.append([], [Materialization(key=asset.key, partition=key, at=at, run="r", data_version="1")])


def existing(store: SQLiteStore, asset: Asset) -> set[str]:
    assert asset.partitions_def is not None
    definition = asset.partitions_def.with_table(PartitionKeys(store).table(asset))
    return set(definition.keys_of(definition.existing(NOW)))


def test_what_was_made_before_keeps_its_number(store: SQLiteStore) -> None:
    make(store, FILES, "b", 1)
    make(store, FILES, "a", 0)
    keys = PartitionKeys(store)
    assert keys.add(FILES, ["x", "b"]) == ("x",)
    make(store, FILES, "c", 2)
    assert PartitionKeys(store).add(FILES, ["y"]) == ("y",)
    make(store, FILES, "a", 3)
    assert PartitionKeys(store).table(FILES).keys == ("a", "b", "x", "c", "y")


def test_what_is_dropped_is_there_again_under_its_number(store: SQLiteStore) -> None:
    keys = PartitionKeys(store)
    keys.add(FILES, ["a", "b", "c"])
    assert keys.drop(FILES, ["a"]) == ("a",)
    assert keys.drop(FILES, ["a"]) == ()
    # Being made does not bring it back: a run that was under way ends with a record of what is no partition.
    make(store, FILES, "a")
    assert existing(store, FILES) == {"b", "c"}
    assert PartitionKeys(store).add(FILES, ["a"]) == ("a",)
    assert PartitionKeys(store).table(FILES).number("a") == 0
    assert existing(store, FILES) == {"a", "b", "c"}


def test_a_key_with_time_makes_a_strand_known(store: SQLiteStore) -> None:
    keys = PartitionKeys(store)
    assert keys.add(BOTH, ["2026-01-01|x", "y"]) == ("x", "y")
    assert existing(store, BOTH) == {f"2026-01-0{day}|{file}" for day in (1, 2) for file in "xy"}
    with pytest.raises(UsageError, match="cannot be dropped by itself") as caught:
        keys.drop(BOTH, ["2026-01-01|x"])
    assert list(caught.value.near) == ["x"]
    assert keys.drop(BOTH, ["x"]) == ("x",)
    assert existing(store, BOTH) == {"2026-01-01|y", "2026-01-02|y"}
    definition = BOTH.partitions_def
    assert definition is not None
    with pytest.raises(UsageError, match="The partition 'x' was dropped"):
        definition.with_table(keys.table(BOTH)).number("2026-01-02|x")


def test_combinations_without_time_are_dropped_one_by_one(store: SQLiteStore) -> None:
    keys = PartitionKeys(store)
    keys.add(PLAIN, ["a|eu"])
    assert existing(store, PLAIN) == {"a|eu", "a|us"}
    keys.drop(PLAIN, ["a|us"])
    assert existing(store, PLAIN) == {"a|eu"}


@pytest.mark.parametrize(
    ("asset", "key", "said"),
    [
        (FILES, " a", "cannot be the key of a file"),
        (BOTH, "2026-01-32|x", "its part 'day'"),
        (BOTH, "2026-01-01|x|y", "no strand"),
        (PLAIN, "a|asia", "its part 'region'"),
        (Asset(key="days", kind="x", partitions_def=DAYS), "2026-01-01", "fixed by its definition"),
        (Asset(key="whole", kind="x"), "a", "has no partitions"),
    ],
)
def test_what_cannot_be_a_key_is_an_error(store: SQLiteStore, asset: Asset, key: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        PartitionKeys(store).add(asset, [key])
    assert store.partition_keys() == {}


def test_what_is_no_partition_cannot_be_dropped(store: SQLiteStore) -> None:
    PartitionKeys(store).add(FILES, ["orders.csv"])
    with pytest.raises(UsageError, match=r"no partition 'order\.csv'") as caught:
        PartitionKeys(store).drop(FILES, ["orders.csv", "order.csv"])
    assert list(caught.value.near) == ["orders.csv"]
    assert existing(store, FILES) == {"orders.csv"}


@given(st.lists(st.tuples(st.sampled_from(["add", "drop", "make"]), st.lists(st.sampled_from("abcd"), min_size=1))))
def test_numbers_are_those_of_the_order_in_which_keys_came_to_be_known(steps: list[Any]) -> None:
    store = SQLiteStore(":memory:")
    store.begin(RunInfo(id="r", state="running", started=NOW))
    order: list[str] = []
    dropped: set[str] = set()
    made: set[str] = set()
    for minute, (what, names) in enumerate(steps):
        for name in dict.fromkeys(names):
            if what == "make":
                # One that is made again before anything is added has the place of when it was made last.
                if name not in made and name not in order:
                    made.add(name)
                    make(store, FILES, name, minute)
            elif what == "add":
                PartitionKeys(store).add(FILES, [name])
                dropped.discard(name)
            elif name in order:
                PartitionKeys(store).drop(FILES, [name])
                dropped.add(name)
            if name not in order and (what != "drop"):
                order.append(name)
        table = PartitionKeys(store).table(FILES)
        assert set(table.living) == set(order) - dropped
        known = store.partition_keys().get(AssetKey("files"))
        if known is not None:
            assert table.keys[: len(known.keys)] == known.keys
            assert list(known.keys) == order[: len(known.keys)] or len(made) > 1
    store.close()
