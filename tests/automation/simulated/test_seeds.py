"""Worlds drawn from seeds: whatever befalls them, nothing is made twice at once, and all comes to its rest in truth.

``ASSETRY_WORLDS=17-17`` tries one seed again, ``1-10000`` many (`make campaign`).
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from assetry.plugin import Status
from assetry_automation.decision.schedule import Decision
from assetry_automation.kept import memory_of
from assetry_automation.looking import look

from tests.automation.simulated.actors import Daemon, at_hand, observed, resumed
from tests.automation.simulated.shop import Shop, made
from tests.automation.simulated.world import MONDAY, World, world_of

FIRST, _, LAST = os.environ.get("ASSETRY_WORLDS", "1-300").partition("-")
SEEDS = range(int(FIRST), int(LAST or FIRST) + 1)
#: So many seeds are one test.
CHUNK = 25
#: So often a world that is left alone may be looked at before it rests.
MOST_TURNS = 120
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.mark.parametrize("first", SEEDS[::CHUNK])
@pytest.mark.parametrize("kind", ["plain", "timed", "rough"])
def test_worlds(kind: str, first: int) -> None:
    play: Any = {"plain": plain, "timed": timed, "rough": rough}[kind]
    for seed in SEEDS[first - SEEDS[0] : first - SEEDS[0] + CHUNK]:
        if seed % 3 != ["plain", "timed", "rough"].index(kind):
            continue
        random = Random(seed)
        shop = Shop.drawn(random, MONDAY, plain=kind == "plain")
        with world_of(random, shop) as world:
            try:
                play(world)
            except BaseException as error:
                error.add_note(f"seed {seed} (ASSETRY_WORLDS={seed}-{seed}), {kind}:\n" + "\n".join(told(world)))
                raise


def told(world: World) -> list[str]:
    return [*map(str, world.shop.things.values()), *world.log[-60:]]


# -- without faults ----------------------------------------------------------------------------------------------------


def plain(world: World) -> None:
    """After each change all is made that has to be, once, and nothing else."""
    daemon = Daemon(world, "one")
    for _ in range(4):
        before = made(world.store.latest())
        codes = {name: each.code for name, each in world.shop.things.items()}
        world.builds.clear()
        changed = change(world)
        world.note(f"changed {changed}")
        observed(world, "one")
        to_rest(world, [daemon])
        after = made(world.store.latest())
        counts = Counter(world.builds)
        assert max(counts.values(), default=0) <= 1, f"made more than once: {counts}"
        touched = {name for name in world.shop.things if {name, *world.shop.above(name)} & {*changed}}
        extra = {name for name, _ in world.builds} - touched
        assert not before or not extra, f"made, with nothing new above: {extra}"
        if before and not world.shop.grouped:
            check_minimal(world, codes, before, after, counts)
        check_truth(world)
        check_rest(world)
        world.pass_time(world.random.choice((10 * MINUTE, 7 * 60 * MINUTE)))


def check_minimal(world: World, codes: Any, before: Any, after: Any, counts: Any) -> None:
    """Check that nothing was made of which neither code nor any input came out otherwise."""
    for name, partition in counts:
        thing = world.shop.things[name]
        news = [each for each in after if each[0] in thing.deps and before.get(each) != after[each]]
        same = codes_before(world)[name] == thing.code
        assert news or not same or (name, partition) not in before, f"{name} {partition} was made from the same"


def codes_before(world: World) -> dict[str, int]:
    return {name: each.code - (name in world.edited) for name, each in world.shop.things.items()}


def change(world: World) -> list[str]:
    """Change something: what comes from outside, or a definition; return what."""
    world.edited = set()
    things = list(world.shop.things.values())
    chosen = world.random.sample(things, world.random.randint(1, 2))
    for each in chosen:
        if each.outside:
            world.shop.loads[each.name] += 1
        else:
            each.code += 1
            world.edited.add(each.name)
            world.version += 1
    return [each.name for each in chosen]


def timed(world: World) -> None:
    """In days without faults no deadline is missed."""
    daemon = Daemon(world, "one")
    known: dict[str, Any] = {}
    runs: list[tuple[datetime, datetime]] = []
    until = world.true + 2 * DAY
    changes = sorted(world.true + world.random.random() * 2 * DAY for _ in range(3))
    while world.true < until:
        check_deadlines(world, known, runs)
        began = world.true
        if daemon.turn():
            runs.append((began, world.true))
            continue
        following = [until, *changes, *([daemon.wake] if daemon.wake is not None else [])]
        at = max(min(following), world.true + timedelta(seconds=1))
        if changes and at >= changes[0]:
            changes.pop(0)
            change(world)
            observed(world, "one")
        if at > world.true:
            world.pass_time(at - world.true)
    to_rest(world, [daemon])
    check_truth(world)
    check_rest(world)


def check_deadlines(world: World, known: dict[str, Any], runs: list[tuple[datetime, datetime]]) -> None:
    """Check that what passed since the last look was met then."""
    with world.acting(world.new("one")), world.project() as project:
        for status in project.status():
            before, seen = known.get(status.key, (None, world.true))
            # A definition that has changed lets data count as older than it was: no deadline passes by that. And this
            # world has one run at a time: what is needed while it goes on waits for its end.
            late = before is not None and before.deadline is not None and seen <= before.deadline < world.true
            late = late and not any(began <= before.deadline <= ended for began, ended in runs)
            if late and status.freshness is not None and status.freshness.state == "overdue":
                raise AssertionError(f"{status.key} missed {before}, now {status.freshness}")
            if status.freshness is not None:
                known[status.key] = status.freshness, world.true


# -- with faults -------------------------------------------------------------------------------------------------------


def rough(world: World) -> None:
    """Processes die, clocks jump, tools lie: when that is over, all comes to its rest, and is true."""
    random = world.random
    daemons = [Daemon(world, "one"), Daemon(world, "two")]
    daemons[0].turn()  # what is missing of times before a policy is seen is not made
    world.faults = random.choice((0.1, 0.3, 0.6))
    world.nested = lambda: act(world, daemons)
    for _ in range(random.randint(4, 10)):
        happen(world)
        for _ in range(random.randint(1, 3)):
            act(world, daemons)
    world.faults, world.broken = 0.0, False
    world.skews = dict.fromkeys(world.skews, timedelta(0))
    world.note("all is well again")
    # Whoever died on another machine is seen to be gone, and a daemon there as well.
    world.pass_time(timedelta(hours=1))
    observed(world, "one")
    to_rest(world, daemons)
    resumed(world, "one")
    to_rest(world, daemons)
    check_truth(world)
    check_rest(world)


def happen(world: World) -> None:
    """Let something happen to the world."""
    random = world.random
    what = random.choice(("change", "change", "time", "time", "skew", "break"))
    if what == "change":
        world.note(f"changed {change(world)}")
    elif what == "time":
        world.pass_time(random.choice((MINUTE, 20 * MINUTE, 3 * 60 * MINUTE, DAY)))
    elif what == "skew":
        machine = random.choice(("one", "two"))
        off = random.randint(-5, 5) if random.random() < 0.8 else random.choice((-DAY, DAY)) // MINUTE
        world.skews[machine] = timedelta(minutes=off)
        world.note(f"the clock of {machine} is {world.skews[machine]} off")
    else:
        world.broken = random.random() < 0.5


def act(world: World, daemons: list[Daemon]) -> None:
    """Let somebody act."""
    random = world.random
    who = random.random()
    if who < 0.7:
        random.choice(daemons).turn()
    elif who < 0.85:
        names = [each.name for each in world.shop.things.values() if not each.outside]
        # What is being made is what two would make at once.
        names = [name for name, _ in world.making] or names
        if names:
            at_hand(world, random.choice(("one", "two")), random.choice(names), stale=random.random() < 0.5)
    else:
        observed(world, random.choice(("one", "two")))


# -- what has to hold in the end ---------------------------------------------------------------------------------------


def to_rest(world: World, daemons: list[Daemon]) -> None:
    """Go round until nothing is started, ahead of all that backs off or rests."""
    for _ in range(MOST_TURNS):
        started = [each.turn() for each in daemons]
        if any(started):
            continue
        decision = looked(world)
        due = {status.key for status in statuses(world) if is_due(status)}
        moments = [it.at for key, it in decision.next.items() if key in due and it.at is not None]
        # A wave that no daemon begins now: one pauses, or takes another one for living.
        later = [max(at, world.true + MINUTE) for at in moments]
        if not later:
            return
        world.pass_time(min(later) - world.true)
    raise AssertionError("it does not come to rest")


def looked(world: World) -> Decision:
    with world.acting(world.new("one")), world.project() as project:
        return look(project, memory_of(project.store), world.clock.now, str(world.version))


def statuses(world: World) -> tuple[Status, ...]:
    with world.acting(world.new("one")), world.project() as project:
        return project.status()


def is_due(status: Status) -> bool:
    """Tell whether something is to be made of an asset; one of time may have no partitions yet."""
    return status.is_due and (status.partitions is None or bool(status.partitions.due))


def check_truth(world: World) -> None:
    """Check that what is called fresh holds what it would hold, made anew."""
    with world.acting(world.new("one")), world.project() as project:
        for status in project.status():
            if status.status != "fresh":
                continue
            misled = any(name in world.shop.things[str(status.key)].deps for name, _ in world.lies)
            for place in world.shop.places(str(status.key)):
                if place not in world.lies and not misled:
                    assert world.shop.content[place] == world.shop.of(place), f"{place} is called fresh, and is not"


def check_rest(world: World) -> None:
    """Check that nothing is wanted, that of all that is left it is told why, and that no want starves."""
    decision = looked(world)
    assert decision.wave is None
    found = {str(each.key): each for each in statuses(world)}
    for name, thing in world.shop.things.items():
        status = found[name]
        if not is_due(status):
            continue
        told = decision.next.get(status.key)
        assert told is not None, f"nothing is told of {name}: {status}"
        assert told.because
        above = [world.shop.things[each] for each in world.shop.above(name)]
        if thing.eager and all(each.outside or each.eager for each in above):
            raise AssertionError(f"{name} starves: {status}, {told}")
