"""``assetry record FILE``: a run of a tool that somebody else has started becomes a run here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from assetry.cli.command import verb
from assetry.cli.session import Session
from assetry.cli.text import STATE_COLOURS, aligned, counted, cut, moment, styled
from assetry.project.upkeep.external import Recorded
from assetry.views.json import run_to_json

#: What is counted, as people are told of it: of assets, and of checks.
_ASSETS = {"materialized": "made", "failed": "failed", "skipped": "skipped"}
_CHECKS = {"checks_passed": "passed", "checks_warned": "warned", "checks_failed": "failed"}


def record(session: Session, file: str, integration: str | None) -> None:
    """Record a run of a tool that was started elsewhere, in a CI or on a laptop, by the file that the tool wrote of it.

    Of dbt that is target/run_results.json, with the manifest.json of the same run beside it. What it made counts as
    made, from the code that it was made from, and checks as they came out. A run is recorded once, however often it is
    asked for. What was made here since stays as it is, and what was built in another place is left out.
    """
    found = session.project.record(Path(file), integration)
    if session.text:
        session.say("\n".join(_lines(found)))
        session.note(f"`assetry logs {found.run.id}` shows all that happened.")
    else:
        session.emit(_json(found))


def _lines(found: Recorded) -> Iterable[str]:
    what = f"{found.command or 'A run'} of {moment(found.run.started)}"
    state = styled(found.run.state, fg=STATE_COLOURS.get(found.run.state))
    if found.already:
        yield f"{what} is recorded already, as run {found.run.id}: {state}"
        return
    yield f"{what} is recorded as run {found.run.id}: {state}; {_counts(found)}"
    if found.left:
        yield styled("Left out:", fg="yellow")
        yield from aligned([(f"  {name}", cut(because)) for name, because in found.left.items()])


def _counts(found: Recorded) -> str:
    assets = [f"{found.counts[name]:,} {word}" for name, word in _ASSETS.items() if found.counts.get(name)]
    checked = [(found.counts.get(name, 0), word) for name, word in _CHECKS.items()]
    checks = [f"{counted(count, 'check')} {word}" for count, word in checked if count]
    return ", ".join([*assets, *checks]) or "nothing of it is of here"


def _json(found: Recorded) -> dict[str, Any]:
    return {
        **run_to_json(found.run),
        "already": found.already,
        "command": found.command,
        "counts": dict(found.counts),
        "left": [{"name": name, "because": because} for name, because in found.left.items()],
    }


command = verb(
    "record",
    click.Argument(["file"]),
    click.Option(["--integration"], metavar="NAME", help="Whose run it is, where several could have run it."),
    loads=True,
)(record)
