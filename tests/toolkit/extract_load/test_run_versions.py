"""Which run last moved rows of a stream, against a plain account of all runs."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from assetry_toolkit.extract_load.run_versions import RunVersions
from hypothesis import given
from hypothesis import strategies as st

STREAMS = ("a", "b")
#: A run: of somebody else (None), or of ours with what was counted of the streams it was of; -1 stands for no count.
RUNS = st.lists(st.none() | st.dictionaries(st.sampled_from(STREAMS), st.integers(-1, 2), min_size=1), max_size=8)


@given(RUNS)
def test_a_version_is_the_last_run_that_may_have_moved_rows(runs: list[dict[str, int] | None]) -> None:
    with TemporaryDirectory() as folder:
        versions = RunVersions(Path(folder, "versions.json"))
        moved: dict[str, str | None] = dict.fromkeys(STREAMS)
        before = None
        for number, counts in enumerate(runs):
            run = f"r{number}"
            if counts is None:
                moved = dict.fromkeys(STREAMS, run)
            else:
                rows = {name: None if count < 0 else count for name, count in counts.items()}
                found = versions.after("dev:x", run, before, rows)
                for name, count in rows.items():
                    if count != 0 or moved[name] is None:
                        moved[name] = run
                    assert found[name] == moved[name]
            for name in STREAMS:
                assert versions.now("dev:x", run, name) == (moved[name] or run)
            before = run


def test_a_file_of_versions_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "versions.json"
    path.write_text("{broken")
    versions = RunVersions(path)
    assert versions.now("dev:x", "r1", "a") == "r1"
    assert versions.after("dev:x", "r2", "r1", {"a": 0, "b": 4}) == {"a": "r1", "b": "r2"}


@pytest.mark.parametrize(
    "kept", [1, [], "x", {"run": "r1"}, {"run": "r1", "streams": None, "others": None}, {"run": "r1", "streams": {}}]
)
def test_what_is_of_another_form_counts_as_nothing(tmp_path: Path, kept: Any) -> None:
    path = tmp_path / "versions.json"
    path.write_text(json.dumps({"dev:x": kept, "dev:y": {}}))
    versions = RunVersions(path)
    assert versions.now("dev:x", "r1", "a") == "r1"
    assert versions.after("dev:x", "r2", "r1", {"a": 0, "b": 4}) == {"a": "r1", "b": "r2"}
    assert versions.now("dev:x", "r2", "a") == "r1", "and it is kept from then on"


def test_a_file_that_cannot_be_written_is_told_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "versions.json"
    path.mkdir()
    versions = RunVersions(path)
    assert versions.after("dev:x", "r2", "r1", {"a": 0, "b": 4}) == {"a": "r1", "b": "r2"}
    assert "versions.json cannot be written (Is a directory)" in caplog.text
    assert versions.now("dev:x", "r2", "a") == "r2"


def test_a_stream_that_failed_has_no_version_until_another_run_comes(tmp_path: Path) -> None:
    versions = RunVersions(tmp_path / "versions.json")
    versions.after("shop", "run 1", None, {"orders": 7, "users": 2}, failed=["users"])
    assert [versions.now("shop", "run 1", name) for name in ("orders", "users")] == ["run 1", None]
    assert versions.now("shop", "run 2", "users") == "run 2"
    versions.after("shop", "run 2", "run 1", {"orders": 1})
    assert versions.now("shop", "run 2", "users") == "run 1"
