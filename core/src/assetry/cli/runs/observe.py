"""``assetry observe``: look at what happened outside, and record it."""

from __future__ import annotations

from collections.abc import Mapping

from assetry.cli.command import verb
from assetry.cli.outcome import CODES
from assetry.cli.progress import progress_for
from assetry.cli.session import Session
from assetry.cli.text import counted
from assetry.types.events import Log
from assetry.types.records import EventRecord
from assetry.views.json import result_to_json


def observe_assets(session: Session) -> int:
    """Ask the tools what became of their assets: syncs that others started, new rows in sources, tables that are gone.

    Nothing is run. What has new content makes stale what is downstream of it; what is gone is out of date itself. Exit
    code 1 when a tool, or a place that keeps tables, could not be asked.
    """
    project, failures = session.project, list[str]()
    with progress_for(session) as progress:

        def hear(record: EventRecord) -> None:
            progress.take(record)
            if isinstance(record.event, Log) and record.event.level == "error":
                failures.append(record.event.message)

        result = project.observe(session.selection(), on_event=hear)
    for failure in failures if session.quiet else ():
        session.alarm(failure)
    if session.text:
        session.say(_told(result.counts))
    elif session.output == "json":
        session.emit(result_to_json(result.run, result.counts, result.outcomes.values(), progress.view.checks))
    return CODES[result.run.state]


def _told(counts: Mapping[str, int]) -> str:
    """Return what was seen, in numbers.

    >>> _told({"observed": 2, "gone": 1, "not_observed": 2})
    '2 assets observed, 0 with new content, 1 gone; 2 could not be looked at'
    """
    told = f"{counted(counts.get('observed', 0), 'asset')} observed, {counts.get('new_content', 0)} with new content"
    gone = f", {counts['gone']} gone" if counts.get("gone") else ""
    return f"{told}{gone}{f'; {unseen} could not be looked at' if (unseen := counts.get('not_observed')) else ''}"


command = verb("observe", selects=True)(observe_assets)
