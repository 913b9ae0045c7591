"""What is started now, what is not and why, and when each asset is made next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from assetry.plugin import AssetGraph, AssetKey, Next, Parts, Reason

from assetry_automation.decision.batches import joint_start
from assetry_automation.decision.coming import JobTick, job_ticks, what_comes
from assetry_automation.decision.demands import Demands, ticks
from assetry_automation.decision.holds import Hold, holds_of, surge_of
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.settings import Job
from assetry_automation.decision.wants import Wants, opens
from assetry_automation.decision.world import NOTHING, World

#: So often what waits for any of its inputs is made from the same ones: the first run may have read older ones.
_ROUNDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """What is made together: partitions of assets, None for one without, with data `newer_than` some moments.

    `urgent` tells that a deadline asks for some of it.
    """

    wants: Mapping[AssetKey, Parts | None]
    urgent: bool = False
    newer_than: Mapping[AssetKey, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is decided at a moment: the `wave` and the `jobs` to start; what each asset waits for; when to look again.

    `memory` is what is to be remembered of the look, `started` what is once all of it is started; `ticks` says when
    each job ticks next.
    """

    wave: Wave | None = None
    next: Mapping[AssetKey, Next] = field(default_factory=dict)
    wake: datetime | None = None
    memory: Memory = field(default_factory=Memory)
    started: Memory = field(default_factory=Memory)
    jobs: tuple[Job, ...] = ()
    ticks: tuple[JobTick, ...] = ()


def decide(world: World, asked: Demands, memory: Memory) -> Decision:
    """Return what is started now, and when everything else is."""
    return _Schedule(world, asked, memory.learned(world)).decision()


class _Schedule:
    def __init__(self, world: World, asked: Demands, memory: Memory) -> None:
        self._world, self._asked = world, asked
        served = {**memory.served, **_served(world, asked)}
        self._memory = replace(memory, served=served)
        self._ticking = {key for key, tick in asked.ticking.items() if served.get(key) != tick}
        self._next: dict[AssetKey, Next] = {}
        #: What is wanted, and what of it may be started now.
        self._wanted: dict[AssetKey, Parts] = {}
        self._ready: dict[AssetKey, Parts] = {}
        #: What is out of date and not wanted, of what was asked for.
        self._idles: dict[AssetKey, Parts] = {}
        #: By asset, and code and root of a reason: what stays out of date for it. All that reads a view asks for it.
        self._stays: dict[tuple[AssetKey, str, AssetKey], Parts] = {}
        #: What will be another one soon, so that what is made from it waits.
        self._unready: dict[AssetKey, tuple[Parts, AssetKey]] = {}
        #: What is wanted and waits for something that is being made now.
        self._on_its_way: list[AssetKey] = []
        #: What is to be decided on, by number: what is wanted or runs, and what is made from something unready.
        self._open = bytearray()

    def decision(self) -> Decision:
        graph = self._world.graph
        wants = Wants(self._world, self._memory.known, self._asked.asking, self._ticking)
        own = {key: parts for key in self._world.all_due if (parts := wants.of(key))}
        # A dashboard, or a view, is not made itself: what it shows is.
        shown = {key: self._world.numbering.existing(key) for key in self._asked.asking if key not in own}
        self._wanted = self._with_lazy(own, shown)
        surge = surge_of(self._world, self._wanted, self._memory)
        self._open = _marked(graph, (*self._wanted, *self._world.all_running))
        at = self._open.find(1)
        while at >= 0:
            self._judge(graph.keys[at], surge)
            at = self._open.find(1, at + 1)
        self._wait_for_company()
        self._without_idle(own, shown)
        self._cut()
        since = {key: self._memory.wanted.get(key, self._world.now) for key in self._wanted}
        jobs = dict(self._due_jobs())
        memory = replace(self._memory, wanted=since)
        wave = self._wave()
        started = replace(memory, jobs={**memory.jobs, **{job.name: at for job, at in jobs.items()}})
        if wave is not None:
            started = started.started(self._world, wave.wants)
        told, due = self._next.keys(), {job.name for job in jobs}
        self._next |= dict(what_comes(self._world, self._asked, self._memory, wants.left, due, told))
        return Decision(
            wave=wave,
            next={**self._world.standing.by_hand, **self._next},
            wake=self._wake(),
            memory=memory,
            started=started,
            jobs=tuple(jobs),
            ticks=job_ticks(self._world),
        )

    def _due_jobs(self) -> Iterator[tuple[Job, datetime]]:
        """Yield the jobs whose clocks have ticked since they were run last, with that tick: missed ones are one."""
        for job in self._world.settings.jobs:
            before, _ = ticks(job.policy, self._world.now)
            if before is not None and before > self._memory.jobs[job.name]:
                yield job, before

    # -- what is wanted ----------------------------------------------------------------------------------------------

    def _with_lazy(self, own: Mapping[AssetKey, Parts], shown: Mapping[AssetKey, Parts]) -> dict[AssetKey, Parts]:
        """Return what is wanted, with what is out of date above it and is made when others need it."""
        found, lazy = dict(own), self._world.standing.lazy
        idle = [key for key in self._world.all_due if key in lazy and key not in own]
        reached = self._reach({**shown, **own}) if idle else {}
        for key in idle:
            if joined := reached.get(key, NOTHING) & self._world.due(key):
                found[key] = joined
        return found

    def _reach(self, wanted: Mapping[AssetKey, Parts]) -> dict[AssetKey, Parts]:
        """Return what is wanted with all that it is made from, whatever lies between."""
        graph, found = self._world.graph, dict(wanted)
        open_ = _marked(graph, wanted)
        at = open_.rfind(1)
        while at >= 0:
            key = graph.keys[at]
            parts = found[key]
            for j in graph.upstream[at] if parts else ():
                upper = graph.keys[j]
                above = self._world.up(key, upper, parts)
                found[upper] = found[upper] | above if upper in found else above
                open_[j] = 1
            at = open_.rfind(1, 0, at)
        return found

    def _without_idle(self, own: Mapping[AssetKey, Parts], shown: Mapping[AssetKey, Parts]) -> None:
        """Take out of what may be started what only others need that are not started now."""
        others = [key for key in self._ready if key not in own]
        if not others:
            return
        needed = self._reach({**shown, **{key: parts for key, parts in self._ready.items() if key in own}})
        for key in others:
            self._ready[key] &= needed.get(key, NOTHING)
            if not self._ready[key]:
                del self._ready[key]
                self._next[key] = Next("when", "it is made when what needs it is")

    # -- one asset ---------------------------------------------------------------------------------------------------

    def _judge(self, key: AssetKey, surge: Mapping[AssetKey, Hold]) -> None:
        """Decide on an asset; all above it are decided on."""
        running = self._world.running(key)
        wanted = self._wanted.get(key, NOTHING)
        if not (wanted or running or self._unready):
            return
        blocked, by = self._blocked(key)
        if running:
            self._next[key] = Next("running", "it is being made", on=key)
        if not wanted:
            if blocked and key in self._asked.asking and key not in self._next:
                self._next[key] = _told((), NOTHING, by)
            # What is made from it does not wait for what it is not made for.
            self._note_unready(key, running | self._passed(key, blocked), by or key)
            return
        helped = wanted & self._helped(key)
        if not helped:
            if key not in self._next:
                self._next[key] = self._unhelped(key)
            del self._wanted[key]
            self._note_unready(key, running, key)
            return
        held = holds_of(self._world, self._memory, key, helped)
        if key in surge:
            held = [*held, surge[key]]
        stopped = NOTHING
        for each in held:
            stopped |= each.parts
        ready = helped - blocked - stopped - running
        self._note_unready(key, (wanted - ready) | running, by or key)
        if ready:
            self._ready[key] = ready
        elif key not in self._next:
            self._next[key] = _told(held, helped, by)
        if not ready and by is not None and self._world.running(by):
            self._on_its_way.append(key)

    def _blocked(self, key: AssetKey) -> tuple[Parts, AssetKey | None]:
        """Return the partitions of an asset that are made from what will be another one soon, and which that is."""
        if not self._unready:
            return NOTHING, None
        policy = self._world.policies.get(key)
        if policy is not None and policy.waits_for == "any":
            return NOTHING, None
        found, by = NOTHING, None
        for upper in self._above(key):
            if upper not in self._unready:
                continue
            parts, root = self._unready[upper]
            below = self._world.down(key, upper, parts)
            if below:
                found, by = found | below, by or root
        return found, by

    def _passed(self, key: AssetKey, blocked: Parts) -> Parts:
        """Return what of an asset that is not wanted shows what is above it: all of what nothing makes."""
        asset = self._world.graph[key]
        return blocked if asset.computed_on_read or not asset.executable else NOTHING

    def _note_unready(self, key: AssetKey, parts: Parts, by: AssetKey) -> None:
        if parts:
            self._unready[key] = (parts, by)
            graph = self._world.graph
            for j in graph.downstream[graph.index(key)]:
                self._open[j] = 1

    def _helped(self, key: AssetKey) -> Parts:
        """Return the partitions that making would bring up to date: not those that lack what is not made now."""
        reasons = self._world.statuses[key].reasons
        found, spent = NOTHING, self._is_spent(key)
        for each in reasons:
            if self._helps(key, each.asset) and (not spent or each.is_of(key) or each.asset in self._ready):
                found |= self._world.parts(key, (each,)) - self._staying(key, each)
        if not reasons:
            found = self._world.due(key)
        never = self._world.all_missing
        for upper in self._above(key) if never else ():
            if upper in never:
                found -= self._world.down(key, upper, never[upper] - self._wanted.get(upper, NOTHING))
        return found

    def _is_spent(self, key: AssetKey) -> bool:
        """Tell whether an asset that waits for any of its inputs was made from these as they are, and is still due."""
        found = self._memory.rounds.get(key)
        return found is not None and found.times >= _ROUNDS

    def _staying(self, key: AssetKey, reason: Reason) -> Parts:
        """Return what of an asset stays out of date for a reason: something above has it, too, and is not made now."""
        asked = (key, reason.code, reason.asset)
        if asked in self._stays:
            return self._stays[asked]
        found = NOTHING
        for upper in self._above(key) if not reason.is_of(key) else ():
            idle, shows = self._idle(upper), self._shows(upper)
            for each in self._world.statuses[upper].reasons if idle or shows else ():
                if (each.code, each.asset) == (reason.code, reason.asset):
                    staying = self._staying(upper, each) if shows else self._world.parts(upper, (each,)) & idle
                    found |= self._world.down(key, upper, staying)
        self._stays[asked] = found
        return found

    def _idle(self, key: AssetKey) -> Parts:
        """Return what of an asset is out of date and not wanted; it was decided on."""
        if key not in self._idles:
            self._idles[key] = self._world.due(key) - self._wanted.get(key, NOTHING)
        return self._idles[key]

    def _shows(self, key: AssetKey) -> bool:
        """Tell whether an asset that is not wanted shows what is above it, and has nothing of its own."""
        if key in self._wanted:
            return False
        asset = self._world.graph[key]
        return asset.computed_on_read or not asset.executable

    def _above(self, key: AssetKey) -> tuple[AssetKey, ...]:
        return self._world.standing.above[key]

    def _helps(self, key: AssetKey, root: AssetKey) -> bool:
        return (
            root == key or root in self._wanted or not self._world.due(root) or not self._world.graph[root].executable
        )

    def _unhelped(self, key: AssetKey) -> Next:
        reasons = self._world.statuses[key].reasons
        if self._is_spent(key):
            upper = next(each.asset for each in reasons if not each.is_of(key))
            return Next("when", f"nothing that it reads is new since it was made; it waits for `{upper}`", on=upper)
        root = next((each.asset for each in reasons if not self._helps(key, each.asset)), None)
        root = root or next((each for each in self._above(key) if self._idle(each)), None)
        lacking = (each for each in self._above(key) if self._world.missing(each) and each not in self._wanted)
        missing = next(lacking, None) if root is None else None
        upper = root or missing or key
        policy = self._world.policies.get(upper)
        by_hand = policy is None or policy.when == "never"
        whose = "only people make that" if by_hand else f"that is made by its policy, {policy}"
        if by_hand and (
            jobs := [each.name for each in self._world.settings.jobs if upper in self._world.of_job(each.name)]
        ):
            whose = f"that is made by job {', '.join(jobs)}"
        told = f"it needs `{upper}`, which was never made" if missing else f"it is out of date from `{upper}`"
        return Next("when", f"{told}: {whose}", on=upper)

    # -- all together ------------------------------------------------------------------------------------------------

    def _wait_for_company(self) -> None:
        """Keep back what a tool is better started for together with what is on its way, unless a deadline asks."""
        groups, now = self._world.standing.groups, self._world.now
        if self._world.settings.batch != "auto" or not self._on_its_way:
            return
        coming = {groups[key] for key in self._on_its_way if key in groups}
        ready: dict[str, list[AssetKey]] = {}
        for key in self._ready:
            if groups.get(key) in coming:
                ready.setdefault(groups[key], []).append(key)
        kept: dict[AssetKey, Parts] = {}
        for group, keys in ready.items():
            if any(key in self._asked.asking or self._policy_batches(key) for key in keys):
                continue
            since = [self._memory.wanted.get(key, now) for key in keys]
            start = joint_start(since, timedelta(seconds=self._memory.overheads.get(group, 0.0)))
            if start > now:
                told = Next("at", "what its tool makes, too, is on its way: they are made together", at=start)
                self._next.update(dict.fromkeys(keys, told))
                kept |= {key: self._ready[key] for key in keys}
        self._keep_back(kept)

    def _policy_batches(self, key: AssetKey) -> bool:
        policy = self._world.policies.get(key)
        return policy is not None and policy.batched is not None

    def _cut(self) -> None:
        """Keep back what is more than one run makes: as it is still wanted then, the next one goes on with it."""
        room = self._world.settings.max_partitions_per_wave
        kept: dict[AssetKey, Parts] = {}
        for key, parts in self._ready.items():
            if key not in self._world.standing.parted:
                continue
            if len(parts) > room:
                kept[key] = parts - _first(parts, room)
                told = f"{len(kept[key]):,} partitions wait for the next run (max_partitions_per_wave)"
                self._next[key] = Next("queued", told)
            room -= min(len(parts), room)
        self._keep_back(kept)

    def _keep_back(self, kept: Mapping[AssetKey, Parts]) -> None:
        """Take partitions out of what may be started, with all that is made from them."""
        if not kept:
            return
        gone, graph = dict(kept), self._world.graph
        open_ = _marked(graph, kept)
        at = -1
        while (at := open_.find(1, at + 1)) >= 0:
            key = graph.keys[at]
            parts, by = gone.get(key, NOTHING), None
            for upper in self._above(key):
                if upper in gone and (below := self._world.down(key, upper, gone[upper])):
                    parts, by = parts | below, upper
            if not parts:
                continue
            gone[key] = parts
            for j in graph.downstream[at]:
                open_[j] = 1
            ready = self._ready.pop(key, NOTHING)
            if ready - parts:
                self._ready[key] = ready - parts
            elif ready and key not in kept:
                self._next[key] = Next("when", f"it waits for `{by}`", on=by)

    def _wave(self) -> Wave | None:
        if not self._ready:
            return None
        if self._world.under_way >= self._world.settings.max_runs:
            told = f"{self._world.under_way} of {self._world.settings.max_runs} runs are under way (max_runs)"
            self._next.update({key: Next("queued", told) for key in self._ready})
            return None
        self._next |= dict.fromkeys(self._ready, Next("at", "it is started now", at=self._world.now))
        parted = self._world.standing.parted
        wants = {key: parts if key in parted else None for key, parts in self._ready.items()}
        return Wave(wants=wants, newer_than=self._asked.newer_than, urgent=self._is_urgent())

    def _is_urgent(self) -> bool:
        """Tell whether a deadline asks for something that is started, or that is made from it."""
        graph = self._world.graph
        asking = [graph.index(key) for key in self._asked.asking if key not in self._asked.ticking]
        below = {graph.keys[i] for i in (*asking, *graph.ancestors(asking))} if asking else set()
        return any(key in below for key in self._ready)

    def _wake(self) -> datetime | None:
        """Return when something may be decided that is not decided now, if nothing happens until then."""
        now = self._world.now
        moments = [each.at for each in self._next.values() if each.at is not None]
        moments += [each.at for each in self._asked.coming.values()]
        moments += self._asked_again()
        moments += [ticks(job.policy, now)[1] for job in self._world.settings.jobs]
        moments += [opens(each, now) for each in self._world.standing.hours]
        for key in self._world.standing.parted:
            definition = self._world.numbering.definition(key) if key in self._world.policies else None
            changes = definition.changes_after(now) if definition is not None else None
            moments += [changes] if changes is not None else []
        return min((each for each in moments if each > now), default=None)

    def _asked_again(self) -> list[datetime]:
        """Return when deadlines ask for still newer data, where nothing is on its way to them: what they need is held.

        Otherwise the end of what is on its way lets all be looked at.
        """
        graph, again = self._world.graph, self._asked.again
        running = {graph.index(key) for key in self._world.all_running} if again else set()
        return [
            at
            for key, at in again.items()
            if not (running and running & {graph.index(key), *graph.ancestors([graph.index(key)])})
        ]


def _served(world: World, asked: Demands) -> dict[AssetKey, datetime]:
    """Return the ticks that are met: nothing is out of date any more for them."""
    return {key: tick for key, tick in asked.ticking.items() if not world.due(key) and not world.running(key)}


def _marked(graph: AssetGraph, keys: Iterable[AssetKey]) -> bytearray:
    """Return a mark for each asset of a graph, by number: whether it is one of some."""
    found = bytearray(len(graph))
    for key in keys:
        found[graph.index(key)] = 1
    return found


def _first(parts: Parts, count: int) -> Parts:
    """Return so many of some partitions, in their order: of time, the oldest."""
    found = []
    for strand, start, stop in parts.spans():
        found.append((strand, start, min(stop, start + count)))
        count -= min(stop - start, count)
    return Parts.of_spans(each for each in found if each[2] > each[1])


def _told(held: Sequence[Hold], wanted: Parts, by: AssetKey | None) -> Next:
    """Return what an asset waits for that is not started."""
    for each in held:
        if each.parts & wanted:
            return Next(each.kind, each.because, at=each.until)
    return Next("when", f"it waits for `{by}`" if by is not None else "it waits for what it is made from", on=by)
