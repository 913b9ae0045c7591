"""Commands as processes of their own that cost nothing to start: forked from one that has imported all there is.

``python -m tests.e2e.campaign.nursery`` is that process. It hears a line of JSON for each command, and tells its pid
and later how it ended. Everything that comes of it, tools included, has its environment and is known by that.
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from dbt_common.tests import enable_test_caching

from tests.e2e.campaign.faults import StoreFault, install

#: The variable of the environment by which what comes of a nursery is known.
MARK = "ASSETRY_CAMPAIGN"
#: What commands load of tools and libraries, mostly when they first need it.
TOOLS = (
    *("dbt.cli.main", "dbt.task.build", "dbt.adapters.duckdb", "dbt.adapters.postgres", "duckdb", "pandas", "psycopg2"),
    *("pyarrow.parquet", "adbc_driver_manager", "adbc_driver_postgresql.dbapi"),
)
#: How the clock's file tells the seconds: always as wide, so that it is never half written.
WIDE = "{:20.3f}"
#: Threads that what is forked can do without: one allocator tidies up by them, and another library that is not used.
HARMLESS = ("jemalloc", "polars")


@dataclass
class Child:
    """A command that was started, and once it has ended how and when; the code of a signal is negative."""

    words: tuple[str, ...]
    out: Path
    err: Path
    pid: int = 0
    began: float = field(default_factory=time.monotonic)
    code: int | None = None
    ended: float | None = None
    faults: list[StoreFault] = field(default_factory=list)

    def lines(self) -> list[dict[str, Any]]:
        """Return what it has told, as JSON by lines; not a line that it was killed at."""
        found = []
        for line in self.out.read_text(errors="replace").splitlines(keepends=True):
            if line.endswith("\n") and line.startswith("{"):
                found.append(json.loads(line))
        return found

    def data(self) -> Any:
        return json.loads(self.out.read_text())

    def __str__(self) -> str:
        return f"`{' '.join(self.words)}` ({self.code})"


class Nursery:
    """The process that all commands are forked from, as seen from the tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        self.clock = folder / "clock"
        self.clock.write_text(WIDE.format(0))
        environment = {**os.environ, MARK: self.mark, "NO_COLOR": "1", "DO_NOT_TRACK": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._errors = (folder / "nursery.err").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.campaign.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        self._children: dict[int, Child] = {}
        self._count = 0
        assert self._tell() == {"ready": 1}, (folder / "nursery.err").read_text()

    def start(self, root: Path, *words: str, faults: tuple[StoreFault, ...] = (), host: str = "") -> Child:
        """Start a command in the folder of a project; with a `host` as if on another machine."""
        self._count += 1
        name = self._folder / f"{self._count:04}-{words[0]}"
        child = Child(words, name.with_suffix(".out"), name.with_suffix(".err"), faults=list(faults))
        child.out.touch()
        child.err.touch()
        asked = {
            "root": str(root),
            "words": words,
            "out": str(child.out),
            "err": str(child.err),
            "faults": faults,
            "host": host,
        }
        assert self._process.stdin is not None
        print(json.dumps({**asked, "clock": str(self.clock)}), file=self._process.stdin, flush=True)
        while not child.pid:
            told = self._hear()
            if "pid" in told:
                child.pid = told["pid"]
        self._children[child.pid] = child
        return child

    def jump(self, seconds: float | None = None) -> None:
        """Let the clock of all commands jump; back to the true time with None."""
        there = 0.0 if seconds is None else float(self.clock.read_text()) + seconds
        with self.clock.open("r+") as file:
            file.write(WIDE.format(there))

    def look(self, seconds: float = 0.0) -> None:
        """Learn which have ended, within so many seconds."""
        assert self._process.stdout is not None
        while select.select([self._process.stdout], [], [], seconds)[0]:
            self._hear()
            seconds = 0.0

    def call(self, root: Path, *words: str, seconds: float = 120.0) -> Child:
        """Run a command to its end; where it does not come in time, its code is None."""
        child, deadline = self.start(root, *words), time.monotonic() + seconds
        while child.code is None and time.monotonic() < deadline:
            self.look(0.5)
        return child

    def _hear(self) -> dict[str, Any]:
        told = self._tell()
        if "ended" in told:
            child = self._children.pop(told["ended"])
            child.code, child.ended = told["code"], told["at"]
        return told

    def _tell(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = os.read(self._process.stdout.fileno(), 1)
        while not line.endswith(b"\n"):
            more = os.read(self._process.stdout.fileno(), 1)
            assert more, (self._folder / "nursery.err").read_text()
            line += more
        told: dict[str, Any] = json.loads(line)
        return told

    def alive(self) -> dict[int, str]:
        """Return the processes that came of it and are there, each with its command line."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            pid = int(folder.name)
            try:
                if pid == self._process.pid or f"{MARK}={self.mark}".encode() not in (
                    (folder / "environ").read_bytes().split(b"\0")
                ):
                    continue
                if (folder / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                    found[pid] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
        return found

    def close(self) -> None:
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.communicate()
        self._errors.close()


# -- the process itself ----------------------------------------------------------------------------------------------


def main() -> None:
    """Import what commands do, then fork one for each line that is heard."""
    _import_all()
    gc.collect()
    gc.freeze()
    names = [(each / "comm").read_text().strip() for each in Path("/proc/self/task").iterdir()]
    threads = [each for each in names if not each.startswith(HARMLESS)]
    assert len(threads) == 1, f"{threads}: what is forked would lack them"
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _say(ready=1)
    heard = b""
    while True:
        for each in select.select([0, reading], [], [])[0]:
            if each == reading:
                os.read(reading, 1000)
                _reap()
                continue
            more = os.read(0, 65536)
            if not more:
                return
            *lines, heard = (heard + more).split(b"\n")
            for line in lines:
                _start(json.loads(line), (reading, writing))


def _import_all() -> None:
    """Import every module of ours, and of others what is else loaded when it is first used."""
    for name in ("core", "airbyte", "dbt", "duckdb", "postgres", "toolkit"):
        package = import_module("assetry" if name == "core" else f"assetry_{name}")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "testing" not in found.name and not found.name.endswith("__main__"):
                import_module(found.name)
    for name in TOOLS:
        import_module(name)
    enable_test_caching()


def _start(asked: dict[str, Any], ours: tuple[int, int]) -> None:
    pid = os.fork()
    if pid:
        _say(pid=pid)
        return
    try:
        _become(asked, ours)
    except KeyboardInterrupt:
        os._exit(130)
    finally:
        os._exit(70)


def _become(asked: dict[str, Any], ours: tuple[int, int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts beside itself does not hear it
    os.setsid()
    for each in ours:
        os.close(each)
    streams = (
        (os.devnull, os.O_RDONLY),
        (asked["out"], os.O_WRONLY | os.O_CREAT),
        (asked["err"], os.O_WRONLY | os.O_CREAT),
    )
    for number, (path, flags) in enumerate(streams):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode) for n, mode in ((0, "r"), (1, "w"), (2, "w")))
    sys.argv = ["assetry", "-C", asked["root"], *asked["words"]]
    install([StoreFault(*each) for each in asked["faults"]], Path(asked["clock"]), asked["host"])
    from assetry.cli import main as command

    try:
        command()
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)


def _reap() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say(ended=pid, code=os.waitstatus_to_exitcode(status), at=time.monotonic())


def _say(**told: Any) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    main()
