"""Files that DuckDB did not come to begin, on a full disk or because its process was killed: it opens none of them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

#: What DuckDB writes before anything of a table: three headers, of 4 kB each.
HEADERS = 3 * 4096


def remove_unbegun(path: Path) -> bool:
    """Remove a file that is too short to have a table in it, and that nobody is beginning; tell whether it was one.

    >>> remove_unbegun(Path("/nowhere/shop.duckdb"))
    False
    """
    try:
        import fcntl
    except ImportError:
        return False  # on Windows a file that is open cannot be told from one that was left
    with suppress(OSError), path.open("r+b") as file:
        # DuckDB has the same lock on what it begins. Bytes of another program are for people to look at.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (
            os.fstat(file.fileno()).st_size < HEADERS
            and _is_ours(file.read())
            and os.path.samestat(os.fstat(file.fileno()), path.stat())
        ):
            path.unlink()
            return True
    return False


def _is_ours(content: bytes) -> bool:
    """Tell whether this is how a file of DuckDB begins; after a checksum of 8 bytes its name stands."""
    return not content.strip(b"\0") or content[8:12] == b"DUCK"
