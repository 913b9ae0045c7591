"""A simulation: the decisions of days to come, made one after the other on a copy of the records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any

from assetry import Project, Rehearsal, RehearsedRun
from assetry.plugin import AssetKey, ConflictError, Freshness, Next, Observed, Status

from assetry_automation.decision.memory import Memory
from assetry_automation.decision.schedule import Decision
from assetry_automation.decision.settings import Job
from assetry_automation.jobs import settings_of
from assetry_automation.kept import memory_of
from assetry_automation.looking import OPTION, Look, look_on
from assetry_automation.simulation.assumptions import ASSUMED, Assumptions, middle, pace
from assetry_automation.simulation.clocks import CronCount, cron_count

#: So many of the last runs are looked at for when new data came of what is made elsewhere.
_RUNS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """One invocation of a simulation: when it began and was over, in which run, what it made and why.

    `row` is what it is drawn as: the key of its group, or its asset. `partitions` counts those that it made.
    """

    run: str
    row: str
    began: datetime
    ended: datetime
    keys: tuple[AssetKey, ...]
    because: str
    tool: bool = False
    partitions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A deadline by which the data of an asset was not as new as it was to be; `met` is when it was, None for never."""

    key: AssetKey
    deadline: datetime
    met: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What would happen between two moments.

    `next` is what each asset waits for at the end, `assumptions` what was taken for granted, and `crons` how much
    schedules by the clock would start for data as new. `looks` counts how often was decided.
    """

    since: datetime
    until: datetime
    invocations: tuple[Simulated, ...]
    missed: tuple[Missed, ...]
    next: Mapping[AssetKey, Next]
    assumptions: Assumptions
    crons: CronCount
    looks: int = 0

    def per_week(self, count: int) -> float:
        """Return how many that is a week, of so many in all of the time."""
        return count * (timedelta(weeks=1) / (self.until - self.since))


def simulate(
    project: Project,
    since: datetime,
    until: datetime,
    *,
    assumed: timedelta = ASSUMED,
    arrivals: timedelta | None = None,
    on_look: Callable[[datetime], None] = lambda _: None,
) -> Simulation:
    """Return what automation would start of a project between two moments, with which deadlines it would miss.

    It decides as the daemon does, on a copy of the records: nothing is run, and nothing of the project changes. Each
    asset takes as long as in the middle of its records, `assumed` where there are none, comes out with new content,
    and never fails. Of what nothing here makes new data comes as far apart as records tell, or as `arrivals`.
    `on_look` is given each moment at which is decided, as they come.
    """
    graph = project.graph
    took = middle(project.store.durations(graph.keys))
    comes = {} if arrivals is None else {asset.key: arrivals for asset in graph.assets if not asset.executable}
    comes = {key: span for key, span in {**_paces(project), **comes}.items() if not graph[key].deps}
    assumptions = Assumptions(took=took, assumed=assumed, arrivals=comes)
    machine = _Machine(project, since, until, assumptions, on_look)
    machine.run()
    crons = cron_count(machine.rehearsal.project, since, until, assumptions, settings_of(project).jobs)
    return machine.simulation(crons)


def _paces(project: Project) -> dict[AssetKey, timedelta]:
    """Return how far apart new data came, as records tell, of what nothing here makes."""
    seen: dict[AssetKey, list[datetime]] = {}
    outside = {asset.key for asset in project.graph.assets if not asset.executable and not asset.deps}
    for run in reversed(project.store.runs(_RUNS)) if outside else ():
        new = set[AssetKey]()  # what came of several partitions at a time came once
        for record in project.store.events(run.id):
            event = record.event
            if isinstance(event, Observed) and event.data_version is not None and event.key in outside - new:
                new.add(event.key)
                seen.setdefault(event.key, []).append(record.at)
    return {key: span for key, moments in seen.items() if (span := pace(sorted(moments))) is not None}


@dataclass(slots=True)
class _Way:
    """A run of the simulation, with the invocations that have not begun, and those that have not ended."""

    run: RehearsedRun
    id: str
    left: list[Any]
    open: set[str] = field(default_factory=set)
    under_way: int = 0


class _Machine:
    """One machine with one daemon, whose clock goes from one thing that happens to the next."""

    def __init__(
        self,
        project: Project,
        since: datetime,
        until: datetime,
        assumptions: Assumptions,
        on_look: Callable[[datetime], None],
    ) -> None:
        self._on_look = on_look
        self.rehearsal = Rehearsal(project, since)
        self._project = self.rehearsal.project
        self._assumptions = assumptions
        self._since, self._until = since, until
        self._memory: Memory = memory_of(project.store)
        self._events: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._ways: list[_Way] = []
        self._waiting: list[Job] = []
        self._numbers = count(1)
        executor = project.plugins.open_executor(project.settings.executor)
        self._slots = executor.slots
        executor.close()
        self._deadlines: dict[AssetKey, Freshness] = {}
        #: By asset and deadline: how it was before, and since when it is met.
        self._missed: dict[tuple[AssetKey, datetime], tuple[Freshness, datetime | None]] = {}
        self._made: list[Simulated] = []
        self._next: Mapping[AssetKey, Next] = {}
        self._looks = 0
        self._last: Look | None = None

    def run(self) -> None:
        """Let the time pass."""
        for key, span in self._assumptions.arrivals.items():
            self._at(self._since + span, partial(self._arrive, key, span))
        while True:
            wake = self._look()
            first = self._events[0][0] if self._events else None
            moments = [each for each in (wake, first) if each is not None]
            if not moments or min(moments) > self._until:
                break
            self.rehearsal.now = min(moments)
            while self._events and self._events[0][0] <= self.rehearsal.now:
                heappop(self._events)[2]()
            for way in self._ways:
                self._go_on(way)
        self.rehearsal.now = self._until
        self._judge_deadlines(self._project.judge(self._until).statuses)

    def simulation(self, crons: CronCount) -> Simulation:
        """Return what has happened."""
        missed = (
            Missed(key=key, deadline=at, met=met)
            for (key, at), (_, met) in sorted(self._missed.items(), key=lambda each: (each[0][1], each[0][0]))
        )
        return Simulation(
            since=self._since,
            until=self._until,
            invocations=tuple(sorted(self._made, key=lambda each: (each.began, each.row))),
            missed=tuple(missed),
            next=self._next,
            assumptions=self._assumptions,
            crons=crons,
            looks=self._looks,
        )

    def _at(self, moment: datetime, action: Callable[[], None]) -> None:
        heappush(self._events, (moment, next(self._order), action))

    def _arrive(self, key: AssetKey, span: timedelta) -> None:
        now = self.rehearsal.now
        self.rehearsal.see(key, f"simulated {now.isoformat()}")
        self._at(now + span, partial(self._arrive, key, span))

    # -- looking -----------------------------------------------------------------------------------------------------

    def _look(self) -> datetime | None:
        """Decide, and start what is to be started, until nothing is; return when to look again."""
        while True:
            now = self.rehearsal.now
            self._on_look(now)
            self._last = look_on(self._project, self._memory, now, before=self._last)
            decision, judged = self._last.decision, self._last.judged
            assert judged is not None, "it was not known how assets are"
            self._judge_deadlines(judged.statuses)
            self._looks += 1
            self._memory, self._next = decision.memory, decision.next
            if not self._start(decision):
                return decision.wake

    def _judge_deadlines(self, statuses: Sequence[Status]) -> None:
        """Take down which deadlines have passed since the last look; nothing has changed between the two."""
        now = self.rehearsal.now
        for status in statuses:
            before, fresh = self._deadlines.get(status.key), status.freshness
            if before is not None and before.deadline is not None and before.deadline < now and _is_too_old(before):
                self._missed.setdefault((status.key, before.deadline), (before, None))
            if fresh is not None:
                self._deadlines[status.key] = fresh
        for (key, deadline), (before, met) in self._missed.items():
            if met is None and _is_newer(self._deadlines[key], before):
                self._missed[key, deadline] = before, now

    # -- runs --------------------------------------------------------------------------------------------------------

    def _start(self, decision: Decision) -> bool:
        """Start what is decided; tell whether anything was."""
        jobs = [*self._waiting, *decision.jobs]
        if decision.wave is None and not jobs:
            return False
        self._memory = decision.started
        began = [self._begin_job(job) for job in jobs]
        if decision.wave is not None:
            plan = self._project.plan_due(decision.wave.wants, newer_than=decision.wave.newer_than)
            began.append(bool(self._begin(plan, {OPTION: True})))
        return any(began)

    def _begin_job(self, job: Job) -> bool:
        options = {"stale": job.stale, **({"partition": job.partitions} if job.partitions is not None else {})}
        began = self._begin(self._project.plan(job.select, **options), {})  # type: ignore[arg-type]
        waits = began is None
        self._waiting = [each for each in self._waiting if each is not job] + [job] * waits
        return bool(began)

    def _begin(self, plan: Any, options: Mapping[str, Any]) -> bool | None:
        """Begin to carry out a plan; return whether there was anything in it, None where others are making some."""
        if not plan.invocations:
            return False
        try:
            run = self.rehearsal.begin(plan, options)
        except ConflictError:
            return None
        left = list(plan.invocations)
        self._ways.append(_Way(run, f"run {next(self._numbers)}", left, {each.id for each in left}))
        self._go_on(self._ways[-1])
        return True

    def _go_on(self, way: _Way) -> None:
        """Start the invocations of a run for which all is there, and room in what they use."""
        for planned in list(way.left):
            room = way.under_way < self._slots and way.open.isdisjoint(planned.after)
            if room and way.run.start(planned):
                way.left.remove(planned)
                way.under_way += 1
                self._start_invocation(way, planned)

    def _start_invocation(self, way: _Way, planned: Any) -> None:
        now, invocation = self.rehearsal.now, planned.invocation
        times = self._assumptions.times(invocation, self._project.graph)
        ended = now + max((end for _, end in times.values()), default=timedelta(0))
        group, keys = invocation.group, tuple(asset.key for asset in invocation.assets)
        tool = group is not None and group.counted
        self._made.append(
            Simulated(
                run=way.id,
                row=group.key if tool else str(keys[0]) if keys else "checks",
                began=now,
                ended=ended,
                keys=keys,
                because=next(iter(planned.because.values()), ""),
                tool=tool,
                partitions=sum(map(len, planned.parts.values())),
            )
        )
        moments = {key: (now + begin, now + end) for key, (begin, end) in times.items()}
        self._at(ended, partial(self._end_invocation, way, planned, moments))

    def _end_invocation(self, way: _Way, planned: Any, times: Mapping[AssetKey, tuple[datetime, datetime]]) -> None:
        way.run.make(planned, times)
        way.under_way -= 1
        way.open.discard(planned.id)
        if not way.open:
            way.run.finish()
            self._ways.remove(way)


def _is_too_old(before: Freshness) -> bool:
    """Tell whether data was not as new as it was to be at a deadline."""
    return before.since is None or before.data_time is None or before.data_time < before.since


def _is_newer(fresh: Freshness, before: Freshness) -> bool:
    """Tell whether data is as new as it was to be at a deadline that was missed."""
    if before.since is not None:
        return fresh.data_time is not None and fresh.data_time >= before.since
    return fresh.deadline != before.deadline
