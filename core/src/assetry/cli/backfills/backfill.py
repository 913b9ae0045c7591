"""``assetry backfill``: make partitions of a selection, however many, piece by piece."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.core import ParameterSource

from assetry.cli.backfills.backfills import backfill_lines
from assetry.cli.backfills.progress import BackfillProgress, progress_of
from assetry.cli.command import verb
from assetry.cli.runs.plan import plan_lines
from assetry.cli.session import Session
from assetry.cli.text import counted, duration
from assetry.errors import UsageError
from assetry.io.private_files import private_file, private_folder
from assetry.project.backfills.asked import ONLY, RETRIES
from assetry.project.backfills.backfills import BackfillPlan, refuse_taken_name
from assetry.python.prints import without_echo
from assetry.status.backfill import Backfill
from assetry.views.backfill import backfill_to_json
from assetry.views.json import plan_to_json

#: Exit codes by how it stands when the command ends: one that is still wanted was interrupted.
CODES = {"done": 0, "failed": 1, "cancelled": 130, "queued": 130, "running": 130}
#: Beyond so many partitions a person is asked, on a terminal.
MANY = 1000


def backfill(
    session: Session,
    name: str | None,
    partition: tuple[str, ...],
    dry_run: bool,
    detach: bool,
    yes: bool,
    resume: str | None,
    failed: bool,
    **ask: Any,
) -> int:
    """Make partitions of what is selected, however many: in chunks of about ten minutes, the oldest first.

    What is wanted is kept, and how far it is follows from what was made: after a kill, or Ctrl-C, --resume goes on. A
    chunk goes through all assets before the next one; what fails is tried again, and stops only what is made from it.
    Exit code 1 when some of it could not be made, 130 when it was cancelled or interrupted.
    """
    project, given = session.project, {key: value for key, value in ask.items() if value is not None}
    if resume is not None or failed:
        if name is not None or partition or session.select or session.exclude or dry_run or _said(ask):
            raise UsageError("A backfill that goes on makes what it was asked for.", hint="Give --resume ID alone.")
        if detach:
            return _detached(session, project.resume_backfill(resume, failed=failed, start=False))
        return _carry_out(session, lambda how: project.resume_backfill(resume, failed=failed, **how), failed)
    refuse_taken_name(project.store, name, lambda each: project.find_backfill(each.id).state)
    planned = project.plan_backfill(session.selectors, partition, session.exclude, **given)
    if dry_run:
        _show(session, planned)
        return 0
    if not planned.plan.invocations:
        session.say("Nothing to make: all of it is there.") if session.text else session.emit({"wanted": 0, "left": 0})
        return 0
    if planned.partitions > MANY and not yes and sys.stdin.isatty():
        click.confirm(f"{sentence(planned)} Make them?", abort=True, err=True)

    def asked(**how: Any) -> Backfill:
        return project.backfill(session.selectors, partition, session.exclude, name=name, **how, **given)

    if detach:
        return _detached(session, asked(start=False))
    session.note(sentence(planned))
    return _carry_out(session, lambda how: asked(**how))


def _said(names: Iterable[str]) -> bool:
    """Tell whether one of some options was given."""
    context = click.get_current_context()
    return any(context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in names)


def sentence(planned: BackfillPlan) -> str:
    """Return how much a backfill is, for people."""
    assets = len({asset.key for each in planned.plan.invocations for asset in each.invocation.assets})
    about = "" if planned.seconds is None else f"; about {duration(planned.seconds)}, by what they took before"
    return f"{counted(planned.partitions, 'partition')} of {counted(assets, 'asset')}{about}."


def _show(session: Session, planned: BackfillPlan) -> None:
    """Show what would be made."""
    if not session.text:
        session.emit({"partitions": planned.partitions, "seconds": planned.seconds, "plan": plan_to_json(planned.plan)})
        return
    session.say("\n".join(plan_lines(planned.plan, session, planned.partitions)))
    session.say(f"{sentence(planned)} Made in one go it would be this plan; a backfill makes it in chunks.")


def _carry_out(session: Session, work: Callable[[dict[str, Any]], Backfill], only_failed: bool = False) -> int:
    progress: BackfillProgress
    with progress_of(session) as progress, without_echo():
        found = work({"on_event": progress.hear, "on_progress": progress.take})
    mended = only_failed and not found.only_failed and found.state in ("queued", "cancelled")
    if session.text:
        session.say("\n".join(backfill_lines(found)))
        if mended:
            session.note(f"What had failed is made: `assetry backfill --resume {found.id}` goes on with what is left.")
        elif found.state == "queued":
            session.note(f"It was interrupted: `assetry backfill --resume {found.id}` goes on with it.")
        elif found.state in ("failed", "cancelled"):
            only = "; --failed only what failed" if found.failed else ""
            session.note(f"`assetry backfill --resume {found.id}` tries what is left again{only}.")
    else:
        session.emit(backfill_to_json(found))
    return 0 if mended else CODES[found.state]


def _detached(session: Session, found: Backfill) -> int:
    """Let a process of its own carry out a backfill, which goes on when this terminal is closed."""
    folder = session.project.root / ".assetry" / "backfills"
    private_folder(folder)
    log = private_file(folder / f"{found.id}.log")
    only = ["--failed"] if found.only_failed else []
    with log.open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "assetry", "backfill", "--resume", found.id, *only],
            cwd=session.project.root,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=dict(os.environ),
            start_new_session=True,
        )
    if session.text:
        session.say(f"Backfill {found} is carried out by process {child.pid}.")
        session.note(f"`assetry backfills {found.id}` shows how it stands, `assetry cancel {found.id}` stops it; {log}")
    else:
        session.emit({**backfill_to_json(found), "process": child.pid, "log": str(log)})
    return 0


command = verb(
    "backfill",
    click.Argument(["name"], required=False, metavar="[NAME]"),
    click.Option(
        ["-p", "--partition"], multiple=True, metavar="PARTS", help="Which partitions: 2026-01..2026-03, all …"
    ),
    click.Option(["--only"], type=click.Choice(ONLY), default="all", help="all (default), what is missing, or stale."),
    click.Option(["--at-once"], type=click.IntRange(min=1), help="At most so many invocations side by side."),
    click.Option(["--max-partitions"], type=click.IntRange(min=1), help="At most so many of an asset in a chunk."),
    click.Option(["--newest-first"], is_flag=True, help="Begin with the newest partitions."),
    click.Option(["--why"], metavar="TEXT", help="A reason, for others."),
    click.Option(
        ["--retries"], type=click.IntRange(min=0), default=RETRIES, show_default=True, help="Tries more of each."
    ),
    click.Option(["--stop-after"], type=click.IntRange(min=1), help="Stop after so many failed partitions."),
    click.Option(["--dry-run"], is_flag=True, help="Show what would be made, and about how long it takes."),
    click.Option(["--detach"], is_flag=True, help="Let a process of its own carry it out."),
    click.Option(["-y", "--yes"], is_flag=True, help=f"Do not ask, also above {MANY:,} partitions."),
    click.Option(["--resume"], metavar="ID", help="Go on with a backfill."),
    click.Option(["--failed"], is_flag=True, help="With --resume, or of the last one: only what failed."),
    selects=True,
)(backfill)
