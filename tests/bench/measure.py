"""Measure CPU seconds of processes: what `make bench` counts in, because wall time on a shared machine says little."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def child_cpu(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> float:
    """Return the CPU seconds, user and system, of a command and its children; raise when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def best(measure: Callable[[], float], times: int) -> float:
    """Return the least of several measurements: what the work costs when nothing disturbs it."""
    return min(measure() for _ in range(times))


def python(code: str) -> list[str]:
    """Return the command that runs a piece of Python."""
    return [sys.executable, "-c", code]


def assetry(*arguments: str) -> list[str]:
    """Return the command line of assetry, as the console script calls it."""
    return [sys.executable, "-c", "import sys; from assetry.cli import main; sys.exit(main())", *arguments]


def row(name: str, figure: str, aim: str, kept: bool | None = None) -> None:
    """Print one line of the report."""
    mark = "" if kept is None else ("ok" if kept else "MISSED")
    print(f"{name:<62} {figure:>18}   {aim:<28} {mark}", flush=True)
