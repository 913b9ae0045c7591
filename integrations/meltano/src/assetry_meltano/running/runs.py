"""The runs that Meltano keeps a record of, in its own database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from uuid import UUID

from assetry.plugin import Event, Invocation, RunContext
from assetry_toolkit.extract_load.history import RunHistory
from assetry_toolkit.singer.pairs import Pair
from assetry_toolkit.singer.settling import observed

from assetry_meltano.project.project import MeltanoProject

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

    @property
    def silent(self) -> bool:
        """Tell whether it was killed."""
        return datetime.now(UTC) - self.alive > SILENT


def runs_of(project: MeltanoProject, state_id: str) -> list[Run] | None:
    """Return the newest runs with a state, newest first; None where Meltano keeps them out of reach.

    Read from its own database in the project, since asking the program takes two seconds of a processor.
    """
    file = project.options.folder / ".meltano" / "meltano.db"
    elsewhere = project.variables.get("MELTANO_DATABASE_URI") or project.files.whole.get("database_uri")
    if elsewhere or not file.is_file():
        return None
    with suppress(sqlite3.Error, ValueError, TypeError):
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=10)) as database:
            rows = database.execute(_QUERY, (state_id,)).fetchall()
        return [Run(str(UUID(row[0])), row[1], _time(row[2]), _time(row[3]), row[4] and _time(row[4])) for row in rows]
    return None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def run_with(project: MeltanoProject, state_id: str) -> Run | None:
    """Return the run that has a state now, if one is seen."""
    return next((run for run in runs_of(project, state_id) or () if run.under_way), None)


def observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Yield the version that each stream has after the last run there was, whoever has started it.

    Not after one that Meltano says has failed, nor of a stream that failed in a run of ours, or has lost rows;
    and one whose table is not there is gone.
    """
    project = MeltanoProject.of(invocation.integration)
    history = RunHistory(project.options.own_folder, project.options.name)

    @cache
    def newest(state_id: str) -> Run | None:
        return next((run for run in runs_of(project, state_id) or () if not run.under_way), None)

    for asset in invocation.assets:
        state_id = project.state_id(Pair(asset.spec["pair"]))
        if (run := newest(state_id)) is not None and run.state == "SUCCESS":
            version = history.version(state_id, run.id, asset.spec["stream"] or "")
            facts = {"run": run.id, "state_id": state_id, "state": run.state, "data_time": run.started.isoformat()}
            if run.ended:
                facts |= {"ended": run.ended.isoformat(timespec="seconds"), "loaded_at": run.ended.isoformat()}
            yield from observed(context, asset, version, facts)
