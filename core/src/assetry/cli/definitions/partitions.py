"""``assetry partitions [list|add|drop] KEY [PART…]``: the partitions of assets, and keys that come into being."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import click

from assetry.cli.command import verb
from assetry.cli.runs.status import partition_lines
from assetry.cli.session import Session
from assetry.cli.text import listed
from assetry.errors import UsageError, near_names
from assetry.status.staleness import Status
from assetry.types.assets import Asset
from assetry.views.json import partitions_to_json

_ACTIONS = ("list", "add", "drop")


def partitions(session: Session, words: Sequence[str]) -> None:
    """List the partitions of assets, or make keys of dynamic ones known or drop them.

    `assetry partitions [list] [KEY…]` tells how many there are and how they are; of KEYs also which, -v all of them.

    `assetry partitions add KEY PART…` makes partitions known before anything is made of them: they are missing then.

    `assetry partitions drop KEY PART…` takes them out: they are no partitions any more, and what was recorded of them
    stays. Added again they are there again. No data is deleted.
    """
    action, names = _action(session, words)
    if action == "list":
        _list(session, names)
        return
    if len(names) < 2:
        raise UsageError(
            f"`assetry partitions {action}` wants the key of an asset, and partitions of it.",
            hint=f"For example `assetry partitions {action} {shlex.quote(names[0]) if names else 'files'} a.csv`.",
        )
    asset = session.project.graph[session.project.graph.find(names[0])]
    _change(session, action, asset, names[1:])


def _action(session: Session, words: Sequence[str]) -> tuple[str, Sequence[str]]:
    if not words:
        return "list", ()
    if words[0] in _ACTIONS:
        return words[0], words[1:]
    near = near_names(words[0], _ACTIONS)
    if near and words[0] not in session.project.graph:
        raise UsageError(
            f"`assetry partitions` does not {words[0]}.", near=near, hint=f"It does {listed(_ACTIONS)}; KEY lists it."
        )
    return "list", words


def _list(session: Session, names: Sequence[str]) -> None:
    project = session.project
    keys = list(dict.fromkeys(project.graph.find(name) for name in names))
    for key in keys:
        if project.graph[key].partitions_def is None:
            raise UsageError(f"{key} has no partitions.", hint=f"`assetry show {shlex.quote(key)}` shows all of it.")
    parted = [asset.key for asset in project.graph.assets if asset.partitions_def is not None]
    if not parted:
        session.note("No asset has partitions.")
    wanted = set(keys or parted)
    found = [status for status in project.status() if status.key in wanted] if wanted else []
    if session.text:
        which = bool(keys) or session.verbose > 0
        lines = [*partition_lines(found, which, *([None] if session.verbose else []))]
        if lines:
            session.say("\n".join(lines))
        for status in found:
            if which and _dropped(status):
                session.note(_dropped_note(session, status))
    else:
        rows = [_json(project.graph[status.key], status) for status in found]
        session.emit({"partitions": rows}, rows="partitions")


def _dropped(status: Status) -> Sequence[str]:
    """Return the keys that were dropped, by number."""
    table = getattr(status.partitions.definition, "table", None) if status.partitions is not None else None
    return () if table is None else [table.key_of(number) for number in sorted(table.dropped)]


def _dropped_note(session: Session, status: Status) -> str:
    gone = _dropped(status)
    again = " ".join(map(shlex.quote, ["assetry", "partitions", "add", status.key, gone[0]]))
    told = listed(gone, None if session.verbose else 3)
    return f"Dropped from {status.key}: {told}. `{again}` brings {'it' if len(gone) == 1 else 'one'} back."


def _json(asset: Asset, status: Status) -> dict[str, Any]:
    assert status.partitions is not None
    tag: tuple[str, str] = getattr(asset.partitions_def, "json_tag", ("", ""))
    return {
        "asset": str(status.key),
        "kind": tag[1],
        **partitions_to_json(status.partitions),
        "dropped": list(_dropped(status)),
    }


def _change(session: Session, action: str, asset: Asset, names: Sequence[str]) -> None:
    project = session.project
    changed = (project.add_partitions if action == "add" else project.drop_partitions)(asset.key, names)
    if not session.text:
        session.emit({"asset": str(asset.key), "added" if action == "add" else "dropped": list(changed)})
        return
    if changed:
        session.say(f"{'Added to' if action == 'add' else 'Dropped from'} {asset.key}: {listed(changed, None)}")
    if len(changed) < len(set(names)):
        session.note("The others were known already." if action == "add" else "The others were dropped already.")
    if changed and action == "add":
        session.note(
            session.again(f"assetry materialize --stale -s {shlex.quote(asset.key.selection)}") + " makes what is due."
        )
    if changed and action == "drop":
        session.note("What was recorded of it stays, and no data was deleted.")


command = verb(
    "partitions",
    click.Argument(["words"], nargs=-1, metavar="[list|add|drop] [KEY] [PART]..."),
    loads=True,
)(partitions)
