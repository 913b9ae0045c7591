"""``assetry bump ID``: put what waits first."""

from __future__ import annotations

import click

from assetry.cli.command import verb
from assetry.cli.session import Session


def bump(session: Session, id: str) -> None:
    """Give something that runs or waits the class of what a person asks for: a run, or a backfill.

    ID is what `assetry queue` shows, or a unique beginning of it.
    """
    found = session.project.bump(id)
    if session.text:
        session.say(f"{found} is in the first class now; `assetry queue` shows who is before it.")
    else:
        session.emit({"id": found, "priority": 0})


command = verb("bump", click.Argument(["id"], metavar="ID"))(bump)
