"""A look at a project: how everything is at a moment, and what follows from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from assetry import Project
from assetry.plugin import AssetKey, Attempt, AutomationPolicy, Next, Status, UsageError, numbering_of

from assetry_automation.decision.batches import with_riders
from assetry_automation.decision.demands import demands
from assetry_automation.decision.memory import Memory
from assetry_automation.decision.schedule import Decision, decide
from assetry_automation.decision.ways import ways_of
from assetry_automation.decision.world import World, each_of, made_from, policies_of
from assetry_automation.jobs import jobs_above, settings_of
from assetry_automation.kept import change_memory, daemon_of, ended_jobs

#: The option of a run that says that automation has started it.
OPTION = "automation"


def look(
    project: Project, memory: Memory, now: datetime, load: str = "", statuses: Sequence[Status] | None = None
) -> Decision:
    """Return what is to be started in a project now, and when everything else is.

    `statuses` are how all assets are, where that is known already; `load` tells one load of definitions from another.
    """
    settings, graph = settings_of(project), project.graph
    policies = policies_of(graph.assets, graph)
    known = project.judge(now).statuses if statuses is None else statuses
    groups = {key: each.key for key, each in project.groups.items() if each is not None and each.counted}
    ways = ways_of(graph, groups, settings.slack, memory.overheads)
    asked = demands(known, policies, ways, memory.known, memory.served, now)
    asked = with_riders(asked, known, graph, groups, ways, now)
    if asked.newer_than:
        known = project.judge(now, newer_than=asked.newer_than).statuses
    tries = _tries(project) if policies else {}
    world = World(
        now=now,
        graph=graph,
        statuses={each.key: each for each in known},
        numbering=numbering_of(graph, known, now),
        policies=policies,
        settings=settings,
        tries=tries,
        versions=_versions(project, tries),
        durations=project.store.durations(policies) if policies else {},
        selections=_selections(project, policies.values()),
        under_way=sum(OPTION in each.options for each in project.store.runs(running=True)),
        groups=groups,
        jobs=jobs_above(project, settings),
        ended=ended_jobs(project.store) if settings.jobs else {},
        load=load,
    )
    return decide(world, asked, memory)


def remembered(project: Project, now: datetime, keep: Callable[[Decision], Memory], load: str = "") -> Decision:
    """Look at a project, and remember of the decision what `keep` returns; look again where others changed that."""
    decided: list[Decision] = []

    def change(memory: Memory) -> Memory:
        decided.append(look(project, memory, now, load))
        return keep(decided[-1])

    change_memory(project.store, change)
    return decided[-1]


def _tries(project: Project) -> dict[AssetKey, list[Attempt]]:
    """Return the last tries that made nothing, by asset."""
    found: dict[AssetKey, list[Attempt]] = {}
    for (key, _), each in project.store.attempts(made=False).items():
        found.setdefault(key, []).append(each)
    return found


def _versions(project: Project, tries: Mapping[AssetKey, Sequence[Attempt]]) -> dict[AssetKey, str]:
    """Return the versions of what those assets are made from that failed."""
    failed = (
        key for key, each in tries.items() if key in project.graph and any(one.outcome == "failed" for one in each)
    )
    read = {each for key in failed for each in made_from(project.graph, key)}
    found = project.store.latest(read, [None]) if read else {}
    return {key: str(each.data_version) for (key, _), each in found.items()}


def _selections(project: Project, policies: Iterable[AutomationPolicy]) -> dict[str, frozenset[AssetKey]]:
    """Return what each selection means that a policy names; one that matches nothing means nothing."""
    found: dict[str, frozenset[AssetKey]] = {}
    for policy in policies:
        for text in _texts(policy):
            if text not in found:
                try:
                    found[text] = frozenset(project.select(text))
                except UsageError:
                    found[text] = frozenset()
    return found


def _texts(policy: AutomationPolicy) -> Iterable[str]:
    for each in each_of(policy):
        yield from (text for text in (each.upstream, each.allowed, each.ignored) if text is not None)


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
