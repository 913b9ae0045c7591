"""A daemon that is killed between any two steps, with the run that it has started: the next one goes on.

Real processes, and the true clock: each kill is where a process of the daemon is about to write a record, or has.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from assetry.testing import ProjectFolder, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PATIENCE = 90.0
ASSETS = """
from pathlib import Path
from assetry import asset
from assetry.automation import eager
from assetry_plugins import passes

HERE = Path(__file__).parent

def called(name):
    with (HERE / "calls").open("a") as file:
        file.write(name + "\\n")

@asset
def raw() -> int:
    return int((HERE / "content").read_text())

@asset(automation=eager())
def orders(raw: int) -> int:
    called("orders")
    return raw + 1

@asset(automation=eager())
def report(orders: int) -> int:
    passes("report", "before")
    called("report")
    return orders + 1
"""
#: A plugin of the project that kills the process, and the daemon with it, where a file of the test says so.
KILLS = """
import os, signal, sys
from pathlib import Path
from assetry.store.sql import SQLStore

HERE = Path(__file__).parent

def role():
    return "run" if "--once" in sys.argv else "worker" if "worker" in sys.argv[0] else "daemon"

def passes(step, when):
    try:
        if "DIES" not in os.environ or (HERE / "kill").read_text() != f"{role()} {when} {step}":
            return
        (HERE / "kill").unlink()
    except FileNotFoundError:
        return
    os.kill(int((HERE / "daemon").read_text()), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)

def wrap(name):
    method = getattr(SQLStore, name)

    def wrapped(self, *arguments, **named):
        step = name if name != "change_document" else f"{name} {arguments[1]}"
        passes(step, "before")
        found = method(self, *arguments, **named)
        passes(step, "after")
        return found

    setattr(SQLStore, name, wrapped)

if "DIES" in os.environ:
    for each in ("change_document", "lease", "begin", "append", "finish"):
        wrap(each)
"""
#: Which process is killed, before or after which step.
KILLED = (
    "worker before change_document memory",
    "run before change_document memory",
    "run after change_document memory",
    "run before lease",
    "run before append",
    "run before report",
    "run before finish",
    "run after finish",
)


class Shop(ProjectFolder):
    """A project in a folder, and the daemon on it."""

    def __init__(self, root: Path) -> None:
        files = {"assetry.toml": "", "assets.py": ASSETS, "assetry_plugins.py": KILLS, "content": "0", "calls": ""}
        super().__init__(root, files)
        self.daemon: subprocess.Popen[bytes] | None = None
        self.project = self.load()

    def start(self) -> None:
        command = [sys.executable, "-m", "assetry", "daemon", "--interval", "0.05"]
        with (self.root / "log").open("ab") as log:
            told = {"cwd": self.root, "stdout": log, "stderr": log, "env": {**os.environ, "DIES": "yes"}}
            self.daemon = subprocess.Popen(command, **told)
        self.write("daemon", str(self.daemon.pid))

    def new_content(self, number: int) -> None:
        self.write("content", str(number))
        assert self.project.materialize("raw").ok

    @property
    def has_ended(self) -> bool:
        return self.daemon is not None and self.daemon.poll() is not None

    @property
    def calls(self) -> tuple[int, int]:
        said = (self.root / "calls").read_text().split()
        return said.count("orders"), said.count("report")

    @property
    def is_fresh(self) -> bool:
        return all(each.status == "fresh" for each in self.project.status())

    def backs_off(self, key: str) -> bool:
        return any(str(each) == key and told.kind == "backing_off" for each, told in self.project.next().items())

    def until(self, found: Callable[[], bool], what: str) -> None:
        assert eventually(found, PATIENCE), f"{what}: {(self.root / 'log').read_text()}"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path)
    yield found
    found.close()
    if found.daemon is not None:
        with suppress(ProcessLookupError):
            found.daemon.terminate()
        found.daemon.wait(PATIENCE)


def test_a_daemon_that_is_killed_between_any_two_steps_is_gone_on_with(shop: Shop) -> None:
    shop.start()
    shop.until(lambda: shop.calls == (1, 1) and shop.is_fresh, "all is made")
    for number, killed in enumerate(KILLED, 1):
        shop.write("kill", killed)
        shop.new_content(number)
        shop.until(lambda: shop.has_ended, f"it is killed {killed}")
        shop.start()
        if killed == "run before report":
            # What ends its process may do so again, so it backs off; that is not waited for here.
            shop.until(lambda: shop.backs_off("report"), "it backs off")
            shop.run("resume", "-s", "report").assert_ok()
        shop.until(lambda: shop.is_fresh, f"all is fresh after it was killed {killed}")
        assert shop.calls == (1 + number, 1 + number), f"killed {killed}"
        assert shop.project.load_value("report") == number + 2
    shop.until(lambda: not shop.project.store.runs(running=True), "the last run ends")
    assert {each.state for each in shop.project.store.runs()} == {"succeeded", "interrupted"}
