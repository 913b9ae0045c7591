"""Which partition each row belongs to: days, moments and keys, against a look at every row; and what cannot be told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from assetry.errors import ValueStoreError
from assetry.io.content import content_version
from assetry.io.frames import to_arrow
from assetry.io.partitions.column import by_key, places_of_rows, split
from assetry.partitions.definitions import DynamicPartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.grids.cron import CronPartitionsDefinition
from assetry.partitions.grids.time_grids import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.types.assets import Asset
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

BERLIN = ZoneInfo("Europe/Berlin")
DAYS = DailyPartitionsDefinition("2026-03-01", timezone="Europe/Berlin")
HOURS = HourlyPartitionsDefinition("2026-03-01", timezone="Europe/Berlin")
GRIDS: Sequence[Any] = (
    DAYS,
    HOURS,
    DailyPartitionsDefinition("2026-03-01"),
    DailyPartitionsDefinition("2026-03-01", hour_offset=6),
    DailyPartitionsDefinition("2026-03-01", exclude=["2026-03-29"]),
    HourlyPartitionsDefinition("2026-03-01", timezone="Asia/Kathmandu"),
    WeeklyPartitionsDefinition("2026-03-01", timezone="America/New_York"),
    MonthlyPartitionsDefinition("2026-01-01"),
    CronPartitionsDefinition("*/20 8-17 * * *", "2026-03-01", timezone="Europe/Berlin"),
)


def made(definition: Any, key: str = "sales") -> Asset:
    return Asset(key=key, kind="python", partitions_def=definition, source="sales.py:3")


def keys_around(definition: Any, moment: datetime, count: int) -> tuple[str, ...]:
    first = definition.span(moment, moment)[0]
    keys = [definition.key_at(definition.window_of(number)[0]) for number in range(first, first + count)]
    return tuple(key for key in keys if key is not None)


MOMENTS = st.datetimes(datetime(2026, 3, 27), datetime(2026, 3, 31)).map(lambda each: each.replace(tzinfo=UTC))


@settings(max_examples=examples(100), deadline=None)
@given(st.sampled_from(GRIDS), st.lists(MOMENTS, max_size=12), st.integers(1, 9), st.sampled_from(["s", "us", "ns"]))
def test_a_moment_is_in_the_partition_whose_window_it_lies_in(
    definition: Any, moments: list[datetime], count: int, unit: str
) -> None:
    keys = keys_around(definition, datetime(2026, 3, 28, 20, tzinfo=UTC), count)
    moments = [each.replace(microsecond=0) if unit == "s" else each for each in moments]
    table = pa.table({"at": pa.array(moments, pa.timestamp(unit, "UTC"))})
    windows = {key: definition.window(key) for key in keys}
    wanted = [next((key for key in keys if windows[key][0] <= each < windows[key][1]), None) for each in moments]
    if None not in wanted:
        places = places_of_rows(made(definition), table, "at", keys)
        assert [keys[place] for place in places.to_pylist()] == wanted
    else:
        with pytest.raises(ValueStoreError) as caught:
            places_of_rows(made(definition), table, "at", keys)
        assert f"{wanted.count(None)} row" in caught.value.message


@settings(max_examples=examples(50), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-9, 9), st.none() | st.text(max_size=3))), st.booleans())
def test_what_is_split_and_joined_is_what_it_was_and_no_version_is_of_others(
    rows: list[tuple[int, int, str | None]], many: bool
) -> None:
    keys = [f"2026-03-0{number}" for number in range(1, 6)]
    rows = rows * 300 if many else rows  # more rows than are looked at as ranges
    schema = pa.schema([("day", pa.string()), ("n", pa.int64()), ("text", pa.string())])
    table = pa.table(
        [[keys[day] for day, _, _ in rows], [n for _, n, _ in rows], [text for *_, text in rows]], schema=schema
    )
    parts = split(made(DAYS), table, keys, "day")
    assert list(parts) == keys
    for key, part in parts.items():
        alone = table.filter(pa.compute.equal(table["day"], key))
        assert part.equals(alone)
        assert part.schema.equals(schema)
        assert content_version(part) == content_version(alone)
    assert sum(part.num_rows for part in parts.values()) == len(rows)


def test_moments_without_a_zone_are_as_the_clocks_of_the_partitions_show_them() -> None:
    frame = pd.DataFrame(
        {"at": pd.to_datetime(["2026-03-28 23:59:59.999999999", "2026-03-29", "2026-03-30"], format="ISO8601")}
    )
    keys = ("2026-03-28", "2026-03-29", "2026-03-30")
    assert places_of_rows(made(DAYS), to_arrow(frame), "at", keys).to_pylist() == [0, 1, 2]
    zoned = pa.table({"at": pa.array([datetime(2026, 3, 28, 23, tzinfo=UTC)], pa.timestamp("us", "UTC"))})
    assert places_of_rows(made(DAYS), zoned, "at", keys).to_pylist() == [1]


def test_moments_before_1970_are_in_their_own_window() -> None:
    days = DailyPartitionsDefinition("1960-01-01")
    table = pa.table({"at": pa.array([-1], pa.timestamp("ns"))})
    assert places_of_rows(made(days), table, "at", ["1969-12-31", "1970-01-01"]).to_pylist() == [0]


def test_a_time_that_comes_twice_is_refused_only_where_that_makes_a_difference() -> None:
    table = pa.table({"at": pa.array([datetime(2026, 10, 25, 2, 30)])})
    assert places_of_rows(made(DAYS), table, "at", ["2026-10-25"]).to_pylist() == [0]
    first = datetime(2026, 10, 25, tzinfo=UTC)
    keys = keys_around(HOURS, first, 2)
    with pytest.raises(ValueStoreError, match="2026-10-25 02:30:00, which is not one moment in Europe/Berlin"):
        places_of_rows(made(HOURS), table, "at", keys)
    zoned = pa.table({"at": pa.array([first + timedelta(minutes=30), first + timedelta(minutes=90)])}).cast(
        pa.schema([("at", pa.timestamp("us", "UTC"))])
    )
    zoned = pa.table({"at": zoned["at"].cast(pa.timestamp("us", "Europe/Berlin"))})
    assert places_of_rows(made(HOURS), zoned, "at", keys).to_pylist() == [0, 1]


def test_a_day_is_in_the_window_that_has_all_of_it() -> None:
    table = pa.table({"day": [date(2026, 3, 4), date(2026, 3, 8), date(2026, 3, 9)]})
    weeks = WeeklyPartitionsDefinition("2026-03-02", day_offset=1)
    assert places_of_rows(made(weeks), table, "day", ["2026-03-02", "2026-03-09"]).to_pylist() == [0, 0, 1]
    assert places_of_rows(made(weeks), table.take([1]), "day", ["2026-03-02"]).to_pylist() == [0]
    early = DailyPartitionsDefinition("2026-03-01", hour_offset=6)  # named by the day on which it begins
    assert places_of_rows(made(early), table, "day", ["2026-03-04", "2026-03-08", "2026-03-09"]).to_pylist() == [
        0,
        1,
        2,
    ]
    with pytest.raises(ValueStoreError, match="the day 2026-03-04, in which there are 24 partitions") as caught:
        places_of_rows(made(HOURS), table, "day", ["2026-03-04-00:00"])
    assert "2026-03-04-00:00" in str(caught.value.hint)


def test_texts_are_keys_of_any_kind_of_partitions() -> None:
    table = pa.table({"which": pa.array(["us", "eu", "us"]).dictionary_encode()})
    for regions in (StaticPartitionsDefinition(["eu", "us"]), DynamicPartitionsDefinition("region")):
        assert places_of_rows(made(regions), table, "which", ["eu", "us"]).to_pylist() == [1, 0, 1]
    both = MultiPartitionsDefinition({"day": DAYS, "region": StaticPartitionsDefinition(["eu", "us"])})
    keys = ["2026-03-01|eu", "2026-03-02|eu"]
    for texts in (["2026-03-02", "2026-03-01"], ["2026-03-02|eu", "2026-03-01|eu"]):
        assert places_of_rows(made(both), pa.table({"which": texts}), "which", keys).to_pylist() == [1, 0]
    days = pa.table({"which": [date(2026, 3, 2), date(2026, 3, 1)]})
    assert places_of_rows(made(both), days, "which", keys).to_pylist() == [1, 0]
    with pytest.raises(ValueStoreError, match="are of one time, and column 'which' cannot tell them apart"):
        places_of_rows(made(both), days, "which", ["2026-03-01|eu", "2026-03-01|us"])


def refused(definition: Any, values: Any, *keys: str, name: str = "day") -> ValueStoreError:
    with pytest.raises(ValueStoreError) as caught:
        places_of_rows(made(definition), to_arrow(pd.DataFrame({"day": values, "n": 1})), name, keys)
    assert caught.value.where == "sales.py:3"
    assert "'sales'" in caught.value.message
    assert caught.value.hint
    return caught.value


def test_rows_of_other_partitions_are_told_by_key_and_number() -> None:
    told = refused(DAYS, [date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 2), date(2026, 2, 1)], "2026-03-01")
    assert "3 rows of 4 are outside of what is being made, '2026-03-01'" in told.message
    assert "'2026-02-01' (1 row), '2026-03-02' (2 rows)" in told.message
    many = refused(DAYS, [date(2026, 4, 1) + timedelta(days=day) for day in range(9)], "2026-03-01", "2026-03-02")
    assert "'2026-03-01' to '2026-03-02'" in many.message
    assert "'2026-04-05' (1 row) and 4 more" in many.message
    one = refused(StaticPartitionsDefinition(["eu", "us"]), ["eu", "us"], "eu")
    assert "1 row of 2 is outside" in one.message
    excluded = DailyPartitionsDefinition("2026-03-01", exclude=["2026-03-02"])
    assert "'2026-03-02' (1 row)" in refused(excluded, [date(2026, 3, 2)], "2026-03-01").message


@pytest.mark.parametrize(
    ("values", "said", "near"),
    [
        ([None, date(2026, 3, 1)], "1 row of 2 has no value in column 'day'", None),
        ([pd.NaT, pd.Timestamp("2026-03-01")], "1 row of 2 has no value", None),
        (["2026-03-01", "2026-3-2"], "'2026-3-2', which is not the key of a partition", "2026-03-02"),
        ([1, 2], "is int64, and does not tell it", None),
        ([True, False], "is bool", None),
    ],
)
def test_values_that_tell_no_partition_are_refused(values: Any, said: str, near: str | None) -> None:
    told = refused(DAYS, values, "2026-03-01", "2026-03-02")
    assert said in told.message
    assert near is None or near in told.near


def test_a_moment_tells_nothing_of_what_has_no_time() -> None:
    told = refused(StaticPartitionsDefinition(["eu"]), [pd.Timestamp("2026-03-01")], "eu")
    assert "is timestamp[" in told.message
    assert told.hint == "Give it texts that are keys, such as 'eu'."


def test_a_column_that_is_not_there_is_named_with_the_near_ones() -> None:
    told = refused(DAYS, [date(2026, 3, 1)], "2026-03-01", name="dya")
    assert told.message == "asset 'sales': its table has no column 'dya', which is to tell the partition of each row."
    assert told.near == ("day",)
    assert "'day', 'n'" in str(told.hint)


def test_a_table_without_rows_tells_no_types_and_is_of_every_partition() -> None:
    parts = split(made(DAYS), to_arrow(pd.DataFrame({"day": [], "n": []})), ["2026-03-01", "2026-03-02"], "day")
    assert [(key, part.num_rows, part.column_names) for key, part in parts.items()] == [
        ("2026-03-01", 0, ["day", "n"]),
        ("2026-03-02", 0, ["day", "n"]),
    ]


def test_years_that_the_calendar_does_not_have_are_outside_or_refused() -> None:
    late = pa.table({"at": pa.array([2**55], pa.timestamp("us"))})
    with pytest.raises(ValueStoreError, match="outside of what is being made"):
        places_of_rows(made(DAYS), late, "at", ["2026-03-01"])
    with pytest.raises(ValueStoreError, match="has a value that is no date"):
        places_of_rows(made(DAYS), pa.table({"at": pa.array([2**40], pa.timestamp("s"))}), "at", ["2026-03-01"])


def test_a_table_of_which_nothing_tells_the_partition_is_refused() -> None:
    table = pa.table({"n": [1], "day": [date(2026, 3, 1)]})
    with pytest.raises(ValueStoreError, match="nothing says which row belongs to which") as caught:
        split(made(DAYS), table, ["2026-03-01"], None)
    assert caught.value.near == ("day",)


def test_a_dict_has_a_value_for_each_partition_and_nothing_else() -> None:
    keys = ["2026-03-01", "2026-03-02"]
    assert by_key(made(DAYS), {"2026-03-02": 2, "2026-03-01": 1}, keys) == {"2026-03-01": 1, "2026-03-02": 2}
    with pytest.raises(ValueStoreError, match="lacks '2026-03-02' and has '2026-03-3', which is not being made") as bad:
        by_key(made(DAYS), {"2026-03-01": 1, "2026-03-3": 2}, keys)
    assert bad.value.near
    with pytest.raises(ValueStoreError, match="a list for 2 partitions at once"):
        by_key(made(DAYS), [1, 2], keys)
    tables = {key: pa.table({"day": [key]}) for key in keys}
    assert by_key(made(DAYS), tables, keys, "day") == tables
    with pytest.raises(ValueStoreError, match="'2026-03-01' \\(1 row\\)"):
        by_key(made(DAYS), {**tables, "2026-03-02": tables["2026-03-01"]}, keys, "day")
