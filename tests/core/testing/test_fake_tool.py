"""The fake tool does what it is told, in this process, as a command and as a service."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from assetry.plugin import Asset
from assetry.testing import FakeTool, Step, Tool, ToolDied, eventually


@pytest.fixture
def tool(tmp_path: Path) -> FakeTool:
    return FakeTool(tmp_path / "tool", needs={"b": ["a"]})


def asset(name: str) -> Asset:
    return Asset(key=f"mill/{name}", kind="mill")


def steps(lines: str) -> list[Step]:
    return [Step(**json.loads(line)) for line in lines.splitlines()]


def test_it_is_a_tool(tool: FakeTool) -> None:
    assert isinstance(tool, Tool)


def test_it_makes_what_it_is_asked(tool: FakeTool) -> None:
    assert [step[:2] for step in tool.run(["a"])] == [("a", "started"), ("a", "made")]
    assert (tool.launches, tool.running, tool.asked) == (1, 0, (("a",),))
    assert tool.made(asset("a"))
    assert not tool.made(asset("b"))


def test_the_command_does_the_same(tool: FakeTool) -> None:
    tool.break_asset(asset("a"))
    done = subprocess.run(tool.command("a", "b", "c"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert [step[:2] for step in steps(done.stdout)] == [
        ("a", "started"),
        ("a", "failed"),
        ("b", "skipped"),
        ("c", "started"),
        ("c", "made"),
    ]
    assert (tool.launches, tool.running) == (1, 0)
    assert not tool.made(asset("a"))


def test_the_command_needs_nothing_but_python(tool: FakeTool) -> None:
    listing = [sys.executable, "-S", "-E", "-P", "-v", *tool.command("a")[4:]]
    done = subprocess.run(listing, capture_output=True, text=True, check=True)
    assert "import 'assetry" not in done.stderr
    assert tool.made(asset("a"))


def test_it_waits_until_it_is_released(tool: FakeTool) -> None:
    tool.hold(asset("b"))
    with subprocess.Popen(tool.command("a", "b"), stdout=subprocess.PIPE, text=True) as process:
        assert eventually(lambda: tool.holding, 30)
        assert (tool.running, tool.made(asset("a")), tool.made(asset("b"))) == (1, True, False)
        tool.release()
        out, _ = process.communicate()
    assert steps(out)[-1][:2] == ("b", "made")
    assert not tool.holding


def test_a_killed_command_is_not_running_any_more(tool: FakeTool) -> None:
    tool.hold(asset("a"))
    with subprocess.Popen(tool.command("a")) as process:
        assert eventually(lambda: tool.holding, 30)
        process.kill()
        assert eventually(lambda: tool.running == 0, 30)  # even before anybody has waited for it
    assert not tool.holding


def test_it_dies_where_it_is_told(tool: FakeTool) -> None:
    tool.die_at(asset("b"))
    assert subprocess.run(tool.command("a", "b"), capture_output=True, check=False).returncode == 70
    made = []
    with pytest.raises(ToolDied, match="while it made a, b"):
        made.extend(step[:2] for step in tool.run(["a", "b"]))
    assert tool.launches == 2


def test_closing_the_run_stops_it(tool: FakeTool) -> None:
    run = tool.run(["a", "b"])
    assert next(run) == Step("a", "started")
    assert tool.running == 1
    run.close()
    assert tool.running == 0
    assert not tool.made(asset("a"))


def test_a_service_is_moved_on_by_polling(tool: FakeTool) -> None:
    job = tool.start(["a"])
    assert tool.look(job) == ("running", ())
    assert tool.poll(job) == ("running", (Step("a", "started"),))
    assert tool.poll(job).steps[-1][:2] == ("a", "made")
    assert tool.running == 1
    assert tool.poll(job).state == "succeeded"
    assert tool.poll(job).state == "succeeded"
    assert tool.running == 0


def test_a_job_is_cancelled_once(tool: FakeTool) -> None:
    job = tool.start(["a"])
    tool.cancel(job)
    tool.cancel(job)
    assert tool.poll(job).state == "cancelled"
    with pytest.raises(KeyError, match="no job '7'"):
        tool.poll("7")


def test_reset_forgets_everything(tool: FakeTool) -> None:
    tool.break_asset(asset("a"))
    tool.die_at(asset("c"))
    list(tool.run(["a"]))
    tool.reset()
    assert (tool.launches, tool.asked) == (0, ())
    assert [step.what for step in tool.run(["a", "c"])] == ["started", "made", "started", "made"]


def test_names_may_be_the_author_s_own(tmp_path: Path) -> None:
    tool = FakeTool(tmp_path, name=lambda asset: asset.spec["table"])
    orders = Asset(key="x/y", kind="mill", spec={"table": "raw.orders"})
    list(tool.run(["raw.orders"]))
    assert tool.made(orders)
