"""``assetry logs [RUN]``: the events of a run."""

from __future__ import annotations

import time
from collections.abc import Iterable

import click

from assetry.cli.command import run_argument, verb
from assetry.cli.definitions.metadata import told_lines
from assetry.cli.lines import event_line, further_lines
from assetry.cli.session import Session
from assetry.types.events import Content, Event, Handle, Log, Progress
from assetry.types.records import RunInfo
from assetry.views.json import event_to_json, json_line, run_to_json

#: Seconds between two looks at a run that is followed.
_PAUSE = 0.3


def show_logs(session: Session, run: str | None, follow: bool) -> None:
    """Show the events of a run: of the last one, or of RUN (its id, or a unique beginning of it).

    -v also shows debug lines, progress, metadata of what was made, and by what jobs are found again.
    """
    found = session.project.find_run(run)
    if "events" in found.pruned:
        session.note(f"{pruned_text(found, 'events')}.")
    if session.output == "json":
        events = [event_to_json(record) for record in session.project.store.events(found.id)]
        session.emit({**run_to_json(found), "events": events})
        return
    seen = _write(session, found.id, 0)
    while follow and _is_running(session, found):
        time.sleep(_PAUSE)
        seen = _write(session, found.id, seen)
    if follow:
        _write(session, found.id, seen)  # what was written between the last look and the end


def pruned_text(run: RunInfo, what: str) -> str:
    """Return, for people, since when the events, or attempts, of a run are gone."""
    return f"The {what} of run {run.id} were pruned on {run.pruned[what].astimezone():%Y-%m-%d}, see [retention]"


def _is_running(session: Session, run: RunInfo) -> bool:
    now = session.project.store.run(run.id)
    return now is not None and now.state == "running"


def _write(session: Session, run_id: str, seen: int) -> int:
    """Write the events after the first `seen`; return how many there are."""
    for record in session.project.store.events(run_id, seen):
        seen += 1
        if session.output == "ndjson":
            session.say(json_line(record))
        elif session.verbose or is_for_people(record.event):
            session.say(
                "\n".join((event_line(record), *further_lines(record.event), *_metadata(session, record.event)))
            )
    return seen


def _metadata(session: Session, event: Event) -> Iterable[str]:
    """Yield what was told of an asset, where more than a line of it was asked for."""
    if session.verbose and isinstance(event, Content):
        found = told_lines(event.metadata, {}, session.project.pictures.find)
        yield from (f"{'':<10}{each}" for each in found)


def is_for_people(event: Event) -> bool:
    """Tell whether an event is worth a line unless more was asked for."""
    # What a job is found again by is no sentence, and its tool tells in words that it runs.
    return not isinstance(event, (Progress, Handle)) and not (isinstance(event, Log) and event.level == "debug")


command = verb(
    "logs",
    run_argument(),
    click.Option(["-f", "--follow"], is_flag=True, help="Go on until the run ends."),
)(show_logs)
