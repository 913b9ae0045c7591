"""Listeners: plugins hear of events in order, on a thread of their own, whatever they do there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from assetry import AssetKey, Project, asset
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins, load_plugins
from assetry.plugin import EventContext, Materialized, hookimpl
from assetry.project.runs.services import services_of
from assetry.project.settings import Settings
from assetry.run.listeners import Listeners
from assetry.types.events import Event, Log, Started
from assetry.types.records import EventRecord, RunInfo

NOW = datetime(2026, 1, 2, tzinfo=UTC)
RUN = RunInfo(id="r", state="running", started=NOW)
WAIT = 30


def record(text: str) -> EventRecord:
    return EventRecord(at=NOW, run="r", event=Log(text))


class Listener:
    def __init__(self, hear: Callable[[EventRecord, RunInfo], None]) -> None:
        self.hear = hear

    @hookimpl
    def assetry_event(self, event: EventRecord, run: RunInfo) -> None:
        self.hear(event, run)


def listened(*listeners: Listener) -> Plugins:
    return load_plugins({}, listeners, allowed=[])


def listening(plugins: Plugins) -> Listeners:
    services = services_of(Project(store="sqlite::memory:", io="memory:"))
    return Listeners(replace(services, plugins=plugins), AssetGraph.of([]), RUN)


def test_nobody_listens_and_nothing_is_started() -> None:
    before = threading.active_count()
    listeners = listening(listened())
    listeners.tell([record("x")])
    assert threading.active_count() == before
    listeners.close()


@pytest.mark.parametrize("tables", [{}, {"gongs": {}}, {"bells": {}}], ids=["none", "others", "its own"])
def test_one_with_tables_of_its_own_hears_only_in_projects_that_have_one(tables: dict[str, Any]) -> None:
    heard: list[EventRecord] = []

    class Bells(Listener):
        ASSETRY_TABLES = ("bells", "ropes")

    also: list[EventRecord] = []
    plugins = listened(Bells(lambda event, _: heard.append(event)), Listener(lambda event, _: also.append(event)))
    services = services_of(Project(store="sqlite::memory:", io="memory:"))
    listeners = Listeners(replace(services, plugins=plugins, tables=tables), AssetGraph.of([]), RUN)
    listeners.tell([record("x")])
    listeners.close()
    assert (len(heard), len(also)) == ("bells" in tables, 1)


def test_everything_is_heard_in_order_on_another_thread_before_close_returns() -> None:
    heard: list[tuple[EventRecord, RunInfo, int]] = []
    listeners = listening(listened(Listener(lambda event, run: heard.append((event, run, threading.get_ident())))))
    told = [record(str(number)) for number in range(200)]
    listeners.tell(told)
    listeners.close()
    assert [event for event, _, _ in heard] == told
    assert {run.id for _, run, _ in heard} == {"r"}
    assert threading.get_ident() not in {thread for _, _, thread in heard}


def test_one_that_fails_keeps_nobody_from_hearing() -> None:
    heard: list[EventRecord] = []

    def fail(event: EventRecord, run: RunInfo) -> None:
        raise ValueError("no network")

    plugins = listened(Listener(fail), Listener(lambda event, run: heard.append(event)))
    listeners = listening(plugins)
    listeners.tell([record("x")])
    listeners.tell([record("y")])
    listeners.close()
    assert heard == [record("x"), record("y")]
    assert ["no network" in problem.message for problem in plugins.problems] == [True], "said once, not per event"


def test_one_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetry.run.listeners.PATIENCE", 0.01)
    may_go_on, entered = threading.Event(), threading.Event()

    def hang(event: EventRecord, run: RunInfo) -> None:
        entered.set()
        may_go_on.wait(WAIT)

    listeners = listening(listened(Listener(hang)))
    listeners.tell([record("x")])
    assert entered.wait(WAIT)
    closing = threading.Thread(target=listeners.close, daemon=True)
    closing.start()
    closing.join(WAIT)
    assert not closing.is_alive()
    may_go_on.set()


def test_one_that_is_far_behind_is_told_how_many_lines_it_was_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetry.run.listeners.WAITING", 3)
    may_go_on, entered = threading.Event(), threading.Event()
    heard: list[Event] = []

    def slow(event: EventRecord, run: RunInfo) -> None:
        entered.set()
        may_go_on.wait(WAIT)
        heard.append(event.event)

    listeners = listening(listened(Listener(slow)))
    listeners.tell([record("first")])
    assert entered.wait(WAIT)
    started = EventRecord(at=NOW, run="r", event=Started("a"))
    listeners.tell([record(str(number)) for number in range(10)] + [started])
    may_go_on.set()
    listeners.close()
    left_out = Log("7 lines of the log were left out here; `assetry logs r` has them.", "warning")
    assert heard == [Log("first"), Log("0"), Log("1"), Log("2"), left_out, Started("a")]


def test_the_context_is_the_project_whose_events_are_heard(tmp_path: Path) -> None:
    heard: dict[str, tuple[Any, ...]] = {}

    class Heedful:
        ASSETRY_TABLES = ("bells",)

        @hookimpl
        def assetry_event(self, event: EventRecord, run: RunInfo, context: EventContext) -> None:
            if isinstance(event.event, Materialized):
                asset, origin = context.asset(event.event.key), context.origin(event.event.key)
                assert asset is not None
                assert origin is not None
                assert context.asset(AssetKey("gone")) is None
                assert context.origin(AssetKey("gone")) is None
                made = context.store.latest([asset.key])
                heard[str(asset.key)] = (context.root, context.tables, asset.description, origin.io, len(made))
                heard["store"] = (context.recorded, context.store_url, context.secret("PATH"))

    def one() -> list[int]:
        """Numbers."""
        return [1]

    settings = Settings(tmp_path, io="parquet:data", tables={"bells": {"ops": {"loud": True}}})
    with Project([asset(one)], settings=settings, plugins=[Heedful()]) as project:
        project.materialize()
    place = f"parquet:{tmp_path}/data"
    assert heard["one"] == (str(tmp_path), {"bells": {"ops": {"loud": True}}}, "Numbers.", place, 1)
    assert heard["store"] == (True, f"sqlite:{tmp_path}/.assetry/state.db", os.environ["PATH"])
