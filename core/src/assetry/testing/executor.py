"""Conformance of an executor: events come as they happen, the end comes last and once, and tasks can be stopped.

The tasks signal by files, so that they may run in another process or on another machine that shares a folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, ClassVar

import pytest

from assetry.testing.loading import declared_refusals
from assetry.testing.plugin import PluginConformance
from assetry.testing.subjects import EXECUTOR_CAPABILITIES, ExecutorUnderTest, refusals
from assetry.testing.verdicts import needs
from assetry.testing.watching import eventually
from assetry.types.assets import Integration
from assetry.types.events import Event, Log
from assetry.types.invocations import Invocation
from assetry.types.protocols import Executor, RunningTask

#: Seconds after which a task ends by itself, so that a failing check leaves nothing behind.
LONGEST = 60.0


def invocation() -> Invocation:
    """Return an invocation of nothing."""
    return Invocation(id="1", group=None, integration=Integration("kit", "kit"), assets=())


@dataclass
class FileTask:
    """A task that signals by files in `folder`: it tells ``began``, waits for ``go``, and tells ``closed``.

    `work` says what it does: ``words`` yields three lines, ``wait`` waits between two lines, ``break`` raises after
    the first, ``deaf`` does not look whether it was stopped.
    """

    folder: Path
    work: str
    name: str = "task"
    invocation: Invocation = field(default_factory=invocation)

    def stream(self) -> Iterator[Event]:
        """Yield lines."""
        self._touch("began")
        try:
            yield Log("first")
            if self.work == "break":
                raise ValueError("the tool broke")
            if self.work == "words":
                yield Log("second")
            elif self.work in ("wait", "deaf"):
                self._wait(lambda: self.work == "wait" and (self.folder / f"{self.name}-stopped").exists())
            yield Log("last")
        finally:
            self._touch("closed")

    def stop(self) -> None:
        """Tell the stream to stop."""
        self._touch("stopped")

    def _wait(self, stopped: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline and not (self.folder / "go").exists() and not stopped():
            time.sleep(0.01)

    def _touch(self, what: str) -> None:
        (self.folder / f"{self.name}-{what}").touch()

    def has(self, what: str) -> bool:
        """Tell whether the task has signalled something."""
        return (self.folder / f"{self.name}-{what}").exists()


class Inbox:
    """What an executor has emitted."""

    def __init__(self, patience: float) -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._patience = patience

    def emit(self, event: Event | BaseException | None) -> None:
        """Take one thing."""
        self._queue.put(event)

    def next(self) -> Any:
        """Return the next thing; fail when none comes."""
        try:
            return self._queue.get(timeout=self._patience)
        except Empty:
            raise AssertionError(
                "nothing is emitted any more: emit each event, and None or the exception last"
            ) from None

    def rest(self) -> list[Any]:
        """Return all up to the end, the end included."""
        found = [self.next()]
        while isinstance(found[-1], Event):
            found.append(self.next())
        return found

    @property
    def empty(self) -> bool:
        """Tell whether nothing has come since."""
        return self._queue.empty()


class ExecutorConformance(PluginConformance):
    """Checks to inherit; fill in `subject`: an `ExecutorUnderTest`, or a method that makes one in an empty folder.

    >>> class TestThreads(ExecutorConformance):
    ...     subject = ExecutorUnderTest("assetry.run.threads", url="threads:2")
    """

    capabilities: ClassVar[Mapping[str, str]] = EXECUTOR_CAPABILITIES

    @pytest.fixture
    def refused(self, filled: ExecutorUnderTest) -> Mapping[str, str]:
        """Return what is refused."""
        return refusals(filled, EXECUTOR_CAPABILITIES, declared_refusals(filled.plugin))

    @pytest.fixture
    def executor(self, loaded: Any, filled: ExecutorUnderTest, tmp_path: Path) -> Iterator[Executor]:
        """Return the executor, opened anew."""
        executor: Executor = loaded.open_executor(filled.url)
        yield executor
        (tmp_path / "go").touch()
        executor.close()

    @pytest.fixture
    def inbox(self, filled: ExecutorUnderTest) -> Inbox:
        """Return an inbox."""
        return Inbox(filled.patience)

    # -- checks ------------------------------------------------------------------------------------------------------

    def test_be_an_executor_with_slots(self, executor: Executor, refused: Mapping[str, str]) -> None:
        assert isinstance(executor, Executor), f"{type(executor).__name__} lacks methods of Executor"
        least = 1 if "parallel" in refused else 2
        assert executor.slots >= least, f"slots is {executor.slots}; at least {least} are needed here"

    def test_emit_every_event_in_order_and_none_at_the_end(
        self, executor: Executor, inbox: Inbox, tmp_path: Path
    ) -> None:
        task = executor.start(FileTask(tmp_path, "words"), inbox.emit)
        assert inbox.rest() == [Log("first"), Log("second"), Log("last"), None], "events are lost, or out of order"
        assert task.join(30), "join says that a task which has ended runs still"
        assert inbox.empty, "something is emitted after the end: the end is the last thing, and comes once"

    @needs("test_emit_every_event_in_order_and_none_at_the_end")
    def test_emit_events_while_the_task_runs(self, executor: Executor, inbox: Inbox, tmp_path: Path) -> None:
        executor.start(FileTask(tmp_path, "wait"), inbox.emit)
        assert inbox.next() == Log("first"), "the first event does not come while the task runs: emit it as it happens"
        (tmp_path / "go").touch()
        assert inbox.rest() == [Log("last"), None], "what comes after the first event is lost, or out of order"

    @needs("test_emit_every_event_in_order_and_none_at_the_end")
    def test_return_from_start_at_once(self, executor: Executor, inbox: Inbox, tmp_path: Path) -> None:
        task = executor.start(FileTask(tmp_path, "wait"), inbox.emit)
        assert not task.join(0), "start returns only when the task has ended, or join does not tell: run it elsewhere"
        (tmp_path / "go").touch()
        inbox.rest()

    @needs("test_emit_every_event_in_order_and_none_at_the_end")
    def test_emit_the_exception_that_broke_a_stream(self, executor: Executor, inbox: Inbox, tmp_path: Path) -> None:
        executor.start(FileTask(tmp_path, "break"), inbox.emit)
        *events, end = inbox.rest()
        assert events == [Log("first")], "what came before the exception is lost"
        assert isinstance(end, Exception), f"a stream that broke ends with {end!r}: emit its exception"
        assert "the tool broke" in str(end), f"the exception says {end}, not what the stream raised"

    @needs("test_emit_every_event_in_order_and_none_at_the_end")
    def test_go_on_after_a_task_that_broke(self, executor: Executor, inbox: Inbox, tmp_path: Path) -> None:
        for number in range(executor.slots + 1):
            executor.start(FileTask(tmp_path, "break", f"broken-{number}"), inbox.emit)
            inbox.rest()
        executor.start(FileTask(tmp_path, "words"), inbox.emit)
        assert inbox.rest()[-1] is None, "after tasks that broke, no other runs: keep the workers"

    @needs("test_emit_every_event_in_order_and_none_at_the_end")
    def test_run_as_many_tasks_as_there_are_slots(
        self, executor: Executor, filled: ExecutorUnderTest, refused: Mapping[str, str], tmp_path: Path
    ) -> None:
        if "parallel" in refused:
            return
        tasks = [FileTask(tmp_path, "wait", f"task-{number}") for number in range(executor.slots)]
        inboxes = [Inbox(filled.patience) for _ in tasks]
        for task, box in zip(tasks, inboxes, strict=True):
            executor.start(task, box.emit)
        began = eventually(lambda: all(task.has("began") for task in tasks), filled.patience)
        count = sum(task.has("began") for task in tasks)
        assert began, f"of {executor.slots} tasks {count} began: slots is how many run at a time"
        (tmp_path / "go").touch()
        assert all(box.rest()[-1] is None for box in inboxes), "tasks side by side do not all end by themselves"

    @needs("test_emit_every_event_in_order_and_none_at_the_end")
    def test_stop_a_task_that_is_cancelled(
        self, executor: Executor, inbox: Inbox, filled: ExecutorUnderTest, tmp_path: Path
    ) -> None:
        task = FileTask(tmp_path, "wait")
        running = executor.start(task, inbox.emit)
        assert inbox.next() == Log("first"), "the first event does not come as it was yielded"
        running.cancel()
        running.cancel()
        self._check_ended(running, inbox, filled.patience)
        assert task.has("stopped"), "cancel must call task.stop(), so that context.cancelled becomes true"
        assert eventually(lambda: task.has("closed"), filled.patience), "the stream was not closed: call its close()"

    @needs("test_emit_every_event_in_order_and_none_at_the_end")
    def test_stop_a_task_that_does_not_look(
        self, executor: Executor, inbox: Inbox, filled: ExecutorUnderTest, refused: Mapping[str, str], tmp_path: Path
    ) -> None:
        if "interrupt" in refused:
            return
        running = executor.start(FileTask(tmp_path, "deaf"), inbox.emit)
        assert inbox.next() == Log("first"), "the first event does not come as it was yielded"
        running.cancel()
        self._check_ended(running, inbox, filled.patience)

    def _check_ended(self, running: RunningTask, inbox: Inbox, patience: float) -> None:
        inbox.rest()
        assert running.join(patience), "a cancelled task does not end, or join does not tell"
        assert inbox.empty, "something is emitted after the end of a cancelled task"

    @needs("test_emit_every_event_in_order_and_none_at_the_end")
    def test_stop_everything_on_close(
        self, executor: Executor, inbox: Inbox, filled: ExecutorUnderTest, tmp_path: Path
    ) -> None:
        task = FileTask(tmp_path, "wait")
        executor.start(task, inbox.emit)
        assert inbox.next() == Log("first"), "the first event does not come as it was yielded"
        executor.close()
        assert eventually(lambda: task.has("closed"), filled.patience), "close leaves tasks running: stop them all"
