"""The daemon: it has no definitions itself, asks a worker that has them, and starts runs as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from assetry.plugin import AssetryError, CommandContext, Store

from assetry_automation.asked import AskedProcess
from assetry_automation.daemon.health import Health, JobHealth, serve
from assetry_automation.daemon.sources import fingerprint
from assetry_automation.kept import LIVES, DaemonSign, leave_project, revision_of, take_project
from assetry_automation.making import WANTED
from assetry_automation.sensing.rounds import Rounds, read_senses

#: Seconds that runs have to stop their tools, once the daemon was asked to end.
GRACE = 60.0
#: Seconds after which definitions are loaded again that never loaded, and a run is tried again that did not begin.
AGAIN = 15.0
#: How many of the newest runs may be one that has just ended.
_NEWEST = 20


class Worker(AskedProcess):
    """One process with definitions, which answers when it is asked."""

    def __init__(self, root: Path) -> None:
        super().__init__("assetry_automation.daemon.worker", root)
        self.sources: tuple[str, ...] = ()
        self.load = ""
        self.max_runs = 1

    def take(self, ready: Mapping[str, Any]) -> None:
        """Take down what a worker says that is ready."""
        self.sources, self.max_runs = tuple(ready["sources"]), int(ready["max_runs"])
        self.load = fingerprint(self.sources)


class Supervisor:
    """The daemon of one project, until it is asked to stop."""

    def __init__(self, context: CommandContext, interval: float, port: int | None) -> None:
        self._context = context
        self._root = context.project.root
        self._interval = max(interval, 0.05)
        self._health = Health(self._interval)
        self._port = port
        self._stop = threading.Event()
        self._worker: Worker | None = None
        self._coming: Worker | None = None
        self._tried = ""
        self._again = self._paused = 0.0
        self._runs: list[subprocess.Popen[bytes]] = []
        self._starting: subprocess.Popen[bytes] | None = None
        self._newest_before: str | None = None
        self._rounds = Rounds(self._root, context.warn)
        self._seen: str | None = None
        self._wake = 0.0
        self._signed = 0.0

    def run(self) -> int:
        """Go round until SIGTERM or SIGINT; then let the runs stop, and return 0."""
        server = None if self._port is None else serve(self._health, self._port)
        before = {each: signal.signal(each, self._asked_to_stop) for each in (signal.SIGTERM, signal.SIGINT)}
        store = self._context.project.store
        try:
            while not self._stop.is_set():
                if self._has_project(store):
                    self._turn(store)
                self._health.turned()
                self._stop.wait(min(self._interval, self._rounds.wait()))
        finally:
            self._end(store)
            for number, handler in before.items():
                signal.signal(number, handler)
            if server is not None:
                server.shutdown()
        return 0

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop.set()

    # -- one turn ----------------------------------------------------------------------------------------------------

    def _has_project(self, store: Store) -> bool:
        """Give a sign from time to time; tell whether this daemon has the project, and no other."""
        now = time.monotonic()
        if not self._health.standing_by and self._signed and now - self._signed < LIVES.total_seconds() / 3:
            return True
        try:
            other = take_project(store, DaemonSign.own(datetime.now(UTC)))
        except AssetryError as error:
            self._context.warn(f"The daemon cannot reach the records: {error.message}")
            return False
        self._signed = now
        if other is not None and not self._health.standing_by:
            self._context.note(f"Another daemon has the project (process {other.process.pid}): standing by.")
        if other is None and self._health.standing_by:
            self._context.note("The other daemon is gone: this one goes on.")
        self._health.standing_by = other is not None
        return other is None

    def _turn(self, store: Store) -> None:
        self._reap()
        self._load()
        self._sense(store)
        worker = self._worker
        if worker is None or self._health.problem is not None or time.monotonic() < self._paused:
            return
        revision = self._revision(store)
        if revision == self._seen and time.time() < self._wake:
            return
        if self._starting is not None and not self._has_begun(store, self._starting):
            return
        self._starting = None
        asked = time.time()
        worker.ask(worker.load)
        answer = worker.answer(600.0) or {"problem": "A look took more than 10 minutes."}
        if "problem" in answer or "failed" in answer:
            self._fail(str(answer.get("problem") or answer.get("failed")), gone="problem" in answer)
            return
        self._seen, self._wake = revision, float(answer["wake"] or float("inf"))
        self._health.looked(answer["counts"], {name: JobHealth(**each) for name, each in answer["jobs"].items()})
        if answer["start"] and len(self._runs) < worker.max_runs:
            self._start(asked)

    def _sense(self, store: Store) -> None:
        """Ask sensors, and what integrations see, at their times; what they record is seen as any other record."""
        with suppress(AssetryError):
            self._rounds.turn(store, starts=self._worker is not None and self._health.problem is None)
        self._health.senses = self._rounds.told()

    def _revision(self, store: Store) -> str | None:
        with suppress(AssetryError):
            return revision_of(store)
        return None

    def _fail(self, told: str, *, gone: bool) -> None:
        self._context.warn(told)
        self._wake = time.time() + AGAIN
        if gone and self._worker is not None:
            self._worker.end()
            self._worker = None

    # -- definitions -------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        """Begin to load definitions that have changed; take those that are loaded, and keep the last that were."""
        now = fingerprint(self._worker.sources) if self._worker is not None else ""
        changed = self._worker is not None and now not in (self._worker.load, self._tried)
        # Where nothing was ever loaded it is not known which files to look at.
        never = self._worker is None and time.monotonic() >= self._again
        if self._coming is None and (changed or never):
            self._tried, self._again = now, time.monotonic() + AGAIN
            self._coming = Worker(self._root)
        if self._coming is None:
            if self._worker is not None and now == self._worker.load and self._health.problem is not None:
                self._health.problem = None  # what was broken was taken back
                self._rounds.forgive()
            return
        answer = self._coming.answer(0.0 if self._worker is not None else self._interval)
        if answer is None:
            return
        coming, self._coming = self._coming, None
        if "problem" in answer:
            coming.end()
            if answer["problem"] != self._health.problem:
                self._context.warn(f"The definitions do not load, and nothing is started: {answer['problem']}")
            self._health.problem = str(answer["problem"])
            return
        coming.take(answer)
        if self._worker is not None:
            self._worker.end()
        count = int(answer["ready"])
        self._context.note("1 asset is loaded." if count == 1 else f"{count:,} assets are loaded.")
        self._worker, self._health.problem, self._seen, self._wake = coming, None, None, 0.0
        self._rounds.take(read_senses(answer["senses"]))
        self._health.wrong = tuple(answer["wrong"])
        for wrong in self._health.wrong:
            self._context.warn(wrong)

    # -- runs --------------------------------------------------------------------------------------------------------

    def _start(self, asked: float) -> None:
        # It may have been wanted since just after the last look.
        environment = {**os.environ, WANTED: str(asked - self._interval)}
        command = [sys.executable, "-m", "assetry", "-C", str(self._root), "daemon", "--once"]
        # In a session of its own: Ctrl-C on a terminal is for the daemon, which asks it to end then.
        self._newest_before = self._newest()
        self._starting = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, env=environment)
        self._runs.append(self._starting)
        self._health.running = len(self._runs)

    def _newest(self) -> str | None:
        with suppress(AssetryError):
            return next((each.id for each in self._context.project.store.runs(1)), None)
        return None

    def _has_begun(self, store: Store, process: subprocess.Popen[bytes]) -> bool:
        """Tell whether a process has begun its run, so that what it makes is seen to be under way."""
        if process.poll() is not None:
            return True
        with suppress(AssetryError):
            owners = (store.owner(each.id) for each in store.runs(running=True))
            return any(owner is not None and owner.pid == process.pid for owner in owners)
        return False

    def _reap(self) -> None:
        for each in list(self._runs):
            if each.poll() is not None:
                self._runs.remove(each)
                if each is self._starting and (each.returncode or self._newest() == self._newest_before):
                    # It ended and had not begun a run, so that another one would come out as this has.
                    self._paused = time.monotonic() + AGAIN
                if each.returncode < 0:
                    self._tell_killed(each)
                self._health.runs["succeeded" if each.returncode == 0 else "failed"] += 1
                self._health.running = len(self._runs)
                self._wake = 0.0

    def _tell_killed(self, process: subprocess.Popen[bytes]) -> None:
        """Say which run was killed, and what becomes of what it was making."""
        name = signal.Signals(-process.returncode).name
        what = f"A run of process {process.pid} was killed ({name}) before it began"
        with suppress(AssetryError):
            store = self._context.project.store
            for run in store.runs(_NEWEST):
                owner = store.owner(run.id)
                if owner is not None and owner.pid == process.pid and run.state == "interrupted":
                    what = f"Run {run.id} was killed ({name}), which counts as a failure of what it was making"
                    break
        self._context.warn(
            f"{what}: what is due is begun again, after a failure a minute later, as `assetry status` says."
        )

    def _end(self, store: Store) -> None:
        self._rounds.end()
        for worker in (self._worker, self._coming):
            if worker is not None:
                worker.end()
        for each in self._runs:
            with suppress(ProcessLookupError):
                os.killpg(each.pid, signal.SIGTERM)
        until = time.monotonic() + GRACE
        for each in self._runs:
            with suppress(subprocess.TimeoutExpired):
                each.wait(max(until - time.monotonic(), 0.1))
        with suppress(AssetryError):
            leave_project(store, DaemonSign.own(datetime.now(UTC)))
