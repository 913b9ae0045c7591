"""Declared columns and real ones: what is told, and that it is all that differs and nothing else."""

from __future__ import annotations

import itertools

import pytest
from assetry.columns.column_types import ColumnType, column_type
from assetry.columns.differences import Difference, differences, holds, surely_other
from assetry.types.assets import COLUMNS_ARE, Asset, Column
from hypothesis import given
from hypothesis import strategies as st


def told(declared: list[Column], real: list[Column], **more: object) -> list[str]:
    return [str(each) for each in differences(declared, real, **more)]  # type: ignore[arg-type]


def test_a_declared_column_that_is_not_there() -> None:
    assert told([Column("a"), Column("b")], [Column("a")]) == ["`b` is declared but not there"]


def test_case_and_order_are_no_matter() -> None:
    assert told([Column("a"), Column("B")], [Column("b"), Column("A")], are="all") == []


def test_a_type_of_another_kind_is_told_in_the_words_of_all_and_as_it_was_written() -> None:
    assert told([Column("a", "varchar")], [Column("a", "BIGINT")]) == [
        "`a`: declared text (varchar), got integer (BIGINT)"
    ]
    assert told([Column("amount", "integer")], [Column("amount", "text")]) == ["`amount`: declared integer, got text"]


def test_sizes_are_told_where_they_are_what_differs() -> None:
    found = told([Column("a", "Int32")], [Column("a", "bigint")], other=lambda one, two: not holds(one, two))
    assert found == ["`a`: declared int32, got int64 (bigint)"]


@pytest.mark.parametrize(("are", "extra"), [("all", 1), ("needed", 0), ("described", 0)])
def test_further_columns_differ_where_all_are_declared(are: str, extra: int) -> None:
    assert told([Column("a")], [Column("x"), Column("a")], are=are) == ["`x` is not declared"] * extra


def test_a_column_that_may_be_the_missing_one_is_told_with_it() -> None:
    assert told([Column("name")], [Column("nmae"), Column("age")], are="all") == [
        "`name` is declared but not there; did you mean `nmae`?",
        "`age` is not declared",
    ]


def test_what_only_describes_differs_in_nothing() -> None:
    assert told([Column("a", "text"), Column("b")], [Column("a", "integer")], are="described") == []


@pytest.mark.parametrize(
    ("declared", "real"),
    [
        ("integer", "NUMBER(38,0)"),
        ("INTEGER", "BIGINT"),
        ("numeric(10,2)", "DOUBLE"),
        ("string", "character varying(256)"),
        ("text", "TEXT"),
        ("date", "TIMESTAMP WITH TIME ZONE"),
        ("timestamp", "timestamp[us, tz=UTC]"),
        ("datetime64[ns]", "TIMESTAMP_NS"),
        ("boolean", "tinyint(1)"),
        ("integer[]", "varchar"),
        ("varchar", "INTEGER[3]"),
        ("array<int>", "varchar"),
        ("json", "varchar"),
        ("uuid", "text"),
        ("my_enum", "integer"),
        (None, "integer"),
        ("integer", None),
        ("integer", ""),
    ],
)
def test_no_false_alarm(declared: str | None, real: str | None) -> None:
    assert told([Column("a", declared)], [Column("a", real)]) == []


@pytest.mark.parametrize(
    ("declared", "real"), [("int", "varchar"), ("text", "date"), ("timestamp", "double"), ("bigint", "float8")]
)
def test_what_no_warehouse_confuses(declared: str, real: str) -> None:
    assert len(told([Column("a", declared)], [Column("a", real)])) == 1
    assert len(told([Column("a", real)], [Column("a", declared)])) == 1


NAMES = st.sampled_from(["a", "A", "b", "name", "nmae", "c"])
TYPES = st.sampled_from([None, "integer", "text", "date", "odd"])
COLUMNS = st.lists(st.builds(Column, NAMES, TYPES), max_size=5, unique_by=lambda column: column.name.casefold())


@given(COLUMNS, COLUMNS, st.sampled_from(COLUMNS_ARE))
def test_everything_that_differs_is_told_and_nothing_else(declared: list[Column], real: list[Column], are: str) -> None:
    """Against a look at every pair of columns."""
    found = list(differences(declared, real, are))  # type: ignore[arg-type]
    kind = {"integer": "number", "text": "text", "date": "time"}
    missing = {one.name for one in declared if all(one.name.lower() != two.name.lower() for two in real)}
    added = {two.name for two in real if all(one.name.lower() != two.name.lower() for one in declared)}
    other = {
        one.name
        for one, two in itertools.product(declared, real)
        if one.name.lower() == two.name.lower() and one.type != two.type and {one.type, two.type} <= kind.keys()
    }
    if are == "described":
        assert found == []
        return
    assert {each.column for each in found if each.what == "missing"} == missing
    assert {each.column for each in found if each.what == "type"} == other
    told = {each.column for each in found if each.what == "added"}
    guessed = {each.near for each in found if each.near}
    assert guessed <= added
    assert told | guessed == added if are == "all" else not told
    assert len({(each.column, each.what) for each in found}) == len(found)


# -- whether a type has all values of another ---------------------------------------------------------------------

INTEGERS = [ColumnType("integer", bits, signed) for bits in (8, 16, 32, 64) for signed in (True, False)]
DECIMALS = [ColumnType("decimal", digits=digits) for digits in ((3, 0), (5, 2), (10, 2), (19, 0), (20, 0), (4, 4))]


def extremes(kind: ColumnType) -> list[tuple[int, int]]:
    """The greatest, the smallest and the finest values of a type, each as a whole number and how far it is divided."""
    if kind.kind == "decimal":
        assert kind.digits is not None
        digits, after = kind.digits
        return [(10**digits - 1, after), (1 - 10**digits, after), (1, after)]
    assert kind.bits is not None
    low = -(2 ** (kind.bits - 1)) if kind.signed else 0
    return [(low, 0), (2 ** (kind.bits - kind.signed) - 1, 0)]


def has(kind: ColumnType, number: int, after: int) -> bool:
    """Tell whether a number is a value of a type, by looking at it."""
    if kind.kind == "decimal":
        assert kind.digits is not None
        digits, fine = kind.digits
        scaled = number * 10**fine
        return scaled % 10**after == 0 and abs(scaled // 10**after) < 10**digits
    assert kind.bits is not None
    low = -(2 ** (kind.bits - 1)) if kind.signed else 0
    return number % 10**after == 0 and low <= number // 10**after < 2 ** (kind.bits - kind.signed)


@pytest.mark.parametrize("declared", [*INTEGERS, *DECIMALS], ids=str)
def test_a_type_has_all_values_of_those_that_it_holds(declared: ColumnType) -> None:
    for got in (*INTEGERS, *DECIMALS):
        if declared.kind == "decimal" and got.kind == "integer":
            continue  # of these the values are looked at
        right = all(has(declared, *each) for each in extremes(got))
        if declared.kind == "integer" and not declared.signed and got.kind == "decimal":
            right = False
        assert holds(declared, got) == right, f"{declared} holds {got}"


@pytest.mark.parametrize(
    ("declared", "got", "right"),
    [
        ("integer", "int64", True),
        ("integer", "double", False),
        ("integer", "text", False),
        ("float", "bigint", True),
        ("float32", "float64", False),
        ("numeric", "double", True),
        ("numeric(10,2)", "double", False),
        ("text", "integer", False),
        ("text", "uuid", True),
        ("timestamp", "timestamptz", True),
        ("timestamp[us]", "timestamptz", False),
        ("timestamptz", "date", False),
        ("timestamp", "date", True),
        ("date", "timestamp", False),
        ("boolean", "integer", False),
        ("list<int64>", "list<int32>", True),
        ("list<int32>", "list<int64>", False),
        ("list", "list<text>", True),
        ("list<text>", "text", False),
        ("struct<a: int64>", "struct<A: int32>", True),
        ("struct<a: int64>", "struct<a: int32, b: text>", False),
        ("map<text, int64>", "map<text, text>", False),
        ("geography", "text", True),
        ("text", "geography", True),
        ("json", "struct<a: int64>", True),
    ],
)
def test_what_a_declared_type_takes(declared: str, got: str, right: bool) -> None:
    assert holds(column_type(declared), column_type(got)) is right


@given(st.sampled_from([*INTEGERS, *DECIMALS, ColumnType("text"), ColumnType("date"), ColumnType("float")]))
def test_a_type_holds_itself(kind: ColumnType) -> None:
    assert holds(kind, kind)
    assert not surely_other(kind, kind)


def test_a_word_that_no_columns_are_is_refused() -> None:
    with pytest.raises(Exception, match="'al', which does not exist") as caught:
        Asset(key="a", kind="x", columns_are="al")  # type: ignore[arg-type]
    assert "did you mean 'all'" in str(caught.value)


def test_a_difference_says_it_in_one_sentence() -> None:
    assert str(Difference("a", "type", "odd", "text")) == "`a`: declared odd, got text"
