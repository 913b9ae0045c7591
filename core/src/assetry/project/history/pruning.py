"""What is removed of a project's history, and what a retry may still need of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from assetry.graph.graph import AssetGraph
from assetry.io.metadata.pictures import Pictures
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.project.history.retention import KINDS, Retention
from assetry.run.retry import Attempts, RunOrder, family, forget_ended, undone
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import KeptHistory, PrunedHistory, RunInfo
from assetry.views.json import json_text


@dataclass(frozen=True, slots=True)
class HistoryPruning:
    """What was removed of a history, or would be: how much, by which rules; `kept` also names runs kept whole.

    `pictures` are those that nothing referred to any more; before anything is removed, those that nothing refers to.
    """

    removed: PrunedHistory
    retention: Retention
    kept: KeptHistory
    pictures: int = 0


def prune_history(
    store: Store,
    graph: AssetGraph,
    retention: Retention,
    now: datetime,
    *,
    pictures: Pictures | None = None,
    dry_run: bool = False,
) -> HistoryPruning:
    """Remove what is older than a project keeps; with `dry_run` only tell how much that is.

    Runs with something left that a retry would make stay as they are, with all that is theirs. Of `pictures` those
    are removed that nothing refers to after it.
    """
    kept = retention.until(now)
    if any(getattr(kept, name) is not None for name in KINDS):
        for run in store.runs() if not dry_run else ():
            # The token of a job keeps its run, and of one that is over it need not.
            if store.handles(run.id):
                forget_ended(run, store, now)
        kept = replace(kept, whole=needed_runs(store, graph, kept))
    removed = store.prune(kept, dry_run=dry_run)
    unused = 0 if pictures is None else pictures.prune(store.pictures, dry_run=dry_run)
    return HistoryPruning(removed, retention, kept, unused)


def needed_runs(store: Store, graph: AssetGraph, kept: KeptHistory) -> frozenset[str]:
    """Return the runs that would lose something, and that a retry may still need: these, and who they share jobs with.

    It needs a run that did not succeed, and of which something is left that no later such run would make as well; the
    last run, which is the one that is meant when none is named; and one with the token of a job.
    """
    runs = store.runs()
    last = next((run.id for run in runs if run.makes), None)
    needed = {run.id for run in runs if run.id == last or (_is_old(run, kept) and store.handles(run.id))}
    left = _Left(store, graph, RunOrder.of(runs))
    for run in runs:
        if run.state not in ("running", "succeeded") and left.is_more(run):
            needed.add(run.id)
    found: set[str] = set()
    for run in runs:
        if run.id in needed and run.id not in found:
            found.update(each.id for each in family(run, runs))
    return frozenset(run.id for run in runs if run.id in found and _is_old(run, kept))


def _is_old(run: RunInfo, kept: KeptHistory) -> bool:
    """Tell whether any of a run would be removed."""
    before = max(each for name in KINDS if (each := getattr(kept, name)) is not None)
    return run.finished is not None and run.finished < before


class _Left:
    """What runs have left undone, looked at from the newest to the oldest."""

    def __init__(self, store: Store, graph: AssetGraph, order: RunOrder) -> None:
        self._store, self._graph, self._order = store, graph, order
        self._tables = store.partition_keys()
        #: What was seen, by what runs were asked for besides their assets.
        self._seen: dict[str, dict[AssetKey, Parts | None]] = {}
        self._last: tuple[Sequence[AssetKey], Attempts] | None = None

    def is_more(self, run: RunInfo) -> bool:
        """Tell whether a run has left something that none of those seen before has left."""
        seen = self._seen.setdefault(_manner(run), {})
        more = False
        left = undone(run, self._graph, self._attempts(run), self._tables, self._order)
        for key, wanted in left.wants.items():
            parts = None if wanted is None else _comparable(left.definitions[key], wanted)
            before = seen.get(key, NOTHING)
            if key not in seen or (before is not None and (parts is None or parts - before)):
                more = True
                seen[key] = None if parts is None or before is None else before | parts
        return more

    def _attempts(self, run: RunInfo) -> Attempts:
        # One run after the other is of the same assets.
        if self._last is None or self._last[0] != run.assets:
            self._last = run.assets, self._store.attempts(run.assets)
        return self._last[1]


def _comparable(definition: PartitionsDefinition, parts: Parts) -> Parts:
    """Return partitions so that they can be compared with those of another run, which may know other keys."""
    if definition.typical_length is not None:
        return parts
    return Parts.of_strands(dict.fromkeys(definition.keys_of(parts), WHOLE))


#: What of a run's options says which assets it is of; the rest is how it makes them.
_WHICH = ("select", "exclude", "partition", "stale", "wants", "retry_of")


def _manner(run: RunInfo) -> str:
    return json_text({name: value for name, value in run.options.items() if name not in _WHICH})
