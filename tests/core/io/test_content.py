"""The version of a table's content."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from assetry.io.content import content_version
from hypothesis import given
from hypothesis import strategies as st

TABLE = pa.table({"id": [1, 2], "name": ["a", None]})


def six(cells: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.none() | cells, min_size=6, max_size=6)


COLUMNS = {
    "int64": six(st.integers(-(2**63), 2**63 - 1)),
    "float64": six(st.floats(allow_nan=False)),
    "bool": six(st.booleans()),
    "string": six(st.text(max_size=4)),
    "binary": six(st.binary(max_size=4)),
    "date32": six(st.dates()),
    "list": six(st.lists(st.none() | st.integers(0, 9), max_size=3)),
    "struct": st.lists(
        st.none() | st.fixed_dictionaries({"a": st.none() | st.text(max_size=2)}), min_size=6, max_size=6
    ),
    "map": st.lists(
        st.none() | st.dictionaries(st.integers(0, 3), st.text(max_size=2), max_size=2), min_size=6, max_size=6
    ),
}
TYPES = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date32": pa.date32(),
    "list": pa.list_(pa.int64()),
    "struct": pa.struct([("a", pa.string())]),
    "map": pa.map_(pa.int64(), pa.string()),
}


def table_of(data: dict[str, list[Any]]) -> pa.Table:
    cells = {
        name: [list(each.items()) if isinstance(each, dict) and name == "map" else each for each in column]
        for name, column in data.items()
    }
    return pa.table({name: pa.array(column, TYPES[name]) for name, column in cells.items()})


@given(st.fixed_dictionaries(COLUMNS), st.integers(0, 6), st.integers(0, 6))
def test_the_version_depends_on_neither_chunks_nor_offsets(data: dict[str, list[Any]], one: int, two: int) -> None:
    table = table_of(data)
    start, end = sorted((one, two))
    pieces = pa.concat_tables([table.slice(0, start), table.slice(start, end - start), table.slice(end)])
    padded = pa.concat_tables([table, table]).combine_chunks().slice(6, 6)
    assert content_version(pieces) == content_version(table) == content_version(padded)
    rebuilt = pa.Table.from_pylist(table.to_pylist(maps_as_pydicts=None), schema=table.schema)
    assert content_version(rebuilt) == content_version(table)


@given(st.fixed_dictionaries(COLUMNS), st.fixed_dictionaries(COLUMNS))
def test_tables_that_differ_have_different_versions(one: dict[str, list[Any]], two: dict[str, list[Any]]) -> None:
    for name in COLUMNS:
        first, second = table_of({name: one[name]}), table_of({name: two[name]})
        same = first.to_pylist() == second.to_pylist() and repr(first.to_pylist()) == repr(second.to_pylist())
        assert (content_version(first) == content_version(second)) == same


@pytest.mark.parametrize(
    "other",
    [
        TABLE.rename_columns(["id", "other"]),
        TABLE.select(["name", "id"]),
        TABLE.slice(0, 1),
        TABLE.set_column(0, "id", TABLE["id"].cast(pa.int32())),
        pa.table({"id": [1, 2], "name": [None, "a"]}),
        pa.table({"id": [2, 1], "name": ["a", None]}),
        pa.table({"id": [1, 2], "name": ["a", ""]}),
    ],
)
def test_names_types_order_and_emptiness_count(other: pa.Table) -> None:
    assert content_version(other) != content_version(TABLE)


def test_what_lies_below_an_empty_cell_does_not_count() -> None:
    valid = pa.py_buffer(b"\x01")
    one, two = (pa.Array.from_buffers(pa.int64(), 2, [valid, pa.py_buffer(np.array([1, n]).tobytes())]) for n in (0, 9))
    assert one.to_pylist() == two.to_pylist() == [1, None]
    assert content_version(pa.table({"a": one})) == content_version(pa.table({"a": two}))


def test_lists_of_uuids_have_a_version_also_without_any_value() -> None:
    one = pa.ListArray.from_arrays([0, 1], pa.array([b"0" * 16], pa.uuid()))
    assert content_version(pa.table({"a": one})) != content_version(pa.table({"a": pa.nulls(1, one.type)}))


def test_the_version_is_the_same_in_another_process() -> None:
    code = (
        "import pyarrow as pa; from assetry.io.content import content_version; "
        "print(content_version(pa.table({'id': [1, 2], 'name': ['a', None]})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == content_version(TABLE)
