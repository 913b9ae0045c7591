"""Processes that start commands and are killed, and commands that wait."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from assetry.plugin import is_alive, process_of
from assetry.testing import eventually
from assetry_toolkit.commands import Command, JournaledCommand

#: Says that it is there, and works until it is told to go on, by a file.
WAITING = """\
echo x >> launches; echo $$ > pid; echo first; echo first >&2
until [ -e go ]; do sleep 0.02; done
echo second; exit 3
"""
#: Starts a command with a journal, writes its token down, and reads it until it is killed.
STARTER = """
import pathlib, sys
from assetry_toolkit.commands import Command, JournaledCommand
with JournaledCommand.prepare(Command(tuple(sys.argv[1:]), grace=60), pathlib.Path("journals")) as running:
    pathlib.Path("token").write_text(running.token)
    for line in running.lines():
        pathlib.Path("heard").touch()
"""


def killed_starter(folder: Path, command: Command) -> str:
    """Start a command in a process that works in `folder` and is killed once it has heard of it; return the token."""
    with subprocess.Popen([sys.executable, "-c", STARTER, *command.words], cwd=folder) as starter:
        assert eventually((folder / "heard").exists, 30)
        starter.kill()
    return (folder / "token").read_text()


def found(token: str) -> JournaledCommand:
    """Return a command that there must be."""
    running = JournaledCommand.find(token)
    assert running is not None
    return running


def pid_of(journal: str) -> int:
    """Return the pid of the program that has a journal."""
    return int(json.loads(Path(journal, "begun").read_text())["process"]["pid"])


def keeper_of(journal: str) -> int:
    """Return the pid of what keeps a journal: the parent of the program."""
    return int(Path(f"/proc/{pid_of(journal)}/stat").read_text().rpartition(")")[2].split()[1])


def kill_all(journal: str) -> None:
    """Kill a program and what keeps its journal, so that its end is not seen."""
    pid, keeper = pid_of(journal), keeper_of(journal)
    os.kill(keeper, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    assert is_gone(pid)
    assert is_gone(keeper)


def is_gone(pid: int) -> bool:
    """Tell whether a process is gone, soon: what is killed takes a moment."""
    return eventually(lambda: not is_alive(process_of(pid)), 30)
