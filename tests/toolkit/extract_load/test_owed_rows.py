"""What tables owe, kept between runs and processes."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from assetry_toolkit.extract_load.owed_rows import Owed, OwedRows, Unkept


def test_what_is_owed_is_kept_by_line_and_stream_until_it_is_paid(tmp_path: Path) -> None:
    def owed(line: str) -> OwedRows:
        return OwedRows(tmp_path / "owed.json", line)

    assert owed("shop").of("orders") is None
    owed("shop").note("orders", Owed(40, lost=True))
    owed("crm").note("orders", Owed(7))
    assert (owed("shop").of("orders"), owed("crm").of("orders")) == (Owed(40, lost=True), Owed(7))
    owed("shop").note("orders", None)
    assert (owed("shop").of("orders"), owed("crm").of("orders")) == (None, Owed(7))


@pytest.mark.parametrize("kept", [1, [], {"orders": 3}, {"orders": {"rows": "x"}}, {"orders": {"of": 1}}])
def test_what_is_of_another_form_counts_as_nothing(tmp_path: Path, kept: Any) -> None:
    path = tmp_path / "owed.json"
    path.write_text(json.dumps({"shop": kept}))
    owed = OwedRows(path, "shop")
    assert owed.of("orders") is None
    owed.note("users", Owed(5))
    assert (owed.of("orders"), owed.of("users")) == (None, Owed(5))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can make a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Write until nothing more fits."""
    with suppress(OSError), (disk / "rest").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)


def test_a_disk_that_fills_up_during_a_run_has_room_for_what_it_owes(small_disk: Path) -> None:
    owed = OwedRows(small_disk / "owed.json", "shop")
    owed.reserve()
    owed.note("users", Owed(5))
    owed.reserve()
    fill(small_disk)
    owed.note("orders", Owed(40, lost=True))
    assert (owed.of("orders"), owed.of("users")) == (Owed(40, lost=True), Owed(5))
    fill(small_disk)
    with pytest.raises(Unkept, match=r"What tables owe cannot be kept in .*/owed.json: No space left on device"):
        owed.reserve()


def test_what_cannot_be_kept_is_an_error_that_names_the_place_and_keeps_what_was(small_disk: Path) -> None:
    owed = OwedRows(small_disk / "owed.json", "shop")
    owed.note("users", Owed(5))
    fill(small_disk)
    with pytest.raises(
        Unkept, match=r"What the table of orders owes cannot be kept in .*/owed.json: No space"
    ) as caught:
        owed.note("orders", Owed(40))
    assert "on a disk that is not full" in str(caught.value.hint)
    assert (owed.of("orders"), owed.of("users")) == (None, Owed(5))


def test_what_cannot_be_read_does_not_count_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "owed.json").mkdir()
    with pytest.raises(Unkept, match=r"What the table of orders owes cannot be read in .*: Is a directory"):
        OwedRows(tmp_path / "owed.json", "shop").of("orders")
    (tmp_path / "file").touch()
    with pytest.raises(Unkept, match=r"What tables owe cannot be kept in"):
        OwedRows(tmp_path / "file" / "below" / "owed.json", "shop").reserve()
