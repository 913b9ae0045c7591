"""Mappings, in both directions, against the definition of each: every pair of partitions is looked at."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any

import pytest
from assetry.errors import DefinitionError
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
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.key_table import KeyTable
from assetry.partitions.links import Link, dimensions_of
from assetry.partitions.mappings import (
    AnyMapping,
    MultiPartitionMapping,
    StaticPartitionMapping,
    TimeWindowPartitionMapping,
)
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.partitions.resolution import link_between
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.examples import examples

Definition = PartitionsDefinition
Part = tuple[str, int]

#: The clocks of Berlin go forward on the 31st of March: that day has 23 hours.
FROM, TO = "2024-03-26", "2024-04-04"
NOW = datetime(2024, 4, 2, 13, tzinfo=UTC)
BERLIN = "Europe/Berlin"
TIMES: list[TimeWindowPartitionsDefinition] = [
    HourlyPartitionsDefinition("2024-03-29", TO),
    HourlyPartitionsDefinition("2024-03-30", "2024-04-02", BERLIN),
    DailyPartitionsDefinition(FROM, TO, BERLIN),
    DailyPartitionsDefinition("2024-03-28", None, hour_offset=4),
    DailyPartitionsDefinition(FROM, TO, BERLIN, exclude=["0 0 * * SAT,SUN"]),
    WeeklyPartitionsDefinition("2024-03-18", "2024-04-15", BERLIN, day_offset=1),
    MonthlyPartitionsDefinition("2024-02-01", "2024-06-01"),
    YearlyPartitionsDefinition("2023-01-01", "2026-01-01", BERLIN),
    CronPartitionsDefinition("30 2 * * *", FROM, BERLIN, end_date=TO),
    CronPartitionsDefinition("0 9 * * MON-FRI", FROM, BERLIN, timedelta(hours=8), end_date=TO),
    CronPartitionsDefinition("0 */6 * * *", FROM, "UTC", timedelta(hours=8), end_date="2024-04-02"),
]
#: On the 27th of October they go back: that day has 25 hours.
AUTUMN: list[TimeWindowPartitionsDefinition] = [
    HourlyPartitionsDefinition("2024-10-25", "2024-10-30"),
    HourlyPartitionsDefinition("2024-10-26", "2024-10-29", BERLIN),
    DailyPartitionsDefinition("2024-10-20", "2024-11-02", BERLIN),
    DailyPartitionsDefinition("2024-10-24", hour_offset=2, minute_offset=30, timezone="America/New_York"),
    WeeklyPartitionsDefinition("2024-10-01", "2024-11-20", BERLIN),
    CronPartitionsDefinition("*/90 1-3 * * *", "2024-10-24", BERLIN),
    CronPartitionsDefinition("30 2 * * *", "2024-10-20", BERLIN, timedelta(hours=20)),
]
KEYS: list[Definition] = [
    StaticPartitionsDefinition(["a", "b"]),
    StaticPartitionsDefinition(["c", "b", "a"]).with_table(KeyTable(("old", "b"))),
    DynamicPartitionsDefinition("x", KeyTable(("a", "x", "b", "gone"), frozenset([3]))),
]
WORDS: list[AnyMapping] = ["same", "all", "last"]
MOVES: list[AnyMapping] = [
    TimeWindowPartitionMapping(*way, unit=unit)  # type: ignore[arg-type]
    for way, unit in product(((-1, 0), (-2, -1), (0, 1)), ("own", "upstream"))
]
LISTED = StaticPartitionMapping({"a": ["b"], "b": ["a", "b"], "c": []})


def multi(**dimensions: Definition) -> MultiPartitionsDefinition:
    return MultiPartitionsDefinition(dimensions)


SEVERAL: list[Definition] = [
    multi(date=TIMES[2], region=KEYS[0]),
    multi(date=TIMES[1], region=KEYS[1]),
    multi(date=TIMES[3], region=KEYS[0], kind=KEYS[0]),
    multi(date=TIMES[2], week=TIMES[5]),
    multi(kind=KEYS[0], region=KEYS[1]),
    multi(date=TIMES[4], region=DynamicPartitionsDefinition("r")).with_table(KeyTable(("b", "z"))),
]
#: Reads the window before in the dimension of time, where there is one called so.
BEFORE = MultiPartitionMapping({"date": TimeWindowPartitionMapping(-1, -1), "region": "all"})


@cache
def universe(index: int) -> tuple[Part, ...]:
    """Return all partitions that there can be in some weeks around the days that are defined."""
    definition = ALL[index]
    if isinstance(definition, TimeWindowPartitionsDefinition):
        around = AROUND if index < FIRST_OF_AUTUMN else IN_AUTUMN
        return tuple(("", number) for number in range(*definition.span(*around)))
    if isinstance(definition, MultiPartitionsDefinition) and definition.time is not None:
        strands = {strand for strand, _ in definition.existing(NOW + timedelta(days=5))}
        return tuple((strand, number) for strand in strands for number in range(*definition.span(*AROUND)))
    return tuple(definition.existing(NOW))


AROUND = datetime(2024, 3, 20, tzinfo=UTC), datetime(2024, 4, 12, tzinfo=UTC)
IN_AUTUMN = datetime(2024, 10, 18, tzinfo=UTC), datetime(2024, 11, 6, tzinfo=UTC)
ALL = [*TIMES, *KEYS, *SEVERAL, *AUTUMN]
FIRST_OF_AUTUMN = len(ALL) - len(AUTUMN)


def now_of(index: int) -> datetime:
    return NOW if index < FIRST_OF_AUTUMN else datetime(2024, 10, 28, 5, tzinfo=UTC)


@cache
def number_of(definition: TimeWindowPartitionsDefinition, key: str) -> int:
    found = definition.find(key)
    assert found is not None
    return found


@cache
def overlap(own: TimeWindowPartitionsDefinition, upstream: TimeWindowPartitionsDefinition, p: int, u: int) -> bool:
    if own.grid == upstream.grid:
        return p == u
    one, two = ([each.astimezone(UTC) for each in d.window_of(n)] for d, n in ((own, p), (upstream, u)))
    return one[0] < two[1] and two[0] < one[1]


@cache
def reads(mapping: AnyMapping, own: Any, upstream: Any, p: str, u: str) -> bool:
    """Tell, for two keys of one dimension each, whether the first is made from the second."""
    if not isinstance(own, TimeWindowPartitionsDefinition):
        return p == u if mapping == "same" else u in mapping.keys.get(p, ())  # type: ignore[union-attr]
    mine, theirs = number_of(own, p), number_of(upstream, u)
    if mapping == "same":
        return overlap(own, upstream, mine, theirs)
    assert isinstance(mapping, TimeWindowPartitionMapping)
    moves = range(mapping.start, mapping.end + 1)
    if mapping.unit == "own":
        return any(overlap(own, upstream, mine + move, theirs) for move in moves)
    return any(overlap(own, upstream, mine, theirs - move) for move in moves)


def split(definition: Definition, part: Part) -> dict[str, str]:
    key = definition.key(part[1], part[0])
    return definition.parts(key) if isinstance(definition, MultiPartitionsDefinition) else {"": key}


@cache
def there_are(j: int) -> dict[Part, dict[str, str]]:
    """Return the partitions of a definition that can be, each by its dimensions."""
    definition = ALL[j]
    return {u: split(definition, u) for u in universe(j) if definition.possible(Parts.of([u[1]], u[0]))}


@cache
def exists_at_all(dimension: Definition, key: str) -> bool:
    if not isinstance(dimension, TimeWindowPartitionsDefinition):
        return True
    return number_of(dimension, key) in dimension.existing(NOW)


@cache
def made_from(mapping: AnyMapping, i: int, j: int, names: tuple[tuple[str, str], ...], p: Part) -> frozenset[Part]:
    """Return what a partition is made from, by looking at all there is; `names` are pairs of dimensions."""
    own, upstream = ALL[i], ALL[j]
    if mapping in ("all", "last"):
        return frozenset(upstream.newest(1, now_of(j)) if mapping == "last" else upstream.existing(now_of(j)))
    keys, mine, theirs = split(own, p), dimensions_of(own), dimensions_of(upstream)

    def fits(parts: dict[str, str]) -> bool:
        for name, dimension in theirs.items():
            here = next((a for a, b in names if b == name), None)
            how = mapping.dimensions.get(name, "same") if isinstance(mapping, MultiPartitionMapping) else mapping
            if here is None or how == "all":
                if not exists_at_all(dimension, parts[name]):
                    return False
            elif not reads(how, mine[here], dimension, keys[here], parts[name]):
                return False
        return True

    return frozenset(u for u, parts in there_are(j).items() if fits(parts))


def picked_from(parts: tuple[Part, ...], picked: set[int]) -> set[Part]:
    return {parts[number % len(parts)] for number in picked} if parts else set()


def as_parts(members: set[Part]) -> Parts:
    parts = NOTHING
    for strand, number in members:
        parts |= Parts.of([number], strand)
    return parts


def check(
    link: Link, mapping: AnyMapping, i: int, j: int, names: tuple[tuple[str, str], ...], picked: set[int]
) -> None:
    own, upstream, now = ALL[i], ALL[j], now_of(i)
    chosen, targets = picked_from(universe(i), picked), picked_from(universe(j), picked)
    wanted = {p: made_from(mapping, i, j, names, p) for p in chosen}
    parts = as_parts(chosen)
    up = link.up(parts, now)
    inside = set(universe(j))
    assert set(up) & inside == frozenset[Part]().union(*wanted.values()) & inside
    assert up <= upstream.possible(up)
    # By key, without numbers, it is the same; keys that no table has yet may be there, too.
    for strand, number in list(chosen)[:1]:
        if own.possible(Parts.of([number], strand)):
            keys = link.keys(own.key(number, strand), now)
            mine = link.up(Parts.of([number], strand), now)
            assert set(upstream.keys_of(mine)) <= set(keys)
            if getattr(upstream, "table", KeyTable()) == KeyTable():
                assert sorted(upstream.keys_of(mine)) == sorted(keys)
            if link.same_keys:
                assert keys in ((own.key(number, strand),), ())
    # Down is the way back, among those that exist; looked at for some.
    existing = own.existing(now)
    down = link.down(as_parts(targets), now)
    assert down <= existing
    for p in chosen | picked_from(universe(i), set(range(3, 60, 7))):
        below = p in existing and not made_from(mapping, i, j, names, p).isdisjoint(targets)
        assert (p in down) == below
    # The laws: every partition lies below what it is made from, and more is never made from less.
    for strand, number in chosen:
        one = Parts.of([number], strand)
        alone = link.up(one, now)
        assert alone <= up
        if alone and (strand, number) in existing:
            assert one <= link.down(alone, now)
    for strand, number in list(chosen)[:1]:
        found = dict(link.pairs(number - 3, number + 4, now, strand))
        assert (number in found) == bool(own.possible(Parts.of([number], strand)))
        if number in found:
            assert found[number] == link.up(Parts.of([number], strand), now)
    if link.same_numbers:
        assert up == upstream.possible(parts)


def refused(error: DefinitionError, *said: str) -> None:
    assert any(each in error.message for each in said)


@settings(max_examples=examples(100))
@given(
    st.integers(0, len(TIMES) - 1),
    st.integers(0, len(TIMES) - 1),
    st.sampled_from([*WORDS, *MOVES]),
    st.sets(st.integers(0, 999), max_size=6),
)
def test_windows_of_time(i: int, j: int, mapping: AnyMapping, picked: set[int]) -> None:
    check(link_between(mapping, ALL[i], ALL[j], "own", "up"), mapping, i, j, (("", ""),), picked)


@settings(max_examples=examples(100))
@given(
    st.integers(FIRST_OF_AUTUMN, len(ALL) - 1),
    st.integers(FIRST_OF_AUTUMN, len(ALL) - 1),
    st.sampled_from([*WORDS, *MOVES]),
    st.sets(st.integers(0, 999), max_size=6),
)
def test_windows_of_time_in_autumn(i: int, j: int, mapping: AnyMapping, picked: set[int]) -> None:
    check(link_between(mapping, ALL[i], ALL[j], "own", "up"), mapping, i, j, (("", ""),), picked)


@given(st.integers(0, 2), st.integers(0, 2), st.sampled_from([*WORDS, LISTED]), st.sets(st.integers(0, 9), max_size=4))
def test_keys(i: int, j: int, mapping: AnyMapping, picked: set[int]) -> None:
    i, j = i + len(TIMES), j + len(TIMES)
    try:
        link = link_between(mapping, ALL[i], ALL[j], "own", "up")
    except DefinitionError as error:
        refused(error, "no such partition", "names 'c', which is not a partition")
        return
    check(link, mapping, i, j, (("", ""),), picked)


@settings(max_examples=examples(100))
@given(
    st.integers(0, len(SEVERAL) - 1),
    st.integers(0, len(SEVERAL) - 1),
    st.sampled_from([*WORDS, BEFORE]),
    st.sets(st.integers(0, 9999), max_size=5),
)
def test_several_dimensions(i: int, j: int, mapping: AnyMapping, picked: set[int]) -> None:
    i, j = i + len(TIMES) + len(KEYS), j + len(TIMES) + len(KEYS)
    try:
        link = link_between(mapping, ALL[i], ALL[j], "own", "up")
    except DefinitionError as error:
        refused(error, "no such partition", "no dimension", "names the dimension")
        return
    mine, theirs = dimensions_of(ALL[i]), dimensions_of(ALL[j])
    check(link, mapping, i, j, tuple((name, name) for name in mine if name in theirs), picked)


@settings(max_examples=examples(100))
@given(st.data(), st.sets(st.integers(0, 9999), max_size=5))
def test_one_dimension_beside_several(data: st.DataObject, picked: set[int]) -> None:
    one = data.draw(st.integers(0, len(TIMES) + len(KEYS) - 1))
    many = data.draw(st.integers(0, len(SEVERAL) - 1)) + len(TIMES) + len(KEYS)
    i, j = (one, many) if data.draw(st.booleans()) else (many, one)
    try:
        link = link_between("same", ALL[i], ALL[j], "own", "up")
    except DefinitionError:
        assume(False)
    ((there, (here, _)),) = link.ways.items()
    check(link, "same", i, j, ((here, there),), picked)


# -- without partitions on one side ----------------------------------------------------------------------------------


def test_a_whole_reads_all_and_all_read_a_whole() -> None:
    days = TIMES[2]
    for mapping, read in (("same", days.existing(NOW)), ("all", days.existing(NOW)), ("last", days.newest(1, NOW))):
        link = link_between(mapping, None, days, "report", "days")
        assert link.up(WHOLE, NOW) == read
        assert link.down(days.existing(NOW).last(1), NOW) == WHOLE
        assert link.down(days.existing(NOW).first(1), NOW) == (NOTHING if mapping == "last" else WHOLE)
        assert dict(link.pairs(0, 1, NOW)) == {0: read}
        assert link.up(NOTHING, NOW) == NOTHING
    link = link_between("same", days, None, "days", "config")
    assert link.up(days.existing(NOW).first(1), NOW) == WHOLE
    assert link.down(WHOLE, NOW) == days.existing(NOW)
    assert link.down(NOTHING, NOW) == NOTHING
    both = link_between("same", None, None, "a", "b")
    assert both.up(WHOLE, NOW) == both.down(WHOLE, NOW) == WHOLE


def test_the_first_window_has_none_before_it() -> None:
    days = DailyPartitionsDefinition("2024-03-26")
    link = link_between(TimeWindowPartitionMapping(-1, -1), days, days, "days", "days")
    first, second = days.parts_of(["2024-03-26"]), days.parts_of(["2024-03-27"])
    assert link.up(first, NOW) == NOTHING
    assert link.up(second, NOW) == first
    assert link.down(first, NOW) == second
    # What is yet to come is needed all the same.
    assert link.up(days.parts_of(["2024-04-20"]), NOW) == days.parts_of(["2024-04-19"])


def test_a_day_is_made_from_as_many_hours_as_it_has() -> None:
    days, hours = DailyPartitionsDefinition("2024-01-01", timezone=BERLIN), HourlyPartitionsDefinition("2024-01-01")
    link = link_between("same", days, hours, "days", "hours")
    lengths = [len(link.up(days.parts_of([day]), NOW)) for day in ("2024-03-30", "2024-03-31", "2024-10-27")]
    assert lengths == [24, 23, 25]
    assert not link.same_numbers
    assert link_between("same", days, days, "a", "b").same_numbers


def test_a_key_that_was_never_made_is_not_lost() -> None:
    files = DynamicPartitionsDefinition("file", KeyTable(("a",)))
    raw = DynamicPartitionsDefinition("file", KeyTable(("b",)))
    link = link_between("same", files, raw, "parsed", "raw")
    assert link.up(WHOLE, NOW) == NOTHING
    assert link.keys("a", NOW) == ("a",)


def test_a_dimension_of_another_name() -> None:
    own = multi(day=DailyPartitionsDefinition(FROM), region=KEYS[0])
    upstream = multi(date=DailyPartitionsDefinition(FROM), region=KEYS[0])
    mapping = MultiPartitionMapping({"day": TimeWindowPartitionMapping(-1, -1)}, upstream={"day": "date"})
    link = link_between(mapping, own, upstream, "own", "up")
    assert link.up(own.parts_of(["2024-03-28|a"]), NOW) == upstream.parts_of(["2024-03-27|a"])
    assert pickle.loads(pickle.dumps(link)) == link


def test_the_newest_along_one_dimension() -> None:
    own, upstream = KEYS[0], multi(date=DailyPartitionsDefinition(FROM), region=KEYS[0])
    link = link_between(MultiPartitionMapping({"date": "last"}), own, upstream, "own", "up")
    assert upstream.keys_of(link.up(own.parts_of(["b"]), NOW)) == ("2024-04-01|b",)
    assert link.down(upstream.parts_of(["2024-03-29|b"]), NOW) == NOTHING
    assert link.down(upstream.parts_of(["2024-04-01|b"]), NOW) == own.parts_of(["b"])


# -- what has no meaning --------------------------------------------------------------------------------------------

DAYS, REGIONS = DailyPartitionsDefinition("2024-01-01"), StaticPartitionsDefinition(["eu", "us"])


@pytest.mark.parametrize(
    ("mapping", "own", "upstream", "said", "near"),
    [
        ("lsat", DAYS, DAYS, "'lsat', which does not exist", "last"),
        (TimeWindowPartitionMapping, DAYS, DAYS, "which does not exist", "TimeWindowPartitionMapping(…)"),
        ("same", DAYS, REGIONS, "its partitions are daily ones, those upstream static ones", None),
        ("same", REGIONS, DAYS, "its partitions are static ones, those upstream daily ones", None),
        (TimeWindowPartitionMapping(-1, 0), REGIONS, REGIONS, "so that TimeWindow.* says nothing", None),
        (TimeWindowPartitionMapping(-1, 0), None, DAYS, "`b` has no partitions", None),
        (TimeWindowPartitionMapping(-1, 0), DAYS, None, "`a` has no partitions", None),
        (LISTED, DAYS, REGIONS, "`b` are windows of time", None),
        (LISTED, DAYS, DAYS, "keys are listed", None),
        ("same", StaticPartitionsDefinition(["eu", "uss"]), REGIONS, "has the partition 'uss'", "us"),
        (StaticPartitionMapping({"eu": ["uss"], "us": []}), REGIONS, REGIONS, "'uss', which is not a part", "us"),
        (StaticPartitionMapping({"eur": ["us"]}), REGIONS, REGIONS, "'eur', which is not a partition", "eu"),
        (StaticPartitionMapping({"eu": ["us"]}), REGIONS, REGIONS, "says nothing of the partition 'us'", None),
        ("same", DailyPartitionsDefinition("2023-01-01", "2023-02-01"), DAYS, "no window of it", "2024-01-01"),
        ("same", DAYS, DailyPartitionsDefinition("2023-01-01", "2023-02-01"), "no window of it", "2023-01-31"),
        (
            TimeWindowPartitionMapping(0, 0),
            DAYS,
            HourlyPartitionsDefinition("2023-01-01", "2024-01-01", "America/Lima", exclude=["2023-01-02"]),
            None,
            None,
        ),
        (TimeWindowPartitionMapping(-9, -5), DAYS, DailyPartitionsDefinition("2023-01-01", "2023-12-23"), "no w", None),
        ("same", multi(date=DAYS, region=REGIONS), multi(data=DAYS, regio=REGIONS), "no dimension is in both", "data"),
        (MultiPartitionMapping({"dates": "all"}), multi(date=DAYS, r=REGIONS), DAYS, "the dimension 'dates'", "date"),
        (LISTED, multi(date=DAYS, region=REGIONS), multi(date=DAYS, region=REGIONS), "which dimension it is of", None),
        ("same", multi(a=REGIONS, b=REGIONS), REGIONS, "more than one dimension fits", None),
        ("same", multi(a=REGIONS, b=REGIONS), DAYS, "no dimension fits", None),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_told_with_both_assets(
    mapping: Any, own: Definition | None, upstream: Definition | None, said: str | None, near: str | None
) -> None:
    if said is None:
        link_between(mapping, own, upstream, "b", "a", "assets.py:3")  # the windows of the last hours reach over
        return
    with pytest.raises(DefinitionError, match=said) as caught:
        link_between(mapping, own, upstream, "b", "a", "assets.py:3")
    assert caught.value.where == "assets.py:3"
    assert "a" in caught.value.message
    assert "b" in caught.value.message
    assert near is None or near in caught.value.near


def test_every_pair_of_grids_meets_or_says_why() -> None:
    told = []
    for own, upstream in product(ALL[:FIRST_OF_AUTUMN], ALL[:FIRST_OF_AUTUMN]):
        try:
            link_between("same", own, upstream, "below", "above")
        except DefinitionError as error:
            told.append(error)
    assert told
    assert all("`below`" in each.message and "`above`" in each.message and each.hint for each in told)
