"""Carry out a plan: start what is ready, drain every stream, record, release what is downstream.

One thread, the caller's, decides and writes; workers only run tools and hand over events. In each turn of the loop
everything that has arrived is judged by the tracker, written by the recorder in one transaction, and only then reported
and built upon. So what was reported is durable, and what is durable is true.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from queue import Empty

from assetry.errors import AssetryError, JobOverError, LeaseLostError, RunError
from assetry.graph.graph import AssetGraph
from assetry.plan.plan import Plan
from assetry.run.calls import Call, Telling, problem_of
from assetry.run.context import Context, InvocationTask, RunFacts
from assetry.run.frames.frame import Frame
from assetry.run.inbox import Inbox
from assetry.run.intake import of_backfill, recordable, taken
from assetry.run.interrupts import Interrupts
from assetry.run.leases.heartbeat import Heartbeat
from assetry.run.leases.lease import assets_of, take_lease
from assetry.run.leases.pools import Pools
from assetry.run.leases.shares import Shares
from assetry.run.leases.slots import Slots
from assetry.run.partition_keys import PartitionKeys
from assetry.run.recorder import Recorder
from assetry.run.result import RunRequest, RunResult, RunServices, new_run
from assetry.run.retry import taken_up
from assetry.run.tracking.tracked import Interruption, Launch, no_event
from assetry.run.tracking.tracker import Tracker
from assetry.types.events import (
    Checked,
    Event,
    Failed,
    Handle,
    InvocationStarted,
    JobOver,
    Log,
)
from assetry.types.invocations import Invocation
from assetry.types.leases import Lease
from assetry.types.protocols import Executor, RunningTask
from assetry.types.records import RunState

#: Seconds that tools have to stop after the run was cancelled, before the run is recorded without them.
PATIENCE = 30.0

#: The most events that are judged before they are written and told.
BATCH = 1000

_CANCEL, _LOST = "cancel", "lost"


def execute(
    plan: Plan,
    graph: AssetGraph,
    services: RunServices,
    executor: Executor,
    request: RunRequest | None = None,
    frame: Frame | None = None,
) -> RunResult:
    """Carry out `plan` and return how it ended; within a `frame` as a part of the run that that is of.

    Raises `ConflictError` when another living run is building one of its assets, and `OutdatedPlanError`, which is one,
    when the plan does not fit any more once they are leased. A failed asset is an outcome, not
    an exception; Ctrl-C ends with the state ``cancelled``. When the store or `on_event` raises, the tools are stopped,
    what they had done is recorded as far as that can be, the run ends as ``interrupted``, and the exception goes on.
    So it is when the run loses its lease (`LeaseLostError`), but that nothing more is recorded of it.
    """
    request = request or RunRequest()
    if frame is None:
        info = replace(new_run(assets_of(plan), request.options, request.run_id), priority=request.priority)
        frame = Frame(services, graph, info, request.on_event)
    run = _Run(plan, graph, services, executor, request, frame)
    with run.interrupts.listening(request.listen):
        return run.carry_out()


class _Run:
    """One run under way."""

    _lease: Lease
    _recorder: Recorder

    def __init__(
        self,
        plan: Plan,
        graph: AssetGraph,
        services: RunServices,
        executor: Executor,
        request: RunRequest,
        frame: Frame,
    ) -> None:
        self._plan = plan
        self._graph = graph
        self._services = services
        self._executor = executor
        self._request = request
        self._frame = frame
        self._tracker = Tracker(plan, graph)
        find, secret = graph.__getitem__, services.plugins.secret
        add = PartitionKeys(services.store, lambda: self._lease).add
        self._facts = RunFacts(frame.info.id, request.options, services.values, find, secret=secret, add_partitions=add)
        self._inbox = Inbox()
        self._tasks: dict[str, RunningTask] = {}
        self._launched: dict[str, Call] = {}
        #: Second calls of invocations, which start in the next turn.
        self._second: list[tuple[str, InvocationTask]] = []
        #: Jobs that an earlier run has left behind, by group; the token of each is handed over once.
        self._resume = taken_up(request.resume, plan)
        shares = Shares(services.pools, services.held, services.values).of
        self._slots = Slots(min(executor.slots, request.at_once or executor.slots), shares, {**self._resume})
        self._pools = Pools(services.store, shares)
        #: What is recorded and has no end yet.
        self._telling: dict[str, Telling] = {}
        #: Whether anything was left out since what is left was collapsed, and whether that was in this turn.
        self._shrunk = self._planned_anew = False
        self.interrupts = Interrupts(partial(self._inbox.wake, _CANCEL))
        self._cancelled_at: float | None = None
        #: What is said of everything that has no end of its own, once the run was cancelled or has broken.
        self._break: Interruption | None = None

    # -- the loop ------------------------------------------------------------------------------------------------

    def carry_out(self) -> RunResult:
        store = self._services.store
        info, still = self._frame.info, self._request.still
        self._lease = take_lease(info, self._plan, self._graph, store, still, self._frame.let_go)
        with Heartbeat(store, self._lease, self._lose):
            return self._carry_out()

    def _carry_out(self) -> RunResult:
        try:
            self._frame.begin(self._lease)
            # Read after all is leased: what others made until then is known.
            self._recorder = Recorder.of(self._lease, self._graph, self._plan, self._services, self._frame.stage)
            self._frame.note_start(self._recorder, self._plan)
            self._turn()
            while not self._over():
                self._receive()
                self._turn()
            return self._finish()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            self._inbox.leave_open()
            self._frame.close()

    def _over(self) -> bool:
        if self._tracker.done:
            return True
        if self._cancelled_at is not None:
            return self.interrupts.count > 1 or time.monotonic() - self._cancelled_at > PATIENCE
        if not self._launched and self._pools.pause is None:
            raise RunError(
                "The run cannot go on: nothing is under way, and what is left waits for each other.",
                hint="This is a fault of assetry, or of an executor without slots; please report it with the plan.",
            )
        return False

    def _turn(self) -> None:
        """Decide what starts, write everything down, tell of it, and start."""
        if self.interrupts.count:
            self._cancel()
        self._planned_anew = False
        tasks, self._second = [*self._second, *self._launch()], []
        records = self._recorder.write(self._services.store)
        self._inbox.written()
        self._frame.tell(records)
        for id_, task in tasks:
            emit = partial(self._inbox.put, id_)
            try:
                self._tasks[id_] = self._executor.start(task, emit)
            except Exception as error:
                emit(error)  # that this one cannot be started says nothing of the others

    def _receive(self) -> None:
        """Wait for something to arrive, then judge all that has, or as much as one transaction should hold."""
        with suppress(Empty):
            self._judge(*self._inbox.get(timeout=self._pools.pause if self._cancelled_at is None else 0.5))
            for _ in range(BATCH):
                self._judge(*self._inbox.get_nowait())
        if self._pools.pause == 0:
            self._slots.ended()  # others may have let go of what is waited for

    def _judge(self, at: datetime, id_: str, event: object) -> None:
        if id_ == _CANCEL:
            self._cancel()
        elif isinstance(event, LeaseLostError) and id_ == _LOST:
            raise event
        elif id_ not in self._launched:
            pass  # the last words of a task that was given up
        elif isinstance(event, Event):
            launched = self._launched[id_]
            launched.heard = True
            plugins, pictures = self._services.plugins, self._services.pictures
            label, mask = plugins.label(launched.invocation.integration), plugins.secrets.mask
            for each in self._tracker.take(id_, taken(pictures.taken(event, mask), label, mask)):
                if isinstance(each, Handle):
                    launched.token = each.token
                self._note(at, each, launched.told)
        elif event is None or isinstance(event, BaseException):
            self._end(at, id_, event)
        else:
            self._note(at, no_event(event), self._launched[id_].told)

    def _note(self, at: datetime, event: Event, told: str) -> None:
        if (isinstance(event, Failed) or (isinstance(event, Checked) and event.stops)) and told in self._telling:
            self._telling[told].failed = True
        self._recorder.note(at, of_backfill(event, self._frame.info.backfill), told)

    def _end(self, at: datetime, id_: str, error: BaseException | None, given_up: bool = False) -> None:
        """Take the end of an invocation's stream, or of our patience with it."""
        launched = self._launched[id_]
        self._tasks.pop(id_, None)
        if isinstance(error, JobOverError) and self._go_on_without_job(at, id_, error):
            return
        del self._launched[id_]
        self._pools.end(id_)
        # It was called off before its tool looked at the job of the earlier run: that goes on.
        given_up = given_up or (self._break is not None and launched.resume is not None and not launched.heard)
        invocation, telling = launched.invocation, self._telling[launched.told]
        self._slots.ended()
        problem = self._break or (None if error is None else problem_of(self._services.plugins, invocation, error))
        for event in self._tracker.end(id_, problem):
            self._note(at, event, launched.told)
        if error is not None or given_up:
            telling.broken = telling.broken or problem
        telling.failed = telling.failed or error is not None
        telling.end_call(time.monotonic() - launched.started)
        self._tell_end(at, launched.told)

    def _tell_end(self, at: datetime, told: str) -> None:
        """Record the end of an invocation, once all its calls have ended."""
        if told not in self._telling or not self._tracker.over(told):
            return
        telling = self._telling.pop(told)
        self._recorder.note(at, telling.end(time.monotonic(), self._break is not None), told)

    def _tell_ends(self) -> None:
        for told in tuple(self._telling):
            self._tell_end(_now(), told)

    def _go_on_without_job(self, at: datetime, id_: str, error: JobOverError) -> bool:
        """Forget the job of an invocation; where it was one of an earlier run call once more, and return True.

        The second call has no token: if its own job is over before its time, the invocation is broken.
        """
        launched = self._launched[id_]
        resume, launched.resume = launched.resume, None
        if launched.token is not None:
            self._recorder.note(at, JobOver(launched.token), launched.told)
            launched.token = None
        if resume is None or self._break is not None:
            return False
        again = self._tracker.again(id_)
        for event in again.events:
            self._note(at, event, launched.told)
        if again.invocation is None:
            return False
        launched.invocation = again.invocation
        said = recordable(error.message, self._services.plugins.secrets.mask)
        self._recorder.note(at, Log(f"{said} What is left is started anew.", "warning"), launched.told)
        self._second.append((id_, self._task(id_, again.invocation, None)))
        return True

    # -- starting ------------------------------------------------------------------------------------------------

    def _launch(self) -> list[tuple[str, InvocationTask]]:
        """Choose what starts now, and note it: the intent is written before the deed."""
        tasks: list[tuple[str, InvocationTask]] = []
        # What was skipped may have made others ready, and one that was called may be called for more.
        while self._cancelled_at is None and (chosen := self._choose()):
            for planned in chosen:
                size = telling.size if (telling := self._telling.get(planned.id)) else 1
                launch, now = self._tracker.launch(planned.id, size), _now()
                for event in launch.events:
                    self._recorder.note(now, event, launch.told)
                if launch.invocation is None:
                    self._pools.let_go(planned.id)
                    self._slots.ended()  # it stands in the way of none
                    self._tell_end(now, launch.told)
                else:
                    self._pools.start(planned.id, launch.id)
                    tasks.append((launch.id, self._prepare(launch, launch.invocation, now)))
        return tasks

    def _cut(self) -> None:
        """Leave out what does not have to be made, because all that it is made from came out as before."""
        now = _now()
        cut = self._tracker.cut(lambda key, part: self._recorder.is_unchanged(key, part, now), self._resume)
        for id_, events in cut:
            for event in events:
                self._recorder.note(now, event, id_)
            self._tell_end(now, id_)
        if cut:
            self._slots.ended()
            self._shrunk = True

    def _replan(self) -> bool:
        """Collapse what is left once more, where something was left out since the last time; tell whether it changed.

        It is done when a tool is to be called: what is left out until then is seen together.
        """
        if not self._shrunk or self._planned_anew:
            return False
        self._shrunk, self._planned_anew = False, True
        plan = self._tracker.replan(self._resume)
        if plan is None:
            return False
        told = f"{plan.count} invocation{'' if plan.count == 1 else 's'}"
        self._recorder.note(_now(), Log(f"What is left is collapsed anew, into {told}."))
        self._tell_ends()
        self._slots.ended()
        return True

    def _choose(self) -> list[Invocation]:
        """Return what may start now, and has its slots; tell of what has to wait for those of other runs."""
        self._cut()
        under_way = [each.invocation for each in self._launched.values()]
        while True:
            chosen = self._slots.among(self._tracker.ready(), under_way)
            if any(each.group is not None and each.group.counted for each in chosen) and self._replan():
                chosen = self._slots.among(self._tracker.ready(), under_way)
            taken = self._pools.take(self._lease, chosen, lambda: {each.id for each in self._tracker.ready()})
            self._slots.refused(taken.full)
            for id_, event in taken.waits:
                self._recorder.note(_now(), event, id_)
            if taken.granted or not chosen:
                return taken.granted

    def _prepare(self, launch: Launch, invocation: Invocation, now: datetime) -> InvocationTask:
        key = invocation.group.key if invocation.group else None
        left = self._resume.get(key) if key else None
        resume = self._resume.pop(key).token if key and left is not None and left.is_of(invocation) else None
        self._launched[launch.id] = Call(invocation, launch.told, time.monotonic(), resume, resume)
        if launch.told not in self._telling:
            self._telling[launch.told] = Telling(time.monotonic())
            command = None
            with suppress(AssetryError):  # it is only shown; what is really wrong shows when the invocation runs
                command = self._services.plugins.invocation_command(invocation)
            keys = tuple(asset.key for asset in invocation.assets)
            started = InvocationStarted(invocation.integration.kind, keys, key, command, launch.partitions)
            self._recorder.note(now, started, launch.told)
        self._recorder.begin(now, invocation)
        if resume is not None:
            # This run answers for the job from now on, also when it is killed before the tool has said a word.
            self._recorder.note(now, Handle(resume), launch.told)
        return self._task(launch.id, invocation, resume)

    def _task(self, id_: str, invocation: Invocation, resume: str | None) -> InvocationTask:
        context = Context(self._facts, partial(self._inbox.put, id_), resume)
        return InvocationTask(invocation, self._services.plugins, context, self._services.values)

    # -- ending --------------------------------------------------------------------------------------------------

    def _cancel(self) -> None:
        if self._cancelled_at is not None:
            return
        self._cancelled_at = time.monotonic()
        rest = "the run was cancelled"
        self._break = Interruption(
            "The run was cancelled before it was finished.", "Finish it with `assetry retry`.", rest
        )
        for event in self._tracker.abandon(rest):
            self._recorder.note(_now(), event)
        self._tell_ends()
        second, self._second = self._second, []
        for id_, _ in second:
            self._end(_now(), id_, None)
        for task in tuple(self._tasks.values()):
            task.cancel()

    def _lose(self, error: LeaseLostError) -> None:
        """Learn, on another thread, that the run has its lease no more: another run may make what it makes."""
        self._inbox.wake(_LOST, error)

    def _give_up(self, error: BaseException) -> None:
        """Stop everything because the run itself broke; record what can still be recorded."""
        if self._frame.ended:
            return
        said = f"{error.message if isinstance(error, AssetryError) else type(error).__name__}".rstrip(".")
        said = recordable(said, self._services.plugins.secrets.mask)
        rest = "the run broke off"
        self._break = Interruption(f"The run broke off: {said}.", "Finish it with `assetry retry`.", rest)
        self._stop_tools()
        if not isinstance(error, LeaseLostError):
            self._record_the_end(rest)
        self._frame.break_off(self._lease)

    def _record_the_end(self, rest: str) -> None:
        with suppress(Exception):  # the store may be what broke; the first error is the one to tell
            for event in self._tracker.abandon(rest):
                self._recorder.note(_now(), event)
            self._tell_ends()
            self._end_all()
            self._frame.note_break(self._recorder)
            self._recorder.write(self._services.store)

    def _stop_tools(self) -> None:
        """Ask everything that runs to stop, and wait for it, but not against a person's will."""
        interrupts, deadline = self.interrupts.count, time.monotonic() + PATIENCE
        for task in tuple(self._tasks.values()):
            task.cancel()
        # Only now: what waits for its token to be written must see that it was cancelled before it goes on.
        self._inbox.leave_open()
        for task in tuple(self._tasks.values()):
            while not task.join(0.1) and self.interrupts.count == interrupts and time.monotonic() < deadline:
                pass

    def _end_all(self) -> None:
        """Judge what has arrived until now, then end what has not ended."""
        with suppress(Empty):
            while self._launched:
                self._judge(*self._inbox.get_nowait())
        for id_ in tuple(self._launched):
            self._end(_now(), id_, None, given_up=True)

    def _finish(self) -> RunResult:
        self._inbox.leave_open()
        self._end_all()
        state: RunState = "failed" if self._recorder.failed else "succeeded"
        if self._cancelled_at is not None:
            state = "cancelled"
        info = self._frame.end(self._recorder, state, self._lease)
        recorder = self._recorder
        return RunResult(info, dict(recorder.counts), dict(recorder.outcomes), tuple(recorder.problems))


def _now() -> datetime:
    return datetime.now(UTC)
