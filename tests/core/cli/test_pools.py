"""Pools across processes: what waits says so on the terminal and in JSON, and a killed holder holds nothing."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Folder

POOLED = """
import os, time
from pathlib import Path
from assetry import asset


def numbered(name):
    @asset(key=name, pool="warehouse")
    def made() -> int:
        with Path("log").open("a") as log:
            log.write(f"+{name}\\n")
        if name == "slow":
            Path("started").touch()
            while not Path("go").exists():
                time.sleep(0.02)
        else:
            time.sleep(0.01)
        with Path("log").open("a") as log:
            log.write(f"-{name}\\n")
        return 1
    return made


ASSETS = [numbered(name) for name in ("slow", *(f"a{n}" for n in range(12)))]
"""


@pytest.fixture
def pooled(shop: Folder) -> Folder:
    shop.write("assetry.toml", 'modules = ["shop_assets"]\n[pools.warehouse]\nlimit = 1\n')
    shop.write("shop_assets.py", POOLED)
    return shop


@pytest.fixture
def holder(pooled: Folder) -> Iterator[subprocess.Popen[str]]:
    with pooled.process("materialize", "-q", "-s", "slow") as first:
        pooled.wait_for_slow(first)
        yield first
        first.kill()


def says(process: subprocess.Popen[str], words: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"it did not say {words!r}")


def test_it_says_for_what_it_waits_for_whom_and_since_when(pooled: Folder, holder: subprocess.Popen[str]) -> None:
    (run,) = pooled.json("runs")["runs"]
    with pooled.process("materialize", "-s", "a0") as second:
        line = says(second, "waiting")
        told = rf"waits for a slot of pool warehouse, held by run {run['run']} since \d\d:\d\d:\d\d$"
        assert re.search(told, line.strip())
        (pooled.root / "go").touch()
        assert second.wait(60) == 0
    assert holder.wait(60) == 0


def test_a_killed_holder_holds_nothing(pooled: Folder, holder: subprocess.Popen[str]) -> None:
    with pooled.process("materialize", "-s", "a0", "--output", "ndjson") as second:
        assert second.stdout is not None
        waiting = next(each for each in map(json.loads, second.stdout) if each["event"] == "waiting")
        assert (waiting["pool"], waiting["held"], len(waiting["runs"])) == ("warehouse", True, 1)
        holder.send_signal(signal.SIGKILL)
        assert second.wait(60) == 0


def test_of_several_processes_no_more_work_at_a_time_than_the_pool_has(pooled: Folder) -> None:
    commands = [pooled.process("materialize", "-q", "-s", *(f"a{n}" for n in range(k, 12, 3))) for k in range(3)]
    for command in commands:
        out, err = command.communicate(timeout=120)
        assert command.returncode == 0, (out, err)
    lines = (pooled.root / "log").read_text().split()
    assert len(lines) == 24
    assert all(begun == f"+{ended[1:]}" for begun, ended in zip(lines[::2], lines[1::2], strict=True)), lines


def test_a_pool_that_there_is_not_is_found_by_check(pooled: Folder) -> None:
    pooled.write("assetry.toml", 'modules = ["shop_assets"]\n[pools.warehose]\nlimit = 1\n')
    told = pooled.call("check", code=3)
    assert "uses the pool 'warehouse', which is not defined." in told.stderr + told.stdout
    assert "did you mean 'warehose'" in told.stderr + told.stdout


def test_show_and_list_tell_the_pool(pooled: Folder) -> None:
    assert re.search(r"pool +warehouse", pooled.call("show", "slow").stdout)
    assert {each["pool"] for each in pooled.json("list")["assets"]} == {"warehouse"}
