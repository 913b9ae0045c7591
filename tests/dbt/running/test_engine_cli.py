"""dbt as a subprocess: any dbt that logs JSON lines, whatever else it writes, and however it ends."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Checked, Failed, IntegrationError, Log, Materialized, Skipped, Started
from assetry_dbt.running import engine, engine_cli
from assetry_dbt.running.engine_cli import LogReader, find_dbt
from assetry_dbt.running.reports import Ended, Message, NodeFinished, NodeStarted

#: A dbt 2 in shape: statuses without messages, messages in run_results.json, lines that are not JSON.
SECOND = """\
import json, os, sys
def log(name, level="debug", **data):
    info = {"name": name, "level": level, "msg": name, "invocation_id": "run-2"}
    print(json.dumps({"info": info, "data": data}), flush=True)
def node(uid, status):
    log("NodeStart", node_info={"unique_id": uid, "resource_type": uid.split(".")[0]})
    log("NodeFinished", node_info={"unique_id": uid}, run_result={"status": status, "execution_time": 0.1})
print("dbt 2.0.0", flush=True)
print('{"half": a line', flush=True)
log("SQLQuery", sql='select "NodeFinished"')
node("seed.happenings.raw", "Success")
node("model.happenings.a", "reused")
node("model.happenings.d", "error")
log("LogModelResult", "error", node_info={"unique_id": "model.happenings.d"})
node("model.happenings.below_d", "skipped")
node("TEST_OF_A", "fail")
log("Deprecated", "warn")
results = [{"unique_id": "model.happenings.d", "status": "error", "message": "dbt1014: no such column"}]
os.makedirs("target", exist_ok=True)
with open("target/run_results.json", "w") as file:
    json.dump({"metadata": {"invocation_id": "run-2"}, "results": results}, file)
log("CommandCompleted", success=False)
sys.exit(1)
"""


def script(path: Path, code: str) -> str:
    """Write an executable Python script that needs nothing of this environment."""
    import sys

    path.write_text(f"#!{sys.executable} -S\n{code}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def line(name: str, level: str = "debug", **data: Any) -> bytes:
    return json.dumps(
        {"data": data, "info": {"name": name, "level": level, "msg": name, "invocation_id": "i"}}
    ).encode()


def test_lines_of_interest_become_reports() -> None:
    reader = LogReader()
    node = {"unique_id": "model.s.a", "materialized": "table", "node_relation": {"relation_name": "s.a"}}
    result = {"status": "success", "message": "OK", "adapter_response": {"rows_affected": 3.0}, "execution_time": 0.5}
    read = [
        *reader.read(line("NodeStart", node_info=node)),
        *reader.read(line("NodeFinished", node_info=node, run_result=result)),
        *reader.read(line("JinjaLogInfo", "info")),
        *reader.read(line("CommandCompleted", success=True)),
    ]
    assert read == [
        NodeStarted("model.s.a"),
        NodeFinished("model.s.a", "success", "OK", 0.5, None, {"rows_affected": 3}, "table", "s.a"),
        Message("JinjaLogInfo"),
    ]
    assert reader.end(0) == Ended(True, None, "i")


@pytest.mark.parametrize(
    "raw", [b"a warning\n", b'{"not": "ours"}\n', b'{"level": "error"}', b'{"info": ["level": "error"]}', b"\xff\n"]
)
def test_any_line_is_survived(raw: bytes) -> None:
    reader = LogReader()
    assert all(isinstance(report, Message) for report in reader.read(raw))
    assert reader.end(0).success


def test_what_repeats_an_outcome_is_left_out() -> None:
    assert list(LogReader().read(line("LogModelResult", "error"))) == []
    assert list(LogReader().read(line("NoNodesSelected", "warn"))) == [Message("NoNodesSelected", "warn")]


def test_how_dbt_ends() -> None:
    assert LogReader().end(0) == Ended(True)
    usage = LogReader()
    list(usage.read(b"Error: No such option '--x'.\n"))
    assert usage.end(2).error == "Error: No such option '--x'."
    failed = LogReader()
    list(failed.read(line("CommandCompleted", success=False)))
    assert failed.end(1) == Ended(False, None, "i")
    broken = LogReader()
    list(broken.read(line("MainEncounteredError", "error", exc="Compilation Error\n  x")))
    assert broken.end(2).error == "Compilation Error\n  x"
    assert "SIGKILL" in (LogReader().end(-9).error or "")


def test_a_dbt_of_another_kind_tells_the_same_story(happenings: Callable[..., Any], tmp_path: Path) -> None:
    bench = happenings(None)
    asked = bench.invocation("raw", "a", "d", "below_d", "u")
    test_of_a = next(check for asset in asked.assets for check in asset.checks if check.name == "not_null_a_id")
    code = SECOND.replace("TEST_OF_A", test_of_a.spec["unique_id"])
    second = type(bench)(bench.folder, None, dbt_executable=script(tmp_path / "dbt2", code))
    asked = replaced(asked, second)
    events = second.run_invocation(asked)
    by_kind = {kind: [event for event in events if isinstance(event, kind)] for kind in (Materialized, Failed, Skipped)}
    assert [event.key for event in by_kind[Materialized]] == ["happenings/raw", "happenings/a"]
    assert by_kind[Materialized][1].metadata["status"] == "reused"
    assert by_kind[Skipped] == [Skipped("happenings/below_d", "happenings/d failed")]
    failed = {event.key: event.message for event in by_kind[Failed]}
    assert failed["happenings/d"] == "dbt1014: no such column"
    assert "dbt did not run happenings/u" in failed["happenings/u"]
    logs = [event.message for event in events if isinstance(event, Log)]
    assert "dbt 2.0.0" in logs
    assert "Deprecated" in logs
    assert "LogModelResult" not in logs
    assert Started("happenings/below_d") not in events
    checked = {event.check: event.message for event in events if isinstance(event, Checked) and not event.passed}
    assert checked.keys() == {"not_null_a_id", "a_keeps_v"}
    assert checked["a_keeps_v"] == "dbt did not run it, and does not say why."


def replaced(asked: Any, bench: Any) -> Any:
    from dataclasses import replace

    from assetry_dbt import loading

    loading.load(bench.integration)
    return replace(asked, integration=bench.integration)


@pytest.mark.parametrize("options", [{"dbt_executable": "/nowhere/bin/dbt"}])
def test_no_dbt_is_a_next_step(happenings: Callable[..., Any], options: dict[str, str]) -> None:
    bench = happenings(None, **options)
    with pytest.raises(IntegrationError, match="There is no dbt at '/nowhere/bin/dbt'"):
        engine.choose(bench.project)


def test_without_any_dbt_the_install_command_is_named(
    happenings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = happenings(None)
    monkeypatch.setattr(engine, "in_process_version", lambda: None)
    monkeypatch.setattr(engine_cli, "find_dbt", lambda given: None)
    with pytest.raises(IntegrationError, match="pip install dbt-core dbt-duckdb"):
        engine.choose(bench.project)


def test_find_dbt_prefers_the_one_beside_this_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = script(tmp_path / "dbt", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_dbt(None) != (other,)
    assert find_dbt("dbt") == (other,)
    monkeypatch.setattr("sys.executable", str(tmp_path / "elsewhere" / "python"))
    assert find_dbt(None) == (other,)


@pytest.mark.slow
def test_an_interrupt_lets_dbt_end_by_itself(endless: Callable[[str], Any]) -> None:
    bench = endless("subprocess")
    stream = bench.stream(checks=False)
    assert next(event for event in stream if isinstance(event, Materialized)).key == "long/quick"
    stream.close()
    # dbt wrote its results, which it does only when it ends by itself.
    assert (bench.folder / "target" / "run_results.json").exists()
    assert not (bench.folder / "logs").exists()
    assert [event.key for event in bench.run("quick", checks=False) if isinstance(event, Materialized)] == [
        "long/quick"
    ]
