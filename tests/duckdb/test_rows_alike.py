"""DuckDB does with rows just what the core does that puts tables together by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from assetry.io.memory import MemoryIO
from assetry.io.merge import save_whole
from assetry.plugin import Asset, IOManager, Rows
from assetry_duckdb.io import DuckDBIO
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

ORDERS = Asset(key="orders", kind="airbyte")
SCHEMA = pa.schema({"id": pa.int64(), "seq": pa.int64(), "n": pa.string()})
few = st.none() | st.integers(0, 2)
batches = st.lists(st.tuples(few, few, st.sampled_from(["a", "b"])), max_size=6)
modes = st.sampled_from(["replace", "append", "merge"])


def rows(cells: Sequence[tuple[Any, ...]], mode: Any, keyed: bool, newest: bool) -> Rows:
    columns = [pa.array([row[i] for row in cells], SCHEMA.field(i).type) for i in range(3)]
    table = pa.table(columns, schema=SCHEMA)
    keys = ("id",) if keyed or mode == "merge" else ()
    return Rows(lambda: table.to_reader(max_chunksize=2), mode, keys, "seq" if newest else None)


def content(io: IOManager) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in io.load(ORDERS).to_pylist()), key=repr)


@settings(max_examples=examples(30))
@given(steps=st.lists(st.tuples(batches, modes, st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_the_same_rows_are_there_and_as_many_have_changed(steps: list[Any]) -> None:
    ours, reference = DuckDBIO.from_url("duckdb::memory:"), MemoryIO()
    for step in steps:
        one, other = ours.save_rows(ORDERS, rows(*step)), save_whole(reference, ORDERS, rows(*step))
        assert content(ours) == content(reference)
        assert [one.metadata[name] for name in ("rows", "changed")] == [
            other.metadata[name] for name in ("rows", "changed")
        ]
    ours.close()


def test_it_is_no_matter_how_many_rows_come(tmp_path: Path) -> None:
    io = DuckDBIO.from_url(f"duckdb:{tmp_path}/shop.duckdb")
    cells = [(i % 1000, i, "a") for i in range(10_000)]
    io.save_rows(ORDERS, rows(cells, "replace", True, False))
    assert [row[1] for row in content(io)] == sorted(range(9000, 10_000), key=lambda seq: repr((seq % 1000, seq, "a")))
