"""The JSON shapes of the command line and the HTTP API, one function per shape."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from types import MappingProxyType
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.plan.plan import Plan, PlannedInvocation
from assetry.status.changes.definition import definitions_of
from assetry.status.freshness.freshness import Freshness
from assetry.status.partitions.sets import SET_NAMES, PartitionSets
from assetry.status.reasons import Reason
from assetry.status.staleness import STATUS_NAMES, Status
from assetry.types.assets import Asset
from assetry.types.codec import is_unicode, to_json
from assetry.types.events import Checked, Event
from assetry.types.hooks.nexts import Next
from assetry.types.invocations import CheckRef, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, EventRecord, RunInfo
from assetry.types.warnings import AssetWarning
from assetry.views.causes import Cause
from assetry.views.drawing import Drawing, stages
from assetry.views.nexts import next_to_json


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON data, in the shape of `assetry plan --output json`.

    >>> plan_to_json(Plan())["invocations"]
    []
    """
    return {
        "version": 1,
        "count": plan.count,
        "lower_bound": plan.lower_bound,
        "minimal": plan.minimal,
        "invocations": [_invocation_to_json(each) for each in plan.invocations],
        "skipped": [{"key": str(each.key), "because": each.because} for each in plan.skipped],
        "splits": [
            {
                "group": each.group,
                "because": each.because,
                "first": each.first,
                "second": each.second,
                "path": [str(key) for key in each.path],
            }
            for each in plan.splits
        ],
        "unchecked": [_check_to_json(ref) for ref in plan.unchecked],
        "notes": list(plan.notes),
    }


def warnings_to_json(warnings: Iterable[AssetWarning]) -> list[dict[str, Any]]:
    """Return what is warned of assets as JSON data.

    >>> from assetry.types.keys import AssetKey
    >>> warnings_to_json([AssetWarning(AssetKey("shop/orders"), "is deprecated since 2026-01-01")])
    [{'asset': 'shop/orders', 'text': 'is deprecated since 2026-01-01', 'hint': None}]
    """
    return [{"asset": str(each.key), "text": each.text, "hint": each.hint} for each in warnings]


def _invocation_to_json(planned: PlannedInvocation) -> dict[str, Any]:
    invocation = planned.invocation
    return {
        "id": invocation.id,
        "kind": invocation.integration.kind,
        "integration": invocation.integration.name,
        "group": invocation.group.key if invocation.group else None,
        "counted": invocation.group is not None and invocation.group.counted,
        "command": planned.command,
        "notes": list(planned.notes),
        "assets": [str(asset.key) for asset in invocation.assets],
        "also": [str(asset.key) for asset in invocation.also],
        "after": list(planned.after),
        "because": {str(key): text for key, text in planned.because.items()},
        "checks": [_check_to_json(ref) for ref in invocation.checks],
        "partitions": list(invocation.partitions),
        "own_partitions": {str(key): list(keys) for key, keys in invocation.own_partitions.items()},
        "window": [each.isoformat() for each in invocation.window] if invocation.window else None,
        "full_refresh": invocation.full_refresh,
        "may_be_cut": [str(key) for key in planned.may_be_cut],
        "cut_by": {str(key): [str(each) for each in by] for key, by in planned.may_be_cut.items()},
    }


def _check_to_json(ref: CheckRef) -> dict[str, str]:
    return {"key": str(ref.key), "check": ref.check}


def status_to_json(
    statuses: Sequence[Status],
    warned: Iterable[Checked] = (),
    roots: Iterable[Cause] = (),
    orphans: Iterable[AssetKey] = (),
    interrupted: Iterable[tuple[str, str, Iterable[AssetKey]]] = (),
    nexts: Mapping[AssetKey, Next] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return what ``assetry status --output json`` prints; `warned` are checks that did not pass and stop nothing.

    `roots` are what is out of date, by cause; `orphans` are assets that something is recorded of, and nothing defines.
    `interrupted` are runs by their ids, each with the command that goes on with it, and the assets that it has left;
    `nexts` say when assets are made next.

    >>> from assetry.types.keys import AssetKey
    >>> status_to_json([Status(AssetKey("a"), "fresh")])["counts"]
    {'fresh': 1}
    """
    words = [each.status for each in statuses]
    warnings: dict[str, list[dict[str, Any]]] = {}
    for check in warned:
        told = {"check": check.check, "message": check.message, "partition": check.partition}
        warnings.setdefault(check.key, []).append(told)
    return {
        "version": 1,
        "counts": {word: words.count(word) for word in STATUS_NAMES if word in words},
        "roots": [_cause_to_json(each) for each in roots],
        "orphans": sorted(map(str, orphans)),
        "interrupted": [
            {"run": run, "command": command, "assets": [str(key) for key in keys]} for run, command, keys in interrupted
        ],
        "assets": [
            {
                "key": str(each.key),
                "status": each.status,
                "roots": [str(key) for key in each.roots],
                "reasons": [_reason_to_json(reason, each) for reason in each.reasons],
                "last_materialized": each.last_materialized and each.last_materialized.astimezone(UTC).isoformat(),
                "run": each.run,
                "warnings": warnings.get(each.key, []),
                "note": each.note,
                "partitions": None if each.partitions is None else partitions_to_json(each.partitions),
                "freshness": None if each.freshness is None else freshness_to_json(each.freshness),
                "next": next_to_json(nexts.get(each.key)),
            }
            for each in statuses
        ],
    }


def _cause_to_json(cause: Cause) -> dict[str, Any]:
    return {
        "assets": [str(key) for key in cause.assets],
        "status": cause.status,
        "codes": list(dict.fromkeys(reason.code for reason in cause.reasons)) or ["upstream_changed"],
        "text": cause.text,
        "hints": list(cause.hints),
        "owners": list(cause.owners),
        "counts": {word: len(keys) for word, keys in cause.below.items()},
        "below": [str(key) for keys in cause.below.values() for key in keys],
    }


def _reason_to_json(reason: Reason, status: Status) -> dict[str, Any]:
    parts = None if status.partitions is None else reason.parts.to_json(status.partitions.definition)
    return {
        "code": reason.code,
        "asset": str(reason.asset),
        "text": reason.text,
        "hint": reason.hint,
        "partitions": parts,
    }


def freshness_to_json(freshness: Freshness) -> dict[str, Any]:
    """Return whether data is as new as its policy asks.

    >>> freshness_to_json(Freshness("unknown"))["state"]
    'unknown'
    """
    data_time, deadline = freshness.data_time, freshness.deadline
    return {
        "state": freshness.state,
        "data_time": data_time and data_time.astimezone(UTC).isoformat(),
        "deadline": deadline and deadline.astimezone(UTC).isoformat(),
        "text": freshness.text,
    }


def partitions_to_json(sets: PartitionSets) -> dict[str, Any]:
    """Return how the partitions of an asset are: how many, and in ``sets`` which, as ranges of keys.

    ``fresh``, ``stale``, ``missing`` and ``failed`` make up ``total``; sets without a partition are left out.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> letters = StaticPartitionsDefinition(["a", "b"])
    >>> found = PartitionSets(letters, existing=letters.parts_of("ab"), missing=letters.parts_of("ab"))
    >>> partitions_to_json(found)["total"], partitions_to_json(found)["sets"]
    (2, {'missing': [['a', 'a'], ['b', 'b']]})
    """
    named = {name: sets.sets(name) for name in SET_NAMES if name not in ("existing", "made")}
    listed = {name: parts.to_json(sets.definition) for name, parts in named.items() if parts}
    if sets.unknown:
        listed["orphan"] = [*listed.get("orphan", []), *([key, key] for key in sets.unknown)]
    return {**sets.counts, "sets": listed}


def graph_to_json(drawing: Drawing, graph: AssetGraph | None = None) -> dict[str, Any]:
    """Return nodes and edges as JSON: ``assets`` with the stage of each, ``edges`` from upstream to downstream.

    With the `graph` that is drawn each has its definition, for ``assetry diff``; ``whole`` tells that none is left out.

    >>> from assetry.types.assets import Asset
    >>> from assetry.views.drawing import drawing_of
    >>> graph = AssetGraph.of([Asset(key="a", kind="dbt"), Asset(key="b", kind="dbt", deps=["a"])])
    >>> graph_to_json(drawing_of(graph))["edges"]
    [{'from': 'a', 'to': 'b'}]
    """
    nodes, level = drawing.nodes, stages(drawing)
    known = {} if graph is None else definitions_of(graph[node.key] for node in nodes)
    defined = {str(key): {"definition": each.to_json()} for key, each in known.items()}
    return {
        "version": 1,
        "whole": graph is not None and len(nodes) == len(graph),
        "assets": [
            {
                "key": node.key,
                "kind": node.kind,
                "type": node.type,
                "executable": node.executable,
                "stage": level[i],
                **defined.get(node.key, {}),
            }
            for i, node in enumerate(nodes)
        ],
        "edges": [
            {"from": nodes[j].key, "to": nodes[i].key} for i, above in enumerate(drawing.upstream) for j in above
        ],
    }


def event_to_json(record: EventRecord) -> dict[str, Any]:
    """Return an event as a line of ``--output ndjson`` has it.

    >>> from datetime import datetime
    >>> from assetry.types.events import Started
    >>> record = EventRecord(at=datetime(2026, 1, 31, tzinfo=UTC), run="r", invocation="1", event=Started("a"))
    >>> event_to_json(record)["event"], event_to_json(record)["asset"]
    ('started', 'a')
    """
    event = {"event": record.event.name, **complete(record.event)}
    name = event.pop("event")
    return {
        "version": 1,
        "event": name,
        "at": record.at.astimezone(UTC).isoformat(),
        "run": record.run,
        "invocation": record.invocation,
        **event,
    }


def complete(event: Event) -> dict[str, Any]:
    """Return all fields of an event as JSON, also those at their default: readers need not know defaults."""
    from dataclasses import fields

    names = event.json_names
    return {names.get(field.name, field.name): _plain(getattr(event, field.name)) for field in fields(event)}


def _plain(value: Any) -> Any:
    try:
        return to_json(value)
    except TypeError:
        return str(value)


def json_line(record: EventRecord) -> str:
    """Return an event as one line of JSON."""
    return json_text(event_to_json(record))


#: Control characters that JSON may hold as they are.
_RAW = re.compile(r"[\x7f-\x9f]")


def json_text(value: Any, *, unicode: bool = True, indent: int | None = None) -> str:
    r"""Return JSON that every reader takes: NaN as null, infinities as text, half characters and controls as escapes.

    Without `unicode` everything beyond ASCII is written as escapes, for streams of another encoding.

    >>> print(json_text({"mean": float("nan"), "most": float("inf"), "half": "\ud83d"}))
    {"mean": null, "most": "Infinity", "half": "\ud83d"}
    """
    try:
        text = json.dumps(value, ensure_ascii=not unicode, allow_nan=False, check_circular=False, indent=indent)
    except ValueError:
        value = _finite(value)
        text = json.dumps(value, ensure_ascii=not unicode, allow_nan=False, indent=indent)
    if not is_unicode(text):
        return json.dumps(value, allow_nan=False, indent=indent)
    return text if text.isascii() and "\x7f" not in text else _RAW.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {_finite_key(name): _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _finite_key(name: Any) -> Any:
    return str(name) if isinstance(name, float) else name


def run_to_json(run: RunInfo) -> dict[str, Any]:
    """Return a run as JSON."""
    return {
        "run": run.id,
        "state": run.state,
        "started": run.started.isoformat(),
        "finished": run.finished.isoformat() if run.finished else None,
        "assets": [str(key) for key in run.assets],
        "options": dict(run.options),
        "backfill": run.backfill,
        "process": run.process,
        "host": run.host,
        **({"pruned": {what: at.isoformat() for what, at in run.pruned.items()}} if run.pruned else {}),
    }


def asset_to_json(asset: Asset, group: InvocationGroup | None) -> dict[str, Any]:
    """Return an asset as ``assetry list --output json`` has it; `group` is what it may share an invocation with.

    >>> asset_to_json(Asset(key="shop/orders", kind="dbt"), None)["key"]
    'shop/orders'
    """
    return {
        "key": str(asset.key),
        "kind": asset.kind,
        "type": asset.resource_type,
        "integration": asset.integration.name if asset.integration else None,
        "group": asset.group,
        "deps": [str(dep.key) for dep in asset.deps],
        "invocation_group": group.key if group else None,
        "description": asset.description,
        "owners": list(asset.owners),
        "tags": list(asset.tags),
        "columns": [{"name": each.name, "type": each.type, "description": each.description} for each in asset.columns],
        "relation": list(asset.relation) if asset.relation else None,
        "checks": [check.name for check in asset.checks],
        "source": asset.source,
        "executable": asset.executable,
        "consumer": asset.consumer,
        "aliases": [str(alias) for alias in asset.aliases],
        "grows": asset.grows,
        "pool": asset.pool,
        "weight": asset.weight,
    }


def data(value: Any) -> Any:
    """Return a value as JSON data; what JSON does not have is written as text.

    >>> data({"rows": 3, "odd": object}), data(1.5)
    ({'rows': 3, 'odd': "<class 'object'>"}, 1.5)
    """
    if isinstance(value, Mapping):
        return {str(name): data(item) for name, item in value.items()}
    try:
        return to_json(value)
    except TypeError:
        return str(value)


def result_to_json(
    run: RunInfo,
    counts: Mapping[str, int],
    attempts: Iterable[Attempt],
    checks: Iterable[Checked],
    problems: Iterable[str] = (),
) -> dict[str, Any]:
    """Return how a run went, as ``assetry materialize --output json`` has it.

    `attempts` are the last ones at its assets, `checks` how its checks came out, `problems` what broke invocations.
    """
    return {
        "run": run.id,
        "state": run.state,
        "counts": dict(counts),
        "assets": [
            {
                "key": str(each.key),
                "partition": each.partition,
                "outcome": each.outcome,
                "message": each.message,
                "because": each.because and str(each.because),
            }
            for each in attempts
        ],
        "checks": [
            {
                "asset": str(each.key),
                "check": each.check,
                "passed": each.passed,
                "severity": each.severity,
                "message": each.message,
            }
            for each in checks
        ],
        "problems": list(problems),
    }


def nothing_to_json() -> dict[str, Any]:
    """Return, in the same shape, that there was nothing to run."""
    return {"run": None, "state": "succeeded", "counts": {}, "assets": [], "checks": [], "problems": []}
