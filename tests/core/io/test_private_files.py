from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from assetry.io.private_files import private_file, private_folder
from assetry.store.sqlite import SQLiteStore

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")

ASSETS = """
from assetry import asset, asset_check


@asset
def number() -> int:
    print("said")
    return 1


@asset_check(asset=number)
def is_one(number: int) -> bool:
    return number == 1
"""


def modes(folder: Path) -> dict[str, int]:
    return {
        str(each.relative_to(folder.parent)): stat.S_IMODE(each.stat().st_mode) for each in (folder, *folder.rglob("*"))
    }


def too_wide(folder: Path) -> dict[str, str]:
    """Return what others may do something with, below a folder that holds something."""
    found = modes(folder)
    assert len(found) > 1
    return {name: oct(mode) for name, mode in found.items() if mode & 0o077}


def run(folder: Path, umask: int, *arguments: str) -> None:
    call = [sys.executable, "-m", "assetry", *arguments]
    done = subprocess.run(call, cwd=folder, umask=umask, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_what_a_run_keeps_is_its_users_alone(tmp_path: Path, umask: int) -> None:
    (tmp_path / "assets.py").write_text(ASSETS)
    run(tmp_path, umask, "materialize", "-s", "number")
    assert too_wide(tmp_path / ".assetry") == {}
    assert modes(tmp_path / ".assetry")[".assetry"] == 0o700
    kept = {Path(name).name for name in modes(tmp_path / ".assetry")}
    assert {"state.db", ".gitignore", "number.pkl"} <= kept


def test_the_log_of_the_database_is_its_users_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = SQLiteStore(tmp_path / ".assetry" / "state.db")
        store.lease("none", {})
        assert {".assetry/state.db-wal", ".assetry/state.db-shm"} <= modes(tmp_path / ".assetry").keys()
        assert too_wide(tmp_path / ".assetry") == {}
    finally:
        os.umask(before)
        store.close()


def test_what_was_wider_before_is_tightened_when_it_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "assets.py").write_text(ASSETS)
    run(tmp_path, 0, "materialize", "-s", "number")
    state = tmp_path / ".assetry"
    for each in (state, *state.rglob("*")):
        each.chmod(0o777 if each.is_dir() else 0o666)
    run(tmp_path, 0, "materialize", "-s", "number")
    # What was written to, and all on the way there.
    wide = too_wide(state)
    assert wide.keys() <= {".assetry/.gitignore"}


def test_a_place_elsewhere_has_the_rights_that_the_umask_gives(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (tmp_path / "assets.py").write_text(ASSETS)
    (tmp_path / "assetry.toml").write_text('io = "parquet:shared/data"\nstore = "sqlite:shared/records.db"\n')
    run(tmp_path, 0o002, "materialize", "-s", "number")
    found = modes(shared)
    assert found["shared"] == found["shared/data"] == 0o775
    assert found["shared/data/number.pkl"] == 0o664
    assert found["shared/records.db"] & 0o060
    shared.chmod(0o777)
    run(tmp_path, 0o002, "materialize", "-s", "number")
    assert modes(shared)["shared"] == 0o777


def test_a_link_to_elsewhere_is_left_as_it_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    elsewhere.chmod(0o755)
    (tmp_path / ".assetry").symlink_to(elsewhere)
    private_file(tmp_path / ".assetry" / "a")
    assert modes(elsewhere) == {"elsewhere": 0o755, "elsewhere/a": 0o600}


def test_a_file_keeps_its_content_and_a_folder_may_be_in_the_way(tmp_path: Path) -> None:
    file = tmp_path / ".assetry" / "a" / "b"
    private_file(file).write_text("kept")
    assert private_file(file).read_text() == "kept"
    with pytest.raises(FileExistsError):
        private_folder(file)
    assert not private_file(tmp_path / "plain").exists()
