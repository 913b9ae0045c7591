"""Threads run tasks, hand over events as they happen, and can be stopped."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from assetry.errors import UsageError
from assetry.run.threads import Interrupted, ThreadExecutor, assetry_open_executor
from assetry.types.events import Event, Log

WAIT = 30


class Job:
    """A task made of a generator function."""

    invocation: Any = None

    def __init__(self, stream: Callable[[Job], Iterator[Event]]) -> None:
        self._stream = stream
        self.stopped = threading.Event()

    def stream(self) -> Iterator[Event]:
        return self._stream(self)

    def stop(self) -> None:
        self.stopped.set()


def test_events_arrive_before_the_stream_ends() -> None:
    executor, inbox, go = ThreadExecutor(1), SimpleQueue[Any](), threading.Event()

    def stream(_: Job) -> Iterator[Event]:
        yield Log("first")
        assert go.wait(WAIT)
        yield Log("second")

    executor.start(Job(stream), inbox.put)
    assert inbox.get(timeout=WAIT) == Log("first")
    go.set()
    assert [inbox.get(timeout=WAIT), inbox.get(timeout=WAIT)] == [Log("second"), None]
    executor.close()


def test_an_exception_is_handed_over_and_the_worker_goes_on() -> None:
    executor, inbox = ThreadExecutor(1), SimpleQueue[Any]()

    def broken(_: Job) -> Iterator[Event]:
        yield Log("x")
        raise ValueError("no")

    executor.start(Job(broken), inbox.put)
    assert inbox.get(timeout=WAIT) == Log("x")
    assert isinstance(inbox.get(timeout=WAIT), ValueError)
    executor.start(Job(lambda _: iter([Log("y")])), inbox.put)
    assert [inbox.get(timeout=WAIT), inbox.get(timeout=WAIT)] == [Log("y"), None]
    executor.close()


def test_slots_run_side_by_side_and_no_more_threads_than_needed() -> None:
    executor, inbox, both = ThreadExecutor(3), SimpleQueue[Any](), threading.Barrier(2)

    def meet(_: Job) -> Iterator[Event]:
        both.wait(WAIT)
        yield Log("met")

    running = [executor.start(Job(meet), inbox.put) for _ in range(2)]
    assert all(each.join(WAIT) for each in running)
    assert len(executor._threads) == 2
    executor.close()


def test_cancel_tells_the_task_and_closes_its_stream() -> None:
    executor, inbox, closed = ThreadExecutor(1), SimpleQueue[Any](), threading.Event()

    def stream(job: Job) -> Iterator[Event]:
        try:
            yield Log("started")
            assert job.stopped.wait(WAIT)
            yield Log("last word")
            raise AssertionError("nobody should ask for more")
        finally:
            closed.set()

    running = executor.start(Job(stream), inbox.put)
    assert inbox.get(timeout=WAIT) == Log("started")
    running.cancel()
    assert closed.wait(WAIT)
    assert [inbox.get(timeout=WAIT), inbox.get(timeout=WAIT)] == [Log("last word"), None]


def test_python_code_that_does_not_listen_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assetry.run.threads.GRACE", 0.05)
    executor, inbox = ThreadExecutor(1), SimpleQueue[Any]()

    def deaf(_: Job) -> Iterator[Event]:
        yield Log("started")
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            pass

    running = executor.start(Job(deaf), inbox.put)
    assert inbox.get(timeout=WAIT) == Log("started")
    running.cancel()
    assert isinstance(inbox.get(timeout=WAIT), Interrupted)
    assert running.join(WAIT)


@pytest.mark.parametrize(("url", "slots"), [("threads:3", 3), ("inline", 1)])
def test_hook_assetry_open_executor(url: str, slots: int) -> None:
    executor = assetry_open_executor(url)
    assert executor is not None
    assert executor.slots == slots


def test_the_default_has_at_least_four_slots_and_what_is_no_executor_is_refused() -> None:
    executor = assetry_open_executor("threads")
    assert executor is not None
    assert executor.slots >= 4
    with pytest.raises(UsageError, match="inline:2"):
        assetry_open_executor("inline:2")
    with pytest.raises(UsageError, match="threads:N"):
        assetry_open_executor("threads:none")


def test_an_interrupt_that_comes_too_late_ends_neither_the_worker_nor_the_next_task() -> None:
    executor, inbox, go, left = ThreadExecutor(1), SimpleQueue[Any](), threading.Event(), threading.Event()

    def stream(_: Job) -> Iterator[Event]:
        try:
            yield Log("begun")
            assert go.wait(WAIT)
        finally:
            left.set()

    task: Any = executor.start(Job(stream), inbox.put)
    assert inbox.get(timeout=WAIT) == Log("begun")
    with task._lock:  # as the one who interrupts holds it, between looking and doing
        go.set()
        assert left.wait(WAIT)
        time.sleep(0.05)  # the worker comes to the lock; should it be slower, the test only proves less
        task._interrupted = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(task._thread), ctypes.py_object(Interrupted))
    end = inbox.get(timeout=WAIT)
    assert end is None or isinstance(end, Interrupted)
    assert task.join(WAIT)
    executor.start(Job(lambda _: iter([Log("next")])), inbox.put)
    assert [inbox.get(timeout=WAIT), inbox.get(timeout=WAIT)] == [Log("next"), None]
    executor.close()


def test_what_is_no_event_is_never_taken_for_the_end() -> None:
    executor, inbox = ThreadExecutor(1), SimpleQueue[Any]()
    stray: list[Any] = [None, ValueError("yielded, not raised"), Log("x")]
    executor.start(Job(lambda _: iter(stray)), inbox.put)
    said = [inbox.get(timeout=WAIT) for _ in range(4)]
    assert [type(each) for each in said] == [Log, Log, Log, type(None)]
    assert said[2] == Log("x")
    executor.close()


def test_debuggers_and_profilers_work_in_a_process_that_has_run_tasks() -> None:
    code = """
import sys
from queue import SimpleQueue
from assetry.run.threads import ThreadExecutor

class Job:
    invocation = None
    def stream(self): return iter(())
    def stop(self): pass

executor, inbox = ThreadExecutor(1), SimpleQueue()
for _ in range(3):
    executor.start(Job(), inbox.put).cancel()
    inbox.get()
sys.settrace(lambda *_: None)
def looped():
    for _ in range(3): pass
looped()
print("fine")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT * 2, check=False)
    assert done.stdout == "fine\n", done.stderr
