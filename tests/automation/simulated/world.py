"""A world in one thread: machines, processes that die, clocks that are wrong, a store that all of them share.

All that decides, plans, leases, runs and records is the real thing, with SQLite. What is not is what the system does
for a process: its identity, its clock, its tool, and that others go on while it waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any, ClassVar
from unittest.mock import patch

import assetry_automation.kept as kept
from assetry import Project
from assetry.plugin import (
    Asset,
    Event,
    Failed,
    Invocation,
    InvocationGroup,
    Lease,
    LeaseLostError,
    Materialized,
    Observed,
    Process,
    RunContext,
    Started,
    Store,
    Task,
    hookimpl,
)
from assetry.store.leases import runs
from assetry.store.sqlite import SQLiteStore
from assetry.testing import Clock

from tests.automation.simulated.shop import Place, Shop

MONDAY = datetime(2026, 1, 5, 7, tzinfo=UTC)
#: How long a run on another machine may give no sign of life, and how often it gives one.
LEASE, BEAT = timedelta(minutes=10), timedelta(minutes=3)
#: How long what is asked of a store takes: no two records are of the same moment.
MOMENT = timedelta(milliseconds=1)


class Killed(BaseException):
    """What ends a process in the middle of anything."""


class Violation(BaseException):
    """What must never happen; it ends the world, whoever catches exceptions in it."""


@dataclass
class Actor:
    """A process on a machine, which may die before one of its next calls of the store."""

    machine: str
    pid: int
    dies_at: int | None = None
    dead: bool = False
    calls: int = 0
    leases: dict[str, Lease] = field(default_factory=dict)

    @property
    def process(self) -> Process:
        return Process(self.pid, self.machine, "boot", "space", str(self.pid))


class Mill:
    """The plugin of the world: its store and executor, and the tool that makes all of its assets."""

    ASSETRY_SCHEMES: ClassVar = {"store": ("world",), "executor": ("world",)}
    ASSETRY_KINDS: ClassVar[Any] = {"mill": {}}

    world: World

    @hookimpl
    def assetry_open_store(self, url: str) -> Any:
        return Seen(self.world, self.world.actor) if url.startswith("world:") else None

    @hookimpl
    def assetry_open_executor(self, url: str) -> Any:
        return Inline() if url.startswith("world:") else None

    @hookimpl
    def assetry_load_assets(self, integration: Any, context: Any) -> Any:
        return []

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup | None:
        return InvocationGroup("mill", partitions="range", limit=50) if self.world.shop.grouped else None

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        for asset in invocation.assets:
            for partition in invocation.partitions_of(asset) or (None,):
                yield Started(asset.key, partition)
                yield from self.world.work((str(asset.key), partition), context.run_id)

    @hookimpl
    def assetry_observe(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        for asset in invocation.assets:
            if not asset.executable:
                yield Observed(asset.key, data_version=str(self.world.shop.loads[str(asset.key)]))


class Inline:
    """An executor that has done a task when it returns."""

    slots = 1

    def start(self, task: Task, emit: Callable[[Event | BaseException | None], None]) -> Ended:
        try:
            for event in task.stream():
                emit(event)
        except Exception as error:
            emit(error)
        else:
            emit(None)
        return Ended()

    def close(self) -> None:
        """Have nothing to close."""


class Ended:
    """A task that has ended."""

    def cancel(self) -> None:
        """Come too late."""

    def join(self, timeout: float | None = None) -> bool:
        return True


class Seen:
    """The store as one process sees it: each call takes a moment, and may be the last thing it does."""

    def __init__(self, world: World, actor: Actor) -> None:
        self._world, self._actor = world, actor

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._world.store, name)
        return partial(self._call, name, found) if callable(found) and name != "close" else found

    def close(self) -> None:
        """Leave it open: it is everybody's."""

    def _call(self, name: str, work: Callable[..., Any], *given: Any, **more: Any) -> Any:
        actor = self._actor
        actor.calls += 1
        if actor.dead or actor.calls == actor.dies_at:
            actor.dead = True
            raise Killed
        self._world.pass_time(MOMENT)
        found = work(*given, **more)
        if name == "append":
            self._world.check_written(more.get("lease"), given, more)
        lease = found if isinstance(found, Lease) else getattr(found, "lease", None)
        if isinstance(lease, Lease):
            actor.leases[lease.run] = lease
        elif name == "finish":
            actor.leases.pop(given[0], None)
        return found


_MILL = Mill()
_LOADED: list[Any] = []


class World:
    """All that there is: machines, the time, the shop, and what is wrong for now."""

    def __init__(self, random: Random, shop: Shop, clock: Clock) -> None:
        self.random, self.shop, self.clock = random, shop, clock
        self.true = clock.now
        self.store: Store = SQLiteStore(":memory:", lease=LEASE)
        self.skews = {"one": timedelta(0), "two": timedelta(0)}
        self.version = 1
        self.broken = False
        #: How often something goes wrong, of what tools do and of what befalls processes.
        self.faults = 0.0
        #: What is being made, by which run; and what a tool said that it made, and did not.
        self.making: dict[Place, str] = {}
        self.lies: set[Place] = set()
        self.edited: set[str] = set()
        self.builds: list[Place] = []
        self.failures = 0
        self.log: list[str] = []
        self.nested: Callable[[], None] = lambda: None
        self._pids = 0
        self._actors: list[Actor] = []
        self._living: dict[Process, Actor] = {}
        self._silent = False

    # -- processes ---------------------------------------------------------------------------------------------------

    @property
    def actor(self) -> Actor:
        return self._actors[-1]

    def new(self, machine: str) -> Actor:
        """Start a process."""
        self._pids += 1
        actor = Actor(machine, self._pids)
        if self.random.random() < self.faults / 4:
            actor.dies_at = self.random.randint(1, 60)
        self._living[actor.process] = actor
        return actor

    def end(self, actor: Actor) -> None:
        """End a process, also one that is dead already."""
        actor.dead = True
        self._living.pop(actor.process, None)

    @contextmanager
    def acting(self, actor: Actor) -> Iterator[None]:
        """Let a process be the one that acts, with the clock of its machine."""
        self._actors.append(actor)
        self.pass_time(MOMENT)
        try:
            yield
        finally:
            self._actors.pop()
            self.pass_time(MOMENT)

    def _is_alive(self, process: Process) -> bool | None:
        there = self._actors[-1].machine if self._actors else "one"
        return process in self._living if process.host == there else None

    def pass_time(self, span: timedelta) -> None:
        self.true += span
        self.clock.set(self.true + (self.skews[self.actor.machine] if self._actors else timedelta(0)))

    def note(self, text: str) -> None:
        self.log.append(f"{self.true:%d %H:%M:%S} {text}")

    def project(self) -> Project:
        """Load the definitions as they are."""
        return Project(
            assets=self.shop.assets(), plugins=_LOADED[0], store="world::memory:", executor="world:", io="memory:"
        )

    # -- tools -------------------------------------------------------------------------------------------------------

    def work(self, place: Place, run: str) -> Iterator[Event]:
        """Make a place, for as long as that takes; go wrong from time to time."""
        self._check_alone(place, run)
        self.making[place] = run
        self.builds.append(place)
        # It reads what is there when it begins, and writes at its end.
        content, actor = self.shop.of(place), self.actor
        misled = any(name in self.shop.things[place[0]].deps for name, _ in self.lies)
        wrong = (
            self.random.choice(("fails", "dies", "forgets", "lies", "killed", "killed late"))
            if self._is_wrong()
            else ""
        )
        self.note(f"pid {actor.pid} makes {place} in {run} {wrong}")
        try:
            self._take_time(self.shop.things[place[0]].took)
        finally:
            if self.making.get(place) == run:
                del self.making[place]
        if wrong == "killed":
            self.end(actor)
            raise Killed
        if wrong in ("fails", "dies"):
            self.failures += 1
            if wrong == "dies":
                raise RuntimeError("the tool is gone")
            yield Failed(place[0], "it does not work")
            return
        told = self.store.run(run)
        # Nothing keeps the tool of a process that was taken for gone from writing: that is told, and not recorded.
        late = told is None or told.state != "running"
        if wrong == "lies" or misled or late:
            self.lies.add(place)  # also what is made from a lie, of which no record tells
        else:
            self.lies.discard(place)
        if wrong != "lies":
            self.shop.content[place] = content
        if wrong == "killed late":
            self.end(actor)  # what it has made is there, and recorded nowhere
            raise Killed
        if wrong == "forgets":
            self.failures += 1
            return
        yield Materialized(place[0], place[1], data_version=content)

    def _is_wrong(self) -> bool:
        return self.random.random() < self.faults / 3

    def _take_time(self, span: timedelta) -> None:
        actor = self.actor
        silent = self._is_wrong()  # it is alive, and its signs of life do not come through
        if silent:
            span += 2 * LEASE
        while span > timedelta(0):
            self.pass_time(min(span, BEAT))
            span -= BEAT
            if not silent:
                self._beat(actor)
            if self.faults and len(self._actors) < 5 and self.random.random() < 0.3:
                self.nested()

    def _beat(self, actor: Actor) -> None:
        for run, lease in [*actor.leases.items()]:
            try:
                self.store.renew(lease)
            except LeaseLostError:
                actor.leases.pop(run)  # what it writes next is refused

    # -- what has to hold at each step -------------------------------------------------------------------------------

    def _check_alone(self, place: Place, run: str) -> None:
        other = self.making.get(place)
        if other is not None and other != run:
            living = {each.id for each in self.store.runs(running=True)}
            # Who writes without a lease is found out when that is refused; here it is who was given one.
            if other in living and run in living:
                raise Violation(f"{place} is made by {run}, while {other} lives and makes it")

    def check_written(self, lease: Lease | None, given: Any, more: Any) -> None:
        """Check that what is made is written by a run that has its lease."""
        made = [*(given[1] if len(given) > 1 else more.get("materializations", ()))]
        if made and all(each.code_version is not None for each in made):
            run = None if lease is None else self.store.run(lease.run)
            if run is None or run.state != "running":
                raise Violation(f"something was recorded as made by {run}, with {lease}")


@contextmanager
def world_of(random: Random, shop: Shop) -> Iterator[World]:
    """Give a world with a shop; processes are what it says, as long as it is there."""
    with ExitStack() as ending:
        clock = ending.enter_context(Clock(MONDAY, stopped=True))
        world = World(random, shop, clock)
        _MILL.world = world
        for module in (runs, kept):
            ending.enter_context(patch.object(module, "process_of", lambda _pid: world.actor.process))
            ending.enter_context(patch.object(module, "is_alive", world._is_alive))
        if not _LOADED:
            ending.enter_context(patch.dict("os.environ", {"ASSETRY_PLUGINS": ""}))
            _LOADED.append(Project(plugins=[_MILL]).plugins)
        yield world
