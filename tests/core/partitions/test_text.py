from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assetry.errors import UsageError
from assetry.partitions.definitions import (
    DynamicPartitionsDefinition,
    PartitionsDefinition,
    StaticPartitionsDefinition,
)
from assetry.partitions.grids.cron import CronPartitionsDefinition
from assetry.partitions.grids.time_grids import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
    YearlyPartitionsDefinition,
)
from assetry.partitions.key_table import KeyTable
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.text import read_partitions, read_parts
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = DailyPartitionsDefinition("2026-01-01")
HOURS = HourlyPartitionsDefinition("2026-01-01", timezone="Europe/Berlin")
REGIONS = StaticPartitionsDefinition(["eu", "us", "a,b", "x=1", "last", "5..6", 'say "no"'])
FILES = DynamicPartitionsDefinition("file", KeyTable(("a.csv", "b.csv", "gone"), frozenset([2])))
BOTH = MultiPartitionsDefinition({"date": DAYS, "region": StaticPartitionsDefinition(["eu", "us"])})
LOADS = MultiPartitionsDefinition({"date": DAYS, "file": FILES}).with_table(KeyTable(("a.csv", "c.csv")))
ALL: list[PartitionsDefinition] = [
    DAYS,
    HOURS,
    WeeklyPartitionsDefinition("2026-01-01"),
    MonthlyPartitionsDefinition("2025-01-01", fmt="%m/%Y"),
    DailyPartitionsDefinition("2026-01-01", exclude=["0 0 * * SAT,SUN", "2026-01-06"]),
    DailyPartitionsDefinition("2026-01-01", fmt="%d, %m %Y"),
    CronPartitionsDefinition("0 9 * * MON-FRI", "2026-01-01", length=timedelta(hours=30)),
    REGIONS,
    FILES,
    BOTH,
    LOADS,
    YearlyPartitionsDefinition("2020-01-01", fmt="%Y"),
    MultiPartitionsDefinition({"date": DAYS, "region": StaticPartitionsDefinition(["eu"]), "hour": HOURS}),
    MultiPartitionsDefinition({"kind": StaticPartitionsDefinition(["k,1", "k2"]), "region": REGIONS}),
]


def keys(text: str, definition: PartitionsDefinition, **sets: Parts) -> list[str]:
    return list(definition.keys_of(read_parts(text, definition, NOW, sets)))


@given(st.integers(0, len(ALL) - 1), st.data())
def test_what_is_written_is_read_back(index: int, data: st.DataObject) -> None:
    definition = ALL[index]
    existing = definition.existing(NOW)
    strands = data.draw(st.sets(st.sampled_from(existing.strands), min_size=1, max_size=3))
    parts = NOTHING
    for strand in strands:
        whole = existing.numbers(strand)
        numbers = [number for _, number in whole]
        first = data.draw(st.sampled_from(numbers))
        picked = data.draw(st.sets(st.sampled_from(numbers), min_size=1, max_size=4))
        chosen = (whole & Parts.range(first, first + 5)) | Parts.of(picked)
        parts |= Parts.of_strands({strand: chosen})
    assert read_parts(parts.text(definition), definition, NOW) == parts


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-01-31", ["2026-01-31"]),
        ("2026-01-30..2026-02-01", ["2026-01-30", "2026-01-31", "2026-02-01"]),
        ("..2026-01-02", ["2026-01-01", "2026-01-02"]),
        ("2026-02-27..", ["2026-02-27", "2026-02-28"]),
        ("2026-02-27 .. 2026-03", ["2026-02-27", "2026-02-28"]),
        ("2025..2026-01-02", ["2026-01-01", "2026-01-02"]),
        ("last", ["2026-02-28"]),
        ("last:2", ["2026-02-27", "2026-02-28"]),
        ("last, 2026-01-01 ,..2026-01-02", ["2026-01-01", "2026-01-02", "2026-02-28"]),
        ('"2026-01-31"', ["2026-01-31"]),
    ],
)
def test_days(text: str, found: list[str]) -> None:
    assert keys(text, DAYS) == found


def test_words() -> None:
    assert len(keys("all", DAYS)) == 59
    some = DAYS.parts_of(["2026-01-05", "2026-01-06"])
    assert keys("stale", DAYS, stale=some) == ["2026-01-05", "2026-01-06"]
    assert keys("missing,stale", DAYS, missing=NOTHING, stale=some) == ["2026-01-05", "2026-01-06"]
    with pytest.raises(UsageError, match="Which partitions are failed is not known here"):
        keys("failed", DAYS, stale=some)
    assert keys("last", REGIONS) == ['say "no"']
    assert keys("all", FILES) == ["a.csv", "b.csv"]


def test_keys_that_look_like_something_else() -> None:
    for key in ("a,b", "x=1", "5..6"):
        assert keys(key, REGIONS) == [key]
    assert keys('"last",eu', REGIONS) == ["eu", "last"]
    assert keys('"say ""no""";"a,b"', REGIONS) == ["a,b", 'say "no"']
    assert keys("eu,x=1", REGIONS) == ["eu", "x=1"]
    with pytest.raises(UsageError, match="not closed"):
        keys('eu,"us', REGIONS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-02-28|eu", ["2026-02-28|eu"]),
        ("date=2026-02-27..,region=eu", ["2026-02-27|eu", "2026-02-28|eu"]),
        ("region=us,date=2026-01-01,date=last", ["2026-01-01|us", "2026-02-28|us"]),
        ("date=last,region=eu;date=2026-01-01,region=us", ["2026-02-28|eu", "2026-01-01|us"]),
        ("date=last", ["2026-02-28|eu", "2026-02-28|us"]),
        ("last", ["2026-02-28|eu", "2026-02-28|us"]),
        ("2026-02-28..", ["2026-02-28|eu", "2026-02-28|us"]),
    ],
)
def test_dimensions(text: str, found: list[str]) -> None:
    assert keys(text, BOTH) == found


def test_a_dynamic_dimension_has_the_keys_that_are_known() -> None:
    assert keys("file=c.csv,date=last", LOADS) == ["2026-02-28|c.csv"]
    with pytest.raises(UsageError) as caught:
        keys("file=d.csv", LOADS)
    assert "c.csv" in caught.value.near


@pytest.mark.parametrize(
    ("text", "definition", "said", "near"),
    [
        ("2026-1-3", DAYS, "is not one of the partitions", "2026-01-03"),
        ("2026/01/03", DAYS, "is not one of the partitions", "2026-01-03"),
        ("2999-01-01", DAYS, "is not over yet", "2026-02-28"),
        ("2026-03-01", DAYS, "is not over yet", "2026-02-28"),
        ("2026-01-01..2999-01-01", DAYS, "lies in the future", "2026-01-01.."),
        ("2999-01-01..", DAYS, "There is no partition in 2999", None),
        ("2020..2021", DAYS, "There is no partition in 2020..2021", None),
        ("2026-01-05..2026-01-03", DAYS, "runs backwards", "2026-01-03..2026-01-05"),
        ("2026-02..2026-01", DAYS, "runs backwards", "2026-01..2026-02"),
        ("2026-1-3..", DAYS, "is no end of a range", "2026-01-03"),
        ("2026-02", DAYS, "For all that are in it write 2026-02..2026-02", "2026-02-01"),
        ("2999-01-01-00:00", ALL[6], "is not one of the partitions", None),
        ("2026-01-01..2999", ALL[6], "out of all bounds", None),
        ("2026-01-01..9999-12-31", DAYS, "is no end of a range", None),
        ("eu..us", REGIONS, "these partitions are not of time", None),
        ("euu", REGIONS, "No partition 'euu'", "eu"),
        ("b.cvs", FILES, "There is no file 'b.cvs' yet", "b.csv"),
        ("gone", FILES, "The file 'gone' was dropped", None),
        ("regin=eu", BOTH, "There is no dimension 'regin'", "region"),
        ("region=euu", BOTH, "No partition 'euu'", "eu"),
        ("date=2026-1-3,region=eu", BOTH, "is not one of", "2026-01-03"),
        ("eu|2026-01-03", BOTH, "is not a partition", "2026-01-03|eu"),
        ("region=eu", DAYS, "have just one", None),
        ("", DAYS, "No partition is named", None),
        (" , ", DAYS, "No partition is named", None),
        ("last:x", DAYS, "is not one of the partitions", None),
    ],
)
def test_what_is_no_partition_is_told_with_what_was_meant(
    text: str, definition: PartitionsDefinition, said: str, near: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        read_parts(text, definition, NOW)
    assert said in str(caught.value)
    assert near is None or near in caught.value.near


def test_a_range_of_time_is_of_every_grid_and_a_key_of_those_that_have_it() -> None:
    def found(text: str, **definitions: PartitionsDefinition) -> Any:
        read = read_partitions(text, definitions, NOW)
        return {asset: parts.text(definitions[asset]) for asset, parts in read.items()}

    weeks, months = WeeklyPartitionsDefinition("2026-01-01"), MonthlyPartitionsDefinition("2025-01-01")
    assert found("2026-01-30..2026-02-02", days=DAYS, weeks=weeks, months=months) == {
        "days": "2026-01-30..2026-02-02",
        "weeks": "2026-01-25..2026-02-01",
        "months": "2026-01-01..2026-02-01",
    }
    assert found("2026-01-05,eu", days=DAYS, regions=REGIONS) == {"days": "2026-01-05", "regions": "eu"}
    with pytest.raises(UsageError, match="names no partition of `regions`"):
        found("2026-01-05", days=DAYS, regions=REGIONS)
    with pytest.raises(UsageError) as caught:
        found("2026-1-5,eu", days=DAYS, regions=REGIONS)
    assert caught.value.near == ("2026-01-05",)
    # Nothing is stale: that is no mistake.
    assert read_partitions("stale", {"days": DAYS}, NOW, {"days": {"stale": NOTHING}}) == {"days": NOTHING}


def test_both_days_when_the_clocks_change() -> None:
    hours = HourlyPartitionsDefinition("2024-01-01", timezone="Europe/Berlin")
    now = datetime(2025, 1, 1, tzinfo=UTC)
    assert [len(read_parts(f"{day}..{day}", hours, now)) for day in ("2024-03-31", "2024-10-27")] == [23, 25]
    assert len(read_parts("2024-10-27-02:00..2024-10-27-02:00+0100", hours, now)) == 2
