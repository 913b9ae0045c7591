"""The runs that Meltano keeps a record of."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from assetry.plugin import Integration
from assetry_meltano.project.project import MeltanoProject
from assetry_meltano.running.runs import LIVES, runs_of

COLUMNS = "job_name, state, started_at, ended_at, run_id, last_heartbeat_at"


def project(folder: Path) -> MeltanoProject:
    (folder / "meltano.yml").write_text("default_environment: dev\nenvironments: [{name: dev}]\n")
    return MeltanoProject.of(Integration("el", "meltano", {}, str(folder)))


def test_runs_are_read_from_meltanos_database(tmp_path: Path) -> None:
    assert runs_of(project(tmp_path), "dev:x") is None
    (tmp_path / ".meltano").mkdir()
    now, ids = datetime.now(UTC).replace(tzinfo=None), [uuid4(), uuid4()]
    with closing(sqlite3.connect(tmp_path / ".meltano" / "meltano.db")) as database, database:
        database.execute(f"create table runs (id integer primary key, {COLUMNS})")
        rows = [("SUCCESS", now, str(now), ids[0]), ("RUNNING", now - LIVES - timedelta(seconds=1), None, ids[1])]
        for state, alive, ended, id_ in rows:
            database.execute(
                f"insert into runs ({COLUMNS}) values (?, ?, ?, ?, ?, ?)",
                ("dev:x", state, str(now), ended, id_.hex, str(alive)),
            )
    found = runs_of(project(tmp_path), "dev:x")
    assert found is not None
    assert [(run.id, run.state, run.under_way, run.ended is None) for run in found] == [
        (str(ids[1]), "RUNNING", False, True),  # it gave its last sign of life too long ago
        (str(ids[0]), "SUCCESS", False, False),
    ]
    assert runs_of(project(tmp_path), "dev:y") == []


def test_a_database_of_another_form_is_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / ".meltano").mkdir()
    (tmp_path / ".meltano" / "meltano.db").write_text("no database")
    assert runs_of(project(tmp_path), "dev:x") is None
