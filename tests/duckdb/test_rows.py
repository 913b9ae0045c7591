"""Rows as a stream into tables of a real DuckDB file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from assetry.plugin import Asset, NothingKeptError, Rows, ValueStoreError
from assetry_duckdb.io import DuckDBIO

ORDERS = Asset(key="shop/orders", kind="airbyte", relation=(None, "raw", "orders"))


@pytest.fixture
def io(tmp_path: Path) -> DuckDBIO:
    return DuckDBIO.from_url(f"duckdb:{tmp_path / 'shop.duckdb'}")


def rows(columns: Mapping[str, Sequence[Any]], *mode: Any, size: int = 2, **more: Any) -> Rows:
    table = pa.table(dict(columns))
    return Rows(lambda: pa.RecordBatchReader.from_batches(table.schema, table.to_batches(size)), *mode, **more)


def there(io: DuckDBIO) -> list[dict[str, Any]]:
    return sorted(io.load(ORDERS).to_pylist(), key=repr)


def test_rows_replace_what_is_there(io: DuckDBIO) -> None:
    io.save_rows(ORDERS, rows({"id": [1, 2, 3]}))
    saved = io.save_rows(ORDERS, rows({"id": [9], "n": ["x"]}))
    assert there(io) == [{"id": 9, "n": "x"}]
    assert saved.metadata == {"rows": 1, "changed": 1, "relation": "shop.raw.orders"}
    assert [column[:2] for column in saved.columns or ()] == [("id", "BIGINT"), ("n", "VARCHAR")]
    assert saved.data_version is None


def test_of_rows_that_replace_and_have_keys_the_newest_stay(io: DuckDBIO) -> None:
    columns = {"id": [1, 1, 2], "at": [2, 1, None], "n": ["new", "old", "b"]}
    saved = io.save_rows(ORDERS, rows(columns, "replace", keys=("id",), newest="at"))
    assert [row["n"] for row in there(io)] == ["new", "b"]
    assert (saved.metadata["rows"], saved.metadata["changed"]) == (2, 2)


def test_rows_are_appended_and_bring_new_columns(io: DuckDBIO) -> None:
    io.save_rows(ORDERS, rows({"id": [1]}, "append"))
    saved = io.save_rows(ORDERS, rows({"n": ["x"], "ID": [1]}, "append"))
    assert there(io) == [{"id": 1, "n": "x"}, {"id": 1, "n": None}]
    assert (saved.metadata["rows"], saved.metadata["changed"]) == (2, 1)


def test_rows_are_merged_by_their_keys_and_the_newest_wins(io: DuckDBIO) -> None:
    first = {"id": [1, 1, 2, 3], "at": [5, 4, 5, None], "n": ["new", "old", "b", "c"]}
    merge: dict[str, Any] = {"keys": ("id",), "newest": "at"}
    assert io.save_rows(ORDERS, rows(first, "merge", **merge)).metadata["changed"] == 3
    second = {"id": [1, 2, 3, 4], "at": [4, 5, 1, 1], "n": ["late", "b2", "c2", "d"]}
    saved = io.save_rows(ORDERS, rows(second, "merge", existing=True, **merge))
    assert {row["id"]: row["n"] for row in there(io)} == {1: "new", 2: "b2", 3: "c2", 4: "d"}
    assert (saved.metadata["rows"], saved.metadata["changed"]) == (4, 3)


def test_without_a_newest_column_the_last_row_wins_and_null_is_a_key(io: DuckDBIO) -> None:
    many = list(range(5000))
    keys = {"keys": ("a", "b")}
    io.save_rows(ORDERS, rows({"a": [1, None] * 2500, "b": [None] * 5000, "n": many}, "merge", size=100, **keys))
    assert there(io) == [{"a": 1, "b": None, "n": 4998}, {"a": None, "b": None, "n": 4999}]
    io.save_rows(ORDERS, rows({"a": pa.array([None], pa.int64()), "b": pa.nulls(1), "n": [0]}, "merge", **keys))
    assert there(io) == [{"a": 1, "b": None, "n": 4998}, {"a": None, "b": None, "n": 0}]


def test_a_merge_of_what_is_there_already_changes_nothing(io: DuckDBIO) -> None:
    columns = {"id": [1, 2], "n": [None, "b"]}
    io.save_rows(ORDERS, rows(columns, "merge", keys=("id",)))
    saved = io.save_rows(
        ORDERS, rows({"id": [2, 1], "n": ["b", None], "more": pa.nulls(2, pa.string())}, "merge", keys=("id",))
    )
    assert (saved.metadata["rows"], saved.metadata["changed"]) == (2, 0)
    # A row that no longer has a column's value is another row.
    assert io.save_rows(ORDERS, rows({"id": [2]}, "merge", keys=("id",))).metadata["changed"] == 1
    assert there(io) == [{"id": 1, "n": None, "more": None}, {"id": 2, "n": None, "more": None}]


def test_a_table_that_must_be_there_and_is_not(io: DuckDBIO) -> None:
    for mode in ("append", "merge"):
        with pytest.raises(NothingKeptError, match=r"shop\.raw\.orders is no longer there"):
            io.save_rows(ORDERS, rows({"id": [1]}, mode, keys=("id",), existing=True))
    io.save_rows(ORDERS, rows({"id": [1]}, "replace", existing=True))


def test_rows_that_break_off_leave_the_old_ones(io: DuckDBIO) -> None:
    io.save_rows(ORDERS, rows({"id": [1]}))

    def broken() -> Any:
        yield pa.record_batch({"id": [2]})
        raise OSError("the spool is gone")

    schema = pa.schema({"id": pa.int64()})
    for mode in ("replace", "append", "merge"):
        with pytest.raises(ValueStoreError, match="the spool is gone"):
            io.save_rows(ORDERS, Rows(lambda: pa.RecordBatchReader.from_batches(schema, broken()), mode, keys=("id",)))
        assert there(io) == [{"id": 1}]


def test_values_that_do_not_fit_the_column_are_refused_whole(io: DuckDBIO) -> None:
    io.save_rows(ORDERS, rows({"id": [1]}))
    for mode in ("append", "merge"):
        with pytest.raises(
            ValueStoreError, match=r"column 'id' is int64 in its table .* and string in the rows that come"
        ):
            io.save_rows(ORDERS, rows({"id": ["2", "many"]}, mode, keys=("id",)))
    assert there(io) == [{"id": 1}]


def test_rows_widen_the_table_where_that_changes_nothing(io: DuckDBIO) -> None:
    io.save_rows(ORDERS, rows({"id": [1], "n": pa.array([1], pa.int32())}))
    io.save_rows(ORDERS, rows({"id": [2], "n": [0.5]}, "append"))
    io.save_rows(ORDERS, rows({"id": [1], "n": [7]}, "merge", keys=("id",)))
    assert there(io) == [{"id": 1, "n": 7.0}, {"id": 2, "n": 0.5}]
    for mode in ("append", "merge"):
        with pytest.raises(ValueStoreError, match=r"column 'n' is (float64|floating point)"):
            io.save_rows(ORDERS, rows({"id": [3], "n": [2**53 + 1]}, mode, keys=("id",)))
    assert len(there(io)) == 2


def test_a_view_gives_way(io: DuckDBIO, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute("CREATE SCHEMA raw; CREATE VIEW raw.orders AS SELECT 7 AS id")
    io.save_rows(ORDERS, rows({"id": [1]}, "append"))
    assert there(io) == [{"id": 1}]
