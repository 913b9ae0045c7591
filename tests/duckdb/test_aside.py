"""Tests of DuckDB files in folders and of names that have signs in them; see `assetry_duckdb.aside`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pytest
from assetry.plugin import Asset, ValueStoreError
from assetry_duckdb.aside import writable
from assetry_duckdb.io import DuckDBIO


def keeper(folder: Path, name: str = "shop.duckdb") -> DuckDBIO:
    folder.mkdir(exist_ok=True)
    return DuckDBIO.from_url(f"duckdb:{quote(str(folder / name))}")


def frame(name: str) -> Asset:
    return Asset(key=name, kind="python")


@pytest.mark.parametrize("name", ["what?", "#50%20 now", "a b", "it's [x]"])
def test_a_folder_with_signs_holds_the_file_and_nothing_else(tmp_path: Path, name: str) -> None:
    io = keeper(tmp_path / name)
    io.save(frame("a"), pa.table({"id": [1, 2]}))
    io.save(frame("b"), pa.table({"id": [3]}))
    assert keeper(tmp_path / name).load(frame("a")).to_pydict() == {"id": [1, 2]}
    assert io.load(frame("b")).to_pydict() == {"id": [3]}
    assert [each.name for each in (tmp_path / name).iterdir()] == ["shop.duckdb"]
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_file_with_a_question_mark_in_its_name(tmp_path: Path) -> None:
    io = keeper(tmp_path, "shop?.duckdb")
    io.save(frame("a"), pa.table({"id": [1]}))
    assert io.load(frame("a")).to_pydict() == {"id": [1]}
    assert str(io.relation(frame("a"))) == "shop.main.a"


def test_writers_side_by_side_lose_nothing(tmp_path: Path) -> None:
    io = keeper(tmp_path / "what?")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: io.save(frame(f"t{i}"), pa.table({"id": [i]})), range(8)))
    assert [io.load(frame(f"t{i}")).to_pydict() for i in range(8)] == [{"id": [i]} for i in range(8)]


def test_what_is_refused_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    io = keeper(tmp_path / "what?")
    io.save(frame("a"), pa.table({"id": [1]}))
    with pytest.raises(ValueStoreError):
        io.save(frame("a"), pa.table({}))
    file = tmp_path / "what?" / "shop.duckdb"
    before = file.read_bytes()
    with suppress(ZeroDivisionError), writable(str(file)) as path:
        assert Path(path) != file
        Path(path).write_bytes(b"")
        raise ZeroDivisionError
    assert file.read_bytes() == before
