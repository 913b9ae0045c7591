"""``assetry materialize``: run a selection, and show each result as it comes."""

from __future__ import annotations

from typing import Unpack

from assetry.cli.command import verb
from assetry.cli.outcome import carry_out
from assetry.cli.runs.plan import ASK_OPTIONS, notes, nothing
from assetry.cli.session import Session
from assetry.project.ask import Ask, PlanKeywords
from assetry.views.json import nothing_to_json


def materialize_assets(session: Session, **ask: Unpack[PlanKeywords]) -> int:
    """Run everything, or what is selected, in the fewest invocations of its tools.

    An asset starts as soon as its own inputs are made and their checks have passed; what fails stops only what is
    made from it. Exit code 1 when an asset, a check or something else of a tool failed, 130 when the run was cancelled
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
    options = {"select": list(session.select), "exclude": list(session.exclude), **Ask.of(ask)[0].options()}
    return carry_out(session, lambda on_event: project.run(plan, options=options, on_event=on_event))


def say_nothing(session: Session, text: str) -> None:
    """Say that there is nothing to run, in the asked form."""
    if session.text:
        session.say(text)
    elif session.output == "json":
        session.emit(nothing_to_json())


command = verb("materialize", *ASK_OPTIONS, selects=True)(materialize_assets)
