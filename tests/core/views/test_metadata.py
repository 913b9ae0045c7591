"""Numbers over time."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization
from assetry.views.json import json_text
from assetry.views.metadata import number_text, numbers, numbers_to_json

START = datetime(2026, 1, 1, tzinfo=UTC)


def made(day: int, **metadata: object) -> Materialization:
    at = START + timedelta(days=day)
    return Materialization(key=AssetKey("a"), at=at, run=f"r{day}", data_version="v", metadata=metadata)


def test_numbers_are_told_oldest_first_and_nothing_else_is() -> None:
    history = [made(2, x=3, y="a"), made(1, x=math.nan, z=True), made(0, x=1.5, nested={"x": 1})]
    found = numbers(history)
    assert set(found) == {"x"}
    first, second, third = found["x"]
    assert (first.value, third.value, third.run, third.at) == (1.5, 3, "r2", START + timedelta(days=2))
    assert math.isnan(second.value)
    assert '"value": null' in json_text(numbers_to_json(found))


@pytest.mark.parametrize(
    ("value", "before", "text"),
    [
        (3, None, "3"),
        (3, True, "3"),
        (math.inf, 3, "inf"),
        (3, math.nan, "3"),
        (2**200, 1, f"{2**200:,} (+{2**200 - 1:,})"),
        (0.1, 0.3, "0.1 (-0.2)"),
        (-5, 5, "-5 (-10)"),
    ],
)
def test_a_number_reads_as_people_write_it(value: float, before: object, text: str) -> None:
    assert number_text(value, before) == text


def test_the_largest_number_that_is_kept_has_a_difference() -> None:
    assert number_text(2**999, 0.5).startswith(f"{2**999:,} (+5.35")
