"""Runs that have ended and left something undone, which no run has made since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.partitions.parts import NOTHING, Parts
from assetry.project.history.runs import last_that_makes
from assetry.run.leases.lease import shared_with
from assetry.run.retry import Attempts, RunOrder, Undone, undone
from assetry.status.staleness import Status
from assetry.types.keys import AssetKey
from assetry.types.leases import HeldLease
from assetry.types.protocols import Store
from assetry.types.records import WELL, BackfillRecord, RunInfo, RunState

#: How runs end that may have left something undone.
_ENDED: tuple[RunState, ...] = ("failed", "cancelled", "interrupted")
#: How many of the interrupted runs are looked at, the newest first.
_MOST = 50


class LeftRun(NamedTuple):
    """A run and the assets that it has left undone, in graph order; `last` tells that `assetry retry` alone means it.

    `backfill` is the record of the one that it is of, where that was looked up, and `goes_on` tells that this is being
    carried out.

    >>> from datetime import UTC, datetime
    >>> LeftRun(RunInfo(id="r7", state="interrupted", started=datetime.now(UTC)), (AssetKey("a"),)).command
    'assetry retry r7'
    """

    run: RunInfo
    assets: tuple[AssetKey, ...]
    last: bool = False
    backfill: BackfillRecord | None = None
    goes_on: bool = False

    @property
    def command(self) -> str:
        """Return what goes on with it."""
        backfill = self.run.backfill
        if backfill:
            # Of one that was cancelled, or whose process is gone, there is more to do than what failed.
            only = " --failed" if self.goes_on or (self.backfill and self.backfill.state == "failed") else ""
            return f"assetry backfill --resume {backfill}{only}"
        return "assetry retry" if self.last else f"assetry retry {self.run.id}"


def left_runs(graph: AssetGraph, store: Store) -> list[LeftRun]:
    """Return the runs of which something is left to retry, newest first; of those of a backfill the newest stands.

    What a later run was to make as well is that run's affair, unless it has partitions: then it may be others.
    """
    runs = store.runs()
    ended = [run for run in runs if run.makes and run.state in _ENDED]
    records = {each.id: each for each in store.backfills()} if any(run.backfill for run in ended) else {}
    # Of one that is done nothing is left, and looking at each of its runs would take long.
    over = {each.id for each in records.values() if each.state == "done"}
    found = _left(graph, store, ended, RunOrder.of(runs), told_once=over)
    going = _carried_out(store) if records else set()
    return [
        each._replace(backfill=records.get(id_), goes_on=id_ in going) if (id_ := each.run.backfill) else each
        for each in found
    ]


def _carried_out(store: Store) -> set[str | None]:
    """Return the ids of the backfills that processes carry out."""
    return {run.backfill for run in (*store.runs(running=True), *(each.run for each in store.queue()))}


def interrupted_runs(graph: AssetGraph, store: Store) -> list[LeftRun]:
    """Return the interrupted runs of which something is left that no later run has tried, newest first.

    One of which another run makes some now is none: only when that has ended a retry can go on with it.
    """
    runs = [run for run in store.runs(_MOST, interrupted=True) if run.makes]
    # The order of all runs is asked for only where it matters: there may be a hundred thousand.
    if not runs or not _left(graph, store, runs, RunOrder()):
        return []
    found = _left(graph, store, runs, RunOrder.of(store.runs()), store.leases())
    newest = last_that_makes(store, ended=True)
    return [each._replace(last=newest is not None and each.run.id == newest.id) for each in found]


def left_of(run: RunInfo, graph: AssetGraph, store: Store, judge: Callable[[], Iterable[Status]]) -> Undone:
    """Return what a run has left undone.

    Of one that was to make what is out of date, nothing is left that is fresh by now because another run made it
    meanwhile, also one that had begun before it.
    """
    attempts, tables = store.attempts(run.assets), store.partition_keys(run.assets)
    left = undone(run, graph, attempts, tables, RunOrder.of(store.runs()))
    if not (run.options.get("stale") and left.wants):
        return left
    later = undone(run, graph, attempts, tables)  # by the moments alone, whichever run began first
    if later.wants == left.wants:
        return left
    statuses = {each.key: each for each in judge()}
    wants: dict[AssetKey, Parts | None] = {}
    for key, own in left.wants.items():
        still, sets = later.wants.get(key, NOTHING), statuses[key].partitions
        if own is None or still is None or sets is None:
            if still is None or statuses[key].status != "fresh":
                wants[key] = own
            continue
        fresh, definition = set(sets.definition.keys_of(sets.fresh)), left.definitions[key]
        made = [part for part in definition.keys_of(own - still) if part in fresh]
        if rest := own - definition.parts_of(made):
            wants[key] = rest
    return left._replace(wants=wants)


def but_fresh(graph: AssetGraph, found: Iterable[LeftRun], judge: Callable[[], Iterable[Status]]) -> list[LeftRun]:
    """Return what runs have left but for what is fresh by now, because all that it was to be made anew for is made.

    What is fresh and has nothing above it in its run was asked for as it was, and is left; so is all that was to be
    made in full.
    """
    found = list(found)
    if not any(len(each.run.assets) > len(each.assets) for each in found):
        return found  # nothing of them was made since
    fresh = {each.key for each in judge() if each.status == "fresh"}
    told = (each._replace(assets=_but_fresh(graph, each, fresh)) for each in found)
    return [each for each in told if each.assets]


def _but_fresh(graph: AssetGraph, left: LeftRun, fresh: Collection[AssetKey]) -> tuple[AssetKey, ...]:
    own, asked = set(left.assets), set(left.run.assets)
    if left.run.options.get("full_refresh") or own.isdisjoint(fresh):
        return left.assets
    #: The assets below one that the run was to make, and whether one of these is left.
    below: dict[AssetKey, bool] = {}
    for key in graph.keys:
        above = graph.upstream_of(key)
        if any(each in asked or each in below for each in above):
            below[key] = any(each in own or below.get(each, False) for each in above)
        if key in own and key in fresh and below.get(key) is False:
            own.discard(key)
    return tuple(key for key in left.assets if key in own)


def _left(
    graph: AssetGraph,
    store: Store,
    runs: Sequence[RunInfo],
    order: RunOrder,
    held: Sequence[HeldLease] = (),
    told_once: Collection[str] | None = None,
) -> list[LeftRun]:
    """Return what runs have left; with `told_once`, ids of backfills that are through, of each other one the newest."""
    keys = list(dict.fromkeys(key for run in runs for key in run.assets))
    attempts, tables = store.attempts(keys), store.partition_keys(keys)
    taken, found, through = set[AssetKey](), list[LeftRun](), set(told_once or ())
    for run in runs:
        own: Iterable[AssetKey] = ()
        backfill = run.backfill if told_once is not None else None
        if backfill not in through and not taken.issuperset(run.assets):
            undone_now = undone(run, graph, attempts, tables, order)
            own = () if _is_under_way(undone_now, held) else undone_now.wants
        left = tuple(key for key in own if key not in taken and not _tried_since(run, key, attempts, order))
        if left:
            found.append(LeftRun(run, left))
            through.update(() if backfill is None else (backfill,))
        taken.update(_whole(graph, run.assets))
    return found


def _is_under_way(left: Undone, held: Iterable[HeldLease]) -> bool:
    """Tell whether another run makes some of what is left: a retry would be in its way until that has ended."""
    for each in held:
        if each.key in left.wants:
            own, definition = left.wants[each.key], left.definitions.get(each.key)
            if own is None or definition is None or shared_with(definition, own, each.parts):
                return True
    return False


def _tried_since(run: RunInfo, key: AssetKey, attempts: Attempts, order: RunOrder) -> bool:
    """Tell whether a later run has tried to make an asset, and failed at it: that is what is to be mended, then."""
    last = attempts.get((key, None))
    if last is None or last.run == run.id or last.outcome in (*WELL, "gone", "there"):
        return False
    return order.is_since(last.run, last.at, run.id, run.started)


def _whole(graph: AssetGraph, keys: Iterable[AssetKey]) -> Iterable[AssetKey]:
    return (key for key in keys if key in graph and graph[key].partitions_def is None)
