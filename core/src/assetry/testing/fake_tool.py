"""A tool that does not exist: it makes things, and can be told to wait, to fail, to die.

All that it was told and all that it did stands in files of one folder. So the test, the plugin, a process that the
plugin started and a process that the test started see one and the same tool. There are three ways to wire it, for
the three ways in which integrations reach their tools:

* **a command**: ``tool.command("a", "b")`` is a command line; it prints one JSON line per step.
* **a service**: ``tool.start(names)`` begins a job, ``tool.poll(job)`` tells how it stands, ``tool.cancel(job)`` ends
  it; put them behind the answers of `assetry.testing.fake_transport`.
* **a library**: ``for step in tool.run(names)`` runs it in this process.

This module needs nothing but Python, so that starting the command is cheap.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

State = Literal["running", "succeeded", "failed", "cancelled", "died"]

#: Seconds after which a tool that was told to wait goes on all the same, so that nothing stays behind for ever.
LONGEST_WAIT = 120.0
#: Seconds between two looks.
PAUSE = 0.01


class ToolDied(Exception):
    """The tool ended in the middle, as if it had been killed."""


class Step(NamedTuple):
    """What the tool did: `what` is ``started``, ``made``, ``failed`` or ``skipped``; `message` says why not.

    >>> Step("orders", "made", rows=3).rows
    3
    """

    name: str
    what: str
    message: str = ""
    rows: int = 0


class Job(NamedTuple):
    """How a job stands: its state, and what it did so far, oldest first.

    >>> Job("running", (Step("orders", "started"),)).state
    'running'
    """

    state: State
    steps: tuple[Step, ...]


def last_part(asset: Any) -> str:
    """Return the last part of an asset's key: what most tools call the thing.

    >>> from assetry.plugin import Asset
    >>> last_part(Asset(key="shop/orders", kind="acme"))
    'orders'
    """
    return str(asset.key).rpartition("/")[2]


class FakeTool:
    """A tool under the control of a test.

    `folder` is where its files stand (a temporary one of its own when None). `name` says what the tool calls an
    asset. `needs` maps a name to those it is made from: it is skipped when one of them failed.

    >>> tool = FakeTool(needs={"b": ["a"]})
    >>> [step.what for step in tool.run(["a", "b"])]
    ['started', 'made', 'started', 'made']
    >>> tool.launches, tool.running
    (1, 0)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str] | None = None,
        *,
        name: Callable[[Any], str] = last_part,
        needs: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._folder = None if folder is None else Path(folder)
        self._name = name
        self._needs = needs
        self._temporary: Any = None

    @property
    def folder(self) -> Path:
        """Return the folder that all of the tool's files stand in."""
        if self._folder is None:
            import tempfile

            self._temporary = tempfile.TemporaryDirectory(prefix="fake-tool-", ignore_cleanup_errors=True)
            self._folder = Path(self._temporary.name)
        return self._folder

    # -- for the plugin: run it --------------------------------------------------------------------------------------

    def command(self, *names: str) -> list[str]:
        """Return the command line that makes `names`; each step is a line of JSON, ``{"name": …, "what": …}``.

        It ends with 0 when all were made, with 1 when some failed, with 70 when it was told to die; SIGTERM and
        SIGINT end it at once.
        """
        self._told()  # `needs` must be on file before another process asks
        # The file, not the module: importing the package around it would cost more than the tool itself.
        return [sys.executable, "-S", "-E", "-P", __file__, str(self.folder), *names]

    def run(self, names: Sequence[str]) -> Iterator[Step]:
        """Make `names` in this process, one after the other; raise `ToolDied` where it was told to die.

        Closing the iterator stops the tool.
        """
        job = self.start(names, process=os.getpid(), lasting=False)
        seen = 0
        try:
            while True:
                state, steps = self.poll(job)
                yield from steps[seen:]
                if state != "running":
                    break
                if seen == len(steps):
                    time.sleep(PAUSE)
                seen = len(steps)
        finally:
            self.cancel(job)
        if state == "died":
            raise ToolDied(f"the tool died while it made {', '.join(names)}")

    def start(self, names: Sequence[str], *, process: int | None = None, lasting: bool = True) -> str:
        """Begin a job that makes `names`, and return its id; `poll` moves it on.

        A `lasting` job lives outside: it counts as running until it ends or is cancelled. Another one lives as
        long as `process`.
        """
        jobs = self.folder / "jobs"
        jobs.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            try:
                (jobs / str(number)).mkdir()
                break
            except FileExistsError:
                number += 1
        facts = {"names": list(names), "process": None if lasting else process}
        _write(jobs / str(number) / "job.json", json.dumps(facts))
        return str(number)

    def poll(self, job: str) -> Job:
        """Move a job on by one step, unless it was told to wait, and tell how it stands."""
        folder = self._job(job)
        steps = _steps(folder)
        state = _text(folder / "ended")
        if not state:
            state = self._move(folder, steps)
            steps = _steps(folder)
        return Job(state, steps)  # type: ignore[arg-type]

    def look(self, job: str) -> Job:
        """Tell how a job stands, without moving it."""
        folder = self._job(job)
        return Job(_text(folder / "ended") or "running", _steps(folder))  # type: ignore[arg-type]

    def cancel(self, job: str) -> None:
        """Stop a job; nothing happens to one that has ended."""
        folder = self._job(job)
        (folder / "holding").unlink(missing_ok=True)
        if not _text(folder / "ended"):
            _write(folder / "ended", "cancelled")

    # -- for the test: tell it what to do, and see what it did -------------------------------------------------------

    def reset(self) -> None:
        """Forget all that it was told and all that it did."""
        import shutil

        shutil.rmtree(self.folder / "jobs", ignore_errors=True)
        (self.folder / "told.json").unlink(missing_ok=True)

    def hold(self, asset: Any) -> None:
        """Wait before `asset` is made, until `release`."""
        self._tell(held=[*self._told()["held"], self._name(asset)])

    def release(self) -> None:
        """Go on with what it was waiting with."""
        if _text(self.folder / "told.json") and self._told()["held"]:
            self._tell(held=[])

    @property
    def holding(self) -> bool:
        """Tell whether it waits now, as it was told by `hold`."""
        return any((folder / "holding").exists() for folder in self._jobs() if self._alive(folder))

    def break_asset(self, asset: Any) -> None:
        """Fail when `asset` is to be made."""
        name = self._name(asset)
        self._tell(broken={**self._told()["broken"], name: f"relation {name} has no column id"})

    def die_at(self, asset: Any) -> None:
        """End without a word when `asset` is to be made."""
        self._tell(dies=self._name(asset))

    def kill(self) -> None:
        """End without a word what runs now, as if it had been killed; it can be asked for, and tells that it died."""
        for folder in self._jobs():
            if self._alive(folder):
                (folder / "holding").unlink(missing_ok=True)
                _write(folder / "ended", "died")

    @property
    def launches(self) -> int:
        """Return how often it was started since `reset`: processes, jobs or calls."""
        return len(self._jobs())

    @property
    def asked(self) -> tuple[tuple[str, ...], ...]:
        """Return the names that each launch was asked for, oldest first."""
        return tuple(tuple(_facts(folder)["names"]) for folder in self._jobs())

    @property
    def running(self) -> int:
        """Return how many of its processes, jobs or calls have not ended."""
        return sum(1 for folder in self._jobs() if self._alive(folder))

    def made(self, asset: Any) -> bool:
        """Tell whether it has made `asset` since `reset`."""
        name = self._name(asset)
        return any(step[:2] == (name, "made") for folder in self._jobs() for step in _steps(folder))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _job(self, job: str) -> Path:
        folder = self.folder / "jobs" / job
        if not folder.is_dir():
            raise KeyError(f"the tool knows no job {job!r}")
        return folder

    def _jobs(self) -> list[Path]:
        jobs = self.folder / "jobs"
        found = [folder for folder in jobs.iterdir() if (folder / "job.json").exists()] if jobs.is_dir() else []
        return sorted(found, key=lambda folder: int(folder.name))

    def _alive(self, folder: Path) -> bool:
        if _text(folder / "ended"):
            return False
        process = _facts(folder)["process"]
        return process is None or _process_alive(process)

    def _told(self) -> dict[str, Any]:
        text = _text(self.folder / "told.json")
        if text:
            told: dict[str, Any] = json.loads(text)
            return told
        fresh: dict[str, Any] = {
            "held": [],
            "broken": {},
            "dies": None,
            "needs": {k: list(v) for k, v in (self._needs or {}).items()},
        }
        if self._needs is not None:
            _write(self.folder / "told.json", json.dumps(fresh))
        return fresh

    def _tell(self, **what: Any) -> None:
        _write(self.folder / "told.json", json.dumps({**self._told(), **what}))

    def _move(self, folder: Path, steps: Sequence[Step]) -> str:
        told = self._told()
        ended = {step.name: step.what for step in steps if step.what != "started"}
        left = [name for name in _facts(folder)["names"] if name not in ended]
        if not left:
            state = "failed" if "failed" in ended.values() else "succeeded"
            _write(folder / "ended", state)
            return state
        name = left[0]
        if any(ended.get(each) in ("failed", "skipped") for each in told["needs"].get(name, ())):
            _add(folder, Step(name, "skipped", "what it is made from failed"))
        elif Step(name, "started") not in steps:
            _add(folder, Step(name, "started"))
        elif self._waits(folder, name, told):
            pass
        elif name == told["dies"]:
            _write(folder / "ended", "died")
            return "died"
        elif name in told["broken"]:
            _add(folder, Step(name, "failed", told["broken"][name]))
        else:
            _add(folder, Step(name, "made", rows=len(name)))
        return "running"

    def _waits(self, folder: Path, name: str, told: Mapping[str, Any]) -> bool:
        mark = folder / "holding"
        if name not in told["held"] or (mark.exists() and time.time() - mark.stat().st_mtime > LONGEST_WAIT):
            mark.unlink(missing_ok=True)
            return False
        if not mark.exists():
            mark.touch()
        return True


def _add(folder: Path, step: Step) -> None:
    with (folder / "steps").open("a", encoding="utf-8") as file:
        file.write(json.dumps(step) + "\n")


def _steps(folder: Path) -> tuple[Step, ...]:
    lines = _text(folder / "steps").splitlines()
    return tuple(Step(*json.loads(line)) for line in lines if line.endswith("]"))


def _facts(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(_text(folder / "job.json"))
    return facts


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _write(path: Path, text: str) -> None:
    """Write a file that others may be reading."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}-{time.monotonic_ns()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _process_alive(process: int) -> bool:
    stat = _text(Path(f"/proc/{process}/stat"))
    if stat:
        # One that has ended but was not waited for yet is no longer running.
        return stat.rpartition(")")[2].split()[0] not in "ZX"
    if Path("/proc/self/stat").exists():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(arguments: Sequence[str]) -> int:
    """Run the tool as a command: the folder, then the names."""
    folder, *names = arguments
    tool = FakeTool(folder)
    code = 0
    try:
        with suppress(KeyboardInterrupt):
            for step in tool.run(names):
                print(json.dumps(step._asdict()), flush=True)
                code = 1 if step.what == "failed" else code
    except ToolDied:
        os._exit(70)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
