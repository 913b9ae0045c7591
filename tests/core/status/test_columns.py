import pytest
from assetry.status.columns import differences, family
from assetry.types.assets import Column


def test_a_declared_column_that_is_not_there():
    assert list(differences([Column("a"), Column("b")], [Column("a")])) == ["column `b` is declared but not there"]


def test_further_columns_case_and_order_are_no_matter():
    assert list(differences([Column("a"), Column("B")], [Column("x"), Column("b"), Column("A")])) == []


def test_a_type_of_another_family():
    assert list(differences([Column("a", "varchar")], [Column("a", "BIGINT")])) == [
        "column `a` is BIGINT, declared as varchar"
    ]


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
def test_no_false_alarm(declared, real):
    assert list(differences([Column("a", declared)], [Column("a", real)])) == []


@pytest.mark.parametrize(
    ("written", "known"),
    [("int", "number"), (" Decimal (10,2)", "number"), ("Double Precision", "number"), ("datetime2(7)", "time")],
)
def test_families(written, known):
    assert family(written) == known
