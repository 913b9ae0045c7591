"""The one rule by which a column's type gives way to another."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from assetry.errors import ValueStoreError
from assetry.io.merge import all_partitions
from assetry.io.widening import alike, cast_column, common_type, looks_needed, one_below_the_other, widening
from assetry.types.assets import Asset
from hypothesis import given
from hypothesis import strategies as st

WHOLE = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
NUMBERS = [*WHOLE, pa.float16(), pa.float32(), pa.float64(), pa.decimal128(5, 2), pa.decimal128(38, 0),
           pa.decimal256(50, 20)]  # fmt: skip
TIMES = [pa.date32(), *(pa.timestamp(u, z) for u in ("s", "ms", "us", "ns") for z in (None, "UTC", "Europe/Berlin"))]
OTHERS = [pa.string(), pa.large_string(), pa.binary(), pa.binary(2), pa.bool_(), pa.time32("s"), pa.time64("ns"),
          pa.duration("s"), pa.duration("ns"), pa.list_(pa.int8()), pa.large_list(pa.int64()), pa.list_(pa.float64()),
          pa.struct([("a", pa.int8())]), pa.struct([("a", pa.int64())]), pa.struct([("b", pa.int8())]),
          pa.map_(pa.string(), pa.int8()), pa.map_(pa.string(), pa.int64()), pa.null()]  # fmt: skip
ALL = [*NUMBERS, *TIMES, *OTHERS]


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return values that a type has, its outermost among them."""
    if pa.types.is_integer(kind):
        top = 2 ** (kind.bit_width - pa.types.is_signed_integer(kind))
        low = -top if pa.types.is_signed_integer(kind) else 0
        return st.integers(low, top - 1) | st.sampled_from([low, top - 1])
    if pa.types.is_floating(kind):
        return st.floats(width=kind.bit_width, allow_nan=False)
    if pa.types.is_decimal(kind):
        top = 10**kind.precision - 1
        return st.integers(-top, top).map(lambda n: Decimal((n < 0, [*map(int, str(abs(n)))], -kind.scale)))
    if pa.types.is_timestamp(kind):
        far = 10 ** {"s": 10, "ms": 13, "us": 16, "ns": 18}[kind.unit]
        return st.integers(-far, far).map(lambda n: pa.scalar(n).cast(pa.timestamp(kind.unit)).cast(kind))
    return st.dates(dt.date(1700, 1, 1), dt.date(2200, 1, 1))


@pytest.mark.parametrize("family", [NUMBERS, TIMES])
@given(data=st.data())
def test_the_common_type_keeps_each_value_of_both(family: list[Any], data: st.DataObject) -> None:
    one, other = data.draw(st.sampled_from(family)), data.draw(st.sampled_from(family))
    common = common_type(one, other)
    if common is None:
        return
    for kind in (one, other):
        column = pa.chunked_array([pa.array([data.draw(values_of(kind)), None], kind)])
        try:
            wide = cast_column(column, common)
        except pa.ArrowException:
            assert looks_needed(kind, common) or pa.types.is_timestamp(common)  # told, not changed
            continue
        if pa.types.is_decimal(kind) or pa.types.is_integer(kind):
            assert wide.to_pylist() == column.to_pylist()
        else:
            assert cast_column(wide, kind).equals(column)


@pytest.mark.parametrize("one", ALL, ids=str)
def test_the_order_of_two_types_does_not_matter(one: Any) -> None:
    for other in ALL:
        there, back = common_type(one, other), common_type(other, one)
        assert (there is None) == (back is None)
        assert there is None or alike(there, back), other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.int64(), pa.string()),
        (pa.bool_(), pa.int8()),
        (pa.float64(), pa.decimal128(5, 2)),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.date32(), pa.timestamp("us", "UTC")),
        (pa.list_(pa.int64()), pa.list_(pa.float64())),
        (pa.struct([("a", pa.int8())]), pa.struct([("b", pa.int8())])),
        (pa.string(), pa.binary()),
    ],
    ids=str,
)
def test_types_that_nothing_unites(one: Any, other: Any) -> None:
    assert common_type(one, other) is None


def no(*what: Any) -> Exception:
    return LookupError(*what)


def test_a_table_gains_columns_and_wider_types() -> None:
    there = pa.schema([("a", pa.int32()), ("b", pa.string()), ("c", pa.int64()), ("d", pa.string())])
    coming = pa.schema([("e", pa.date32()), ("a", pa.int64()), ("b", pa.large_string()), ("c", pa.int8())])
    grown = widening(there, coming, no)
    assert (grown.added, grown.widened) == ({"e": pa.date32()}, {"a": pa.int64()})
    assert list(grown.columns) == ["a", "b", "c", "d", "e"]


def test_a_column_without_a_value_has_no_type() -> None:
    there, coming = pa.schema([("a", pa.int64())]), pa.schema([("a", pa.string())])
    with pytest.raises(LookupError, match="a"):
        widening(there, coming, no)
    assert widening(there, coming, no, free=["a"]).widened == {"a": pa.string()}
    assert widening(there, coming, no, empty=["a"]).widened == {}


def test_tables_one_below_the_other() -> None:
    tables = {
        "empty": pa.table({"n": pa.array([], pa.string()), "s": pa.array([], pa.float64())}),
        "whole": pa.table({"n": pa.array([1], pa.int8())}),
        "parts": pa.table({"s": ["x"], "n": pa.array([1.5])}),
    }
    for order in (["empty", "whole", "parts"], ["parts", "whole", "empty"], ["whole", "empty", "parts"]):
        whole = one_below_the_other([(name, tables[name]) for name in order], no)
        assert sorted(whole.to_pylist(), key=lambda row: row["n"]) == [{"n": 1.0, "s": None}, {"n": 1.5, "s": "x"}]


def test_partitions_that_have_no_common_type_are_named() -> None:
    parts = {"1": pa.table({"n": [1]}), "2": pa.table({"n": pa.array([], pa.float64())}), "3": pa.table({"n": ["x"]})}
    said = r"asset 'shop/n': column 'n' is int64 in partition '1' and string in partition '3'"
    with pytest.raises(ValueStoreError, match=said) as caught:
        all_partitions(Asset(key="shop/n", kind="python"), parts)
    assert caught.value.hint
    big = {"1": pa.table({"n": [2**53 + 1]}), "2": pa.table({"n": [0.5]})}
    with pytest.raises(ValueStoreError, match="column 'n' is int64 in partition '1' and float64 in partition '2'"):
        all_partitions(Asset(key="n", kind="python"), big)
    late = {"1": pa.table({"n": [0.5]}), "2": pa.table({"n": [1]}), "3": pa.table({"n": [2**53 + 1]})}
    with pytest.raises(ValueStoreError, match="column 'n' is int64 in partition '3' and float64 in partition '1'"):
        all_partitions(Asset(key="n", kind="python"), late)
    third = {"1": pa.table({"n": [1]}), "2": pa.table({"n": [2**53 + 1]}), "3": pa.table({"n": [0.5]})}
    with pytest.raises(ValueStoreError, match="column 'n' is int64 in partition '2' and float64 in partition '3'"):
        all_partitions(Asset(key="n", kind="python"), third)
