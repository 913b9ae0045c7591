"""Executors: threads of this process, as a plugin over our own hook.

A task is one invocation; its stream is drained in the worker, and every event is handed to the run at once.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from assetry.errors import UsageError
from assetry.hooks.specs import hookimpl
from assetry.types.events import Event
from assetry.types.protocols import Executor, RunningTask, Task

Emit = Callable[[Event | BaseException | None], None]

#: Seconds that a cancelled function of this process has to end by itself before its thread is interrupted.
GRACE = 10.0
#: Seconds that the tool of a cancelled task has to stop; an interrupt would hit the stopping itself.
TOOL_GRACE = 20.0


class Interrupted(BaseException):
    """The end of a Python function whose run was cancelled; no `Exception`, so that user code lets it pass."""


class ThreadExecutor:
    """Threads of this process, `slots` of them, that run tasks.

    >>> executor = ThreadExecutor(2)
    >>> executor.slots
    2
    >>> executor.close()
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._busy: set[_Job] = set()

    def start(self, task: Task, emit: Emit) -> RunningTask:
        """Hand the task to a free thread, starting one when there are fewer than `slots`."""
        job = _Job(task, emit, self._busy)
        self._busy.add(job)
        if len(self._threads) < min(self.slots, len(self._busy)):
            # Daemons: a function that cannot be interrupted must not keep a cancelled process alive.
            thread = threading.Thread(target=self._work, name=f"assetry-{len(self._threads) + 1}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)
        return job

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()

    def close(self) -> None:
        """Ask what still runs to stop, and let the threads end."""
        for job in tuple(self._busy):
            job.cancel()
        for _ in self._threads:
            self._jobs.put(None)
        self._threads = []


class _Job:
    """One task on its thread."""

    def __init__(self, task: Task, emit: Emit, busy: set[_Job]) -> None:
        self._task = task
        self._emit = emit
        self._busy = busy
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._cancelled = False
        self._interrupted = False
        self._ended = threading.Event()

    def run(self) -> None:
        end: BaseException | None = None
        try:
            try:
                with self._lock:
                    self._thread = threading.get_ident()
                if not self._cancelled:
                    self._drain()
            except BaseException as error:  # whatever breaks a stream is the run's to judge, never the worker's end
                end = error
            self._settle()
        except Interrupted as error:  # it comes once at most, perhaps when the stream has already ended
            end = end or error
            self._settle()
        self._busy.discard(self)
        self._emit(end)
        self._ended.set()

    def _settle(self) -> None:
        """Let no interrupt come any more: it would end the worker."""
        with self._lock:
            self._thread = None
            sent = self._interrupted
        if sent:
            # One that is on its way arrives within a few steps. To take it back instead would leave the interpreter
            # on the alert for good, in which it hangs under debuggers and profilers.
            for _ in range(100):
                pass

    def _drain(self) -> None:
        stream = self._task.stream()
        try:
            for event in stream:
                # A tool's own None would be taken for its end.
                self._emit(event if isinstance(event, Event) else _told(event))
                if self._cancelled:
                    return
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                close()

    def cancel(self) -> None:
        """Ask the stream to stop; interrupt its thread when it has not ended after the grace time."""
        if self._cancelled:
            return
        self._cancelled = True
        self._task.stop()
        if not self._ended.is_set():
            group = getattr(self._task.invocation, "group", None)
            timer = threading.Timer(TOOL_GRACE if group is not None and group.counted else GRACE, self._interrupt)
            timer.daemon = True
            timer.start()

    def _interrupt(self) -> None:
        with self._lock:
            if self._thread is not None:
                # The only way into a thread that runs Python code; one that waits in C sees it when it returns.
                self._interrupted = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(Interrupted))

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end of the task; return whether it has ended."""
        return self._ended.wait(timeout)


def _told(reported: object) -> Event:
    from assetry.run.tracking.tracked import no_event  # each command loads this module, and few run anything

    return no_event(reported)


ASSETRY_SCHEMES = {"executor": ("threads", "inline")}


@hookimpl
def assetry_open_executor(url: str) -> Executor:
    """Open ``threads`` (one per core, at least 4), ``threads:N``, or ``inline`` (one after the other)."""
    scheme, _, count = url.partition(":")
    if scheme == "inline" and not count:
        return ThreadExecutor(1)
    if scheme == "inline":
        raise UsageError(f"{url!r} is not an executor.", hint="Write inline alone: it takes one after the other.")
    if count and not (count.isdecimal() and int(count) > 0):
        raise UsageError(f"{url!r} is not an executor.", hint="Write threads:N with N of 1 or more, or just threads.")
    return ThreadExecutor(int(count) if count else max(4, os.cpu_count() or 1))
