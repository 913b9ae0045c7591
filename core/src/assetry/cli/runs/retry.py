"""``assetry retry [RUN]``: run what is left of a run, collapsed anew."""

from __future__ import annotations

from assetry.cli.command import run_argument, verb
from assetry.cli.outcome import carry_out
from assetry.cli.runs.materialize import say_nothing
from assetry.cli.session import Session
from assetry.cli.text import listed


def retry_run(session: Session, run: str | None) -> int:
    """Run what is left of a run: of the last one, or of RUN (its id, or a unique beginning of it).

    What it was to make, and has not been made since, is planned anew, in the fewest invocations.
    """
    project = session.project
    found = project.find_run(run)
    if found.state != "running" and not project.undone(found):
        say_nothing(session, f"Nothing is left of run {found.id}: all that it was to make is made.")
        problem = next(iter(project.problems_of(found)), None)
        if problem is not None:
            session.note(
                f"It failed all the same: {problem}\nTo have that done as well, run `assetry materialize` again."
            )
        return 0
    changed = project.changed_above(project.undone(found))
    if changed:
        # It was made in the run, so it is not left of it; but a mistake may have been mended there.
        session.note(
            f"{listed(changed)} changed since and {'is' if len(changed) == 1 else 'are'} not made again by a retry: "
            "`assetry materialize --stale` makes that, and what is below."
        )
    return carry_out(session, lambda on_event: project.retry(found.id, on_event=on_event))


command = verb("retry", run_argument())(retry_run)
