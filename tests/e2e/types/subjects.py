"""A frame of one column, `x`, for every dtype of pandas, polars and Arrow; outermost and missing values among them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

#: By library, then by the dtype as it is written: what makes the frame.
Subjects = dict[str, Callable[[], Any]]

DAY, DAYS = date(2024, 2, 29), [date(1, 1, 1), None, date(9999, 12, 31)]
AT = datetime(2024, 2, 29, 13, 30, 15, 123456)
SPAN = timedelta(days=40, hours=25, microseconds=5)
UUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
EXACT = [Decimal("0.10"), None, Decimal("-12345678901234567.89")]
WHOLE = {f"{sign}int{bits}": (0 if sign else -(2 ** (bits - 1)), 2 ** (bits - (not sign)) - 1)
         for sign in ("", "u") for bits in (8, 16, 32, 64)}  # fmt: skip
#: Whole seconds, a day apart, as counts of each unit; in nanoseconds there is one that microseconds do not have, too.
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MANY = Decimal("1" * 50)


# -- pandas ------------------------------------------------------------------------------------------------------


def pandas_frame(values: Any, dtype: Any = None) -> Callable[[], pd.DataFrame]:
    return lambda: pd.DataFrame({"x": pd.Series(values, dtype=dtype)})


def pandas_subjects() -> Subjects:
    found: Subjects = {"bool": pandas_frame([True, False]), "boolean": pandas_frame([True, None, False], "boolean")}
    for name, (low, high) in WHOLE.items():
        found[name] = pandas_frame([low, high], name)
        nullable = name.replace("int", "Int").replace("uI", "UI")
        found[nullable] = pandas_frame([low, None, high], nullable)
    for name, values in {"float16": [0.5, None, -2.0], "float32": [0.1, None, 3e38],
                         "float64": [0.1, None, -1e308, -0.0],
                         "Float32": [0.1, None, 3e38], "Float64": [0.1, None, -1e308, -0.0]}.items():  # fmt: skip
        found[name] = pandas_frame(values, name)
    found["complex128"] = pandas_frame([1j])
    for name in ("str", "string", "string[pyarrow]"):
        found[name] = pandas_frame(["", None, "ünïcödé"], name)
    for unit, many in UNITS.items():
        found[f"datetime64[{unit}]"] = pandas_frame(np.array([many, "NaT", -many], f"datetime64[{unit}]"))
        found[f"timedelta64[{unit}]"] = pandas_frame(np.array([many, "NaT", -many], f"timedelta64[{unit}]"))
    fine = "with nanoseconds"
    found[f"datetime64[ns] {fine}"] = pandas_frame(np.array([1, "NaT"], "datetime64[ns]"))
    found[f"timedelta64[ns] {fine}"] = pandas_frame(np.array([1, "NaT"], "timedelta64[ns]"))
    zoned = pd.Series(pd.to_datetime([AT, None])).dt.tz_localize("Europe/Berlin").dt.as_unit("us")
    found["datetime64[us, Europe/Berlin]"] = pandas_frame(zoned)
    found["datetime64[us, +05:30]"] = pandas_frame(zoned.dt.tz_convert("+05:30"))
    found["category of text"] = pandas_frame(["a", None, "b"], "category")
    found["category of int64"] = pandas_frame([1, None, 2], "category")
    found["category, ordered"] = pandas_frame(["a", "b"], pd.CategoricalDtype(["b", "a"], ordered=True))
    found["category of intervals"] = pandas_frame(pd.Series(pd.cut([1, 2, 3], 2)))
    found["period[M]"] = pandas_frame(pd.period_range("2024-01", periods=2, freq="M"))
    found["interval[int64, right]"] = pandas_frame(pd.Series(pd.interval_range(0, 2)))
    found["Sparse[int64, 0]"] = pandas_frame(pd.arrays.SparseArray([0, 1]))
    for kind in (pa.int64(), pa.decimal128(10, 2), pa.list_(pa.int64())):
        values = {"int64": [1, None], "decimal128(10, 2)": [Decimal("1.50"), None]}.get(str(kind), [[1], None])
        found[f"{kind} of ArrowDtype"] = pandas_frame(values, pd.ArrowDtype(kind))
    return found | {f"object: {name}": pandas_frame(values, "object") for name, values in OBJECTS.items()}


OBJECTS: dict[str, list[Any]] = {
    "text": ["a", None],
    "bytes": [b"a\0", None, b""],
    "bool": [True, None],
    "int": [2**63 - 1, None, -(2**63)],
    "int beyond 64 bits": [2**64],
    "int and float": [1, 0.5],
    "Decimal": EXACT,
    "Decimal of 50 digits": [MANY, None],
    "date": [DAY, None],
    "datetime": [AT, None],
    "datetime with a zone": [AT.replace(tzinfo=UTC), None],
    "datetime with and without a zone": [AT.replace(tzinfo=UTC), AT],
    "date and datetime": [DAY, AT],
    "Timestamp with nanoseconds": [pd.Timestamp(1)],
    "time": [time(1, 2, 3, 4), None],
    "time with a zone": [time(1, tzinfo=UTC)],
    "timedelta": [SPAN, None, -SPAN],
    "UUID": [UUID, None],
    "list of int": [[2**53 + 1, None], None, []],
    "list of text": [["a", None], None],
    "list of datetime with a zone": [[AT.replace(tzinfo=UTC)], None],
    "dict": [{"a": 2**53 + 1, "b": "x"}, None, {"a": None, "b": None}],
    "set of int": [{1}, None],
    "tuple of int": [(1, 2), None],
    "Decimal with NaN": [Decimal("1.5"), Decimal("NaN")],
    "list of UUID": [[UUID, None], None],
    "dict of datetime64[ns]": [{"a": np.datetime64(5000, "ns")}, {"a": None}],
    "dict of timedelta64[ns]": [{"a": np.timedelta64(5000, "ns")}, {"a": None}],
    "dict of different keys": [{"a": 1}, {"b": 2}],
    "text and bytes": ["a", b"b"],
    "text and int": ["a", 1],
    "bool and float": [1.5, True],
    "any other": [object()],
    "nothing": [None, None],
}


# -- polars ------------------------------------------------------------------------------------------------------


def polars_frame(values: Any, dtype: Any) -> Callable[[], pl.DataFrame]:
    return lambda: pl.DataFrame({"x": pl.Series(values, dtype=dtype)})


def polars_subjects() -> Subjects:
    found: Subjects = {}

    def add(values: list[Any], dtype: Any, more: str = "") -> None:
        found[f"{_polars_name(dtype)}{more}"] = polars_frame(values, dtype)

    add([True, None], pl.Boolean)
    for name, (low, high) in WHOLE.items():
        add([low, None, high], getattr(pl, name.replace("int", "Int").replace("uI", "UI")))
    add([2**100, None], pl.Int128)
    add([2**100, None], pl.UInt128)
    add([0.5, None], pl.Float16)
    add([0.1, None, float("nan"), -0.0, 0.0], pl.Float32)
    add([0.1, None, float("nan"), -1e308, -0.0, 0.0], pl.Float64)
    add(EXACT, pl.Decimal(38, 2))
    add(["", None, "ünïcödé"], pl.String)
    add([b"a\0", None, b""], pl.Binary)
    add(DAYS, pl.Date)
    add([time(1, 2, 3, 4), None], pl.Time)
    found["Time with nanoseconds"] = lambda: pl.DataFrame({"x": pl.Series([1, None]).cast(pl.Time)})
    for unit in ("ms", "us", "ns"):
        at, span = AT.replace(microsecond=123000), timedelta(days=40, milliseconds=5)
        add([at, None], pl.Datetime(unit))
        add([at, None], pl.Datetime(unit, "Europe/Berlin"))
        add([span, None, -span], pl.Duration(unit))
    for kind in (pl.Datetime("ns"), pl.Datetime("ns", "UTC"), pl.Duration("ns")):
        found[f"{_polars_name(kind)} with nanoseconds"] = _counted(kind)
    add(["a", None, "b"], pl.Categorical)
    add(["a", None], pl.Enum(["b", "a"]))
    add([[2**53 + 1, None], None, []], pl.List(pl.Int64))
    add([[2**64 - 1], None], pl.List(pl.UInt64))
    add([["a", None], None], pl.List(pl.String))
    add([["a", None], None], pl.List(pl.Categorical))
    add([[[1], None], None], pl.List(pl.List(pl.Int64)))
    add([[Decimal("1.25")], None], pl.List(pl.Decimal(10, 2)))
    add([[timedelta(1)], None], pl.List(pl.Duration("us")))
    add([[1, 2], None], pl.Array(pl.Int8, 2))
    add([{"a": 2**53 + 1, "b": "x"}, {"a": None, "b": None}], pl.Struct({"a": pl.Int64, "b": pl.String}))
    add([{"a": AT}, {"a": None}], pl.Struct({"a": pl.Datetime("ns")}))
    add([[{"a": SPAN}], None], pl.List(pl.Struct({"a": pl.Duration("ns")})))
    add([object()], pl.Object)
    add([None, None], pl.Null)
    return found


def _counted(kind: Any) -> Callable[[], pl.DataFrame]:
    return lambda: pl.DataFrame({"x": pl.Series([1, None], dtype=pl.Int64).cast(kind)})


def _polars_name(dtype: Any) -> str:
    return f"{dtype}".replace("time_unit=", "").replace("time_zone=", "").replace(", None)", ")").replace("'", "")


# -- Arrow -------------------------------------------------------------------------------------------------------


def arrow_frame(array: Any) -> Callable[[], pa.Table]:
    return lambda: pa.table({"x": array})


def arrow_subjects() -> Subjects:
    found = {str(kind): _array(values, kind) for kind, values in _typed()}
    for unit, many in UNITS.items():
        for kind in (pa.timestamp(unit), pa.timestamp(unit, "Europe/Berlin"), pa.duration(unit)):
            found[str(kind)] = pa.array([many, None, -many], pa.int64()).cast(kind)
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC"), pa.duration("ns"), pa.time64("ns")):
        found[f"{kind} with nanoseconds"] = pa.array([1, None], pa.int64()).cast(kind)
    found["duration[us] of 100 000 years"] = pa.array([2**61 + 1, None], pa.int64()).cast(pa.duration("us"))
    uuids = pa.array([UUID.bytes, None, UUID.bytes], pa.uuid())
    found["list<item: extension<arrow.uuid>>"] = pa.ListArray.from_arrays([0, 2, 3], uuids)
    text = pa.array(["a", None, "b"])
    found["dictionary of string"] = text.dictionary_encode()
    found["dictionary of string_view"] = pa.DictionaryArray.from_arrays(
        pa.array([0, None, 1], pa.uint32()), pa.array(["a", "b"], pa.string_view())
    )
    found["dictionary of int64"] = pa.array([1, None]).dictionary_encode()
    found["run_end_encoded of int64"] = pa.RunEndEncodedArray.from_arrays(
        pa.array([2, 3], pa.int32()), pa.array([5, 6])
    )
    types, kids = pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]
    found["sparse_union"] = pa.UnionArray.from_sparse(types, kids)
    found["dense_union"] = pa.UnionArray.from_dense(types, pa.array([0, 1], pa.int32()), kids)
    found["extension of another library"] = pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.int64(), [2]), pa.array([[1, 2]], pa.list_(pa.int64(), 2))
    )
    return {name: arrow_frame(array) for name, array in found.items()}


def _array(values: list[Any], kind: Any) -> Any:
    if kind == pa.bool8():
        return pa.ExtensionArray.from_storage(kind, pa.array(values, pa.int8()))
    return pa.array(values, kind)


def _typed() -> list[tuple[Any, list[Any]]]:
    whole = [(getattr(pa, name)(), [low, None, high]) for name, (low, high) in WHOLE.items()]
    return [
        (pa.null(), [None, None]),
        (pa.bool_(), [True, None, False]),
        *whole,
        (pa.float16(), [0.5, None]),
        (pa.float32(), [0.1, None, float("nan"), -0.0, 0.0]),
        (pa.float64(), [0.1, None, float("nan"), -0.0, 0.0]),
        (pa.list_(pa.float64()), [[0.1, None, float("nan"), -0.0], None]),
        (pa.decimal32(5, 1), [Decimal("1.5"), None]),
        (pa.decimal64(15, 1), [Decimal("1.5"), None]),
        (pa.decimal128(38, 2), EXACT),
        (pa.decimal128(5, -2), [Decimal(100), None]),
        (pa.decimal256(38, 2), EXACT),
        (pa.decimal256(76, 2), [MANY, None]),
        (pa.string(), ["", None, "ünïcödé"]),
        (pa.large_string(), ["a", None]),
        (pa.string_view(), ["a", None]),
        (pa.binary(), [b"a\0", None, b""]),
        (pa.large_binary(), [b"a", None]),
        (pa.binary_view(), [b"a", None]),
        (pa.binary(2), [b"ab", None]),
        (pa.date32(), DAYS),
        (pa.date64(), DAYS),
        (pa.time32("s"), [time(1, 2, 3), None]),
        (pa.time32("ms"), [time(1, 2, 3, 4000), None]),
        (pa.time64("us"), [time(1, 2, 3, 4), None]),
        (pa.time64("ns"), [time(1, 2, 3, 4), None]),
        (pa.month_day_nano_interval(), [(1, 2, 3000), None]),
        (pa.list_(pa.int64()), [[2**53 + 1, None], None, []]),
        (pa.list_(pa.uint8()), [[255, None], None, []]),
        (pa.list_(pa.uint64()), [[2**64 - 1], None]),
        (pa.list_(pa.decimal128(10, 2)), [[Decimal("1.25"), None], None]),
        (pa.list_(pa.timestamp("us", "UTC")), [[AT.replace(tzinfo=UTC)], None]),
        (pa.list_(pa.duration("us")), [[SPAN], None]),
        (pa.list_(pa.list_(pa.int64())), [[[1], None], None]),
        (pa.large_list(pa.string()), [["a", None], None]),
        (pa.list_view(pa.int64()), [[1, None], None]),
        (pa.list_(pa.int64(), 2), [[1, 2], None]),
        (pa.struct([("a", pa.int64()), ("b", pa.string())]), [{"a": 2**53 + 1, "b": None}, None]),
        (pa.struct([]), [{}]),
        (pa.map_(pa.string(), pa.int64()), [[("a", 1)], None]),
        (pa.map_(pa.string(), pa.timestamp("ns")), [[("a", pd.Timestamp(5000))], None]),
        (pa.uuid(), [UUID.bytes, None]),
        (pa.json_(pa.string()), ['{"a": 1}', None]),
        (pa.bool8(), [1, None]),
    ]


SUBJECTS: dict[str, Subjects] = {
    "pandas": pandas_subjects(),
    "polars": polars_subjects(),
    "Arrow": arrow_subjects(),
}
