"""``assetry show KEY``: one asset in full."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from assetry.cli.command import verb
from assetry.cli.definitions.accepted import accepted_rows
from assetry.cli.definitions.describe import heading, kind_of
from assetry.cli.definitions.metadata import before, metadata_lines, rows_text, told_json
from assetry.cli.definitions.partition import partition_json, partition_lines
from assetry.cli.runs.logs import pruned_text
from assetry.cli.session import Session
from assetry.cli.text import ago, aligned, counted, cut, duration, listed, moment, styled
from assetry.columns.differences import Difference, differences
from assetry.errors import UsageError
from assetry.project.partition import partition_facts
from assetry.project.places import asset_warnings
from assetry.project.project import Project
from assetry.project.upkeep.impact import meant
from assetry.selection.facets import facet_methods, facet_values
from assetry.status.freshness.freshness import Freshness
from assetry.status.looked import age_text
from assetry.status.staleness import Status
from assetry.status.times import time_text
from assetry.types.assets import Asset
from assetry.types.events import Checked
from assetry.types.hooks.nexts import Next
from assetry.types.hooks.panels import Panel, PanelContext
from assetry.types.keys import AssetKey
from assetry.types.policies import FreshnessPolicy
from assetry.types.records import Attempt, EventRecord, Materialization, Verdicts
from assetry.types.warnings import AssetWarning
from assetry.views.acceptances import Said, said
from assetry.views.json import asset_to_json, data, status_to_json, warnings_to_json
from assetry.views.nexts import next_text


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is shown of one asset."""

    asset: Asset
    consumers: tuple[Asset, ...]
    status: Status
    made: Materialization | None
    #: What was made of the same before that; JSON has the numbers of it beside those of others.
    before: Materialization | None
    tried: Attempt | None
    panels: tuple[Panel, ...]
    checks: Mapping[str, Sequence[EventRecord]]
    warnings: tuple[AssetWarning, ...]
    #: What was pruned of the run that made it last, for people.
    pruned: str | None
    accepted: Sequence[Said]
    next: Next | None


def show_asset(session: Session, key: str, partition: str | None) -> None:
    """Show one asset in full: what it is, what it is made from, how it is and why.

    KEY may be the last part of the key, when only one asset has it, or a selection that means one asset. -p shows one
    of its partitions instead: why it is as it is, what it was made from, and by which code.
    """
    if partition is not None:
        one = partition_facts(session.project, _key(session.project, key), partition)
        if session.text:
            was = None if one.made is None else before(session.project, one.made)
            told = metadata_lines(one.made, was, session.project.pictures.find, everything=session.verbose > 0)
            session.say("\n".join((*partition_lines(one), *told)))
        else:
            told_of = told_json(session.project, one.made, one.asset.key, one.key)
            session.emit({"partition": {**partition_json(one), **told_of}})
        return
    facts = _facts(session, key)
    if session.text:
        session.say("\n".join(_text(facts, session)))
    else:
        session.emit({"asset": _json(facts, session)})


def _facts(session: Session, key: str) -> Facts:
    project = session.project
    asset = project.graph[_key(project, key)]
    made = list(project.store.latest([asset.key]).values())
    tried = list(project.store.attempts([asset.key]).values())
    last_made = max(made, key=lambda each: each.at, default=None)
    last_tried = max(tried, key=lambda each: each.at, default=None)
    judged = project.judge()
    context = PanelContext(materialization=last_made, attempt=last_tried)
    return Facts(
        asset=asset,
        consumers=tuple(project.graph.assets[i] for i in project.graph.downstream[project.graph.index(asset.key)]),
        status=next(each for each in judged.statuses if each.key == asset.key),
        made=last_made,
        before=before(project, last_made) if session.text and last_made is not None else None,
        tried=last_tried,
        panels=tuple(project.plugins.panels(asset, context)),
        checks=_outcomes(project.latest_checks([asset.key])),
        warnings=asset_warnings(project.graph, project.plugins, lambda: project.values, [asset.key], project.settings),
        pruned=None if last_made is None else _pruned(project, last_made.run),
        accepted=said(project.store.acceptances([asset.key])),
        next=project.next(judged.now, statuses=judged.statuses).get(asset.key),
    )


def _pruned(project: Project, run_id: str) -> str | None:
    """Return what of a run is gone, for people; None where all of it is there."""
    run = project.store.run(run_id)
    if run is not None and run.id == run_id:
        return pruned_text(run, "events") if "events" in run.pruned else None
    return f"Run {run_id} was pruned, see [retention]" if project.settings.retention.runs is not None else None


def _outcomes(told: Verdicts) -> Mapping[str, Sequence[EventRecord]]:
    """Return how each check last came out, what did not pass first, and of that the newest."""
    found: dict[str, list[EventRecord]] = {}
    for (_, name, _), record in told.items():
        found.setdefault(name, []).append(record)
    for records in found.values():
        records.sort(key=lambda each: (not _has_passed(each), each.at), reverse=True)
    return found


def _has_passed(record: EventRecord) -> bool:
    return isinstance(record.event, Checked) and record.event.passed


def _key(project: Project, text: str) -> AssetKey:
    """Return the one asset that a key, its last part or a selection means."""
    found = meant(project, text)
    if len(found) > 1:
        raise UsageError(
            f"{text!r} means {len(found)} assets, {listed(found)}.",
            hint=f"Name one: `assetry list -s {shlex.quote(text)}` shows them all.",
        )
    return found[0]


def _json(facts: Facts, session: Session) -> dict[str, Any]:
    asset, made = facts.asset, facts.made
    nexts = {} if facts.next is None else {asset.key: facts.next}
    (status,) = status_to_json([facts.status], nexts=nexts)["assets"]
    return {
        **asset_to_json(asset, session.project.group_of(asset)),
        "checks": [
            {
                "name": each.name,
                "severity": each.severity,
                "description": each.description,
                "source": each.source,
                "last": _last(next(iter(facts.checks.get(each.name, ())), None)),
                "partitions": [_last(told) for told in facts.checks.get(each.name, ()) if _part(told) is not None],
            }
            for each in asset.checks
        ],
        "consumers": [str(each.key) for each in facts.consumers],
        "columns_are": asset.columns_are,
        "column_differences": [{**each._asdict(), "text": str(each)} for each in _differences(facts)],
        "code_version": asset.code_version,
        "code_parts": dict(asset.code_parts),
        "metadata": data(asset.metadata),
        "facets": data(asset.facets),
        "status": status["status"],
        "reasons": status["reasons"],
        "roots": [{"key": str(key), "owners": list(session.project.graph[key].owners)} for key in facts.status.roots],
        "partitions": status["partitions"],
        "warnings": warnings_to_json(facts.warnings),
        "freshness": status["freshness"],
        "last_materialization": None if made is None else data(made),
        **told_json(session.project, made, asset.key, None),
        "last_attempt": None if facts.tried is None else data(facts.tried),
        "pruned": facts.pruned,
        "accepted": [each.to_json() for each in facts.accepted],
        "panels": [data(panel) for panel in facts.panels],
    }


def _text(facts: Facts, session: Session) -> Iterable[str]:
    asset = facts.asset
    yield styled(asset.key, bold=True)
    if asset.description:
        yield ""
        yield from (f"  {line}".rstrip() for line in asset.description.strip().splitlines())
    yield ""
    properties = list(_properties(facts, session))
    width = max(len(label) for label, _ in properties) + 2
    for label, value in properties:
        yield _property(label, value, width)
    yield from _parts(facts, session)
    for panel in facts.panels:
        yield from _panel(panel)


def _property(label: str, value: str, width: int) -> str:
    first, *more = value.splitlines() or [""]
    return "\n".join([f"  {label:<{width}}{first}", *(f"  {'':<{width}}{line}" for line in more)])


def _properties(facts: Facts, session: Session) -> Iterable[tuple[str, str]]:
    asset, status = facts.asset, facts.status
    listed = asset_to_json(asset, session.project.group_of(asset))
    yield "kind", f"{kind_of(asset)}, from {heading(asset)}"
    optional = {
        "source": session.place(asset.source, asset),
        "table": str(asset.relation) if asset.relation else None,
        "group": asset.group,
        "owners": ", ".join(asset.owners),
        "tags": ", ".join(asset.tags),
        "also known as": ", ".join(asset.aliases),
        "runs in": listed["invocation_group"],
        "partitions": f"{_partitions(asset)}{status.partitions.summary}" if status.partitions else None,
        **_policies(asset),
    }
    yield from ((label, value) for label, value in optional.items() if value)
    told = (f"{each.text}\n  {session.standing.hint(each.hint)}" if each.hint else each.text for each in status.reasons)
    reasons = "".join(f"\n- {each}" for each in told)
    yield "status", status.status + reasons
    owners = dict.fromkeys(owner for key in status.roots for owner in session.project.graph[key].owners)
    if owners:
        yield "ask", ", ".join(owners)
    if facts.warnings:
        yield "warning", "\n".join(str(each).removeprefix(f"{each.key} ") for each in facts.warnings)
    if status.freshness is not None:
        yield "data", _data(status.freshness)
    if facts.next is not None:
        yield "next", next_text(facts.next, datetime.now(UTC))
    if facts.made is not None:
        yield "last made", "\n".join(filter(None, [_made(facts.made, facts.before), facts.pruned]))


def _partitions(asset: Asset) -> str:
    tag: tuple[str, str] | None = getattr(asset.partitions_def, "json_tag", None)
    return f"{tag[1]}, " if tag else ""


def _data(freshness: Freshness) -> str:
    """Return how new data is, and when newer data is to be there."""
    of = "" if freshness.data_time is None else f", of {time_text(freshness.data_time)}"
    by = "" if freshness.deadline is None else f", newer by {time_text(freshness.deadline)}"
    more = [freshness.text] if freshness.state != "met" else []
    told = "".join(f"\n- {each}" for each in (*more, freshness.doubt) if each)
    return f"{freshness.state.replace('_', ' ')}{of}{by}{told}"


def _policy(policy: FreshnessPolicy) -> str:
    """Return what a freshness policy asks."""
    if policy.has_ended:
        return str(policy.ended)
    age, lag = policy.max_age, policy.maximum_lag
    when = f" at the ticks of {policy.cron} ({policy.timezone})" if policy.cron else ""
    told = [f"at most {age_text(age)} old" if age else "", f"data at most {age_text(lag)} behind{when}" if lag else ""]
    return ", ".join(each for each in told if each)


def _policies(asset: Asset) -> Mapping[str, str | None]:
    fresh, retry, automation = asset.freshness_policy, asset.retry_policy, asset.automation
    return {
        "freshness": _policy(fresh) if fresh else None,
        "retries": f"up to {retry.attempts}" if retry else None,
        "automation": str(automation) if automation else None,
        "grows": {"append": "rows are only added", "never": "with its definition alone"}.get(asset.grows),
        "pool": asset.pool and asset.pool + (f", {asset.weight} slots" if asset.weight > 1 else ""),
        "kept in": asset.io.partition(":")[0] if asset.io else None,
    }


def _last(told: EventRecord | None) -> dict[str, Any] | None:
    """Return how a check last came out, as JSON."""
    if told is None or not isinstance(told.event, Checked):
        return None
    event = told.event
    return {
        "partition": event.partition,
        "passed": event.passed,
        "message": event.message,
        "at": told.at.astimezone(UTC).isoformat(),
        "run": told.run,
        "metadata": data(event.metadata),
    }


def _outcome(told: Sequence[EventRecord]) -> str:
    """Return how a check last came out, as words; of partitions the worst, and how many are so."""
    event = told[0].event if told else None
    if not isinstance(event, Checked):
        return "not run yet"
    when = ago(told[0].at, datetime.now(UTC))
    message = f": {cut(event.message, 80)}" if event.message and not event.passed else ""
    parts = [each for each in told if _part(each) is not None]
    alike = sum(_has_passed(each) == event.passed for each in parts)
    where = f" in {alike:,} of {counted(len(parts), 'partition')}" if parts else ""
    which = f", {event.partition}" if event.partition is not None and not event.passed else ""
    return f"{event.outcome} {when}{where}{which}{message}"


def _part(told: EventRecord) -> str | None:
    return told.event.partition if isinstance(told.event, Checked) else None


def _columns(facts: Facts) -> Iterable[Sequence[str]]:
    """Yield the columns that are declared, each with what differs of it, then those that only the table has."""
    seen = facts.made.columns if facts.made is not None and facts.made.columns else ()
    types = {each.name.casefold(): each.type for each in seen}
    declared = {each.name.casefold() for each in facts.asset.columns}
    word = "described" if facts.asset.columns_are == "described" else "declared"
    told = {each.column: _remark(each).replace("declared", word) for each in _differences(facts)}
    for each in facts.asset.columns:
        remarks = (told.get(each.name), cut(each.description, 60))
        yield each.name, each.type or types.get(each.name.casefold()) or "", "; ".join(filter(None, remarks))
    for each in seen:
        if each.name.casefold() not in declared:
            yield each.name, each.type or "", f"not {word}" if declared else ""


def _remark(difference: Difference) -> str:
    """Return what differs of a column, beside its name."""
    return str(difference).removeprefix(f"`{difference.column}`").removeprefix(" is").strip(": ")


def _differences(facts: Facts) -> Sequence[Difference]:
    """Return what differs of the columns of the table that was made last; also where they are only described."""
    made, asset = facts.made, facts.asset
    if made is None or not made.columns:
        return ()
    are = "needed" if asset.columns_are == "described" else asset.columns_are
    return tuple(differences(asset.columns, made.columns, are))


def _made(made: Materialization, before: Materialization | None) -> str:
    took = f", in {duration(made.seconds)}" if made.seconds is not None else ""
    partition = f", partition {made.partition}" if made.partition else ""
    told = [f"{moment(made.at)} ({ago(made.at, datetime.now(UTC))}){took}{partition}, by run {made.run}"]
    told += [rows] if (rows := rows_text(made, before)) is not None else []
    return "\n".join(told)


def _parts(facts: Facts, session: Session) -> Iterable[str]:
    asset, graph = facts.asset, session.project.graph
    for title, others in (("Made from", [graph[dep.key] for dep in asset.deps]), ("Used by", facts.consumers)):
        rows = [(each.key, kind_of(each), session.place(each.source, each) or "") for each in others]
        yield from _section(title, rows)
    checks = [
        (each.name, each.severity, _outcome(facts.checks.get(each.name, ())), cut(each.description, 60))
        for each in asset.checks
    ]
    yield from _section("Accepted", accepted_rows(facts.accepted))
    yield from _section("Checks", checks)
    yield from _section("Columns", list(_columns(facts)))
    room, told = None if session.verbose else 100, {name for panel in facts.panels for name in panel.tells}
    left = {str(name): str(value) for name, value in asset.metadata.items() if name not in told}
    metadata = [(name, cut(value, room) if room else value) for name, value in left.items()]
    yield from _section("Metadata", metadata)
    find = session.project.pictures.find
    yield from metadata_lines(facts.made, facts.before, find, everything=session.verbose > 0)
    if session.verbose:
        yield from _section("Code", [(name, cut(version, 16)) for name, version in asset.code_parts.items()])
        found = [(name, ", ".join(facet_values(asset.facets, name))) for name in facet_methods(asset.facets)]
        yield from _section("Facets", found)


def _section(title: str, rows: Sequence[Sequence[str]]) -> Iterable[str]:
    if rows:
        yield ""
        yield f"  {styled(title, bold=True)}"
        yield from aligned(rows, indent="    ")


def _panel(panel: Panel) -> Iterable[str]:
    yield ""
    yield f"  {styled(panel.title, bold=True)}"
    yield from (f"    {line}".rstrip() for line in panel.markdown.splitlines())
    if panel.rows:
        rows = [tuple(map(str, row)) for row in panel.rows]
        yield from aligned([panel.columns, *rows] if panel.columns else rows, indent="    ")
    links: Mapping[str, str] = panel.links
    yield from aligned(links.items(), indent="    ")


command = verb(
    "show",
    click.Argument(["key"], metavar="KEY"),
    click.Option(["-p", "--partition"], metavar="PART", help="Show one partition: by its key, or last."),
    loads=True,
)(show_asset)
