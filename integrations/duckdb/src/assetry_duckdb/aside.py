"""A way to write DuckDB files whose path has a question mark.

DuckDB takes it for the beginning of a query, puts the name of its write-ahead log together wrongly, and cannot write at
all; a link does not help, because it follows links. So such a file is worked on as a copy that stands aside.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def writable(path: str) -> Iterator[str]:
    """Give a path by which DuckDB can write the file at `path`, most often that one; whole changes, or none, get there.

    A copy is given to one thread or process at a time: what would be written to it beside another would be lost.

    >>> with writable("shop.duckdb") as path:
    ...     path
    'shop.duckdb'
    """
    if sys.platform == "win32" or "?" not in os.path.realpath(path):
        yield path
        return
    import fcntl

    real = Path(path).resolve()
    folder = os.open(real.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with tempfile.TemporaryDirectory(prefix="assetry-") as aside:
            copy = Path(aside) / (real.name.partition("?")[0] or "assetry")
            if real.exists():
                shutil.copy2(real, copy)
            before = _stamp(copy)
            yield str(copy)
            if _stamp(copy) != before:
                beside = real.with_name(f"{real.name}.new")
                shutil.copyfile(copy, beside)
                beside.replace(real)
    finally:
        os.close(folder)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_size
