"""Rows of a table after a load, as far as they can be counted."""

from __future__ import annotations

from typing import Any

import pytest
from assetry.plugin import Asset, AssetryError, Integration, NothingKeptError
from assetry_toolkit.extract_load.row_counts import ABSENT, may_be_all, rows_of


class Context:
    """The context of a run, as far as it counts."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.logged: list[str] = []

    def aggregate(self, key: Any, function: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def log(self, message: str, *_: Any) -> None:
        self.logged.append(message)


@pytest.mark.parametrize(
    ("answer", "relation", "io", "rows"),
    [
        (7, ("d", "s", "t"), None, 7),
        (7, (None, "s", "t"), "duckdb:x", 7),
        (7, (None, "s", "t"), None, None),
        (7, None, None, None),
        (NothingKeptError("no table"), ("d", "s", "t"), "duckdb:x", ABSENT),
        (NothingKeptError("no table"), ("d", "s", "t"), None, None),
        (AssetryError("no way there"), ("d", "s", "t"), None, None),
    ],
)
def test_rows_are_counted_where_the_table_is_certain(answer: Any, relation: Any, io: str | None, rows: Any) -> None:
    context: Any = Context(answer)
    asset = Asset(key="shop/t", kind="mill", relation=relation, io=io)
    assert rows_of(context, asset) == rows
    told = ["The rows of d.s.t cannot be counted: no way there"] if type(answer) is AssetryError else []
    assert context.logged == told


@pytest.mark.parametrize(
    ("answer", "relation", "rows"),
    [
        (NothingKeptError("no table"), ("d", "s", "t"), ABSENT),
        (NothingKeptError("no table"), (None, "s", "t"), ABSENT),
        (NothingKeptError("no table"), (None, None, "t"), None),
        (7, (None, "s", "t"), 7),
    ],
)
def test_rows_are_counted_where_the_integration_says_that_the_table_is(answer: Any, relation: Any, rows: Any) -> None:
    own = Integration("shop", "mill", {"io": "duckdb:x"})
    context: Any = Context(answer)
    assert rows_of(context, Asset(key="shop/t", kind="mill", relation=relation, integration=own)) == rows


@pytest.mark.parametrize(
    ("extracted", "before", "after", "enough"),
    [
        (4, None, 4, True),
        (4, None, 3, False),
        (4, 0, 4, True),
        (4, 6, 10, True),
        (4, 6, 9, False),
        (4, ABSENT, 4, True),
    ],
)
def test_which_count_of_rows_is_enough(extracted: int, before: int | None, after: int, enough: bool) -> None:
    assert may_be_all(extracted, after, before) is enough
