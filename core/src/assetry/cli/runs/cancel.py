"""``assetry cancel ID``: stop a run that another process carries out, or take it out of the queue."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime

import click

from assetry.cli.command import verb
from assetry.cli.session import Session
from assetry.errors import RunError
from assetry.project.backfills.backfills import find_backfill, known_backfill
from assetry.store.leases.processes import is_alive
from assetry.types.records import RunInfo

#: Seconds to wait for the end of the run: what tools have to stop, and a little more.
_PATIENCE = 40.0
_PAUSE = 0.1
#: What is said of a backfill that had ended before it was to be cancelled.
_ENDED = {"done": "is done already", "failed": "has failed already", "cancelled": "is cancelled already"}


def cancel(session: Session, id: str, wait: bool) -> None:
    """Stop a run: its tools are stopped, and what was finished is kept. `assetry retry` does the rest later.

    ID is the id of a run, also of one that waits, or of a backfill, or a unique beginning of it. Of a backfill nothing
    new starts from now on, and what runs is stopped; `assetry backfill --resume ID` goes on later.
    """
    if known_backfill(session.project.store, id) is not None:
        _cancel_backfill(session, id)
        return
    found = session.project.find_run(id)
    if found.state == "queued":
        # Whoever waits looks every second, wherever that is.
        session.project.store.finish(found.id, "cancelled", datetime.now(UTC))
        found = replace(found, state="cancelled")
    elif found.state == "running":
        _signal(session, found)
        if wait:
            found = _wait(session, found)
    else:
        session.note(f"Run {found.id} has already ended.")
    if session.text:
        session.say(f"run {found.id}: {found.state}")
    else:
        session.emit({"run": found.id, "state": found.state})


def _cancel_backfill(session: Session, id_: str) -> None:
    """Call a backfill off, and stop its runs as far as they can be reached from here."""
    project = session.project
    before = find_backfill(project.store, id_)
    called_off = project.cancel_backfill(before.id)
    for run in project.store.runs(running=True, backfill=called_off):
        try:
            _signal(session, run)
        except RunError as error:
            session.warn(f"{error.message} It is the last one of the backfill.")
    state = find_backfill(project.store, called_off).state
    if session.text:
        session.say(f"backfill {called_off}: {_ENDED.get(before.state, state)}")
    else:
        session.emit({"backfill": called_off, "state": state})


def _signal(session: Session, run: RunInfo) -> None:
    """Ask the process of a run to stop, as Ctrl-C would; never another one that was given its number since."""
    owner = session.project.store.owner(run.id)
    if owner is None or not is_alive(owner):
        raise RunError(
            f"Run {run.id} is carried out by process {run.process} on {run.host or 'another machine'}, "
            "which cannot be reached from here.",
            hint="Call `assetry cancel` there, or press Ctrl-C where it runs.",
        )
    try:
        os.kill(owner.pid, signal.SIGTERM)
    except ProcessLookupError:
        return  # it ended by itself just now
    except PermissionError:
        raise RunError(
            f"Process {owner.pid} of run {run.id} belongs to another user.", hint="Let that user cancel the run."
        ) from None


def _wait(session: Session, run: RunInfo) -> RunInfo:
    session.note(f"Asked run {run.id} to stop …")
    deadline = time.monotonic() + _PATIENCE
    while run.state == "running" and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        run = session.project.find_run(run.id)
    return run


command = verb(
    "cancel",
    click.Argument(["id"], metavar="ID"),
    click.Option(["--wait/--no-wait"], default=True, show_default=True, help="Wait for the end of the run."),
)(cancel)
