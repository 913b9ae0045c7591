"""``assetry backfills [ID]``: the backfills and how they stand; one in full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click

from assetry.cli.command import verb
from assetry.cli.session import Session
from assetry.cli.text import ago, aligned, clock, cut, moment, styled
from assetry.status.backfill import Backfill
from assetry.views.backfill import backfill_to_json

COLOURS = {"queued": "yellow", "running": "blue", "cancelled": "yellow", "done": "green", "failed": "red"}


_HEAD = ("BACKFILL", "NAME", "STATE", "ASKED", "DONE", "FAILED", "BLOCKED", "LEFT", "END", "WHY")


def list_backfills(session: Session, id: str | None) -> None:
    """List the backfills, newest first; of ID (its id, a unique beginning of it, or its name) tell everything.

    One that is queued is wanted still, and no process carries it out: `assetry backfill --resume ID` does.
    """
    project = session.project
    if id is not None:
        found = project.find_backfill(id)
        if session.text:
            session.say("\n".join(backfill_lines(found)))
        else:
            session.emit(backfill_to_json(found))
        return
    known = project.backfills()
    if not session.text:
        session.emit({"backfills": [backfill_to_json(each) for each in known]}, rows="backfills")
    elif not known:
        session.note("There is no backfill yet. `assetry backfill -s SELECTION -p PARTS` starts one.")
    else:
        head, *lines = aligned([_HEAD, *_rows(known)])
        session.say(head)
        for each, line in zip(known, lines, strict=True):
            before, state, after = line.partition(f" {each.state} ")
            session.say(before + styled(state, fg=COLOURS[each.state]) + after)


def _rows(known: Sequence[Backfill]) -> list[tuple[str, ...]]:
    now = datetime.now(UTC)
    return [
        (
            each.id,
            cut(each.name or "", 24),
            each.state,
            ago(each.at, now),
            f"{each.done:,}/{each.wanted:,}",
            f"{each.failed:,}",
            f"{each.blocked:,}",
            f"{each.left:,}",
            end_text(each),
            cut(each.why or "", 40),
        )
        for each in known
    ]


def end_text(backfill: Backfill) -> str:
    """Return about when a backfill will be through, for people."""
    if backfill.eta is None:
        return "" if backfill.state != "running" or not backfill.left else "not known yet"
    today = backfill.eta.astimezone().date() == datetime.now().astimezone().date()
    return f"about {clock(backfill.eta)[:-3] if today else moment(backfill.eta)[:-3]}"


def backfill_lines(backfill: Backfill) -> Iterable[str]:
    """Yield a backfill as lines for people: how far it is, by asset, and what failed."""
    state = styled(backfill.state, fg=COLOURS[backfill.state], bold=True)
    yield f"{state}  backfill {backfill}: {counts_text(backfill)}"
    asked = [*(f"-s {each}" for each in backfill.select), *(f"-p {each}" for each in backfill.partition)]
    yield f"  asked {moment(backfill.at)} by {backfill.by}: {' '.join(asked)}"
    if backfill.why:
        yield f"  why: {backfill.why}"
    if backfill.assets:
        rows = [
            (str(each.key), f"{each.done:,}/{each.wanted:,}", f"{each.failed:,} failed" if each.failed else "")
            for each in backfill.assets
        ]
        yield from aligned(rows, indent="  ")
    for each in backfill.failures:
        yield f"  {styled('failed', fg='red')}  {each}"
    for each in backfill.notes:
        yield f"  {styled('note', fg='yellow')}  {each}"


def counts_text(backfill: Backfill) -> str:
    """Return how many partitions are how, for people.

    >>> counts_text(Backfill(id="b", state="done", at=datetime(2026, 1, 1, tzinfo=UTC), wanted=3, done=3))
    '3 of 3 done'
    """
    told = [f"{backfill.done:,} of {backfill.wanted:,} done"]
    told += [f"{backfill.failed:,} failed"] if backfill.failed else []
    told += [f"{backfill.blocked:,} wait for these"] if backfill.blocked else []
    told += [f"{backfill.left:,} left"] if backfill.left else []
    return ", ".join(told)


command = verb("backfills", click.Argument(["id"], required=False, metavar="[ID]"), loads=True)(list_backfills)
