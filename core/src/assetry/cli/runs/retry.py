"""``assetry retry [RUN]``: run what is left of a run, collapsed anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from assetry.cli.command import run_argument, verb
from assetry.cli.outcome import carry_out
from assetry.cli.runs.logs import pruned_text
from assetry.cli.runs.materialize import say_nothing
from assetry.cli.runs.plan import ON_CONFLICT_OPTION
from assetry.cli.session import Session
from assetry.cli.text import listed
from assetry.errors import UsageError
from assetry.project.history.left import LeftRun
from assetry.project.project import Project
from assetry.project.runs.order import OnConflict
from assetry.types.records import WELL, RunInfo

#: How many runs are named that have something left.
_MOST = 5


def retry_run(session: Session, run: str | None, on_conflict: OnConflict) -> int:
    """Run what is left of a run: of the last one, or of RUN (its id, or a unique beginning of it).

    What it was to make, and has not been made since, is planned anew, in the fewest invocations. Where nothing is left
    of the last run, and something of one other, that one is gone on with. Without RUN those that still go on are passed
    over, and a backfill is left to `assetry backfill --resume`.
    """
    project = session.project
    found = project.find_run(run, ended=True)
    if found.is_over:
        _refuse_undefined(project, found)
    left = project.undone(found)
    if found.is_over and (not left or (run is None and found.backfill)):
        problem = None if left else next(iter(project.problems_of(found)), None)
        other = _other(session, found) if run is None and problem is None else None
        if other is None:
            return _say_done(session, found, problem)
        found, left = other.run, project.undone(other.run)
        _refuse_undefined(project, found)
    changed = project.changed_above(left)
    if changed:
        # It was made in the run, so it is not left of it; but a mistake may have been mended there.
        session.note(
            f"{listed(changed)} changed since and {'is' if len(changed) == 1 else 'are'} not made again by a retry: "
            "`assetry materialize --stale` makes that, and what is below."
        )
    how: dict[str, Any] = {"on_conflict": on_conflict, "on_note": session.note}
    return carry_out(session, lambda on_event: project.retry(found.id, on_event=on_event, **how))


def _say_done(session: Session, run: RunInfo, problem: str | None) -> int:
    """Say that nothing is left of a run, and the `problem` that it had all the same; return the exit code."""
    say_nothing(session, f"Nothing is left of run {run.id}: all that it was to make is made.")
    if problem is not None:
        session.note(f"It failed all the same: {problem}\nTo have that done as well, run `assetry materialize` again.")
    return 0 if problem is None else 1


def _other(session: Session, last: RunInfo) -> LeftRun | None:
    """Return the run that has something left, None where none has; raise `UsageError` where several have.

    So it does where a backfill has left what was tried last; one that goes on is told only where nothing else is left.
    """
    found = session.project.left_runs()
    settled = [each for each in found if not each.goes_on] or found
    if settled and settled[0].run.backfill:
        _refuse_backfill(settled)
    others = [each for each in settled if not each.run.backfill]
    if len(others) > 1:
        named = "; ".join(f"`{each.command}` ({listed(each.assets)})" for each in others[:_MOST])
        more = f"; and {len(others) - _MOST} more: `assetry runs`" if len(others) > _MOST else ""
        raise UsageError(
            f"Nothing is left of run {last.id}, the last one, and something of {len(others)} before it.",
            hint=f"Name the one that you mean: {named}{more}.",
        )
    for each in others:
        session.note(f"Nothing is left of run {last.id}, the last one; run {each.run.id} is gone on with.")
        return each
    return None


def _refuse_backfill(left: Sequence[LeftRun]) -> NoReturn:
    """Raise `UsageError`: what is left of a backfill is made by going on with that, which keeps count of it."""
    first, id_ = left[0], left[0].run.backfill
    name = first.backfill.body.get("name") if first.backfill is not None else None
    is_are = "is" if len(first.assets) == 1 else "are"
    run = next((each for each in left if not each.run.backfill), None)
    other = "" if run is None else f"; `assetry retry {run.run.id}` with run {run.run.id} ({listed(run.assets)})"
    raise UsageError(
        f"What was left undone last, {listed(first.assets)}, {is_are} of backfill {id_ if name is None else name}"
        f"{', which still goes on' if first.goes_on else ''}.",
        hint=f"{'Once it has ended, ' if first.goes_on else ''}`{first.command}` goes on with it{other}.",
    )


def _refuse_undefined(project: Project, run: RunInfo) -> None:
    """Raise `UsageError` when the run was to make what it did not, and what the project no longer defines."""
    last = project.store.run_attempts(run.id)
    made = {key for (key, _), each in last.items() if each.outcome in WELL}
    gone = [key for key in run.assets if key not in project.graph and key not in made]
    unknown = [key for key in gone if (key, None) not in last] if "attempts" in run.pruned else []
    if unknown and unknown == gone:
        raise UsageError(
            f"{pruned_text(run, 'attempts')}: whether it made {listed(gone)} is not known any more.",
            hint="No definition here has "
            f"{'that key' if len(gone) == 1 else 'those keys'} now; `assetry materialize --stale` makes what is due.",
        )
    if gone:
        raise UsageError(
            f"Run {run.id} did not make {listed(gone)}, and no definition here has "
            f"{'that key' if len(gone) == 1 else 'those keys'} now.",
            hint="Where they have other names now, `assetry materialize --stale` makes them; else put them back.",
        )


command = verb("retry", run_argument(), ON_CONFLICT_OPTION)(retry_run)
