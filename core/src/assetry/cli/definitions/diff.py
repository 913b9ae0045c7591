"""``assetry diff``: how the definitions differ from those of before, and what that touches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import click

from assetry.cli.command import verb
from assetry.cli.definitions.impact import touched_lines
from assetry.cli.output import passing_note
from assetry.cli.runs.status import STALE
from assetry.cli.session import Session
from assetry.cli.text import aligned, counted, cut, duration, styled
from assetry.project.upkeep.before import Before
from assetry.project.upkeep.diff import Diff
from assetry.status.changes.definition import Definition
from assetry.status.changes.diff import Changed
from assetry.views.changes import diff_to_json

_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}
#: How many assets are named of each kind of change before the rest is only counted.
_MOST = 30


def show_diff(session: Session, since: str | None, exit_code: bool) -> int:
    """Compare the definitions with those of before: what is new, what is gone, what changed, and what that touches.

    Without --since that is what was last materialized. --since takes a commit (main, HEAD~1; main... for where this
    branch has left it), the id of a run, or a file: a tool's manifest, or what `assetry graph --output json` has
    printed. A commit is loaded in a folder of its own; the files here stay as they are. How long it takes is told by
    how long it took. -v names all that is touched.
    """
    found = session.project.diff(_placed(session, since), on_load=lambda name: _loading(session, name))
    if session.text:
        session.say("\n".join(_lines(found, session)))
        for each in found.before.notes:
            session.note(f"{each}.")
    else:
        before = found.before
        told = {"kind": before.kind, "name": before.name, "at": before.at, "commit": before.commit}
        document = diff_to_json(
            found.differences, found.following, found.prediction, {**told, "notes": list(before.notes)}
        )
        session.emit(document, rows="assets")
    return STALE if exit_code and found.any else 0


def _placed(session: Session, since: str | None) -> str | None:
    """Return a file as it is found from the folder that is worked in, also where it was named from elsewhere."""
    if since is None or os.path.exists(since):  # noqa: PTH110 - a text is all that is needed
        return since
    near = os.path.join(session.standing.folder, since)  # noqa: PTH118
    return near if os.path.isfile(near) else since  # noqa: PTH113


def _loading(session: Session, name: str) -> None:
    if not session.quiet:
        passing_note(f"Loading the definitions of {name} …", session.color)


def _lines(found: Diff, session: Session) -> Iterable[str]:
    differences, impact = found.differences, found.following.impact
    counts = {name: len(getattr(differences, name)) for name in _COLOURS}
    told = [styled(f"{count:,} {name}", fg=_COLOURS[name]) for name, count in counts.items() if count]
    touched = f"; {counted(len(impact.touched), 'more asset')} touched" if impact.touched else ""
    yield f"Since {_since(found.before)}: {', '.join(told) or 'no asset is defined otherwise'}{touched}"
    most = None if session.verbose else _MOST
    yield from _section("added", [_added(each, found) for each in differences.added], most)
    yield from _section("removed", [_named(each) for each in differences.removed], most)
    yield from _section("changed", [_changed(each) for each in differences.changed], most)
    if impact.touched:
        yield from touched_lines(impact, session.verbose > 0)
    yield from _to_make(found)


def _since(before: Before) -> str:
    if before.commit is not None:
        return f"{before.name} ({before.commit[:8]})"
    return f"run {before.name}" if before.kind == "run" else before.name


def _section(word: str, rows: Sequence[tuple[str, str]], most: int | None) -> Iterable[str]:
    shown = rows if most is None or len(rows) <= most + 1 else rows[:most]
    for number, line in enumerate(aligned(shown)):
        yield f"{styled(f'{word if not number else str():>9}', fg=_COLOURS[word])}  {line}"
    if len(shown) < len(rows):
        yield f"{'':>9}  and {len(rows) - len(shown):,} more; -v names them"


def _added(each: Definition, found: Diff) -> tuple[str, str]:
    before = found.differences.renamed.get(each.key)
    key, kind = _named(each)
    return key, f"{kind}, has the code of {before}, which is gone" if before else kind


def _named(each: Definition) -> tuple[str, str]:
    return each.key, each.kind if each.type == "asset" else f"{each.kind} {each.type}"


def _changed(each: Changed) -> tuple[str, str]:
    texts = dict.fromkeys(cut(change.text) for change in each.changes)
    return each.definition.key, "; ".join(texts)


def _to_make(found: Diff) -> Iterable[str]:
    made = found.following.to_make
    if not made:
        return
    yield ""
    partitions = f", {counted(found.following.partitions, 'partition')}" if found.following.partitions else ""
    told = f"To make: {counted(len(made), 'asset')}{partitions}"
    prediction = found.prediction
    if prediction.work:
        told += f"; about {duration(prediction.work)} of work"
        if prediction.longest < prediction.work:
            told += f", {duration(prediction.longest)} of it one after the other"
    if prediction.unknown:
        takes = "takes" if prediction.unknown == 1 else "take"
        some = "it takes" if prediction.unknown == len(made) else f"{prediction.unknown:,} of them {takes}"
        told += f"; how long {some} is not known"
    yield told


command = verb(
    "diff",
    click.Option(["--since"], metavar="COMMIT|RUN|FILE", help="Compare with these; else with what was last made."),
    click.Option(["--exit-code"], is_flag=True, help="Exit with 4 when anything is defined otherwise."),
    loads=True,
)(show_diff)
