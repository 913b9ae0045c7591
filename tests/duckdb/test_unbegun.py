"""Files that DuckDB did not come to begin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from assetry import Asset
from assetry.errors import ValueStoreError
from assetry_duckdb.io import DuckDBIO
from assetry_duckdb.unbegun import HEADERS, remove_unbegun

#: Begin a file on a disk that has room for so many bytes only.
BEGIN = """
import resource, signal, sys, duckdb
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
duckdb.connect(sys.argv[1])
"""


@pytest.mark.parametrize("room", [0, 4096, 8192])
def test_a_file_that_a_full_disk_kept_from_being_begun_is_begun_anew(tmp_path: Path, room: int) -> None:
    file = tmp_path / "shop.duckdb"
    begun = subprocess.run([sys.executable, "-c", BEGIN, str(file), str(room)], capture_output=True, check=False)
    assert begun.returncode != 0
    assert file.stat().st_size == room < HEADERS
    with pytest.raises(duckdb.IOException):
        duckdb.connect(str(file))
    io, asset = DuckDBIO.from_url(f"duckdb:{file}"), Asset(key="orders", kind="python")
    io.save(asset, pa.table({"n": [1, 2]}))
    assert io.load(asset).to_pydict() == {"n": [1, 2]}


def test_what_is_no_file_of_duckdb_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not to be lost")
    io = DuckDBIO.from_url(f"duckdb:{file}")
    with pytest.raises(ValueStoreError, match="cannot be opened"):
        io.save(Asset(key="orders", kind="python"), pa.table({"n": [1]}))
    assert file.read_text() == "not to be lost"


def test_a_file_with_tables_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    duckdb.connect(str(file)).close()
    assert file.stat().st_size >= HEADERS
    assert not remove_unbegun(file)
    assert file.exists()


def test_one_that_somebody_is_beginning_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "shop.duckdb"
    file.touch()
    lock = "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", lock, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert not remove_unbegun(file)
        other.communicate("\n")
    assert remove_unbegun(file)
