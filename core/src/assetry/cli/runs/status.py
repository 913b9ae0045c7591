"""``assetry status``: what is fresh, stale, failed, never made, and why, by root cause."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import click

from assetry.cli.command import verb
from assetry.cli.session import Session
from assetry.cli.text import counted, cut, listed, styled
from assetry.status.partitions.sets import SET_NAMES
from assetry.status.reasons import parts_text
from assetry.status.staleness import STATUS_NAMES, Status, stale_keys
from assetry.types.events import Checked
from assetry.views.json import status_to_json

#: Exit code of --exit-code when something is out of date.
STALE = 4
_COLOURS = {"fresh": "green", "stale": "yellow", "failed": "red", "never": "cyan", "running": "blue", "external": None}
_SAID = {"never": "never made"}
_MOST = 4


def show_status(session: Session, exit_code: bool, partitions: bool) -> int:
    """Tell what is fresh, stale, failed or was never made, and why.

    What is out of date is grouped by its cause: an asset whose code changed stands once, and below it what is made
    from it. Checks that warned are told as well, and those that failed on what
    is made elsewhere. -v names every asset, and -p which partitions are how.
    """
    found = session.project.status(session.selection())
    warned = _warnings(session, found)
    stale = stale_keys(found)
    if session.text:
        most = None if session.verbose else _MOST
        sets = partition_lines(found, partitions, most)
        lines = [*status_lines(found, most), *sets, *_note_lines(found, most), *_warning_lines(warned)]
        session.say("\n".join(lines))
        if stale:
            brings, shows = session.again("assetry materialize --stale"), session.again("assetry plan --stale")
            session.note(f"{brings} brings it up to date; {shows} shows how.")
    else:
        session.emit(status_to_json(found, warned), rows="assets")
    return STALE if exit_code and stale else 0


def _warnings(session: Session, found: Sequence[Status]) -> list[Checked]:
    """Return the checks that did not pass last time and that no status tells: they warn, or are on what is external."""
    keys = [each.key for each in found]
    external = {each.key for each in found if each.status == "external"}
    events = session.project.latest_checks(keys).values()
    return [
        each.event
        for each in events
        if isinstance(each.event, Checked)
        and not each.event.passed
        and (not each.event.stops or each.event.key in external)
    ]


def _warning_lines(warned: Iterable[Checked]) -> Iterable[str]:
    for each in warned:
        word = _word("failed") if each.stops else styled("  warned", fg="yellow")
        where = "" if each.partition is None else f" of partition {each.partition}"
        yield f"{word}  {each.key}: check {each.check}{where}{_said(each.message)}"


def _note_lines(found: Iterable[Status], most: int | None) -> Iterable[str]:
    noted: dict[str, list[str]] = {}
    for each in found:
        if each.note is not None:
            noted.setdefault(each.note, []).append(each.key)
    for text, keys in noted.items():
        yield f"{styled('    note', fg='yellow')}  {listed(keys, most)}: {text}"


def _said(message: str | None) -> str:
    return f": {cut(message, 200)}" if message else ""


@dataclass(slots=True)
class _Cause:
    """One cause: its text, the assets it is about with their status, and what is made from these, by status."""

    word: str
    text: str
    assets: list[str] = field(default_factory=list)
    below: dict[str, list[str]] = field(default_factory=dict)


def status_lines(found: Sequence[Status], most: int | None = _MOST) -> Iterable[str]:
    """Yield statuses as lines for people: the counts, then the causes.

    >>> from assetry.cli.text import shown
    >>> from assetry.types.keys import AssetKey
    >>> [click.unstyle(shown(line)) for line in status_lines([Status(AssetKey("a"), "fresh")])]
    ['1 asset: 1 fresh']
    """
    words = [each.status for each in found]
    counts = [
        styled(f"{words.count(word):,} {_SAID.get(word, word)}", fg=_COLOURS[word])
        for word in STATUS_NAMES
        if word in words
    ]
    yield f"{counted(len(found), 'asset')}: {', '.join(counts)}" if counts else "No assets."
    running = [each.key for each in found if each.status == "running"]
    if running:
        yield f"{_word('running')}  {listed(running, most)}"
    for cause in _causes(found):
        yield from _told(cause, most)


def partition_lines(found: Iterable[Status], which: bool, most: int | None = _MOST) -> Iterable[str]:
    """Yield how many partitions of assets are how, and `which`; without `most` all of them, however many.

    >>> from assetry.cli.text import shown
    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> from assetry.status.partitions.sets import PartitionSets
    >>> from assetry.types.keys import AssetKey
    >>> letters = StaticPartitionsDefinition(["a", "b"])
    >>> sets = PartitionSets(letters, letters.parts_of("ab"), missing=letters.parts_of("ab"))
    >>> found = [Status(AssetKey("x"), "never", partitions=sets)]
    >>> [click.unstyle(shown(line)).strip() for line in partition_lines(found, True)]
    ['parts  x: 0 of 2 made; 2 missing', 'missing  a, b']
    """
    for status in found:
        sets = status.partitions
        if sets is None:
            continue
        yield f"{styled('   parts', fg='cyan')}  {status.key}: {sets.summary}"
        counts = sets.counts
        for name in SET_NAMES[2:] if which else ():
            if counts[name]:
                few = (
                    sets.text(name)
                    if most is None or name == "orphan"
                    else parts_text(sets.sets(name), sets.definition)
                )
                yield f"{'':<10}{name:<7}  {few}"


def _causes(found: Iterable[Status]) -> list[_Cause]:
    """Return the causes, an asset in one of its own or below those of others."""
    causes: dict[tuple[str, ...], _Cause] = {}
    roots: dict[str, _Cause] = {}
    wanted = [each for each in found if each.status in ("stale", "failed", "never")]
    for status in wanted:
        own = [reason for reason in status.reasons if reason.is_of(status.key)]
        if own:
            text = "; ".join(dict.fromkeys(cut(reason.text, 300) for reason in own))
            # What has consequences below stands alone.
            alone = "" if all(reason.code == "never_materialized" for reason in own) else str(status.key)
            cause = causes.setdefault((status.status, text, alone), _Cause(status.status, text))
            cause.assets.append(status.key)
            roots[status.key] = cause
    for status in wanted:
        if status.key in roots:
            continue
        for reason in status.reasons:
            root = roots.get(reason.asset)
            if root is None:
                root = causes.setdefault(("above", reason.asset), _Cause(status.status, reason.text))
            root.below.setdefault(status.status, []).append(status.key)
    return sorted(causes.values(), key=lambda cause: STATUS_NAMES.index(cause.word))


def _told(cause: _Cause, most: int | None) -> Iterable[str]:
    below = {word: list(dict.fromkeys(keys)) for word, keys in cause.below.items()}
    if not cause.assets:
        for word, keys in below.items():
            yield f"{_word(word)}  {listed(keys, most)}: {cause.text}"
        return
    yield f"{_word(cause.word)}  {listed(cause.assets, most)}: {cause.text}"
    for word, keys in below.items():
        if word == cause.word:
            yield f"{'':<10}and so {'is' if len(keys) == 1 else 'are'} {listed(keys, most)}"
        else:
            yield f"{'':<10}below it, {_SAID.get(word, word)}: {listed(keys, most)}"


def _word(word: str) -> str:
    return styled(f"{word:>8}", fg=_COLOURS[word])


command = verb(
    "status",
    click.Option(["--exit-code"], is_flag=True, help="Exit with 4 when something is out of date."),
    click.Option(["-p", "--partitions"], is_flag=True, help="Tell which partitions are how, not only how many."),
    selects=True,
)(show_status)
