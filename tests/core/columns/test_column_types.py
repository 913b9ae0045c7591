"""The vocabulary: one type, however it is written, and written so that it can be read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from assetry.columns.column_types import KNOWN_NAMES, ColumnType, column_type
from hypothesis import given
from hypothesis import strategies as st

TYPES = Path(__file__).parents[3] / "docs" / "types.md"

#: Words of the vocabulary, and what others write in their place.
WRITTEN = {
    "boolean": ("bool", "BOOLEAN", "Boolean", "extension<arrow.bool8>"),
    "integer": ("int", "INTEGER", "int8", "INT8", "int(11)", "serial"),
    "tinyint": ("Int8", "TINYINT", "tinyint(1)", "byte"),
    "int16": ("smallint", "Int16", "SMALLINT", "int2", "int16[pyarrow]"),
    "int32": ("int4", "Int32"),
    "int64": ("bigint", "Int64", "Nullable(Int64)", "BIGINT", "long"),
    "int128": ("HUGEINT", "Int128"),
    "uint8": ("UInt8", "UTINYINT", "tinyint unsigned"),
    "uint64": ("UBIGINT", "bigint(20) unsigned", "UInt64"),
    "decimal": ("numeric", "NUMBER", "money", "Decimal"),
    "decimal(10,2)": ("numeric(10, 2)", "decimal128(10, 2)", "Decimal(precision=10, scale=2)", "NUMBER(10,2)"),
    "decimal(38,0)": ("NUMBER(38)", "DECIMAL(38, 0)", "Decimal(precision=38, scale=0)"),
    "float": ("real", "FLOAT", "float(53)", "float4"),
    "float32": ("Float32",),
    "float64": ("double", "DOUBLE PRECISION", "Float64", "float64"),
    "text": (
        *("VARCHAR", "character varying(8)", "string[pyarrow]", "large_string", "Utf8", "String", "Categorical"),
        *("Enum(categories=['a,(', 'b'])", "ENUM('a', 'b')", "dictionary<values=string, indices=int32, ordered=0>"),
        *("varchar(8) collate nocase", "LowCardinality(String)", "str", "bpchar", "text"),
    ),
    "binary": ("BLOB", "bytea", "fixed_size_binary[16]", "BYTES", "large_binary", "Binary"),
    "date": ("date32[day]", "date64[ms]", "Date"),
    "time": ("time64[us]", "time without time zone", "TIME WITH TIME ZONE", "Time"),
    "timestamp": ("TIMESTAMP", "timestamp(6)", "datetime", "Datetime", "datetime2(7)"),
    "timestamp with time zone": (
        *("timestamptz", "TIMESTAMP WITH TIME ZONE", "timestamp(3) with time zone", "timestamp[us, tz=UTC]"),
        *("datetime64[ns, Europe/Berlin]", "Datetime(time_unit='us', time_zone='UTC')", "DateTime64(3, 'UTC')"),
        *("timestamp[ns, tz=UTC][pyarrow]", "TIMESTAMP_TZ(9)", "Datetime(us, UTC)"),
    ),
    "timestamp without time zone": (
        *("timestamp[us]", "datetime64[ns]", "Datetime(time_unit='ns', time_zone=None)", "TIMESTAMP_NTZ(9)"),
        *("timestamp without time zone", "TIMESTAMP_NS"),
    ),
    "interval": ("duration[us]", "timedelta64[ns]", "INTERVAL", "Duration(time_unit='us')", "month_day_nano_interval"),
    "uuid": ("UUID", "extension<arrow.uuid>", "uniqueidentifier"),
    "json": ("JSON", "jsonb", "VARIANT"),
    "list<integer>": ("INTEGER[]", "integer[3]", "array<int>"),
    "list<int64>": ("list<item: int64>", "List(Int64)", "fixed_size_list<item: int64>[2]", "Array(Int64, shape=(2,))"),
    "list<list<text>>": ("text[][]", "list<element: large_list<item: string>>", "List(List(String))"),
    "list": ("ARRAY", "List"),
    "struct<a: int64, b: text>": (
        "struct<a: int64, b: string>",
        "STRUCT(a BIGINT, b VARCHAR)",
        "struct<a:long,b:string>",
    ),
    'struct<"a b": integer>': ('STRUCT("a b" INTEGER)',),
    "map<text, int64>": ("map<string, int64>", "MAP(VARCHAR, BIGINT)"),
}


@pytest.mark.parametrize(("word", "written"), [(word, each) for word, many in WRITTEN.items() for each in many])
def test_everybodys_way_to_write_a_type_is_one_word(word: str, written: str) -> None:
    assert str(column_type(written)) == word
    assert column_type(word) == column_type(written)


@pytest.mark.parametrize(
    "written",
    [
        *("", None, "object", "category", "period[M]", "interval[int64, right]", "Sparse[int64, 0]", "null", "BIT"),
        *("Object", "geography", "unknown", "((", "list<", ")", "sparse_union", "integr"),
    ],
)
def test_what_is_not_understood_has_no_type(written: str | None) -> None:
    assert column_type(written) is None


PLAIN = ("boolean", "text", "binary", "date", "time", "interval", "uuid", "json", "list", "struct", "map")
kinds = st.one_of(
    st.sampled_from([ColumnType(kind) for kind in (*PLAIN, "decimal", "float")]),
    st.sampled_from(
        [ColumnType("integer", bits, signed) for bits in (None, 8, 16, 24, 32, 64, 128) for signed in (True, False)]
    ),
    st.sampled_from([ColumnType("float", bits) for bits in (16, 32, 64)]),
    st.sampled_from([ColumnType("timestamp", zoned=zoned) for zoned in (None, True, False)]),
    st.tuples(st.integers(1, 76), st.integers(-9, 76)).map(lambda digits: ColumnType("decimal", digits=digits)),
)
names = st.text(min_size=1).filter(lambda name: name.strip() == name)


def nested(inside: st.SearchStrategy[ColumnType]) -> st.SearchStrategy[ColumnType]:
    within = st.none() | inside
    return st.one_of(
        within.map(lambda each: ColumnType("list", inner=(("", each),))),
        st.tuples(within, within).map(lambda two: ColumnType("map", inner=(("", two[0]), ("", two[1])))),
        st.lists(st.tuples(names, within), min_size=1, max_size=3).map(
            lambda fields: ColumnType("struct", inner=tuple(fields))
        ),
    )


@given(st.recursive(kinds, nested, max_leaves=6))
def test_a_type_that_is_written_is_read_again(kind: ColumnType) -> None:
    assert column_type(str(kind)) == kind


@given(st.text("([<{,}>)]'\" aint:=_0"), st.sampled_from(KNOWN_NAMES))
def test_nothing_that_is_written_is_too_odd_to_be_read(odd: str, name: str) -> None:
    for text in (odd, f"{name}{odd}", f"{name}({odd})", f"list<{odd}>", f"struct<{odd}"):
        column_type(text)


def test_every_type_of_the_documentation_is_of_the_vocabulary_or_known_not_to_be() -> None:
    """What pandas, polars and Arrow call the types of columns that a place keeps: none is taken for another one."""
    unknown = set()
    for line in TYPES.read_text().splitlines():
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and "refused" not in cells and not name.startswith("`object"):
            written = name.strip("`").partition(" with ")[0].partition(" of ArrowDtype")[0]
            if column_type(written) is None:
                unknown.add(written)
    assert unknown == {
        *(
            "category of text",
            "category of int64",
            "category, ordered",
        ),  # what they name is another column of the table
        *("null", "Null"),
        *("dictionary of string", "dictionary of string_view", "dictionary of int64", "run_end_encoded of int64"),
    }


ARROW = [
    *(pa.bool_(), pa.uint8(), pa.int16(), pa.int64(), pa.float64(), pa.string(), pa.large_string(), pa.binary()),
    *(pa.date32(), pa.time64("ns"), pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.duration("ms")),
    *(pa.decimal128(12, 3), pa.list_(pa.int64()), pa.struct([("a", pa.date32())])),
]


@pytest.mark.parametrize("kind", ARROW, ids=str)
def test_a_column_is_of_one_type_in_arrow_pandas_and_polars(kind: pa.DataType) -> None:
    frame = pl.from_arrow(pa.table({"a": pa.array([None], kind)}))
    assert isinstance(frame, pl.DataFrame)
    told = column_type(str(kind))
    assert told is not None
    assert column_type(str(frame.schema["a"])) == told
    assert column_type(str(pd.ArrowDtype(kind))) == told


def test_types_of_numpy() -> None:
    named = {"int64": "int64", "uint16": "uint16", "float32": "float32", "bool": "boolean", "datetime64[ns]": None}
    for name, word in named.items():
        told = column_type(str(np.dtype(name)))
        assert str(told) == (word or "timestamp without time zone")
