"""Listeners: plugins hear of events in order, on a thread of their own, whatever they do there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from assetry.hooks.manager import Plugins, load_plugins
from assetry.plugin import hookimpl
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


def test_nobody_listens_and_nothing_is_started() -> None:
    before = threading.active_count()
    listeners = Listeners(listened(), RUN)
    listeners.tell([record("x")])
    assert threading.active_count() == before
    listeners.close()


def test_everything_is_heard_in_order_on_another_thread_before_close_returns() -> None:
    heard: list[tuple[EventRecord, RunInfo, int]] = []
    listeners = Listeners(listened(Listener(lambda event, run: heard.append((event, run, threading.get_ident())))), RUN)
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
    listeners = Listeners(plugins, RUN)
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

    listeners = Listeners(listened(Listener(hang)), RUN)
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

    listeners = Listeners(listened(Listener(slow)), RUN)
    listeners.tell([record("first")])
    assert entered.wait(WAIT)
    started = EventRecord(at=NOW, run="r", event=Started("a"))
    listeners.tell([record(str(number)) for number in range(10)] + [started])
    may_go_on.set()
    listeners.close()
    left_out = Log("7 lines of the log were left out here; `assetry logs r` has them.", "warning")
    assert heard == [Log("first"), Log("0"), Log("1"), Log("2"), left_out, Started("a")]
