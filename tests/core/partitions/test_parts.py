from __future__ import annotations

import pickle
from itertools import pairwise

import pytest
from assetry.errors import UsageError
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
from assetry.partitions.key_table import KeyTable
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from hypothesis import given
from hypothesis import strategies as st

STRANDS = ("", "eu", "us")
Members = set[tuple[str, int]]


@st.composite
def sets(draw: st.DrawFn) -> Members:
    """Runs of numbers, so that neighbours, gaps and overlaps all come about."""
    runs = draw(st.lists(st.tuples(st.sampled_from(STRANDS), st.integers(-20, 40), st.integers(0, 9)), max_size=8))
    return {(strand, number) for strand, first, size in runs for number in range(first, first + size)}


def made(members: Members) -> Parts:
    parts = NOTHING
    for strand in STRANDS:
        parts |= Parts.of((number for name, number in members if name == strand), strand)
    return parts


@given(sets(), sets())
def test_they_are_as_python_sets(one: Members, two: Members) -> None:
    mine, theirs = made(one), made(two)
    assert set(mine) == one
    assert len(mine) == len(one)
    assert bool(mine) == bool(one)
    assert set(mine | theirs) == one | two
    assert set(mine & theirs) == one & two
    assert set(mine - theirs) == one - two
    assert (mine == theirs) == (one == two)
    assert (mine <= theirs) == (one <= two)
    assert mine & theirs == mine - (mine - theirs)
    assert hash(mine | theirs) == hash(theirs | mine)
    for strand in STRANDS:
        assert {number for number in range(-25, 60) if (strand, number) in mine} == {n for s, n in one if s == strand}


@given(sets(), st.integers(-3, 12))
def test_first_and_last_are_those_of_each_strand(members: Members, count: int) -> None:
    parts = made(members)
    ordered = {strand: sorted(n for s, n in members if s == strand) for strand in STRANDS}
    kept = max(count, 0)
    assert set(parts.first(count)) == {(s, n) for s, numbers in ordered.items() for n in numbers[:kept]}
    assert set(parts.last(count)) == {(s, n) for s, ns in ordered.items() for n in ns[max(len(ns) - kept, 0) :]}


@given(sets(), st.integers(-4, 4), st.integers(0, 5))
def test_widened_is_the_sum_with_each_offset(members: Members, before: int, more: int) -> None:
    offsets = range(before, before + more + 1)
    wanted = {(strand, number + offset) for strand, number in members for offset in offsets}
    assert set(made(members).widened(before, before + more)) == wanted


@given(sets(), st.none() | st.integers(-25, 50), st.none() | st.integers(-25, 50))
def test_within_is_a_cut(members: Members, first: int | None, stop: int | None) -> None:
    inside = {
        (s, n) for s, n in members if (first is None or n >= first) and (stop is None or n < stop)
    }  # fmt: skip
    assert set(made(members).within(first, stop)) == inside


@given(sets())
def test_ranges_are_sorted_apart_and_not_empty(members: Members) -> None:
    spans = list(made(members).spans())
    assert spans == sorted(spans)
    assert all(first < stop for _, first, stop in spans)
    assert all(a[0] != b[0] or a[2] < b[1] for a, b in pairwise(spans))
    assert Parts.of_strands({strand: made(members).numbers(strand) for strand in STRANDS}) == made(members)


def test_they_are_values() -> None:
    parts = Parts.range(0, 3) | Parts.of([5], "eu")
    assert pickle.loads(pickle.dumps(parts)) == parts
    assert {parts: 1}[Parts({"eu": [(5, 6)], "": [(0, 2), (1, 3), (7, 7)]})] == 1
    assert len(WHOLE) == 1
    assert not NOTHING
    assert Parts.range(3, 3) == Parts.range(4, 3) == NOTHING
    assert parts != {("", 0)}


@given(st.sets(st.integers(0, 60)))
def test_they_travel_as_json_by_key(numbers: set[int]) -> None:
    days = DailyPartitionsDefinition("2026-01-01")
    first = days.number("2026-01-01")
    parts = Parts.of(first + number for number in numbers)
    assert Parts.from_json(parts.to_json(days), days) == parts


def test_json_of_keys_without_an_order_names_each() -> None:
    regions = StaticPartitionsDefinition(["us", "eu", "asia"])
    parts = regions.parts_of(["asia", "eu"])
    assert parts.to_json(regions) == [["eu", "eu"], ["asia", "asia"]]
    # The order of the definition, and what is put in between, is nothing to it.
    later = StaticPartitionsDefinition(["asia", "africa", "eu", "us"])
    assert later.keys_of(Parts.from_json(parts.to_json(regions), later)) == ("asia", "eu")
    with pytest.raises(UsageError, match="No partition 'mars'"):
        Parts.from_json([["mars", "mars"]], regions)


def test_a_range_backwards_is_no_range() -> None:
    days = DailyPartitionsDefinition("2026-01-01")
    with pytest.raises(UsageError) as caught:
        Parts.from_json([["2026-01-05", "2026-01-03"]], days)
    assert caught.value.near == ("2026-01-03..2026-01-05",)


def test_a_key_keeps_its_number() -> None:
    table = KeyTable().extended(["b", "a", "b"])
    assert [table.number(key) for key in "ab"] == [1, 0]
    gone = table.without(["b"])
    assert gone.living == ("a",)
    assert gone.number("b") == 0
    assert list(gone.parts) == [("", 1)]
    assert gone.extended(["c", "b"]).living == ("b", "a", "c")
    assert table.extended(["a"]) is table
