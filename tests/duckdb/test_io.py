"""DuckDB IO on real files."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import assetry_duckdb.io
import duckdb
import pyarrow as pa
import pytest
from assetry import DailyPartitionsDefinition
from assetry.plugin import Asset, NothingKeptError, Relation, ValueStoreError
from assetry_duckdb.io import DuckDBAddress, DuckDBIO


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.duckdb"


@pytest.fixture
def io(file: Path) -> DuckDBIO:
    return DuckDBIO.from_url(f"duckdb:{file}?schema=raw")


def python(key: str = "app/events", **more: Any) -> Asset:
    return Asset(key=key, kind="python", **more)


def rows(file: Path, query: str) -> list[Any]:
    with duckdb.connect(str(file)) as connection:
        return connection.execute(query).fetchall()


def test_a_table_comes_back_as_it_went(io: DuckDBIO) -> None:
    table = pa.table(
        {
            "id": [1, 2],
            "Name": ["a", None],
            "at": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
            "deep": [{"x": [1]}, None],
        }
    )
    saved = io.save(python(), table)
    assert io.load(python()).to_pylist() == table.to_pylist()
    assert [column[:2] for column in saved.columns or ()] == [
        ("id", "BIGINT"),
        ("Name", "VARCHAR"),
        ("at", "TIMESTAMP WITH TIME ZONE"),
        ("deep", "STRUCT(x BIGINT[])"),
    ]
    assert saved.metadata == {"rows": 2, "relation": "shop.raw.events"}


def test_what_a_table_comes_to_is_known_without_reading_it(io: DuckDBIO) -> None:
    with pytest.raises(NothingKeptError):
        io.aggregate(python(), "count")
    io.save(python(), pa.table({"id": [1, 3, 2]}))
    assert (io.aggregate(python(), "count"), io.aggregate(python(), "max", "id")) == (3, 3)


def test_the_columns_of_a_table_are_told_each_time_and_the_file_is_let_go(io: DuckDBIO, file: Path) -> None:
    with io.columns() as columns_of:
        with pytest.raises(NothingKeptError):
            columns_of(python())
        assert not file.exists()
        io.save(python(), pa.table({"id": [1], "name": ["x"]}))
        assert [each[:2] for each in columns_of(python())] == [("id", "BIGINT"), ("name", "VARCHAR")]
        io.save(python(), pa.table({"id": ["x"]}))
        assert [each[:2] for each in columns_of(python())] == [("id", "VARCHAR")]
        code = f"import duckdb; duckdb.connect({str(file)!r}).execute('drop table raw.events')"
        subprocess.run([sys.executable, "-c", code], check=True)
        with pytest.raises(NothingKeptError):
            columns_of(python())


def test_the_file_is_left_unlocked_and_clean(io: DuckDBIO, file: Path) -> None:
    io.save(python(), pa.table({"id": [1]}))
    io.load(python())
    assert [path.name for path in file.parent.iterdir()] == ["shop.duckdb"]
    code = (
        f"import duckdb; print(duckdb.connect({str(file)!r}).execute('select count(*) from raw.events').fetchone()[0])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_looking_for_a_table_makes_no_file(io: DuckDBIO, file: Path) -> None:
    with pytest.raises(ValueStoreError, match="There is no value of 'app/events'") as caught:
        io.load(python())
    assert caught.value.hint == "Materialize it first: `assetry materialize -s app/events`."
    assert not file.exists()


def test_a_missing_table_in_a_file_is_the_same_error(io: DuckDBIO) -> None:
    io.save(python("other"), pa.table({"id": [1]}))
    with pytest.raises(ValueStoreError, match=r"no value of 'app/events' in DuckDB file .*shop\.raw\.events"):
        io.load(python())


def test_the_asset_s_relation_counts_more_than_its_key(io: DuckDBIO, file: Path) -> None:
    io.save(python(relation=(None, "Staging", "Raw Events")), pa.table({"id": [1]}))
    assert rows(file, 'SELECT id FROM shop."Staging"."Raw Events"') == [(1,)]


def test_replacing_changes_columns_and_takes_a_view_s_place(io: DuckDBIO, file: Path) -> None:
    rows(file, "CREATE SCHEMA raw; CREATE VIEW raw.events AS SELECT 1 AS id")
    io.save(python(), pa.table({"id": [1]}))
    io.save(python(), pa.table({"name": ["a"]}))
    assert io.load(python()).to_pylist() == [{"name": "a"}]


def test_a_refused_table_leaves_the_old_one(io: DuckDBIO) -> None:
    io.save(python(), pa.table({"id": [1]}))
    too_wide = pa.array([1], pa.decimal256(60, 2))
    with pytest.raises(ValueStoreError, match=r"column 'id' is a decimal256\(60, 2\) and cannot be kept in DuckDB"):
        io.save(python(), pa.table({"id": too_wide}))
    with pytest.raises(
        ValueStoreError, match=r"column 'id' is a map<string, int64> and cannot be kept in DuckDB.*duplicate"
    ):
        io.save(
            python(), pa.table({"fine": [1], "id": pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64()))})
        )
    assert io.load(python()).to_pylist() == [{"id": 1}]


def test_a_table_needs_a_column(io: DuckDBIO) -> None:
    with pytest.raises(ValueStoreError, match="has no columns"):
        io.save(python(), pa.table({}))


def test_nanoseconds_become_microseconds_where_nothing_is_lost(io: DuckDBIO, file: Path) -> None:
    table = pa.table({"us": pa.array([1000], pa.timestamp("ns")), "ns": pa.array([1], pa.timestamp("ns"))})
    saved = io.save(python(), table)
    assert [column.type for column in saved.columns or ()] == ["TIMESTAMP", "TIMESTAMP_NS"]
    assert io.load(python()).column("ns").cast(pa.int64()).to_pylist() == [1]


def test_partitions_are_rows_of_one_table(io: DuckDBIO, file: Path) -> None:
    io.save(python(), pa.table({"id": [1, 2]}), "2024-01-01")
    io.save(python(), pa.table({"id": [3]}), "2024-01-02")
    saved = io.save(python(), pa.table({"id": [9], "new": ["it's"]}), "2024-01-01")
    assert [column.name for column in saved.columns or ()] == ["id", "new"]
    assert io.load(python(), "2024-01-01").to_pylist() == [{"id": 9, "new": "it's"}]
    assert sorted(io.load(python()).column("id").to_pylist()) == [3, 9]
    assert rows(file, "SELECT id, _partition FROM raw.events ORDER BY id") == [(3, "2024-01-02"), (9, "2024-01-01")]


def parts(**values: list[Any]) -> tuple[pa.Table, str, list[str]]:
    """Return what `save_parts` takes: rows of partitions by their names, mixed, and one without rows."""
    rows = [(key, value) for key, each in values.items() for value in each]
    table = pa.table({"which": [key for key, _ in rows[::-1]], "id": pa.array([each for _, each in rows[::-1]])})
    return table, "which", list(values)


def test_many_partitions_take_the_place_of_what_was_there(io: DuckDBIO, file: Path) -> None:
    for key in ("a", "b", "c", "d"):
        io.save(python(), pa.table({"id": [0]}), key)
    saved = io.save_parts(python(), *parts(a=[1, 2], it_s=[3], b=[], c=[4]))
    assert [each.metadata["rows"] for each in saved] == [2, 1, 0, 1]
    assert [each.data_version for each in saved][2] == io.save(
        python(), pa.table({"id": [1]}).slice(1), "b"
    ).data_version
    assert rows(file, "SELECT _partition, id FROM raw.events ORDER BY ALL") == [
        ("a", 1),
        ("a", 2),
        ("c", 4),
        ("d", 0),
        ("it_s", 3),
    ]
    assert io.load_parts(python(), ["c", "b", "it_s", "a"])["id"].to_pylist() == [4, 3, 2, 1]
    assert io.load_parts(python(), ["b"]).to_pydict() == {"id": []}


def test_many_partitions_are_the_first_of_a_table(io: DuckDBIO) -> None:
    (one, _) = io.save_parts(python(), *parts(a=[1], b=[2]))
    assert [column.name for column in one.columns or ()] == ["id"]
    assert io.load(python(), "b").to_pydict() == {"id": [2]}
    assert io.load(python())["id"].to_pylist() == [2, 1]


def test_many_partitions_widen_a_column_or_leave_all_as_it_was(io: DuckDBIO) -> None:
    io.save_parts(python(), *parts(a=[1], b=[2]))
    io.save_parts(python(), *parts(b=[0.5], c=[1.5]))
    assert sorted(io.load(python())["id"].to_pylist()) == [0.5, 1.0, 1.5]
    with pytest.raises(ValueStoreError, match="column 'id'"):
        io.save_parts(python(), *parts(a=["x"], d=["y"]))
    assert sorted(io.load(python())["id"].to_pylist()) == [0.5, 1.0, 1.5]


def test_no_other_connection_sees_some_of_many_partitions(io: DuckDBIO, file: Path) -> None:
    io.save_parts(python(), *parts(a=[1], b=[1]))
    with duckdb.connect(str(file)) as reader:
        reader.execute("BEGIN; SELECT count(*) FROM raw.events")
        io.save_parts(python(), *parts(a=[2, 2], b=[2, 2]))
        assert reader.execute("SELECT id FROM raw.events").fetchall() == [(1,), (1,)]
        reader.execute("COMMIT")
        assert reader.execute("SELECT id FROM raw.events").fetchall() == [(2,)] * 4


def test_a_table_that_knows_no_partitions_is_read_once(io: DuckDBIO) -> None:
    io.save(python(), pa.table({"id": [1]}))
    assert io.load_parts(python(), ["a", "b"]).to_pydict() == {"id": [1]}
    tool = Asset(key="app/events", kind="dbt")
    assert io.load_parts(tool, ["a", "b"]).to_pydict() == {"id": [1]}


def test_partitions_that_do_not_fit_leave_the_others(io: DuckDBIO) -> None:
    io.save(python(), pa.table({"id": [1]}), "a")
    io.save(python(), pa.table({"id": [2]}), "b")
    with pytest.raises(ValueStoreError, match=r"column 'id' is int64 in its table .* and string in the rows that come"):
        io.save(python(), pa.table({"id": ["text"]}), "b")
    assert io.load(python(), "b").to_pylist() == [{"id": 2}]


def step(io: DuckDBIO, *tables: pa.Table) -> pa.Table:
    """Keep tables as partitions 0, 1 … and return the whole."""
    for number, table in enumerate(tables):
        io.save(python(), table, str(number))
        back = io.load(python(), str(number))
        assert back.select(table.column_names).to_pylist() == table.to_pylist()
    return io.load(python())


def test_a_later_partition_widens_the_table_or_is_cast_to_it(io: DuckDBIO) -> None:
    whole = step(
        io,
        pa.table({"n": pa.array([], pa.string()), "at": pa.array([date(2024, 1, 1)][:0])}),
        pa.table({"n": [1], "at": [date(2024, 1, 1)]}),
        pa.table({"n": [1.5], "at": [datetime(2024, 1, 2, 13)], "new": ["x"]}),
        pa.table({"n": [7], "new": pa.nulls(1, pa.float64())}),
        pa.table({"n": pa.nulls(1, pa.string())}),
    )
    assert [str(kind) for kind in whole.schema.types] == ["double", "timestamp[us]", "string"]
    assert whole["n"].to_pylist() == [1.0, 1.5, 7.0, None]
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
        (pa.array([{"a": 1}]), pa.array([{"b": 1}])),
        (pa.array([Decimal("0.5")], pa.decimal128(38, 37)), pa.array([100])),
        (pa.array([datetime(9999, 1, 1)]), pa.array([1], pa.timestamp("ns"))),
        (pa.array([1], pa.timestamp("ns")), pa.array([datetime(9999, 1, 1)])),
    ],
    ids=str,
)
def test_a_partition_that_no_type_unites_with_the_others_is_refused(io: DuckDBIO, one: Any, other: Any) -> None:
    io.save(python(), pa.table({"x": one}), "1")
    with pytest.raises(ValueStoreError, match=r"asset 'app/events': column 'x' is .* no type keeps all") as caught:
        io.save(python(), pa.table({"x": other}), "2")
    assert caught.value.hint
    assert io.load(python()).to_pylist() == pa.table({"x": one}).to_pylist()


U = uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")


@pytest.mark.parametrize("nested", [False, True], ids=["one", "list"])
@pytest.mark.parametrize("text", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "none"])
def test_text_never_becomes_a_uuid_nor_a_uuid_text(io: DuckDBIO, text: str, nested: bool) -> None:
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


def test_a_partition_made_again_with_another_type_is_free_where_it_is_the_only_one(io: DuckDBIO) -> None:
    io.save(python(), pa.table({"id": [1]}), "a")
    io.save(python(), pa.table({"id": ["text"]}), "a")
    assert io.load(python()).to_pylist() == [{"id": "text"}]


def test_a_column_called_as_that_of_partitions_is_kept_or_refused(io: DuckDBIO) -> None:
    own = pa.table({"_partition": ["mine"], "n": [1]})
    io.save(python(), own)
    assert io.load(python()).equals(own)
    for name in ("_partition", "_Partition"):
        with pytest.raises(ValueStoreError, match="DuckDB keeps for itself"):
            io.save(python(), pa.table({name: ["mine"]}), "1")
    io.save(python(), pa.table({"n": [2]}), "1")
    assert io.load(python()).to_pylist() == [{"n": 2}]
    io.save(python(), own)
    assert io.load(python()).equals(own)


@pytest.mark.parametrize("names", [["a", "A"], [""], ["a\0b"]])
def test_names_that_duckdb_would_change_are_refused(io: DuckDBIO, names: list[str]) -> None:
    with pytest.raises(ValueStoreError, match="cannot be kept in DuckDB: its name"):
        io.save(python(), pa.table([[1]] * len(names), names=names))
    io.save(python(), pa.table({"a": [1]}), "1")
    with pytest.raises(ValueStoreError, match="'A' cannot be kept in DuckDB: its name does not differ enough from 'a'"):
        io.save(python(), pa.table({"A": [1]}), "2")


def test_moments_are_in_utc_wherever_they_are_read(io: DuckDBIO, file: Path) -> None:
    at = pa.array([datetime(2024, 1, 1, 2, tzinfo=UTC)], pa.timestamp("us", "Europe/Berlin"))
    io.save(python(), pa.table({"at": at, "list": [[each] for each in at]}))
    code = (
        "from assetry_duckdb.io import DuckDBIO; from assetry.plugin import Asset; "
        f"print(DuckDBIO.from_url('duckdb:{file}?schema=raw').load(Asset(key='events', kind='python')).to_pylist())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "TZ": zone}
        ).stdout
        for zone in ("UTC", "Asia/Tokyo")
    }
    assert len(said) == 1
    assert "datetime.datetime(2024, 1, 1, 2, 0, tzinfo=" in said.pop()


def test_durations_of_any_length_come_back_and_intervals_with_months_stay(io: DuckDBIO, file: Path) -> None:
    spans = pa.array([-(2**62), 0, None, 5], pa.int64()).cast(pa.duration("us"))
    io.save(python(), pa.table({"x": spans}))
    assert io.load(python())["x"].combine_chunks().equals(spans)
    rows(file, "CREATE TABLE raw.made AS SELECT INTERVAL '1 day' AS day, INTERVAL '1 month' AS month")
    assert io.load(python("made")).to_pylist()[0]["day"] == timedelta(days=1)
    assert str(io.load(python("made")).schema.field("month").type) == "month_day_nano_interval"
    with pytest.raises(ValueStoreError, match=r"column 'x' is a duration.ns. and cannot be kept in DuckDB"):
        io.save(python(), pa.table({"x": pa.array([1], pa.int64()).cast(pa.duration("ns"))}))


def test_types_that_the_driver_would_give_changed_come_as_text(io: DuckDBIO, file: Path) -> None:
    rows(file, "CREATE SCHEMA raw")
    rows(
        file,
        f"CREATE TABLE raw.events AS SELECT {2**128 - 1}::UHUGEINT AS n, '12:00:00+02'::TIMETZ AS at, '101'::BIT AS b",
    )
    assert io.load(python()).to_pylist() == [{"n": str(2**128 - 1), "at": "12:00:00+02", "b": "101"}]


def test_a_reader_keeps_what_it_began_with(io: DuckDBIO, file: Path) -> None:
    io.save(python(), pa.table({"id": [1]}))
    with duckdb.connect(str(file)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM raw.events").fetchall() == [(1,)]
        io.save(python(), pa.table({"id": [1, 2]}))
        assert reader.execute("SELECT count(*) FROM raw.events").fetchall() == [(1,)]
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM raw.events").fetchall() == [(2,)]


def test_threads_may_write_at_once(io: DuckDBIO) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: io.save(python(f"t{n % 3}"), pa.table({"n": [n]})), range(12)))
    assert all(io.load(python(f"t{n}")).num_rows == 1 for n in range(3))


def test_what_opens_the_file_at_the_same_moment_as_dbt_writes_it_all_the_same(io: DuckDBIO, file: Path) -> None:
    """DuckDB lets a second thread in before the first has added all functions, or refuses it for that moment."""
    io.save(python(), pa.table({"n": [0]}))
    with ThreadPoolExecutor(2) as pool:
        for number in range(60):
            both = Barrier(2)

            def as_dbt(both: Barrier = both) -> None:
                both.wait()
                with suppress(duckdb.Error):
                    duckdb.connect(str(file)).close()

            other = pool.submit(as_dbt)
            both.wait()
            io.save(python(), pa.table({"n": [number]}))
            other.result()


def test_the_options_of_dbt_let_both_use_one_file(file: Path) -> None:
    with duckdb.connect(str(file), config={"threads": 2, "preserve_insertion_order": False}) as dbt:
        dbt.execute("CREATE TABLE orders AS SELECT 1 AS id")
        io = DuckDBIO.from_url(f"duckdb:{file}?threads=2&preserve_insertion_order=False")
        assert io.load(python("orders")).to_pylist() == [{"id": 1}]
        io.save(python("scores"), pa.table({"id": [1]}))
        assert dbt.execute("SELECT count(*) FROM scores").fetchall() == [(1,)]


def test_other_options_than_dbt_are_explained(file: Path) -> None:
    io = DuckDBIO.from_url(f"duckdb:{file}")
    problem = pytest.raises(ValueStoreError, match="already open in this process with other options")
    with duckdb.connect(str(file), config={"threads": 2}), problem as caught:
        io.save(python(), pa.table({"id": [1]}))
    assert "config_options" in (caught.value.hint or "")


HOLDER = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.readline()"


@pytest.fixture
def holder(file: Path) -> Any:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_who_holds_the_file_is_named(io: DuckDBIO, file: Path, holder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assetry_duckdb.io, "PATIENCE", 0.0)
    with pytest.raises(ValueStoreError, match=f"PID {holder.pid}") as caught:
        io.save(python(), pa.table({"id": [1]}))
    if sys.platform == "linux":
        assert f"-c {HOLDER} {file}" in caught.value.message
    assert "retry" in (caught.value.hint or "")


def test_a_file_that_is_let_go_in_time_is_waited_for(io: DuckDBIO, holder: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(io.save, python(), pa.table({"id": [1]}))
        holder.communicate("let go\n")
        saving.result()
    assert io.load(python()).num_rows == 1


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(ValueStoreError, match="cannot be opened"):
        DuckDBIO.from_url(f"duckdb:{tmp_path / 'x.duckdb'}").load(python())


def test_attached_databases(tmp_path: Path, file: Path) -> None:
    other = tmp_path / "lake's.duckdb"
    io = DuckDBIO.from_url(f"duckdb:{file}?attach.lake={other}")
    asset = python(relation=("lake", "main", "events"))
    io.save(asset, pa.table({"id": [1]}))
    assert io.load(asset).to_pylist() == [{"id": 1}]
    assert rows(other, "SELECT id FROM main.events") == [(1,)]


def test_in_memory_it_lives_as_long_as_the_manager() -> None:
    io = DuckDBIO.from_url("duckdb::memory:")
    io.save(python(), pa.table({"id": [1]}))
    assert io.load(python()).num_rows == 1
    io.close()
    with pytest.raises(ValueStoreError, match="no value"):
        io.load(python())


@pytest.mark.parametrize(
    ("url", "path", "database"),
    [
        ("duckdb:a/we%20ird-1.db.duckdb", "a/we ird-1.db.duckdb", "we ird-1"),
        ("duckdb:///srv/shop.db", "/srv/shop.db", "shop"),
        ("duckdb::memory:", ":memory:", "memory"),
        ("duckdb:", ":memory:", "memory"),
        ("duckdb:md:shop", "md:shop", "shop"),
    ],
)
def test_urls(url: str, path: str, database: str) -> None:
    address = DuckDBAddress.from_url(url)
    assert (address.path, address.database) == (path, database)


def test_the_database_is_called_as_duckdb_calls_it(tmp_path: Path) -> None:
    for name in ("shop", "we ird-1.db.duckdb", "A.db"):
        path = tmp_path / name
        found = rows(path, "SELECT current_database()")[0][0]
        assert DuckDBAddress(str(path)).database == found


def test_partitions_that_come_at_once_are_all_kept(io: DuckDBIO) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: io.save(python(), pa.table({"n": [n], f"c{n % 2}": ["x"]}), str(n)), range(6)))
    assert sorted(io.load(python())["n"].to_pylist()) == list(range(6))


def test_a_look_makes_no_file_and_asks_each_database_once(tmp_path: Path) -> None:
    io = DuckDBIO.from_url(f"duckdb:{tmp_path}/shop.duckdb?attach.other={tmp_path}/other.duckdb")
    here, there = Asset(key="here", kind="python"), Asset(key="t", kind="dbt", relation=("other", "main", "T"))
    far = Asset(key="f", kind="dbt", relation=("elsewhere", "main", "f"))
    places = [(here, None), (there, None), (far, None)]
    assert io.exists(places) == [False, False, None]
    assert not list(tmp_path.iterdir())
    io.save(here, pa.table({"n": [1]}))
    with duckdb.connect(str(tmp_path / "other.duckdb")) as other:
        other.execute("create view t as select 1")
    assert io.exists([*places, (here, "a")]) == [True, True, None, True]


# -- what is deleted ----


def there(file: Path) -> set[str]:
    return {name for (name,) in rows(file, "SELECT table_name FROM information_schema.tables")}


def test_a_deleted_table_is_gone_and_others_stay(io: DuckDBIO, file: Path) -> None:
    table = pa.table({"id": [1]})
    io.save(python(), table)
    io.save(python("app/events_2"), table)
    rows(file, "CREATE VIEW raw.seen AS SELECT * FROM raw.events_2")
    io.delete(python())
    assert there(file) == {"events_2", "seen"}
    io.delete(python())
    io.delete(Asset(key="x", kind="dbt", relation=Relation("shop", "RAW", "SEEN")))
    assert there(file) == {"events_2"}


def test_of_a_deleted_partition_the_rows_go(io: DuckDBIO, file: Path) -> None:
    parts = python(partitions_def=DailyPartitionsDefinition("2024-01-01"))
    for day in ("2024-01-01", "2024-01-02"):
        io.save(parts, pa.table({"id": [1, 2]}), day)
    io.delete(parts, "2024-01-01")
    assert rows(file, "SELECT _partition, count(*) FROM raw.events GROUP BY ALL") == [("2024-01-02", 2)]
    whole = python("app/whole")
    io.save(whole, pa.table({"_partition": ["2024-01-01"]}))
    io.delete(whole, "2024-01-01")
    assert rows(file, "SELECT count(*) FROM raw.whole") == [(1,)], "that is a column of its own, and no partition"


def test_what_a_view_reads_is_not_deleted(io: DuckDBIO, file: Path) -> None:
    io.save(python(), pa.table({"id": [1], "old": [2]}))
    rows(file, "CREATE VIEW raw.broken AS SELECT old, id AS events FROM raw.events")
    rows(file, "ALTER TABLE raw.events DROP COLUMN old")
    rows(file, "CREATE VIEW raw.other AS SELECT 1 AS events")
    rows(file, "CREATE VIEW raw.a AS SELECT * FROM raw.events")
    rows(file, "CREATE VIEW raw.b AS SELECT * FROM raw.a")
    with pytest.raises(
        ValueStoreError, match=r"shop\.raw\.events cannot be dropped: the view shop\.raw\.a stands on it"
    ):
        io.delete(python())
    with pytest.raises(ValueStoreError, match=r"the view shop\.raw\.b stands on it"):
        io.delete(Asset(key="x", kind="dbt", relation=Relation("shop", "raw", "a")))
    assert rows(file, "SELECT * FROM raw.b") == [(1,)]
    for name in "ba":
        io.delete(Asset(key=name, kind="dbt", relation=Relation("shop", "raw", name)))
    io.delete(python())
    assert there(file) == {"broken", "other"}, "a view that could not be read before counts for nothing"


def test_a_table_that_is_out_of_reach_is_not_taken_for_gone(io: DuckDBIO, file: Path) -> None:
    far = Asset(key="x", kind="dbt", relation=Relation("lake", "raw", "events"))
    with pytest.raises(ValueStoreError, match=r"lake\.raw\.events is in a database that .* does not lead to"):
        io.delete(far)
    io.delete(python())
    assert not file.exists(), "looking for what is to go makes no file"
