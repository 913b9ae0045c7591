"""``assetry prune``: what is recorded and nothing defines any more, deleted when asked; and old history."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from assetry.cli.command import verb
from assetry.cli.runs.old_history import prune_history
from assetry.cli.session import Session
from assetry.cli.text import ago, aligned, counted, cut, listed, styled
from assetry.errors import UsageError
from assetry.project.upkeep.pruning import Pruning
from assetry.status.changes.orphans import Orphan
from assetry.types.records import Origin
from assetry.views.orphans import orphan_to_json

#: How many partitions a line names.
_MOST = 3


def prune(
    session: Session, keys: Sequence[str], delete: bool, yes: bool, records_only: bool, history: bool, dry_run: bool
) -> int:
    """List what is recorded and nothing defines any more: assets, and partitions of those that are still there.

    --delete deletes what was made of them, and then forgets their records: all of it, or of KEYs. It asks first; where
    there is no terminal, --yes has to be given. What a definition still has, what was not made here, and what others
    stand on stays. --records-only deletes no data, and forgets the records alone.

    --history is about something else: it removes old events, runs, attempts and superseded materializations, as
    [retention] in the project file says. How assets are stays as it is, and so do runs that a retry may still need.
    """
    _check(keys, delete, yes, records_only, history)
    if history:
        prune_history(session, dry_run)
        return 0
    found = session.project.orphans(*keys)
    if not delete or dry_run:
        _tell(session, found)
        return 0
    due = [each for each in found if records_only or each.refused is None]
    if due and not yes:
        _ask(session, due, records_only)
    done = session.project.prune(*keys, records_only=records_only)
    if session.text:
        session.say("\n".join(_done_lines(done)).replace(f"{session.project.root}/", ""))
        if done.run is not None and done.deleted:
            session.note(f"`assetry logs {done.run.id}` keeps what was deleted.")
    else:
        session.emit(_done_json(done))
    return int(any(keys or each.failed for each in done.left))


def _check(keys: Sequence[str], delete: bool, yes: bool, records_only: bool, history: bool) -> None:
    if history and (keys or delete or records_only):
        raise UsageError("--history is about no assets.", hint="Leave the others out, or --history.")
    if not delete and (yes or records_only):
        option = "--records-only" if records_only else "--yes"
        raise UsageError(f"{option} goes with --delete.", hint=f"`assetry prune --delete {option}`.")


def _ask(session: Session, due: Sequence[Orphan], records_only: bool) -> None:
    """Have a person type what is to be deleted; raise `UsageError` when they do not, or cannot."""
    if not session.text or sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "Nothing is deleted without a yes.", hint="`assetry prune` lists what would be; --yes says that it may be."
        )
    session.say("\n".join(_lines(session, due)))
    names = {each.key for each in due}
    name = due[0].key if len(names) == 1 else session.project.root.name
    whose = "the records of it" if records_only else "it"
    typed = click.prompt(f"Type {name} to delete {whose}", default="", show_default=False, err=True)
    if typed.strip() != name:
        raise UsageError(f"That is not {name}: nothing was deleted.")


def _tell(session: Session, found: Sequence[Orphan]) -> None:
    if not session.text:
        session.emit({"orphans": [orphan_to_json(each) for each in found]}, rows="orphans")
        return
    session.say("\n".join(_lines(session, found)))
    if any(each.refused is None for each in found):
        session.note("`assetry prune --delete` deletes what was made of them, and their records.")
    if any(each.refused is not None for each in found):
        session.note("`assetry prune KEY --delete --records-only` forgets what is not deleted.")


def _lines(session: Session, found: Sequence[Orphan]) -> Iterable[str]:
    if not found:
        yield "Everything that is recorded is defined."
        return
    now = datetime.now(UTC)
    reasons: dict[str, list[Orphan]] = {}
    for each in found:
        if each.refused is None:
            reasons.setdefault(each.because, []).append(each)
    for because, those in reasons.items():
        yield f"{because[0].upper()}{because[1:]}:"
        yield from aligned(_row(session, each, now) for each in those)
    refused = [each for each in found if each.refused is not None]
    if refused:
        yield styled("Not to be deleted:", fg="yellow")
        for each, row in zip(refused, aligned(_row(session, each, now) for each in refused), strict=True):
            yield row
            yield f"    {each.because}, but {each.refused}"


def _row(session: Session, each: Orphan, now: datetime) -> Sequence[str]:
    where = [_place(origin, f"{session.project.root}/") for origin in each.origins]
    made = "never made" if each.last_made is None else f"made {ago(each.last_made, now)}"
    return f"  {_name(each)}", listed(filter(None, where)), _size(each), made


def _place(origin: Origin, root: str) -> str:
    """Return where something is, for people; of a table with the place that has it, where that is not in the folder."""
    if origin.relation is None:
        return (origin.io or "").replace(root, "")
    outside = origin.io is not None and root not in origin.io
    return f"{origin.relation} in {origin.io}" if outside else str(origin.relation)


def _name(each: Orphan) -> str:
    """Return an orphan with its partitions, for people."""
    if each.partitions is None or each.partitions == (None,):
        return str(each.key)
    named = ", ".join(str(part) for part in each.partitions[:_MOST])
    more = f" and {len(each.partitions) - _MOST:,} more" if len(each.partitions) > _MOST else ""
    return f"{each.key} [{named}{more}]"


def _size(each: Orphan) -> str:
    rows, size = each.total("rows"), each.total("bytes")
    return counted(rows, "row") if rows is not None else counted(size, "byte") if size is not None else ""


def _done_lines(done: Pruning) -> Iterable[str]:
    gone = [(f"  {_name(each)}", listed(what) if what else "only its record") for each, what in done.deleted]
    yield f"{styled('Deleted:', fg='green')}" if gone else "Nothing is deleted."
    yield from aligned(gone)
    if done.left:
        yield styled("Still there:", fg="yellow")
    for each in done.left:
        yield f"  {_name(each.orphan)}: {cut(each.because)}"
        if each.hint:
            yield f"    {each.hint}"


def _done_json(done: Pruning) -> dict[str, Any]:
    return {
        "run": None if done.run is None else done.run.id,
        "deleted": [{**orphan_to_json(each), "what": list(what)} for each, what in done.deleted],
        "left": [
            {**orphan_to_json(each.orphan), "left": each.because, "hint": each.hint, "failed": each.failed}
            for each in done.left
        ],
    }


command = verb(
    "prune",
    click.Argument(["keys"], nargs=-1, metavar="[KEY]..."),
    click.Option(["--delete"], is_flag=True, help="Delete what was made, and then its records."),
    click.Option(["--yes"], is_flag=True, help="Delete without being asked."),
    click.Option(["--records-only"], is_flag=True, help="With --delete: forget the records, delete no data."),
    click.Option(["--history"], is_flag=True, help="What is older than [retention] keeps, and no orphans."),
    click.Option(["--dry-run"], is_flag=True, help="Tell what would be removed, and remove nothing."),
    loads=True,
)(prune)
