"""Values held against schemas of pandera: what is refused is counted, and no value is told."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd
import pandera.pandas as pandera
import pandera.polars as pandera_polars
import polars as pl
import pyarrow as pa
import pytest
from assetry.project.project import Project
from assetry.python.calls.validation import RefusedError, validated
from assetry.python.decorators import asset, multi_asset
from assetry.types.events import Failed, Log

SECRET = "s3cr3t-value"


class Orders(pandera.DataFrameModel):
    id: int = pandera.Field(ge=0, unique=True)
    amount: float = pandera.Field(gt=0, nullable=True)
    name: str

    @pandera.check("name")
    def short(cls, names: Any) -> Any:  # noqa: N805
        return names.str.len() < 9

    @pandera.dataframe_check
    def id_below_amount(cls, frame: Any) -> Any:  # noqa: N805
        return frame["id"] < frame["amount"]


class PolarsOrders(pandera_polars.DataFrameModel):
    id: int = pandera_polars.Field(ge=0)
    name: str

    class Config:
        strict = True


GOOD = pd.DataFrame({"id": [1, 2], "amount": [2.0, 3.0], "name": ["a", "b"]})


def refusal(schema: Any, value: Any) -> str:
    heard: list[str] = []
    with pytest.raises(RefusedError) as caught:
        validated(schema, value, "asset 'orders'", heard.append)
    text = f"{caught.value.message}\n{caught.value.hint}"
    assert SECRET not in text
    assert SECRET not in "".join(heard)
    return text


def test_what_passes_is_given_back() -> None:
    assert validated(Orders, GOOD, "asset 'orders'", print).equals(GOOD)


def test_every_check_is_run_and_its_rows_are_counted() -> None:
    bad = pd.DataFrame({"id": [1, 1, -4], "amount": [2.0, -1.0, 9.0], "name": ["a", SECRET, SECRET]})
    text = refusal(Orders, bad)
    for part in (
        "asset 'orders' is refused by schema Orders (",
        "test_validation.py:",
        "`id`: greater_than_or_equal_to(0) failed in 1 of 3 rows",
        "`id` has a value more than once, in 2 of 3 rows",
        "`amount`: greater_than(0) failed in 1 of 3 rows",
        "`name`: short failed in 2 of 3 rows",
        "the table: id_below_amount failed in 1 of 3 rows",
        "Orders.validate(frame, lazy=True) shows the rows",
    ):
        assert part in text, text


def test_columns_and_types_are_told_as_for_any_schema() -> None:
    text = refusal(Orders, pd.DataFrame({"id": [SECRET], "amnt": [1.0], "name": [None]}))
    assert "`amount` is declared but not there; did you mean `amnt`?" in text
    assert "`id`: declared int64, got text (str)" in text or "`id`: declared integer (int64), got text (str)" in text
    assert "`name` is empty in 1 of 1 row" in text


def test_a_check_that_cannot_be_run_says_what_it_raised_and_no_more() -> None:
    def raises(series: Any) -> Any:
        raise ValueError(SECRET)

    schema = pandera.DataFrameSchema({"id": pandera.Column(int, pandera.Check(raises, name="odd"))})
    assert "`id`: odd failed, it raised ValueError." in refusal(schema, GOOD)


def test_a_parser_that_raises_is_told_with_its_line() -> None:
    def raises(series: Any) -> Any:
        raise KeyError("wrong")

    schema = pandera.DataFrameSchema({"id": pandera.Column(int, parsers=pandera.Parser(raises))})
    with pytest.raises(RefusedError, match="could not be checked by the schema: KeyError: 'wrong'") as caught:
        validated(schema, GOOD, "asset 'orders'", print)
    assert "test_validation.py:" in caught.value.message


def test_many_refusals_are_not_all_told() -> None:
    schema = pandera.DataFrameSchema({f"c{number}": pandera.Column(int) for number in range(50)})
    text = refusal(schema, pd.DataFrame({"x": [1]}))
    assert "`c0` is declared but not there" in text
    assert "; and 30 more." in text


def test_a_check_with_a_thousand_values_is_cut() -> None:
    schema = pandera.DataFrameSchema({"id": pandera.Column(int, pandera.Check.isin(range(100, 1100)))})
    assert len(refusal(schema, GOOD)) < 400


def test_what_coerces_parses_and_filters_is_what_is_kept() -> None:
    schema = pandera.DataFrameSchema(
        {"id": pandera.Column(int, coerce=True, parsers=pandera.Parser(lambda ids: ids.astype(int) * 10))},
        strict="filter",
    )
    found = validated(schema, pd.DataFrame({"id": ["1", "2"], "x": [0, 0]}), "asset 'orders'", print)
    assert found.to_dict("list") == {"id": [10, 20]}


def test_what_cannot_be_coerced_is_counted_once() -> None:
    schema = pandera.DataFrameSchema({"id": pandera.Column(int, coerce=True)})
    text = refusal(schema, pd.DataFrame({"id": ["1", SECRET]}))
    assert "`id` cannot be made int64 in 1 of 2 rows." in text


def test_rows_that_are_dropped_are_told() -> None:
    schema = pandera.DataFrameSchema({"id": pandera.Column(int, pandera.Check.gt(1))}, drop_invalid_rows=True)
    heard: list[str] = []
    assert list(validated(schema, GOOD, "asset 'orders'", heard.append)["id"]) == [2]
    assert heard == ["the schema drops 1 of 2 rows."]


def test_a_check_that_warns_refuses_nothing_and_names_no_value() -> None:
    check = pandera.Check(lambda names: names != SECRET, name="public", raise_warning=True)
    schema = pandera.DataFrameSchema({"name": pandera.Column(str, check)})
    heard: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        validated(schema, pd.DataFrame({"name": [SECRET]}), "asset 'orders'", heard.append)
    assert len(heard) == 1
    assert "public" in heard[0]
    assert SECRET not in heard[0]


@pytest.mark.parametrize(
    "value",
    [
        pl.DataFrame({"id": [1, -1], "name": ["a", SECRET]}),
        pl.LazyFrame({"id": [1, -1], "name": ["a", SECRET]}),
        pd.DataFrame({"id": [1, -1], "name": ["a", SECRET]}),
        pa.table({"id": [1, -1], "name": ["a", SECRET]}),
    ],
    ids=lambda value: f"{type(value).__module__}.{type(value).__name__}",
)
def test_a_table_of_any_library_is_checked_with_all_of_its_rows(value: Any) -> None:
    for schema in (PolarsOrders, pandera.DataFrameSchema({"id": pandera.Column(int, pandera.Check.ge(0))})):
        assert "`id`: greater_than_or_equal_to(0) failed in 1 of 2 rows" in refusal(schema, value)


def test_polars_names_columns_and_types_too() -> None:
    text = refusal(PolarsOrders, pl.DataFrame({"id": ["1"], "nmae": [SECRET]}))
    assert "`id`: declared integer (Int64), got text (String)" in text
    assert "`name` is declared but not there; did you mean `nmae`?" in text
    assert "`nmae` is not declared" in text


def test_what_is_no_table_is_refused() -> None:
    assert "its value is a list, which is no table" in refusal(Orders, [SECRET])


# -- in a run ---------------------------------------------------------------------------------------------------------


def run(*functions: Any) -> tuple[Any, list[Any]]:
    """Make assets; return how it went, and the events of it."""
    with Project([*functions], io="memory:", store="sqlite::memory:") as project:
        result = project.materialize()
        return result, [each.event for each in project.store.events(result.run.id)]


def test_what_is_refused_fails_the_asset_and_nothing_of_it_is_kept() -> None:
    frames = [GOOD, GOOD.assign(id=[-1, 2])]

    @asset(schema=Orders)
    def orders() -> pd.DataFrame:
        return frames[0]

    assert run(orders)[0].ok
    frames.pop(0)
    (failed,) = (each for each in run(orders)[1] if isinstance(each, Failed))
    assert "`id`: greater_than_or_equal_to(0) failed in 1 of 2 rows" in failed.message
    assert "test_validation.py:" in failed.message


def test_each_output_is_held_against_its_own() -> None:
    @multi_asset(assets=[{"key": "one", "schema": Orders}, {"key": "two", "schema": PolarsOrders}])
    def several() -> Any:
        return {"one": GOOD, "two": pl.DataFrame({"id": [-1], "name": ["a"]})}

    assert {str(each.key) for each in run(several)[1] if isinstance(each, Failed)} == {"two"}


def test_what_a_schema_warns_of_is_in_the_log_of_the_run() -> None:
    check = pandera.Check(lambda ids: ids > 1, name="large", raise_warning=True)

    @asset(schema=pandera.DataFrameSchema({"id": pandera.Column(int, check)}))
    def orders() -> pd.DataFrame:
        return GOOD

    result, events = run(orders)
    assert result.ok
    assert [each.level for each in events if isinstance(each, Log) and "large" in each.message] == ["warning"]
