"""Files that are replaced as a whole: what killed writers left goes, what living ones write stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from assetry.io.files import FileIO
from assetry.io.parts import replace, sweep
from assetry.types.assets import Asset

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks on Windows")

WRITER = """
import sys
from pathlib import Path
from assetry.io.parts import replace

def write(file):
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    sys.stdin.readline()

replace(Path(sys.argv[1]), write)
"""


def writer(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    return process


def parts(folder: Path) -> list[Path]:
    return list(folder.glob(".*.part"))


@posix
def test_what_a_killed_writer_left_is_swept_by_the_next_save(tmp_path: Path) -> None:
    process = writer(tmp_path / "a.pkl")
    process.kill()
    process.wait()
    assert parts(tmp_path)
    FileIO(tmp_path).save(Asset(key="b", kind="python"), 42)
    assert not parts(tmp_path)


@posix
def test_what_a_living_writer_writes_is_left(tmp_path: Path) -> None:
    process = writer(tmp_path / "a.pkl")
    sweep(tmp_path)
    assert parts(tmp_path)
    process.communicate("\n")
    assert process.returncode == 0
    assert (tmp_path / "a.pkl").read_bytes() == b"half"
    assert not parts(tmp_path)


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        replace(path, lambda file: file.write(b"new") / 0)
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_a_folder_that_is_not_there_is_swept() -> None:
    sweep(Path("no/such/folder"))
