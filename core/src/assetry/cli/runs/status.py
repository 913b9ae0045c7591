"""``assetry status``: what is fresh, stale, failed, never made, and why, by root cause."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Set

import click

from assetry.cli.command import verb
from assetry.cli.session import Session
from assetry.cli.text import counted, cut, listed, styled, warning_lines
from assetry.graph.graph import AssetGraph
from assetry.project.history.left import LeftRun
from assetry.project.places import asset_warnings
from assetry.project.upkeep.orphans import gone_assets
from assetry.status.freshness.freshness import FRESHNESS_STATES, NEVER_MADE
from assetry.status.partitions.sets import SET_NAMES
from assetry.status.reasons import parts_text
from assetry.status.staleness import OUT_OF_DATE, STATUS_NAMES, Judgement, Status, StatusName, stale_keys
from assetry.types.events import Checked
from assetry.types.keys import AssetKey
from assetry.views.causes import Cause, broke_off, causes, has_ended, held_back, roots_of
from assetry.views.json import status_to_json, warnings_to_json
from assetry.views.nexts import told_nexts

#: Exit code of --exit-code when something is out of date.
STALE = 4
_COLOURS = {"fresh": "green", "stale": "yellow", "failed": "red", "never": "cyan", "running": "blue", "external": None}
_SAID = {"never": "never made"}
_FRESHNESS = {"met": "green", "unknown": "yellow", "at_risk": "yellow", "overdue": "red"}
#: How many names a line has, and how many roots (and assets with partitions) are told, before the rest is counted.
_MOST, _MOST_ROOTS = 4, 20


def show_status(session: Session, exit_code: bool, partitions: bool, by: str) -> int:
    """Tell what is fresh, stale, failed or was never made, and why.

    What is out of date is grouped by its root: an asset whose code changed stands once, with whom to ask, and how many
    are out of date because of it. `--by asset` names those. Checks that warned are told as well, and those that failed
    on what is made elsewhere. -v names every asset, and -p which partitions are how.
    """
    project = session.project
    chosen = set(session.selection().keys)
    judged = project.judge()
    every, now = judged.statuses, judged.now
    found = [each for each in every if each.key in chosen]
    makers = {each.key: each.run for each in project.store.leases()}
    roots = causes(project.graph, every, chosen, makers)
    warned = _warnings(session, found)
    told = asset_warnings(
        project.graph, project.plugins, lambda: project.values, (each.key for each in found), project.settings
    )
    nexts = {key: each for key, each in project.next(now, statuses=every).items() if key in chosen}
    stale = stale_keys(found)
    gone = gone_assets(project)
    left = _left(session, chosen, judged)
    if session.text:
        most = None if session.verbose else _MOST
        shown = _shown(roots, most, by == "asset")
        why = map(session.standing.hint, cause_lines(roots, most, by == "asset"))
        lines = [*count_lines(found, most, _told_running(shown)), *why, *partition_lines(found, partitions, most)]
        lines += [*freshness_lines(found, most), *_note_lines(found, most), *_warning_lines(warned)]
        lines += warning_lines(told, most)
        lines += [
            f"{styled('    next', fg='cyan')}  {listed(keys, most)}: {text}" for text, keys in told_nexts(nexts, now)
        ]
        session.say("\n".join(lines))
        broken = (each.key for each in found if broke_off(each) and each.key not in makers)
        for line in left_lines(left, broken, most):
            session.note(line)
        if stale:
            blocking = [each.key for each in warned if each.stops]
            if ended := [each for each in stale if has_ended(project.graph[each])]:
                session.note(f"Nothing brings {listed(ended, most)} any more: see `assetry show {ended[0]}`.")
            if rest := set(stale).difference(ended):
                above = _above(project.graph, every, rest, chosen)
                held = held_back(project.graph, every, blocking)
                said = any(each.hints for each in roots if not held.isdisjoint(each.assets))
                session.note(_advice(session, rest, held, above, said))
        if gone and not session.select:
            session.note(f"Nothing defines {listed(sorted(gone), most)} any more: see `assetry prune`.")
    else:
        interrupted = [(each.run.id, each.command, each.assets) for each in left]
        document = status_to_json(found, warned, roots, gone, interrupted, nexts)
        session.emit({**document, "warnings": warnings_to_json(told)}, rows="assets")
    return STALE if exit_code and (stale or any(map(_is_behind, found))) else 0


def _left(session: Session, chosen: Set[AssetKey], judged: Judgement) -> list[LeftRun]:
    """Return the interrupted runs that have left something of what is chosen undone, with that of it."""
    runs = session.project.left_runs(interrupted=True, judged=judged)
    own = [each._replace(assets=tuple(key for key in each.assets if key in chosen)) for each in runs]
    return [each for each in own if each.assets]


def left_lines(left: Iterable[LeftRun], broken: Iterable[AssetKey], most: int | None = _MOST) -> Iterable[str]:
    """Yield what interrupted runs have left, with the next step; `broken` are the assets that one was making.

    >>> from datetime import UTC, datetime
    >>> from assetry.types.keys import AssetKey
    >>> from assetry.types.records import RunInfo
    >>> run = RunInfo(id="r7", state="interrupted", started=datetime.now(UTC))
    >>> [*left_lines([LeftRun(run, (AssetKey("a"),))], [])]
    ['Run r7 was interrupted, and a is left of it: `assetry retry r7` makes it.']
    """
    untold = dict.fromkeys(broken)
    for each in left:
        own = [key for key in each.assets if key in untold]
        if own:
            untold = dict.fromkeys(key for key in untold if key not in own)
            yield f"{_interrupted(own, most)}: `{each.command}` goes on with what that run left."
        elif not each.run.backfill:  # of which `assetry backfills` tells
            names, it = listed(each.assets, most), "it" if len(each.assets) == 1 else "them"
            are = "is" if len(each.assets) == 1 else "are"
            yield f"Run {each.run.id} was interrupted, and {names} {are} left of it: `{each.command}` makes {it}."
    if untold:
        yield f"{_interrupted(untold, most)}: `assetry retry` goes on with what that run left."


def _interrupted(keys: Collection[AssetKey], most: int | None) -> str:
    return f"{listed(keys, most)} {'was' if len(keys) == 1 else 'were'} interrupted"


def _is_behind(status: Status) -> bool:
    """Tell whether an asset lacks data that nothing here can bring now."""
    waits = status.partitions is not None and bool(status.partitions.waiting)
    return waits or (status.freshness is not None and status.freshness.state == "overdue")


def _above(graph: AssetGraph, every: Sequence[Status], stale: Set[AssetKey], chosen: Set[AssetKey]) -> bool:
    """Tell whether some of what is `stale` is so from what has to be made, too, and is not chosen."""
    roots = {root for each in every if each.key in stale for root in each.roots} - chosen
    return bool(roots) and any(key in roots and not has_ended(graph[key]) for key in stale_keys(every))


def _advice(session: Session, stale: Set[AssetKey], held: Set[AssetKey], above: bool, said: bool) -> str:
    """Return what brings up to date what is `stale`, as far as that is not `held` back by what failed.

    `above` tells that this takes making some of what it is made from, which is not selected; `said` that the next step
    of what is held back stands there already.
    """
    brings, shows = (session.again(f"assetry {each} --stale", with_above=above) for each in ("materialize", "plan"))
    how = ", as told above" if said else " (`assetry logs` of its run shows how it failed)"
    if stale <= held:
        return f"First mend what failed or is gone{how}; then {brings} makes what is left."
    if stale & held:
        others = f"the other {len(stale & held):,} only once what failed or is gone is mended{how}"
        return f"{brings} brings {len(stale - held):,} of it up to date; {others}."
    also = ", with what it is made from" if above else ""
    return f"{brings} brings it up to date{also}; {shows} shows how."


def _warnings(session: Session, found: Sequence[Status]) -> list[Checked]:
    """Return the checks that did not pass last time and that no status tells: they warn, or are on what is external."""
    keys = [each.key for each in found]
    external = {each.key for each in found if each.status == "external"}
    events = session.project.latest_checks(keys, failed=True).values()
    return [
        each.event
        for each in events
        if isinstance(each.event, Checked) and (not each.event.stops or each.event.key in external)
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
    return f": {cut(message)}" if message else ""


def count_lines(
    found: Sequence[Status], most: int | None = _MOST, told: Collection[AssetKey] = frozenset()
) -> Iterable[str]:
    """Yield how many assets are how, for people, from how many roots, and which are being made, but for those `told`.

    >>> from assetry.cli.text import shown
    >>> from assetry.types.keys import AssetKey
    >>> [click.unstyle(shown(line)) for line in count_lines([Status(AssetKey("a"), "fresh")])]
    ['1 asset: 1 fresh']
    """
    words = [each.status for each in found]
    counts = [
        styled(f"{words.count(word):,} {_SAID.get(word, word)}", fg=_COLOURS[word]) + _from_roots(found, word)
        for word in STATUS_NAMES
        if word in words
    ]
    yield f"{counted(len(found), 'asset')}: {', '.join(counts)}" if counts else "No assets."
    running = [each.key for each in found if each.status == "running" and each.key not in told]
    if running:
        yield f"{_word('running')}  {listed(running, most)}"


def _from_roots(found: Sequence[Status], word: StatusName) -> str:
    """Return from how many roots assets are out of date, where these are fewer."""
    roots = roots_of(found, word)
    fewer = word in OUT_OF_DATE and 0 < roots < sum(each.status == word for each in found)
    return f" from {counted(roots, 'root')}" if fewer else ""


def _shown(roots: Sequence[Cause], most: int | None, names: bool) -> Sequence[Cause]:
    return roots if most is None or names else roots[:_MOST_ROOTS]


def _told_running(shown: Iterable[Cause]) -> frozenset[AssetKey]:
    """Return the assets of which causes say, in lines of their own, that they are being made."""
    return frozenset(key for each in shown if each.status == "running" and not each.named for key in each.assets)


def cause_lines(roots: Sequence[Cause], most: int | None = _MOST, names: bool = False) -> Iterable[str]:
    """Yield causes as lines for people: each root, and how many assets are below it, or with `names` which.

    >>> from assetry.cli.text import shown
    >>> from assetry.types.keys import AssetKey
    >>> cause = Cause((AssetKey("a"),), "stale", (), "its body changed", below={"stale": (AssetKey("b"),)})
    >>> [click.unstyle(shown(line)).strip() for line in cause_lines([cause])]
    ['stale  a: its body changed', '1 below it is stale']
    """
    shown = _shown(roots, most, names)
    for cause in shown:
        text = cut(cause.text)
        yield f"{_word(cause.status)}  {text if cause.named else f'{listed(cause.assets, most)}: {text}'}"
        yield from (f"{'':<10}{cut(hint)}" for hint in cause.hints)
        it = "it" if len(cause.assets) == 1 else "them"
        told = [_below(word, keys, it, most if names else 0) for word, keys in cause.below.items()]
        asked = [f"ask {listed(cause.owners)}"] if cause.owners else []
        if told or asked:
            yield f"{'':<10}{'; '.join([*told, *asked])}"
    if len(shown) < len(roots):
        left = roots[len(shown) :]
        yield f"{'':<10}and {counted(len(left), 'further root')}; -v names them"


def _below(word: StatusName, keys: Sequence[AssetKey], it: str, most: int | None) -> str:
    """Return how many assets are below a cause, and which; with `most` of 0 only how many."""
    one, more = ("was", "were") if word == "never" else ("is", "are")
    told = f"{len(keys):,} below {it} {one if len(keys) == 1 else more} {_SAID.get(word, word)}"
    return told if most == 0 else f"{told}: {listed(keys, most)}"


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
    parted = [each for each in found if each.partitions is not None]
    shown = parted if which or most is None else parted[:_MOST_ROOTS]
    for status in shown:
        sets = status.partitions
        assert sets is not None, "only those with partitions are told"
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
    if len(shown) < len(parted):
        yield f"{'':<10}and {counted(len(parted) - len(shown), 'further asset')} with partitions; -p names them"


def freshness_lines(found: Iterable[Status], most: int | None = _MOST) -> Iterable[str]:
    """Yield the assets whose data is not as new as their policies ask; without `most` those where it is, too.

    >>> from assetry.cli.text import shown
    >>> from assetry.status.freshness.freshness import Freshness
    >>> from assetry.types.keys import AssetKey
    >>> found = [Status(AssetKey("x"), "external", freshness=Freshness("at_risk", text="it takes 2 h"))]
    >>> [click.unstyle(shown(line)).strip() for line in freshness_lines(found)]
    ['at risk  x: it takes 2 h']
    """
    asked = [(each.key, each.freshness) for each in found if each.freshness is not None and not _is_told(each)]
    for state in reversed(FRESHNESS_STATES):
        same = [(key, each) for key, each in asked if each.state == state]
        word = styled(f"{state.replace('_', ' '):>8}", fg=_FRESHNESS[state])
        if state == "met" and most is not None:
            yield from [f"{word}  {counted(len(same), 'freshness policy')}"] if same else []
            continue
        shown = same if most is None else same[:_MOST_ROOTS]
        yield from (f"{word}  {key}: {each.text}" for key, each in shown)
        if len(shown) < len(same):
            yield f"{'':<10}and {counted(len(same) - len(shown), 'further asset')}; -v names them"


def _is_told(status: Status) -> bool:
    """Tell whether something else tells already that the data of an asset is older than it may be."""
    fresh = status.freshness
    told = ("overdue", "never_materialized") if fresh is not None and fresh.text == NEVER_MADE else ("overdue",)
    reasons = any(each.code in told and each.is_of(status.key) for each in status.reasons)
    return fresh is not None and fresh.state == "overdue" and (reasons or fresh.text in (status.note or ""))


def _word(word: str) -> str:
    return styled(f"{word:>8}", fg=_COLOURS[word])


command = verb(
    "status",
    click.Option(["--exit-code"], is_flag=True, help="Exit with 4 when something is out of date, waits or is overdue."),
    click.Option(["-p", "--partitions"], is_flag=True, help="Tell which partitions are how, not only how many."),
    click.Option(
        ["--by"], type=click.Choice(["root", "asset"]), default="root", help="Count what is below, or name it."
    ),
    selects=True,
)(show_status)
