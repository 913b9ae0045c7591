"""A process with the definitions of a project, which is asked by lines and answers by lines of JSON."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from assetry.plugin import AssetryError


class AskedProcess:
    """A module of this package that runs on a project's folder, in a session of its own."""

    def __init__(self, module: str, root: Path) -> None:
        command = [sys.executable, "-m", module, str(root)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, start_new_session=True
        )

    def answer(self, timeout: float) -> Mapping[str, Any] | None:
        """Return its next line, None when none comes in time; one that has ended answers with a problem."""
        out = self._process.stdout
        assert out is not None, "it was started with a pipe"
        if not select.select([out], [], [], timeout)[0]:
            return None
        line = out.readline()
        if not line:
            return {"problem": self.ended(self._process.wait())}
        found: Mapping[str, Any] = json.loads(line)
        return found

    def ended(self, code: int) -> str:
        """Return what is told of one that ended by itself."""
        return f"The process that loads the definitions ended with {code}."

    def ask(self, line: str) -> None:
        """Ask by a line; `answer` has what it answers."""
        stdin = self._process.stdin
        assert stdin is not None, "it was started with a pipe"
        with suppress(BrokenPipeError):
            stdin.write(f"{line}\n")
            stdin.flush()

    def end(self) -> None:
        """End it, with all that it has started: what it has not recorded as a whole is not recorded."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                assert pipe is not None, "it was started with pipes"
                pipe.close()


def tell(told: TextIO, answer: Mapping[str, Any]) -> None:
    """Answer by a line."""
    told.write(json.dumps(answer) + "\n")
    told.flush()


def answers() -> TextIO:
    """Return where answers go; what definitions print goes to stderr from now on, and is not taken for one."""
    found = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return found


def words(error: AssetryError) -> str:
    """Return all that an error says, in one line."""
    near = f"(did you mean {error.near[0]!r}?)" if error.near else ""
    told = [error.message, f"at {error.where}" if error.where else "", near, error.hint or ""]
    return " ".join(each for each in told if each)
