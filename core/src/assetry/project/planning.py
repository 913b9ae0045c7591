"""The plan of what is wanted of a project's assets, from how they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from assetry.graph.graph import AssetGraph
from assetry.plan.plan import Plan, PlanRequest
from assetry.plan.planner import make_plan
from assetry.plan.reasons import near_notes
from assetry.project.ask import Ask
from assetry.project.wants import Wanted
from assetry.status.staleness import Status
from assetry.status.why import because, kept_rows
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey


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
