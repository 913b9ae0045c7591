"""Files that are replaced as a whole: written beside their place, and moved there when they are on the disk.

What a killed writer leaves beside is removed by the next one. A lock that the writer holds while it writes tells the
one from the other, on whichever machine it runs; the lock goes with the process.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from assetry.io.private_files import file_mode, private_file

_SUFFIX = ".part"


#: How many files are written beside their places at a time, before all of them are moved: each stays open until then.
MOST_OPEN = 100


def replace(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Let `write` write the file at `path`; what is there stays until the new one is whole. Raises what writing does.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "new", "answer.txt")
    >>> replace(path, lambda file: file.write(b"42"))
    >>> path.read_bytes()
    b'42'
    >>> folder.cleanup()
    """
    replace_all({path: write})


def replace_all(files: Mapping[Path, Callable[[BinaryIO], Any]]) -> None:
    """Let several files be written; no more than `MOST_OPEN`, and none is moved before all of them are whole.

    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "answer.txt")
    >>> replace(path, lambda file: file.write(b"42"))
    >>> replace_all({path: lambda file: file.write(b"43"), path.with_name("b"): lambda file: file.wrote()})
    Traceback (most recent call last):
    AttributeError: '_io.BufferedWriter' object has no attribute 'wrote'
    >>> path.read_bytes(), len(list(path.parent.iterdir()))
    (b'42', 1)
    >>> folder.cleanup()
    """
    written: list[tuple[Path, Path]] = []
    try:
        with contextlib.ExitStack() as opened:
            for path, write in files.items():
                # The thread's number keeps two writers of one process apart, the process's number those of two.
                beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}{_SUFFIX}")
                file = opened.enter_context(_held(beside))
                written.append((beside, path))
                write(file)
                file.flush()
                os.fsync(file.fileno())
            # Moved while the locks are held: without them, they could be taken for what was left.
            for beside, path in written:
                os.replace(beside, path)  # noqa: PTH105 - the one that says that it replaces
        for folder in dict.fromkeys(path.parent for path in files):
            _sync_folder(folder)
    except BaseException:
        for beside, _ in written:
            with contextlib.suppress(OSError):
                beside.unlink()
        raise


def sweep(folder: Path) -> None:
    """Remove the files that writers which are gone have left in a folder; one that cannot be removed is left."""
    with contextlib.suppress(OSError):
        for left in folder.glob(f".*{_SUFFIX}"):
            with contextlib.suppress(OSError), left.open("rb") as file:
                if _lock(file):
                    left.unlink()


def _held(path: Path) -> BinaryIO:
    """Open a file of our own for writing, locked."""
    while True:
        file = _opened(path)
        if not _lock(file) or _is_at(file, path):
            return file
        file.close()  # it was swept between the opening and the lock


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: BinaryIO) -> bool:
    """Lock a file if no other process has; return whether that was done, which where there are no locks it never is."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # it is locked, or the file system has no locks
        return False
    return True


def _opened(path: Path) -> BinaryIO:
    """Open a new file; its folder is nearly always there, and is made only where it is not."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), file_mode(path))
    except (FileNotFoundError, FileExistsError):
        return private_file(path).open("wb")
    return os.fdopen(handle, "wb")


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
