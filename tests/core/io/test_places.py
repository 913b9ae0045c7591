"""What a place of tables can keep."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from assetry.errors import ValueStoreError
from assetry.io.places import TablePlace
from assetry.types.assets import Asset

ASSET = Asset(key="shop/orders", kind="python", source="assets.py:3")


def kept_as(kind: Any) -> Any:
    if pa.types.is_struct(kind):
        return None
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else kind


SHELF = TablePlace("the shelf", kept_as, longest_name=8, folds_case=True, reserved=frozenset({"mine"}))


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([""], "its name is empty"),
        (["a\0"], "its name has a NUL in it"),
        (["äääää"], "has 10 bytes, and only 8 are kept"),
        (["mine"], "is one that the shelf keeps for itself"),
        (["a", "b", "A"], "column 'A' .* does not differ enough from 'a'"),
        ([], "has no columns"),
    ],
)
def test_names_that_the_place_would_change_are_refused(names: list[str], why: str) -> None:
    with pytest.raises(ValueStoreError, match=why) as caught:
        SHELF.fit(pa.table([[1]] * len(names), names=names), ASSET)
    assert caught.value.where == "assets.py:3"
    assert caught.value.hint
    assert "'shop/orders'" in caught.value.message


def test_other_names_are_kept() -> None:
    table = pa.table([[1]] * 4, names=["a b", "ä", "Ä", 'a"b'])
    assert SHELF.fit(table, ASSET) is table


def test_a_type_that_the_place_lacks_is_named() -> None:
    with pytest.raises(
        ValueStoreError, match="column 'deep' is a struct<a: int64> and cannot be kept in the shelf"
    ) as caught:
        SHELF.fit(pa.table({"deep": [{"a": 1}]}), ASSET)
    assert "json.dumps" in (caught.value.hint or "")


def test_a_value_that_the_kept_type_would_change_is_refused_and_any_other_kept() -> None:
    fine = pa.table({"at": pa.array([1001], pa.timestamp("ns"))})
    with pytest.raises(
        ValueStoreError, match=r"'at' is a timestamp.ns. and cannot be kept .* as timestamp.us."
    ) as caught:
        SHELF.fit(fine, ASSET)
    assert "round('us')" in (caught.value.hint or "")
    rough = pa.table({"at": pa.array([1000], pa.timestamp("ns")), "n": [1]})
    assert SHELF.fit(rough, ASSET).to_pylist() == [{"at": dt.datetime(1970, 1, 1, 0, 0, 0, 1), "n": 1}]
    rows = SHELF.fit_rows(rough.to_reader(), ASSET).read_all()
    assert rows.schema.field("at").type == pa.timestamp("us")
    with pytest.raises(ValueStoreError, match="'at'"):
        SHELF.fit_rows(fine.to_reader(), ASSET).read_all()


def test_intervals_of_nanoseconds_are_refused() -> None:
    fine, rough = (pa.table({"x": pa.array([(1, 2, n), None], pa.month_day_nano_interval())}) for n in (1, 1000))
    assert SHELF.fit(rough, ASSET) is rough
    with pytest.raises(ValueStoreError, match=r"'x' is a month_day_nano_interval and cannot .* nanoseconds"):
        SHELF.fit(fine, ASSET)
