"""Processes: whether the one that began a run is still there, even when its pid was given to another."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from assetry.types.records import Process


def process_of(pid: int) -> Process:
    """Return the identity of process `pid` of this machine.

    >>> process_of(os.getpid()) == process_of(os.getpid())
    True
    """
    return Process(pid, *_here(), born=_born(pid) or "")


def is_alive(process: Process) -> bool | None:
    """Tell whether a process still runs; None when that cannot be seen from here.

    >>> is_alive(process_of(os.getpid()))
    True
    """
    host, boot, space = _here()
    if process.host != host:
        return None
    if process.boot != boot:
        return False
    if process.space != space:
        return None
    born = _born(process.pid)
    if born is None:
        return False
    return True if born and born == process.born else (None if not born or not process.born else False)


@cache
def hostname() -> str:
    """Return the name of this machine, as its users know it."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


@cache
def _here() -> tuple[str, str, str]:
    """Return host, boot and process namespace; machines of one name are told apart where they have an id."""
    machine = _text("/etc/machine-id").strip()
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return f"{hostname()}/{machine}", _text("/proc/sys/kernel/random/boot_id").strip(), space


def _born(pid: int) -> str | None:
    """Return when `pid` was started, "" when that cannot be found out, None when there is no such process."""
    if _text("/proc/self/stat"):
        # The command, in parentheses, may hold anything; the state is the first field after it, the start the 20th.
        fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
        return None if not fields or fields[0] in "ZXx" else fields[19]
    if os.name != "posix":
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return _born_by_ps(pid)


def _born_by_ps(pid: int) -> str | None:
    import subprocess

    try:
        asked = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except OSError:
        return ""
    state, _, born = asked.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else born.strip()


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
