"""Senses in processes of their own: what hangs is stopped and told, and holds up nothing else."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from assetry import Project
from assetry.plugin import AssetKey, Observed
from assetry_automation.asked import AskedProcess
from assetry_automation.decision.senses import Sense
from assetry_automation.sensing.rounds import Rounds, ask_all
from assetry_automation.sensing.senses import STATES, senses_of

from tests.automation.waiting import PATIENCE, until

pytestmark = pytest.mark.slow

ASSETS = """
import os, time
from pathlib import Path
from assetry import Asset, asset
from assetry.automation import eager
from assetry_automation import Observed, sensor

HERE = Path(__file__).parent
feed = Asset(key="raw/feed", kind="feed", executable=False)
slow = Asset(key="raw/slow", kind="feed", executable=False)

def said(name):
    with (HERE / "calls").open("a") as file:
        file.write(name + "\\n")

@sensor(every="1s")
def landed(context):
    said("landed")
    print("what a sensor prints is no answer")
    context.state["asked"] = context.state.get("asked", 0) + 1
    yield Observed("raw/feed", data_version=(HERE / "content").read_text())

@sensor(every="1s", timeout="1s", asset=slow)
def hanging(context):
    yield context.observed("1")
    said("hanging")
    (HERE / f"child{os.getpid()}").touch()
    while (HERE / "hang").exists():
        time.sleep(0.05)

@sensor(every="1s")
def ending():
    if (HERE / "end").exists():
        os._exit(3)

@sensor(every="1s")
def raising():
    if (HERE / "raise").exists():
        raise ValueError("no bucket")

@asset(deps=["raw/feed"], automation=eager())
def orders() -> int:
    said("orders")
    return 1
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "assetry.toml").write_text("")
    (tmp_path / "assets.py").write_text(ASSETS)
    (tmp_path / "content").write_text("1")
    return tmp_path


def run(shop: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "assetry", *arguments]
    return subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False, timeout=PATIENCE)


def calls(shop: Path, name: str) -> int:
    file = shop / "calls"
    return file.read_text().split().count(name) if file.exists() else 0


def senses(shop: Path) -> dict[str, Sense]:
    with Project.load(shop) as project:
        return {each.name: each for each in senses_of(project).all}


def test_what_hangs_ends_or_raises_is_told_and_the_next_goes_on(shop: Path) -> None:
    for name in ("hang", "end", "raise"):
        (shop / name).touch()
    found = senses(shop)
    order = [found[name] for name in ("hanging", "landed", "ending", "raising", "landed")]
    asked = list(ask_all(shop, order))
    assert [each.problem for each in asked] == [
        "Sensor 'hanging' did not end in 1 s, and was stopped: nothing of it is recorded.",
        None,
        "Sensor 'ending' ended its process with 3: nothing of it is recorded.",
        "Sensor 'raising' raised ValueError: no bucket. at assets.py:39",
        None,
    ]
    with Project.load(shop) as project:
        assert [str(key) for key, _ in project.store.latest()] == ["raw/feed"]
        assert project.store.documents(STATES)["landed"].value["state"] == {"asked": 2}


COUNTING = """
from assetry import Asset, DynamicPartitionsDefinition
from assetry_automation import Observed, sensor

files = Asset(
    key="raw/files", kind="feed", executable=False, partitions_def=DynamicPartitionsDefinition("file")
)

@sensor(every="1s", asset=files)
def counted(context):
    number = context.state["last"] = context.state.get("last", 0) + 1
    yield context.observed("1", f"{number}.csv")
"""


def test_killed_at_any_moment_nothing_is_lost_or_doubled(shop: Path) -> None:
    (shop / "assets.py").write_text(COUNTING)
    chance = random.Random(7)
    for _ in range(8):
        process = AskedProcess("assetry_automation.sensing.child", shop)
        try:
            assert "ready" in (process.answer(PATIENCE) or {})
            process.ask("counted")
            assert (process.answer(PATIENCE) or {})["new"] == 1
            process.ask("counted")
            process.answer(chance.uniform(0, 0.02))  # as far as it comes until then
        finally:
            process.end()
    with Project.load(shop) as project:
        last = project.store.documents(STATES)["counted"].value["state"]["last"]
        names = [f"{number}.csv" for number in range(1, last + 1)]
        assert last >= 8
        assert list(project.store.partition_keys()[AssetKey("raw/files")].living) == names
        assert {part for _, part in project.store.latest()} == set(names)
        told = [each.event for run in project.store.runs() for each in project.store.events(run.id)]
        seen = [each.partition for each in told if isinstance(each, Observed)]
        assert sorted(map(str, seen)) == sorted(names)


def test_definitions_that_do_not_load_are_told(shop: Path) -> None:
    found = senses(shop)
    (shop / "assets.py").write_text(ASSETS + "broken = (\n")
    (asked,) = ask_all(shop, [found["landed"]])
    assert asked.problem is not None
    assert "was never closed" in asked.problem


def test_a_clock_that_is_set_moves_no_round(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    rounds = Rounds(shop, warned.append)
    every = Sense(name="landed", of="sensor", every=timedelta(hours=1), timeout=timedelta(minutes=1))
    with Project.load(shop) as project:
        try:
            rounds.take([every])
            until(lambda: rounds.turn(project.store, starts=True) or rounds.wait() > 60, "it was asked")
            moments = iter([0.0, 10.0**9])
            monkeypatch.setattr("assetry_automation.sensing.rounds.time.time", lambda: next(moments))
            for _ in range(2):
                rounds.turn(project.store, starts=True)
                assert 3500 < rounds.wait() <= 3600
            monkeypatch.undo()
        finally:
            rounds.end()
    assert calls(shop, "landed") == 1
    assert warned == []


def test_new_definitions_ask_at_once_again_what_failed_by_old_ones(shop: Path) -> None:
    warned: list[str] = []
    rounds = Rounds(shop, warned.append)
    every = Sense(name="raising", of="sensor", every=timedelta(hours=1), timeout=timedelta(minutes=1))
    (shop / "assets.py").write_text(ASSETS + "broken = (\n")
    with Project([], root=shop, store="sqlite::memory:") as project:
        try:
            rounds.take([every])
            until(lambda: rounds.turn(project.store, starts=True) or rounds.told()["raising"].failures, "it failed")
            assert "Sensor 'raising' is asked again in" in warned[0]
            (shop / "assets.py").write_text(ASSETS)
            rounds.take([every])
            assert rounds.told()["raising"].failures == 0
            until(lambda: rounds.turn(project.store, starts=True) or len(warned) > 1, "it sees again")
        finally:
            rounds.end()
    assert warned[1:] == ["Sensor 'raising' sees again."]


def test_where_nothing_is_started_nothing_is_waited_for(shop: Path) -> None:
    rounds = Rounds(shop, lambda _: None)
    with Project.load(shop) as project:
        rounds.take(list(senses(shop).values()))
        assert rounds.wait() == float("inf")
        rounds.turn(project.store, starts=False)
        assert rounds.wait() == float("inf")


def test_commands_ask_now_and_when_it_is_due_and_tell_what_fails(shop: Path) -> None:
    (shop / "raise").touch()
    asked = run(shop, "sense", "landed", "raising")
    assert asked.returncode == 1
    assert "asked   landed: 1 new" in asked.stdout
    assert "failed   raising: Sensor 'raising' raised ValueError: no bucket. at assets.py:39" in asked.stdout
    wrong = run(shop, "sense", "lande")
    assert (wrong.returncode, "did you mean 'landed'?" in wrong.stderr) == (2, True)
    dry = run(shop, "daemon", "--once", "--dry-run")
    assert "sensor raising  backs off until" in dry.stdout
    assert "assets.py:39" in dry.stdout
    told = json.loads(run(shop, "daemon", "--dry-run", "--output", "json").stdout)
    assert {each["name"]: each["next"]["kind"] for each in told["senses"]}["raising"] == "backing_off"
    once = run(shop, "daemon", "--once", "--output", "json")
    assert once.returncode == 0
    done = json.loads(once.stdout)
    assert "hanging" in {each["name"] for each in done["senses"]}
    assert "raising" not in {each["name"] for each in done["senses"]}, "it backs off"
    assert [each["told"] for each in done["runs"]] == ["orders"]


def test_failures_are_told_by_status_and_show(shop: Path) -> None:
    (shop / "hang").touch()
    assert run(shop, "sense", "hanging").returncode == 1
    for told in (run(shop, "status").stdout, run(shop, "show", "raw/slow").stdout):
        assert "sensor 'hanging' failed once: Sensor 'hanging' did not end in 1 s" in told.replace("\n", " ")


@pytest.fixture
def daemon(shop: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        with (shop / "log").open("wb") as log:
            command = [sys.executable, "-m", "assetry", "daemon", "--interval", "0.2", *arguments]
            started.append(subprocess.Popen(command, cwd=shop, stdout=log, stderr=log))
        return started[-1]

    yield start
    for each in started:
        if each.poll() is None:
            each.terminate()
            each.wait(PATIENCE)


def test_a_daemon_asks_at_intervals_whatever_hangs_and_makes_what_is_new(shop: Path, daemon: Any) -> None:
    import socket

    for name in ("hang", "raise"):
        (shop / name).touch()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    process = daemon("--port", str(port))
    until(lambda: calls(shop, "orders") == 1, "orders is made")
    before = calls(shop, "landed")
    until(lambda: calls(shop, "landed") > before, "it is asked again")
    (shop / "content").write_text("2")
    until(lambda: calls(shop, "orders") == 2, "what is new is made of")
    log = until(lambda: (text := (shop / "log").read_text()).count("did not end in 1 s") and text, "it is told")
    assert log.count("no bucket") == 1, "a failure that goes on is told once"
    assert calls(shop, "hanging") == 1, "it backs off"

    def asked(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    beside = run(shop, "daemon", "--once", "--output", "json")
    assert json.loads(beside.stdout)["senses"] == [], "the daemon asks"
    failing = json.loads(asked("/healthz"))["failing"]
    assert set(failing) == {"hanging", "raising"}
    metrics = asked("/metrics")
    assert 'assetry_sense_failures{name="hanging"} 1' in metrics
    assert 'assetry_sense_next_timestamp_seconds{name="landed"} ' in metrics
    (shop / "assets.py").write_text(ASSETS + '\n@sensor(every="1s")\ndef later():\n    said("later")\n')
    until(lambda: calls(shop, "later"), "what is defined since is asked")
    process.terminate()
    assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_when_it_ends_what_is_being_asked_ends_with_it(shop: Path, daemon: Any, number: int, code: int) -> None:
    (shop / "hang").touch()
    (shop / "assets.py").write_text(ASSETS.replace('timeout="1s"', 'timeout="10m"'))
    process = daemon()
    child = until(lambda: [each.name.removeprefix("child") for each in shop.glob("child*")], "it hangs")[0]
    process.send_signal(number)
    assert process.wait(PATIENCE) == code
    until(lambda: not Path(f"/proc/{child}").exists(), "its process is gone")
    with Project.load(shop) as project:
        assert "raw/slow" not in {str(key) for key, _ in project.store.latest()}
