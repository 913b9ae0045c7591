"""Rows as a stream into tables of a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi
from assetry.io.memory import MemoryIO
from assetry.io.merge import save_whole
from assetry.plugin import Asset, IOManager, NothingKeptError, Rows, ValueStoreError
from assetry_postgres.io import PostgresIO
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.postgres_server import postgres

pytestmark = pytest.mark.slow
ORDERS = Asset(key="shop/orders", kind="airbyte", relation=(None, "raw", "orders"))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as running:
        yield running.url


@pytest.fixture
def io(server: str) -> Iterator[PostgresIO]:
    yield PostgresIO.from_url(server)
    run(server, "DROP SCHEMA IF EXISTS raw CASCADE")


def run(server: str, *statements: str) -> None:
    with dbapi.connect(server) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def rows(columns: Mapping[str, Sequence[Any]], *mode: Any, size: int = 2, **more: Any) -> Rows:
    table = pa.table(dict(columns))
    return Rows(lambda: pa.RecordBatchReader.from_batches(table.schema, table.to_batches(size)), *mode, **more)


def there(io: PostgresIO) -> list[dict[str, Any]]:
    return sorted(io.load(ORDERS).to_pylist(), key=repr)


def test_rows_replace_what_is_there(io: PostgresIO) -> None:
    io.save_rows(ORDERS, rows({"id": [1, 2, 3]}))
    saved = io.save_rows(ORDERS, rows({"id": [9], "n": ["x"]}))
    assert there(io) == [{"id": 9, "n": "x"}]
    assert (saved.metadata["rows"], saved.metadata["changed"]) == (1, 1)
    assert [column[:2] for column in saved.columns or ()] == [("id", "bigint"), ("n", "text")]
    io.save_rows(ORDERS, rows({"id": [1, 1], "n": [1, 2]}, "replace", keys=("id",)))
    assert there(io) == [{"id": 1, "n": 2}]


def test_rows_are_appended_and_bring_new_columns(io: PostgresIO) -> None:
    io.save_rows(ORDERS, rows({"id": [1]}, "append"))
    saved = io.save_rows(ORDERS, rows({"n": ["x"], "id": [1]}, "append"))
    assert there(io) == [{"id": 1, "n": "x"}, {"id": 1, "n": None}]
    assert saved.metadata["changed"] == 1


def test_rows_are_merged_by_their_keys_and_the_newest_wins(io: PostgresIO) -> None:
    first = {"id": [1, 1, 2, 3], "at": [5, 4, 5, None], "n": ["new", "old", "b", "c"]}
    merge: dict[str, Any] = {"keys": ("id",), "newest": "at"}
    assert io.save_rows(ORDERS, rows(first, "merge", **merge)).metadata["changed"] == 3
    second = {"id": [1, 2, 3, 4], "at": [4, 5, 1, 1], "n": ["late", "b2", "c2", "d"]}
    saved = io.save_rows(ORDERS, rows(second, "merge", existing=True, **merge))
    assert {row["id"]: row["n"] for row in there(io)} == {1: "new", 2: "b2", 3: "c2", 4: "d"}
    assert saved.metadata["changed"] == 3


def test_null_is_a_key_and_what_is_there_already_changes_nothing(io: PostgresIO) -> None:
    columns = {"id": pa.array([1, None, 1], pa.int64()), "n": [None, "b", None]}
    assert io.save_rows(ORDERS, rows(columns, "merge", keys=("id",))).metadata["changed"] == 2
    more = {**columns, "more": pa.nulls(3, pa.string())}
    assert io.save_rows(ORDERS, rows(more, "merge", keys=("id",))).metadata["changed"] == 0
    changed = {"id": pa.array([None], pa.int64()), "n": ["c"]}
    assert io.save_rows(ORDERS, rows(changed, "merge", keys=("id",))).metadata["changed"] == 1
    assert {row["id"]: row["n"] for row in there(io)} == {1: None, None: "c"}


def test_a_table_that_must_be_there_and_is_not(io: PostgresIO) -> None:
    for mode in ("append", "merge"):
        with pytest.raises(NothingKeptError, match="is no longer there"):
            io.save_rows(ORDERS, rows({"id": [1]}, mode, keys=("id",), existing=True))


def test_rows_that_break_off_leave_the_old_ones(io: PostgresIO) -> None:
    io.save_rows(ORDERS, rows({"id": [1]}))

    def broken() -> Any:
        yield pa.record_batch({"id": [2]})
        raise OSError("the spool is gone")

    schema = pa.schema({"id": pa.int64()})
    for mode in ("replace", "append", "merge"):
        with pytest.raises((ValueStoreError, OSError), match="the spool is gone"):
            io.save_rows(ORDERS, Rows(lambda: pa.RecordBatchReader.from_batches(schema, broken()), mode, keys=("id",)))
        assert there(io) == [{"id": 1}]


def test_a_table_that_views_stand_on_grows_below_them(io: PostgresIO, server: str) -> None:
    io.save_rows(ORDERS, rows({"id": [1]}))
    run(server, "CREATE VIEW raw.seen AS SELECT * FROM raw.orders")
    io.save_rows(ORDERS, rows({"id": [1, 2]}, "merge", keys=("id",)))
    io.save_rows(ORDERS, rows({"id": [3]}, "append"))
    seen = Asset(key="seen", kind="python", relation=(None, "raw", "seen"))
    assert sorted(io.load(seen).column("id").to_pylist()) == [1, 2, 3]


SCHEMA = pa.schema({"id": pa.int64(), "seq": pa.int64(), "n": pa.string()})
few = st.none() | st.integers(0, 2)
batches = st.lists(st.tuples(few, few, st.sampled_from(["a", "b"])), max_size=6)
modes = st.sampled_from(["replace", "append", "merge"])


def some(cells: Sequence[tuple[Any, ...]], mode: Any, keyed: bool, newest: bool) -> Rows:
    columns = [pa.array([row[i] for row in cells], SCHEMA.field(i).type) for i in range(3)]
    table = pa.table(columns, schema=SCHEMA)
    keys = ("id",) if keyed or mode == "merge" else ()
    return Rows(lambda: table.to_reader(max_chunksize=2), mode, keys, "seq" if newest else None)


def content(io: IOManager) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in io.load(ORDERS).to_pylist()), key=repr)


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(batches, modes, st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_the_same_rows_are_there_as_where_the_core_puts_tables_together(
    io: PostgresIO, server: str, steps: list[Any]
) -> None:
    run(server, "DROP SCHEMA IF EXISTS raw CASCADE")
    reference = MemoryIO()
    for step in steps:
        one, other = io.save_rows(ORDERS, some(*step)), save_whole(reference, ORDERS, some(*step))
        assert content(io) == content(reference)
        assert one.metadata["changed"] == other.metadata["changed"]
