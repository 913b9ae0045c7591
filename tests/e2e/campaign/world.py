"""Where the campaign happens: the project on a disk of its own, its PostgreSQL, and the processes of its commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
from assetry_duckdb.unbegun import HEADERS

from tests.e2e.campaign.nursery import Nursery
from tests.e2e.campaign.project import write_project
from tests.postgres_server import Postgres, postgres

DATABASE = "campaign"
SIZE = "48m"


class World:
    """A folder with the project, which begins anew for each iteration; what its tools note is beside it."""

    def __init__(self, folder: Path, server: Postgres, nursery: Nursery, small_disk: bool) -> None:
        self.folder, self.nursery, self.small_disk = folder, nursery, small_disk
        self.root = folder / "disk" / "project"
        self._server = server
        self.ballast = folder / "disk" / "ballast"
        #: What files an undisturbed run leaves.
        self.known_files: set[str] = set()

    # -- its beginning -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make what iterations begin with: the project before anything was made, and after all was."""
        for name in (DATABASE, f"{DATABASE}_nothing"):
            self.admin(f"create database {name}")
        write_project(self.root, self._server.folder, DATABASE, self.folder)
        planned = self.nursery.call(self.root, "plan")
        assert planned.code == 0, planned.err.read_text()
        self._keep("nothing")
        made = self.nursery.call(self.root, "materialize", "--stale")
        assert made.code == 0, made.err.read_text()
        self.admin(f"create database {DATABASE}_all template {DATABASE}")
        self._keep("all")
        self.known_files = self.files()

    def _keep(self, name: str) -> None:
        shutil.copytree(self.root, self.folder / name)
        for each in ("CALLS", "calls"):
            if (self.folder / each).exists():
                shutil.copy(self.folder / each, self.folder / f"{name}.{each}")

    def begin(self, *, made: bool) -> None:
        """Begin anew."""
        name = "all" if made else "nothing"
        self.admin(f"drop database {DATABASE} with (force)", f"create database {DATABASE} template {DATABASE}_{name}")
        self.ballast.unlink(missing_ok=True)
        self.nursery.jump()
        shutil.rmtree(self.root)
        shutil.copytree(self.folder / name, self.root)
        for each in ("CALLS", "calls"):
            (self.folder / each).unlink(missing_ok=True)
            if (self.folder / f"{name}.{each}").exists():
                shutil.copy(self.folder / f"{name}.{each}", self.folder / each)

    # -- what befalls it ---------------------------------------------------------------------------------------------

    def fill_disk(self) -> None:
        with suppress(OSError), self.ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while True:
                        file.write(b"x" * size)

    def free_disk(self) -> None:
        self.ballast.unlink(missing_ok=True)

    def kill_connector(self) -> None:
        for pid, words in self.nursery.alive().items():
            if "source-shop" in words:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def cut_connections(self) -> None:
        self.admin(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{DATABASE}'")

    def change(self, statement: str) -> None:
        """Change a table of PostgreSQL behind the back of all."""
        self._postgres(self._server.url.replace("/postgres?", f"/{DATABASE}?"), statement)

    # -- what is in it -----------------------------------------------------------------------------------------------

    def admin(self, *statements: str) -> list[Any]:
        return self._postgres(self._server.url, *statements)

    def server(self, statement: str) -> list[Any]:
        """Ask the PostgreSQL of the project; nothing where the table is not there."""
        try:
            return self._postgres(self._server.url.replace("/postgres?", f"/{DATABASE}?"), statement)
        except psycopg2.errors.UndefinedTable:
            return []

    @staticmethod
    def _postgres(url: str, *statements: str) -> list[Any]:
        connection = psycopg2.connect(url)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for each in statements:
                    cursor.execute(each)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def duck(self, statement: str) -> list[Any]:
        """Ask the DuckDB file of the project; nothing where the table is not there."""
        file = self.root / "shop.duckdb"
        if not file.exists() or file.stat().st_size < HEADERS:
            return []  # where the disk was full DuckDB has not begun it
        with duckdb.connect(str(file), read_only=True) as connection:
            try:
                return connection.execute(statement).fetchall()
            except duckdb.CatalogException:
                return []

    def store(self, statement: str) -> list[Any]:
        file = self.root / ".assetry/state.db"
        if not file.exists():
            return []
        connection = sqlite3.connect(file)
        try:
            return connection.execute(statement).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []  # it was ended before it had made any
            raise
        finally:
            connection.close()

    def calls(self) -> list[list[str]]:
        """Return what functions have noted: word, asset, day, mark, pid, moment."""
        file = self.folder / "CALLS"
        return [line.split() for line in (file.read_text().splitlines() if file.exists() else ())]

    def reads(self) -> int:
        """Return how often the connector was started to read."""
        file = self.folder / "calls"
        calls = map(json.loads, file.read_text().splitlines() if file.exists() else ())
        return sum(each["verb"] == "read" for each in calls)

    def state_of_visits(self) -> int:
        """Return from where the connector goes on with `visits`."""
        kept = json.loads((self.root / ".assetry/airbyte/site/state.json").read_text())["streams"]
        [state] = [each["state"] for name, each in kept.items() if "visits" in name]
        found: int = state["at"]
        return found

    def files(self) -> set[str]:
        return {str(each.relative_to(self.root)) for each in self.root.rglob("*") if each.is_file()}


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give a world, with a small disk where root runs the tests."""
    disk = folder / "disk"
    disk.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(disk)]
    small = shutil.which("mount") is not None and subprocess.run(mount, capture_output=True).returncode == 0
    try:
        with postgres() as server:
            nursery = Nursery(folder)
            try:
                found = World(folder, server, nursery, small)
                found.prepare()
                yield found
            finally:
                nursery.close()
    finally:
        if small:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
