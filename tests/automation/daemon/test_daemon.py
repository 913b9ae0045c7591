"""The daemon as a process, with real runs as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from assetry import Project
from assetry.testing import eventually

from tests.automation.waiting import PATIENCE, until

pytestmark = pytest.mark.slow

ASSETS = """
from pathlib import Path
from assetry import asset
from assetry.automation import eager

HERE = Path(__file__).parent

@asset
def raw() -> int:
    with (HERE / "calls").open("a") as file:
        file.write("raw\\n")
    return int((HERE / "content").read_text())

@asset(automation=eager())
def orders(raw: int) -> int:
    with (HERE / "calls").open("a") as file:
        file.write("orders\\n")
    return raw + 1
"""

UI = """
import os, signal
from pathlib import Path
from assetry.plugin import hookimpl

def ui(context):
    Path("ui.new").write_text(str(os.getpid()))
    os.replace("ui.new", "ui")
    signal.pause()

@hookimpl
def assetry_add_commands(commands):
    commands.command("ui")(ui)
"""


class Shop:
    """A project in a folder, and the daemons on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemons: list[subprocess.Popen[bytes]] = []
        (folder / "assetry.toml").write_text("")
        (folder / "assets.py").write_text(ASSETS)
        self.content(1)

    def content(self, number: int) -> None:
        (self.folder / "content").write_text(str(number))

    def daemon(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self.begin("daemon", "--interval", "0.2", *arguments)

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "assetry", *arguments]
        with (self.folder / f"log{len(self.daemons)}").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        self.daemons.append(process)
        return process

    def log(self, number: int = 0) -> str:
        return (self.folder / f"log{number}").read_text()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "assetry", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=PATIENCE)

    def statuses(self) -> dict[str, str]:
        told = json.loads(self.run("status", "--output", "json").stdout)
        return {each["key"]: each["status"] for each in told["assets"]}

    def calls(self, name: str) -> int:
        file = self.folder / "calls"
        return file.read_text().split().count(name) if file.exists() else 0


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path)
    yield found
    for each in found.daemons:
        if each.poll() is None:
            each.terminate()
            each.wait(PATIENCE)


def test_it_makes_what_is_due_and_again_when_something_new_comes(shop: Shop) -> None:
    daemon = shop.daemon()
    until(lambda: shop.calls("orders") == 1, "orders is made")
    until(lambda: set(shop.statuses().values()) == {"fresh"}, "all is fresh")
    shop.content(2)
    assert shop.run("materialize", "-s", "raw").returncode == 0
    until(lambda: shop.calls("orders") == 2, "orders is made again")
    until(lambda: set(shop.statuses().values()) == {"fresh"}, "all is fresh again")
    assert shop.calls("raw") == 2
    daemon.terminate()
    assert daemon.wait(PATIENCE) == 0


def test_killed_it_leaves_its_run_and_another_goes_on_with_what_is_left(shop: Shop) -> None:
    first = shop.daemon()
    until(lambda: "assets are loaded" in shop.log(), "definitions are loaded")
    first.send_signal(signal.SIGKILL)
    first.wait(PATIENCE)
    shop.daemon()
    until(lambda: set(shop.statuses().values()) == {"fresh"}, "all is fresh")
    assert shop.calls("orders") == 1
    assert shop.calls("raw") == 1


def test_a_second_daemon_stands_by_until_the_first_is_gone(shop: Shop) -> None:
    first = shop.daemon()
    until(lambda: shop.calls("orders") == 1, "orders is made")
    shop.daemon()
    until(lambda: "standing by" in shop.log(1), "it stands by")
    first.send_signal(signal.SIGKILL)
    first.wait(PATIENCE)
    until(lambda: "this one goes on" in shop.log(1), "it goes on")
    shop.content(2)
    shop.run("materialize", "-s", "raw")
    until(lambda: shop.calls("orders") == 2, "the second makes orders")


def test_a_developer_has_the_ui_of_a_plugin_beside_the_daemon_and_both_end_together(shop: Shop) -> None:
    (shop.folder / "assetry_plugins.py").write_text(UI)
    dev = shop.begin("dev")
    pid = int(until(lambda: (shop.folder / "ui").exists() and (shop.folder / "ui").read_text(), "the UI is there"))
    until(lambda: shop.calls("orders") == 1, "orders is made")
    dev.send_signal(signal.SIGINT)
    assert dev.wait(PATIENCE) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def asked(port: int, path: str) -> tuple[int, str] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return None


def test_broken_definitions_start_nothing_and_are_told_until_they_are_mended(shop: Shop) -> None:
    port = free_port()
    shop.daemon("--port", str(port))
    until(lambda: shop.calls("orders") == 1, "orders is made")
    until(lambda: (asked(port, "/healthz") or (0,))[0] == 200, "it is well")
    metrics = until(lambda: asked(port, "/metrics"), "figures")[1]
    assert "assetry_daemon_up 1" in metrics
    (shop.folder / "assets.py").write_text(ASSETS + "\nbroken = (\n")
    told = until(lambda: (found := asked(port, "/healthz")) and found[0] == 503 and found, "it is told")
    assert "was never closed" in json.loads(told[1])["problem"]
    (shop.folder / "assets.py").write_text(ASSETS.replace("raw + 1", "raw + 2"))
    until(lambda: (asked(port, "/healthz") or (0,))[0] == 200, "it is well again")
    until(lambda: shop.calls("orders") == 2, "the new definition is made")


def test_a_run_that_cannot_begin_is_not_tried_all_the_time(shop: Shop) -> None:
    broken = 'if (HERE / "stop").exists():\n    raise ValueError("stopped")\n'
    (shop.folder / "assets.py").write_text(ASSETS + broken)
    shop.daemon()
    until(lambda: set(shop.statuses().values()) == {"fresh"}, "all is fresh")
    shop.content(2)
    shop.run("materialize", "-s", "raw")
    until(lambda: shop.calls("orders") == 2, "orders is made again")
    shop.content(3)
    shop.run("materialize", "-s", "raw")
    (shop.folder / "stop").write_text("")
    until(lambda: shop.calls("orders") == 3 or "stopped" in shop.log(), "a run is begun, or cannot be")
    (shop.folder / "stop").unlink()
    until(lambda: shop.calls("orders") == 3, "orders is made in the end")
    assert shop.log().count("stopped") <= 3


def test_a_run_that_finds_nothing_due_is_not_begun_all_the_time(shop: Shop) -> None:
    # As where a version depends on the process: the daemon takes it for out of date, and the run for up to date.
    depends = ASSETS.replace("automation=eager()", 'automation=eager(), code_version=str("--once" in sys.argv)')
    (shop.folder / "assets.py").write_text("import sys\n" + depends)
    assert shop.run("daemon", "--once").returncode == 0
    shop.daemon()
    until(lambda: "Nothing is due" in shop.log(), "a run finds nothing due")
    assert not eventually(lambda: shop.log().count("Nothing is due") > 2, 4.0)


def test_asked_to_stop_it_lets_a_run_stop_its_tools(shop: Shop) -> None:
    slow = ASSETS.replace("return raw + 1", "import time\n    time.sleep(600)\n    return raw")
    (shop.folder / "assets.py").write_text(slow)
    daemon = shop.daemon()
    until(lambda: shop.calls("orders") == 1, "orders is begun")
    daemon.terminate()
    assert daemon.wait(PATIENCE) == 0
    assert shop.statuses()["orders"] != "running"
    assert shop.statuses()["raw"] == "fresh"


def test_a_run_that_is_killed_is_told_with_what_comes_next(shop: Shop) -> None:
    slow = ASSETS.replace("return raw + 1", "import time\n    time.sleep(600)\n    return raw")
    (shop.folder / "assets.py").write_text(slow)
    shop.daemon()
    until(lambda: shop.calls("orders") == 1, "orders is begun")
    with Project.load(shop.folder) as project:
        (run,) = project.store.runs(running=True)
        owner = project.store.owner(run.id)
    assert owner is not None
    os.kill(owner.pid, signal.SIGKILL)
    told = f"Run {run.id} was killed (SIGKILL), which counts as a failure of what it was making"
    until(lambda: told in shop.log(), "it is told")


def test_once_makes_what_is_due_and_tells_how_it_came_out(shop: Shop) -> None:
    assert shop.run("daemon", "--once").returncode == 0
    assert shop.calls("orders") == 1
    done = shop.run("daemon", "--once")
    assert (done.returncode, "Nothing is due" in done.stderr) == (0, True)
    (shop.folder / "assets.py").write_text(ASSETS.replace("return raw + 1", 'raise ValueError("no")'))
    assert shop.run("daemon", "--once").returncode == 1
    held = json.loads(shop.run("status", "--output", "json").stdout)["assets"]
    assert {each["key"]: each["next"] for each in held}["orders"]["kind"] == "backing_off"


def test_what_is_due_without_a_daemon_says_so(shop: Shop) -> None:
    text = shop.run("status").stdout
    assert "no daemon runs" in text
    assert "`assetry daemon`" in text
    assert "next" in shop.run("show", "orders").stdout


def test_two_at_once_make_nothing_twice(shop: Shop) -> None:
    command = [sys.executable, "-m", "assetry", "daemon", "--once"]
    both = [subprocess.Popen(command, cwd=shop.folder, env=dict(os.environ)) for _ in range(2)]
    assert [each.wait(PATIENCE) for each in both] == [0, 0]
    assert shop.calls("orders") == 1
    assert set(shop.statuses().values()) == {"fresh"}
