"""Runs as processes: killed, interrupted, side by side; what the next command says is true, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from assetry.store.sqlite import SQLiteStore

from tests.beside import until as until_within

WAIT = 60

#: Assets that wait for a file; `tool` starts a process of its own, as integrations do.
ASSETS = """
    import os, subprocess, sys, time
    from pathlib import Path
    from assetry import asset
    from assetry.run import threads

    HERE = Path(os.environ["SIGNS"])
    threads.GRACE = 0.1  # the functions do not look whether they are cancelled

    def wait_for(name):
        (HERE / f"{name}.began").touch()
        while not (HERE / f"{name}.go").exists():
            time.sleep(0.01)

    @asset
    def one() -> int:
        wait_for("one")
        return 1

    @asset
    def two(one: int) -> int:
        wait_for("two")
        return one + 1

    @asset
    def three(two: int) -> int:
        wait_for("three")
        return two + 1

    @asset
    def other() -> int:
        wait_for("other")
        return 7
"""

PLUGINS = """
    import os, subprocess, sys, time
    from pathlib import Path
    from assetry.plugin import Asset, Handle, InvocationGroup, JobOverError, Materialized, Started, hookimpl

    HERE = Path(os.environ["SIGNS"])

    @hookimpl
    def assetry_load_assets(integration):
        if integration.kind == "mill":
            return [Asset(key=key, kind="mill", integration=integration) for key in ("ground", "sifted")]

    @hookimpl
    def assetry_invocation_group(asset):
        return InvocationGroup("mill:m")

    @hookimpl
    def assetry_invoke(invocation, context):
        tool = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        try:
            (HERE / "tool.resume").write_text(str(context.resume))
            yield Handle(str(tool.pid))
            yield Started("ground")
            yield Materialized("ground", data_version="1")
            if context.resume is not None and (HERE / "tool.gone").exists():
                raise JobOverError("The job of the mill is gone.")
            yield Started("sifted")
            (HERE / "tool.began").touch()
            while not context.cancelled and not (HERE / "tool.go").exists():
                time.sleep(0.01)
            if not context.cancelled:
                yield Materialized("sifted", data_version="1")
        finally:
            tool.terminate()
            tool.wait()
"""

KILLED_BEFORE_IT_BEGINS = """
    import signal
    from assetry.store.sql import SQLStore

    SQLStore.begin = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""

WAITS_BEFORE_IT_LEASES = """
    import os, time
    from pathlib import Path
    from assetry.store.sql import SQLStore

    HERE, lease = Path(os.environ["SIGNS"]), SQLStore.lease

    def wait(*arguments, **named):
        (HERE / "lease.began").touch()
        while not (HERE / "lease.go").exists():
            time.sleep(0.01)
        return lease(*arguments, **named)

    SQLStore.lease = wait
"""


#: A process that the others cannot look at, as if it were on another machine, and whose lease is short.
IS_FAR_AWAY = """
    import os
    from dataclasses import replace
    from datetime import timedelta
    from assetry.store.leases import runs

    if os.environ.get("FAR"):
        process_of, begin = runs.process_of, runs.SQLRuns._expiry
        runs.process_of = lambda pid: replace(process_of(pid), host="elsewhere")

        def expiry(self):
            self._length = timedelta(seconds=1)
            return begin(self)

        runs.SQLRuns._expiry = expiry
"""


class Place:
    """A project's folder, and a folder of signs by which tests and assets talk."""

    def __init__(self, base: Path) -> None:
        self.root, self.signs = base / "project", base / "signs"
        self.root.mkdir()
        self.signs.mkdir()
        self.write("assets.py", ASSETS)
        self.processes: list[subprocess.Popen[str]] = []

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(textwrap.dedent(text))

    def with_tool(self) -> None:
        self.write("assetry_plugins.py", PLUGINS)
        self.write("assetry.toml", '[integrations.m]\nkind = "mill"\n')

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "import sys; from assetry.cli import main; sys.exit(main())", *arguments]
        process = subprocess.Popen(
            command,
            cwd=self.root,
            env={**os.environ, "SIGNS": str(self.signs), "NO_COLOR": "1", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def stop(self, process: subprocess.Popen[str]) -> None:
        """Stop a process, but not while it writes to the store: others would wait for that."""
        place = self.root / ".assetry" / "state.db"
        while True:
            process.send_signal(signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            with closing(sqlite3.connect(place, timeout=0)) as db, suppress(sqlite3.OperationalError):
                db.execute("BEGIN IMMEDIATE")
                return
            process.send_signal(signal.SIGCONT)

    def ask(self, *arguments: str, code: int = 0) -> Any:
        """Return what a command says in JSON."""
        process = self.start(*arguments, "--output", "json")
        out, err = process.communicate(timeout=WAIT)
        assert process.returncode == code, (process.returncode, out, err)
        return json.loads(out)

    def begun(self, name: str) -> None:
        until((self.signs / f"{name}.began").exists)

    def let(self, *names: str) -> None:
        for name in names:
            (self.signs / f"{name}.go").touch()

    def words(self) -> Mapping[str, str]:
        return {each["key"]: each["status"] for each in self.ask("status")["assets"]}

    def last_run(self) -> Mapping[str, Any]:
        run: Mapping[str, Any] = self.ask("runs")["runs"][0]
        return run

    def jobs(self) -> list[str]:
        """Return the tokens of jobs that the records have."""
        with closing(SQLiteStore(self.root / ".assetry" / "state.db")) as store:
            return [token for run in store.runs() for token in store.handles(run.id).values()]

    def files(self) -> set[str]:
        """Return what lies in the project's folder that nobody put there."""
        own = {"assets.py", "assetry.toml", "assetry_plugins.py", ".assetry"}
        return {path.name for path in self.root.iterdir()} - own


until = partial(until_within, seconds=WAIT)


def children_of(pid: int) -> set[int]:
    """Return the living processes whose parent is `pid`."""
    found = set()
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.add(int(path.name))
    return found


def alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    for process in place.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


# -- kill -9 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("go", "at", "made"), [((), "one", []), (("one",), "two", ["one"]), (("one", "two"), "three", ["one", "two"])]
)
def test_a_killed_run_is_interrupted_and_retry_runs_what_is_left(
    place: Place, go: tuple[str, ...], at: str, made: list[str]
) -> None:
    place.let(*go, "other")
    process = place.start("materialize")
    place.begun(at)
    until(lambda: "other" in place.words() and place.words()["other"] == "fresh")
    assert place.words()[at] == "running"
    process.send_signal(signal.SIGKILL)
    process.wait(WAIT)
    words = place.words()
    assert {key for key, word in words.items() if word == "fresh"} == {*made, "other"}
    assert words[at] == "failed"
    assert place.last_run()["state"] == "interrupted"
    place.let("one", "two", "three")
    again = place.ask("retry")
    assert [each["key"] for each in again["assets"]] == [key for key in ("one", "two", "three") if key not in made]
    assert set(place.words().values()) == {"fresh"}
    assert not place.files()


def killed_with_its_job(place: Place) -> int:
    """Kill a run whose tool is at work, and then that, which is left with nothing to stop it; return its PID."""
    place.with_tool()
    process = place.start("materialize", "-s", "kind:mill")
    place.begun("tool")
    until(lambda: made(place, "ground"))
    (tool,) = children_of(process.pid)
    process.kill()
    process.wait(WAIT)
    os.kill(tool, signal.SIGKILL)
    return tool


def test_a_killed_run_leaves_its_job_to_the_retry(place: Place) -> None:
    tool = killed_with_its_job(place)
    assert place.words()["sifted"] == "failed"
    place.let("tool")
    assert place.jobs() == [str(tool)]
    again = place.ask("retry")
    assert [each["key"] for each in again["assets"]] == ["sifted"]
    assert (place.signs / "tool.resume").read_text() == str(tool)
    assert place.jobs() == [], "also the killed run knows no job any more"


def test_when_the_job_is_gone_as_well_the_retry_makes_what_is_left_and_a_second_one_has_nothing_to_do(
    place: Place,
) -> None:
    killed_with_its_job(place)
    (place.signs / "tool.gone").touch()
    place.let("tool")
    again = place.ask("retry")
    assert [(each["key"], each["outcome"]) for each in again["assets"]] == [("sifted", "materialized")]
    assert (place.signs / "tool.resume").read_text() == "None", "the second call has no token"
    log = place.ask("logs", again["run"])
    assert [each["event"] for each in log["events"]].count("job_over") == 1
    assert place.ask("retry")["assets"] == []
    assert len(place.ask("runs")["runs"]) == 2, "nothing was left, so nothing ran"


def test_a_retry_that_is_killed_before_it_has_begun_leaves_the_job_to_the_next(place: Place) -> None:
    tool = killed_with_its_job(place)
    place.write("assetry_plugins.py", PLUGINS + KILLED_BEFORE_IT_BEGINS)
    killed = place.start("retry")
    assert killed.wait(WAIT) == -signal.SIGKILL
    place.write("assetry_plugins.py", PLUGINS)
    place.let("tool")
    again = place.ask("retry")
    assert [each["key"] for each in again["assets"]] == ["sifted"]
    assert (place.signs / "tool.resume").read_text() == str(tool)


def test_of_two_retries_at_once_one_makes_what_is_left_and_the_other_nothing(place: Place) -> None:
    """The second has planned before the first has begun, and leases after it has ended."""
    place.let("one", "other")
    process = place.start("materialize")
    place.begun("two")
    until(lambda: made(place, "other"))
    process.kill()
    process.wait(WAIT)
    place.write("assetry_plugins.py", WAITS_BEFORE_IT_LEASES)
    second = place.start("retry", "--output", "ndjson")
    place.begun("lease")
    (place.root / "assetry_plugins.py").unlink()
    place.let("two", "three")
    assert [each["key"] for each in place.ask("retry")["assets"]] == ["two", "three"]
    place.let("lease")
    out, err = second.communicate(timeout=WAIT)
    assert (second.returncode, out) == (0, ""), err
    assert [run["state"] for run in place.ask("runs")["runs"]] == ["succeeded", "interrupted"]


def made(place: Place, key: str) -> bool:
    return any(each["key"] == key and each["last_materialized"] for each in place.ask("status")["assets"])


# -- a lease that is lost ------------------------------------------------------------------------------------------


@needs_proc
def test_a_run_that_was_stopped_too_long_is_taken_over_and_then_writes_nothing(place: Place) -> None:
    """It is stopped as a whole machine may be; another command takes it for gone, and makes what it was making."""
    place.with_tool()
    place.write("assetry_plugins.py", IS_FAR_AWAY + PLUGINS)
    place.let("one", "three", "other")
    far = place.start("materialize", FAR="yes")
    place.begun("two")
    place.begun("tool")
    until(lambda: made(place, "ground"))
    (tool,) = children_of(far.pid)
    place.stop(far)
    until(lambda: place.last_run()["state"] == "interrupted")
    first = place.last_run()["run"]
    place.let("two", "tool")
    assert {each["key"] for each in place.ask("materialize", "--stale")["assets"]} == {"sifted", "two", "three"}
    far.send_signal(signal.SIGCONT)
    _, err = far.communicate(timeout=WAIT)
    assert far.returncode == 1, err
    assert f"Run {first} lost its lease" in err
    assert "What it made after that was not recorded." in err
    assert f"`assetry retry {first}`" in err
    assert "Traceback" not in err
    until(lambda: not alive(tool))
    assert set(place.words().values()) == {"fresh"}
    runs = place.ask("runs")["runs"]
    assert [run["state"] for run in runs] == ["succeeded", "interrupted"]
    made_by = {each["key"]: each["run"] for each in place.ask("status")["assets"]}
    assert {key for key, run in made_by.items() if run == first} == {"one", "other", "ground"}


# -- Ctrl-C --------------------------------------------------------------------------------------------------------


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_tools_records_the_truth_and_exits_with_130(place: Place, number: int) -> None:
    place.with_tool()
    place.let("one")
    process = place.start("materialize")
    for name in ("tool", "two"):
        place.begun(name)
    tools = children_of(process.pid)
    assert tools
    process.send_signal(number)
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    until(lambda: not any(map(alive, tools)))
    assert place.last_run()["state"] == "cancelled"
    words = place.words()
    assert {key for key, word in words.items() if word == "fresh"} == {"one", "ground"}
    assert (words["two"], words["three"], words["sifted"]) == ("never", "never", "never")
    assert not place.files()
    place.let("two", "three", "other", "tool")
    assert {each["key"] for each in place.ask("retry")["assets"]} == {"two", "three", "other", "sifted"}
    assert (place.signs / "tool.resume").read_text() == "None", "its job was stopped with the run"


@needs_proc
def test_twice_ends_at_once_though_a_function_hangs(place: Place) -> None:
    place.write(
        "assets.py",
        """
        import os, subprocess, sys
        from pathlib import Path
        from assetry import asset

        @asset
        def hangs() -> None:
            (Path(os.environ["SIGNS"]) / "hangs.began").touch()
            import time
            time.sleep(1000)  # in C: nothing can interrupt it
        """,
    )
    process = place.start("materialize")
    place.begun("hangs")
    deadline = time.monotonic() + 20  # less than the run's own patience
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)  # two that come at the same time count as one
        time.sleep(0.2)
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert place.last_run()["state"] == "cancelled"
    assert place.words() == {"hangs": "never"}


# -- side by side --------------------------------------------------------------------------------------------------


def test_of_two_runs_of_the_same_assets_one_goes_on_and_the_other_says_who_has_them(place: Place) -> None:
    first = place.start("materialize")
    place.begun("one")
    second = place.start("materialize", "-s", "two+")
    _, err = second.communicate(timeout=WAIT)
    assert second.returncode == 5
    assert f"Run {place.last_run()['run']} is building two and 1 more of these assets." in err
    assert "Traceback" not in err
    place.let("one", "two", "three", "other")
    first.communicate(timeout=WAIT)
    assert first.returncode == 0
    assert len(place.ask("runs")["runs"]) == 1


def test_runs_of_other_assets_go_on_side_by_side(place: Place) -> None:
    first = place.start("materialize", "-s", "one+")
    second = place.start("materialize", "-s", "other")
    place.begun("one")
    place.begun("other")
    place.let("other")
    second.communicate(timeout=WAIT)
    assert second.returncode == 0
    place.let("one", "two", "three")
    first.communicate(timeout=WAIT)
    assert first.returncode == 0
    assert set(place.words().values()) == {"fresh"}
    assert {run["state"] for run in place.ask("runs")["runs"]} == {"succeeded"}


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_told_that_is_not_so(place: Place) -> None:
    """Kill earlier and later into a run of many short assets; what was told on stdout is recorded."""
    place.write(
        "assets.py",
        """
        from assetry import asset

        def numbered(number):
            @asset(key=f"a{number:03}", deps=[f"a{number - 1:03}"] if number % 10 else [])
            def made() -> int:
                return number
            return made

        ASSETS = [numbered(number) for number in range(300)]
        """,
    )
    for lines in (1, 20, 150, 400):
        process = place.start("materialize", "--output", "ndjson")
        assert process.stdout is not None
        told = [json.loads(process.stdout.readline()) for _ in range(lines)]
        process.kill()
        # Not by `communicate`: it does not know what was read ahead of the last line.
        told += [json.loads(line) for line in process.stdout if line.endswith("}\n")]
        process.communicate(timeout=WAIT)
        run = place.last_run()
        assert run["state"] in ("interrupted", "succeeded")
        status = {each["key"]: each for each in place.ask("status")["assets"]}
        for event in told:
            if event["event"] == "materialized":
                assert status[event["asset"]]["run"] == told[0]["run"]
    assert not [each["key"] for each in place.ask("retry")["assets"] if each["outcome"] != "materialized"]
    assert set(place.words().values()) == {"fresh"}
