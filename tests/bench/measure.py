"""Measure CPU seconds of processes: what `make bench` counts in, because wall time on a shared machine says little."""

from __future__ import annotations

import atexit
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path


def environment() -> dict[str, str]:
    """Return the environment of what is measured: bytecode is kept, as on a person's machine, in a place of its own."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": _bytecode()}


@cache
def _bytecode() -> str:
    folder = tempfile.mkdtemp(prefix="assetry-bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def child_cpu(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> float:
    """Return the CPU seconds, user and system, of a command and its children; raise when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        command, cwd=cwd, env={**environment(), **(env or {})}, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def child_peak(command: Sequence[str], *, cwd: Path | None = None) -> float:
    """Return how many megabytes a command has held in memory at most; raise when it fails."""
    child = subprocess.Popen(command, cwd=cwd, env=environment(), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}")
    return used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def best(measure: Callable[[], float], times: int) -> float:
    """Return the least of several measurements, after one that only warms up: what it costs when nothing disturbs."""
    measure()
    return min(measure() for _ in range(times))


def python(code: str) -> list[str]:
    """Return the command that runs a piece of Python."""
    return [sys.executable, "-c", code]


def loading(folder: str, assets: int) -> float:
    """Return the CPU seconds of a whole process that loads the project of a folder, which must have so many assets."""
    code = (
        "from assetry.project.project import Project\n"
        f"with Project.load({folder!r}) as project:\n"
        f"    assert len(project.graph) == {assets}\n"
    )
    return best(lambda: child_cpu(python(code)), 3)


def assetry(*arguments: str) -> list[str]:
    """Return the command line of assetry, as the console script calls it."""
    return [sys.executable, "-c", "import sys; from assetry.cli import main; sys.exit(main())", *arguments]


def row(name: str, figure: str, aim: str, kept: bool | None = None) -> None:
    """Print one line of the report."""
    mark = "" if kept is None else ("ok" if kept else "MISSED")
    print(f"{name:<62} {figure:>18}   {aim:<28} {mark}", flush=True)
