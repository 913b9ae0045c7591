"""Runs that have ended and left something undone, which no run has made since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from assetry.graph.graph import AssetGraph
from assetry.project.history.runs import last_that_makes
from assetry.run.leases.lease import shared_with
from assetry.run.retry import Attempts, RunOrder, Undone, undone
from assetry.types.keys import AssetKey
from assetry.types.leases import HeldLease
from assetry.types.protocols import Store
from assetry.types.records import WELL, RunInfo, RunState

#: How runs end that may have left something undone.
_ENDED: tuple[RunState, ...] = ("failed", "cancelled", "interrupted")
#: How many of the interrupted runs are looked at, the newest first.
_MOST = 50


class LeftRun(NamedTuple):
    """A run and the assets that it has left undone, in graph order; `last` tells that `assetry retry` alone means it.

    >>> from datetime import UTC, datetime
    >>> LeftRun(RunInfo(id="r7", state="interrupted", started=datetime.now(UTC)), (AssetKey("a"),)).command
    'assetry retry r7'
    """

    run: RunInfo
    assets: tuple[AssetKey, ...]
    last: bool = False

    @property
    def command(self) -> str:
        """Return what goes on with it."""
        backfill = self.run.options.get("backfill")
        if backfill:
            return f"assetry backfill --resume {backfill}"
        return "assetry retry" if self.last else f"assetry retry {self.run.id}"


def left_runs(graph: AssetGraph, store: Store) -> list[LeftRun]:
    """Return the runs of which something is left to retry, newest first; those of backfills are gone on with by them.

    What a later run was to make as well is that run's affair, unless it has partitions: then it may be others.
    """
    runs = store.runs()
    ended = [run for run in runs if run.makes and run.state in _ENDED and not run.options.get("backfill")]
    return _left(graph, store, ended, RunOrder.of(runs))


def interrupted_runs(graph: AssetGraph, store: Store) -> list[LeftRun]:
    """Return the interrupted runs of which something is left that no later run has tried, newest first.

    One of which another run makes some now is none: only when that has ended a retry can go on with it.
    """
    runs = [run for run in store.runs(_MOST, interrupted=True) if run.makes]
    # The order of all runs is asked for only where it matters: there may be a hundred thousand.
    if not runs or not _left(graph, store, runs, RunOrder()):
        return []
    found = _left(graph, store, runs, RunOrder.of(store.runs()), store.leases())
    newest = last_that_makes(store)
    return [each._replace(last=newest is not None and each.run.id == newest.id) for each in found]


def _left(
    graph: AssetGraph, store: Store, runs: Sequence[RunInfo], order: RunOrder, held: Sequence[HeldLease] = ()
) -> list[LeftRun]:
    keys = list(dict.fromkeys(key for run in runs for key in run.assets))
    attempts, tables = store.attempts(keys), store.partition_keys(keys)
    taken, found = set[AssetKey](), list[LeftRun]()
    for run in runs:
        own: Iterable[AssetKey] = ()
        if not taken.issuperset(run.assets):
            undone_now = undone(run, graph, attempts, tables, order)
            own = () if _is_under_way(undone_now, held) else undone_now.wants
        left = tuple(key for key in own if key not in taken and not _tried_since(run, key, attempts, order))
        if left:
            found.append(LeftRun(run, left))
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
