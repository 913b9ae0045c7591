"""``assetry accept SEL``: what was made counts as made from what it would be made from now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click

from assetry.cli.command import verb
from assetry.cli.definitions.accepted import causes_text, which_text
from assetry.cli.session import Session
from assetry.cli.text import aligned, counted, cut
from assetry.errors import UsageError
from assetry.project.upkeep.accepting import Accepting
from assetry.status.accepted import CAUSES
from assetry.views.acceptances import said


def accept(
    session: Session,
    selections: Sequence[str],
    partition: Sequence[str],
    cause: Sequence[str],
    why: str,
    by: str | None,
    undo: bool,
    dry_run: bool,
) -> None:
    """Let what was made count as made from what it would be made from now: nothing is made anew.

    For a change that changes no data: a comment, a refactoring, another name for a column that nobody reads. What
    failed or is missing stays so, and `assetry show` tells for ever who accepted what, when and why. --cause limits it
    to some reasons, -p to some partitions; --dry-run tells what would be accepted. --undo takes it back.
    """
    session.select = (*session.select, *selections)
    if not session.select:
        raise UsageError(
            "What is to be accepted?", hint="`assetry accept shop/orders --why …`; `assetry status` tells."
        )
    found = session.project.accept(
        session.selection(),
        why=why,
        partition=list(partition),
        cause=list(cause),
        by=by,
        undo=undo,
        dry_run=dry_run,
    )
    if not session.text:
        session.emit(_json(found))
        return
    session.say("\n".join(_lines(found, undo)))
    if found.accepted and not undo and not dry_run:
        session.note(f"{session.again('assetry accept --undo')} takes it back.")


def _lines(found: Accepting, undo: bool) -> Iterable[str]:
    rows = [(f"  {each.key}", which_text(each), causes_text(each)) for each in said(found.accepted)]
    many = "is" if len(rows) == 1 else "are"
    done = "counted as before" if undo else "accepted"
    would = "would be" if found.dry_run else many
    none = "Nothing was accepted that still counts." if undo else "Nothing is accepted."
    yield f"{counted(len(rows), 'asset')} {would} {done}:" if rows else none
    yield from aligned(rows)
    for title, told in (("Not accepted" if rows else "Because", found.left), ("Out of date all the same", found.still)):
        if told:
            yield f"{title}:"
            yield from aligned([(f"  {key}", cut(text)) for key, text in told.items()])


def _json(found: Accepting) -> dict[str, Any]:
    return {
        "dry_run": found.dry_run,
        "accepted": [each.to_json() for each in said(found.accepted)],
        "left": [{"key": str(key), "because": text} for key, text in found.left.items()],
        "still": [{"key": str(key), "because": text} for key, text in found.still.items()],
    }


command = verb(
    "accept",
    click.Argument(["selections"], nargs=-1, metavar="[SELECTION]..."),
    click.Option(["-p", "--partition"], multiple=True, metavar="PART", help="Only these partitions."),
    click.Option(["--cause"], multiple=True, metavar="CAUSE", help=f"Only these reasons: {', '.join(CAUSES)}."),
    click.Option(["--why"], default="", metavar="TEXT", help="Why nothing has to be made; it is kept for ever."),
    click.Option(["--by"], metavar="NAME", help="Who accepts it; else the user of the system."),
    click.Option(["--undo"], is_flag=True, help="Take back what was accepted."),
    click.Option(["--dry-run"], is_flag=True, help="Tell what would be accepted, and accept nothing."),
    selects=True,
)(accept)
