"""Carry out a plan: start what is ready, drain every stream, record, release what is downstream.

One thread, the caller's, decides and writes; workers only run tools and hand over events. In each turn of the loop
everything that has arrived is judged by the board, written by the ledger in one transaction, and only then reported
and built upon. So what was reported is durable, and what is durable is true.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any

from assetry.board import Board
from assetry.context import Context, InvocationTask, RunFacts
from assetry.errors import AssetryError, ConflictError
from assetry.events import Checked, Event, Failed, InvocationFinished, InvocationStarted, RunFinished, RunStarted
from assetry.graph import AssetGraph
from assetry.invocations import Invocation
from assetry.io import Values
from assetry.keys import AssetKey
from assetry.ledger import Ledger
from assetry.notices import Notices
from assetry.plan import Plan
from assetry.plugins import Plugins
from assetry.protocols import Executor, RunningTask, Store
from assetry.records import Attempt, EventRecord, RunInfo, RunState
from assetry.versions import Versions

#: Seconds that tools have to stop after the run was cancelled, before the run is recorded without them.
PATIENCE = 30.0

_CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class RunServices:
    """What a run needs of the project: plugins, store, executor, values."""

    plugins: Plugins
    store: Store
    executor: Executor
    values: Values


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked of a run besides its plan.

    `options` is JSON and is kept with the run. `resume` maps a group key to the token of a job that an earlier,
    killed run has started. `on_event` is called with every record once it is durable. `listen` installs handlers
    for Ctrl-C and SIGTERM while the run lasts.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    resume: Mapping[str, str] = field(default_factory=dict)
    on_event: Callable[[EventRecord], None] | None = None
    listen: bool = True


@dataclass(frozen=True, slots=True)
class RunResult:
    """Tell how a run ended.

    `outcomes` has the last attempt of each asset (and partition) of the run; `counts` are by outcome.
    """

    run: RunInfo
    counts: Mapping[str, int]
    outcomes: Mapping[tuple[AssetKey, str | None], Attempt]

    @property
    def ok(self) -> bool:
        """Tell whether everything was made and every check of severity error passed."""
        return self.run.state == "succeeded"

    def keys(self, outcome: str) -> tuple[AssetKey, ...]:
        """Return the assets with an outcome: ``materialized``, ``failed``, ``check_failed``, ``skipped``."""
        return tuple(dict.fromkeys(key for (key, _), each in self.outcomes.items() if each.outcome == outcome))


def execute(plan: Plan, graph: AssetGraph, services: RunServices, request: RunRequest | None = None) -> RunResult:
    """Carry out `plan` and return how it ended.

    Raises `ConflictError` when another living run is building one of its assets. A failed asset is an outcome, not
    an exception; Ctrl-C ends with the state ``cancelled``.
    """
    request = request or RunRequest()
    info = _new_run(plan, request)
    _claim(info, plan, services.store)
    services.store.begin(info)
    run = _Run(plan, graph, services, request, info)
    with run.listening():
        return run.carry_out()


def _new_run(plan: Plan, request: RunRequest) -> RunInfo:
    now = datetime.now(UTC)
    return RunInfo(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        state="running",
        started=now,
        assets=tuple(asset.key for planned in plan.invocations for asset in planned.invocation.assets),
        options=request.options,
        process=os.getpid(),
        host=socket.gethostname(),
    )


def _claim(info: RunInfo, plan: Plan, store: Store) -> None:
    keys = [asset.key for each in plan.invocations for asset in (*each.invocation.assets, *each.invocation.also)]
    held = store.claim(info.id, keys)
    if held:
        key, run_id = next(iter(held.items()))
        more = f" and {len(held) - 1} more of these assets" if len(held) > 1 else ""
        raise ConflictError(
            f"Run {run_id} is building {key}{more}.",
            hint=f"Wait for it (`assetry logs {run_id}`), or stop it with `assetry cancel {run_id}`.",
        )


class _Run:
    """Be one run under way."""

    def __init__(
        self, plan: Plan, graph: AssetGraph, services: RunServices, request: RunRequest, info: RunInfo
    ) -> None:
        self._plan = plan
        self._graph = graph
        self._services = services
        self._request = request
        self._info = info
        self._board = Board(plan, graph)
        self._ledger = Ledger(info.id, graph, Versions(graph, services.store.latest()))
        self._facts = RunFacts(info.id, request.options, services.values, graph.__getitem__)
        self._inbox: SimpleQueue[tuple[datetime, str, Event | BaseException | None]] = SimpleQueue()
        self._tasks: dict[str, RunningTask] = {}
        self._launched: dict[str, tuple[Invocation, float]] = {}
        #: Whether anything in this plan keeps others away from what it uses.
        self._exclusive = any(_holds(planned.invocation) for planned in plan.invocations)
        self._failed_in: set[str] = set()
        self._interrupts = 0
        self._cancelled_at: float | None = None
        self._notices = Notices(services.plugins, info)

    # -- signals -------------------------------------------------------------------------------------------------

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Turn Ctrl-C and SIGTERM into a cancelled run while this lasts."""
        if not self._request.listen or threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _interrupted(self, _number: int, _frame: FrameType | None) -> None:
        # Only a count and a wake-up: a signal may arrive in the middle of a transaction.
        self._interrupts += 1
        self._inbox.put((_now(), _CANCEL, None))

    # -- the loop ------------------------------------------------------------------------------------------------

    def carry_out(self) -> RunResult:
        started = time.monotonic()
        invocations = len(self._plan.invocations)
        self._ledger.note(_now(), RunStarted(len(self._info.assets), invocations))
        try:
            self._turn()
            while not self._over():
                self._receive()
                self._turn()
        except BaseException:
            self._give_up()
            raise
        finally:
            self._notices.close()
        return self._finish(time.monotonic() - started)

    def _over(self) -> bool:
        if self._board.done:
            return True
        if self._cancelled_at is None:
            return False
        return self._interrupts > 1 or time.monotonic() - self._cancelled_at > PATIENCE

    def _turn(self) -> None:
        """Decide what starts, write everything down, tell of it, and start."""
        tasks = self._launch()
        self._publish(self._ledger.write(self._services.store))
        for id_, task in tasks:
            self._tasks[id_] = self._services.executor.start(task, partial(self._emit, id_))

    def _emit(self, id_: str, event: Event | BaseException | None) -> None:
        self._inbox.put((_now(), id_, event))

    def _receive(self) -> None:
        """Wait for something to arrive, then judge all that has."""
        timeout = None if self._cancelled_at is None else 0.5
        try:
            self._judge(*self._inbox.get(timeout=timeout))
            while True:
                self._judge(*self._inbox.get_nowait())
        except Empty:
            pass

    def _judge(self, at: datetime, id_: str, event: Event | BaseException | None) -> None:
        if id_ == _CANCEL:
            self._cancel()
        elif id_ not in self._launched:
            pass  # the last words of a task that was given up
        elif isinstance(event, Event):
            for each in self._board.take(id_, event):
                self._note(at, each, id_)
        else:
            self._end(at, id_, event)

    def _note(self, at: datetime, event: Event, id_: str) -> None:
        if isinstance(event, Failed) or (isinstance(event, Checked) and not event.passed and event.severity == "error"):
            self._failed_in.add(id_)
        self._ledger.note(at, event, id_)

    def _end(self, at: datetime, id_: str, error: BaseException | None) -> None:
        """Take the end of an invocation's stream."""
        invocation, started = self._launched.pop(id_)
        self._tasks.pop(id_, None)
        problem, hint = self._problem(invocation, error)
        for event in self._board.end(id_, problem, hint):
            self._note(at, event, id_)
        failed = problem is not None or id_ in self._failed_in
        state = "cancelled" if self._cancelled_at is not None else "failed" if failed else "succeeded"
        self._ledger.note(at, InvocationFinished(state, round(time.monotonic() - started, 3), problem), id_)

    def _problem(self, invocation: Invocation, error: BaseException | None) -> tuple[str | None, str | None]:
        if self._cancelled_at is not None:
            return "The run was cancelled before it was finished.", "Finish it with `assetry retry`."
        if error is None:
            return None, None
        if isinstance(error, AssetryError):
            return error.message, error.hint
        return f"{invocation.integration.kind} raised {type(error).__name__}: {error}", None

    # -- starting ------------------------------------------------------------------------------------------------

    def _launch(self) -> list[tuple[str, InvocationTask]]:
        """Choose what starts now, and note it: the intent is written before the deed."""
        tasks: list[tuple[str, InvocationTask]] = []
        again = self._cancelled_at is None
        while again:
            again = False
            for planned in self._choose():
                id_ = planned.id
                launch = self._board.launch(id_)
                now = _now()
                for event in launch.events:
                    self._ledger.note(now, event, id_)
                if launch.invocation is None:
                    again = True  # what was skipped may have let others come to their turn
                    continue
                tasks.append((id_, self._prepare(launch.invocation, now)))
        return tasks

    def _choose(self) -> list[Invocation]:
        """Return the ready invocations that may start beside those under way."""
        chosen: list[Invocation] = []
        under_way = [invocation for invocation, _ in self._launched.values()]
        groups = Counter(each.group.key for each in under_way if each.group is not None)
        for planned in self._board.ready():
            if len(under_way) >= self._services.executor.slots:
                break
            invocation, group = planned.invocation, planned.invocation.group
            if group is not None and groups[group.key] >= group.limit:
                continue
            if self._exclusive and any(self._collide(invocation, other) for other in under_way):
                continue
            if group is not None:
                groups[group.key] += 1
            chosen.append(invocation)
            under_way.append(invocation)
        return chosen

    def _collide(self, one: Invocation, other: Invocation) -> bool:
        """Tell whether one of two invocations holds what the other needs."""
        return bool(_holds(one) & self._needs(other) or _holds(other) & self._needs(one))

    def _needs(self, invocation: Invocation) -> frozenset[str]:
        """Return what an invocation holds, and where its values are read and written (IO URLs without a query)."""
        if invocation.group is not None and invocation.group.counted:
            return _holds(invocation)
        place = self._services.values.place
        return frozenset(place(asset) for asset in (*invocation.assets, *invocation.inputs))

    def _prepare(self, invocation: Invocation, now: datetime) -> InvocationTask:
        self._launched[invocation.id] = (invocation, time.monotonic())
        key = invocation.group.key if invocation.group else None
        command = self._services.plugins.invocation_command(invocation)
        kind = invocation.integration.kind
        keys = tuple(asset.key for asset in invocation.assets)
        self._ledger.note(now, InvocationStarted(kind, keys, key, command), invocation.id)
        resume = self._request.resume.get(key) if key else None
        context = Context(self._facts, partial(self._emit, invocation.id), resume)
        return InvocationTask(invocation, self._services.plugins, context)

    # -- ending --------------------------------------------------------------------------------------------------

    def _cancel(self) -> None:
        if self._cancelled_at is not None:
            return
        self._cancelled_at = time.monotonic()
        for event in self._board.abandon("the run was cancelled"):
            self._ledger.note(_now(), event)
        for task in tuple(self._tasks.values()):
            task.cancel()

    def _give_up(self) -> None:
        """Stop everything because the run itself broke; record what can still be recorded."""
        for task in tuple(self._tasks.values()):
            task.cancel()
        try:
            self._cancelled_at = self._cancelled_at or time.monotonic()
            for id_ in tuple(self._launched):
                self._end(_now(), id_, None)
            self._ledger.write(self._services.store)
            self._services.store.finish(self._info.id, "interrupted", _now())
        except AssetryError:
            pass  # the store is what broke; its own error is on its way

    def _finish(self, seconds: float) -> RunResult:
        state: RunState = "failed" if self._ledger.failed else "succeeded"
        if self._cancelled_at is not None:
            state = "cancelled"
            for id_ in tuple(self._launched):
                self._end(_now(), id_, None)
        now = _now()
        self._ledger.note(now, RunFinished(state, round(seconds, 3), dict(self._ledger.counts)))
        records = self._ledger.write(self._services.store)
        self._services.store.finish(self._info.id, state, now)
        self._publish(records)
        info = RunInfo(
            id=self._info.id,
            state=state,
            started=self._info.started,
            finished=now,
            assets=self._info.assets,
            options=self._info.options,
            process=self._info.process,
            host=self._info.host,
        )
        return RunResult(info, dict(self._ledger.counts), dict(self._ledger.outcomes))

    def _publish(self, records: Sequence[EventRecord]) -> None:
        for record in records:
            if self._request.on_event is not None:
                self._request.on_event(record)
            self._notices.tell(record)


def _holds(invocation: Invocation) -> frozenset[str]:
    return frozenset(invocation.group.holds) if invocation.group is not None else frozenset()


def _now() -> datetime:
    return datetime.now(UTC)
