"""``assetry observe``: look at what happened outside, and record it."""

from __future__ import annotations

from assetry.cli.command import verb
from assetry.cli.outcome import CODES
from assetry.cli.progress import progress_for
from assetry.cli.session import Session
from assetry.cli.text import counted
from assetry.views.json import result_to_json


def observe_assets(session: Session) -> int:
    """Ask the tools what became of their assets: syncs that others started, new rows in sources, tables that are gone.

    Nothing is run. What has new content makes stale what is downstream of it; what is gone is out of date itself. Exit
    code 1 when a tool, or a place that keeps tables, could not be asked.
    """
    project = session.project
    with progress_for(session) as progress:
        result = project.observe(session.selection(), on_event=progress.take)
    if session.text:
        counts = result.counts
        gone = f", {counts['gone']} gone" if counts.get("gone") else ""
        told = (
            f"{counted(counts.get('observed', 0), 'asset')} observed, {counts.get('new_content', 0)} with new content"
        )
        session.say(told + gone)
    elif session.output == "json":
        session.emit(result_to_json(result.run, result.counts, result.outcomes.values(), progress.view.checks))
    return CODES[result.run.state]


command = verb("observe", selects=True)(observe_assets)
