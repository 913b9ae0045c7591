"""The runs that Meltano keeps a record of, in its own database."""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from assetry.plugin import Event, Invocation, RunContext
from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.files import json_object
from assetry_toolkit.singer.logs import Said, read_log
from assetry_toolkit.singer.outside import Look, PastRun, told_in
from assetry_toolkit.singer.states import streams_read

from assetry_meltano.project.project import MeltanoProject
from assetry_meltano.running.reading import loads_of

#: How long after its last sign of life Meltano takes a run for one that goes on (`HEARTBEAT_VALID_MINUTES`).
LIVES = timedelta(minutes=5)
#: How long after it a run is taken for killed here: it gives a sign every second.
SILENT = timedelta(seconds=15)
_TIMES = "started_at, coalesce(last_heartbeat_at, started_at), ended_at"
_RUNS = f"select run_id, state, {_TIMES} from runs where job_name = ? order by id desc limit 50"
#: A line of the log that Meltano keeps of a run: its time and level, who says it, and what.
_LINE = re.compile(r"\S+ \[\w+ *\] (\S+) +(.*)")
_STATE = "select partial_state, completed_state from state where state_id = ?"


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

    @property
    def silent(self) -> bool:
        """Tell whether it was killed."""
        return datetime.now(UTC) - self.alive > SILENT


def runs_of(project: MeltanoProject, state_id: str) -> list[Run] | None:
    """Return the newest runs with a state, newest first; None where Meltano keeps them out of reach.

    Read from its own database in the project, since asking the program takes two seconds of a processor.
    """
    with suppress(ValueError, TypeError):
        rows = _asked(project, _RUNS, state_id)
        return rows and [Run(str(UUID(id_)), how, *map(_time, times)) for id_, how, *times in rows]
    return None


def streams_behind(project: MeltanoProject, state_id: str) -> set[str] | None:
    """Return the streams of which a state tells how far they were read; None where Meltano keeps it out of reach."""
    own = next((each for each in project.files.entries("environments") if each["name"] == project.environment), {})
    said = [project.files.whole, own, own.get("config") or {}]
    kept = "MELTANO_STATE_BACKEND_URI" in project.variables or any("state_backend" in str([*each]) for each in said)
    rows = None if kept else _asked(project, _STATE, state_id)
    states = [json_object(text).get("singer_state") or {} for row in rows or () for text in row if text]
    return None if rows is None else streams_read(*states)


def _asked(project: MeltanoProject, query: str, state_id: str) -> list[Any] | None:
    file = project.options.folder / ".meltano" / "meltano.db"
    elsewhere = project.variables.get("MELTANO_DATABASE_URI") or project.files.whole.get("database_uri")
    if elsewhere or not file.is_file():
        return None
    address = f"{file.as_uri()}?mode=ro"
    with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True, timeout=10)) as database:
        return database.execute(query, (state_id,)).fetchall()
    return None


def _time(text: str | None) -> Any:
    return text and datetime.fromisoformat(text).replace(tzinfo=UTC)


def run_with(project: MeltanoProject, state_id: str) -> Run | None:
    """Return the run that has a state now, if one is seen."""
    return next((run for run in runs_of(project, state_id) or () if run.under_way), None)


def observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Yield how each stream is after the runs there were, whoever has started them, by what their logs tell."""
    project = MeltanoProject.of(invocation.integration)
    own = project.options.own_folder
    for load in loads_of(invocation, project):
        state_id = project.state_id(load.pair)
        look = Look(context, RunHistory(own, project.options.name), state_id, partial(told_in, own / "runs"))
        runs = (_past(run, state_id) for run in runs_of(project, state_id) or () if not run.under_way)
        yield from look.events(load, runs)


def _past(run: Run, state_id: str) -> PastRun:
    times = {"data_time": run.started.isoformat(), "loaded_at": run.ended and run.ended.isoformat()}
    facts = {"run": run.id, "state_id": state_id, "state": run.state, **times}
    return PastRun(id=run.id, well=run.state == "SUCCESS", facts=facts, log=partial(_log, run.id))


def _log(run: str) -> list[tuple[str, Said]] | None:
    """Return what plugins said in a run, as Meltano keeps it for its user; None where it does not."""
    state = Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state", "meltano", "log")
    logs = Path("~/Library/Logs/meltano") if sys.platform == "darwin" else state
    for file in logs.expanduser().glob(f"elt/*/{run}/elt.log"):
        with suppress(OSError):
            lines = map(_LINE.match, file.read_text(errors="replace").splitlines())
            return [(line[1], read_log(line[2])) for line in lines if line]
    return None
