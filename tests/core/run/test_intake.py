"""Events as plugins report them: each goes on in a form that can be kept, or costs the asset it is about."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from assetry.hooks.masks import Mask
from assetry.run.intake import LEFT_OUT, METADATA_LIMIT, TEXT_LIMIT, recordable, taken
from assetry.store.encoding import event_record, event_row
from assetry.types.assets import Column
from assetry.types.events import Checked, Event, Failed, Handle, Log, Materialized, Observed, Progress, Skipped, Started
from assetry.types.records import EventRecord
from assetry.views.json import json_line
from hypothesis import given
from hypothesis import strategies as st

SECRET = "hunter2!"
MASK = Mask(frozenset({SECRET}))


class Unshowable:
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


class Silent(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


def circle() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


def tower(height: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(height):
        found = [found]
    return found


def test_what_is_right_goes_on_as_it_is() -> None:
    event = Materialized("a", "p", "v", [Column("id", "int")], {"rows": 3, "note": "é"})
    assert taken(event, "Acme") == event


@pytest.mark.parametrize(
    "metadata", [{"x": circle()}, {"x": tower(50_000)}, {"x": Unshowable()}, {"x": {"y": [circle()]}}]
)
def test_metadata_that_cannot_be_kept_fails_its_asset(metadata: Any) -> None:
    found = taken(Materialized("a", "p", metadata=metadata), "Acme 1.0")
    assert isinstance(found, Failed)
    assert (found.key, found.partition) == ("a", "p")
    assert found.message.startswith("Acme 1.0 reported Materialized, and its metadata cannot be kept: ")
    assert found.hint == "This is a fault of the plugin; report it to its authors."


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (Materialized("a", columns=[("id", "int")]), "its columns[0] is a tuple instead of a Column"),  # type: ignore[list-item]
        (Materialized("a", data_version=3), "its data_version is an int instead of a str"),  # type: ignore[arg-type]
        (Materialized("a", partition=3), "its partition is an int instead of a str"),  # type: ignore[arg-type]
        (Materialized("a", partition="\ud800"), "its partition has half a character"),
        (Materialized("a", metadata="rows"), "its metadata is a str instead of a Mapping"),  # type: ignore[arg-type]
        (Materialized("a", "1", through=3), "its through is an int instead of a str"),  # type: ignore[arg-type]
        (Materialized("a", "1", through="\ud800"), "its through has half a character"),
        (
            Materialized("a", through="3"),
            "its through is '3', and it has no partition that this range would begin with",
        ),
        (Skipped("a", "why", partition=3), "its partition is an int instead of a str"),  # type: ignore[arg-type]
    ],
)
def test_an_end_with_a_wrong_value_is_a_failure(event: Event, said: str) -> None:
    found = taken(event, "Acme")
    assert isinstance(found, Failed)
    assert said in found.message


def test_a_check_with_a_wrong_value_has_not_passed() -> None:
    found = taken(Checked("a", "unique", "yes"), "Acme")  # type: ignore[arg-type]
    assert isinstance(found, Checked)
    assert not found.passed
    assert found.stops
    assert "its passed is a str instead of a bool" in (found.message or "")


@pytest.mark.parametrize(
    "event", [Handle("\ud800"), Handle(3), Started("a", 3), Progress("a", "half"), Observed("a", 3)]
)  # type: ignore[arg-type]
def test_what_ends_nothing_is_told(event: Event) -> None:
    found = taken(event, "Acme")
    assert isinstance(found, Log)
    assert found.level == "error"
    assert found.message.startswith(f"Acme reported {type(event).__name__}, and its ")


def test_words_may_be_given_as_what_has_them() -> None:
    assert taken(Failed("a", Silent()), "Acme") == Failed("a", "Silent (its text cannot be shown)")  # type: ignore[arg-type]
    assert taken(Log(3, "loud"), "Acme") == Log("3", "info")  # type: ignore[arg-type]
    assert taken(Log(Unshowable()), "Acme") == Log("Unshowable (it cannot be shown)")  # type: ignore[arg-type]


def test_numbers_of_other_libraries_are_numbers() -> None:
    found = taken(Checked("a", "unique", np.bool_(True), metadata={"rows": np.int64(3), "d": Decimal("1.5")}), "Acme")
    assert found == Checked("a", "unique", True, metadata={"rows": 3, "d": "1.5"})
    assert taken(Progress("a", np.float32(0.5)), "Acme") == Progress("a", 0.5)


def test_metadata_is_taken_as_it_was_when_it_was_reported() -> None:
    rows = [1]
    found = taken(Materialized("a", metadata={"rows": rows}), "Acme")
    rows.append(2)
    assert isinstance(found, Materialized)
    assert found.metadata == {"rows": [1]}


ODD: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary(max_size=5)
    | st.builds(object)
    | st.builds(Unshowable)
    | st.builds(circle)
    | st.datetimes()
    | st.sets(st.integers(), max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.builds(Materialized, st.just("a"), ODD, ODD, st.just(None), ODD)
    | st.builds(Checked, st.just("a"), ODD, ODD, ODD, ODD, ODD)
    | st.builds(Failed, st.just("a"), ODD, ODD, ODD, ODD)
    | st.builds(Skipped, st.just("a"), ODD)
    | st.builds(Log, ODD, ODD)
    | st.builds(Handle, ODD, ODD)
    | st.builds(Progress, st.just("a"), ODD, ODD)
)
def test_whatever_is_reported_can_be_kept_and_shown(event: Event) -> None:
    found = taken(event, "Acme")
    record = EventRecord(at=datetime(2026, 1, 31, tzinfo=UTC), run="r", event=found)
    row = event_row(record)
    for text in row:
        assert text is None or text.encode()
    assert type(event_record(row).event) is type(found)
    json.loads(json_line(record))


# -- what is too large -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", [Log("x" * 100_000), Failed("a", "x" * 100_000), Skipped("a", "x" * 100_000), Checked("a", "c", False)]
)
def test_a_giant_text_is_cut_with_a_note(event: Event) -> None:
    if isinstance(event, Checked):
        event = replace(event, message="x" * 100_000)
    found: Any = taken(event, "Acme")
    text = found.because if isinstance(found, Skipped) else found.message
    assert text == "x" * TEXT_LIMIT + " … (cut: it had 100,000 characters)"


def test_a_text_that_is_just_not_too_long_stays() -> None:
    assert taken(Log("x" * TEXT_LIMIT), "Acme") == Log("x" * TEXT_LIMIT)
    assert taken(Log("x" * TEXT_LIMIT), "Acme", MASK) == Log("x" * TEXT_LIMIT)


@pytest.mark.parametrize("at", [TEXT_LIMIT - 4, 2 * TEXT_LIMIT - 4, 5 * TEXT_LIMIT])
def test_no_half_of_a_secret_is_left_where_a_text_is_cut(at: int) -> None:
    text = "x" * at + SECRET + "y" * TEXT_LIMIT
    found = taken(Log(text), "Acme", MASK)
    assert isinstance(found, Log)
    assert "hunt" not in found.message
    full = taken(Log(SECRET * TEXT_LIMIT), "Acme", MASK)
    assert isinstance(full, Log)
    assert "hunt" not in full.message


def test_what_is_largest_in_giant_metadata_is_left_out_with_a_note() -> None:
    metadata = {"rows": 3, "preview": "x" * METADATA_LIMIT, "plot": ["y" * 1000] * 10, "url": "https://x"}
    found = taken(Materialized("a", metadata=metadata), "Acme")
    assert isinstance(found, Materialized)
    assert found.metadata == {
        "rows": 3,
        "plot": metadata["plot"],
        "url": "https://x",
        LEFT_OUT: "preview (1,048,583 characters): the metadata of an event may have 1,048,576",
    }


def test_metadata_of_very_many_entries_becomes_small_enough() -> None:
    found = taken(Materialized("a", metadata={f"name {n}": "x" * 100 for n in range(20_000)}), "Acme")
    assert isinstance(found, Materialized)
    assert len(json.dumps(found.metadata)) < 1.2 * METADATA_LIMIT
    assert " more: the metadata of an event may have" in found.metadata[LEFT_OUT]


def test_the_message_of_a_giant_exception_is_cut() -> None:
    assert len(recordable("x" * 10_000_000, Mask())) < TEXT_LIMIT + 100


def test_numbers_that_cannot_be_written_out_are_told_otherwise() -> None:
    told = taken(Materialized("a", metadata={"rows": 10**5000, "ids": [7, -(10**400)]}), "Acme")
    assert isinstance(told, Materialized)
    assert int(told.metadata["rows"], 16) == 10**5000
    assert told.metadata["ids"][0] == 7
    assert json.loads(json.dumps(told.metadata)) == told.metadata
    progress = taken(Progress("a", 10**400, -(10**400)), "Acme")
    assert progress == Progress("a", math.inf, -math.inf)


def test_what_things_are_found_by_is_not_cut_but_kept_short() -> None:
    one, other = (taken(Materialized("a", data_version="v" * 100_000 + end), "Acme") for end in "ab")
    assert isinstance(one, Materialized)
    assert isinstance(other, Materialized)
    assert len(str(one.data_version)) == 32
    assert one.data_version != other.data_version
    described = taken(Materialized("a", columns=[Column("id", "int", "d" * 100_000)]), "Acme")
    assert "(cut: it had 100,000 characters)" in str(described)
    assert "token has 100,000 characters" in str(taken(Handle("h" * 100_000), "Acme"))


def test_metadata_of_very_many_names_are_cut_in_time() -> None:
    told = taken(Materialized("a", metadata={str(number): number for number in range(200_000)}), "Acme")
    assert isinstance(told, Materialized)
    assert "more: the metadata of an event" in told.metadata[LEFT_OUT]


def test_the_digest_of_a_picture_has_a_short_secret_by_chance_and_no_long_one() -> None:
    digest = "00a1b2" + "c3" * 13
    event = Materialized(
        "orders", metadata={"plot": {"type": "png", "digest": digest, "title": "a1b2"}, "text": "a1b2"}
    )
    told = taken(event, "Acme", Mask(frozenset({"a1b2"}))).metadata
    assert told == {"plot": {"type": "png", "digest": digest, "title": "***"}, "text": "***"}
    told = taken(event, "Acme", Mask(frozenset({digest}))).metadata
    assert digest not in str(told)
