"""Those who act in a world: daemons with their children, and people at the command line."""

from __future__ import annotations

from datetime import datetime, timedelta

from assetry import Project
from assetry.plugin import AssetryError
from assetry_automation.daemon.supervisor import AGAIN
from assetry_automation.decision.schedule import Decision
from assetry_automation.jobs import settings_of
from assetry_automation.kept import DaemonSign, change_memory, memory_of, revision_of, take_project
from assetry_automation.looking import Look, look, remembered, with_resumed
from assetry_automation.making import make_due

from tests.automation.simulated.world import Killed, World


class Daemon:
    """A daemon, which begins anew when it was killed. It goes round as `Supervisor` does."""

    def __init__(self, world: World, machine: str) -> None:
        self._world, self._machine = world, machine
        self._begin()

    def _begin(self) -> None:
        self._actor = self._world.new(self._machine)
        self._seen: str | None = None
        self.wake: datetime | None = None
        self._paused = self._world.true
        self._children = 0
        self._load = 0
        self._project: Project | None = None
        self._looked: Look | None = None

    def turn(self) -> bool:
        """Go round once; tell whether anything was started."""
        world = self._world
        try:
            with world.acting(self._actor):
                return self._turn()
        except Killed:
            world.note(f"daemon {self._actor.pid} is killed")
            world.end(self._actor)
            self._begin()
        return False

    def _turn(self) -> bool:
        world = self._world
        if (self._load != world.version and not world.broken) or self._project is None:
            # What it has loaded stays, as that of a worker does.
            self._load, self._seen, self._project = world.version, None, world.project()
        project, now = self._project, world.clock.now
        store = project.store
        if take_project(store, DaemonSign.own(now)) is not None:
            return False
        if world.broken or world.true < self._paused:
            return False
        revision = revision_of(store)
        if revision == self._seen and (self.wake is None or now < self.wake):
            return False
        whole = look(project, memory_of(store), now, str(self._load))
        self._looked = remembered(project, now, lambda each: each.memory, str(self._load), self._looked)
        decision = self._looked.decision
        assert decision == whole, "what goes on from the last look decides otherwise"
        self._seen, self.wake = revision, decision.wake
        self._check_told(decision)
        if decision.wave is None or self._children >= settings_of(project).max_runs:
            return False
        self._child()
        return True

    def _child(self) -> None:
        """Let a process of its own make what is due."""
        world = self._world
        child = world.new(self._machine)
        self._children += 1
        try:
            with world.acting(child), world.project() as project:
                for made in make_due(project, world.clock.now, load=str(world.version)):
                    world.note(f"{made.told}: {'ok' if made.ok else 'failed'} {made.run}")
        except Killed:
            world.note(f"child {child.pid} is killed")
        except AssetryError as error:
            world.note(f"child {child.pid} ends: {error.message}")
            self._paused = world.true + timedelta(seconds=AGAIN)
        finally:
            world.end(child)
            self._children -= 1
            self._seen = None

    def _check_told(self, decision: Decision) -> None:
        for key, told in decision.next.items():
            assert told.because, f"nothing is told of {key}"


def at_hand(world: World, machine: str, *selected: str, stale: bool = False) -> None:
    """Let a person make something by hand."""
    actor = world.new(machine)
    try:
        with world.acting(actor), world.project() as project:
            result = project.materialize(list(selected), stale=stale)
            world.note(f"by hand {selected}: {result.run.state}")
    except Killed:
        world.note(f"the command line {actor.pid} is killed")
    except AssetryError as error:
        world.note(f"by hand {selected}: {error.message}")
    finally:
        world.end(actor)


def observed(world: World, machine: str) -> None:
    """Let somebody look at what is made elsewhere."""
    actor = world.new(machine)
    names = [each.name for each in world.shop.things.values() if each.outside]
    try:
        if names:
            with world.acting(actor), world.project() as project:
                project.observe(names)
    except Killed:
        world.note(f"the look {actor.pid} is killed")
    except AssetryError as error:
        world.note(f"the look: {error.message}")
    finally:
        world.end(actor)


def resumed(world: World, machine: str) -> None:
    """Let a person let everything go on that is held."""
    actor = world.new(machine)
    try:
        with world.acting(actor), world.project() as project:
            now = world.clock.now
            change_memory(project.store, lambda memory: with_resumed(memory, project.graph.keys, now))
            world.note(f"resumed, with {len(memory_of(project.store).failures)} failures")
    except Killed:
        world.note(f"the command line {actor.pid} is killed")
    finally:
        world.end(actor)
