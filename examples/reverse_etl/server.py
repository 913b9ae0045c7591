"""Parcel, a reverse-ETL service that does not exist: real HTTP on loopback, real jobs, and all of it kept on disk.

    PARCEL_API_KEY=any-key-of-yours python server.py shop/service.json --port 8321

The file names the warehouse (DuckDB) and the syncs. What was asked of the service is in `.parcel/parcel.db` beside it,
and what was sent in `.parcel/sent/DESTINATION/OBJECT.jsonl`. Killed and started again, it goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY AUTOINCREMENT, sync TEXT, status TEXT, error TEXT);
CREATE TABLE IF NOT EXISTS objects (run INTEGER, name TEXT, status TEXT, rows INTEGER, rejected INTEGER, error TEXT);
CREATE TABLE IF NOT EXISTS switches (name TEXT, value TEXT);
"""
LIVE = ("queued", "running")
LOCKED = 30.0  # seconds that a warehouse may be in use by others


class Books:
    """What is known of runs, on disk; and the switches by which tests let the service wait, fail and forget."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        (home / ".gitignore").write_text("*\n")
        with self._open() as db:
            db.executescript(SCHEMA)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.home / "parcel.db", timeout=30)) as db, db:
            db.row_factory = sqlite3.Row
            yield db

    def ask(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self._open() as db:
            return [dict(row) for row in db.execute(query, values)]

    # -- runs ---------------------------------------------------------------------------------------------------------

    def runs(self, where: str = "1", *values: Any) -> list[dict[str, Any]]:
        """Return runs with their objects, newest first."""
        runs = self.ask(f"SELECT * FROM runs WHERE {where} ORDER BY id DESC", *values)
        objects = "SELECT name, status, rows, rejected, error FROM objects WHERE run = ? ORDER BY rowid"
        return [{**run, "objects": self.ask(objects, run["id"])} for run in runs]

    def live(self, sync: str) -> dict[str, Any] | None:
        return next(iter(self.runs("sync = ? AND status IN (?, ?)", sync, *LIVE)), None)

    def begin(self, sync: Mapping[str, Any]) -> int | None:
        """Queue a run of a sync, and return its id; None when one is under way."""
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("SELECT 1 FROM runs WHERE sync = ? AND status IN (?, ?)", (sync["name"], *LIVE)).fetchone():
                return None
            status = "running" if self.switched("eager") else "queued"
            run = db.execute("INSERT INTO runs (sync, status) VALUES (?, ?)", (sync["name"], status)).lastrowid
            for each in sync["objects"]:
                db.execute("INSERT INTO objects VALUES (?, ?, 'pending', 0, 0, NULL)", (run, each["name"]))
            return run

    def end(self, run: int, status: str, error: str | None = None) -> None:
        """End a run, unless it has ended."""
        self.ask("UPDATE runs SET status = ?, error = ? WHERE id = ? AND status IN (?, ?)", status, error, run, *LIVE)

    def note(
        self, run: int, name: str, status: str, rows: int = 0, rejected: int = 0, error: str | None = None
    ) -> None:
        told = "UPDATE objects SET status = ?, rows = ?, rejected = ?, error = ? WHERE run = ? AND name = ?"
        self.ask(told, status, rows, rejected, error, run, name)

    def vanish(self) -> None:
        """Forget all runs: their ids are unknown from now on, and are not used again."""
        self.ask("DELETE FROM runs")

    # -- switches -----------------------------------------------------------------------------------------------------

    def switch(self, name: str, value: str = "") -> None:
        self.ask("INSERT INTO switches VALUES (?, ?)", name, value)

    def switched(self, name: str, value: str = "") -> bool:
        return bool(self.ask("SELECT 1 FROM switches WHERE name = ? AND value = ?", name, value))

    def unswitch(self, *names: str) -> None:
        for name in names:
            self.ask("DELETE FROM switches WHERE name = ?", name)

    def take(self, name: str) -> bool:
        """Take away one switch of a name; tell whether there was one."""
        return bool(
            self.ask(
                "DELETE FROM switches WHERE rowid = (SELECT min(rowid) FROM switches WHERE name = ?) RETURNING 1", name
            )
        )


class Service:
    """The service at work: one thread for each sync, and the HTTP server."""

    def __init__(self, file: Path, key: str, port: int = 0) -> None:
        self.file, self.key = file, key
        self.books = Books(file.parent / ".parcel")
        self.asked: deque[float] = deque()
        self.over = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", port), type("Handler", (Handler,), {"service": self}))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    @property
    def syncs(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.config["syncs"]}

    def start(self) -> Service:
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()
        for name in self.syncs:
            threading.Thread(target=self._work, args=(name,), daemon=True).start()
        return self

    def close(self) -> None:
        self.over.set()
        self.http.shutdown()
        self.http.server_close()

    def _work(self, sync: str) -> None:
        while not self.over.wait(0.02):
            run = self.books.live(sync)
            if run and not self._step(run):
                self._finish(run["id"])

    def _step(self, run: Mapping[str, Any]) -> bool:
        """Send the next object of a run; tell whether there was one."""
        name = next((each["name"] for each in run["objects"] if each["status"] == "pending"), None)
        if name is None:
            return False
        books = self.books
        books.ask("UPDATE runs SET status = 'running' WHERE id = ? AND status = 'queued'", run["id"])
        if books.switched("hold", name):
            if not books.switched("holding"):
                books.switch("holding")
        elif books.switched("die", name):
            books.end(run["id"], "lost", "The worker went away.")
        elif books.switched("break", name):
            books.note(run["id"], name, "failed", error=f"The destination refuses {name}: a field is missing.")
        else:
            self._send(run, name)
        return True

    def _send(self, run: Mapping[str, Any], name: str) -> None:
        sync = self.syncs[run["sync"]]
        wanted = next(each for each in sync["objects"] if each["name"] == name)
        try:
            rows = read_table(self.file.parent / self.config["warehouse"], wanted["table"])
            good = [row for row in rows if row.get(wanted["key"]) is not None]
            write_rows(self.books.home / "sent" / sync["destination"] / f"{name}.jsonl", good, wanted["key"])
            self.books.note(run["id"], name, "sent", len(good), len(rows) - len(good))
        except (duckdb.Error, OSError) as error:
            self.books.note(run["id"], name, "failed", error=str(error))

    def _finish(self, run: int) -> None:
        failed = [each["name"] for each in self.books.runs("id = ?", run)[0]["objects"] if each["status"] == "failed"]
        self.books.end(run, "failed" if failed else "succeeded", f"Not sent: {', '.join(failed)}." if failed else None)

    def crowded(self) -> bool:
        """Tell whether a request is one too many: the limit is so many in a second."""
        now = time.monotonic()
        while self.asked and self.asked[0] < now - 1:
            self.asked.popleft()
        if self.books.take("busy") or len(self.asked) >= self.config.get("requests_per_second", 50):
            return True
        self.asked.append(now)
        return False


def read_table(warehouse: Path, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table; wait while another process has the file."""
    until = time.monotonic() + LOCKED
    while True:
        try:
            with duckdb.connect(str(warehouse), read_only=True) as db:
                found = db.sql(f"SELECT * FROM {table}")
                return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
        except (duckdb.IOException, duckdb.ConnectionException) as error:
            if time.monotonic() > until or not re.search("lock|configuration", str(error)):
                raise
        time.sleep(0.05)


def write_rows(file: Path, rows: list[dict[str, Any]], key: str) -> None:
    """Put rows in the place of those with the same key; readers see the file as it was, or as it is then."""
    file.parent.mkdir(parents=True, exist_ok=True)
    there = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    kept = {str(row[key]): row for row in [*there, *rows]}
    new = file.with_suffix(".new")
    new.write_text("".join(f"{json.dumps(row, default=str)}\n" for row in kept.values()))
    new.replace(file)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    service: Service
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer("POST")

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def _answer(self, method: str) -> None:
        url = urlsplit(self.path)
        page = re.fullmatch(r"/syncs/([\w-]+)", url.path)
        if page:
            text = "\n".join(f"{run['id']} {run['status']}" for run in self.service.books.runs("sync = ?", page[1]))
            self._write(200, text.encode(), {"Content-Type": "text/plain"})
        elif self.headers.get("Authorization") != f"Bearer {self.service.key}":
            self._tell(401, {"error": {"message": "This API key is not known."}})
        elif self.service.crowded():
            self._tell(429, {"error": {"message": "Too many requests."}}, {"Retry-After": "1"})
        else:
            self._tell(*self._routed(method, url.path.removeprefix("/api/v1/"), parse_qs(url.query)))

    def _routed(self, method: str, path: str, query: Mapping[str, list[str]]) -> tuple[int, Any]:
        books, syncs = self.service.books, self.service.syncs
        match [method, *path.split("/")]:
            case ["GET", "syncs"]:
                return 200, {"data": list(syncs.values())}
            case [_, "syncs", name, "runs"] if name not in syncs:
                return 404, {"error": {"message": f"There is no sync {name!r}."}}
            case ["GET", "syncs", name, "runs"]:
                return 200, {"data": books.runs("sync = ?", name)[: int(query.get("limit", ["20"])[0])]}
            case ["POST", "syncs", name, "runs"]:
                run = books.begin(syncs[name])
                if run is None:
                    return 409, {"error": {"message": f"A run of sync {name!r} is under way."}}
                return 201, {"data": books.runs("id = ?", run)[0]}
            case ["GET", "runs", run_id] if found := books.runs("id = ?", run_id):
                return 200, {"data": found[0]}
            case ["POST", "runs", run_id, "cancel"] if books.runs("id = ?", run_id):
                books.end(int(run_id), "cancelled")
                return 200, {"data": books.runs("id = ?", run_id)[0]}
        return 404, {"error": {"message": f"There is nothing at {self.path}."}}

    def _tell(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self._write(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _write(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve Parcel on loopback.")
    parser.add_argument("file", type=Path, help="service.json: the warehouse and the syncs")
    parser.add_argument("--port", type=int, default=8321)
    given = parser.parse_args()
    key = os.environ.get("PARCEL_API_KEY")
    if not key:
        parser.error("set the environment variable PARCEL_API_KEY to the key that is asked for, any text")
    service = Service(given.file, key, given.port).start()
    print(f"Parcel is at {service.url}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
