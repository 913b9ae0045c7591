"""Commands side by side, on real dbt and DuckDB, whose file only one process may have open."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WAIT = 180
#: A model that waits until something is written into a pipe, and another one.
FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\nmodels:\n  shop:\n    +materialized: table\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb, threads: 1}}}\n",
    "models/slow.sql": "select * from read_csv('gate', columns={'id': 'INTEGER'}, header=false, auto_detect=false)\n",
    "models/quick.sql": "select 1 as id\n",
    "assets.py": """
import pandas as pd
from assetry import asset

@asset
def scores(quick: pd.DataFrame) -> pd.DataFrame:
    return quick.assign(score=2)
""",
}


class Place:
    """A project's folder, and the commands that were started in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.started: list[subprocess.Popen[str]] = []
        for name, text in FILES.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        os.mkfifo(root / "gate")

    def open_gate(self) -> None:
        """Let the slow model come to its end."""
        (self.root / "gate").write_text("7\n")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "assetry", *arguments]
        given = {"cwd": self.root, "text": True, "env": {**os.environ, "NO_COLOR": "1", "DO_NOT_TRACK": "1"}}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **given)  # type: ignore[call-overload]
        self.started.append(process)
        found: subprocess.Popen[str] = process
        return found

    def lines(self, process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
        assert process.stdout is not None
        yield from map(json.loads, process.stdout)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    for process in place.started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def until_event(place: Place, process: subprocess.Popen[str], name: str) -> dict[str, Any]:
    for line in place.lines(process):
        if line["event"] == name:
            return line
    raise AssertionError(f"no {name}: {process.communicate()}")


def test_two_models_of_one_project_and_a_python_asset_wait_for_the_file(place: Place) -> None:
    first = place.start("materialize", "-s", "slow", "--output", "ndjson")
    until_event(place, first, "started")
    second = place.start("materialize", "-s", "quick", "scores", "--output", "ndjson")
    waiting = until_event(place, second, "waiting")
    assert waiting["pool"].startswith("group:dbt:shop@dev")
    assert first.poll() is None
    third = place.start("materialize", "-s", "scores", "--on-conflict", "wait", "--output", "ndjson")
    place.open_gate()
    assert first.wait(WAIT) == 0
    for process in (second, third):
        out, err = process.communicate(timeout=WAIT)
        assert process.returncode == 0, (out, err)


def test_when_the_one_that_has_the_file_is_killed_the_other_goes_on(place: Place) -> None:
    first = place.start("materialize", "-s", "slow", "--output", "ndjson")
    until_event(place, first, "started")
    second = place.start("materialize", "-s", "quick", "--output", "ndjson")
    until_event(place, second, "waiting")
    first.send_signal(signal.SIGKILL)
    first.wait(WAIT)
    out, err = second.communicate(timeout=WAIT)
    assert second.returncode == 0, (out, err)


SAVES = """
from pathlib import Path

import pandas as pd
from assetry import asset

@asset
def scores() -> pd.DataFrame:
    Path("hold").read_text()
    return pd.DataFrame({"score": [2]})
"""


def test_dbt_within_its_run_waits_for_another_run_that_keeps_something_in_its_file(place: Place) -> None:
    (place.root / "assets.py").write_text(SAVES)
    os.mkfifo(place.root / "hold")
    first = place.start("materialize", "-s", "scores", "--output", "ndjson")
    until_event(place, first, "started")
    second = place.start("materialize", "-s", "quick", "--output", "ndjson")
    assert until_event(place, second, "waiting")["pool"].startswith("between:duckdb:")
    (place.root / "hold").write_text("")
    for process in (first, second):
        out, err = process.communicate(timeout=WAIT)
        assert process.returncode == 0, (out, err)
