"""``assetry materialize``: run a selection, and show each result as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

from assetry.cli.command import verb
from assetry.cli.outcome import carry_out
from assetry.cli.runs.plan import ASK_OPTIONS, ON_CONFLICT_OPTION, notes, nothing
from assetry.cli.session import Session
from assetry.project.ask import PlanKeywords
from assetry.project.runs.order import OnConflict
from assetry.run.result import RunResult
from assetry.types.records import EventRecord
from assetry.views.json import nothing_to_json


def materialize_assets(session: Session, on_conflict: OnConflict, **ask: Unpack[PlanKeywords]) -> int:
    """Run everything, or what is selected, in the fewest invocations of its tools.

    An asset starts as soon as its own inputs are made and their checks have passed; what fails stops only what is
    made from it. What others have made since it was planned is not made again by --stale. Exit code 1 when an asset, a
    check or something else of a tool failed, 5 when another run is making some of it, 130 when the run was cancelled
    (Ctrl-C).
    """
    chosen = session.selection()
    project = session.project
    plan = project.plan(chosen, **ask)
    if not plan.invocations:
        say_nothing(session, nothing(plan, len(chosen.keys)))
        return 0
    for note in notes(plan):
        session.note(note)

    def run(on_event: Callable[[EventRecord], None]) -> RunResult:
        # The selection as it was written: what it means may be another when it is planned anew.
        select, exclude = session.selectors, session.exclude
        how: dict[str, Any] = {"on_event": on_event, "on_conflict": on_conflict, "on_note": session.note}
        return project.materialize(select, exclude, plan=plan, **how, **ask)

    return carry_out(session, run)


def say_nothing(session: Session, text: str) -> None:
    """Say that there is nothing to run, in the asked form."""
    if session.text:
        session.say(text)
    elif session.output == "json":
        session.emit(nothing_to_json())


command = verb("materialize", *ASK_OPTIONS, ON_CONFLICT_OPTION, selects=True)(materialize_assets)
