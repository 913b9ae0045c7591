"""What is told of an asset is looked at: values, names with a meaning, and sizes."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from assetry.errors import MetadataError
from assetry.io.metadata.checked import MOST_CHARACTERS, check_sizes, checked_metadata, checked_version
from assetry.io.metadata.values import MOST_BYTES, Link, Png, Preview
from assetry.types.keys import AssetKey
from assetry.views.json import json_text
from hypothesis import given
from hypothesis import strategies as st

ORDERS = AssetKey("shop/orders")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def told(value: Any, name: str = "it") -> Any:
    return checked_metadata(ORDERS, {name: value})[name]


@given(JSON)
def test_json_is_kept_as_it_is(value: Any) -> None:
    found = told(value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.array(4), 4),
        (np.str_("a"), "a"),
        ((1, (2, 3)), [1, [2, 3]]),
        (date(2026, 1, 31), "2026-01-31"),
        (time(12, 30), "12:30:00"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00+00:00"),
        (pd.Timestamp("2026-01-31"), "2026-01-31T00:00:00"),
        (pd.NaT, None),
        (AssetKey("a/b"), "a/b"),
    ],
)
def test_what_libraries_have_of_the_same_is_taken(value: Any, kept: Any) -> None:
    found = told(value)
    assert (found, type(found)) == (kept, type(kept))


def test_numbers_that_json_does_not_have_are_numbers_still() -> None:
    assert math.isnan(told(float("nan")))
    assert told([math.inf]) == [math.inf]
    assert json_text(checked_metadata(ORDERS, {"loss": math.nan})) == '{"loss": null}'


@pytest.mark.parametrize(
    ("value", "got", "step"),
    [
        (10**400, "a whole number that no float reaches", "hex"),
        (Decimal("1.5"), "a decimal.Decimal", "float"),
        (timedelta(1), "a datetime.timedelta", "total_seconds"),
        (np.datetime64("2026-01-31", "ns"), "a numpy.datetime64", "Timestamp"),
        ({1, 2}, "a set", "sorted"),
        (b"x", "a bytes", "Png"),
        (np.array([1, 2]), "a numpy.ndarray", "tolist"),
        (pd.DataFrame({"a": [1]}), "a pandas.", "Preview"),
        (Path("a"), "a pathlib", "str"),
        (object(), "an object", "Markdown"),
        (int, "a type", "numbers"),
        ([object()], "An item of metadata 'it' of asset 'shop/orders' is an object", "numbers"),
        ({1: 2}, "an int among its names", "str"),
        ([Link("https://x")], "is an assetry.io.metadata.values.Link", "name of its own"),
    ],
)
def test_anything_else_is_an_error_that_says_what_it_got(value: Any, got: str, step: str) -> None:
    with pytest.raises(MetadataError) as caught:
        told(value)
    assert "'it' of asset 'shop/orders'" in caught.value.message
    assert got in caught.value.message
    assert step in (caught.value.hint or "")


def test_what_holds_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(MetadataError, match="refers to itself"):
        told(ring)


def test_no_error_has_a_value_in_it() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "s3cret"

    for value in (Odd(), b"s3cret", {"s3cret"}, [Odd()]):
        with pytest.raises(MetadataError) as caught:
            told(value)
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["io", "older_rows", "epoch", "left_out", "", "x" * 101, "a\nb", 7])
def test_names_that_are_assetry_s_own_or_none_are_refused(name: Any) -> None:
    with pytest.raises(MetadataError) as caught:
        checked_metadata(ORDERS, {name: 1})
    assert "'shop/orders'" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["rows", "columns", "bytes", "changed"])
def test_counts_are_counts(name: str) -> None:
    assert told(np.int64(7), name) == 7
    for value in (-1, 1.5, True, "7", None, [1]):
        with pytest.raises(MetadataError, match="number of them"):
            told(value, name)


def test_what_data_reaches_is_a_moment_in_a_zone() -> None:
    assert told(datetime(2026, 1, 31, tzinfo=UTC), "data_time") == "2026-01-31T00:00:00+00:00"
    assert told("2026-01-31T00:00:00Z", "data_time") == "2026-01-31T00:00:00Z"
    for value in ("yesterday", datetime(2026, 1, 31), date(2026, 1, 31), 7, None):
        with pytest.raises(MetadataError, match="a freshness policy counts from it"):
            told(value, "data_time")


def test_what_is_too_large_says_what_it_is_and_how_much_may_be(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match=f"may have {MOST_CHARACTERS:,}: 'much' alone has") as caught:
        check_sizes(ORDERS, {"little": 1, "much": "x" * MOST_CHARACTERS})
    assert "give a Link" in (caught.value.hint or "")
    wide = Preview(pd.DataFrame({f"column{n}": ["x" * 200] for n in range(400)}))
    with pytest.raises(MetadataError, match="'shop/orders'") as caught:
        check_sizes(ORDERS, {"head": wide})
    assert "Preview(table, 5)" in (caught.value.hint or "")
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + bytes(8))
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(MetadataError, match=f"'plot' of asset 'shop/orders' is a PNG of {MOST_BYTES + 1:,} bytes"):
        check_sizes(ORDERS, {"plot": Png(path)})
    check_sizes(ORDERS, {"text": "x" * (MOST_CHARACTERS - 10)})


def test_a_version_is_a_text() -> None:
    assert [checked_version(ORDERS, each) for each in (None, "v1", 7)] == [None, "v1", "7"]
    for value in ("", True, 1.5, ["v1"]):
        with pytest.raises(MetadataError, match="data_version of asset 'shop/orders'"):
            checked_version(ORDERS, value)


def test_metadata_is_a_mapping() -> None:
    with pytest.raises(MetadataError, match="is a list"):
        checked_metadata(ORDERS, [("a", 1)])
