"""What a person wants of assets, with which of their partitions: those named, those due, or the last; and the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, Parts
from assetry.plan.plan import Plan, PlanRequest
from assetry.plan.planner import make_plan
from assetry.plan.reasons import near_notes
from assetry.project.ask import Ask
from assetry.status.partitions.sets import PartitionSets
from assetry.status.staleness import Status
from assetry.status.why import because, kept_rows
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition

#: How many assets a note names.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """Assets to be made, each with its partitions, or None without; `definitions` are those of the partitions.

    `notes` are sentences that the plan is to have.
    """

    wants: Mapping[AssetKey, Parts | None]
    definitions: Mapping[AssetKey, PartitionsDefinition] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def wanted(graph: AssetGraph, keys: Sequence[AssetKey], ask: Ask, statuses: Iterable[Status], now: datetime) -> Wanted:
    """Return what is wanted of assets: the partitions that are asked for, those that are due, or the last ones.

    With ``stale`` it is what is due of each, of what is asked for where something is. Raises `UsageError` for
    partitions that nothing has, and where an asset gets none.
    """
    chosen = set(keys)
    sets = {each.key: each.partitions for each in statuses if each.key in chosen and each.partitions is not None}
    sets = {key: each for key, each in sets.items() if graph[key].executable}
    if not sets:
        if ask.partitions:
            raise UsageError(
                "A partition is asked for, but nothing that is selected has partitions.",
                hint="Leave --partition out, or select other assets.",
            )
        return Wanted(dict.fromkeys(keys))
    definitions = {key: each.definition for key, each in sets.items()}
    notes: tuple[str, ...] = ()
    if ask.partitions:
        parts, definitions = _asked(ask.partitions, sets, definitions, now)
        if ask.stale:
            parts = {key: own & sets[key].due for key, own in parts.items()}
    elif ask.stale:
        parts = {key: each.due for key, each in sets.items()}
    else:
        parts = {key: each.newest(1, now) for key, each in definitions.items()}
        notes = tuple(_notes(parts, definitions))
    wants: dict[AssetKey, Parts | None] = {}
    for key in keys:
        own = parts.get(key, NOTHING)
        if key not in sets or own:
            wants[key] = own or None
    if not wants and not ask.partitions and not ask.stale:
        raise UsageError(
            f"{next(iter(sets))} has no partition yet.",
            hint="Name one with -p KEY: making it brings it into being.",
        )
    return Wanted(wants, {key: definitions[key] for key in parts if key in wants}, notes)


def plan_of(
    graph: AssetGraph,
    wanted: Wanted,
    groups: Mapping[AssetKey, InvocationGroup | None],
    statuses: Sequence[Status],
    ask: Ask,
    now: datetime,
) -> Plan:
    """Return the plan that makes what is wanted; `statuses` are those of all assets, `now` is when they were."""
    made = [status for status in statuses if status.key in wanted.wants]
    notes = (*kept_rows(graph, made, ask.full_refresh), *near_notes(graph, set(wanted.wants)))
    request = PlanRequest(
        because={status.key: because(status, graph[status.key]) for status in made},
        mode=ask.collapse,
        full_refresh=ask.full_refresh,
        definitions={key: each for key, each in wanted.definitions.items() if each is not graph[key].partitions_def},
        now=now,
        notes=(*wanted.notes, *notes),
        never=frozenset(each.key for each in statuses if each.last_materialized is None and graph[each.key].executable),
    )
    return make_plan(graph, wanted.wants, groups, request)


def _asked(
    texts: Sequence[str],
    sets: Mapping[AssetKey, PartitionSets],
    definitions: Mapping[AssetKey, PartitionsDefinition],
    now: datetime,
) -> tuple[dict[AssetKey, Parts], dict[AssetKey, PartitionsDefinition]]:
    from assetry.partitions.text import read_partitions, with_new_keys

    by_name = with_new_keys(texts, {str(key): each for key, each in definitions.items()})
    words = {str(key): each.words for key, each in sets.items()}
    found = read_partitions(texts, by_name, now, words)
    return {key: found[str(key)] for key in sets}, {key: by_name[str(key)] for key in sets}


def _notes(parts: Mapping[AssetKey, Parts], definitions: Mapping[AssetKey, PartitionsDefinition]) -> Iterable[str]:
    made = [f"{key} {definitions[key].text_of(own)}" for key, own in parts.items() if own]
    if made:
        last = "the last partition" if len(made) == 1 else "the last partition of each asset that has some"
        yield f"No partition is asked for, so {last} is made: {_some(made)}; -p names others, --stale makes all due"
    none = [str(key) for key, own in parts.items() if not own]
    if none:
        yield f"{_some(none)} {'has' if len(none) == 1 else 'have'} no partition yet; -p KEY names one"


def _some(told: Sequence[str]) -> str:
    return ", ".join(told[:_NAMED]) + (f" and {len(told) - _NAMED} more" if len(told) > _NAMED else "")
