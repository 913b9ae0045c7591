"""dbt in this process, by its `dbtRunner`: the fast engine for a dbt 1.x of this environment.

A second build saves the import, and reading the project again while its files are unchanged; and on DuckDB Python
assets can read and write while dbt runs, because both share one instance of the database.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from assetry_dbt.project.files import files_digest, files_of
from assetry_dbt.project.parse_cache import recall, remember
from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.engine_cli import REPEATED, SPOKEN
from assetry_dbt.running.isolation import own_surroundings
from assetry_dbt.running.reports import (
    TOLD,
    Ended,
    Message,
    NodeFinished,
    NodeStarted,
    Report,
    plain_response,
    read_told,
)

#: Seconds between two looks at whether the run was cancelled.
POLL = 0.1
#: Seconds between two attempts at cancelling dbt's queries: one that started meanwhile is met by the next.
RETRY = 0.25
#: Seconds for which the end of a cancelled dbt is waited for: a Python model cannot be interrupted. Its queries are
#: cancelled for as long as it goes on, for on a busy machine one may begin only later. Others wait for its end.
GRACE = 8.0

#: How often it is interrupted: what comes later would only hit what it does to end.
_INTERRUPTED = 4

# dbt's adapters, flags and events are globals of the process: one dbt at a time. Taken and held by the thread that
# runs dbt until it has really ended, which may be after the stream was closed.
_TURN = threading.Lock()


class InProcessEngine:
    """dbt in this process; see `assetry_dbt.running.engine.Engine`."""

    def __init__(self, project: DbtProject) -> None:
        self._project = project

    def run(self, args: Sequence[str], cancelled: Callable[[], bool]) -> Generator[Report, None, None]:
        """Run ``dbt ARGS``, yielding its reports as they happen, `Ended` last; waits while another dbt runs here."""
        with DbtThread(self._project, (*args, *self._quiet())) as dbt:
            while not cancelled():
                try:
                    report = dbt.reports.get(timeout=POLL)
                except Empty:
                    continue
                yield report
                if isinstance(report, Ended):
                    return

    def _quiet(self) -> tuple[str, ...]:
        # dbt makes the folder of its log even when it writes none; inside target it is not a new one.
        path = ("--log-path", str(self._project.target_path))
        return ("--log-level", "none", "--log-level-file", "none", *path, *_QUIET)


_QUIET = (
    "--no-use-colors",
    "--no-send-anonymous-usage-stats",
    "--no-fail-fast",
    "--no-log-cache-events",
    "--write-json",
)


class DbtThread:
    """One dbt invocation on a thread of its own."""

    def __init__(self, project: DbtProject, args: Sequence[str]) -> None:
        self.reports: SimpleQueue[Report] = SimpleQueue()
        self._project = project
        self._args = list(args)
        self._hearing = Hearing(self.reports.put)
        self._lock = threading.Lock()
        self._invoking = False
        self._interrupted = False
        self._cancelled = False
        self._over = False
        # A daemon: what cannot be interrupted must not keep the process alive.
        self._thread = threading.Thread(target=self._main, name="dbt", daemon=True)

    def __enter__(self) -> DbtThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._over:
            self._thread.join()
        elif self._thread.is_alive():
            stopper = threading.Thread(target=self._stop, name="dbt-stop", daemon=True)
            stopper.start()
            # Waited for here, but not done here: an interrupt of this thread must not leave dbt running.
            stopper.join(GRACE)

    def _main(self) -> None:
        end = Ended(False, "dbt was interrupted.")
        try:
            if self._wait_for_turn():
                try:
                    end = self._surrounded()
                finally:
                    _TURN.release()
        except KeyboardInterrupt:
            pass
        except BaseException as error:
            end = Ended(False, _text(error), self._hearing.invocation_id)
        finally:
            self._over = True
            self.reports.put(end)

    def _wait_for_turn(self) -> bool:
        while not self._cancelled:
            if _TURN.acquire(timeout=POLL):
                return True
        return False

    def _surrounded(self) -> Ended:
        with own_surroundings(self._project):
            with self._lock:
                # An interrupt may come from here on, not earlier: it would leave modules half imported.
                self._invoking = not self._cancelled
            try:
                return self._invoke() if self._invoking else Ended(False, "dbt was interrupted.")
            finally:
                self._settle()

    def _settle(self) -> None:
        """Let no interrupt come any more, not even one that is on its way: it would hit the cleaning up."""
        with suppress(KeyboardInterrupt):
            with self._lock:
                self._invoking = False
            if self._interrupted:
                # One that is on its way arrives within a few steps. To take it back instead would leave the
                # interpreter on the alert for good, in which it hangs under debuggers and profilers.
                for _ in range(100):
                    pass
        self._invoking = False

    def _invoke(self) -> Ended:
        from dbt.cli.main import dbtRunner

        files = files_digest(files_of(self._project))
        manifest = self._hearing.manifest = recall(self._project, files)
        result: Any = dbtRunner(manifest, [self._hearing]).invoke(self._args)
        error = None if result.exception is None else _text(result.exception)
        if error is None:
            remember(self._project, files)
        return Ended(result.success, error, self._hearing.invocation_id)

    def _stop(self) -> None:
        """Interrupt dbt: its main thread wherever that runs Python code, its queries in the warehouse."""
        for attempt in count():
            with self._lock:
                self._cancelled = True
                if self._invoking and attempt % 8 == 0 and attempt < _INTERRUPTED * 8:
                    # dbt handles it as a Ctrl-C; seen as soon as the thread runs Python code again.
                    self._interrupted = True
                    _interrupt(self._thread, KeyboardInterrupt)
            if self._invoking:
                _cancel_queries()
            self._thread.join(RETRY)
            if not self._thread.is_alive():
                return


class Hearing:
    """What turns dbt's event messages into reports; called by dbt on the thread where the event happens.

    Reads as little as possible of the few messages that matter, and lets no exception out, which would be dbt's.
    `manifest` is the one that was handed to dbt, if any.
    """

    def __init__(self, put: Callable[[Report], None]) -> None:
        self._put = put
        self.invocation_id: str | None = None
        self.manifest: Any = None

    def __call__(self, message: Any) -> None:
        """Hear one event."""
        try:
            self._hear(message)
        except Exception as error:
            self._put(Message(f"An event of dbt could not be read: {error}", "debug"))

    def _hear(self, message: Any) -> None:
        info = message.info
        name = info.name
        if name == "NodeStart":
            self._put(NodeStarted(message.data.node_info.unique_id))
        elif name == "NodeFinished":
            self._put(_finished(message.data))
        elif name == "MainReportVersion":
            self.invocation_id = info.invocation_id
            if self.manifest is not None:
                # It was read in an earlier invocation, but is written as this one's.
                self.manifest.metadata.invocation_id = info.invocation_id
        elif name in TOLD:
            told = read_told(name, _as_dict(message.data))
            if told is not None:
                self._put(told)
        elif name in SPOKEN or (info.level in _LOUD and name not in REPEATED and name != "MainEncounteredError"):
            self._put(Message(info.msg, info.level, _unique_id(message.data)))


_LOUD = frozenset({"warn", "error"})


def _finished(data: Any) -> NodeFinished:
    node, result = data.node_info, data.run_result
    return NodeFinished(
        unique_id=node.unique_id,
        status=(result.status or node.node_status).lower(),
        message=result.message,
        seconds=result.execution_time,
        failures=result.num_failures,
        response=plain_response(_plain(result.adapter_response)),
        materialized=node.materialized or None,
        relation=node.node_relation.relation_name or None,
        path=node.node_path or None,
    )


def _as_dict(message: Any) -> Mapping[str, Any]:
    """Return what is set in a protobuf message, and in those within it, by the names of its fields."""
    return {
        field.name: _as_dict(value) if hasattr(value, "ListFields") else value for field, value in message.ListFields()
    }


def _plain(struct: Any) -> Mapping[str, Any]:
    """Return a protobuf Struct as a dict; what is nested in it too."""
    return {name: _plain(value) if hasattr(value, "fields") else value for name, value in struct.items()}


def _unique_id(data: Any) -> str | None:
    return data.node_info.unique_id or None if "node_info" in data.DESCRIPTOR.fields_by_name else None


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _interrupt(thread: threading.Thread, kind: type[BaseException]) -> None:
    """Raise `kind` in `thread` as soon as it runs Python code."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(kind))


def _cancel_queries() -> None:
    """Cancel the queries that dbt's adapters run, over connections of this thread's own where that takes one."""
    import sys

    factory = sys.modules.get("dbt.adapters.factory")
    if factory is None:
        return
    for adapter in tuple(factory.FACTORY.adapters.values()):
        try:
            if adapter.is_cancelable():
                _cancel_on(adapter)
        except Exception:  # a connection that ended meanwhile is as good as cancelled
            continue


def _cancel_on(adapter: Any) -> None:
    import os

    from dbt_common.context import set_invocation_context

    set_invocation_context(os.environ)
    with adapter.connection_named("cancel"):
        adapter.cancel_open_connections()
