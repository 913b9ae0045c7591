"""How the definitions of a project differ from others, and what that touches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from assetry.errors import UsageError
from assetry.partitions.parts import WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.project.upkeep.before import Before, definitions_before
from assetry.project.upkeep.state import State
from assetry.status.changes.definition import Definition, definitions_of
from assetry.status.changes.diff import Change, Differences, differences
from assetry.status.changes.following import Following, Prediction, following, predicted
from assetry.status.reasons import Code
from assetry.status.staleness import Status, numbering_of
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization

#: How many of an asset's partitions are looked at for how long they take.
_LOOKED_AT = 20
#: The part of a definition that a reason of an asset's own is about.
_PARTS: Mapping[Code, str] = {"code_changed": "code", "deps_changed": "reads", "columns_differ": "columns"}


@dataclass(frozen=True, slots=True)
class Diff:
    """How the definitions of a project differ from those of before, what follows from that, and how long it takes."""

    before: Before
    differences: Differences
    following: Following
    prediction: Prediction

    @property
    def any(self) -> bool:
        """Tell whether there is any difference."""
        return self.differences.any


def diff_of(project: State, since: str | None, on_load: Callable[[str], None]) -> Diff:
    """Return how the definitions differ from those `since` something: None is what was last materialized.

    Raises `UsageError`, with near names, for what there is not; `DefinitionError` for what fails to load.
    """
    graph, now = project.graph, datetime.now(UTC)
    parted = since is None or any(asset.partitions_def is not None for asset in graph.assets)
    statuses = project.status(now=now) if parted else ()
    numbering = numbering_of(graph, statuses, now)
    current: Mapping[AssetKey, Definition] = definitions_of(graph.assets)
    told: Mapping[AssetKey, Iterable[Change]] = {}
    if since is None:
        before, told = _recorded(project, current, statuses)
    elif project._definitions.named:
        raise UsageError(
            "This project was given its definitions in Python: nothing can be loaded again for a comparison.",
            hint="Compare with what was last materialized: project.diff().",
        )
    else:
        before = definitions_before(project, since, on_load)
        current = before.now if before.now is not None else current
    found = differences(before.definitions, current, numbering.existing, told)
    follows = following(graph, found, numbering)
    return Diff(before, found, follows, _predicted(project, follows.to_make, numbering))


def _recorded(
    project: State, current: Mapping[AssetKey, Definition], statuses: Iterable[Status]
) -> tuple[Before, dict[AssetKey, list[Change]]]:
    """Return the definitions that assets were last made with, and what their records say has changed since."""
    last: dict[AssetKey, Materialization] = {}
    for (recorded, _), made in project.store.latest().items():
        key = project.graph[recorded].key if recorded in project.graph else recorded
        if key not in last or made.at > last[key].at:
            last[key] = made
    texts = project.store.defined({key: made.run for key, made in last.items()})
    before = {key: Definition.from_text(key, text) for key, text in texts.items()}
    for key in last:
        if key not in before:
            now = current.get(key)
            before[key] = Definition(key, now.kind if now else "", now.type if now else "asset", {})
    # What nothing here makes has no record until it is observed: that it has none is no news.
    before |= {key: each for key, each in current.items() if key not in before and not project.graph[key].executable}
    told: dict[AssetKey, list[Change]] = {}
    for status in statuses:
        for reason in status.reasons:
            part = _PARTS.get(reason.code)
            if part is not None and reason.is_of(status.key) and status.key in last:
                parts = WHOLE if status.partitions is None else reason.parts
                told.setdefault(status.key, []).append(Change(part, reason.text, parts))
    # Of these parts the records have the last word, also where they say that nothing is different.
    known = {key: each.without(_PARTS.values()) for key, each in before.items() if key in last}
    return Before("records", "what was last materialized", {**before, **known}), told


def _predicted(project: State, to_make: Mapping[AssetKey, Parts], numbering: Numbering) -> Prediction:
    some = {None, *(part for key, parts in to_make.items() for part in numbering.keys_of(key, parts.last(_LOOKED_AT)))}
    took: dict[AssetKey, list[float]] = {}
    for (key, _), made in project.store.latest(list(to_make), list(some)).items() if to_make else ():
        if made.seconds is not None:
            took.setdefault(key, []).append(made.seconds)
    at_once: dict[AssetKey, int | None] = {}
    for key in to_make:
        group = project.group_of(project.graph[key])
        if group is not None and group.partitions == "range":
            at_once[key] = group.max_partitions
    return predicted(project.graph, to_make, took, at_once)
