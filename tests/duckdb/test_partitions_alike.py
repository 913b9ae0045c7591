"""Partitions in one table of DuckDB are together what the core makes of them, or are refused as there.

Each by itself has the types of that table: of a date where times stand beside it, midnight.
"""

from __future__ import annotations

import contextlib
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from assetry.errors import ValueStoreError
from assetry.io.memory import MemoryIO
from assetry.io.widening import cast_column
from assetry.plugin import Asset
from assetry_duckdb.io import DuckDBIO
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples

ASSET = Asset(key="parts", kind="python")
CELLS = {
    pa.int8(): [1, -128],
    pa.uint16(): [0, 65535],
    pa.int32(): [7],
    pa.int64(): [1, 2**53, 2**53 + 1],
    pa.float32(): [0.5],
    pa.float64(): [0.5, 2.0**53],
    pa.date32(): [date(2024, 1, 1)],
    pa.timestamp("s"): [datetime(2024, 1, 1, 1)],
    pa.timestamp("us"): [datetime(2024, 1, 1, 0, 0, 0, 1)],
    pa.decimal128(5, 1): [Decimal("1.5")],
    pa.decimal128(5, 3): [Decimal("1.239")],
    pa.string(): ["a"],
    pa.list_(pa.int8()): [[1, None], []],
    pa.list_(pa.int64()): [[2**40]],
}
columns = st.sampled_from(list(CELLS)).flatmap(
    lambda kind: st.lists(st.none() | st.sampled_from(CELLS[kind]), max_size=3).map(lambda cells: pa.array(cells, kind))
)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    one = draw(columns)
    other = draw(columns)
    rows = min(len(one), len(other))
    names = draw(st.sampled_from([["a", "b"], ["b", "a"], ["a", "c"]]))
    return pa.table([one.slice(0, rows), other.slice(0, rows)], names=names)


def as_of_the_whole(table: pa.Table, whole: pa.Schema) -> pa.Table:
    """Return a partition with the types that its columns have together with those of the others."""
    columns = [cast_column(table.column(name), whole.field(name).type) for name in table.column_names]
    return pa.table(columns, names=table.column_names)


DAY, TIME = pa.array([date(2024, 1, 1)], pa.date32()), pa.array([datetime(2024, 1, 1, 1)], pa.timestamp("s"))
NOTHING = pa.nulls(1, pa.int8())


def content(whole: pa.Table) -> list[Any]:
    rows = ({name: cell for name, cell in row.items() if cell is not None} for row in whole.to_pylist())
    return sorted((sorted(row.items()) for row in rows), key=repr)


@settings(max_examples=examples(40))
@example(steps=[(pa.table({"a": TIME, "b": NOTHING}), "1"), (pa.table({"b": NOTHING, "a": DAY}), "2")])
@example(steps=[(pa.table({"a": DAY, "b": NOTHING}), "1"), (pa.table({"b": NOTHING, "a": TIME}), "2")])
@given(steps=st.lists(st.tuples(tables(), st.sampled_from("123")), min_size=1, max_size=4))
def test_the_whole_is_the_same_and_what_has_no_common_type_is_refused(steps: list[Any]) -> None:
    ours = DuckDBIO.from_url("duckdb::memory:")
    for table, partition in steps:
        reference = MemoryIO()
        kept = {name: ours.load(ASSET, name) for name in "123"} if _there(ours) else {}
        for name, each in {**kept, partition: table}.items():
            reference.save(ASSET, each, name)
        whole = None
        with contextlib.suppress(ValueStoreError):
            whole = reference.load(ASSET)
        try:
            ours.save(ASSET, table, partition)
        except ValueStoreError:
            assert whole is None
        else:
            assert whole is not None
            assert content(ours.load(ASSET)) == content(whole)
            for name, each in {**kept, partition: table}.items():
                own = ours.load(ASSET, name)
                assert content(own) == content(as_of_the_whole(each, whole.schema))
                assert own.schema == ours.load(ASSET).schema
    ours.close()


def _there(io: DuckDBIO) -> bool:
    try:
        io.load(ASSET)
    except ValueStoreError:
        return False
    return True
