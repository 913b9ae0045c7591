"""Ticks by number, against all that cronsim lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from assetry.partitions.grids.ticks import number_at, tick, ticks_on, typical_gap
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

TEXTS = ["0 0 * * *", "*/15 * * * *", "30 2 * * *", "0 1-3 * * *", "0,30 2 * * SUN", "5 */5 1,15 * *", "0 0 L * *"]
TEXTS += ["0 9 * * MON#2", "0 0 29 2 *", "59 23 31 12 *", "* 0 * * 1", "0 12 13 * FRI"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Beirut", "America/Sao_Paulo", "Australia/Lord_Howe"]
ZONES += ["Pacific/Apia", "America/Nuuk", "Pacific/Kiritimati"]


def listed(text: str, zone: str, start: datetime, count: int) -> list[datetime]:
    """Return the first ticks of cronsim from `start` on, in UTC, each once."""
    found: list[datetime] = []
    before = (start.astimezone(UTC) - timedelta(seconds=1)).astimezone(UTC if zone == "UTC" else ZoneInfo(zone))
    for moment in CronSim(text, before):
        at = moment.astimezone(UTC)
        if at not in found[-1:] and at >= start:
            found.append(at)
        if len(found) == count:
            break
    return found


@given(
    st.sampled_from(TEXTS),
    st.sampled_from(ZONES),
    st.sampled_from(["2024-03-30", "2024-10-25", "2018-11-02", "2018-02-16", "2011-12-28", "2024-04-05", "1994-12-29"])
    | st.dates(datetime(1970, 2, 1).date(), datetime(1990, 1, 1).date()).map(str),
)
def test_ticks_are_those_of_cronsim(text: str, zone: str, day: str) -> None:
    start = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
    wanted = listed(text, zone, start, 30)
    number = number_at(text, zone, start - timedelta(seconds=1)) + 1
    assert [tick(text, zone, number + more) for more in range(30)] == wanted
    assert [number_at(text, zone, each) for each in wanted] == list(range(number, number + 30))
    assert [number_at(text, zone, each - timedelta(seconds=1)) for each in wanted] == list(
        range(number - 1, number + 29)
    )


@pytest.mark.parametrize("text", TEXTS)
def test_the_first_of_1970_is_number_0(text: str) -> None:
    first = listed(text, "Europe/Berlin", datetime(1969, 12, 31, 23, tzinfo=UTC), 1)
    assert [tick(text, "Europe/Berlin", 0)] == first
    assert number_at(text, "Europe/Berlin", first[0] - timedelta(seconds=1)) == -1
    with pytest.raises(OverflowError):
        tick(text, "Europe/Berlin", -1)


@given(st.sampled_from(TEXTS), st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)))
def test_whether_it_ticks_on_a_time(text: str, wall: datetime) -> None:
    wall = wall.replace(second=0, microsecond=0)
    at = wall.replace(tzinfo=UTC)
    assert ticks_on(text, wall) == (tick(text, "UTC", max(number_at(text, "UTC", at), 0)) == at)


def test_how_far_ticks_are_apart() -> None:
    assert typical_gap("*/15 * * * *") == 900
    assert 29 * 86400 < typical_gap("0 0 1 * *") < 31 * 86400
