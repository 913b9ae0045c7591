"""PostgreSQL IO against a real server."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi
from assetry import DailyPartitionsDefinition
from assetry.plugin import Asset, NothingKeptError, Relation, ValueStoreError
from assetry_postgres.address import Address
from assetry_postgres.io import PostgresIO
from assetry_postgres.plugin import assetry_open_io

from tests.postgres_server import postgres

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with postgres() as running:
        yield running.url


@pytest.fixture
def database(server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give each test a database of its own."""
    name = "t_" + "".join(each if each.isalnum() else "_" for each in request.node.name.lower())[:50]
    admin = dbapi.connect(server, autocommit=True)
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    yield server.replace("/postgres?", f"/{name}?")
    with admin.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.fixture
def io(database: str) -> PostgresIO:
    return PostgresIO.from_url(f"{database}&schema=raw")


def run(database: str, *statements: str) -> list[Any]:
    with dbapi.connect(database) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        rows = cursor.fetchall() if statements[-1].lower().startswith("select") else []
        connection.commit()
    return rows


def python(key: str = "app/events", **more: Any) -> Asset:
    return Asset(key=key, kind="python", **more)


def test_a_table_comes_back_as_it_went(io: PostgresIO) -> None:
    table = pa.table(
        {
            "id": [1, 2],
            "Name": ["a", None],
            "at": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
            "day": [date(2024, 1, 1), None],
            "part": [0.5, float("nan")],
            "many": [[1, 2], []],
            "paid": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
        }
    )
    saved = io.save(python(), table)
    back = io.load(python())
    assert back.schema.equals(table.schema)
    assert back.to_pandas().equals(table.to_pandas())
    assert saved.metadata == {"rows": 2, "relation": f"{io.address.database}.raw.events"}
    assert [column.type for column in saved.columns or ()][:3] == ["bigint", "text", "timestamp with time zone"]
    assert saved.data_version == io.save(python("again"), table).data_version


def test_what_a_table_comes_to_is_known_without_reading_it(io: PostgresIO) -> None:
    with pytest.raises(NothingKeptError):
        io.aggregate(python(), "count")
    io.save(python(), pa.table({"id": [1, 3, 2]}))
    assert (io.aggregate(python(), "count"), io.aggregate(python(), "max", "id")) == (3, 3)


def test_the_columns_of_a_table_are_told_each_time_by_one_connection(io: PostgresIO, database: str) -> None:
    with io.columns() as columns_of:
        with pytest.raises(NothingKeptError):
            columns_of(python())
        run(database, "CREATE SCHEMA raw", "CREATE TABLE raw.events (id int, amount numeric(10,2))")
        found = [("id", "integer"), ("amount", "numeric(10,2)")]
        assert [each[:2] for each in columns_of(python())] == found
        run(database, "ALTER TABLE raw.events ADD at timestamptz")
        assert [each[:2] for each in columns_of(python())] == [*found, ("at", "timestamp with time zone")]
        run(database, "DROP TABLE raw.events")
        with pytest.raises(NothingKeptError):
            columns_of(python())


def test_types_that_the_driver_leaves_to_others(io: PostgresIO, database: str) -> None:
    run(
        database,
        "CREATE SCHEMA raw",
        """CREATE TABLE raw.events AS SELECT 1.50::numeric(10,2) AS exact, 2.125::numeric AS open,
        'NaN'::numeric AS nan,
        sum(3::bigint) AS total, '{"a": 1}'::jsonb AS doc, '00000000-0000-0000-0000-000000000001'::uuid AS id,
        '10.0.0.1'::inet AS ip, 'ab'::char(3) AS code, ARRAY[1.5] AS several, 5::money AS paid""",
    )
    row = io.load(python()).to_pylist()[0]
    assert row.pop("nan") != 0
    assert row == {
        "exact": Decimal("1.50"),
        "open": Decimal("2.125"),
        "total": Decimal(3),
        "doc": '{"a": 1}',
        "id": "00000000-0000-0000-0000-000000000001",
        "ip": "10.0.0.1/32",
        "code": "ab",
        "several": [1.5],
        "paid": 5.0,
    }


def test_numbers_without_rows(io: PostgresIO, database: str) -> None:
    run(database, "CREATE SCHEMA raw", "CREATE TABLE raw.events (n numeric, t text)")
    assert io.load(python()).num_rows == 0


def test_replacing_keeps_grants_and_changes_columns(io: PostgresIO, database: str) -> None:
    io.save(python(), pa.table({"id": [1]}))
    run(database, "GRANT SELECT ON raw.events TO PUBLIC")
    io.save(python(), pa.table({"name": ["a"]}))
    assert io.load(python()).to_pylist() == [{"name": "a"}]
    granted = run(
        database, "SELECT grantee::text FROM information_schema.role_table_grants WHERE table_name = 'events'"
    )
    assert ("PUBLIC",) in granted
    tables = run(database, "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'raw'")
    assert tables == [("events",)]


def test_a_view_on_the_table_sees_the_new_rows(io: PostgresIO, database: str) -> None:
    io.save(python(), pa.table({"id": [1], "n": ["a"]}))
    run(database, "CREATE VIEW raw.seen AS SELECT id FROM raw.events")
    io.save(python(), pa.table({"id": [2, 3], "n": ["b", "c"]}))
    assert run(database, "SELECT id FROM raw.seen ORDER BY 1") == [(2,), (3,)]


def test_a_view_in_the_way_is_named_and_nothing_is_lost(io: PostgresIO, database: str) -> None:
    io.save(python(), pa.table({"id": [1]}))
    run(database, "CREATE VIEW raw.seen AS SELECT id FROM raw.events")
    with pytest.raises(ValueStoreError, match=r"raw\.seen stands on it") as caught:
        io.save(python(), pa.table({"id": ["x"]}))
    assert "Drop what stands on it" in str(caught.value)
    assert run(database, "SELECT id FROM raw.seen") == [(1,)]
    assert run(database, "SELECT count(*) FROM information_schema.tables WHERE table_name LIKE 'assetry%'") == [(0,)]


def test_a_view_of_that_name_makes_room(io: PostgresIO, database: str) -> None:
    run(database, "CREATE SCHEMA raw", "CREATE VIEW raw.events AS SELECT 1 AS id")
    io.save(python(), pa.table({"id": [2]}))
    assert io.load(python()).to_pylist() == [{"id": 2}]


def test_readers_never_see_a_part(io: PostgresIO, database: str) -> None:
    io.save(python(), pa.table({"id": [1]}))
    with dbapi.connect(database) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchall()
        io.save(python(), pa.table({"id": [1, 2]}))
        cursor.execute("SELECT count(*) FROM raw.events")
        assert cursor.fetchall() == [(2,)]


def test_partitions_are_rows_of_one_table(io: PostgresIO, database: str) -> None:
    io.save(python(), pa.table({"id": [1, 2]}), "2024-01-01")
    io.save(python(), pa.table({"id": [3]}), "2024-01-02")
    saved = io.save(python(), pa.table({"id": [9], "new": ["x"]}), "2024-01-01")
    assert [column.name for column in saved.columns or ()] == ["id", "new"]
    assert io.load(python(), "2024-01-01").to_pylist() == [{"id": 9, "new": "x"}]
    assert io.load(python()).column("id").to_pylist() == [3, 9]
    assert run(database, "SELECT DISTINCT _partition FROM raw.events ORDER BY 1") == [("2024-01-01",), ("2024-01-02",)]


def parts(**values: list[Any]) -> tuple[pa.Table, str, list[str]]:
    """Return what `save_parts` takes: rows of partitions by their names, mixed, and one without rows."""
    rows = [(key, value) for key, each in values.items() for value in each]
    table = pa.table({"which": [key for key, _ in rows[::-1]], "id": pa.array([each for _, each in rows[::-1]])})
    return table, "which", list(values)


def test_many_partitions_take_the_place_of_what_was_there(io: PostgresIO, database: str) -> None:
    for key in ("a", "b", "c", "d"):
        io.save(python(), pa.table({"id": [0]}), key)
    saved = io.save_parts(python(), *parts(a=[1, 2], b=[], c=[4]))
    assert [each.metadata["rows"] for each in saved] == [2, 0, 1]
    assert saved[1].data_version == io.save(python(), pa.table({"id": [1]}).slice(1), "b").data_version
    found = run(database, "SELECT _partition, id FROM raw.events ORDER BY 1, 2")
    assert found == [("a", 1), ("a", 2), ("c", 4), ("d", 0)]
    assert io.load_parts(python(), ["c", "b", "a"])["id"].to_pylist() == [4, 2, 1]


def test_many_partitions_widen_a_column_or_leave_all_as_it_was(io: PostgresIO) -> None:
    (one, _) = io.save_parts(python(), *parts(a=[1], b=[2]))
    assert [column.name for column in one.columns or ()] == ["id"]
    io.save_parts(python(), *parts(b=[0.5], c=[1.5]))
    assert sorted(io.load(python())["id"].to_pylist()) == [0.5, 1.0, 1.5]
    with pytest.raises(ValueStoreError, match="column 'id'"):
        io.save_parts(python(), *parts(a=["x"], d=["y"]))
    assert sorted(io.load(python())["id"].to_pylist()) == [0.5, 1.0, 1.5]


def test_no_reader_sees_some_of_many_partitions(io: PostgresIO, database: str) -> None:
    io.save_parts(python(), *parts(a=[1], b=[1]))
    enough = threading.Event()

    def write() -> None:
        turn = 0
        while not enough.is_set():
            io.save_parts(python(), *parts(a=[turn % 2] * 2, b=[turn % 2] * 2) if turn else parts(a=[1], b=[1]))
            turn += 1

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for _ in range(30):
                seen = io.load_parts(python(), ["a", "b"])["id"].to_pylist()
                assert len(set(seen)) == 1
                assert len(seen) in (2, 4)
        finally:
            enough.set()
        writing.result()


def test_no_table_is_said_with_the_next_step(io: PostgresIO) -> None:
    with pytest.raises(ValueStoreError, match="There is no value of 'app/events'") as caught:
        io.load(python())
    assert caught.value.hint == "Materialize it first: `assetry materialize -s app/events`."


def test_what_postgres_cannot_hold_is_named(io: PostgresIO) -> None:
    with pytest.raises(ValueStoreError, match="column 'deep' is a struct"):
        io.save(python(), pa.table({"id": [1], "deep": [{"a": 1}]}))


def test_text_with_a_zero_byte_is_refused_and_the_old_rows_stay(io: PostgresIO) -> None:
    io.save(python(), pa.table({"id": ["fine"]}))
    with pytest.raises(ValueStoreError, match=r"column 'id' is a string .*0x00") as caught:
        io.save(python(), pa.table({"id": ["a\0b"]}))
    with pytest.raises(ValueStoreError, match="column 'ids' is a list<item: string>"):
        io.save(python(), pa.table({"fine": ["a"], "ids": [["b", "a\0b"]]}))
    assert "libpq" not in caught.value.message
    assert io.load(python()).to_pylist() == [{"id": "fine"}]


def test_a_big_unsigned_number_keeps_its_value(io: PostgresIO) -> None:
    io.save(python(), pa.table({"n": pa.array([2**64 - 1], pa.uint64())}))
    assert io.load(python()).to_pylist() == [{"n": Decimal(2**64 - 1)}]


def test_an_asset_of_another_database_is_refused(io: PostgresIO) -> None:
    with pytest.raises(ValueStoreError, match="another database"):
        io.load(Asset(key="x", kind="dbt", relation=("elsewhere", "raw", "x")))


def test_threads_may_write_the_first_tables_of_a_schema_at_once(io: PostgresIO) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: io.save(python(f"t{n}"), pa.table({"n": [n]})), range(8)))
    assert [io.load(python(f"t{n}")).to_pylist() for n in range(8)] == [[{"n": n}] for n in range(8)]


def test_a_server_out_of_reach_never_tells_the_password() -> None:
    io = PostgresIO.from_url("postgresql://bob:s3cr%40t@127.0.0.1:1/shop?connect_timeout=2&schema=x")
    with pytest.raises(ValueStoreError, match=r"127\.0\.0\.1:1/shop cannot be reached") as caught:
        io.load(python())
    assert "s3cr" not in str(caught.value)
    assert "s3cr" not in repr(io.address)


def test_a_malformed_url_is_not_echoed() -> None:
    with pytest.raises(ValueStoreError, match="cannot be read") as caught:
        Address.from_url("postgresql://bob:s3cr/t@127.0.0.1:5432/shop")
    assert "s3cr" not in str(caught.value)


def test_a_url_without_slashes_is_refused() -> None:
    with pytest.raises(ValueStoreError, match="cannot be read"):
        assetry_open_io("postgres:shop")
    assert isinstance(assetry_open_io("postgres://localhost/shop"), PostgresIO)


# -- values come back as they went, or are refused -------------------------------------------------------------------


def step(io: PostgresIO, *tables: pa.Table) -> pa.Table:
    """Keep tables as partitions 0, 1 … and return the whole."""
    for number, table in enumerate(tables):
        io.save(python(), table, str(number))
        back = io.load(python(), str(number))
        assert back.select(table.column_names).to_pylist() == table.to_pylist()
    return io.load(python())


def test_a_later_partition_widens_the_table_or_is_cast_to_it(io: PostgresIO) -> None:
    price = pa.decimal128(5, 1)
    whole = step(
        io,
        pa.table({"n": pa.array([], pa.string()), "at": pa.array([], pa.date32()), "p": pa.array([], price)}),
        pa.table({"n": [1], "at": [date(2024, 1, 1)], "p": pa.array([Decimal("1.5")], price)}),
        pa.table({"n": [1.5], "at": [datetime(2024, 1, 2, 13)], "new": ["x"], "p": [Decimal("1.239")]}),
        pa.table({"n": [7], "new": pa.nulls(1, pa.float64()), "p": [3]}),
        pa.table({"n": pa.nulls(1, pa.string())}),
    )
    types = {field.name: str(field.type) for field in whole.schema}
    assert (types["n"], types["at"], types["new"]) == ("double", "timestamp[us]", "string")
    assert sorted(each for each in whole["n"].to_pylist() if each is not None) == [1.0, 1.5, 7.0]
    one = io.load(python(), "1")
    assert one.schema.field("at").type == whole.schema.field("at").type
    assert one["at"].to_pylist() == [datetime(2024, 1, 1)], "a partition by itself is as the table has it"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([2**53 + 1]), pa.array([0.5])),
        (pa.array([0.5]), pa.array([2**53 + 1])),
        (pa.array([datetime(2024, 1, 1)]), pa.array([datetime(2024, 1, 1, tzinfo=UTC)])),
        (pa.array([[1]]), pa.array([[0.5]])),
        (pa.array([1]), pa.array(["1"])),
    ],
    ids=["big", "big later", "zone", "lists", "text"],
)
def test_a_partition_that_no_type_unites_with_the_others_is_refused(io: PostgresIO, one: Any, other: Any) -> None:
    io.save(python(), pa.table({"x": one}), "1")
    with pytest.raises(ValueStoreError, match=r"asset 'app/events': column 'x' is .* no type keeps all") as caught:
        io.save(python(), pa.table({"x": other}), "2")
    assert caught.value.hint
    assert io.load(python()).to_pylist() == pa.table({"x": one}).to_pylist()


U = uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")


@pytest.mark.parametrize("nested", [False, True], ids=["one", "list"])
@pytest.mark.parametrize("text", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "none"])
def test_text_never_becomes_a_uuid_nor_a_uuid_text(io: PostgresIO, text: str, nested: bool) -> None:
    uuids, texts = pa.array([U.bytes], pa.uuid()), pa.array([text])
    if nested:
        uuids, texts = (pa.ListArray.from_arrays([0, 1], each) for each in (uuids, texts))
    for name, one, other in (("a", uuids, texts), ("b", texts, uuids)):
        io.save(python(name), pa.table({"x": one}), "1")
        before = io.load(python(name)).to_pylist()
        with pytest.raises(ValueStoreError, match=r"column 'x' is .*uuid.* no type keeps all"):
            io.save(python(name), pa.table({"x": other}), "2")
        assert io.load(python(name)).to_pylist() == before
        io.save(python(name), pa.table({"x": pa.nulls(1, one.type)}), "1")
        io.save(python(name), pa.table({"x": other}), "2")  # nothing there has a value: the type is free
        back = io.load(python(name), "2")["x"].to_pylist()
        assert back == (texts.to_pylist() if other is texts else [[str(U)] if nested else str(U)])


def test_lists_of_uuids_come_back_as_lists_of_text(io: PostgresIO) -> None:
    several = pa.ListArray.from_arrays([0, 2, 2, 3], pa.array([U.bytes, None, U.bytes], pa.uuid()))
    io.save(python(), pa.table({"x": several}))
    assert io.load(python()).to_pylist() == [{"x": [str(U), None]}, {"x": []}, {"x": [str(U)]}]


def test_a_column_called_as_that_of_partitions_is_kept_or_refused(io: PostgresIO) -> None:
    own = pa.table({"_partition": ["mine"], "n": [1]})
    io.save(python(), own)
    assert io.load(python()).equals(own)
    with pytest.raises(ValueStoreError, match="PostgreSQL keeps for itself"):
        io.save(python(), own, "1")
    io.save(python(), pa.table({"n": [2]}), "1")
    assert io.load(python()).to_pylist() == [{"n": 2}]


@pytest.mark.parametrize("name", ["x" * 64, "", "a\0b", "ctid"])
def test_names_that_postgres_would_change_are_refused(io: PostgresIO, name: str) -> None:
    with pytest.raises(ValueStoreError, match="cannot be kept in PostgreSQL: its name"):
        io.save(python(), pa.table([[1]], names=[name]))
    names = ["ä" * 31, "a", "A", "a b"]
    io.save(python(), pa.table([[1]] * 4, names=names))
    assert io.load(python()).column_names == names


def test_lists_of_numbers_are_exact_or_refused(io: PostgresIO, database: str) -> None:
    table = pa.table({
        "u": pa.array([[2**63 - 1], None, []], pa.list_(pa.uint64())),
        "d": pa.array([[Decimal("1.25"), None], [], None], pa.list_(pa.decimal128(5, 2))),
    })  # fmt: skip
    io.save(python(), table)
    assert io.load(python()).to_pylist() == table.to_pylist()
    with pytest.raises(ValueStoreError, match=r"column 'u' is a list<item: uint64> and cannot be kept in PostgreSQL"):
        io.save(python(), pa.table({"u": pa.array([[2**64 - 1]], pa.list_(pa.uint64()))}))


def test_durations_of_any_length_come_back_and_intervals_with_months_stay(io: PostgresIO, database: str) -> None:
    spans = pa.array([-(10**16), 0, None, 5, 10**17 + 1], pa.int64()).cast(pa.duration("us"))
    io.save(python(), pa.table({"x": spans}))
    assert io.load(python())["x"].combine_chunks().equals(spans)
    run(database, "CREATE TABLE raw.made AS SELECT INTERVAL '1 day' AS day, INTERVAL '1 month' AS month")
    assert io.load(python("made")).to_pylist()[0]["day"] == timedelta(days=1)
    assert str(io.load(python("made")).schema.field("month").type) == "month_day_nano_interval"
    for kind in (pa.duration("ns"), pa.timestamp("ns")):
        with pytest.raises(ValueStoreError, match=r"column 'x' is a .* and cannot be kept in PostgreSQL"):
            io.save(python(), pa.table({"x": pa.array([1], pa.int64()).cast(kind)}))


def test_numbers_of_many_digits_are_exact_or_refused(io: PostgresIO, database: str) -> None:
    many = "1" * 50 + ".5"
    run(
        database,
        "CREATE SCHEMA raw",
        f"CREATE TABLE raw.events AS SELECT {many}::numeric AS n, -1200::numeric(3, -2) AS r",
    )
    assert io.load(python()).to_pylist() == [{"n": Decimal(many), "r": Decimal(-1200)}]
    run(database, "CREATE TABLE raw.odd AS SELECT unnest(ARRAY['NaN', '0.1234567890123456'])::numeric AS n")
    with pytest.raises(ValueStoreError, match="asset 'odd': column 'n' is numeric with NaN") as caught:
        io.load(python("odd"))
    assert '"n"::text' in (caught.value.hint or "")


def test_a_table_below_a_view_may_gain_and_lose_columns_that_no_view_reads(io: PostgresIO, database: str) -> None:
    io.save(python(), pa.table({"id": [1], "gone": [1], "other": [1]}))
    run(database, "CREATE VIEW raw.seen AS SELECT id FROM raw.events")
    io.save(python(), pa.table({"id": [2], "other": ["x"], "new": [0.5]}))
    assert run(database, "SELECT id FROM raw.seen") == [(2,)]
    assert io.load(python()).to_pylist() == [{"id": 2, "other": "x", "new": 0.5}]
    with pytest.raises(ValueStoreError, match=r"raw\.seen stands on it"):
        io.save(python(), pa.table({"other": ["x"]}))


def test_a_partition_that_needs_a_wider_type_below_a_view_is_refused(io: PostgresIO, database: str) -> None:
    io.save(python(), pa.table({"id": [1]}), "1")
    run(database, "CREATE VIEW raw.seen AS SELECT id FROM raw.events")
    io.save(python(), pa.table({"id": [2], "new": ["x"]}), "2")
    with pytest.raises(ValueStoreError, match=r"'id' of .* is bigint and cannot become double.*raw\.seen stands on it"):
        io.save(python(), pa.table({"id": [0.5]}), "3")
    assert sorted(run(database, "SELECT id FROM raw.seen")) == [(1,), (2,)]


def test_partitions_that_come_at_once_are_all_kept(io: PostgresIO) -> None:
    io.save(python("first"), pa.table({"n": [1]}))  # the one that makes the schema lets nobody else in
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: io.save(python(), pa.table({"n": [n], f"c{n % 2}": ["x"]}), str(n)), range(6)))
    assert sorted(io.load(python())["n"].to_pylist()) == list(range(6))


def test_values_beyond_those_of_postgres_are_refused_by_their_column(io: PostgresIO) -> None:
    far = pa.array([2**31 - 1], pa.int32()).cast(pa.date32())
    with pytest.raises(ValueStoreError, match=r"column 'far' is a date32\[day\] and cannot be kept .* out of range"):
        io.save(python(), pa.table({"fine": [1], "far": far}))


# -- what is deleted ----


def test_a_deleted_table_or_view_is_gone_and_of_a_partition_the_rows(io: PostgresIO, database: str) -> None:
    parts = python(partitions_def=DailyPartitionsDefinition("2024-01-01"))
    for day in ("2024-01-01", "2024-01-02"):
        io.save(parts, pa.table({"id": [1, 2]}), day)
    io.delete(parts, "2024-01-01")
    assert run(database, "SELECT _partition, count(*) FROM raw.events GROUP BY 1") == [("2024-01-02", 2)]
    run(database, "CREATE VIEW raw.seen AS SELECT * FROM raw.events", "CREATE MATERIALIZED VIEW raw.kept AS SELECT 1")
    with pytest.raises(ValueStoreError, match=r"raw\.events cannot be deleted: .*raw\.seen depends on") as told:
        io.delete(parts)
    assert "Drop what stands on it first" in str(told.value.hint)
    for name in ("seen", "kept", "events", "never"):
        io.delete(Asset(key=name, kind="dbt", relation=Relation(None, "raw", name)))
    assert run(database, "SELECT relname FROM pg_class WHERE relnamespace = 'raw'::regnamespace") == []


def test_a_table_of_another_database_is_not_taken_for_gone(io: PostgresIO) -> None:
    with pytest.raises(ValueStoreError, match="PostgreSQL cannot reach across"):
        io.delete(Asset(key="x", kind="dbt", relation=Relation("elsewhere", "raw", "x")))
