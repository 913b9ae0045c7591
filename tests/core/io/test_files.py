"""ValueRouter in files, in memory, and the choice between places."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from assetry.errors import DefinitionError, NothingKeptError, ValueStoreError
from assetry.io.files import FileIO
from assetry.io.memory import MemoryIO
from assetry.io.plugin import assetry_open_io
from assetry.io.values import ValueRouter
from assetry.types.assets import Asset, Integration, Relation
from assetry.types.keys import AssetKey
from assetry.types.protocols import IOManager, Rows, Saved
from hypothesis import given
from hypothesis import strategies as st

TABLE = pa.table({"id": [1, 2]})


def python(key: str = "shop/orders", **more: Any) -> Asset:
    return Asset(key=key, kind="python", kept=True, **more)


@pytest.fixture
def files(tmp_path: Path) -> FileIO:
    return FileIO(tmp_path / "data")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# -- what is there ----


def test_each_folder_is_listed_once(files: FileIO, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [python(f"shop/a{number}") for number in range(3)] + [python("top")]
    for each in kept:
        files.save(each, 1)
    files.save(python("parts"), TABLE, "a/b")
    listed: list[str] = []
    look = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(str(path)) or look(path))
    places = [*((each, None) for each in kept), (python("shop/a9"), None), (python("nowhere/x"), None)]
    parts = [(python("parts"), "a/b"), (python("parts"), None), (python("parts"), "c"), (python("top"), "c")]
    assert files.exists([*places, *parts]) == [True] * 4 + [False] * 2 + [True, True, False, False]
    assert len(listed) == len(set(listed)) == 5


def test_a_folder_that_cannot_be_listed_tells_nothing(files: FileIO, monkeypatch: pytest.MonkeyPatch) -> None:
    files.save(python(), TABLE)

    def refuse(_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "scandir", refuse)
    assert files.exists([(python(), None)]) == [None]


# -- files -------------------------------------------------------------------------------------------------------


def test_tables_are_parquet_and_all_else_is_pickled(files: FileIO) -> None:
    saved = files.save(python(), TABLE)
    assert files.load(python()).equals(TABLE)
    assert (saved.metadata, [column[:2] for column in saved.columns or ()]) == ({"rows": 2}, [("id", "int64")])
    saved = files.save(python("model"), {"weights": (1, 2)})
    assert files.load(python("model")) == {"weights": (1, 2)}
    assert (saved.columns, saved.metadata["type"]) == (None, "dict")
    assert names(files.folder) == ["model.pkl", "shop/orders.parquet"]
    assert pq.read_table(files.folder / "shop" / "orders.parquet").equals(TABLE)


def test_versions_follow_the_content(files: FileIO) -> None:
    first = files.save(python(), TABLE).data_version
    assert files.save(python(), pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])).data_version == first
    assert files.save(python(), TABLE.slice(1)).data_version != first
    assert files.save(python("n"), 1).data_version != files.save(python("n"), 2).data_version


def test_another_kind_of_value_takes_the_place(files: FileIO) -> None:
    files.save(python(), TABLE)
    files.save(python(), 7)
    assert files.load(python()) == 7
    assert names(files.folder) == ["shop/orders.pkl"]
    files.save(python(), TABLE)
    assert names(files.folder) == ["shop/orders.parquet"]


def test_of_two_files_that_a_killed_save_left_the_newer_counts(files: FileIO) -> None:
    files.save(python(), TABLE)
    old = files.folder / "shop" / "orders.parquet"
    kept = old.read_bytes()
    files.save(python(), 7)
    old.write_bytes(kept)
    os.utime(old, ns=(0, 0))
    assert files.load(python()) == 7


def test_partitions_stand_beside_keys(files: FileIO) -> None:
    files.save(python(), TABLE, "2024-01-01")
    files.save(python(), TABLE.slice(1), "2024-01-02")
    files.save(python("shop/orders/2024-01-01"), 7)
    assert files.load(python(), "2024-01-02").equals(TABLE.slice(1))
    assert files.load(python()).column("id").to_pylist() == [1, 2, 2]
    files.save(python("model"), 1, "a/b")
    files.save(python("model"), 2, "..")
    assert files.load(python("model")) == {"..": 2, "a/b": 1}
    with pytest.raises(ValueStoreError, match="partition 'c' of 'model'"):
        files.load(python("model"), "c")


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=3), st.none() | st.text(max_size=8))
def test_a_file_is_below_the_folder_and_belongs_to_one_key(parts: list[str], partition: str | None) -> None:
    try:
        key = AssetKey(parts)
    except DefinitionError:
        return
    folder = Path("/data")
    path = FileIO(folder)._base(key, partition)
    assert os.path.normpath(path) == str(path)
    assert path.is_relative_to(folder)
    assert path != folder
    others = [AssetKey([*parts, "x"]), AssetKey(["x", *parts]), AssetKey([*parts[:-1], parts[-1] + "x"])]
    assert all(FileIO(folder)._base(other, partition) != path for other in others)
    assert FileIO(folder)._base(key, "x" if partition is None else None) != path


def test_no_value_is_said_with_the_next_step(files: FileIO) -> None:
    with pytest.raises(ValueStoreError, match="There is no value of 'shop/orders'") as caught:
        files.load(python(source="assets.py:3"))
    assert caught.value.hint == "Materialize it first: `assetry materialize -s shop/orders`."
    assert caught.value.where == "assets.py:3"


def test_a_damaged_file_is_named(files: FileIO) -> None:
    files.save(python(), TABLE)
    (files.folder / "shop" / "orders.parquet").write_bytes(b"damaged")
    with pytest.raises(ValueStoreError, match="cannot be read") as caught:
        files.load(python())
    assert (caught.value.where or "").endswith("orders.parquet")


def test_what_cannot_be_pickled_leaves_the_old_value(files: FileIO) -> None:
    files.save(python(), 1)
    with pytest.raises(ValueStoreError, match="a function, cannot be pickled"):
        files.save(python(), lambda: None)
    with pytest.raises(ValueStoreError, match="cannot be pickled"):
        files.save(python(), threading.Lock())
    assert files.load(python()) == 1
    assert names(files.folder) == ["shop/orders.pkl"]


FULL = """
import resource, sys
import numpy as np, pyarrow as pa
from pathlib import Path
from assetry.types.assets import Asset
from assetry.errors import ValueStoreError
from assetry.io.files import FileIO
files, asset = FileIO(Path(sys.argv[1])), Asset(key="big", kind="python", kept=True)
files.save(asset, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
for value in (b"x" * 100_000, pa.table({"n": np.random.default_rng(1).integers(0, 2**60, 100_000)})):
    try:
        files.save(asset, value)
    except ValueStoreError as error:
        print(error.message, "|", error.hint)
print(files.load(asset))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are POSIX")
def test_without_room_the_old_value_stays_and_nothing_else_is_left(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for line in lines[:2]:
        assert line.startswith(
            "The value of 'big' cannot be kept: there is no room for it on the disk. | Free some space"
        )
    assert lines[2] == "1"
    assert names(tmp_path) == ["big.pkl"]


KILLED = """
import sys
from pathlib import Path
from assetry.types.assets import Asset
from assetry.io.files import FileIO
files, asset = FileIO(Path(sys.argv[1])), Asset(key="n", kind="python", kept=True)
print("ready", flush=True)
n = 0
while True:
    n += 1
    files.save(asset, [n] * 50_000)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_killed_at_any_moment_a_whole_value_is_there(tmp_path: Path) -> None:
    files = FileIO(tmp_path)
    files.save(python("n"), [0] * 50_000)
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    while files.load(python("n"))[0] == 0:
        pass  # until it has saved at least once
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(set(files.load(python("n")))) == 1


def test_threads_may_save_and_load_one_value(files: FileIO) -> None:
    files.save(python("n"), [0] * 100)

    def work(number: int) -> None:
        files.save(python("n"), [number] * 100)
        assert len(set(files.load(python("n")))) == 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(20)))
    assert names(files.folder) == ["n.pkl"]


def test_urls(tmp_path: Path) -> None:
    opened = assetry_open_io(f"parquet:{tmp_path}/50% off")
    assert isinstance(opened, FileIO)
    assert opened.folder == tmp_path / "50% off"
    assert isinstance(assetry_open_io("memory:"), MemoryIO)


# -- memory ------------------------------------------------------------------------------------------------------


def test_memory_keeps_the_very_object_where_it_cannot_be_copied() -> None:
    memory, value = MemoryIO(), lambda: None
    saved = memory.save(python(), value)
    assert memory.load(python()) is value
    assert saved.data_version is None
    memory.save(python("parts"), TABLE, "a")
    memory.save(python("parts"), TABLE, "b")
    assert memory.load(python("parts")).num_rows == 4
    with pytest.raises(ValueStoreError):
        memory.load(python("other"))


# -- the choice --------------------------------------------------------------------------------------------------


class Warehouse(MemoryIO):
    """Be a place that keeps tables only."""

    form: Literal["arrow", "any"] = "arrow"
    closed = 0

    def relation(self, asset: Asset) -> Relation | None:
        return Relation("db", "main", asset.key.name)

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        assert isinstance(value, pa.Table)
        return super().save(asset, value, partition)

    def close(self) -> None:
        self.closed += 1


class Places:
    """Open places by URL and remember them."""

    def __init__(self) -> None:
        self.opened: dict[str, IOManager] = {}

    def __call__(self, url: str) -> IOManager | None:
        assert url not in self.opened
        manager = Warehouse() if url.startswith("warehouse:") else assetry_open_io(url)
        if manager is not None:
            self.opened[url] = manager
        return manager


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., ValueRouter]:
    def made(default: str = "warehouse:", **more: Any) -> ValueRouter:
        return ValueRouter(more.pop("places", Places()), default, files=f"parquet:{tmp_path}", **more)

    return made


def test_tables_go_to_the_warehouse_and_objects_to_files(make: Callable[..., ValueRouter], tmp_path: Path) -> None:
    values = make()
    assert values.save(python("t"), pd.DataFrame({"id": [1]})).metadata["io"] == "project"
    assert values.save(python("o"), {"a": 1}).metadata["io"] == "files"
    assert names(tmp_path) == ["o.pkl"]
    assert values.load(python("t"), pa.Table).to_pylist() == [{"id": 1}]
    assert values.load(python("o")) == {"a": 1}
    assert values.relation(python("t")) == ("db", "main", "t")
    assert values.relation(Asset(key="t", kind="x", relation=("a", "b", "c"))) == ("a", "b", "c")


def test_a_place_for_anything_takes_both(make: Callable[..., ValueRouter], tmp_path: Path) -> None:
    values = make("memory:")
    values.save(python("t"), pd.DataFrame({"id": [1]}))
    values.save(python("o"), {"a": 1})
    assert names(tmp_path) == []
    assert isinstance(values.load(python("t")), pd.DataFrame)


def test_a_later_process_finds_a_value_by_its_record(make: Callable[..., ValueRouter]) -> None:
    records: dict[AssetKey, Mapping[str, Any]] = {}
    places = Places()
    before = make(places=places)
    records[AssetKey("o")] = before.save(python("o"), {"a": 1}).metadata
    records[AssetKey("t")] = before.save(python("t"), TABLE).metadata
    records[AssetKey("n")] = {"io": "none"}
    later = ValueRouter(
        places.opened.__getitem__, "warehouse:", files=before.files, last_metadata=lambda key, _: {None: records[key]}
    )
    assert later.load(python("o")) == {"a": 1}
    assert later.load(python("t"), pa.Table).equals(TABLE)
    with pytest.raises(ValueStoreError, match="returned nothing when it was made") as caught:
        later.load(python("n"))
    assert "deps=['n']" in (caught.value.hint or "")


def test_what_became_a_table_is_read_as_one_now(make: Callable[..., ValueRouter]) -> None:
    values = make()
    values.save(python("x"), {"a": 1})
    values.save(python("x"), TABLE)
    assert values.load(python("x"), pa.Table).equals(TABLE)


def test_without_a_record_both_places_are_tried(make: Callable[..., ValueRouter], tmp_path: Path) -> None:
    FileIO(tmp_path).save(python("o"), 5)
    assert make().load(python("o")) == 5
    assert make().load(replace(python("o"), kind="acme")) == 5
    with pytest.raises(ValueStoreError):
        make().load(replace(python("o"), kept=False))  # a tool keeps it, and never in our files
    with pytest.raises(ValueStoreError, match="no value of 'gone' in memory"):
        make().load(python("gone"))


def test_another_integration_says_where_its_tables_are(make: Callable[..., ValueRouter]) -> None:
    asked: list[str] = []

    def io_url(integration: Integration) -> str | None:
        asked.append(integration.name)
        return "warehouse:dbt" if integration.kind == "dbt" else None

    places = Places()
    values = make(places=places, io_url=io_url)
    orders = Asset(key="shop/orders", kind="dbt", integration=Integration("shop", "dbt"))
    synced = Asset(key="raw/users", kind="airbyte", integration=Integration("sync", "airbyte"))
    with pytest.raises(ValueStoreError):
        values.load(orders)
    places.opened["warehouse:dbt"].save(orders, TABLE)
    assert values.load(orders, pa.Table).equals(TABLE)
    values.save(python("any"), TABLE)
    places.opened["warehouse:"].save(synced, TABLE)
    assert values.load(synced, pa.Table).equals(TABLE)
    assert asked == ["shop", "sync"]


def test_an_asset_s_own_place_counts_first(make: Callable[..., ValueRouter]) -> None:
    places = Places()
    values = make(places=places)
    own = python("own", io="memory:own")
    values.save(own, {"a": 1})
    assert values.load(own) == {"a": 1}
    assert list(places.opened) == ["memory:own"]
    with pytest.raises(ValueStoreError, match="its io_manager keeps tables only"):
        values.save(python("t", io="warehouse:own"), {"a": 1})


def test_an_object_asked_for_as_a_table_is_refused(make: Callable[..., ValueRouter]) -> None:
    values = make()
    values.save(python("o"), {"a": 1})
    with pytest.raises(ValueStoreError, match=r"asked for as pandas\.DataFrame, but its value is a dict"):
        values.load(python("o"), pd.DataFrame)


def test_facts_are_added_and_a_place_nobody_keeps_is_an_error(make: Callable[..., ValueRouter]) -> None:
    values = make(describe=lambda value: {"seen": type(value).__name__, "rows": -1})
    assert values.save(python("t"), pd.DataFrame({"id": [1]})).metadata == {
        "seen": "DataFrame",
        "rows": 1,
        "io": "project",
    }
    with pytest.raises(ValueStoreError, match="No plugin keeps values at 'nowhere' URLs"):
        ValueRouter(lambda _: None, "nowhere:secret@place").load(python("t"))


def test_a_place_is_opened_once_and_closed(make: Callable[..., ValueRouter]) -> None:
    places = Places()
    values = make(places=places)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: values.save(python(f"t{n}"), TABLE), range(8)))
    warehouse = places.opened["warehouse:"]
    values.close()
    assert isinstance(warehouse, Warehouse)
    assert warehouse.closed == 1
    values.load(python("t1"))
    assert places.opened["warehouse:"] is warehouse


def test_values_of_two_processes(tmp_path: Path) -> None:
    code = textwrap.dedent(
        """
        import sys
        from assetry.types.assets import Asset
        from assetry.io.plugin import assetry_open_io
        from assetry.io.values import ValueRouter
        values = ValueRouter(assetry_open_io, f"parquet:{sys.argv[1]}", files=f"parquet:{sys.argv[1]}")
        print(values.save(Asset(key="o", kind="python", kept=True), {"a": [1, 2.5, None, "x"]}).data_version)
        """
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    values = ValueRouter(assetry_open_io, f"parquet:{tmp_path}", files=f"parquet:{tmp_path}")
    assert values.load(python("o")) == {"a": [1, 2.5, None, "x"]}
    assert values.save(python("o"), {"a": [1, 2.5, None, "x"]}).data_version == done.stdout.strip()


def _rows(columns: Any, *mode: Any, **more: Any) -> Rows:
    table = pa.table(columns)
    return Rows(lambda: pa.RecordBatchReader.from_batches(table.schema, table.to_batches()), *mode, **more)


def test_rows_are_put_together_where_a_manager_keeps_whole_tables_only(tmp_path: Path) -> None:
    values = ValueRouter(assetry_open_io, f"parquet:{tmp_path}")
    orders = Asset(key="orders", kind="airbyte")
    values.save(orders, _rows({"id": [1, 1, 2], "at": [2, 1, 1]}, keys=("id",), newest="at"))
    assert values.load(orders, pa.Table).to_pylist() == [{"id": 1, "at": 2}, {"id": 2, "at": 1}]
    saved = values.save(orders, _rows({"id": [1, 2, 3], "at": [1, 1, 5]}, "merge", keys=("id",), newest="at"))
    assert values.load(orders, pa.Table).to_pylist() == [{"id": 1, "at": 2}, {"id": 2, "at": 1}, {"id": 3, "at": 5}]
    assert (saved.data_version, saved.metadata["rows"], saved.metadata["changed"]) == (None, 3, 1)
    saved = values.save(orders, _rows({"id": [3], "new": ["x"]}, "append"))
    assert values.load(orders, pa.Table).to_pylist()[-1] == {"id": 3, "at": None, "new": "x"}


def test_rows_are_not_added_to_nothing_nor_to_what_cannot_be_read(tmp_path: Path) -> None:
    values = ValueRouter(assetry_open_io, f"parquet:{tmp_path}")
    orders = Asset(key="orders", kind="airbyte")
    with pytest.raises(NothingKeptError):
        values.save(orders, _rows({"id": [1]}, "append", existing=True))
    (tmp_path / "orders.parquet").write_text("no Parquet")
    with pytest.raises(ValueStoreError, match="cannot be read"):
        values.save(orders, _rows({"id": [1]}, "append"))


# -- partitions and wholes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["files", "memory"])
def test_a_whole_takes_the_place_of_partitions_and_they_its(place: str, tmp_path: Path) -> None:
    io = FileIO(tmp_path) if place == "files" else MemoryIO()
    one, two, whole = (pa.table({"n": [n]}) for n in (1, 2, 9))
    io.save(python(), one, "1")
    io.save(python(), two, "2")
    io.save(python(), whole)
    assert io.load(python()).to_pylist() == [{"n": 9}]
    with pytest.raises(NothingKeptError):
        io.load(python(), "2")
    io.save(python(), one, "1")
    assert io.load(python()).to_pylist() == [{"n": 1}]
    assert names(tmp_path) == (["shop/orders=partitions/1.parquet"] if place == "files" else [])


def test_of_a_whole_and_partitions_that_a_killed_save_left_the_newer_counts(files: FileIO) -> None:
    files.save(python(), pa.table({"n": [9]}))
    old = files.folder / "shop" / "orders.parquet"
    kept = old.read_bytes()
    files.save(python(), pa.table({"n": [1]}), "1")
    old.write_bytes(kept)
    os.utime(old, ns=(0, 0))
    assert files.load(python()).to_pylist() == [{"n": 1}]
    os.utime(old)
    assert files.load(python()).to_pylist() == [{"n": 9}]


@pytest.mark.parametrize("place", ["files", "memory"])
def test_partitions_of_different_types_come_together_or_are_refused(place: str, tmp_path: Path) -> None:
    io = FileIO(tmp_path) if place == "files" else MemoryIO()
    io.save(python(), pd.DataFrame({"s": [], "v": []}), "1")
    io.save(python(), pd.DataFrame({"s": ["a"], "v": [1]}), "2")
    io.save(python(), pd.DataFrame({"s": ["b"], "v": [1.5]}), "3")
    assert io.load(python()).to_pylist() == [{"s": "a", "v": 1.0}, {"s": "b", "v": 1.5}]
    assert io.load(python(), "2").to_pylist() == [{"s": "a", "v": 1}]
    io.save(python(), pd.DataFrame({"s": [3], "v": [1.5]}), "3")
    with pytest.raises(ValueStoreError, match="column 's' is string in partition '2' and int64 in partition '3'"):
        io.load(python())


def test_what_parquet_cannot_hold_is_named(files: FileIO) -> None:
    table = pa.table({"fine": [1], "odd": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    with pytest.raises(ValueStoreError, match=r"column 'odd' is a month_day_nano_interval .* in Parquet files"):
        files.save(python(), table)
    assert names(files.folder) == []


def test_memory_keeps_the_rows_of_a_stream(tmp_path: Path) -> None:
    memory = MemoryIO()
    memory.save(python(), TABLE.to_reader())
    assert memory.load(python()).equals(TABLE)
    assert memory.load(python()).equals(TABLE)


@pytest.mark.parametrize("place", ["files", "memory"])
def test_categories_stay_and_those_of_partitions_come_together(place: str, tmp_path: Path) -> None:
    io = FileIO(tmp_path) if place == "files" else MemoryIO()
    one, other = (pd.DataFrame({"c": pd.Categorical([name])}) for name in ("a", "b"))
    text = io.save(python("text"), pd.DataFrame({"c": ["a"]}))
    saved = io.save(python(), one, "1")
    assert (saved.data_version, saved.columns) == (text.data_version, text.columns)
    values = ValueRouter(lambda _: io, "place:")
    assert values.load(python(), pd.DataFrame, "1")["c"].dtype == "category"
    io.save(python(), other, "2")
    io.save(python(), pd.DataFrame({"c": ["x"] * 2}), "3")
    assert values.load(python())["c"].tolist() == ["a", "b", "x", "x"]


@pytest.mark.parametrize("names", [["a", "A"], [""], ["a\0b"], ["x" * 300]])
def test_files_keep_any_name_of_a_column(files: FileIO, names: list[str]) -> None:
    table = pa.table([[1]] * len(names), names=names)
    files.save(python(), table)
    assert files.load(python()).equals(table)


@pytest.mark.parametrize("place", ["files", "memory"])
def test_partitions_that_come_at_once_are_all_kept(place: str, tmp_path: Path) -> None:
    io = FileIO(tmp_path) if place == "files" else MemoryIO()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: io.save(python(), pa.table({"n": [n]}), str(n)), range(64)))
    assert sorted(io.load(python())["n"].to_pylist()) == list(range(64))


def test_what_is_done_to_a_value_changes_none_that_memory_keeps() -> None:
    values = ValueRouter(assetry_open_io, "memory:")
    model: dict[str, list[int]] = {"a": [1]}
    values.save(python("model"), model)
    for each in (model, values.load(python("model"))):
        each["a"].append(2)
    assert values.load(python("model")) == {"a": [1]}

    cells = np.array([1.5])
    values.save(python(), pd.DataFrame({"a": cells}, copy=False))
    cells[0] = 9.5
    given = values.load(python())
    given.loc[0, "a"] = 9.5
    assert values.load(python())["a"].tolist() == [1.5]


def test_rows_with_lists_of_uuids_are_kept(files: FileIO) -> None:
    table = pa.table({"x": pa.ListArray.from_arrays([0, 1], pa.array([b"0" * 16], pa.uuid()))})
    saved = files.save_rows(Asset(key="ids", kind="python"), Rows(table.to_reader, "replace"))
    assert [each.type for each in saved.columns or ()] == ["list<item: extension<arrow.uuid>>"]


# -- what is deleted ----


def test_a_deleted_value_leaves_no_file_and_no_empty_folder(files: FileIO) -> None:
    deep, beside, parts = python("shop/eu/orders"), python("shop/items"), python("shop/eu/days")
    files.save(deep, TABLE)
    files.save(beside, {"any": "value"})
    for day in ("2026/01", "2026-02"):
        files.save(parts, TABLE, day)
    files.delete(parts, "2026/01")
    assert files.exists([(parts, "2026/01"), (parts, "2026-02")]) == [False, True]
    files.delete(deep)
    files.delete(parts)
    assert names(files.folder) == ["shop/items.pkl"]
    assert not (files.folder / "shop" / "eu").exists()
    files.delete(beside)
    assert [*files.folder.iterdir()] == []


def test_what_cannot_be_deleted_is_told_with_its_place(files: FileIO, monkeypatch: pytest.MonkeyPatch) -> None:
    files.save(python(), TABLE)

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(ValueStoreError, match="'shop/orders' cannot be removed: Permission denied") as told:
        files.delete(python())
    assert told.value.where is not None
