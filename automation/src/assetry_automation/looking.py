"""A look at a project: how everything is at a moment, and what follows from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from assetry import Project
from assetry.plugin import AssetKey, Attempt, Judgement, Next, Status, UsageError, numbering_of

from assetry_automation.decision.batches import with_riders
from assetry_automation.decision.demands import Demands, demands
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.schedule import Decision, decide
from assetry_automation.decision.standing import Standing, named_by, policies_of
from assetry_automation.decision.statuses import Statuses
from assetry_automation.decision.ways import Ways, ways_of
from assetry_automation.decision.world import World, made_from
from assetry_automation.jobs import jobs_above, may_depend, settings_of
from assetry_automation.kept import KeptMemory, change_memory, daemon_of, ended_jobs

#: The option of a run that says that automation has started it.
OPTION = "automation"


@dataclass(frozen=True, slots=True)
class Look:
    """A look at a project: what was decided and `kept`, by what stands and how all was; the next may go on from it.

    `judged` is how all was by itself, `statuses` also for data as new as deadlines and clocks asked for.
    """

    decision: Decision
    standing: Standing
    settings: object
    statuses: Statuses
    judged: Judgement | None = None
    kept: KeptMemory | None = None


def look(
    project: Project, memory: Memory, now: datetime, load: str = "", statuses: Sequence[Status] | None = None
) -> Decision:
    """Return what is to be started in a project now, and when everything else is.

    `statuses` are how all assets are, where that is known already; `load` tells one load of definitions from another.
    """
    return look_on(project, memory, now, load, statuses).decision


def look_on(
    project: Project,
    memory: Memory,
    now: datetime,
    load: str = "",
    statuses: Sequence[Status] | None = None,
    before: Look | None = None,
) -> Look:
    """Do as `look`, and go on from a look of before: what it decides is the same, and what has changed is judged."""
    if before is None or before.settings is not project.settings or before.standing.graph is not project.graph:
        standing, judged, before = standing_of(project), None, None
    else:
        standing, judged = before.standing, before.judged
    if statuses is None:
        judged = project.judge(now, before=judged)
        statuses = judged.statuses
    settings, graph = standing.settings, standing.graph
    ways = ways_of(graph, standing.groups, settings.slack, memory.overheads, standing.asking)
    asked = _asked(standing, memory, ways, statuses, now)
    if asked.newer_than:
        statuses = project.judge(now, newer_than=asked.newer_than, before=judged).statuses
    known = Statuses.of(statuses, None if before is None else before.statuses)
    tries = _tries(project) if standing.policies else {}
    world = World(
        now=now,
        standing=standing,
        statuses=known.by_key,
        told=known.unsettled.values(),
        numbering=numbering_of(graph, (known.by_key[key] for key in standing.parted), now),
        tries=tries,
        versions=_versions(project, tries, (key for key in standing.hasty if known.by_key[key].is_due)),
        selections={text: _selected(project, text) for text in standing.moving},
        jobs=jobs_above(project, standing.moving_jobs),
        under_way=sum(OPTION in each.options for each in project.store.runs(running=True)),
        ended=ended_jobs(project.store) if settings.jobs else {},
        load=load,
        known=None if before is None else before.decision.memory.known,
    )
    paused = [key for key in world.all_due if key in standing.policies and world.may_pause(key)]
    if paused:
        world = world.with_durations(project.store.durations(paused))
    return Look(decide(world, asked, memory), standing, project.settings, known, judged)


def _asked(standing: Standing, memory: Memory, ways: Ways, statuses: Sequence[Status], now: datetime) -> Demands:
    """Return what deadlines and clocks ask for, with what rides along."""
    led = [statuses[i] for i in standing.led]
    asked = demands(led, standing.policies, ways, memory.known, memory.served, now)
    return with_riders(asked, led, standing.graph, standing.groups, ways, now)


def standing_of(project: Project) -> Standing:
    """Return what stays as it is until the definitions of a project are loaded anew."""
    settings, graph = settings_of(project), project.graph
    policies = policies_of(graph.assets, graph)
    return Standing(
        graph=graph,
        settings=settings,
        policies=policies,
        groups={key: each.key for key, each in project.groups.items() if each is not None and each.counted},
        jobs=jobs_above(project, (each for each in settings.jobs if not may_depend(each.select))),
        selections={
            text: _selected(project, text) for text in named_by(set(policies.values())) if not may_depend(text)
        },
    )


def remembered(
    project: Project, now: datetime, keep: Callable[[Decision], Memory], load: str = "", before: Look | None = None
) -> Look:
    """Look at a project, and remember of the decision what `keep` returns; look again where others changed that."""
    found = [before]

    def change(memory: Memory) -> Memory:
        last = look_on(project, memory, now, load, before=found[-1])
        found.append(last)
        return keep(last.decision)

    kept = change_memory(project.store, change, None if before is None else before.kept)
    last = found[-1]
    assert last is not None, "it was looked at"
    return replace(last, kept=kept)


def _tries(project: Project) -> dict[AssetKey, list[Attempt]]:
    """Return the last tries that made nothing, by asset."""
    found: dict[AssetKey, list[Attempt]] = {}
    for (key, _), each in project.store.attempts(made=False).items():
        found.setdefault(key, []).append(each)
    return found


def _versions(
    project: Project, tries: Mapping[AssetKey, Sequence[Attempt]], also: Iterable[AssetKey]
) -> dict[AssetKey, str]:
    """Return the versions of what those assets are made from that failed, and some others."""
    failed = (
        key for key, each in tries.items() if key in project.graph and any(one.outcome == "failed" for one in each)
    )
    read = {each for key in (*failed, *also) for each in made_from(project.graph, key)}
    found = project.store.latest(read, [None]) if read else {}
    return {key: str(each.data_version) for (key, _), each in found.items()}


def _selected(project: Project, text: str) -> frozenset[AssetKey]:
    """Return what a selection means that a policy names; one that matches nothing means nothing."""
    try:
        return frozenset(project.select(text))
    except UsageError:
        return frozenset()


def nexts(project: Project, statuses: Sequence[Status], now: datetime, memory: Memory) -> Mapping[AssetKey, Next]:
    """Return when each asset is made next: what is due at once is so only where a daemon runs.

    Nothing where no asset has a policy, there is no job, and automation was never used.
    """
    sign = daemon_of(project.store)
    asked = settings_of(project).jobs or any(each.automation is not None for each in project.graph.assets)
    if not asked and sign is None and memory == Memory():
        return {}  # deadlines alone are what `status` judges by, where no daemon was ever to meet them
    decision = look(project, memory, now, statuses=statuses)
    if sign is not None and sign.lives(now):
        return decision.next
    seen = f"the last one gave a sign at {sign.at:%Y-%m-%d %H:%M} UTC" if sign is not None else "there never was one"
    told = f"it is due, and `assetry daemon` makes it: {seen}"
    due = decision.wave.wants if decision.wave is not None else {}
    return {key: Next("daemon_down", told) if key in due else each for key, each in decision.next.items()}


def with_resumed(memory: Memory, keys: Iterable[AssetKey], now: datetime) -> Memory:
    """Return a memory in which a person has let assets go on."""
    chosen = set(keys)
    left: Mapping[AssetKey, Any] = {key: why for key, why in memory.held.items() if key not in chosen}
    starts = {key: each for key, each in memory.starts.items() if key not in chosen}
    return replace(memory, held=left, starts=starts, resumed={**memory.resumed, **dict.fromkeys(chosen, now)})
