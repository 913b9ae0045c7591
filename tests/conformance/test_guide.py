"""The plugins of docs/write-an-integration.md keep what an integration promises: of a command, and of a service."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from assetry.plugin import Asset, Event, Handle, Integration, Invocation, JobOverError, Materialized
from assetry.run.context import Context
from assetry.testing import FakeTool, IntegrationConformance, IntegrationUnderTest, ProjectFolder, eventually
from assetry.testing.integration.bench import Bench
from assetry.testing.verdicts import Verdicts

from tests.guide import command_plugin, service_plugin

TABLES = {"raw": [], "orders": ["raw"], "customers": [], "report": ["orders"]}


@pytest.fixture(scope="module", autouse=True)
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Write the plugins into modules that can be imported, here and in other processes."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "guide_command.py").write_text(command_plugin())
    (folder / "guide_service.py").write_text(service_plugin())
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield
    for name in ("guide_command", "guide_service"):
        sys.modules.pop(name, None)


class TestMill(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        tool = FakeTool(folder / "tool", needs=TABLES)
        integration = Integration("mill", "mill", {"command": tool.command(), "tables": TABLES}, str(folder))
        return IntegrationUnderTest("guide_command", integration=integration, tool=tool)


class TestMillService(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        return service(folder)


def service(folder: Path) -> IntegrationUnderTest:
    tool = FakeTool(folder / "tool", needs=TABLES)
    integration = Integration("mill", "mill", {"folder": str(tool.folder), "tables": TABLES}, str(folder))
    return IntegrationUnderTest("guide_service", integration=integration, tool=tool)


# -- jobs that are over ------------------------------------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(service(tmp_path), tmp_path, Verdicts())
    bench.prepare()
    yield bench
    bench.clean()


def run(bench: Bench, context: Context) -> Iterator[Event]:
    return iter(bench.plugins.invoke(bench.main, context))


def made(events: list[Event]) -> set[str]:
    return {event.key.name for event in events if isinstance(event, Materialized)}


def names(invocation: Invocation) -> list[str]:
    return [asset.key.name for asset in invocation.assets]


@pytest.mark.parametrize("over", ["died", "cancelled", "gone"])
def test_a_job_that_can_end_well_no_more_is_said_to_be_over(bench: Bench, over: str) -> None:
    tool = bench.subject.tool
    assert isinstance(tool, FakeTool)
    job = "77"
    if over != "gone":
        job = tool.start(names(bench.main))
        if over == "died":
            (tool.folder / "jobs" / job / "ended").write_text("died")
        tool.cancel(job)
        assert tool.look(job).state == over
    context, _ = bench.context(resume=job)
    stream = run(bench, context)
    assert next(stream) == Handle(job)
    with pytest.raises(JobOverError, match=f"no job {job}" if over == "gone" else f"Job {job} .* ended early: {over}"):
        list(stream)
    assert tool.launches == (0 if over == "gone" else 1), "another one is for the core to ask for"


def test_a_job_that_ended_well_meanwhile_is_told_and_not_started_again(bench: Bench) -> None:
    tool = bench.subject.tool
    assert isinstance(tool, FakeTool)
    job = tool.start(names(bench.main))
    while tool.poll(job).state == "running":
        pass
    context, _ = bench.context(resume=job)
    events = list(run(bench, context))
    assert events[0] == Handle(job)
    assert made(events) == set(names(bench.main))
    assert tool.launches == 1


def test_a_job_that_is_cancelled_at_the_service_breaks_the_run(bench: Bench) -> None:
    tool = bench.subject.tool
    assert isinstance(tool, FakeTool)
    tool.hold(bench.last)
    events = run(bench, bench.context()[0])
    handle = next(events)
    assert isinstance(handle, Handle)
    next(events)
    tool.cancel(handle.token)
    with pytest.raises(JobOverError, match="ended early: cancelled"):
        list(events)


# -- a run that is killed --------------------------------------------------------------------------------------------


Make = Callable[[Mapping[str, str]], ProjectFolder]


def killed_before_the_report(project: Make, plugin: str, option: str, tool: FakeTool, log: Path) -> ProjectFolder:
    """Return a project whose run was killed when its tool had made all but the last table."""
    tables = "\n".join(f"{name} = {json.dumps(needs)}" for name, needs in TABLES.items())
    table = f'[integrations.mill]\nkind = "mill"\n{option}\n[integrations.mill.tables]\n{tables}\n'
    mill = project({"assetry.toml": table, "assetry_plugins.py": plugin})
    tool.hold(Asset(key="mill/report", kind="mill"))
    command = [sys.executable, "-m", "assetry", "-C", str(mill.root), "materialize", "--output", "ndjson"]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out) as process:
        both = eventually(lambda: tool.holding and log.read_text().count('"materialized"') == 3, 60)
        process.send_signal(signal.SIGKILL)
    assert both, log.read_text()
    return mill


def test_a_command_whose_run_is_killed_goes_on_and_is_found_again(project: Make, tmp_path: Path) -> None:
    tool = FakeTool(tmp_path / "tool", needs=TABLES)
    option = f"command = {json.dumps(tool.command())}"
    mill = killed_before_the_report(project, command_plugin(), option, tool, tmp_path / "log")
    assert tool.running == 1, "it goes on"
    tool.release()
    mill.retry().assert_ok().assert_only_materialized("report")
    assert tool.launches == 1, "it was found again"


@pytest.mark.parametrize("over", ["cancelled", "gone"])
def test_a_retry_whose_job_is_over_makes_what_is_left(over: str, project: Make, tmp_path: Path) -> None:
    tool = FakeTool(tmp_path / "tool", needs=TABLES)
    option = f"folder = {json.dumps(str(tool.folder))}"
    mill = killed_before_the_report(project, service_plugin(), option, tool, tmp_path / "log")
    (job,) = (each.name for each in (tool.folder / "jobs").iterdir())
    tool.cancel(job)
    if over == "gone":
        shutil.rmtree(tool.folder / "jobs" / job)
    tool.release()
    mill.retry().assert_ok().assert_only_materialized("report")
    mill.retry().assert_ok().assert_only_materialized()
