"""Options are read once, and a wrong one is named with what was meant."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from assetry.plugin import DefinitionError, Integration, IntegrationError
from assetry_toolkit.live_objects import keep
from assetry_toolkit.options import (
    ANYTHING,
    COUNT,
    FLAG,
    OBJECT,
    POSITIVE,
    REFERENCE,
    SECONDS,
    SECRET,
    TABLE,
    TEXT,
    TEXTS,
    IntegrationOptions,
    checked,
    checked_options,
    one_of,
    tables_url,
)
from hypothesis import given
from hypothesis import strategies as st

KINDS = {
    **{"folder": TEXT, "tables": TEXTS, "quiet": FLAG, "threads": COUNT, "wait": SECONDS, "vars": TABLE},
    **{"mode": one_of("append", "replace"), "token": SECRET, "user": REFERENCE, "client": OBJECT, "more": ANYTHING},
}


def read(**options: Any) -> dict[str, Any]:
    return checked_options(Integration("shop", "mill", options), KINDS)


def wrong(**options: Any) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        read(**options)
    return caught.value


def test_each_option_is_what_its_kind_makes_of_it() -> None:
    client = keep(object())
    given = {
        **{"folder": "sql", "tables": ["a", "b"], "quiet": True, "threads": 4, "wait": 3, "vars": {"a": [1]}},
        **{"mode": "append", "token": {"env": "T"}, "user": "bob", "client": client, "more": 1.5},
    }
    found = read(**given)
    assert found == {**given, "tables": ("a", "b"), "wait": 3.0}
    assert isinstance(found["wait"], float)
    assert read(tables="a", user={"env": "USER"}) == {"tables": ("a",), "user": {"env": "USER"}}


def test_one_that_is_none_counts_as_not_given() -> None:
    assert read(folder=None, token=None) == {}


def test_an_unknown_one_is_named_with_the_near_one_and_all_there_are() -> None:
    error = wrong(tabels=["a"])
    assert error.message == "Integration 'shop' has no option 'tabels'."
    assert error.near == ("tables",)
    assert "mill: folder, tables, quiet" in str(error.hint)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folder": 3}, "Option 'folder' of integration 'shop' must be text, not 3."),
        ({"tables": ["a", 1]}, "must be text or a list of texts, not a list."),
        ({"quiet": 1}, "must be true or false, not 1."),
        ({"threads": True}, "must be a whole number, not true."),
        ({"threads": 1.5}, "must be a whole number, not 1.5."),
        ({"wait": True}, "must be a number of seconds, not true."),
        ({"wait": -1}, "must be a number of seconds, not -1."),
        ({"vars": "a: 1"}, "must be a table, not text."),
        ({"user": {"file": "x"}}, "must be text or a reference, not a table."),
        ({"client": {"env": "X"}}, "must be an object handed over in Python, not a table."),
        ({"folder": object()}, "must be text, not a object."),
    ],
)
def test_one_of_another_kind_is_told_in_words(options: dict[str, Any], message: str) -> None:
    assert message in wrong(**options).message


def test_of_few_choices_the_near_one_is_told() -> None:
    error = wrong(mode="apend")
    assert "must be 'append' or 'replace', not 'apend'." in error.message
    assert error.near == ("append",)


def test_a_hint_of_ones_own_is_the_next_step() -> None:
    with pytest.raises(DefinitionError) as caught:
        checked({"id": 7}, {"id": TEXT.hinting("Copy it from the URL.")}, "stream 'a'")
    assert (caught.value.message, caught.value.hint) == (
        "Option 'id' of stream 'a' must be text, not 7.",
        "Copy it from the URL.",
    )


def test_a_secret_that_stands_there_itself_is_never_shown() -> None:
    error = wrong(token="hunter2")
    assert "Option 'token' of integration 'shop' is given as a value." in error.message
    assert 'token = { env = "TOKEN" }' in str(error.hint)
    assert "hunter2" not in str(error)
    assert "is not a reference to a secret" in wrong(token={"file": "hunter2"}).message


PRIVATE = "pr1vate-" * 3
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(PRIVATE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from([name for name in KINDS if name != "mode"]), VALUES)
def test_any_value_is_taken_or_told_and_no_text_of_it_is_shown(name: str, value: Any) -> None:
    told = ""
    found: dict[str, Any] = {}
    try:
        found = read(**{name: value})
    except DefinitionError as error:
        told = str(error)
    assert PRIVATE not in told
    assert name in told or set(found) == ({name} if value is not None else set())


def test_dates_of_a_project_file_are_the_text_that_json_has_for_them() -> None:
    given = {"start": date(2024, 1, 2), "more": [{"at": datetime(2024, 1, 2, 3, 4, tzinfo=UTC)}, time(5, 6)]}
    found = read(vars=given)["vars"]
    assert found == {"start": "2024-01-02", "more": [{"at": "2024-01-02T03:04:00+00:00"}, "05:06:00"]}


def test_a_count_of_none_is_no_count() -> None:
    kinds = {"threads": POSITIVE}
    assert checked({"threads": 1}, kinds, "it") == {"threads": 1}
    for wrong_one in (0, -1, True, "2", 1.0):
        with pytest.raises(DefinitionError, match="whole number above 0"):
            checked({"threads": wrong_one}, kinds, "it")


def test_a_program_that_is_not_there_is_told_with_the_integration() -> None:
    options = IntegrationOptions(name="shop")
    assert options.program("python").endswith("python")
    with pytest.raises(IntegrationError, match=r"(?s)Integration 'shop' needs /nope, which is not there.*Install it"):
        options.program("mill", "/nope", "Install it.")


def test_what_only_python_can_give_is_not_among_the_options_of_a_project_file() -> None:
    with pytest.raises(DefinitionError) as told:
        read(tabels="x")
    names = ", ".join(each for each in KINDS if each != "client")
    assert told.value.hint == f"The options of its kind, mill: {names}."
    with pytest.raises(DefinitionError, match="must be an object handed over in Python, not text"):
        read(client="mine")


def test_a_place_of_tables_that_is_empty_is_an_error_and_no_place_that_is_not_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAKE", " ")
    for place in ("", {"env": "LAKE"}):
        with pytest.raises(DefinitionError, match=r"The option io of integration 'shop'.* is empty"):
            tables_url(Integration("shop", "mill", {"io": place}))
    assert tables_url(Integration("shop", "mill", {})) is None
