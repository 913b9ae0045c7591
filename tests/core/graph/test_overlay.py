"""Overlays are what copies of all would be, and what they are over stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assetry.graph.overlay import NumberedOverlay, Overlay
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

SIZE = 40
#: What is changed of one generation: so many of 40 are few, or many.
CHANGES = st.lists(st.tuples(st.integers(0, SIZE + 3), st.integers(0, 9)), max_size=6)


@settings(max_examples=examples(100))
@given(st.lists(CHANGES, min_size=1, max_size=6))
def test_values_by_number_are_those_of_a_copy(generations: Sequence[Sequence[tuple[int, int]]]) -> None:
    plain = [[-1] * SIZE]
    overlays: list[Any] = [[*plain[0]]]
    for changes in generations:
        copy, now = [*plain[-1]], NumberedOverlay[int](overlays[-1])
        for number, value in changes:
            copy[number % SIZE] = now[number % SIZE] = value
        plain.append(copy)
        overlays.append(now)
    for copy, now in zip(plain, overlays, strict=True):
        assert copy == [now[number] for number in range(SIZE)]


@settings(max_examples=examples(100))
@given(st.lists(CHANGES, min_size=1, max_size=6), st.booleans())
def test_values_by_key_are_those_of_a_copy(generations: Sequence[Sequence[tuple[int, int]]], new: bool) -> None:
    plain = [dict.fromkeys(range(SIZE), -1)]
    overlays: list[Any] = [{**plain[0]}]
    for changes in generations:
        others = {key: value for key, value in changes if value} if new else {}
        copy, now = {**plain[-1], **others}, Overlay[int, int](overlays[-1], others)
        for key, value in changes:
            if value > 2:
                copy[key] = now[key] = value
            elif value > 1:
                assert now.pop(key, None) == copy.pop(key, None)
            elif key in now:
                del copy[key], now[key]
        plain.append(copy)
        overlays.append(now)
    for copy, now in zip(plain, overlays, strict=True):
        assert copy == dict(now)
        assert len(copy) == len(now)
        for key in range(SIZE + 4):
            assert (key in now, now.get(key), now.get(key, 7)) == (key in copy, copy.get(key), copy.get(key, 7))


def test_what_is_taken_away_stays_away_where_it_is_found_below_later() -> None:
    before: dict[str, int] = {}
    now = Overlay(before)
    now.pop("a")
    before["a"] = 1  # as a version is that is asked of an earlier judgement
    assert "a" not in now
    assert now.get("a") is None
    assert dict(now) == {}


def test_what_becomes_very_many_is_copied_once() -> None:
    overlay: Any = [0] * SIZE
    for number in range(SIZE):
        overlay = NumberedOverlay[int](overlay)
        overlay[number] = 1
        assert len(overlay._own) <= SIZE // 16 + 2
    assert [overlay[number] for number in range(SIZE)] == [1] * SIZE
