"""``assetry prune --history``: remove what of the history is older than the project keeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from assetry.cli.session import Session
from assetry.cli.text import aligned, counted, moment
from assetry.project.history.pruning import HistoryPruning
from assetry.project.history.retention import KINDS, age_text

#: What each kind is called, as people are told of it.
_NAMES = {"materializations": "materializations that were made anew since"}


def prune_history(session: Session, dry_run: bool) -> None:
    """Remove old history, or tell what would be removed."""
    found = session.project.prune_history(dry_run=dry_run)
    if session.text:
        session.say("\n".join(_lines(found, dry_run)))
        if not any(found.removed) and not found.pictures:
            session.note("Nothing is old enough.")
    else:
        session.emit(_json(found, dry_run))


def _lines(found: HistoryPruning, dry_run: bool) -> Iterable[str]:
    rows = []
    for name in KINDS:
        age = age_text(getattr(found.retention, name))
        before = getattr(found.kept, name)
        told = "all are kept" if before is None else f"older than {age}, of before {moment(before)}"
        rows.append((f"{getattr(found.removed, name):,}", _NAMES.get(name, name), told))
    if found.pictures:
        told = "more may go with what is older" if dry_run and any(found.removed) else ""
        rows.append((f"{found.pictures:,}", "pictures that nothing refers to", told))
    yield f"{'Would remove' if dry_run else 'Removed'}:"
    yield from aligned(rows, indent="  ")
    if found.kept.whole:
        those = counted(len(found.kept.whole), "old run")
        yield f"Kept whole: {those} that `assetry retry` may still need."


def _json(found: HistoryPruning, dry_run: bool) -> dict[str, Any]:
    moments = {name: getattr(found.kept, name) for name in KINDS}
    return {
        "dry_run": dry_run,
        "removed": found.removed._asdict(),
        "pictures": found.pictures,
        "before": {name: None if at is None else at.isoformat() for name, at in moments.items()},
        "retention": {name: age_text(getattr(found.retention, name)) for name in KINDS},
        "kept_whole": sorted(found.kept.whole),
    }
