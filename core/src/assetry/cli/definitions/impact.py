"""``assetry impact KEY``: what a change of an asset touches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click

from assetry.cli.command import verb
from assetry.cli.definitions.describe import kind_of
from assetry.cli.session import Session
from assetry.cli.text import aligned, counted, cut, listed, styled
from assetry.status.changes.impact import Impact, Tally, Touched
from assetry.status.reasons import parts_text
from assetry.views.changes import impact_to_json

#: How many names a line has before the rest is only counted.
_MOST = 6


def show_impact(session: Session, keys: Sequence[str], partition: Sequence[str]) -> None:
    """Show what a change of an asset touches: all that is made from it, by kind, group and owner, and who reads it.

    KEY may be the last part of a key, or a selection that means several assets, such as tag:pii. -p limits the change
    to some partitions of it. -v names every asset that is touched.
    """
    found = session.project.impact(*keys, partition=list(partition))
    if not session.text:
        session.emit(impact_to_json(found), rows="assets")
        return
    session.say("\n".join(_lines(found, session)))
    if found.touched and not session.verbose:
        session.note("-v names every asset that is touched.")


def _lines(found: Impact, session: Session) -> Iterable[str]:
    for each in found.changed:
        which = "" if each.definition is None else f", {counted(len(each.parts), 'partition')}"
        owned = f", owned by {listed(each.asset.owners)}" if each.asset.owners else ""
        yield f"{styled(each.asset.key, bold=True)}  {kind_of(each.asset)}{which}{owned}"
    it = "it" if len(found.changed) == 1 else "them"
    if not found.touched:
        yield f"Nothing is made from {it}."
        return
    steps = [each.steps for each in found.touched]
    far = f", up to {counted(max(steps), 'step')} away" if max(steps) > 1 else ""
    told = f"A change of {it} touches {counted(len(found.touched), 'asset')}: {steps.count(1):,} directly{far}"
    yield told if far else told.partition(":")[0]
    yield from touched_lines(found, session.verbose > 0)


def touched_lines(found: Impact, names: bool) -> Iterable[str]:
    """Yield what a change touches as lines for people: counted, who reads it, and with `names` every asset."""
    yield ""
    most = None if names else _MOST
    rows = [
        ("kinds", _tallied(found.by_kind, "kind", most)),
        ("types", _tallied(found.by_type, "type", most)),
        ("groups", _tallied(found.by_group, "group", most)),
        ("owners", _tallied(found.by_owner, "owner", most)),
        ("partitions", _partitions(found)),
    ]
    yield from aligned([row for row in rows if row[1]], indent="  ")
    if found.exposures:
        yield ""
        yield f"  {styled('Read by', bold=True)}"
        yield from aligned([_reader(each) for each in found.exposures], indent="    ")
    if names:
        yield ""
        yield f"  {styled('Touched', bold=True)}"
        yield from aligned([_row(each) for each in found.touched], indent="    ")


def _tallied(tallies: Sequence[Tally], what: str, most: int | None) -> str:
    """Return how many there are of each, where any has a name."""
    if not any(each.name for each in tallies):
        return ""
    told = [f"{each.name or f'no {what}'} {each.assets:,}" for each in tallies]
    more = [f"{len(told) - most:,} more"] if most is not None and len(told) > most + 1 else []
    return ", ".join([*(told[:most] if more else told), *more])


def _partitions(found: Impact) -> str:
    parted = [each for each in found.touched if each.definition is not None]
    whose = counted(len(parted), "asset") if len(parted) > 1 else "".join(each.asset.key for each in parted)
    return f"{found.partitions:,} of {whose}" if parted else ""


def _reader(each: Touched) -> tuple[str, str, str]:
    return each.asset.key, each.asset.resource_type, cut(", ".join(each.asset.owners) or "no owner", 60)


def _row(each: Touched) -> tuple[str, str, str, str]:
    parts = "" if each.definition is None else parts_text(each.parts, each.definition)
    return each.asset.key, kind_of(each.asset), counted(each.steps, "step"), parts


command = verb(
    "impact",
    click.Argument(["keys"], nargs=-1, required=True, metavar="KEY..."),
    click.Option(["-p", "--partition"], multiple=True, metavar="PART", help="Only these partitions of KEY change."),
    loads=True,
)(show_impact)
