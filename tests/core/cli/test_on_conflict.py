"""Commands as processes that want what another one is making."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Folder


def says(process: subprocess.Popen[str], words: str) -> str:
    """Read what a command says on stderr until it says these words."""
    assert process.stderr is not None
    read = ""
    for line in process.stderr:
        read += line
        if words in line:
            return read
    raise AssertionError(f"it did not say {words!r}, but {read}")


@pytest.fixture
def busy(waiting: Folder) -> Iterator[subprocess.Popen[str]]:
    """A command that is making `slow`, and has `quick` and `last` to make."""
    with waiting.process("materialize", "-q") as first:
        waiting.wait_for_slow(first)
        yield first
        first.kill()


def test_it_ends_with_5_and_says_how_to_go_on(waiting: Folder, busy: subprocess.Popen[str]) -> None:
    told = waiting.call("materialize", "-s", "last", code=5).stderr
    (run,) = waiting.json("runs")["runs"]
    assert f"Run {run['run']} is building last." in told
    assert "`--on-conflict wait` waits for it, `--on-conflict join` makes the rest and takes what it makes" in told
    assert busy.poll() is None


def test_who_waits_goes_on_when_the_other_has_ended(waiting: Folder, busy: subprocess.Popen[str]) -> None:
    with waiting.process("materialize", "--stale", "--on-conflict", "wait") as second:
        says(second, "which is building slow and 1 more.")
        (waiting.root / "go").touch()
        assert busy.wait(60) == 0
        out, _ = second.communicate(timeout=60)
    assert (second.returncode, out) == (0, "Nothing is left to run: another run has made it meanwhile.\n")
    assert len(waiting.json("runs")["runs"]) == 1


def test_who_waits_goes_on_when_the_other_is_killed(waiting: Folder, busy: subprocess.Popen[str]) -> None:
    with waiting.process("materialize", "--on-conflict", "wait", "--output", "json") as second:
        says(second, "Waits for run")
        (waiting.root / "go").touch()
        busy.send_signal(signal.SIGKILL)
        out, _ = second.communicate(timeout=60)
    assert {each["key"]: each["outcome"] for each in json.loads(out)["assets"]} == dict.fromkeys(
        ("quick", "slow", "last"), "materialized"
    )
    states = [run["state"] for run in waiting.json("runs")["runs"]]
    assert states[0] == "succeeded"
    assert states[1] in ("interrupted", "succeeded")  # it may have been quicker than the signal


def test_who_joins_takes_what_the_other_makes(waiting: Folder, busy: subprocess.Popen[str]) -> None:
    waiting.write("more.py", "")
    (first,) = waiting.json("runs")["runs"]
    with waiting.process("materialize", "-s", "slow", "--on-conflict", "join", "--output", "ndjson") as second:
        says(second, "Waits for run")
        (waiting.root / "go").touch()
        out, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    told = [(line["event"], line["run"] == first["run"]) for line in map(json.loads, out.splitlines())]
    events = ["run_started", "materialized", "log", "run_finished"]
    assert told == [(event, event == "materialized") for event in events]
    assert busy.wait(60) == 0


def test_one_that_joins_is_cancelled_by_its_id_and_goes_on_later(waiting: Folder, busy: subprocess.Popen[str]) -> None:
    waiting.write("more.py", "")
    with waiting.process("materialize", "-s", "slow", "--on-conflict", "join") as second:
        says(second, "Waits for run")
        mine = waiting.json("runs")["runs"][0]["run"]
        assert f"run {mine} waits for run " in waiting.call("queue").stdout
        assert waiting.call("cancel", mine).stdout == f"run {mine}: cancelled\n"
        second.communicate(timeout=60)
    assert second.returncode == 130
    assert [run["state"] for run in waiting.json("runs")["runs"]] == ["cancelled", "running"]
    assert busy.poll() is None
    (waiting.root / "go").touch()
    assert busy.wait(60) == 0
    assert "Nothing is left" in waiting.call("retry", mine, code=0).stdout


def test_one_that_is_killed_while_it_joins_can_be_gone_on_with(waiting: Folder, busy: subprocess.Popen[str]) -> None:
    waiting.write("more.py", "")
    arguments = ("materialize", "-s", "slow last", "--on-conflict", "join")
    with waiting.process(*arguments) as second:
        says(second, "Waits for run")
        second.kill()
        second.wait(60)
    runs = waiting.json("runs")["runs"]
    assert [run["state"] for run in runs] == ["interrupted", "running"]
    mine = runs[0]["run"]
    (waiting.root / "go").touch()
    assert busy.wait(60) == 0
    told = waiting.call("retry", code=0).stdout
    assert told == f"Nothing is left of run {mine}: all that it was to make is made.\n"


def test_ctrl_c_ends_the_waiting_and_leaves_nothing(waiting: Folder, busy: subprocess.Popen[str]) -> None:
    with waiting.process("materialize", "--on-conflict", "wait") as second:
        says(second, "Waits for run")
        second.send_signal(signal.SIGINT)
        out, _ = second.communicate(timeout=60)
    assert (second.returncode, out) == (130, "cancelled before it had begun.\n")
    assert [run["state"] for run in waiting.json("runs")["runs"]] == ["running"]
    assert busy.poll() is None


def test_one_that_is_killed_while_it_waits_leaves_nothing(waiting: Folder, busy: subprocess.Popen[str]) -> None:
    with waiting.process("materialize", "--on-conflict", "wait") as second:
        says(second, "Waits for run")
        second.kill()
        second.wait(60)
    assert [run["state"] for run in waiting.json("runs")["runs"]] == ["running"]
    assert busy.poll() is None


def test_of_several_at_once_each_asset_is_made_once(folder: Folder) -> None:
    """Real processes, started at the same moment, each to bring everything up to date."""
    folder.write(
        "assets.py",
        """
        from pathlib import Path
        from assetry import asset

        def numbered(number):
            @asset(key=f"a{number:02}", deps=[f"a{number // 2:02}"] if number else [])
            def made() -> int:
                with Path("made").open("a") as file:
                    file.write(f"{number}\\n")
                return number
            return made

        ASSETS = [numbered(number) for number in range(30)]
        """,
    )
    commands = [
        folder.process("materialize", "--stale", "-q", "--on-conflict", how) for how in ("wait", "join", "wait")
    ]
    deadline = time.monotonic() + 120
    for command in commands:
        out, err = command.communicate(timeout=max(deadline - time.monotonic(), 1))
        assert command.returncode == 0, (out, err)
    made = sorted(map(int, (folder.root / "made").read_text().split()))
    assert made == list(range(30))
    assert folder.json("status")["counts"] == {"fresh": 30}
