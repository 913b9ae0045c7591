"""Connectors for the tests: real executables that speak the protocol, written by the test that needs them."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from assetry import Integration, Project
from assetry.plugin import EventRecord

PRELUDE = """\
#!PYTHON
import json, os, signal, subprocess, sys, time

STREAMS = json.loads(OFFERED)
verb, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2]))
config = json.load(open(options["--config"])) if "--config" in options else {}
kept = json.load(open(options["--state"])) if "--state" in options else []
catalog = json.load(open(options["--catalog"])) if "--catalog" in options else {"streams": []}
chosen = [each["stream"]["name"] for each in catalog["streams"]]
with open(CALLS, "a") as file:
    call = {"verb": verb, "state": kept, "pid": os.getpid(), "catalog": catalog, "config": config, "files": options}
    file.write(json.dumps(call) + "\\n")

def say(type, **more):
    print(json.dumps({"type": type, **more}), flush=True)

def record(stream, **data):
    say("RECORD", record={"stream": stream, "data": data, "emitted_at": 1})

def status(stream, status):
    about = {"stream_descriptor": {"name": stream}, "status": status}
    say("TRACE", trace={"type": "STREAM_STATUS", "emitted_at": 1, "stream_status": about})

def state(stream, **data):
    say("STATE", state={"type": "STREAM", "stream": {"stream_descriptor": {"name": stream}, "stream_state": data}})

def error(message, kind="system_error", stream=None, **more):
    about = {"message": message, "failure_type": kind, **more}
    if stream:
        about["stream_descriptor"] = {"name": stream}
    say("TRACE", trace={"type": "ERROR", "emitted_at": 1, "error": about})

def start_of(stream, default=0):
    for each in kept:
        if each["stream"]["stream_descriptor"]["name"] == stream:
            return each["stream"]["stream_state"]["at"]
    return default

def check():
    say("CONNECTION_STATUS", connectionStatus={"status": "SUCCEEDED"})

def spec():
    say("SPEC", spec={"connectionSpecification": {"properties": {"token": {"airbyte_secret": True}}}})

def discover():
    say("CATALOG", catalog={"streams": STREAMS})

def read():
    for name in chosen:
        status(name, "STARTED")
        record(name, id=1)
        status(name, "COMPLETE")

BODY

{"spec": spec, "check": check, "discover": discover, "read": read}[verb]()
"""


def stream(name: str, properties: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a stream as a connector offers it; with an `id` only, unless told."""
    properties = {"id": {"type": "integer"}} if properties is None else properties
    schema = {"type": "object", "properties": properties}
    return {"name": name, "json_schema": schema, "supported_sync_modes": ["full_refresh", "incremental"], **more}


KEYED: dict[str, Any] = {"source_defined_primary_key": [["id"]], "default_cursor_field": ["at"]}


@dataclass
class Bench:
    """Be a project with one connector."""

    root: Path
    script: Path
    streams: Sequence[Mapping[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)
    io: str = ""
    events: list[EventRecord] = field(default_factory=list)

    def write(self, body: str) -> None:
        """Write the connector: `body` redefines `check`, `discover` or `read`."""
        parts = {
            "PYTHON": sys.executable,
            "OFFERED": repr(json.dumps(self.streams)),
            "CALLS": repr(str(self.root / "calls")),
            "BODY": textwrap.dedent(body),
        }
        source = PRELUDE
        for name, part in parts.items():
            source = source.replace(name, part)
        self.script.write_text(source)
        self.script.chmod(0o755)

    @property
    def integration(self) -> Integration:
        return Integration("shop", "airbyte", {"command": self.script.name, **self.options}, str(self.root))

    def project(self, *assets: Any) -> Project:
        return Project(
            assets,
            integrations=[self.integration],
            store=f"sqlite:{self.root}/state.db",
            io=self.io,
            root=self.root,
        )

    def run(self, select: Any = None, **ask: Any) -> Any:
        self.events.clear()
        with self.project() as project:
            return project.materialize(select, on_event=self.events.append, **ask)

    def of(self, name: str, key: str | None = None) -> list[Any]:
        """Return the events of a name, of one asset or of all."""
        return [
            each.event
            for each in self.events
            if each.event.name == name and (key is None or str(getattr(each.event, "key", None)) == key)
        ]

    def logs(self, level: str | None = None) -> str:
        return "\n".join(each.message for each in self.of("log") if level in (None, each.level))

    def calls(self, verb: str = "read") -> list[dict[str, Any]]:
        """Return what the connector was called with."""
        lines = (self.root / "calls").read_text().splitlines() if (self.root / "calls").exists() else []
        return [each for each in map(json.loads, lines) if each["verb"] == verb]

    def rows(self, query: str) -> list[Any]:
        with duckdb.connect(str(self.root / "shop.duckdb")) as connection:
            return connection.execute(query).fetchall()

    def state(self) -> dict[str, Any]:
        return json.loads((self.root / ".assetry/airbyte/shop/state.json").read_text())["streams"]


def wait_for(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Return the first true answer of `what`; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


def alive(pid: int) -> bool:
    """Tell whether a process is there, and no mere zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
