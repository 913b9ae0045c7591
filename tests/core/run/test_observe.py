"""What happened outside is seen, recorded once, and counts for what is downstream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from assetry import Asset, Integration, Project
from assetry.hooks.specs import hookimpl
from assetry.types.events import Event, Log, Materialized, Observed
from assetry.types.records import EventRecord, RunInfo

MILL = Integration("mill", "mill")


class Mill:
    """A tool whose assets are made by others; `seen` is what an observation finds."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Any:
        return [] if integration.kind == "mill" else None

    @hookimpl
    def assetry_observe(self, invocation: Any, context: Any) -> Iterator[Event]:
        context.log(f"asked for {len(invocation.assets)}")
        for each in self.seen:
            if isinstance(each, Exception):
                raise each
            yield each

    @hookimpl
    def assetry_invoke(self, invocation: Any) -> Iterator[Event]:
        yield from (Materialized(asset.key, data_version="built") for asset in invocation.assets)


@pytest.fixture
def mill() -> Mill:
    return Mill()


@pytest.fixture
def project(mill: Mill) -> Iterator[Project]:
    assets = [
        Asset(key="raw", kind="mill", integration=MILL),
        Asset(key="below", kind="mill", integration=MILL, deps=["raw"]),
    ]
    with Project(assets, plugins=[mill], store="sqlite::memory:") as made:
        yield made


def words(project: Project) -> dict[str, str]:
    return {str(status.key): status.status for status in project.status()}


def test_hook_assetry_observe_new_content_makes_what_is_below_stale(project: Project, mill: Mill) -> None:
    assert project.materialize().ok
    assert words(project) == {"raw": "fresh", "below": "fresh"}
    mill.seen = [Observed("raw", data_version="sync 2", metadata={"rows": 3})]
    result = project.observe("raw")
    assert (result.run.state, result.counts["observed"], result.counts["new_content"]) == ("succeeded", 1, 1)
    assert words(project) == {"raw": "fresh", "below": "stale"}
    again = project.observe("raw")
    assert (again.counts["observed"], again.counts.get("new_content", 0)) == (1, 0)


def test_the_same_content_changes_nothing(project: Project, mill: Mill) -> None:
    assert project.materialize().ok
    mill.seen = [Observed("raw", data_version="built")]
    project.observe()
    assert words(project) == {"raw": "fresh", "below": "fresh"}


def test_what_an_observation_may_not_say_is_left_out(project: Project, mill: Mill) -> None:
    mill.seen = [Materialized("raw"), Observed("elsewhere", data_version="1")]
    records: list[EventRecord] = []
    project.observe("raw", on_event=records.append)
    logs = [record.event.message for record in records if isinstance(record.event, Log)]
    assert logs[0] == "asked for 1"
    assert "may only yield Observed" in logs[1]
    assert "elsewhere" in logs[2]
    assert words(project)["raw"] == "never"


def test_a_tool_that_cannot_be_asked_is_told_and_named(project: Project, mill: Mill) -> None:
    mill.seen = [Observed("raw", data_version="1"), RuntimeError("no route")]
    records: list[EventRecord] = []
    result = project.observe("raw", on_event=records.append)
    assert result.run.state == "failed"
    assert any("Mill raised RuntimeError: no route" in str(record.event) for record in records)
    assert words(project)["raw"] == "fresh"


def test_an_observation_is_history_but_nothing_to_retry(project: Project, mill: Mill) -> None:
    made = project.materialize()
    project.observe()
    assert [bool(run.options.get("observe")) for run in project.store.runs()] == [True, False]
    assert project.find_run().id == made.run.id


def test_what_a_tool_says_without_seeing_anything_is_kept(project: Project, mill: Mill) -> None:
    records: list[EventRecord] = []
    project.observe("raw", on_event=records.append)
    assert Log("asked for 1") in [record.event for record in records]


def test_an_observation_is_heard_as_a_run_is(mill: Mill) -> None:
    heard: list[str] = []

    class Listener:
        @hookimpl
        def assetry_event(self, event: EventRecord, run: RunInfo) -> None:
            heard.append(f"{event.event.name} {getattr(event.event, 'key', None) or ''}".strip())

    mill.seen = [Observed("raw", data_version="v1")]
    raw = Asset(key="raw", kind="mill", integration=MILL)
    with Project([raw], plugins=[mill, Listener()], store="sqlite::memory:") as project:
        project.observe()
    assert heard == ["run_started", "log", "observed raw", "run_finished"]
