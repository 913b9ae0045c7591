"""One iteration: a scenario takes place, then all is mended by the commands that people have for it, and looked at."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.campaign.faults import LEASE
from tests.e2e.campaign.nursery import Child
from tests.e2e.campaign.scenarios import Deed, Round, Scenario
from tests.e2e.campaign.truth import (
    Tables,
    false_records,
    false_status,
    fresh_places,
    lost,
    overlaps,
    places,
    recorded_twice,
)
from tests.e2e.campaign.world import World

#: Seconds: what any command may take on a busy machine, what tools have to end after their run, and between two looks.
WAIT, LAST_WORDS, PACE = 150.0, 20.0, 0.005
#: What a command may end with that others, or faults, stand in the way of; and what says that it was asked too early,
#: or in the place of another one.
ALLOWED = {0, 1, 5, 130}
TOO_EARLY = re.compile(r"was never made|is still running|There is no run|does not exist|(is|are) of backfill")


class Play:
    """One round: commands start at their times, deeds are done at theirs, until all has ended."""

    def __init__(self, world: World, round_: Round, began: list[Child]) -> None:
        self._world, self._began = world, began
        self._start = time.monotonic()
        self._todo = sorted(enumerate(round_.commands), key=lambda each: each[1].delay)
        self._deeds = list(round_.deeds)
        self._children: dict[int, Child] = {}
        self._reached: dict[Deed, float] = {}
        self._later: list[tuple[float, Callable[[], None]]] = []

    def run(self) -> list[Child]:
        """Return the commands that did not come to an end in time."""
        while self._todo or self._later or self._open():
            now = time.monotonic()
            if now - self._start > WAIT:
                return self._open()
            self._start_commands(now)
            self._do_deeds(now)
            for each in [each for each in self._later if now >= each[0]]:
                self._later.remove(each)
                each[1]()
            self._world.nursery.look(PACE)
        return []

    def _open(self) -> list[Child]:
        return [each for each in self._children.values() if each.code is None]

    def _start_commands(self, now: float) -> None:
        while self._todo and now - self._start >= self._todo[0][1].delay:
            number, command = self._todo.pop(0)
            child = self._world.nursery.start(
                self._world.root, *command.words, faults=command.faults, host=command.host
            )
            self._children[number] = child
            self._began.append(child)

    def _do_deeds(self, now: float) -> None:
        for deed in tuple(self._deeds):
            target = self._children.get(deed.command)
            if target is None or (deed not in self._reached and _told(target) < deed.events and target.code is None):
                continue
            if now - self._reached.setdefault(deed, now) >= deed.seconds:
                self._deeds.remove(deed)
                undo = self._do(deed, target)
                if undo is not None:
                    self._later.append((now + deed.amount, undo))

    def _do(self, deed: Deed, target: Child) -> Callable[[], None] | None:
        """Do a deed; return what undoes it."""
        world = self._world
        if deed.kind == "disk":
            world.fill_disk()
            return world.free_disk
        if deed.kind == "clock":
            world.nursery.jump(deed.amount)
        elif deed.kind == "connector":
            world.kill_connector()
        elif deed.kind == "server":
            world.cut_connections()
        else:
            number = {"interrupt": signal.SIGINT, "stop": signal.SIGSTOP}.get(deed.kind, signal.SIGKILL)
            send(target, number, group=deed.kind == "kill_all")
            if deed.kind == "stop":
                return lambda: send(target, signal.SIGCONT)
        return None


@dataclass
class Iteration:
    """A scenario in a world, and what was found to be wrong; `counts` says how much befell whom."""

    world: World
    scenario: Scenario
    children: list[Child] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> list[str]:
        """Return the violations."""
        self.world.begin(made=self.scenario.made)
        steps: list[Callable[[], object]] = []
        for each in self.scenario.rounds:
            steps += [lambda each=each: self._play(each), self._settle, self._look]
        steps += [self._judge_ends, self._mend_backfills, self._mend_runs, self._compare, self._look_for_leftovers]
        for step in steps:
            step()
            if self.violations:
                break
        return self.violations

    def _play(self, round_: Round) -> None:
        self._tell_hangs(Play(self.world, round_, self.children).run())

    def _tell_hangs(self, children: Iterable[Child]) -> None:
        for child in children:
            send(child, signal.SIGUSR1)  # it tells where it stands
            self.world.nursery.look(1.0)
            self.violations.append(f"hangs: {child}: {child.err.read_text()[-3000:]}")
            send(child, signal.SIGKILL)

    # -- what must be then -------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Wait until nothing is under way, of the tools neither."""
        self.world.free_disk()
        if self.scenario.is_far_apart:
            self.world.nursery.jump(LEASE + 1.0)
        deadline = time.monotonic() + LAST_WORDS
        while (alive := self.world.nursery.alive()) and time.monotonic() < deadline:
            self.world.nursery.look(0.02)
        if alive:
            self.violations.append(f"left: processes {alive}")

    def _look(self) -> dict[str, Any]:
        """Ask for the status, and compare it with what is there."""
        told = self._call("status", "--output", "json")
        if told.code != 0:
            return {}
        status: dict[str, Any] = told.data()
        tables = Tables(self.world)
        self.violations += [*false_status(tables, status), *tables.odd]
        living = "select id, state from runs where state in ('running', 'queued')"
        for statement in ("select * from leases", "select * from slots", living):
            if left := self.world.store(statement):
                self.violations.append(f"left: {left} of {statement}")
        return status

    def _call(self, *words: str, well: bool = True) -> Child:
        """Run a command to its end, which must be well."""
        child = self.world.nursery.call(self.world.root, *words, seconds=WAIT)
        self.children.append(child)
        if child.code is None:
            self._tell_hangs([child])
        elif well and child.code != 0:
            self.violations.append(f"ends badly: {child}: {_messages(child)} {child.err.read_text()[-1500:]}")
        return child

    def _judge_ends(self) -> None:
        """Look at how the commands of the scenario have ended."""
        for child in self.children:
            said = child.err.read_text(errors="replace")
            self.counts["commands"] += 1
            self.counts["commands killed"] += child.code is not None and child.code < 0
            if "Traceback" in said or "fault of assetry" in said:
                self.violations.append(f"breaks: {child}: {said[-3000:]}")
            elif (child.code or 0) >= 0 and not (child.code in ALLOWED or (child.code == 2 and TOO_EARLY.search(said))):
                self.violations.append(f"ends oddly: {child}: {said[-1500:]}")
        for state, count in self.world.store("select state, count(*) from runs where number > 1 group by 1"):
            self.counts[f"runs {state}"] += count

    # -- what people do then -----------------------------------------------------------------------------------------

    def _mend_backfills(self) -> None:
        for id_, state in self.world.store("select id, state from backfills order by number"):
            if state in ("open", "failed", "cancelled"):
                self.counts["backfills resumed"] += 1
                self._call("backfill", "--resume", id_, "--output", "ndjson")

    def _mend_runs(self) -> None:
        """Retry what did not come to its end, then make what is out of date, after which nothing is left."""
        unwell = "select id from runs where state not in ('succeeded', 'queued') order by number"
        lacking = [id_ for (id_,) in self.world.store(unwell) if not self.violations and not self._retry(id_)]
        for _ in range(2):
            if not self.violations:
                self._make_the_rest()
        for id_ in lacking:
            if not self.violations and self._call("retry", id_, "--output", "ndjson").lines():
                self.violations.append(f"doubled: all is fresh, and a retry of {id_} makes something")

    def _retry(self, id_: str) -> bool:
        """Retry a run, which makes all that is left of it; return False where it lacks what nobody was asked for."""
        self.counts["runs retried"] += 1
        retried = self._call("retry", id_, "--output", "ndjson", well=False)
        if retried.code == 1 and TOO_EARLY.search(_messages(retried)):
            return False
        if retried.code != 0:
            self.violations.append(f"ends badly: {retried}: {_messages(retried)} {retried.err.read_text()[-1500:]}")
            return True
        self.violations += lost(self.world, self.children, id_)
        if self._call("retry", id_, "--output", "ndjson").lines():
            self.violations.append(f"doubled: a second {retried} makes something again")
        return True

    def _make_the_rest(self) -> None:
        """Make what is out of date: no more than that, and then all is fresh."""
        before, calls = fresh_places(self._look()), len(self.world.calls())
        if self.violations:
            return
        self._call("materialize", "--stale", "--output", "ndjson")
        self._settle()
        again = {(name, None if day == "-" else day) for _, name, day, *_ in self.world.calls()[calls:]}
        status = self._look()
        everything = set(places())
        if not self.violations and everything - fresh_places(status):
            self.violations.append(f"not fresh: {sorted(everything - fresh_places(status), key=str)}: {status}")
        if before == everything and again:
            self.violations.append(f"doubled: all was fresh, and {again} was made")

    # -- and all in all ----------------------------------------------------------------------------------------------

    def _compare(self) -> None:
        self.violations += overlaps(self.world)
        self.violations += false_records(self.world, self.children)
        if not self.scenario.makes_anew:
            self.violations += recorded_twice(self.world)

    def _look_for_leftovers(self) -> None:
        world = self.world
        if odd := {each for each in world.files() if each not in world.known_files and not each.endswith(".lock")}:
            self.violations.append(f"left: files {sorted(odd)}")
        for lock in world.root.rglob("*.lock"):
            with lock.open() as file, suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                continue
            self.violations.append(f"left: the lock {lock} is held")
        # Those of our own looks end a moment after they were closed.
        deadline, ask = (
            time.monotonic() + LAST_WORDS,
            "select pid, query from pg_stat_activity where datname = 'campaign'",
        )
        while (left := world.admin(ask)) and time.monotonic() < deadline:
            time.sleep(PACE)
        if left:
            self.violations.append(f"left: connections {left}")
        kept, there = str(world.state_of_visits()), Tables(world).marks["visits", None]
        if kept != there:
            self.violations.append(f"lost: visits go on from {kept}, and {there} is there")


def send(child: Child, number: int, *, group: bool = False) -> None:
    """Send a signal to a command, or to all that it has started, unless it has ended."""
    if child.code is None:
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(child.pid, number)


def _messages(child: Child) -> str:
    return "\n".join(str(line.get("message")) for line in child.lines() if line.get("event") == "failed")


def _told(child: Child) -> int:
    """Return how many lines a command has told."""
    return child.out.read_bytes().count(b"\n")
