"""The newest row of a table, and tables that are not where they should be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from assetry.plugin import Asset, AssetryError, Failed, Integration, Log, NothingKeptError, ValueStoreError
from assetry_toolkit.extract_load.newest_rows import NewestRows, not_there

BY_TABLE, BY_CONNECTION = {"result_known_by": "table"}, {"result_known_by": "connection"}


class Context:
    """The context of a run, as far as it tells of columns."""

    def __init__(self, answer: Any, made: Any = None) -> None:
        self.answer = answer
        self.made = made
        self.logged: list[tuple[str, str]] = []

    def aggregate(self, key: Any, function: str, column: str) -> Any:
        assert (function, column) == ("max", "at")
        if isinstance(self.answer, type):
            error = self.answer(f"Nothing of {key}.")
            error.made = self.made
            raise error
        return self.answer

    def log(self, message: str, level: str, key: Any) -> None:
        self.logged.append((message, level))


def orders(options: Any = None, io: str | None = None, relation: Any = ("d", "s", "orders")) -> Asset:
    return Asset(
        key="crm/orders", kind="x", integration=Integration("crm", "x", options or {}), io=io, relation=relation
    )


def newest(context: Context, *assets: Asset) -> list[str | None]:
    rows = NewestRows(context, "at", "Mill makes no table without rows.")  # type: ignore[arg-type]
    return [rows.of(each) for each in assets]


def test_the_newest_row_is_a_moment_or_a_text() -> None:
    assert newest(Context(datetime(2026, 1, 1, tzinfo=UTC)), orders()) == ["2026-01-01T00:00:00+00:00"]
    assert newest(Context(7), orders()) == ["7"]
    assert newest(Context(None), orders()) == [None]
    assert newest(Context(7), orders(relation=None)) == [None]


@pytest.mark.parametrize("made", [None, {}, BY_CONNECTION])
@pytest.mark.parametrize("relation", [("d", "s", "orders"), (None, None, "orders")])
def test_a_table_that_was_never_seen_where_none_is_said_to_be_is_not_known(made: Any, relation: Any) -> None:
    context = Context(NothingKeptError, made)
    assert newest(context, orders(relation=relation)) == [None]
    assert context.logged == []  # that is usual


@pytest.mark.parametrize("given", [orders(), orders({"io": "duckdb:x"}), orders(relation=(None, None, "orders"))])
def test_a_table_that_was_seen_before_and_is_not_there_is_an_error(given: Asset) -> None:
    with pytest.raises(NothingKeptError) as found:
        newest(Context(NothingKeptError, BY_TABLE), given)
    assert "Nothing of crm/orders. Its table was there when it was last made." in str(found.value)
    assert "`assetry materialize --full-refresh -s crm/orders`" in str(found.value)


@pytest.mark.parametrize(
    ("given", "who"),
    [(orders({"io": "duckdb:x"}), "`io` of integration 'crm'"), (orders(io="duckdb:x"), "its own `io`")],
)
def test_a_table_that_is_not_in_the_place_that_was_chosen_is_an_error(given: Asset, who: str) -> None:
    with pytest.raises(NothingKeptError) as found:
        newest(Context(NothingKeptError), given)
    assert f"Nothing of crm/orders. It should be there, by {who}." in str(found.value)
    assert "Mill makes no table without rows." in str(found.value)


def test_a_table_whose_schema_is_not_known_yet_is_not_missed_in_the_place_that_was_chosen() -> None:
    assert newest(Context(NothingKeptError), orders({"io": "duckdb:x"}, relation=(None, None, "orders"))) == [None]


def test_a_place_that_does_not_answer_is_told_once_where_it_was_chosen() -> None:
    context = Context(ValueStoreError)
    chosen = orders({"io": "duckdb:x"})
    assert newest(context, chosen, chosen) == [None, None]
    assert [level for _, level in context.logged] == ["warning", "debug"]
    assert "What crm/orders has in its table cannot be told: Nothing of crm/orders." in context.logged[0][0]
    context = Context(AssetryError)
    assert newest(context, orders()) == [None]
    assert [level for _, level in context.logged] == ["debug"]


def test_what_only_came_along_is_warned_of() -> None:
    error = NothingKeptError("No table.", hint="Look.")
    asked, along = not_there(orders(), error, "crm"), not_there(orders(), error, "crm", asked=False)
    assert isinstance(asked, Failed)
    assert asked.hint == "Look."
    assert isinstance(along, Log)
    assert along.level == "warning"
