"""Processes: tell whether the one that began something is still there, even when its number was given to another."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Process:
    """The identity of a process, beyond its number, which the system gives to others later.

    `host` is the machine, `boot` the start of its kernel, `space` the process namespace (a container's own), `born`
    the start of the process in the system's own words. What cannot be found out is empty.

    >>> import os
    >>> Process.of(os.getpid()) == Process.of(os.getpid())
    True
    """

    pid: int
    host: str
    boot: str = ""
    space: str = ""
    born: str = ""

    @staticmethod
    def of(pid: int) -> Process:
        """Return the identity of process `pid` of this machine."""
        return Process(pid, *_here(), born=_born(pid) or "")

    def alive(self) -> bool | None:
        """Tell whether the process still runs; None when that cannot be seen from here.

        >>> import os
        >>> Process.of(os.getpid()).alive()
        True
        """
        host, boot, space = _here()
        if self.host != host:
            return None
        if self.boot != boot:
            return False
        if self.space != space:
            return None
        born = _born(self.pid)
        if born is None:
            return False
        return True if born and born == self.born else (None if not born or not self.born else False)


@cache
def hostname() -> str:
    """Return the name of this machine, as its users know it."""
    import os

    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


@cache
def _here() -> tuple[str, str, str]:
    """Return host, boot and process namespace; machines of one name are told apart where they have an id."""
    import os

    machine = _text("/etc/machine-id").strip()
    try:
        space = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - values load no pathlib
    except OSError:
        space = ""
    return f"{hostname()}/{machine}", _text("/proc/sys/kernel/random/boot_id").strip(), space


def _born(pid: int) -> str | None:
    """Return when `pid` was started, "" when that cannot be found out, None when there is no such process."""
    if _text("/proc/self/stat"):
        # The command, in parentheses, may hold anything; the state is the first field after it, the start the 20th.
        fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
        return None if not fields or fields[0] in "ZXx" else fields[19]
    import os

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
    import os
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
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""
