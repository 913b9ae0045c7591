"""``assetry show KEY -p PART``: one partition, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from assetry.cli.definitions.accepted import accepted_rows
from assetry.cli.text import ago, aligned, counted, cut, duration, moment, styled
from assetry.project.partition import Neighbour, PartitionFacts
from assetry.types.events import Checked
from assetry.views.acceptances import said
from assetry.views.json import data


def partition_json(facts: PartitionFacts) -> dict[str, Any]:
    """Return one partition as ``assetry show KEY -p PART --output json`` has it."""
    return {
        "key": str(facts.asset.key),
        "partition": facts.key,
        "status": facts.state,
        "running": facts.running,
        "reasons": [{"code": each.code, "asset": str(each.asset), "text": each.text} for each in facts.reasons],
        "last_materialization": None if facts.made is None else data(facts.made),
        "last_attempt": None if facts.tried is None else data(facts.tried),
        "code_version": facts.asset.code_version,
        "code_parts": dict(facts.asset.code_parts),
        "accepted": [each.to_json() for each in said(facts.accepted)],
        "made_from": [_neighbour_json(each) for each in facts.read],
        "used_by": [_neighbour_json(each) for each in facts.readers],
        "checks": [
            {"name": name, "passed": told.event.passed, "message": told.event.message, "partition": partition}
            for (_, name, partition), told in facts.checks.items()
            if isinstance(told.event, Checked)
        ],
    }


def _neighbour_json(each: Neighbour) -> dict[str, Any]:
    sets = each.status.partitions
    return {
        "key": str(each.status.key),
        "status": each.status.status,
        "partitions": None if sets is None else each.parts.to_json(sets.definition),
        "missing": None if sets is None else each.missing.to_json(sets.definition),
        "read": each.version,
    }


def partition_lines(facts: PartitionFacts) -> Iterable[str]:
    """Yield one partition as lines for people."""
    yield f"{styled(facts.asset.key, bold=True)}  {facts.key}"
    yield ""
    running = ", being made now" if facts.running else ""
    reasons = "".join(f"\n             - {reason.text}" for reason in facts.reasons)
    yield f"  status     {facts.state}{running}{reasons}"
    made = facts.made
    if made is not None:
        took = f", in {duration(made.seconds)}" if made.seconds is not None else ""
        yield f"  made       {moment(made.at)} ({ago(made.at, datetime.now(UTC))}){took}, by run {made.run}"
        yield f"  code       {_code(facts)}"
        yield f"  version    {made.data_version}"
        rows = made.metadata.get("rows")
        if isinstance(rows, int):
            yield f"  holds      {counted(rows, 'row')}"
    tried = facts.tried
    if tried is not None and tried.outcome != "materialized":
        told = f": {cut(tried.message)}" if tried.message else ""
        yield f"  last try   {tried.outcome.replace('_', ' ')} in run {tried.run}{told}"
    for title, neighbours in (("Made from", facts.read), ("Used by", facts.readers)):
        if neighbours:
            yield ""
            yield f"  {styled(title, bold=True)}"
            yield from aligned([_row(each) for each in neighbours], indent="    ")
    accepted = accepted_rows(said(facts.accepted))
    if accepted:
        yield ""
        yield f"  {styled('Accepted', bold=True)}"
        yield from aligned(accepted, indent="    ")
    checks = [
        (name, "" if partition is None else partition, told.event.outcome, cut(told.event.message or "", 80))
        for (_, name, partition), told in facts.checks.items()
        if isinstance(told.event, Checked)
    ]
    if checks:
        yield ""
        yield f"  {styled('Checks', bold=True)}"
        yield from aligned(checks, indent="    ")


def _row(each: Neighbour) -> tuple[str, str, str]:
    sets = each.status.partitions
    missing = f"never made: {each.missing.text(sets.definition)}" if sets is not None and each.missing else ""
    told = cut(each.text or "no partition", 80) if sets is not None else each.status.status
    return str(each.status.key), told, cut(missing, 80)


def _code(facts: PartitionFacts) -> str:
    assert facts.made is not None
    before, now = facts.made.code_version, facts.asset.code_version
    if facts.made.accepted is not None and facts.made.accepted.code_version not in (None, before):
        return f"{cut(str(facts.made.accepted.code_version), 16)}, accepted as {cut(str(before), 16)}"
    if before is None:
        return "not known"
    return cut(before, 16) + ("" if now in (None, before) else f", now {cut(str(now), 16)}")
