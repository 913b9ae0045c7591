"""Which run last moved rows of a stream, against a plain account of all runs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from assetry.plugin import Integration
from assetry_meltano.project.project import MeltanoProject
from assetry_meltano.running.history import LIVES, Versions, runs_of
from assetry_meltano.settings import Options
from hypothesis import given
from hypothesis import strategies as st

STREAMS = ("a", "b")
COLUMNS = "job_name, state, started_at, ended_at, run_id, last_heartbeat_at"
#: A run: of somebody else (None), or of ours with what was counted of the streams it was of; -1 stands for no count.
RUNS = st.lists(st.none() | st.dictionaries(st.sampled_from(STREAMS), st.integers(-1, 2), min_size=1), max_size=8)


@given(RUNS)
def test_a_version_is_the_last_run_that_may_have_moved_rows(runs: list[dict[str, int] | None]) -> None:
    with TemporaryDirectory() as folder:
        versions = Versions(Options(name="el", root=Path(folder)))
        moved: dict[str, str | None] = dict.fromkeys(STREAMS)
        before = None
        for number, counts in enumerate(runs):
            run = f"r{number}"
            if counts is None:
                moved = dict.fromkeys(STREAMS, run)
            else:
                rows = {name: None if count < 0 else count for name, count in counts.items()}
                found = versions.after("dev:x", run, before, rows)
                for name, count in rows.items():
                    if count != 0 or moved[name] is None:
                        moved[name] = run
                    assert found[name] == moved[name]
            for name in STREAMS:
                assert versions.now("dev:x", run, name) == (moved[name] or run)
            before = run


def project(folder: Path) -> MeltanoProject:
    (folder / "meltano.yml").write_text("default_environment: dev\nenvironments: [{name: dev}]\n")
    return MeltanoProject.of(Options.of(Integration("el", "meltano", {}, str(folder))))


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


def test_a_file_of_versions_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    versions = Versions(Options(name="el", root=tmp_path))
    path = tmp_path / ".assetry" / "meltano" / "el-versions.json"
    path.parent.mkdir(parents=True)
    path.write_text("{broken")
    assert versions.now("dev:x", "r1", "a") == "r1"
    assert versions.after("dev:x", "r2", "r1", {"a": 0, "b": 4}) == {"a": "r1", "b": "r2"}
