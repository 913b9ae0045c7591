"""DataFrames over the Arrow road, and the version of what they hold."""

from __future__ import annotations

import json
import subprocess
import sys
import typing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from assetry.errors import ValueStoreError
from assetry.io.content import columns_of, content_version
from assetry.io.frames import frame_name, frame_type, from_arrow, is_frame, to_arrow
from assetry.io.plugin import assetry_value_metadata

TABLE = pa.table({"id": [1, 2], "name": ["a", None]})


# -- what is a table ---------------------------------------------------------------------------------------------


class Sub(pd.DataFrame):
    pass


T = typing.TypeVar("T")


class Generic(pd.DataFrame, typing.Generic[T]):
    """Be as the DataFrame[Schema] of checking libraries."""


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (pd.DataFrame, "pandas.DataFrame"),
        (Sub, "pandas.DataFrame"),
        (Generic[int], "pandas.DataFrame"),
        (pl.DataFrame, "polars.DataFrame"),
        (pl.LazyFrame, "polars.LazyFrame"),
        (pa.Table, "pyarrow.Table"),
        (pa.RecordBatchReader, "pyarrow.RecordBatchReader"),
        ("pl.LazyFrame", "polars.LazyFrame"),
        ("pandas.DataFrame", "pandas.DataFrame"),
        ("DataFrame", None),
        (pd.Series, None),
        (dict[str, int], None),
        (None, None),
        (Any, None),
    ],
)
def test_types_of_tables(form: Any, name: str | None) -> None:
    assert frame_type(form) == name


def test_values_that_are_tables() -> None:
    assert is_frame(pd.DataFrame())
    assert is_frame(duckdb.sql("SELECT 1 AS a"))
    assert frame_name(Sub({"a": [1]})) == "pandas.DataFrame"
    for other in (
        pd.Series([1]),
        pl.Series([1]),
        pa.chunked_array([[1]]),
        pa.array([1]),
        {"a": [1]},
        [1],
        None,
        pd.DataFrame,
    ):
        assert not is_frame(other), other


# -- to Arrow ----------------------------------------------------------------------------------------------------


def test_every_kind_of_table_becomes_the_same_arrow() -> None:
    frame = pd.DataFrame({"id": [1, 2], "name": ["a", None]})
    relation = duckdb.sql("SELECT * FROM (VALUES (1::BIGINT, 'a'), (2::BIGINT, NULL)) t(id, name)")
    kinds = [
        TABLE,
        TABLE.to_reader(),
        TABLE.to_batches()[0],
        frame,
        pl.from_pandas(frame),
        pl.from_pandas(frame).lazy(),
        relation,
    ]
    assert {content_version(to_arrow(kind)) for kind in kinds} == {content_version(TABLE)}
    assert {columns_of(to_arrow(kind)) for kind in kinds} == {columns_of(TABLE)}


def test_a_pandas_index_counts_when_it_has_a_name() -> None:
    frame = pd.DataFrame({"n": [1, 2]}, index=[7, 8])
    assert to_arrow(frame).column_names == ["n"]
    assert to_arrow(frame.rename_axis("key")).to_pydict() == {"key": [7, 8], "n": [1, 2]}
    two = frame.set_index(pd.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["a", None]))
    assert to_arrow(two).column_names == ["a", "n"]


def test_pandas_types_keep_their_meaning() -> None:
    frame = pd.DataFrame(
        {
            "nullable": pd.array([1, None], dtype="Int64"),
            "category": pd.Categorical(["x", None]),
            "zoned": pd.to_datetime(["2024-01-01", None]).tz_localize("Europe/Berlin"),
            "plain": pd.to_datetime(["2024-01-01", None]),
            "span": pd.to_timedelta([1, None], unit="s"),
            "empty": [None, None],
            "missing": [1.5, np.nan],
            "flag": pd.array([True, None], dtype="boolean"),
            "exact": [Decimal("1.50"), None],
            "days": [date(2024, 1, 1), None],
            5: [1, 2],
        }
    )
    table = to_arrow(frame)
    kinds = {column.name: column.type for column in columns_of(table)}
    assert (kinds["nullable"], kinds["category"], kinds["empty"], kinds["5"]) == ("int64", "string", "string", "int64")
    assert (kinds["flag"], kinds["exact"], kinds["days"]) == ("bool", "decimal128(3, 2)", "date32[day]")
    assert kinds["zoned"] is not None
    assert "Europe/Berlin" in kinds["zoned"]
    assert all(
        table.column(i).null_count == 1 for i in range(table.num_columns) if table.column_names[i] not in "empty5"
    )
    back = from_arrow(table, pd.DataFrame)
    assert back["zoned"][0] == frame["zoned"][0]
    assert back["plain"][0] == datetime(2024, 1, 1)
    assert back["days"][0] == datetime(2024, 1, 1)
    assert back["exact"][0] == Decimal("1.50")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"ok": [1, 2], "odd": [1, "x"]}), r"column 'odd' cannot be kept: it mixes int and str"),
        (pd.DataFrame({"ok": [1], "odd": [object()]}), r"column 'odd' cannot be kept"),
        (pd.DataFrame({"ok": [1], "odd": [2**70]}), r"column 'odd' cannot be kept"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"two columns of one name: 'a'"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), r"two columns of one name: '1'"),
        (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), r"its columns have 2 levels"),
        (pd.DataFrame({"a": [1]}, index=pd.Index([1], name="a")), r"its index cannot become columns"),
        (pa.table([[1], [2]], names=["a", "a"]), r"two columns of one name: 'a'"),
        ({"a": [1]}, "dict is not a table"),
    ],
)
def test_what_arrow_cannot_hold_is_named(frame: Any, message: str) -> None:
    with pytest.raises(ValueStoreError, match=message) as caught:
        to_arrow(frame, "asset 'x'")
    assert "asset 'x'" in caught.value.message
    assert caught.value.hint


# -- from Arrow --------------------------------------------------------------------------------------------------


def test_a_table_comes_as_what_is_asked_for() -> None:
    assert isinstance(from_arrow(TABLE), pd.DataFrame)
    assert isinstance(from_arrow(TABLE, Any), pd.DataFrame)
    assert isinstance(from_arrow(TABLE, pd.DataFrame | None), pd.DataFrame)
    assert isinstance(from_arrow(TABLE, typing.Optional[pl.DataFrame]), pl.DataFrame)  # noqa: UP045
    assert from_arrow(TABLE, pa.Table) is TABLE
    assert from_arrow(TABLE, pa.RecordBatchReader).read_all().equals(TABLE)
    assert from_arrow(pa.concat_tables([TABLE, TABLE]), pa.RecordBatch).num_rows == 4
    assert from_arrow(TABLE.slice(0, 0), pa.RecordBatch).schema == TABLE.schema
    assert from_arrow(TABLE, pl.LazyFrame).collect().rows() == [(1, "a"), (2, None)]


def test_another_type_is_refused_with_the_choices() -> None:
    with pytest.raises(ValueStoreError, match="asset 'x' is a table, and cannot be had as dict") as caught:
        from_arrow(TABLE, dict, "asset 'x'")
    assert "pandas.DataFrame" in (caught.value.hint or "")


def test_whole_sums_of_a_warehouse_are_whole_numbers_in_pandas_and_decimals_are_exact() -> None:
    table = pa.table(
        {
            "sum": pa.array([3, None], pa.decimal128(38, 0)),
            "whole": pa.array([3, 4], pa.decimal128(38, 0)),
            "huge": pa.array([10**30, 1], pa.decimal128(38, 0)),
            "paid": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
        }
    )
    frame = from_arrow(table, pd.DataFrame)
    assert frame["whole"].dtype == "int64"
    assert frame["sum"].dtype == "Int64"
    assert frame["sum"][0] == 3
    assert frame["huge"].tolist() == [Decimal(10**30), Decimal(1)]
    assert frame["paid"].tolist() == [Decimal("1.50"), None]
    assert from_arrow(table, pa.Table).column("paid").to_pylist()[0] == Decimal("1.50")


# -- facts -------------------------------------------------------------------------------------------------------


def test_facts_are_plain_json() -> None:
    frame = pd.DataFrame(
        {
            "n": np.arange(9),
            "f": [1.5, np.nan, np.inf, 0, 0, 0, 0, 0, 0],
            "at": pd.to_datetime([None, *["2024-01-01"] * 8]),
            "text": ["x" * 500] * 9,
            "many": [[1, timedelta(1)]] * 9,
            "flag": pd.array([None, *[True] * 8], dtype="boolean"),
        }
    )
    for kind in (frame, pl.from_pandas(frame.drop(columns="many")), to_arrow(frame.drop(columns="many"))):
        facts = assetry_value_metadata(kind)
        assert facts is not None
        assert (facts["rows"], facts["columns"]) == (9, kind.shape[1])
        preview = json.loads(json.dumps(facts["preview"], allow_nan=False))
        assert len(preview) == 5
        assert [row["n"] for row in preview] == [0, 1, 2, 3, 4]
        assert [row["f"] for row in preview][:3] == [1.5, None, "inf"]
        assert preview[0]["at"] is None
        assert preview[0]["flag"] is None
        assert len(preview[0]["text"]) == 200
        assert preview[1]["flag"] is True


@pytest.mark.parametrize("value", [None, 1, [1], {"a": 1}, pd.Series([1]), TABLE.to_reader()])
def test_other_values_have_no_facts(value: Any) -> None:
    assert assetry_value_metadata(value) is None


def test_importing_loads_no_dataframe_library() -> None:
    code = "import sys, assetry.io.frames as _; print([*{'pandas', 'polars', 'pyarrow'} & {*sys.modules}])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_utc_stays_utc() -> None:
    at = datetime(2024, 1, 1, tzinfo=UTC)
    assert from_arrow(to_arrow(pd.DataFrame({"at": [at]})))["at"][0] == at
