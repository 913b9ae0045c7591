"""Numbers of windows: against enumeration, in a hundred zones and around the days when the clocks change."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from assetry.errors import DefinitionError, UsageError
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.grids.cron import CronPartitionsDefinition
from assetry.partitions.grids.time_grids import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
    YearlyPartitionsDefinition,
)
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.parts import Parts
from assetry.types.codec import from_json, to_json
from hypothesis import given
from hypothesis import strategies as st

ODD = ["Asia/Beirut", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu", "Africa/Monrovia"]
ODD += ["America/Nuuk", "Antarctica/Troll", "Africa/Cairo", "Pacific/Kwajalein", "Asia/Pyongyang", "Europe/Berlin"]
ZONES = ["UTC", *ODD, *random.Random(11).sample(sorted(set(available_timezones()) - {*ODD, "UTC", "localtime"}), 87)]
#: Days on which clocks change somewhere: north, south, at midnight; a day left out; the turn of a year.
DAYS = ["2024-03-10", "2024-03-31", "2024-04-07", "2024-10-06", "2024-10-27", "2024-11-03", "2018-11-04", "2011-12-30"]
DAYS += ["2023-03-25", "2024-02-29", "1986-01-01", "2026-01-01"]
START = "1985-03-04"


def grids(zone: str) -> list[TimeWindowPartitionsDefinition]:
    return [
        HourlyPartitionsDefinition(START, timezone=zone),
        DailyPartitionsDefinition(START, timezone=zone),
        DailyPartitionsDefinition(START, timezone=zone, hour_offset=2, minute_offset=30),
        WeeklyPartitionsDefinition(START, timezone=zone, day_offset=3),
        MonthlyPartitionsDefinition(START, timezone=zone, day_offset=28, hour_offset=23),
        YearlyPartitionsDefinition("1980-01-01", timezone=zone, month_offset=4, minute_offset=30),
        CronPartitionsDefinition("30 2 * * *", START, zone),
        CronPartitionsDefinition("15 */6 * * MON-FRI", START, zone),
        CronPartitionsDefinition("0 9 L * *", START, zone, length=timedelta(hours=8)),
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_number_and_key_lead_back_to_each_other_in_every_zone(zone: str) -> None:
    # Zones that change at odd times are looked at on all the days, the others on some.
    days = DAYS if zone in ODD else random.Random(zone).sample(DAYS, 3)
    for grid in grids(zone):
        for day in days:
            noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
            first, stop = grid.span(noon - timedelta(hours=14), noon + timedelta(hours=14))
            for number in range(first - 1, stop + 1):
                key = grid.key(number)
                assert grid.number(key) == number, (grid, key)
                start, end = (each.astimezone(UTC) for each in grid.window_of(number))
                if start == end:
                    assert (zone, key[:10]) == ("Pacific/Apia", "2011-12-30")  # a day that was left out
                    continue
                assert start < end
                if grid.gapless:
                    assert end == grid.window_of(number + 1)[0].astimezone(UTC)
                    assert grid.key_at(start) == grid.key_at(end - timedelta(microseconds=1)) == key
                assert number in Parts.range(*grid.span(start, end))
                assert grid.strand(key) == ""


@given(
    st.sampled_from(ZONES),
    st.integers(0, 7),
    st.datetimes(datetime(2010, 1, 1), datetime(2030, 1, 1)),
    st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_span_is_what_overlaps(zone: str, which: int, start: datetime, length: timedelta) -> None:
    grid = grids(zone)[which]
    start = start.replace(tzinfo=UTC)
    end = start + length
    first, stop = grid.span(start, end)
    for number in range(first - 3, stop + 3):
        begun, ended = (each.astimezone(UTC) for each in grid.window_of(number))
        assert (first <= number < stop) == (begun < end and ended > start and start < end)


@given(st.sampled_from(ZONES), st.integers(0, 7), st.dates(datetime(1990, 1, 1).date(), datetime(2030, 1, 1).date()))
def test_a_moved_start_renumbers_nothing(zone: str, which: int, start: Any) -> None:
    grid = grids(zone)[which]
    moved: Any = from_json(PartitionsDefinition, {**to_json(grid), "start_date": start.isoformat()})
    if moved.grid != grid.grid:
        assert isinstance(grid, HourlyPartitionsDefinition)  # the zone changed by a part of an hour in between
        return
    first = grid.span(*(datetime(2031, 5, 3, hour, tzinfo=UTC) for hour in (3, 4)))[0]
    assert all(moved.key(number) == grid.key(number) for number in range(first, first + 5))
    assert moved.number(grid.key(first)) == first


@given(st.sampled_from(ZONES), st.integers(0, 7), st.integers(0, 3000), st.integers(0, 2))
def test_what_exists_is_what_is_over(zone: str, which: int, hours: int, offset: int) -> None:
    grid = grids(zone)[which]
    begin = datetime(2024, 9, 30, 5, tzinfo=UTC)
    data = {**to_json(grid), "start_date": "2024-10-01", "end_date": "2025-01-15", "end_offset": offset}
    grid = from_json(TimeWindowPartitionsDefinition, data)
    now = begin + timedelta(hours=hours)
    existing = grid.existing(now)
    zoned = ZoneInfo(zone)
    first, last = (datetime(*day, tzinfo=zoned).astimezone(UTC) for day in ((2024, 10, 1), (2025, 1, 15)))
    around = range(*grid.span(first - timedelta(days=70), last + timedelta(days=70)))
    for number in around:
        start, end = (each.astimezone(UTC) for each in grid.window_of(number))
        over = grid.window_of(number - offset)[1].astimezone(UTC) <= now
        assert (number in existing) == (start >= first and end <= last and over)
    assert grid.keys(now) == grid.keys_of(existing)
    assert grid.count(now) == len(existing)


def test_numbers_begin_in_1970() -> None:
    assert DailyPartitionsDefinition("2024-01-01", timezone="Asia/Tokyo").key(0) == "1970-01-01"
    assert HourlyPartitionsDefinition("2024-01-01", timezone="Asia/Tokyo").key(0) == "1970-01-01-00:00"
    assert MonthlyPartitionsDefinition("2024-01-01").number("2024-03-01") == 54 * 12 + 2
    assert WeeklyPartitionsDefinition("2024-01-01").key(0) == "1970-01-04"
    assert DailyPartitionsDefinition("1960-01-01").number("1969-12-31") == -1
    assert CronPartitionsDefinition("0 9 * * *", "2024-01-01").key(0) == "1970-01-01-09:00"


# -- exclusions ------------------------------------------------------------------------------------------------------


def test_excluded_windows_are_no_partitions_and_their_neighbours_keep_their_length() -> None:
    days = DailyPartitionsDefinition("2026-12-20", exclude=["2026-12-25", "0 0 * * SAT,SUN"])
    now = datetime(2027, 1, 1)
    assert [key[-2:] for key in days.keys(now)] == ["21", "22", "23", "24", "28", "29", "30", "31"]
    assert days.window("2026-12-24")[1] == datetime(2026, 12, 25, tzinfo=UTC)
    with pytest.raises(UsageError, match="left out by `exclude`"):
        days.validate("2026-12-25")
    assert days.key_at(datetime(2026, 12, 25, 12)) is None
    # Numbers are those of the grid.
    assert days.number("2026-12-28") - days.number("2026-12-24") == 4
    assert from_json(PartitionsDefinition, to_json(days)) == days
    assert to_json(days)["exclude"] == ["0 0 * * SAT,SUN", "2026-12-25"]


def test_an_exclusion_covers_all_windows_that_start_in_it() -> None:
    hours = HourlyPartitionsDefinition("2026-10-24", timezone="Europe/Berlin", exclude=["2026-10-25"])
    existing = hours.existing(datetime(2026, 10, 27, tzinfo=UTC))
    assert len(existing) == 24 + 1 + 24  # the 25th has 25 hours; in Berlin it is one o'clock of the 27th
    months = MonthlyPartitionsDefinition("2025-01-01", exclude=["2025", "2026-03"])
    assert months.keys(datetime(2026, 5, 1)) == ("2026-01-01", "2026-02-01", "2026-04-01")
    sao = DailyPartitionsDefinition("2018-11-03", timezone="America/Sao_Paulo", exclude=["0 0 * * SUN"])
    assert sao.keys(datetime(2018, 11, 6, 12)) == ("2018-11-03", "2018-11-05")  # the 4th has no midnight


def test_a_calendar_is_asked_once() -> None:
    asked = []

    def holidays() -> list[Any]:
        asked.append(1)
        return [datetime(2026, 1, 6).date(), datetime(2026, 1, 8)]

    days = DailyPartitionsDefinition("2026-01-05", exclude=holidays)
    assert days.exclude == ("2026-01-06", "2026-01-08T00:00")
    assert days.keys(datetime(2026, 1, 10)) == ("2026-01-05", "2026-01-07", "2026-01-09")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: DailyPartitionsDefinition("2026-01-01", exclude="2026-01-02"), "is not a list"),
        (lambda: DailyPartitionsDefinition("2026-01-01", exclude=["tomorrow"]), "'tomorrow', which is no time"),
        (lambda: DailyPartitionsDefinition("2026-01-01", exclude=["0 0 * * FUNDAY"]), "bad day-of-week"),
        (lambda: DailyPartitionsDefinition("2026-01-01", late=timedelta(-1)), "cannot be negative"),
        (lambda: CronPartitionsDefinition("0 25 * * *", "2026-01-01"), "bad hour"),
        (lambda: CronPartitionsDefinition("0 0 * *", "2026-01-01"), "five fields"),
        (lambda: CronPartitionsDefinition("0 0 0 * * *", "2026-01-01"), "five fields"),
        (lambda: CronPartitionsDefinition("0 0 30 2 *", "2026-01-01"), "'0 0 30 2 \\*' is no cron text"),
        (lambda: CronPartitionsDefinition("0 0 31 2,4 MON", "2026-01-01"), None),
        (lambda: CronPartitionsDefinition("@dayly", "2026-01-01"), "@daily"),
        (lambda: CronPartitionsDefinition("@daily", "1969-01-01"), "1970 or later"),
        (lambda: CronPartitionsDefinition("@daily", "2026-01-01", length=timedelta(0)), "longer than nothing"),
        (lambda: CronPartitionsDefinition("0 * * * *", "2026-01-01", fmt="%Y-%m-%d"), "does not tell one window"),
        (lambda: CronPartitionsDefinition(None, "2026-01-01"), "is no cron text"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_is_refused(wrong: Any, said: str | None) -> None:
    if said is None:
        wrong()  # Mondays do: days of the month and of the week are alternatives
        return
    with pytest.raises(DefinitionError, match=said):
        wrong()


# -- late data ---------------------------------------------------------------------------------------------------------


def test_data_settles_after_its_window() -> None:
    days = DailyPartitionsDefinition("2024-10-01", timezone="Europe/Berlin", late=timedelta(hours=6), lookback=1)
    day = days.number("2024-10-26")
    # One day more, that of 25 hours, and six hours.
    assert days.settles_at(day) == datetime(2024, 10, 28, 5, tzinfo=UTC)
    plain = DailyPartitionsDefinition("2024-10-01", end_offset=1)
    assert plain.settles_at(plain.number("2024-10-05")) == datetime(2024, 10, 6, tzinfo=UTC)
    assert from_json(PartitionsDefinition, to_json(days)) == days


def test_a_future_key_is_told_with_the_last_that_is_there() -> None:
    days = DailyPartitionsDefinition("2026-01-01")
    with pytest.raises(UsageError, match="not over yet") as caught:
        days.validate("2999-01-01", datetime(2026, 3, 1))
    assert caught.value.near == ("2026-02-28",)
