"""Meltano projects whose extractors do as they are told: Meltano is the real one, its plugins are small scripts."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from assetry.plugin import is_alive, process_of
from assetry.testing.outcome import ProjectFolder

ROOT = Path(__file__).parents[2]
DUCKDB_TARGET = ROOT / "examples" / "meltano" / "plugins" / "target_shop.py"

TAP = """\
#!/usr/bin/env python3
import json, os, sys, time
from itertools import pairwise
from pathlib import Path

options = dict(pairwise(sys.argv))
config = json.loads(Path(options["--config"]).read_text())
script = json.loads(Path(config["script"]).read_text())
streams = script["streams"]


def say(type, **more):
    print(json.dumps({"type": type, **more}), flush=True)


def tell(line):
    print(line, file=sys.stderr, flush=True)


def entry(name, about):
    properties = {each: {"type": ["null", "integer"]} for each in ("id", "n")}
    whole = {"inclusion": "available", **about.get("metadata", {})}
    metadata = [{"breadcrumb": [], "metadata": whole}]
    metadata += [{"breadcrumb": ["properties", each], "metadata": {"inclusion": "available"}} for each in properties]
    return {
        "tap_stream_id": name, "stream": name, "key_properties": about.get("keys", ["id"]),
        "schema": {"type": "object", "properties": properties}, "metadata": metadata,
    }


if "--discover" in sys.argv:
    for line in script.get("says", ()):
        tell(line)
    if script.get("mute"):
        tell("CRITICAL the shop is closed, said " + str(config.get("token")))
        sys.exit(2)
    print(json.dumps({"streams": [entry(*each) for each in streams.items()]}))
    sys.exit()

Path("launched").mkdir(exist_ok=True)
Path("launched", str(os.getpid())).touch()
for line in script.get("says", ()):
    tell(line)
state = json.loads(Path(options["--state"]).read_text()) if "--state" in options else {}
bookmarks = state.get("bookmarks", {}) if script.get("carries") else {}
for stream in json.loads(Path(options["--catalog"]).read_text())["streams"]:
    name = stream["stream"]
    about = streams[name]
    chosen = any(not each["breadcrumb"] and each["metadata"].get("selected") for each in stream["metadata"])
    if about.get("ignored") or not (chosen or about.get("pushy")):
        continue
    say("SCHEMA", stream=name, schema=stream["schema"], key_properties=stream["key_properties"])
    while Path(f"held-{name}").exists():
        Path("holding").touch()
        time.sleep(0.02)
    begun = bookmarks.get(name, {}).get("n", 0) if about.get("goes_on") else 0
    for n in range(begun, about.get("rows", 2)):
        say("RECORD", stream=name, record={"id": n, "n": n})
    if "code" in about:
        tell(f"CRITICAL {name} is out of reach")
        sys.exit(about["code"])
    bookmarks[name] = {"n": about.get("rows", 2)}
    say("STATE", value={"bookmarks": bookmarks})
    read = max(about.get("rows", 2) - begun, 0)
    metric = {"type": "counter", "metric": "record_count", "value": read, "tags": {"endpoint": name}}
    if not script.get("silent"):
        tell(f"INFO METRIC: {json.dumps(metric)}")
"""

TARGET = """\
#!/usr/bin/env python3
import json, sys
from itertools import pairwise
from pathlib import Path

config = json.loads(Path(dict(pairwise(sys.argv))["--config"]).read_text())
state = None
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "RECORD":
        if config.get("breaks"):
            sys.exit("CRITICAL the disk is full")
        with Path(f"{message['stream']}.rows").open("a") as file:
            file.write(json.dumps(message["record"]) + "\\n")
    elif message["type"] == "STATE":
        state = message["value"]
if state is not None:
    print(json.dumps(state), flush=True)
"""


class Bench(ProjectFolder):
    """A Meltano project in a folder, and assetry called on it.

    `taps` are the scripts of extractors by name; there is a target that writes files, `target-files`, which may be told
    to break, and one for DuckDB, `target-shop`.
    """

    def __init__(self, folder: Path, taps: Mapping[str, Mapping[str, Any]], loader: str = "target-files") -> None:
        super().__init__(folder, {})
        self.loader = loader
        self.plugins: dict[str, Any] = {"extractors": [], "loaders": self._loaders()}
        self.more: dict[str, Any] = {}
        for name, script in taps.items():
            self.script(name, **script)
            self.plugins["extractors"].append(self._tap(name))
        self.jobs = [{"name": "all", "tasks": [f"{name} {loader}" for name in taps]}]
        self._executable("plugins/tap.py", TAP)
        self._executable("plugins/target.py", TARGET)
        self._executable("plugins/target_shop.py", DUCKDB_TARGET.read_text())
        self.save()

    def _tap(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "namespace": name.replace("-", "_"),
            "executable": "./plugins/tap.py",
            "capabilities": ["discover", "catalog", "state"],
            "settings": [{"name": "script"}, {"name": "token", "kind": "password"}],
            "config": {"script": f"{name}.json"},
        }

    def _loaders(self) -> list[dict[str, Any]]:
        files = {"name": "target-files", "namespace": "target_files", "executable": "./plugins/target.py"}
        shop = {"name": "target-shop", "namespace": "target_shop", "executable": "./plugins/target_shop.py"}
        config = {"path": "${MELTANO_PROJECT_ROOT}/shop.duckdb", "default_target_schema": "raw"}
        settings = [{"name": "path"}, {"name": "default_target_schema"}]
        return [
            {**files, "settings": [{"name": "breaks", "kind": "boolean"}]},
            {**shop, "settings": settings, "config": config},
        ]

    def _executable(self, name: str, text: str) -> None:
        self.write(name, text).chmod(0o755)

    def script(self, tap: str, **script: Any) -> None:
        """Tell an extractor what to do."""
        self.write(f"{tap}.json", json.dumps({"streams": {}, **script}))

    def save(self, **more: Any) -> None:
        """Write meltano.yml: JSON is YAML, too."""
        self.more.update(more)
        whole = {
            "default_environment": "dev",
            "send_anonymous_usage_stats": False,
            "project_id": "tests",
            "environments": [{"name": "dev"}, {"name": "prod"}],
            "plugins": self.plugins,
            "jobs": self.jobs,
            **self.more,
        }
        self.write("meltano.yml", json.dumps(whole, indent=1))

    # -- what has become of it -----------------------------------------------------------------------------------------

    @property
    def launches(self) -> int:
        """Return how many times an extractor was started."""
        folder = self.root / "launched"
        return len(list(folder.iterdir())) if folder.is_dir() else 0

    def rows(self, stream: str) -> int:
        """Return how many rows of a stream target-files has written."""
        file = self.root / f"{stream}.rows"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def database(self, query: str, *values: Any) -> list[Any]:
        """Ask Meltano's own database, or change it."""
        with closing(sqlite3.connect(self.root / ".meltano" / "meltano.db")) as database, database:
            return database.execute(query, values).fetchall()

    def bookmarks(self) -> Mapping[str, Any]:
        """Return the state that Meltano keeps, of the only pair there is."""
        [(text,)] = self.database("select completed_state from state")
        found: Mapping[str, Any] = json.loads(text)["singer_state"]["bookmarks"]
        return found


def tap_processes(folder: Path) -> list[int]:
    """Return the extractors that run in a folder."""
    launched = folder / "launched"
    pids = [int(each.name) for each in launched.iterdir()] if launched.is_dir() else []
    return [pid for pid in pids if is_alive(process_of(pid))]


def copy_example(folder: Path) -> ProjectFolder:
    """Return examples/meltano, in a folder of its own."""
    names = shutil.ignore_patterns(".*", "*.duckdb*", "target", "logs", "__pycache__")
    shutil.copytree(ROOT / "examples" / "meltano", folder, ignore=names)
    return ProjectFolder(folder, {})
