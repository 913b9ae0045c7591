"""``assetry status``: what is fresh, stale, failed, never made, and why, by root cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import click

from assetry.cli.command import verb
from assetry.cli.session import Session
from assetry.cli.text import counted, listed
from assetry.status.staleness import STATUS_NAMES, Reason, Status, stale_keys
from assetry.views.json import status_to_json

#: Exit code of --exit-code when something is out of date.
STALE = 4
_COLOURS = {"fresh": "green", "stale": "yellow", "failed": "red", "never": "cyan", "running": "blue", "external": None}
_SAID = {"never": "never made"}
_MOST = 4


def show_status(session: Session, exit_code: bool) -> int:
    """Tell what is fresh, stale, failed or was never made, and why.

    What is out of date is grouped by its cause: an asset whose code changed stands once, and below it what is made
    from it. -v names every asset.
    """
    found = session.project.status(session.selection())
    stale = stale_keys(found)
    if session.text:
        session.say("\n".join(status_lines(found, None if session.verbose else _MOST)))
        if stale:
            session.note("`assetry materialize --stale` brings it up to date; `assetry plan --stale` shows how.")
    else:
        session.emit(status_to_json(found), rows="assets")
    return STALE if exit_code and stale else 0


@dataclass(slots=True)
class _Cause:
    """One cause: the status it leads to, the text, the assets it is about, and what is made from these."""

    word: str
    text: str
    assets: list[str] = field(default_factory=list)
    below: list[str] = field(default_factory=list)


def status_lines(found: Sequence[Status], most: int | None = _MOST) -> Iterable[str]:
    """Yield statuses as lines for people: the counts, then the causes.

    >>> from assetry.types.keys import AssetKey
    >>> [click.unstyle(line) for line in status_lines([Status(AssetKey("a"), "fresh")])]
    ['1 asset: 1 fresh']
    """
    words = [each.status for each in found]
    counts = [
        click.style(f"{words.count(word):,} {_SAID.get(word, word)}", fg=_COLOURS[word])
        for word in STATUS_NAMES
        if word in words
    ]
    yield f"{counted(len(found), 'asset')}: {', '.join(counts)}" if counts else "No assets."
    running = [each.key for each in found if each.status == "running"]
    if running:
        yield f"{_word('running')}  {listed(running, most)}"
    for cause in _causes(found):
        yield from _told(cause, most)


def _causes(found: Iterable[Status]) -> list[_Cause]:
    causes: dict[tuple[str, ...], _Cause] = {}
    roots: dict[str, _Cause] = {}
    wanted = [each for each in found if each.status in ("stale", "failed", "never")]
    for status in wanted:
        for reason in status.reasons:
            if reason.code != "upstream_changed":
                cause = causes.setdefault(_of_its_own(status, reason), _Cause(status.status, reason.text))
                if status.key not in cause.assets:
                    cause.assets.append(status.key)
                roots.setdefault(status.key, cause)
    for status in wanted:
        for reason in status.reasons:
            if reason.code != "upstream_changed":
                continue
            root = roots.get(reason.asset)
            if root is None:
                root = causes.setdefault(("above", reason.asset), _Cause(status.status, reason.text))
            root.below.append(status.key)
    return sorted(causes.values(), key=lambda cause: STATUS_NAMES.index(cause.word))


def _of_its_own(status: Status, reason: Reason) -> tuple[str, ...]:
    """Return what a reason in the asset itself is grouped by; what has consequences below stands alone."""
    alone = "" if reason.code == "never_materialized" else str(status.key)
    return (status.status, reason.code, reason.text, alone)


def _told(cause: _Cause, most: int | None) -> Iterable[str]:
    below = [key for key in dict.fromkeys(cause.below) if key not in cause.assets]
    if cause.assets:
        yield f"{_word(cause.word)}  {listed(cause.assets, most)}: {cause.text}"
        if below:
            yield f"{'':<10}and so {'is' if len(below) == 1 else 'are'} {listed(below, most)}"
    else:
        yield f"{_word(cause.word)}  {listed(below, most)}: {cause.text}"


def _word(word: str) -> str:
    return click.style(f"{word:>8}", fg=_COLOURS[word])


command = verb(
    "status",
    click.Option(["--exit-code"], is_flag=True, help="Exit with 4 when something is out of date."),
    selects=True,
)(show_status)
