"""Runs of a tool that others have started, recorded from a file of the tool."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from assetry import Project, StaticPartitionsDefinition
from assetry.errors import ConflictError, PluginError, UsageError
from assetry.plugin import (
    Asset,
    Check,
    Checked,
    Event,
    ExternalRun,
    Failed,
    Integration,
    Invocation,
    InvocationGroup,
    Log,
    Materialized,
    RunContext,
    Skipped,
    Started,
    hookimpl,
)
from assetry.types.keys import AssetKey
from assetry.types.records import RunInfo

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVENTS = {
    "started": Started,
    "made": Materialized,
    "failed": Failed,
    "skipped": Skipped,
    "checked": Checked,
    "log": Log,
}


class Mill:
    """A tool that writes of each of its runs what it made, one line per event, with the second of it."""

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Iterable[Asset] | None:
        if integration.kind != "mill":
            return None
        checks = [Check("positive"), Check("both", also=(AssetKey("flour"),))]
        return [
            Asset(key="grain", kind="mill", executable=False, integration=integration),
            Asset(key="flour", kind="mill", code_version="1", integration=integration, deps=["grain"]),
            Asset(key="bread", kind="mill", code_version="1", integration=integration, deps=["flour"], checks=checks),
        ]

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup("mill")

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event] | None:
        made = [Materialized(asset.key) for asset in invocation.assets]
        return iter([*made, *(Checked(each.key, each.check, passed=True) for each in invocation.checks)])

    @hookimpl
    def assetry_load_run(self, path: str, integration: Integration) -> ExternalRun | None:
        if integration.kind != "mill" or not path.endswith(".mill"):
            return None
        data = json.loads(Path(path).read_text())
        events = [(T0 + timedelta(seconds=at), EVENTS[what](**given)) for at, what, given in data["events"]]
        return ExternalRun(
            id=data["id"], started=T0, finished=T0 + timedelta(seconds=60), events=events, command="mill all",
            broken=data.get("broken"), left_out=data.get("left", {}),
        )  # fmt: skip


MILL = Integration("mill", "mill", {})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with Project(integrations=[MILL], root=tmp_path, plugins=[Mill()], store=f"sqlite:{tmp_path}/r.db") as made:
        yield made


def wrote(folder: Path, *events: tuple[int, str, dict[str, Any]], id: str = "x1", **more: Any) -> Path:
    file = folder / f"{id}.mill"
    file.write_text(json.dumps({"id": id, "events": events, **more}))
    return file


FLOUR = (2, "made", {"key": "flour", "code_version": "1"})
BREAD = (5, "made", {"key": "bread", "code_version": "0"})


def words(project: Project) -> dict[str, str]:
    return {str(each.key): each.status for each in project.status()}


def test_hook_assetry_load_run_tells_what_counts_as_made_from_its_code_at_its_time(
    project: Project, tmp_path: Path
) -> None:
    file = wrote(
        tmp_path,
        (1, "started", {"key": "flour"}),
        FLOUR,
        BREAD,
        (6, "checked", {"key": "bread", "check": "positive", "passed": False}),
    )
    found = project.record(file)
    assert (found.run.state, found.already) == ("failed", False)
    assert dict(found.counts) == {"materialized": 2, "checks_failed": 1}
    made = project.store.latest()
    assert made[AssetKey("flour"), None].at == T0 + timedelta(seconds=2)
    assert made[AssetKey("flour"), None].seconds == 1.0
    assert made[AssetKey("bread"), None].code_version == "0"
    assert words(project) == {"grain": "external", "flour": "fresh", "bread": "failed"}
    (run,) = project.store.runs()
    assert (run.started, run.finished, run.state) == (T0, T0 + timedelta(seconds=60), "failed")


def test_a_run_is_recorded_once(project: Project, tmp_path: Path) -> None:
    file = wrote(tmp_path, FLOUR)
    first = project.record(file)
    again = project.record(file)
    assert (again.run.id, again.already, again.counts) == (first.run.id, True, {})
    assert len(project.store.runs()) == 1
    assert len(list(project.store.events(first.run.id))) == 5
    other = project.record(wrote(tmp_path, FLOUR, id="x2"))
    assert other.run.id != first.run.id


def test_what_was_made_or_tried_here_since_stays_and_is_named(project: Project, tmp_path: Path) -> None:
    project.materialize("flour")
    here = project.store.latest()[AssetKey("flour"), None]
    checked = (6, "checked", {"key": "bread", "check": "both", "passed": True})
    found = project.record(wrote(tmp_path, FLOUR, (3, "log", {"message": "grinding", "key": "flour"}), BREAD, checked))
    assert project.store.latest()[AssetKey("flour"), None] == here
    assert found.left == {"flour": "it was made or tried here since"}
    assert dict(found.counts) == {"materialized": 1}, "a check of what was made anew since says nothing of it"
    told = [each.event.message for each in project.store.events(found.run.id) if isinstance(each.event, Log)]
    assert told == [
        "not recorded: materialized, and it was made or tried here since",
        "not recorded: check both passed, and it was made or tried here since",
    ]
    assert words(project)["bread"] == "stale", "it was made from flour that was there before"


def test_failures_and_skips_are_recorded_as_they_are(project: Project, tmp_path: Path) -> None:
    file = wrote(
        tmp_path,
        (2, "failed", {"key": "flour", "message": "the wheel is broken"}),
        (3, "skipped", {"key": "bread", "because": "flour"}),
    )
    assert project.record(file).run.state == "failed"
    assert words(project) == {"grain": "external", "flour": "failed", "bread": "never"}
    assert project.materialize(stale=True).ok
    assert words(project) == {"grain": "external", "flour": "fresh", "bread": "fresh"}


def test_what_broke_a_run_is_no_assets_failure_and_fails_it(project: Project, tmp_path: Path) -> None:
    found = project.record(wrote(tmp_path, FLOUR, broken="The mill burned down."))
    assert found.run.state == "failed"
    assert words(project)["flour"] == "fresh"


def test_what_is_not_of_here_is_left_out_and_named(project: Project, tmp_path: Path) -> None:
    file = wrote(tmp_path, FLOUR, (3, "made", {"key": "cake"}), left={"rolls": "they are of another mill"})
    found = project.record(file)
    assert found.left == {"rolls": "they are of another mill", "cake": "mill makes nothing of that name here"}
    assert set(project.store.latest()) == {(AssetKey("flour"), None)}


def test_a_run_that_recorded_nothing_is_neither_retried_nor_taken_for_the_last_one(
    project: Project, tmp_path: Path
) -> None:
    made = project.materialize("flour")
    project.record(wrote(tmp_path, BREAD, (6, "failed", {"key": "flour", "message": "no"})))
    assert project.find_run().id == made.run.id


def test_of_a_range_of_partitions_those_that_are_newer_here_stay(tmp_path: Path) -> None:
    class Letters(Mill):
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Iterable[Asset] | None:
            if integration.kind != "mill":
                return None
            letters = StaticPartitionsDefinition(["a", "b", "c", "d"])
            return [
                Asset(key="letters", kind="mill", code_version="1", integration=integration, partitions_def=letters)
            ]

    with Project(integrations=[MILL], root=tmp_path, plugins=[Letters()], store="sqlite::memory:") as project:
        project.materialize("letters", partition="c")
        made = {"key": "letters", "partition": "b", "through": "d", "code_version": "1"}
        wrong = {"key": "letters", "partition": "b", "through": "x"}
        others = {"key": "others", "partition": "1", "through": "2"}
        found = project.record(wrote(tmp_path, (2, "made", made), (3, "made", wrong), (4, "made", others)))
        assert found.left == {
            "letters [c]": "it was made or tried here since",
            "others": "mill makes nothing of that name here",
        }
        assert {part for _, part in project.store.latest()} == {"b", "c", "d"}
        told = [each.event.message for each in project.store.events(found.run.id) if isinstance(each.event, Log)]
        assert any("names a range that is none" in each for each in told)


def test_a_file_that_is_not_there_or_that_none_knows_says_so(project: Project, tmp_path: Path) -> None:
    wrote(tmp_path, FLOUR)
    with pytest.raises(UsageError, match=r"There is no file .*x2.mill") as missing:
        project.record(tmp_path / "x2.mill")
    assert missing.value.near == ("x1.mill",)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UsageError, match="tells of no run of an integration of this project"):
        project.record(tmp_path / "other.json")
    with pytest.raises(UsageError, match="There is no integration 'mil'"):
        project.record(tmp_path / "x1.mill", "mil")


def test_of_two_that_know_a_file_one_has_to_be_named(tmp_path: Path) -> None:
    class Mills(Mill):
        @hookimpl
        def assetry_load_assets(self, integration: Integration) -> Iterable[Asset] | None:
            if integration.kind != "mill":
                return None
            return [Asset(key=f"{integration.name}/flour", kind="mill", code_version="1", integration=integration)]

    both = [Integration("east", "mill", {}), Integration("west", "mill", {})]
    file = wrote(tmp_path, (2, "made", {"key": "east/flour", "code_version": "1"}))
    with Project(integrations=both, root=tmp_path, plugins=[Mills()], store="sqlite::memory:") as project:
        with pytest.raises(UsageError, match="may be a run of east or west") as refused:
            project.record(file)
        assert refused.value.hint == "Say of which: --integration east."
        assert project.record(file, "east").run.state == "succeeded"
        assert words(project) == {"east/flour": "fresh", "west/flour": "never"}


def test_nothing_is_recorded_while_a_run_makes_one_of_the_assets(project: Project, tmp_path: Path) -> None:
    project.store.begin(RunInfo(id="busy", state="running", started=T0))
    project.store.lease("busy", {AssetKey("bread"): None})
    with pytest.raises(ConflictError, match="Run busy is building bread"):
        project.record(wrote(tmp_path, FLOUR, BREAD))
    assert not project.store.latest()
    project.store.finish("busy", "succeeded", T0)
    assert project.record(wrote(tmp_path, FLOUR, BREAD)).run.state == "succeeded"


def test_what_a_plugin_answers_wrongly_is_its_fault(tmp_path: Path) -> None:
    class Wrong(Mill):
        @hookimpl
        def assetry_load_run(self, path: str, integration: Integration) -> Any:
            return {"id": path}

    with (
        Project(integrations=[MILL], root=tmp_path, plugins=[Wrong()], store="sqlite::memory:") as project,
        pytest.raises(PluginError, match="assetry_load_run"),
    ):
        project.record(wrote(tmp_path, FLOUR))


KILLED = """
import os, signal, sys
from assetry import Project, StaticPartitionsDefinition
from assetry.store.sqlite import SQLiteStore
from tests.core.project.upkeep.test_external import MILL, Mill

append = SQLiteStore.append

def dying(*given, **by):
    {before}
    append(*given, **by)
    os.kill(os.getpid(), signal.SIGKILL)

SQLiteStore.append = dying
root = sys.argv[1]
Project(integrations=[MILL], root=root, plugins=[Mill()], store=f"sqlite:{{root}}/r.db").record(root + "/x1.mill")
"""


@pytest.mark.parametrize("before", ["os.kill(os.getpid(), signal.SIGKILL)", "pass"], ids=["before", "after"])
def test_one_that_was_killed_is_recorded_wholly_when_it_is_asked_for_again(tmp_path: Path, before: str) -> None:
    file = wrote(tmp_path, FLOUR, BREAD)
    script = KILLED.format(before=before)
    root = Path(__file__).parents[4]
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=root, check=False)
    assert done.returncode == -signal.SIGKILL
    with Project(integrations=[MILL], root=tmp_path, plugins=[Mill()], store=f"sqlite:{tmp_path}/r.db") as project:
        found = project.record(file)
        assert (found.run.state, found.already) == ("succeeded", before == "pass")
        assert {str(key) for key, _ in project.store.latest()} == {"flour", "bread"}
        assert [each.state for each in project.store.runs()] == ["succeeded"]
        assert not project.store.leases()
