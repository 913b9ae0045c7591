"""pandas over the Arrow road: nothing is changed, or it is said."""

from __future__ import annotations

from collections import namedtuple
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from assetry.errors import ValueStoreError
from assetry.io.frames import from_arrow, to_arrow

DAY, NOON = date(2024, 1, 1), datetime(2024, 1, 2, 13)


def column(*values: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(list(values), dtype="object")})


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (column(DAY, NOON), "mixes date and datetime"),
        (column(NOON, DAY), "mixes date and datetime"),
        (column([DAY], [NOON]), "mixes date and datetime in its lists"),
        (column({"a": DAY}, {"a": NOON}), "mixes date and datetime under 'a'"),
        (column(NOON, NOON.replace(tzinfo=UTC)), "mixes times with a zone and times without one"),
        (column("a", b"b"), "mixes bytes and str"),
        (column(1.5, True), "mixes bool and float"),
        (column({"a": 1}, {"b": 2}), "has dicts of different keys"),
        (column({}, {"a": 1}), "has dicts of different keys"),
        (column(time(1, tzinfo=UTC)), "has times of day with a zone"),
        (column(pd.Timestamp(1)), "has nanoseconds in Python objects"),
        (column(pd.Timedelta(1)), "has nanoseconds in Python objects"),
        (column(np.array([1]), np.array([True])), "column 'x' cannot be kept"),
        (column({1}, None, {2}), "has sets, which would come back as lists"),
        (column([{1}], [{2}]), "has sets, .* in its lists"),
        (column({"a": 1}.values()), "has sets, which would come back as lists"),
        (column(namedtuple("Point", "x y")(1, 2)), "has named tuples"),
        (column(Decimal("NaN"), Decimal("1.1")), r"has Decimal\('NaN'\)"),
        (column(Decimal("sNaN")), r"has Decimal\('NaN'\)"),
        (column(1, Decimal("NaN")), r"has Decimal\('NaN'\)"),
        (column({"a": Decimal("NaN")}), r"has Decimal\('NaN'\).* under 'a'"),
        (column(1j), "column 'x' cannot be kept"),
        (pd.DataFrame({"x": pd.Categorical([DAY, NOON], [DAY, NOON])}), "mixes date and datetime"),
        (column("\ud800"), "column 'x' cannot be kept"),
        (pd.DataFrame({"x": pd.arrays.SparseArray([0, 1])}), r"is Sparse\[int64, 0\]"),
    ],
)
def test_what_arrow_would_change_is_refused_by_its_column(frame: pd.DataFrame, why: str) -> None:
    with pytest.raises(ValueStoreError, match=why) as caught:
        to_arrow(frame, "asset 'a'")
    assert "asset 'a'" in caught.value.message
    assert "'x'" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "values",
    [
        [1, 2.5, None],
        [Decimal("1.5"), 2],
        [DAY, None, pd.NaT],
        [DAY, float("nan")],
        [NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=timezone(timedelta(hours=2)))],
        [pd.Timestamp(NOON), NOON],
        [[1, None], None, [2.5]],
        [{"a": [1]}, None, {"a": []}],
        [np.array([1]), np.array([2.5])],
        [b"a", bytearray(b"b")],
    ],
)
def test_what_is_of_one_kind_is_kept(values: list[Any]) -> None:
    assert to_arrow(column(*values)).num_rows == len(values)


BIG = 2**53 + 1


def test_whole_numbers_never_go_through_floating_point() -> None:
    table = pa.table({
        "n": pa.array([BIG, None]),
        "u": pa.array([2**64 - 1, None], pa.uint64()),
        "list": pa.array([[BIG, None], None]),
        "deep": pa.array([{"a": BIG}, {"a": None}]),
        "plain": pa.array([1, 2]),
    })  # fmt: skip
    frame = from_arrow(table, pd.DataFrame)
    assert frame.dtypes[["n", "u", "plain"]].astype(str).tolist() == ["Int64", "UInt64", "int64"]
    assert (frame["n"][0], frame["u"][0]) == (BIG, 2**64 - 1)
    assert list(frame["list"][0]) == [BIG, None]
    assert frame["deep"].tolist() == [{"a": BIG}, {"a": None}]
    assert list(frame.columns) == table.column_names
    assert to_arrow(frame).equals(table.replace_schema_metadata(None))


def test_decimals_are_exact() -> None:
    values = [Decimal("0.10"), Decimal("12345678901234567.89"), None]
    assert from_arrow(to_arrow(column(*values)), pd.DataFrame)["x"].tolist() == values
    whole = from_arrow(pa.table({"x": pa.array([2**64 - 1], pa.decimal128(20, 0))}), pd.DataFrame)
    assert whole["x"].tolist() == [2**64 - 1]


def test_times_in_lists_keep_their_zone_in_pandas() -> None:
    at = NOON.replace(tzinfo=UTC)
    frame = from_arrow(pa.table({"x": pa.array([[at], None], pa.list_(pa.timestamp("us", "UTC")))}), pd.DataFrame)
    assert frame["x"].tolist() == [[at], None]


@pytest.mark.parametrize(
    ("kind", "at"), [(pa.timestamp("ns"), pd.Timestamp(5)), (pa.duration("ns"), pd.Timedelta(5))], ids=str
)
def test_nanoseconds_in_structs_and_maps_stay_times_in_pandas(kind: pa.DataType, at: Any) -> None:
    one = pa.array([5], pa.int64()).cast(kind)
    struct = pa.StructArray.from_arrays([one], ["at"])
    for array, value in [
        (struct, {"at": at}),
        (pa.ListArray.from_arrays([0, 1], struct), [{"at": at}]),
        (pa.MapArray.from_arrays([0, 1], ["a"], one), [("a", at)]),
    ]:
        back = from_arrow(pa.table({"x": array}), "pandas.DataFrame")["x"].tolist()
        assert back == [value]
        assert "Time" in repr(back)  # a count of nanoseconds is no time


@pytest.mark.parametrize("value", [np.datetime64(5, "ns"), np.timedelta64(5, "ns")], ids=repr)
def test_nanoseconds_of_numpy_in_dicts_stay_times_in_pandas(value: Any) -> None:
    back = from_arrow(to_arrow(column({"at": value}, {"at": None}), "asset 'a'"), "pandas.DataFrame")["x"].tolist()
    assert back == [{"at": pd.Timestamp(5) if isinstance(value, np.datetime64) else pd.Timedelta(5)}, {"at": None}]


def test_a_frame_may_be_changed_without_changing_what_it_was_made_from() -> None:
    table = to_arrow(pd.DataFrame({"n": [1.5, 2.5]}))
    frame = from_arrow(table, pd.DataFrame)
    frame.loc[0, "n"] = 9.0
    assert table["n"].to_pylist() == [1.5, 2.5]


# -- polars ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "values"),
    [
        (pl.Series(["a", None, "b"], dtype=pl.Categorical), ["a", None, "b"]),
        (pl.Series(["a", None], dtype=pl.Enum(["b", "a"])), ["a", None]),
        (pl.Series([["a"], None], dtype=pl.List(pl.Categorical)), [["a"], None]),
        (pl.Series([{"c": "a"}], dtype=pl.Struct({"c": pl.Categorical})), [{"c": "a"}]),
        (pl.Series([["a", None], None]), [["a", None], None]),
        (pl.Series([None, None]), [None, None]),
    ],
)
def test_categories_of_polars_arrive_as_what_they_name(series: pl.Series, values: list[Any]) -> None:
    table = to_arrow(pl.DataFrame({"x": series}))
    assert table["x"].to_pylist() == values
    assert from_arrow(table, pl.DataFrame)["x"].to_list() == values


@pytest.mark.parametrize(
    ("series", "kind"),
    [(pl.Series([object()], dtype=pl.Object), "Object"), (pl.Series([1], dtype=pl.Int128), "Int128")],
)
def test_what_polars_cannot_hand_on_is_refused_by_its_column(series: pl.Series, kind: str) -> None:
    with pytest.raises(ValueStoreError, match=f"column 'x' is a polars {kind} and cannot be kept"):
        to_arrow(pl.DataFrame({"x": series}), "asset 'a'")


def test_what_polars_cannot_take_is_refused_by_its_column() -> None:
    for array in (pa.array([Decimal("1" * 50)]), pa.array([(1, 2, 3)], pa.month_day_nano_interval())):
        with pytest.raises(ValueStoreError, match=r"column 'x' is .*, which polars does not hold"):
            from_arrow(pa.table({"fine": [1], "x": array}), pl.DataFrame, "asset 'a'")
    assert from_arrow(pa.table({"x": pa.array([Decimal("1.5")], pa.decimal256(50, 1))}), pl.DataFrame)["x"][0] == 1.5
