"""``assetry runs``: the history of runs."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from assetry.cli.command import verb
from assetry.cli.runs.queue import wanted_text
from assetry.cli.session import Session
from assetry.cli.text import STATE_COLOURS, ago, aligned, cut, duration, styled
from assetry.types.options import flag_of
from assetry.types.records import NO_MAKING, RunInfo
from assetry.views.json import run_to_json
from assetry.views.queue import ranges_of


def list_runs(session: Session, limit: int) -> None:
    """List the runs, newest first."""
    runs = session.project.store.runs(limit or None)
    names: dict[str | None, str | None] = {}
    if any(run.backfill for run in runs):
        names.update((record.id, record.body.get("name")) for record in session.project.store.backfills())
    if not session.text:
        session.emit({"runs": [{**run_to_json(run), "name": names.get(run.backfill)} for run in runs]}, rows="runs")
        return
    if not runs:
        session.note("There is no run yet. `assetry materialize` starts one.")
        return
    rows = [
        ("RUN", "STATE", "STARTED", "TOOK", "ASSETS", "ASKED"),
        *(_row(run, names.get(run.backfill)) for run in runs),
    ]
    head, *lines = aligned(rows)
    session.say(head)
    for run, line in zip(runs, lines, strict=True):
        before, state, after = line.partition(run.state)
        session.say(before + styled(state, fg=STATE_COLOURS.get(run.state)) + after)


def _row(run: RunInfo, name: str | None) -> tuple[str, ...]:
    """Return what is told of a run; `name` is that of the backfill that it is a chunk of."""
    now = datetime.now(UTC)
    # Of one that was killed it is known when it gave its last sign of life.
    at_least = "≥ " if run.state == "interrupted" else ""
    took = at_least + duration(((run.finished or now) - run.started).total_seconds())
    of = f"backfill {name or run.backfill}: " if run.backfill else ""
    return (run.id, run.state, ago(run.started, now), took, str(len(run.assets)), of + cut(asked(run), 40))


def asked(run: RunInfo) -> str:
    """Return what a run was asked, as options of the command line; what it makes, where it is a chunk of a backfill."""
    options = run.options
    if run.backfill:
        return wanted_text(run.assets, ranges_of(options.get("wants")))
    if not run.makes:
        word = next(name for name in NO_MAKING if options.get(name))
        of = options[word]
        return " ".join([word, *([of] if isinstance(of, str) else of if isinstance(of, list) else [])])
    words = [f"retry of {options['retry_of']}"] if options.get("retry_of") else []
    for name, flag in (("select", "-s"), ("exclude", "--exclude"), ("partition", "--partition")):
        value = options.get(name) or ()
        words += [f"{flag} {each}" for each in ([value] if isinstance(value, str) else value)]
    words += [flag_of(name) for name in ("stale", "full_refresh") if options.get(name)]
    by = options.get("asked_by")
    if by is not None:
        return f"{by}: {' '.join(words)}" if words else str(by)
    return " ".join(words) or "everything"


command = verb(
    "runs",
    click.Option(
        ["-n", "--limit"], type=click.IntRange(min=0), default=20, show_default=True, help="How many; 0: all."
    ),
)(list_runs)
