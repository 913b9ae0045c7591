"""What loading is given hears what a load depends on."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry.errors import UsageError
from assetry.hooks.loading import Loading


def test_paths_start_from_the_root_and_are_looked_at_once_when_they_are_named(tmp_path: Path) -> None:
    seen: list[Path] = []
    loading = Loading(str(tmp_path), look=seen.append)
    loading.reads("sql", tmp_path / "a" / ".." / "b.json")
    loading.reads("sql/")
    assert seen == [tmp_path / "sql", tmp_path / "b.json"]


def test_a_variable_is_what_it_was_when_it_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    loading = Loading(".")
    monkeypatch.setenv("MILL_GRAIN", "fine")
    loading.reads(variables="MILL_GRAIN")
    monkeypatch.setenv("MILL_GRAIN", "coarse")
    loading.reads(variables=["MILL_GRAIN", "MILL_OF_NOTHING"])
    assert loading.variables == {"MILL_GRAIN": "fine", "MILL_OF_NOTHING": None}


def test_it_notes_that_something_was_said_and_that_a_secret_was_asked_for() -> None:
    loading = Loading(".", secret={"TOKEN": "t0ken"}.__getitem__)
    assert (loading.told, loading.secret_asked) == (False, False)
    loading.reads()
    assert loading.secret("TOKEN") == "t0ken"
    assert (loading.told, loading.secret_asked) == (True, True)
    with pytest.raises(UsageError, match="A_SECRET_THAT_IS_NOT_SET is not set"):
        Loading(".").secret("A_SECRET_THAT_IS_NOT_SET")
