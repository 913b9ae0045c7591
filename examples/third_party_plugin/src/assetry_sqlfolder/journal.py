"""A process whose output goes into a file, its journal: from the file it can be followed, stopped, found again.

The process holds a lock on its journal for as long as it lives. So "is it still running?" has a sure answer, also
for a program that did not start it, and a process number that was given out anew is never mistaken for it.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile

#: Seconds between two looks at the journal.
PAUSE = 0.02


@dataclass
class Job:
    """One process and its journal."""

    process: int
    journal: Path
    child: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @classmethod
    def start(cls, command: Sequence[str], folder: Path) -> "Job":
        """Start a command that prints into a new journal in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, suffix=".jsonl", delete=False) as out:
            fcntl.flock(out, fcntl.LOCK_EX)  # the child inherits the open file, and the lock with it
            # A session of its own: it survives its parent, and a Ctrl-C in the terminal is not meant for it.
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        return cls(child.pid, Path(out.name), child)

    @classmethod
    def find(cls, token: str) -> "Job | None":
        """Find a job again by its token; None when its journal is gone."""
        process, _, journal = token.partition(" ")
        return cls(int(process), Path(journal)) if Path(journal).exists() else None

    @property
    def token(self) -> str:
        """Return all that another program needs to find the job again."""
        return f"{self.process} {self.journal}"

    @property
    def alive(self) -> bool:
        """Tell whether the process has not ended."""
        with self.journal.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def lines(self, cancelled: Callable[[], bool]) -> Iterator[str]:
        """Yield what is printed, line by line, from the first on; end with the process, or when cancelled."""
        rest = b""
        with self.journal.open("rb") as file:
            while not cancelled():
                alive = self.alive  # asked first: what was printed until then is read below
                *whole, rest = (rest + file.read()).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in whole)
                if not alive:
                    return
                time.sleep(PAUSE)

    def stop(self) -> None:
        """Kill the process if it is still there, and wait until it is gone."""
        while self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.process, signal.SIGKILL)
            time.sleep(PAUSE)
        if self.child is not None:
            self.child.wait()
