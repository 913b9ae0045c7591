"""The runs that Meltano keeps a record of, and which of them last moved rows of each stream.

A run in which an extractor counted no rows of a stream changes nothing, so what is made from the stream stays fresh.
That holds only if no other run came between: Meltano's own schedule may have started one. So the version of a stream is
the last run that moved rows of it or of which that is not known.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from assetry.plugin import Event, Invocation, Observed
from assetry_toolkit.files import locked, write_whole

from assetry_meltano.project.project import MeltanoProject, Pair
from assetry_meltano.settings import Options

#: How long after its last sign of life Meltano takes a run for one that goes on (`HEARTBEAT_VALID_MINUTES`).
LIVES = timedelta(minutes=5)
#: How long after it a run is taken for killed here: it gives a sign every second.
SILENT = timedelta(seconds=15)
_QUERY = """
select run_id, state, started_at, coalesce(last_heartbeat_at, started_at), ended_at from runs
where job_name = ? order by id desc limit 50
"""


class Run(NamedTuple):
    """One run of a pair: times are UTC, `alive` is its last sign of life."""

    id: str
    state: str
    started: datetime
    alive: datetime
    ended: datetime | None

    @property
    def under_way(self) -> bool:
        """Tell whether Meltano takes it to go on: so nothing else may run with its state."""
        return self.state == "RUNNING" and datetime.now(UTC) - self.alive < LIVES


def runs_of(project: MeltanoProject, state_id: str) -> list[Run] | None:
    """Return the newest runs with a state, newest first; None where Meltano keeps them out of reach.

    Read from its own database in the project, since asking the program takes two seconds of a processor.
    """
    file = project.folder / ".meltano" / "meltano.db"
    if project.database_uri or not file.is_file():
        return None
    with suppress(sqlite3.Error, ValueError, TypeError):
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)) as database:
            rows = database.execute(_QUERY, (state_id,)).fetchall()
        return [Run(str(UUID(row[0])), row[1], _time(row[2]), _time(row[3]), row[4] and _time(row[4])) for row in rows]
    return None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Versions:
    """The file that keeps, by state and stream, the last run that moved rows, and the last run that it knows of."""

    def __init__(self, options: Options) -> None:
        self._path: Path = options.own_folder / f"{options.name}-versions.json"

    def after(self, state_id: str, run_id: str, before: str | None, rows: Mapping[str, int | None]) -> dict[str, str]:
        """Return the version of each stream after a run, and keep it.

        `before` is the run before this one, of whomever; `rows` has what was counted, None for what was not.
        """
        with locked(self._path.with_suffix(".lock")):
            whole = self._read()
            kept = whole.get(state_id) or {}
            if before is None or kept.get("run") not in (before, run_id):
                # A run that is not known here came between: it may have moved rows of every stream.
                kept = {"streams": dict.fromkeys(kept.get("streams", ()), before), "others": before}
            old = {**dict.fromkeys(rows, kept["others"]), **kept["streams"]}
            found = {name: (old[name] or run_id) if count == 0 else run_id for name, count in rows.items()}
            whole[state_id] = {"run": run_id, "others": kept["others"], "streams": {**old, **found}}
            write_whole(self._path, json.dumps(whole, indent=1))
        return found

    def now(self, state_id: str, newest: str, stream: str) -> str:
        """Return the version of a stream, `newest` being the last run there was."""
        kept = self._read().get(state_id) or {}
        return str(kept["streams"].get(stream, kept["others"]) or newest) if kept.get("run") == newest else newest

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            found = json.loads(self._path.read_bytes())
            return found if isinstance(found, dict) else {}
        return {}


def observe(invocation: Invocation) -> Iterator[Event]:
    """Yield the version that each stream has after the last run there was, whoever has started it."""
    options = Options.of(invocation.integration)
    project, versions = MeltanoProject.of(options), Versions(options)
    newest: dict[str, Run | None] = {}
    for asset in invocation.assets:
        state_id = project.state_id(Pair.of(asset.spec["pair"]))
        if state_id not in newest:
            newest[state_id] = next((run for run in runs_of(project, state_id) or () if not run.under_way), None)
        run = newest[state_id]
        if run is not None:
            version = versions.now(state_id, run.id, asset.spec["stream"] or "")
            facts = {"run": run.id, "state_id": state_id, "state": run.state}
            facts |= {"ended": run.ended.isoformat(timespec="seconds")} if run.ended else {}
            yield Observed(asset.key, data_version=version, metadata=facts)
