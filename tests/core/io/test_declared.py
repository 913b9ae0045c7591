"""Values held against their asset's schema: what is kept of them, as what, and what is refused."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from assetry.columns.column_types import ColumnType
from assetry.columns.differences import holds
from assetry.errors import ValueStoreError
from assetry.io.declared import arrow_type, fitted_column, table_of, type_of
from assetry.io.memory import MemoryIO
from assetry.io.values import ValueRouter
from assetry.types.assets import Asset, Column
from assetry.types.protocols import Saved
from hypothesis import given
from hypothesis import strategies as st


def declared(are: Literal["all", "needed", "described"] = "needed", **types: str | None) -> Asset:
    columns = [Column(name, kind) for name, kind in types.items()]
    return Asset(key="orders", kind="python", columns=columns, columns_are=are, source="shop.py:3", kept=True)


def kept_type(kind: str, values: Any) -> str:
    return str(table_of(declared(a=kind), pd.DataFrame({"a": values})).schema.field("a").type)


def refused(kind: str, values: Any) -> str:
    with pytest.raises(ValueStoreError) as caught:
        table_of(declared(a=kind), pd.DataFrame({"a": values}))
    assert caught.value.where == "shop.py:3"
    return f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("kind", "values", "kept"),
    [
        ("integer", [1, 2], "int64"),
        ("bigint", pd.array([1, None], "Int32"), "int64"),
        ("double", [1, 2], "double"),
        ("numeric", [1, 2], "int64"),
        ("numeric(10,2)", [1, 2], "decimal128(10, 2)"),
        ("decimal(6,3)", [Decimal("1.5"), None], "decimal128(6, 3)"),
        ("date", pd.to_datetime(["2026-01-01", None]), "date32[day]"),
        ("timestamp", [date(2026, 1, 1), None], "timestamp[us]"),
        ("timestamp", pd.to_datetime(["2026-01-01T01:00"]), "timestamp[us]"),
        ("varchar", ["a", None], "large_string"),
        ("boolean", [None, None], "bool"),
        ("smallint", [None, None], "int16"),
        ("timestamptz", [None], "timestamp[us, tz=UTC]"),
        ("timestamptz", pd.to_datetime([None]), "timestamp[us, tz=UTC]"),
        ("int16", pd.array([None], "Int8"), "int16"),
        ("int16", pd.array([None], "Int64"), "int16"),
        ("geography", [1.5], "double"),
        (None, [1], "int64"),
    ],
)
def test_values_of_the_declared_type_are_kept_as_that_type(kind: str, values: Any, kept: str) -> None:
    assert kept_type(kind, values) == kept


@pytest.mark.parametrize(
    ("kind", "values", "told"),
    [
        ("integer", ["x"], "`a`: declared integer, got text (string)"),
        ("integer", [1.0, None], "`a`: declared integer, got float (float64). Correct"),
        ("decimal(10,2)", [1.005, 2.5], "frame['a'].map(lambda each: Decimal(f'{each:.2f}'))"),
        ("integer", [1.0, None], "frame['a'].astype('Int64') where whole numbers became floating point"),
        ("int32", [1], "`a`: declared int32, got int64"),
        ("text", [1], "`a`: declared text, got integer (int64)"),
        ("numeric(3,1)", [100], "`a`: declared decimal (numeric(3,1)), got integer (int64), with values that are not"),
        ("double", [2**53 + 1], "declared float (double), got integer (int64), with values that are not of that type"),
        ("date", pd.to_datetime(["2026-01-01T01:00"]), "`a`: declared date, got timestamp"),
        ("date", pd.to_datetime(["2026-01-01T01:00"]), "frame['a'].dt.date"),
        ("timestamp[us]", pd.to_datetime(["2026-01-01T01:00Z"]), "got timestamp with time zone"),
        ("boolean", [0, 1], "`a`: declared boolean, got integer (int64)"),
        ("list<int64>", [["x"]], "`a`: declared list<int64>, got list<text>"),
    ],
)
def test_values_of_another_type_are_refused_with_both_in_words(kind: str, values: Any, told: str) -> None:
    assert told in refused(kind, values)


def test_all_that_differs_is_told_at_once() -> None:
    asset = declared("all", id="bigint", name="text", amount="integer")
    with pytest.raises(ValueStoreError) as caught:
        table_of(asset, pl.DataFrame({"id": [1], "nmae": ["x"], "amount": ["2"], "x": [1]}))
    assert caught.value.message == (
        "asset 'orders' does not have the columns of its schema: "
        "`name` is declared but not there; did you mean `nmae`?; "
        "`amount`: declared integer, got text (string); `x` is not declared."
    )


def test_added_columns_alone_are_refused_with_how_they_are_taken() -> None:
    with pytest.raises(ValueStoreError) as caught:
        table_of(declared("all", id="bigint"), pa.table({"id": [1], "x": [2]}))
    assert caught.value.message.endswith("`x` is not declared.")
    assert 'extra_columns="accept"' in str(caught.value.hint)
    assert "[schema]" in str(caught.value.hint)


@pytest.mark.parametrize("are", ["needed", "described"])
def test_further_columns_are_taken_where_not_all_are_declared(are: Literal["needed", "described"]) -> None:
    table = table_of(declared(are, id="bigint"), pa.table({"id": [1], "x": [2]}))
    assert table.column_names == ["id", "x"]


def test_categories_stay_where_their_names_are_declared() -> None:
    value = pd.DataFrame({"a": pd.Categorical(["x", "y"])})
    assert pa.types.is_dictionary(table_of(declared(a="text"), value, categories=True).schema.field("a").type)


@pytest.mark.parametrize("value", [[1], {"id": 1}, "text", pd.Series([1])])
def test_a_value_without_columns_does_not_have_those_of_a_schema(value: Any) -> None:
    values = ValueRouter(lambda _: MemoryIO(), "memory:")
    with pytest.raises(ValueStoreError, match="has a schema, and its value is a"):
        values.save(declared(id="bigint"), value)


def test_nothing_of_several_partitions_is_kept_where_one_is_refused() -> None:
    from assetry import StaticPartitionsDefinition

    memory = MemoryIO()
    values = ValueRouter(lambda _: memory, "memory:")
    asset = Asset(
        key="orders", kind="python", columns=[Column("id", "bigint")], kept=True,
        partitions_def=StaticPartitionsDefinition(["a", "b"]),
    )  # fmt: skip
    for wrong in (pd.DataFrame({"id": ["x"]}), [1]):
        with pytest.raises(ValueStoreError):
            values.save_parts(asset, {"a": pd.DataFrame({"id": [1]}), "b": wrong}, ["a", "b"])
        assert memory.exists([(asset, "a")]) == [False]


class Elsewhere(MemoryIO):
    """A place that keeps what it is given, and looks at nothing; its tables have had other columns before."""

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        self.given = value
        return Saved("1", (Column("ID", "NUMBER"), Column("old", "TEXT")))


def test_a_place_of_any_form_is_given_nothing_that_differs_either() -> None:
    place = Elsewhere()
    values = ValueRouter(lambda _: place, "any:")
    with pytest.raises(ValueStoreError, match="declared integer"):
        values.save(declared(id="bigint"), pd.DataFrame({"id": ["x"]}))
    values.save(declared(id="bigint"), pd.DataFrame({"id": [1]}).astype("int32"))
    assert place.given.schema.field("id").type == pa.int64()
    other = pd.DataFrame({"id": [1]})
    values.save(Asset(key="orders", kind="python", kept=True), other)
    assert place.given is other


def test_columns_that_a_table_has_of_others_are_not_those_of_the_value() -> None:
    values = ValueRouter(lambda _: Elsewhere(), "any:")
    found = {are: values.save(declared(are, id="bigint"), pa.table({"id": [1]})) for are in ("all", "needed")}
    assert [[each.name for each in saved.columns or ()] for saved in found.values()] == [["ID"], ["ID", "old"]]


# -- no value changes ------------------------------------------------------------------------------------------------

WHOLE = st.integers(-(2**63), 2**63 - 1)
CELLS = st.one_of(
    st.lists(st.none() | WHOLE, max_size=6).map(lambda cells: pa.array(cells, pa.int64())),
    st.lists(st.none() | st.integers(-100, 100), max_size=6).map(lambda cells: pa.array(cells, pa.int8())),
    st.lists(st.none() | st.floats(width=32), max_size=6).map(lambda cells: pa.array(cells, pa.float32())),
    st.lists(st.none() | st.decimals(-999, 999, places=2), max_size=6).map(
        lambda cells: pa.array(cells, pa.decimal128(5, 2))
    ),
    st.lists(st.none() | st.dates(date(1700, 1, 1), date(2200, 1, 1)), max_size=6).map(pa.array),
    st.lists(st.none() | st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), max_size=6).map(
        lambda cells: pa.array(cells, pa.timestamp("us"))
    ),
    st.lists(st.none() | st.text(), max_size=6).map(lambda cells: pa.array(cells, pa.string())),
    st.lists(st.none() | st.booleans(), max_size=6).map(lambda cells: pa.array(cells, pa.bool_())),
)
WORDS = st.sampled_from(
    [
        *(ColumnType("integer", bits) for bits in (None, 8, 16, 32, 64)),
        *(ColumnType("float", bits) for bits in (None, 32, 64)),
        *(ColumnType("decimal", digits=digits) for digits in (None, (3, 1), (10, 2), (38, 4))),
        *map(ColumnType, ("text", "date", "time", "timestamp", "boolean", "binary", "uuid", "json")),
        ColumnType("timestamp", zoned=True),
    ]
)


@given(CELLS, WORDS)
def test_a_column_is_fitted_without_a_value_changed_or_left_as_it_is(cells: pa.Array, word: ColumnType) -> None:
    column = pa.chunked_array([cells])
    fitted, why = fitted_column(column, word)
    if why:
        assert fitted is column or fitted.type == column.type
        return
    if not fitted.type.equals(column.type):
        assert fitted.type == arrow_type(word)
        before, after = column.to_pylist(), fitted.to_pylist()
        for one, two in zip(before, after, strict=True):
            if isinstance(one, date) and two is not None:  # midnight and its day are one moment
                one, two = (each if isinstance(each, datetime) else datetime(each.year, each.month, each.day) for each in (one, two))  # fmt: skip # noqa: E501
            assert one == two or (one != one and two != two)


@given(CELLS, WORDS)
def test_what_is_kept_of_a_column_is_of_the_declared_type(cells: pa.Array, word: ColumnType) -> None:
    """As far as the type says all, and unless the column is refused."""
    try:
        table = table_of(declared(a=str(word)), pa.table({"a": cells}))
    except ValueStoreError:
        return
    kept = type_of(table.schema.field("a").type)
    assert kept is not None
    assert holds(word, kept)
    if word.digits is not None or word.bits is not None:
        assert (kept.kind, kept.bits, kept.digits) == (word.kind, word.bits, word.digits)
