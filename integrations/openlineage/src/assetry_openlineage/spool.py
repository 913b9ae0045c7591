"""The spool: what is to be told of a run, in a file, until it has been.

The run writes plain facts there, which takes it no time; a process of its own makes lineage of them and sends it. So
nothing is lost when the service does not answer, or when the run is killed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from assetry.plugin import Process, from_json, is_alive

#: Where spools are, in the project's folder.
FOLDER = Path(".assetry") / "openlineage"

Line = Mapping[str, Any]


class Spool:
    """The file of one run; how many of its events were sent stands beside it.

    >>> Spool(Path("/shop/.assetry/openlineage/r1.jsonl")).run
    'r1'
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run(self) -> str:
        """Return the id of the run."""
        return self.path.stem

    def read(self, start: int = 0) -> tuple[list[Line], int]:
        """Return the whole lines from a place in the file on, and where they end.

        What a killed run has begun to write is no line.
        """
        with self.path.open("rb") as file:
            file.seek(start)
            whole, found, _ = file.read().rpartition(b"\n")
        return [json.loads(line) for line in whole.split(b"\n") if line], start + len(whole) + len(found)

    @property
    def is_over(self) -> bool:
        """Tell whether nothing more will be written: the run has said so, or its process is gone."""
        lines, _ = self.read()
        ended = any(line.get("event", {}).get("event") == "run_finished" for line in lines[-1:])
        return ended or not lines or is_alive(from_json(Process, lines[0]["process"])) is False

    @property
    def sent(self) -> int:
        """Return how many events were sent."""
        beside = self._beside("sent")
        return int(beside.read_text() or 0) if beside.exists() else 0

    def note_sent(self, count: int) -> None:
        """Keep how many events were sent."""
        new = self._beside("new")
        new.write_text(str(count))
        new.replace(self._beside("sent"))
        self._beside("error").unlink(missing_ok=True)

    @property
    def error(self) -> str | None:
        """Return why the last try did not send all there was; None where it did."""
        beside = self._beside("error")
        return beside.read_text(encoding="utf-8") if beside.exists() else None

    def note_error(self, error: str) -> None:
        """Keep why something could not be sent."""
        self._beside("error").write_text(error, encoding="utf-8")

    def remove(self) -> None:
        """Forget a run of which all was sent."""
        for each in (self.path, self._beside("sent"), self._beside("error")):
            each.unlink(missing_ok=True)

    def _beside(self, what: str) -> Path:
        return self.path.with_suffix(f".{what}")

    @contextmanager
    def alone(self, *, wait: bool) -> Iterator[bool]:
        """Let only this process send of it meanwhile; False where another one does and is not waited for."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            yield False  # another one has sent all of it
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            # Who was first may have sent all of it.
            yield self.path.exists()


def spools(root: Path) -> list[Spool]:
    """Return the spools of a project, the oldest run first."""
    return [Spool(path) for path in sorted((root / FOLDER).glob("*.jsonl"))]


class Writer:
    """Writes the spool of a run that goes on."""

    def __init__(self, root: Path, run: str) -> None:
        folder = root / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{run}.jsonl"
        self._file: IO[str] = self.path.open("a", encoding="utf-8")

    def write(self, *lines: Line) -> None:
        """Write lines, so that who reads the file sees them whole."""
        self._file.write("".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines))
        self._file.flush()

    def close(self) -> None:
        """Close the file, once it is on the disk."""
        os.fsync(self._file.fileno())
        self._file.close()
