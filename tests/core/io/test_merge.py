"""Tables taken apart by partition and put together again."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from assetry.errors import ValueStoreError
from assetry.io.memory import MemoryIO
from assetry.io.merge import load_together, rows_by_partition, save_together, with_keys
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.types.assets import Asset
from hypothesis import given
from hypothesis import strategies as st

LETTERS = Asset(key="letters", kind="python", partitions_def=StaticPartitionsDefinition(["a", "b", "c"]), kept=True)


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(st.integers(0, 9)), min_size=1), st.randoms())
def test_rows_with_keys_come_apart_as_they_went_together(values: dict[str, list[int]], random: Any) -> None:
    parts = {key: pa.table({"n": pa.array(each, pa.int64())}) for key, each in values.items()}
    whole = with_keys(parts, "part")
    assert rows_by_partition(whole, "part", list(values)) == parts
    order = list(range(whole.num_rows))
    random.shuffle(order)
    mixed = rows_by_partition(whole.take(pa.array(order, pa.int64())), "part", list(values))
    assert {key: sorted(each["n"].to_pylist()) for key, each in mixed.items()} == {
        key: sorted(each) for key, each in values.items()
    }


def test_rows_that_are_of_none_of_the_partitions_are_refused() -> None:
    with pytest.raises(ValueStoreError, match="of the partitions 'z', and not of 'a', 'b'"):
        rows_by_partition(pa.table({"part": ["a", "z"]}), "part", ["a", "b"])
    with pytest.raises(ValueStoreError, match="'None'"):
        rows_by_partition(pa.table({"part": ["a", None]}), "part", ["a", "b"])


class Plain:
    """Be an IO manager that knows nothing of many partitions."""

    form = "any"

    def __init__(self) -> None:
        self.inner = MemoryIO()
        self.asked: list[str | None] = []

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        self.asked.append(partition)
        return self.inner.load(asset, partition)

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Any:
        self.asked.append(partition)
        return self.inner.save(asset, value, partition)


def test_a_manager_that_knows_nothing_of_it_is_asked_for_one_after_the_other() -> None:
    plain: Any = Plain()
    parts = {"b": pa.table({"n": [2]}), "a": pa.table({"n": [1]})}
    one_by_one, together = save_together(plain, LETTERS, parts), save_together(MemoryIO(), LETTERS, parts)
    assert [each.data_version for each in one_by_one] == [each.data_version for each in together]
    assert load_together(plain, LETTERS, ["a", "b"]).to_pydict() == {"n": [1, 2]}
    assert plain.asked == ["b", "a", "a", "b"]


def test_partitions_of_several_types_are_saved_as_one_table_of_their_common_type() -> None:
    memory = MemoryIO()
    save_together(memory, LETTERS, {"a": pa.table({"n": [1]}), "b": pa.table({"n": [0.5], "m": ["x"]})})
    assert memory.load(LETTERS, "a").to_pydict() == {"n": [1.0], "m": [None]}
    with pytest.raises(ValueStoreError, match="column 'n'"):
        save_together(memory, LETTERS, {"a": pa.table({"n": [2]}), "b": pa.table({"n": ["two"]})})
    assert memory.load(LETTERS, "a").to_pydict()["n"] == [1.0]


def test_a_column_of_the_assets_own_keeps_the_name_that_tells_partitions() -> None:
    memory = MemoryIO()
    save_together(memory, LETTERS, {"a": pa.table({"_partition": ["mine"]})})
    assert memory.load(LETTERS, "a").to_pydict() == {"_partition": ["mine"]}


def test_a_manager_that_forgets_a_partition_is_told_so() -> None:
    class Forgetful(MemoryIO):
        def save_parts(self, *given: Any) -> Any:
            return super().save_parts(*given)[:1]

    with pytest.raises(ValueStoreError, match="save_parts of Forgetful was given 2 partitions and tells of 1"):
        save_together(Forgetful(), LETTERS, {"a": pa.table({"n": [2]}), "b": pa.table({"n": [2]})})
