"""dbt in this process: kept warm, leaving nothing behind, one at a time, and stopped when it is asked to."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Failed, Log, Materialized
from assetry_dbt.project import parse_cache as parsed
from assetry_dbt.project.files import files_digest, files_of
from assetry_dbt.running import engine_inprocess
from assetry_dbt.running import isolation as surroundings
from assetry_dbt.running.engine_inprocess import Hearing
from assetry_dbt.running.reports import Message

pytestmark = pytest.mark.slow


ARTIFACTS = ("manifest.json", "run_results.json")


def state_of_process() -> dict[str, Any]:
    """Return what dbt might change in this process."""
    return {
        "cwd": Path.cwd(),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "filters": list(warnings.filters),
        "handlers": {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)},
        "loggers": {name: list(logging.getLogger(name).handlers) for name in ("", "stdout_log", "file_log")},
        "root level": logging.getLogger().level,
        "streams": (sys.stdout, sys.stderr),
        "hooks": (sys.excepthook, threading.excepthook),
    }


def dbt_globals() -> dict[str, Any]:
    import dbt.flags
    import dbt.tracking
    from dbt_common.events.event_manager_client import get_event_manager

    manager = get_event_manager()
    return {
        "flags": dbt.flags.get_flags(),
        "user": dbt.tracking.active_user,
        "callbacks": list(manager.callbacks),
        "loggers": list(manager.loggers),
    }


def held_by_others(path: Path) -> str:
    """Open a DuckDB file in another process; return what that process says."""
    code = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql('select 42').fetchall())"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_nothing_is_left_behind(happenings: Callable[..., Any], capfd: pytest.CaptureFixture[str]) -> None:
    bench = happenings()
    bench.run("raw", checks=False)
    before, inside, files = state_of_process(), dbt_globals(), {path.name for path in bench.folder.iterdir()}
    events = bench.run("raw", "d", "a")
    assert any(isinstance(event, Failed) for event in events)
    assert state_of_process() == before
    assert dbt_globals() == inside
    assert {path.name for path in bench.folder.iterdir()} == files
    assert "logs" not in files
    assert not list((bench.folder / "target").glob("*.log"))
    assert capfd.readouterr() == ("", "")
    assert "42" in held_by_others(bench.folder / "warehouse.duckdb")


def test_relative_paths_start_at_the_project(happenings: Callable[..., Any], tmp_path: Path) -> None:
    bench = happenings()
    assert not (bench.folder / "warehouse.duckdb").exists()
    assert Path.cwd() != bench.folder
    bench.run("raw", checks=False)
    assert (bench.folder / "warehouse.duckdb").exists()
    assert not Path("warehouse.duckdb").exists()


def test_relative_paths_without_a_directory_of_ones_own(
    happenings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "enter_directory", lambda path: False)
    bench = happenings()
    seed = bench.folder / "seeds" / "raw.csv"
    (bench.folder / "models" / "c.sql").write_text("select id from read_csv('seeds/raw.csv')")
    events = bench.run("raw", "c", checks=False)
    assert {event.key for event in events if isinstance(event, Materialized)} == {"happenings/raw", "happenings/c"}
    assert seed.exists()
    assert (bench.folder / "warehouse.duckdb").exists()
    assert not Path("warehouse.duckdb").exists()


def test_what_was_read_is_used_again_until_a_file_changes(
    happenings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recalled = []
    recall = parsed.recall
    monkeypatch.setattr(
        "assetry_dbt.running.engine_inprocess.recall", lambda *given: recalled.append(recall(*given)) or recalled[-1]
    )
    bench = happenings()
    first = bench.run("a", "b", "raw")
    second = bench.run("a", "b", "raw")
    assert [manifest is None for manifest in recalled] == [True, False]
    # `b` reads an ephemeral model: dbt cannot use a manifest twice there, so it must have had a fresh one.
    assert [type(event) for event in second if isinstance(event, Materialized)] == [Materialized] * 3
    assert not [event for event in (*first, *second) if isinstance(event, Failed)]
    ids = [json.loads((bench.folder / "target" / name).read_text())["metadata"]["invocation_id"] for name in ARTIFACTS]
    assert ids[0] == ids[1]
    (bench.folder / "models" / "a.sql").write_text("select id, v, 1 as more from {{ ref('raw') }}")
    bench.run("a", "b", "raw", checks=False)
    assert recalled[2] is None
    assert "1 as more" in (bench.folder / "target" / "compiled" / "happenings" / "models" / "a.sql").read_text()
    written = json.loads((bench.folder / "target" / "manifest.json").read_text())
    assert "1 as more" in written["nodes"]["model.happenings.a"]["raw_code"]


def test_a_changed_environment_is_read_anew(happenings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    bench = happenings()
    bench.run("raw", checks=False)
    files = files_digest(files_of(bench.project))
    assert parsed.recall(bench.project, files) is not None
    monkeypatch.setenv("SOMETHING_A_MODEL_MAY_READ", "new")
    assert parsed.recall(bench.project, files) is None


def test_readers_share_the_file_while_dbt_runs(endless: Callable[..., Any], fake_context: Any) -> None:
    import duckdb

    bench = endless("in-process")
    stream = bench.stream(checks=False, context=fake_context)
    seen = first_made(stream)
    with duckdb.connect(str(bench.folder / "w.duckdb")) as connection:
        assert connection.sql("select id from quick").fetchall() == [(1,)]
    assert seen.key == "long/quick"
    stream.close()


def first_made(stream: Iterator[Any]) -> Materialized:
    return next(event for event in stream if isinstance(event, Materialized))


@pytest.mark.parametrize("way", ["close", "cancelled"])
def test_stopping_ends_a_long_query_and_the_next_one_runs(
    endless: Callable[..., Any], fake_context: Any, way: str
) -> None:
    bench = endless("in-process")
    stream = bench.stream(checks=False, context=fake_context)
    first_made(stream)
    if way == "close":
        stream.close()
    else:
        fake_context.cancelled = True
        assert not [event for event in stream if not isinstance(event, Log)]
    assert not [thread for thread in threading.enumerate() if thread.name == "dbt"]
    again = bench.run("quick", checks=False)
    assert [event.key for event in again if isinstance(event, Materialized)] == ["long/quick"]


def test_a_query_that_outlasts_the_grace_is_still_cancelled(
    endless: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine it may begin only after that: nothing would ever end it, and all that waits for its turn."""
    monkeypatch.setattr(engine_inprocess, "GRACE", 0.0)
    monkeypatch.setattr(engine_inprocess, "_interrupt", lambda *_: None)  # only its queries are cancelled
    stream = endless("in-process").stream(checks=False)
    first_made(stream)
    (dbt,) = (thread for thread in threading.enumerate() if thread.name == "dbt")
    stream.close()
    dbt.join(60)
    assert not dbt.is_alive()


def test_another_invocation_waits_for_its_turn(happenings: Callable[..., Any], endless: Callable[..., Any]) -> None:
    """Two at once would break each other: dbt keeps its adapters in globals."""
    other = happenings()
    holding = endless("in-process").stream(checks=False)
    first_made(holding)
    outcomes: list[Any] = []
    waiting = threading.Thread(target=lambda: outcomes.extend(other.run("raw", checks=False)), daemon=True)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    assert not outcomes
    holding.close()
    waiting.join(60)
    assert [type(event).__name__ for event in outcomes] == ["Started", "Materialized"]


def test_a_cancelled_run_does_not_wait_for_its_turn(
    happenings: Callable[..., Any], endless: Callable[..., Any], fake_context: Any
) -> None:
    other = happenings()
    holding = endless("in-process").stream(checks=False)
    first_made(holding)
    fake_context.cancelled = True
    assert other.run("raw", checks=False, context=fake_context) == []
    holding.close()


def test_what_cannot_be_read_of_an_event_never_reaches_dbt() -> None:
    reports: list[Any] = []
    Hearing(reports.append)(object())
    assert isinstance(reports[0], Message)
    assert reports[0].level == "debug"
