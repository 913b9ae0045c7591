"""Automation on the command line, in real projects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from assetry import Project
from assetry.plugin import AssetKey
from assetry.testing import ProjectFolder
from assetry_automation.daemon.sources import fingerprint, sources_of
from assetry_automation.looking import remembered

ASSETS = """
import time
from pathlib import Path
from assetry import asset
from assetry.automation import eager

@asset(automation=eager(), code_version=str(time.time_ns()))
def orders() -> int:
    with (Path(__file__).parent / "calls").open("a") as file:
        file.write("orders\\n")
    return 1
"""


def test_what_thrashes_is_held_also_where_the_daemon_looks_in_between(project: Callable[..., ProjectFolder]) -> None:
    folder = project({"assetry.toml": "", "assets.py": ASSETS})
    for _ in range(5):
        with Project.load(folder.root) as loaded:  # as the daemon's worker does
            load = fingerprint(sources_of(loaded)) if loaded.graph else ""
            decision = remembered(loaded, datetime.now(UTC), lambda decided: decided.memory, load).decision
        assert folder.run("daemon", "--once", process=True).code == 0
    assert (folder.root / "calls").read_text() == "orders\n" * 4, "the first time, and three times for the same reason"
    told = decision.next[AssetKey("orders")]
    assert told.kind == "held"
    assert "made 3 times" in told.because


def test_what_tables_of_plugins_say_wrongly_is_told_with_its_line(project: Callable[..., ProjectFolder]) -> None:
    tables = """
[automation]
max_runs = 0

[notify.ops]
kind = "slak"
url = "x"

[openlineage]
url = 3
"""
    folder = project({"assetry.toml": tables, "assets.py": ASSETS})
    told = folder.run("check")
    assert told.code == 3
    assert [line for line in (2, 5, 9) if f"assetry.toml:{line}\n" not in told.out] == [], told.out + told.err
    folder.write("assetry.toml", '[jobs.nightly]\nselect = "orders"\ncron = "@daily"\npartitions = "lst:2"\n')
    assert "assetry.toml:4" in folder.run("check").out
    assert "[jobs.nightly]: " in folder.run("daemon", "--dry-run").err
    ran = folder.run("run-job", "nightly")
    assert (ran.code, "[jobs.nightly]: " in ran.err, "assetry.toml:4" in ran.err) == (3, True, True)


def test_an_interval_is_above_zero(project: Callable[..., ProjectFolder]) -> None:
    folder = project({"assetry.toml": "", "assets.py": ASSETS})
    for interval in ("0", "-1"):
        ran = folder.run("daemon", "--interval", interval)
        assert (ran.code, "Give seconds above 0" in ran.err) == (2, True)
