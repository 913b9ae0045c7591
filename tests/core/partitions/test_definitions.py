from __future__ import annotations

import pickle
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from assetry.errors import DefinitionError, UsageError
from assetry.partitions.definitions import (
    DynamicPartitionsDefinition,
    PartitionsDefinition,
    StaticPartitionsDefinition,
)
from assetry.partitions.grids.time_grids import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
    YearlyPartitionsDefinition,
)
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.key_table import KeyTable
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.parts import Parts
from assetry.types.assets import Asset
from assetry.types.codec import from_json, to_json
from hypothesis import given
from hypothesis import strategies as st

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe", "America/Sao_Paulo"]
KINDS: list[type[TimeWindowPartitionsDefinition]] = [
    HourlyPartitionsDefinition,
    DailyPartitionsDefinition,
    WeeklyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    YearlyPartitionsDefinition,
]


NOW = datetime(2024, 1, 5, tzinfo=UTC)


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@st.composite
def windows(draw: st.DrawFn) -> TimeWindowPartitionsDefinition:
    kind = draw(st.sampled_from(KINDS))
    limits = dict(kind.limits)
    offsets = {name: draw(st.integers(*limits[name])) for name in draw(st.sets(st.sampled_from(sorted(limits))))}
    start = draw(st.datetimes(datetime(2015, 1, 1), datetime(2019, 12, 31)))
    made: Any = kind
    result: TimeWindowPartitionsDefinition = made(start_date=start, timezone=draw(st.sampled_from(ZONES)), **offsets)
    return result


@given(windows(), st.integers(0, 24 * 60))
def test_windows_leave_no_gap_and_name_themselves(definition: TimeWindowPartitionsDefinition, hours: int) -> None:
    start = definition.start_date.replace(tzinfo=ZoneInfo(definition.timezone)).astimezone(UTC)
    now = start + timedelta(hours=hours)
    keys = definition.keys(now)
    assert len(keys) == len(set(keys)) == definition.count(now)
    bounds = [definition.window(key) for key in keys]
    assert all(one[1] == two[0] for one, two in pairwise(bounds))
    for key, (first, last) in zip(keys, bounds, strict=True):
        assert start <= first.astimezone(UTC) < last.astimezone(UTC) <= now
        assert definition.key_at(first) == key
        assert definition.key_at(last.astimezone(UTC) - timedelta(microseconds=1)) == key
        definition.validate(key, now)
    if keys:
        assert len(keys) == definition.number(keys[-1]) + 1 - definition.number(keys[0])
        assert bounds[-1][1].astimezone(UTC) <= now


@given(windows())
def test_windows_travel_as_json_and_pickled(definition: TimeWindowPartitionsDefinition) -> None:
    assert from_json(PartitionsDefinition, to_json(definition)) == definition
    assert pickle.loads(pickle.dumps(definition)) == definition


def test_a_day_is_23_or_25_hours_long_when_the_clocks_change() -> None:
    days = DailyPartitionsDefinition("2024-01-01", timezone="Europe/Berlin")
    lengths = [
        last.astimezone(UTC) - first.astimezone(UTC) for first, last in map(days.window, ("2024-03-31", "2024-10-27"))
    ]
    assert lengths == [timedelta(hours=23), timedelta(hours=25)]


def test_an_hour_that_is_left_out_has_no_key_and_one_that_comes_twice_has_two() -> None:
    hours = HourlyPartitionsDefinition("2024-01-01", timezone="Europe/Berlin")
    with pytest.raises(UsageError):
        hours.validate("2024-03-31-02:00")
    first, second = hours.window("2024-10-27-02:00"), hours.window("2024-10-27-02:00+0100")
    assert first[1] == second[0]
    assert second[1].astimezone(UTC) - first[0].astimezone(UTC) == timedelta(hours=2)


def test_a_day_without_midnight_keeps_its_name() -> None:
    days = DailyPartitionsDefinition("2018-11-01", timezone="America/Sao_Paulo")
    assert days.keys(at("2018-11-06", "America/Sao_Paulo"))[3:] == ("2018-11-04", "2018-11-05")
    assert days.window("2018-11-04")[0].isoformat() == "2018-11-04T01:00:00-02:00"


def test_a_window_is_a_partition_once_it_is_over() -> None:
    days = DailyPartitionsDefinition(date(2024, 1, 1))
    assert days.keys(at("2024-01-01T23:59")) == ()
    assert days.keys(at("2024-01-02")) == ("2024-01-01",)
    assert days.keys(datetime(2020, 1, 1)) == ()
    ahead = DailyPartitionsDefinition("2024-01-01", end_offset=1)
    assert ahead.keys(at("2024-01-01T12:00")) == ("2024-01-01",)
    with pytest.raises(UsageError, match="not over yet"):
        days.validate("2024-01-05", at("2024-01-05T12:00"))


def test_the_end_is_outside() -> None:
    days = DailyPartitionsDefinition("2024-01-01", "2024-01-03")
    assert days.keys(at("2025-01-01")) == ("2024-01-01", "2024-01-02")
    assert days.key_at(at("2024-01-03")) is None
    with pytest.raises(UsageError, match="the last is '2024-01-02'"):
        days.validate("2024-01-03")


def test_offsets_move_the_start_of_windows() -> None:
    days = DailyPartitionsDefinition("2024-01-01T10:00", hour_offset=9, minute_offset=30)
    assert days.window("2024-01-02")[0] == at("2024-01-02T09:30")
    assert days.keys(at("2024-01-03T09:30")) == ("2024-01-02",)
    weeks = WeeklyPartitionsDefinition("2024-01-01")
    assert weeks.keys(at("2024-01-21")) == ("2024-01-07", "2024-01-14")
    months = MonthlyPartitionsDefinition("2024-01-20", day_offset=15, fmt="%Y-%m")
    assert months.keys(at("2024-04-15")) == ("2024-02", "2024-03")
    assert months.window("2024-02")[1] == at("2024-03-15")


def test_an_aware_start_is_put_on_the_zones_clock() -> None:
    days = DailyPartitionsDefinition(datetime(2023, 12, 31, 23, tzinfo=UTC), timezone="Europe/Berlin")
    assert days.start_date == datetime(2024, 1, 1)


@pytest.mark.parametrize(
    ("key", "near"),
    [("2024/01/05", "2024-01-05"), ("2024-01-05T10:00", "2024-01-05"), ("2024-1-5", "2024-01-05"), ("soon", None),
     ("2023-12-31", None), ("", None), ("9999-12-31", None), ("2024-02-30", None)],
)  # fmt: skip
def test_what_is_no_day_is_told_with_what_was_meant(key: str, near: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        DailyPartitionsDefinition("2024-01-01").validate(key)
    assert caught.value.near == ((near,) if near else ())
    assert "'2024-01-01'" in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: DailyPartitionsDefinition("yesterday"),
        lambda: DailyPartitionsDefinition("2024-01-02", "2024-01-01"),
        lambda: DailyPartitionsDefinition("2024-01-01", timezone="Europe/Berin"),
        lambda: DailyPartitionsDefinition("2024-01-01", hour_offset=24),
        lambda: MonthlyPartitionsDefinition("2024-01-01", day_offset=31),
        lambda: WeeklyPartitionsDefinition("2024-01-01", day_offset=7),
        lambda: DailyPartitionsDefinition("2024-01-01", fmt="%Y-%m"),
        lambda: DailyPartitionsDefinition("2024-01-01", fmt="%d"),
        lambda: HourlyPartitionsDefinition("2024-01-01", fmt="%Y-%m-%d %I"),
        lambda: StaticPartitionsDefinition([]),
        lambda: StaticPartitionsDefinition(["a", "a"]),
        lambda: StaticPartitionsDefinition("abc"),
        lambda: StaticPartitionsDefinition([" a"]),
        lambda: MultiPartitionsDefinition({"a": StaticPartitionsDefinition(["x"])}),
        lambda: MultiPartitionsDefinition(
            {"a": StaticPartitionsDefinition(["x|y"]), "b": StaticPartitionsDefinition(["z"])}
        ),
    ],
)
def test_a_definition_that_cannot_be_is_refused(wrong: Any) -> None:
    with pytest.raises(DefinitionError):
        wrong()


def test_a_format_of_ones_own() -> None:
    days = DailyPartitionsDefinition("2024-01-01", fmt="%d.%m.%Y")
    assert days.keys(at("2024-01-03")) == ("01.01.2024", "02.01.2024")
    assert days.window("02.01.2024")[0] == at("2024-01-02")
    zoned = HourlyPartitionsDefinition("2024-10-27", timezone="Europe/Berlin", fmt="%Y%m%d%H%z")
    assert zoned.keys(at("2024-10-27T02:00"))[2:] == ("2024102702+0200", "2024102702+0100")


def test_static_keys_stay_in_their_order_and_near_names_are_told() -> None:
    regions = StaticPartitionsDefinition(["us", "europe"])
    assert regions.keys(at("2024-01-01")) == ("us", "europe")
    assert regions.window("us") is None
    with pytest.raises(UsageError) as caught:
        regions.validate("eurpoe")
    assert caught.value.near == ("europe",)


def test_dynamic_keys_are_those_that_are_known() -> None:
    files = DynamicPartitionsDefinition("file")
    assert files.keys(at("2024-01-01")) == ()
    assert files.keys(at("2024-01-01"), ["b", "a", "b"]) == ("b", "a")
    assert files.count(at("2024-01-01"), ["b", "a", "b"]) == 2
    files.validate("anything.csv")
    for wrong in ("", " a", "a\nb"):
        with pytest.raises(UsageError):
            files.validate(wrong)


BOTH = MultiPartitionsDefinition(
    {"region": StaticPartitionsDefinition(["eu", "us"]), "date": DailyPartitionsDefinition("2024-01-01")}
)


def test_several_dimensions_make_combinations() -> None:
    now = at("2024-01-03")
    assert BOTH.keys(now) == ("2024-01-01|eu", "2024-01-01|us", "2024-01-02|eu", "2024-01-02|us")
    assert BOTH.count(now) == 4
    assert BOTH.window("2024-01-02|us") == (at("2024-01-02"), at("2024-01-03"))
    assert MultiPartitionsDefinition(dict(reversed(list(BOTH.partitions_defs.items())))) == BOTH
    assert hash(BOTH) == hash(pickle.loads(pickle.dumps(BOTH)))
    some = MultiPartitionsDefinition({"a": DynamicPartitionsDefinition(), "b": StaticPartitionsDefinition(["x", "y"])})
    assert some.keys(now, ["1|x", "2|x"]) == ("1|x", "1|y", "2|x", "2|y")
    assert some.window("1|x") is None


@pytest.mark.parametrize(
    ("key", "near"),
    [("eu|2024-01-01", "2024-01-01|eu"), ("2024-01-01|eus", "2024-01-01|us"), ("2024/01/01|eu", "2024-01-01|eu")],
)
def test_a_wrong_combination_is_put_right(key: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        BOTH.validate(key)
    assert near in caught.value.near
    with pytest.raises(UsageError, match="2 parts"):
        BOTH.validate("2024-01-01")


@pytest.mark.parametrize("definition", [BOTH, StaticPartitionsDefinition(["a"]), DynamicPartitionsDefinition("file")])
def test_definitions_travel_with_their_asset(definition: PartitionsDefinition) -> None:
    asset = Asset(key="a", kind="python", partitions_def=definition)
    assert from_json(Asset, to_json(asset)) == asset
    assert pickle.loads(pickle.dumps(asset)).partitions_def == definition


def test_time_zones_are_loaded_only_when_asked_for() -> None:
    import subprocess

    program = (
        "import sys; from assetry import DailyPartitionsDefinition as Daily;"
        " Daily('2024-01-01'); print('zoneinfo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# -- numbers of keys, and of several dimensions -----------------------------------------------------------------------


def test_listed_keys_keep_the_numbers_of_the_table() -> None:
    regions = StaticPartitionsDefinition(["asia", "eu", "us"]).with_table(KeyTable(("us", "mars", "eu")))
    assert [regions.number(key) for key in ("us", "eu", "asia")] == [0, 2, 3]
    assert regions.keys_of(regions.existing(NOW)) == ("us", "eu", "asia")
    assert regions.key(1) == "mars"  # it was there once
    with pytest.raises(UsageError, match="No partition 'mars'"):
        regions.number("mars")
    assert regions.possible(Parts.range(0, 9)) == Parts.of([0, 2, 3])
    assert regions == StaticPartitionsDefinition(["asia", "eu", "us"])
    assert to_json(regions) == {"partitions": "static", "partition_keys": ["asia", "eu", "us"]}
    with pytest.raises(UsageError, match="No partition has the number 4"):
        regions.key(4)
    with pytest.raises(UsageError, match="have no time"):
        regions.span(NOW, NOW)


def test_dynamic_keys_come_from_the_table() -> None:
    files = DynamicPartitionsDefinition("file").with_table(KeyTable(("a", "b")).without(["a"]))
    assert files.keys(NOW) == ("b",)
    assert files.number("b") == 1
    assert files.key(0) == "a"
    assert files.existing(NOW) == files.possible(Parts.range(0, 5)) == Parts.of([1])
    with pytest.raises(UsageError, match="The file 'a' was dropped"):
        files.number("a")
    with pytest.raises(UsageError, match="There is none yet"):
        DynamicPartitionsDefinition("file").number("a")


def test_dimensions_beside_time_make_the_strand() -> None:
    assert BOTH.time == "date"
    assert BOTH.strand("2024-01-02|us") == "us"
    assert BOTH.number("2024-01-02|us") == DailyPartitionsDefinition("2024-01-01").number("2024-01-02")
    existing = BOTH.existing(at("2024-01-04"))
    assert sorted(BOTH.keys_of(existing)) == sorted(BOTH.keys(at("2024-01-04")))
    assert BOTH.newest(1, at("2024-01-04")) == BOTH.parts_of(["2024-01-03|eu", "2024-01-03|us"])
    assert not BOTH.possible(Parts.of([19724], "mars") | Parts.of([0], "eu"))
    with pytest.raises(UsageError, match="is no strand"):
        BOTH.key(3, "eu|us")
    with pytest.raises(UsageError, match="differ in more than time"):
        BOTH.range_of("2024-01-02|eu", "2024-01-03|us")


def test_of_two_times_the_finer_one_counts() -> None:
    both = MultiPartitionsDefinition(
        {"day": DailyPartitionsDefinition("2024-01-01"), "seen": HourlyPartitionsDefinition("2024-01-01")}
    )
    assert both.time == "seen"
    assert both.strand("2024-01-01|2024-01-01-05:00") == "2024-01-01"
    now = at("2024-01-03")
    assert len(both.existing(now)) == 2 * 48 == both.count(now)
    assert sorted(both.keys_of(both.existing(now))) == sorted(both.keys(now))


def test_without_time_combinations_are_numbered_by_a_table() -> None:
    plain = MultiPartitionsDefinition(
        {"a": StaticPartitionsDefinition(["1", "2"]), "b": DynamicPartitionsDefinition("f")}
    )
    assert plain.time is None
    assert not plain.existing(NOW)
    known = plain.with_table(KeyTable(("1|x", "2|y", "2|x")).without(["2|x"]))
    # All combinations of what is known exist, but for one that was dropped.
    assert sorted(known.keys_of(known.existing(NOW))) == ["1|x", "1|y", "2|y"]
    assert known.number("2|y") == 1
    with pytest.raises(UsageError, match=r"The partition '2.x' was dropped"):
        known.number("2|x")
    assert known.possible(Parts.range(0, 99)) == known.existing(NOW)
    with pytest.raises(UsageError, match="is time"):
        known.span(NOW, NOW)


def test_a_dynamic_dimension_beside_time_has_the_strands_of_the_table() -> None:
    loads = MultiPartitionsDefinition(
        {"date": DailyPartitionsDefinition("2024-01-01"), "file": DynamicPartitionsDefinition()}
    )
    known = loads.with_table(KeyTable(("a", "b")).without(["b"]))
    assert known.existing(at("2024-01-03")).strands == ("a",)
    assert known.strand("2024-01-02|new") == "new"
    assert not known.possible(Parts.of([19724], "b"))
    assert known.possible(Parts.of([19724], "new"))  # it comes into being when it is made
