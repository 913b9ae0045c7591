"""Which program is meant: by a path, by a name, or as the one beside this Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry_toolkit.commands import find_program


def made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_one_that_is_named_beats_that_of_this_environment_which_beats_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "env" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert find_program("mill") is None
    on_path = made(tmp_path / "bin" / "mill")
    assert find_program("mill") == str(on_path)
    beside = made(tmp_path / "env" / "mill")
    assert find_program("mill") == str(beside)
    own = made(tmp_path / "project" / "tools" / "mill")
    assert find_program("mill", "tools/mill", root=tmp_path / "project") == str(own)
    assert find_program("mill", str(own)) == str(own)
    assert find_program("mill", "tools/mill", root=tmp_path) is None


def test_a_name_is_looked_for_on_path_before_it_is_a_file_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    own = made(tmp_path / "project" / "mill-2")
    assert find_program("mill", "mill-2", root=tmp_path / "project") == str(own)
    on_path = made(tmp_path / "bin" / "mill-2")
    assert find_program("mill", "mill-2", root=tmp_path / "project") == str(on_path)
