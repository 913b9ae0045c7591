"""Files that are kept whole: readers see the old one or the new one; and folders that go when the work is done."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError, private_file, private_folder

#: Seconds after which a half-written file cannot be work in progress.
_ABANDONED = 3600.0


def write_whole(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file beside its place, then put it there; its folder is made.

    Below ``.assetry`` only this user can read it. `durable` returns only when it is on the disk, so that it outlives a
    power cut. What a killed writer left beside it is removed. Raises `OSError`; the old file is there still, then.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "new", "snapshot.json"), "{}")
    ...     [each.name for each in Path(folder, "new").iterdir()]
    ['snapshot.json']
    """
    private_folder(path.parent)
    _sweep(path)
    # Two processes may write at a time, and two threads of one.
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with private_file(beside).open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    if durable:
        _sync(path.parent)


@contextmanager
def written_or_told(path: Path) -> Iterator[None]:
    """Raise `IntegrationError` when a file cannot be written while this lasts, such as on a full disk.

    >>> with written_or_told(Path("mill.json")):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    assetry.errors.IntegrationError: mill.json cannot be written: No space left on device.
      at mill.json
      It needs a place that you can write to, on a disk that is not full.
    """
    try:
        yield
    except OSError as error:
        message = f"{path.name} cannot be written: {error.strerror}."
        hint = "It needs a place that you can write to, on a disk that is not full."
        raise IntegrationError(message, where=str(path), hint=hint) from error


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; an empty one when there is none, or none that can be read.

    For what can be made anew, such as an answer that is kept; what must not be lost wants an error instead.

    >>> read_json(Path("nowhere.json"))
    {}
    """
    try:
        return json_object(path.read_bytes())
    except OSError:
        return {}


def json_object(text: str | bytes) -> dict[str, Any]:
    """Return the object that a text is in JSON; an empty one where it is anything else.

    >>> json_object('{"rows": 3}'), json_object("rows"), json_object("[3]")
    ({'rows': 3}, {}, {})
    """
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _sweep(path: Path) -> None:
    for left in path.parent.glob(f".{escape(path.name)}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes, and other threads, that lock the same file waiting; it is made, and stays."""
    import fcntl

    with private_file(path).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Workplace:
    """A folder that only this user can read, for what a command is given and what is made of its output.

    It is made inside `folder` and gone when the work is done. What a killed process left behind goes with the next one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Workplace(Path(folder)) as place:
    ...     oct(place.write("config.json", '{"key": "s3cret"}').stat().st_mode)[-3:]
    '600'
    """

    def __init__(self, folder: Path) -> None:
        private_folder(folder)
        self._clear(folder)
        self.path = folder / f"run-{os.getpid()}-{os.urandom(4).hex()}"

    def __enter__(self) -> Workplace:
        import fcntl

        # It gets its name once it is locked, so that no other process takes it for one that was left behind.
        making = self.path.with_name(f".{self.path.name}")
        making.mkdir(mode=0o700)
        self._held = private_file(making / "held").open("w")
        fcntl.flock(self._held, fcntl.LOCK_EX)
        making.rename(self.path)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()

    def write(self, name: str, content: str) -> Path:
        """Write a file that only this user can read; return its path."""
        path = self.path / name
        # Made with its final mode: there must be no moment at which others can open it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
        return path

    @staticmethod
    def _clear(folder: Path) -> None:
        import fcntl

        for left in folder.glob("run-*"):
            with contextlib.suppress(OSError), (left / "held").open() as held:
                # As long as a process works there, it holds this lock.
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
