"""What a person wants of assets, with which of their partitions: those named, those due, or the usual; and the plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.recorded import time_of
from assetry.plan.checks import with_sources
from assetry.plan.plan import Plan, PlanRequest
from assetry.plan.planner import make_plan
from assetry.plan.reasons import near_notes
from assetry.plan.scope import Wants
from assetry.project.ask import Ask
from assetry.status.cutoff import Cutoff, cutoff
from assetry.status.partitions.sets import PartitionSets
from assetry.status.staleness import Judgement, Status, numbering_of, stale_keys
from assetry.status.why import because, kept_rows, not_refreshed, stays_behind
from assetry.types.assets import Asset
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition

#: How many assets a note names.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Wanted:
    """Assets to be made, each with its partitions, or None without; `definitions` are those of the partitions.

    `notes` are sentences that the plan is to have.
    """

    wants: Mapping[AssetKey, Parts | None]
    definitions: Mapping[AssetKey, PartitionsDefinition] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def only(self, wants: Wants | None) -> Wanted:
        """Return what of this is among other wants; None stands for all."""
        if wants is None:
            return self
        found = {
            key: own if own is None else own & (wants[key] or own) for key, own in self.wants.items() if key in wants
        }
        return replace(self, wants={key: own for key, own in found.items() if own is None or own})


def wanted(graph: AssetGraph, keys: Sequence[AssetKey], ask: Ask, statuses: Sequence[Status], now: datetime) -> Wanted:
    """Return what is wanted of assets: the partitions that are asked for, those that are due, or the usual ones.

    With ``stale`` it is what is due of each, of what is asked for where something is, and the notes say what waits. See
    `usual` for the rest. A full refresh makes all partitions of an incremental asset, because it makes its table anew.

    Raises `UsageError` for partitions that nothing has, where an asset gets none, and where partitions would be lost.
    """
    waits, named = tuple[str, ...](), keys
    if ask.stale:
        # Who makes some of it now may fail.
        waits, stale = tuple(_waits(keys, statuses)), set(stale_keys(statuses, running=True))
        keys = with_sources(graph, (key for key in keys if key in stale))
    parted = _parted(graph, keys, statuses)
    sets = {key: each.partitions for key, each in parted.items() if each.partitions is not None}
    definitions = {key: each.definition for key, each in sets.items()}
    if not sets:
        if ask.partitions:
            _refuse_unknown(ask.partitions, _parted(graph, named, statuses), now)
        return Wanted(dict.fromkeys(keys), notes=waits)
    notes: tuple[str, ...] = ()
    if ask.partitions:
        parts, definitions = _asked(ask.partitions, sets, definitions, now)
        if ask.stale:
            parts = {key: own & sets[key].due for key, own in parts.items()}
    elif ask.stale:
        parts = {key: each.due for key, each in sets.items()}
    else:
        found = {key: usual(graph[key], each, now) for key, each in parted.items()}
        parts = {key: each.parts for key, each in found.items()}
        notes = tuple(_notes(found, definitions))
    anew = [key for key in sets if ask.full_refresh and graph[key].incremental and graph[key].refreshable]
    for key in anew if not ask.partitions else ():
        parts[key] = sets[key].existing if parts[key] else NOTHING
    _refuse_losses(graph, parts, parted, anew)
    wants: dict[AssetKey, Parts | None] = {}
    for key in keys:
        own = parts.get(key, NOTHING)
        if key not in sets or own:
            wants[key] = own or None
    if not wants and not ask.partitions and not ask.stale:
        raise UsageError(
            f"{next(iter(sets))} has no partition yet.",
            hint="Name one with -p KEY: making it brings it into being.",
        )
    return Wanted(wants, {key: definitions[key] for key in parts if key in wants}, (*waits, *notes))


def _parted(graph: AssetGraph, keys: Iterable[AssetKey], statuses: Iterable[Status]) -> dict[AssetKey, Status]:
    """Return those of some assets that have partitions and are made here."""
    chosen = set(keys)
    found = (each for each in statuses if each.key in chosen and each.partitions is not None)
    return {each.key: each for each in found if graph[each.key].executable}


def _refuse_unknown(texts: Sequence[str], parted: Mapping[AssetKey, Status], now: datetime) -> None:
    """Raise `UsageError` for partitions that are asked for and that nothing has, also where nothing is due of any."""
    if not parted:
        raise UsageError(
            "A partition is asked for, but nothing that is selected has partitions.",
            hint="Leave --partition out, or select other assets.",
        )
    sets = {key: each.partitions for key, each in parted.items() if each.partitions is not None}
    _asked(texts, sets, {key: each.definition for key, each in sets.items()}, now)


class Usual(NamedTuple):
    """The partitions of an asset that are made where none are asked for, and why there are more than the last one."""

    parts: Parts
    why: str = ""


def usual(asset: Asset, status: Status, now: datetime) -> Usual:
    """Return the partitions of an asset that are made where none are asked for.

    That is the last one, and as many before it as its `lookback` says, for which data may still have come in. Of an
    incremental asset that was never made it is all of them, and those that are gone where its table is.
    """
    sets = status.partitions
    assert sets is not None, "only what has partitions is asked"
    if asset.incremental and not sets.made and not sets.whole and sets.existing:
        return Usual(sets.existing, "it was never made")
    windows = time_of(sets.definition)
    back = windows.lookback if windows is not None else 0
    parts = sets.definition.newest(1 + back, now)
    gone = _gone(asset, status) - parts
    return Usual(parts | gone, "its table is gone" if gone else f"its lookback is {back}" if back else "")


def _gone(asset: Asset, status: Status) -> Parts:
    """Return the partitions of an incremental asset that are gone with its table."""
    found = NOTHING
    for reason in status.reasons if asset.incremental else ():
        found |= reason.parts if reason.code == "gone" and reason.asset == asset.key else NOTHING
    return found


def _refuse_losses(
    graph: AssetGraph, parts: Mapping[AssetKey, Parts], parted: Mapping[AssetKey, Status], anew: Sequence[AssetKey]
) -> None:
    """Raise `UsageError` where a table is made anew, and partitions that are, or were, in it would not be."""
    from assetry.plan.pieces import MOST  # most projects have no partitions

    for key, status in parted.items():
        sets, own = status.partitions, parts[key]
        if sets is None or not own:
            continue
        left = (sets.existing if key in anew else _gone(graph[key], status)) - own
        if key in anew and len(own) > MOST:
            raise UsageError(
                f"{key} has {len(own):,} partitions, and a full refresh would make its table anew for each {MOST:,} of "
                "them.",
                hint="Leave --full-refresh out, and drop its table first: then all are made, and none is lost.",
            )
        if left:
            made = "A full refresh makes the table of" if key in anew else "The table is gone of"
            raise UsageError(
                f"{made} {key}{' anew' if key in anew else ''}, and these partitions would not be in the new one: "
                f"{sets.definition.text_of(left)}.",
                hint="Leave --partition out, or ask for them, too: -p all.",
            )


def plan_of(
    graph: AssetGraph,
    wanted: Wanted,
    groups: Mapping[AssetKey, InvocationGroup | None],
    judged: Judgement,
    ask: Ask,
    now: datetime,
) -> Plan:
    """Return the plan that makes what is wanted; `judged` is how all assets are, `now` is when they were so."""
    statuses = judged.statuses
    made = [status for status in statuses if status.key in wanted.wants]
    definitions = {key: each for key, each in wanted.definitions.items() if each is not graph[key].partitions_def}
    cuts = ask.stale and not ask.full_refresh  # what is to be built anew is not compared
    cut = cutoff(graph, wanted.wants, statuses, numbering_of(graph, statuses, now)) if cuts else Cutoff()
    notes = (*kept_rows(graph, made, ask.full_refresh), *near_notes(graph, set(wanted.wants)))
    notes += (*not_refreshed(graph, wanted.wants),) if ask.full_refresh else ()
    notes += (*stays_behind(statuses, wanted.wants),) if ask.stale else ()
    request = PlanRequest(
        because={status.key: because(status, graph[status.key]) for status in made},
        mode=ask.collapse,
        full_refresh=ask.full_refresh,
        definitions=definitions,
        now=now,
        cutoff=cut.parts,
        certain=cut.certain,
        notes=(*wanted.notes, *notes),
        data_times=judged.data_times,
        never=frozenset(each.key for each in statuses if each.last_materialized is None and graph[each.key].executable),
    )
    return make_plan(graph, wanted.wants, groups, request)


def _waits(keys: Iterable[AssetKey], statuses: Iterable[Status]) -> Iterator[str]:
    """Yield a sentence on what of assets is not made yet, because what it is made from does not reach so far."""
    chosen = set(keys)
    sets = ((each.key, each.partitions) for each in statuses if each.key in chosen and each.partitions is not None)
    told = [f"of {key} {each.waits_for}" for key, each in sets if each.waits_for]
    if told:
        yield f"Not made yet: {_some(told)}"


def _asked(
    texts: Sequence[str],
    sets: Mapping[AssetKey, PartitionSets],
    definitions: Mapping[AssetKey, PartitionsDefinition],
    now: datetime,
) -> tuple[dict[AssetKey, Parts], dict[AssetKey, PartitionsDefinition]]:
    from assetry.partitions.text import read_partitions, with_new_keys

    by_name = with_new_keys(texts, {str(key): each for key, each in definitions.items()})
    words = {str(key): each.words for key, each in sets.items()}
    found = read_partitions(texts, by_name, now, words)
    return {key: found[str(key)] for key in sets}, {key: by_name[str(key)] for key in sets}


def _notes(found: Mapping[AssetKey, Usual], definitions: Mapping[AssetKey, PartitionsDefinition]) -> Iterable[str]:
    told = {key: f"{key} {definitions[key].text_of(each.parts)}" for key, each in found.items() if each.parts}
    last = [each for key, each in told.items() if not found[key].why]
    more = [f"{each} ({found[key].why})" for key, each in told.items() if found[key].why]
    ways = "-p names others, --stale makes all due"
    if last:
        what = "the last partition" if len(last) == 1 else "the last partition of each asset that has some"
        yield f"No partition is asked for, so {what} is made: {_some(last)}; {ways}"
    if more:
        yield f"No partition is asked for, so the usual ones are made: {_some(more)}; {ways}"
    none = [str(key) for key, each in found.items() if not each.parts]
    if none:
        yield f"{_some(none)} {'has' if len(none) == 1 else 'have'} no partition yet; -p KEY names one"


def _some(told: Sequence[str]) -> str:
    return ", ".join(told[:_NAMED]) + (f" and {len(told) - _NAMED} more" if len(told) > _NAMED else "")
