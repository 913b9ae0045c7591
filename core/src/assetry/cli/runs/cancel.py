"""``assetry cancel ID``: stop a run that another process carries out, or take it out of the queue."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime

import click

from assetry.cli.command import run_argument, verb
from assetry.cli.session import Session
from assetry.errors import RunError
from assetry.store.leases.processes import is_alive
from assetry.types.records import RunInfo

#: Seconds to wait for the end of the run: what tools have to stop, and a little more.
_PATIENCE = 40.0
_PAUSE = 0.1


def cancel_run(session: Session, run: str, wait: bool) -> None:
    """Stop a run: its tools are stopped, and what was finished is kept. `assetry retry` does the rest later.

    RUN is the id of a run, also of one that waits, or a unique beginning of it.
    """
    found = session.project.find_run(run)
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
    run_argument(required=True),
    click.Option(["--wait/--no-wait"], default=True, show_default=True, help="Wait for the end of the run."),
)(cancel_run)
