"""Telling while runs go on: the process that is started for it, and what it does.

It is no child that anyone waits for: it goes on when the run's own process has ended. What it is to know it reads from
its standard input, because a store's address may have a password in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Any

from assetry.plugin import AssetryError, Checked, Event, EventContext, Failed, RunInfo, UsageError
from assetry_toolkit.clock import Clock, never

from assetry_notify.outbox import SPACE
from assetry_notify.sending import Sent, send
from assetry_notify.targets import read_table

#: Where the store keeps what kept such a process from telling anything, such as definitions that do not load.
TROUBLE = "/trouble"
#: For how many seconds a run that has told its end may take to be recorded as ended.
PATIENCE = 30.0

#: By run: when a process was started last that will tell of it while it goes on.
_BEGUN: dict[str, float] = {}
_LOCK = threading.Lock()


def hear(event: Event, run: RunInfo, context: EventContext) -> None:
    """Start a process that tells, when an event is worth it: a failure, once in a while, and the end of a run.

    Raises `OptionError` for tables that cannot be meant, so that a run says it and not only what tells.
    """
    over = event.name == "run_finished"
    failed = isinstance(event, Failed) or (isinstance(event, Checked) and event.stops)
    if not over and not failed:
        return
    table = read_table(context.tables)
    if not table.targets:
        return
    if not context.recorded:
        said = "Nobody is told of this run: its records end with it."
        raise UsageError(said, hint="Give the project a store that is kept.")
    pause = 0.0 if over else table.batch.total_seconds()
    if over:
        with _LOCK:
            _BEGUN.pop(run.id, None)
    elif not _is_due(run.id, pause):
        return
    _start({"root": context.root, "store": context.store_url, "run": run.id, "over": over, "pause": pause})


def _is_due(run: str, pause: float) -> bool:
    """Tell whether no process waits yet that will tell of a run while it goes on."""
    now = time.monotonic()
    with _LOCK:
        if run in _BEGUN and now < _BEGUN[run] + pause:
            return False
        _BEGUN[run] = now
        return True


def _start(task: dict[str, Any]) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "assetry_notify"],
        cwd=task["root"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert child.stdin is not None
    with child.stdin:
        child.stdin.write(json.dumps(task).encode())
    # Whoever started it reaps it, so that a long process leaves no dead ones behind; the thread waits for nothing else.
    threading.Thread(target=child.wait, name="assetry-notify", daemon=True).start()


# -- in that process ------------------------------------------------------------------------------------------------


def main(given: IO[bytes], clock: Clock | None = None) -> int:
    """Tell what is new, in the process that a run has started; return its exit code."""
    from assetry import Project

    clock = clock or Clock()
    task = json.loads(given.read())
    clock.sleep(task["pause"], never)
    project = Project.load(task["root"])
    project.settings = replace(project.settings, store=task["store"])
    with project:
        if task["over"]:
            _wait(project, task["run"], clock)
        try:
            sent = send(project, clock=clock)
            trouble = trouble_in(sent)
        except AssetryError as error:  # such as definitions that do not load
            sent, trouble = None, str(error)
        note_trouble(project, trouble)
    return 0 if sent is not None and sent.ok else 1


def trouble_in(sent: Sent) -> str | None:
    """Return what kept targets from being told anything; what could not be sent waits, and says why itself."""
    told = [f"{name}: {error}" for name, error in sent.errors.items() if name not in sent.waiting]
    return "\n".join(told) or None


def _wait(project: Any, run: str, clock: Clock) -> None:
    """Wait until a run is recorded as ended: what it made is being made until then."""
    end = clock.monotonic() + PATIENCE
    while clock.monotonic() < end:
        found = project.store.run(run)
        if found is None or found.state != "running":
            return
        clock.sleep(0.1, never)


def note_trouble(project: Any, trouble: str | None) -> None:
    """Keep what kept everything from being told, for `assetry notify status`; None when nothing did."""
    before = project.store.documents(SPACE).get(TROUBLE)
    if trouble is None and before is None:
        return
    value = None if trouble is None else {"at": datetime.now(UTC).isoformat(), "text": trouble}
    # Where another process was faster, its word is as new as ours.
    project.store.change_document(SPACE, TROUBLE, value, None if before is None else before.revision)
