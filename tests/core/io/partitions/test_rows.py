"""Rows of partitions in a table of a tool's own: those that its column tells, against one look at each row."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest
from assetry.errors import ValueStoreError
from assetry.io.partitions.rows import rows_of
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.types.assets import Asset
from hypothesis import given
from hypothesis import strategies as st

BERLIN = "Europe/Berlin"
GRIDS = [
    HourlyPartitionsDefinition("2026-03-28", "2026-03-31"),
    DailyPartitionsDefinition("2026-03-20", "2026-04-10"),
    DailyPartitionsDefinition("2026-03-20", "2026-04-10", timezone=BERLIN),
    WeeklyPartitionsDefinition("2026-03-01", "2026-04-20", timezone=BERLIN, day_offset=1),
]
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def made(definition: Any, column: str | None = "at", **more: Any) -> Asset:
    return Asset(key="daily", kind="dbt", partitions_def=definition, partition_column=column, **more)


@given(
    st.sampled_from(GRIDS),
    st.lists(st.datetimes(datetime(2026, 3, 25), datetime(2026, 4, 5)), max_size=20),
    st.sampled_from(["bare", "utc", "zone", "coarse"]),
    st.data(),
)
def test_each_row_is_of_the_window_that_it_lies_in(
    definition: Any, moments: list[datetime], kind: str, data: st.DataObject
) -> None:
    keys = definition.keys_of(definition.existing(NOW))
    asked = data.draw(st.lists(st.sampled_from(keys), unique=True, max_size=4))
    whole = [each.replace(microsecond=0) for each in moments]
    zones = {
        "bare": pa.timestamp("us"),
        "utc": pa.timestamp("us", "UTC"),
        "zone": pa.timestamp("ns", "America/New_York"),
        "coarse": pa.timestamp("s"),
    }
    times = pa.array([each.replace(tzinfo=UTC) for each in whole], pa.timestamp("s", "UTC")).cast(zones[kind])
    table = pa.table({"AT": times, "n": range(len(whole))})
    found = rows_of(made(definition), table, asked).column("n").to_pylist()
    windows = [definition.window(key) for key in asked]
    assert found == [
        n for n, each in enumerate(whole) if any(a <= each.replace(tzinfo=UTC) < b for a, b in windows)
    ]  # fmt: skip


def test_days_are_moments_at_midnight() -> None:
    table = pa.table({"at": [date(2026, 3, 28), None, date(2026, 3, 29)], "n": [1, 2, 3]})
    daily = made(GRIDS[1])
    assert rows_of(daily, table, "2026-03-29").column("n").to_pylist() == [3]
    assert rows_of(daily, table, ["2026-03-28", "2026-03-29"]).column("n").to_pylist() == [1, 3]
    assert rows_of(daily, table, None) is table


def test_keys_are_compared_as_texts() -> None:
    regions = made(StaticPartitionsDefinition(["eu", "1"]), "region")
    table = pa.table({"region": pa.array(["eu", "us", None]).dictionary_encode(), "n": [1, 2, 3]})
    assert rows_of(regions, table, "eu").column("n").to_pylist() == [1]
    assert rows_of(regions, pa.table({"region": [1, 2]}), "1").num_rows == 1


def test_what_assetry_keeps_is_returned_as_it_is() -> None:
    table = pa.table({"x": [1]})
    assert rows_of(made(GRIDS[1], None, kept=True), table, "2026-03-28") is table
    assert rows_of(Asset(key="plain", kind="dbt"), table, None) is table


@pytest.mark.parametrize(
    ("asset", "table", "told"),
    [
        (made(GRIDS[1], None), {"at": [1]}, "nothing says which rows of its table are of which partition"),
        (made(GRIDS[1], "day"), {"days": [1]}, "has no column 'day'"),
        (made(GRIDS[1]), {"at": ["2026-03-28"]}, "is string, which tells no time"),
        (
            made(MultiPartitionsDefinition({"d": GRIDS[1], "r": StaticPartitionsDefinition(["eu"])})),
            {"at": [1]},
            "nothing says which rows",
        ),
    ],
)
def test_a_table_that_does_not_tell_is_an_error_with_the_next_step(asset: Asset, table: Any, told: str) -> None:
    with pytest.raises(ValueStoreError, match=told) as caught:
        rows_of(asset, pa.table(table), "2026-03-28")
    assert caught.value.hint


def test_the_zone_of_a_column_does_not_matter() -> None:
    zone = timezone(timedelta(hours=2))
    moment = datetime(2026, 3, 29, 1, tzinfo=zone)  # the 28th in UTC
    table = pa.table({"at": pa.array([moment], pa.timestamp("us", "+02:00"))})
    assert rows_of(made(GRIDS[1]), table, "2026-03-28").num_rows == 1
