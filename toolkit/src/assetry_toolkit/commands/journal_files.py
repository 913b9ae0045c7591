"""The files of a journal, which is a folder: what a command writes, what is needed to stop it, and how it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from assetry.plugin import Process

from assetry_toolkit.commands import keeper
from assetry_toolkit.commands.output import CHUNK, Block, LineCutter, Stream


@dataclass(frozen=True, slots=True)
class Begun:
    """What has to be known of a command that another process has started."""

    called: str
    longest: int
    ask: int
    grace: float
    process: Process

    @classmethod
    def read(cls, place: Path) -> Begun | None:
        """Read it from a journal; None when its command was never begun."""
        try:
            said = json.loads((place / "begun").read_bytes())
            return cls(**{**said, "process": Process(**said["process"])})
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
            return None


class Written:
    """A file that the command writes, read in blocks of whole lines."""

    def __init__(self, name: Stream, file: int, begun: Begun) -> None:
        self._name = name
        self._file = file
        self._cutter = LineCutter(begun.called, begun.longest)
        self._at = 0
        self._limit: int | None = None

    def limit(self) -> None:
        """Read no further than to where the file ends now."""
        self._limit = os.fstat(self._file).st_size

    def read(self, to_end: bool) -> Block | None:
        """Return the next whole lines, maybe none; None when there is nothing new. `to_end` gives the last one, too."""
        size = CHUNK if self._limit is None else min(CHUNK, max(self._limit - self._at, 0))
        chunk = os.pread(self._file, size, self._at) if size else b""
        self._at += len(chunk)
        data = self._cutter.cut(chunk) if chunk else b""
        if not chunk and to_end:
            data = self._cutter.rest()
        return Block(self._name, data) if chunk or data else None


def made(folder: Path, merged: bool, of: Iterable[str] = ()) -> tuple[Path, int]:
    """Make a journal and hold its lock; it gets its name last, so that no other process takes it for an old one."""
    import fcntl

    making = Path(mkdtemp(prefix=".job-", dir=folder))
    for name in ("out", "of", *(() if merged else ("err",))):
        (making / name).touch(0o600)
    (making / "of").write_text(json.dumps(sorted(of)))
    os.mkfifo(making / "asks", 0o600)
    held = os.open(making / "end", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(held, b" " * keeper.END_SIZE)
        os.fsync(held)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return making.rename(folder / making.name[1:]), held
    except BaseException:
        os.close(held)
        raise


def link(place: Path, name: str, content: bytes) -> None:
    """Write a file whole, and durably. Raises `FileExistsError` when it is there already."""
    beside = place / f".{name}-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        (place / name).hardlink_to(beside)
    finally:
        beside.unlink(missing_ok=True)
