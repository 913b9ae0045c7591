"""What a run has left undone: the assets, the partitions of them, and the outside jobs that may still be under way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from assetry.graph.graph import AssetGraph
from assetry.types.events import InvocationFinished, InvocationStarted
from assetry.types.keys import AssetKey
from assetry.types.records import Attempt, EventRecord, RunInfo

Attempts = Mapping[tuple[AssetKey, str | None], Attempt]


def undone(run: RunInfo, graph: AssetGraph, attempts: Attempts) -> dict[AssetKey, tuple[str, ...]]:
    """Return what a run was to make and has not been made since, in graph order; of partitions those that are left.

    `attempts` are the last ones at the assets of the run, in whichever run.

    >>> from datetime import UTC, datetime
    >>> from assetry.types.assets import Asset
    >>> run = RunInfo(id="r", state="failed", started=datetime.now(UTC), assets=(AssetKey("a"), AssetKey("gone")))
    >>> undone(run, AssetGraph.of([Asset(key="a", kind="x")]), {})
    {AssetKey('a'): ()}
    """
    asked = set(run.assets)
    left: dict[AssetKey, tuple[str, ...]] = {}
    for asset in graph.assets:
        if asset.key not in asked:
            continue
        parts = tuple(run.options.get("partition") or ()) if asset.partitions_def is not None else ()
        undone = tuple(part for part in parts or (None,) if not _done(run, attempts, asset.key, part))
        if undone:
            left[asset.key] = tuple(part for part in undone if part is not None)
    return left


def _done(run: RunInfo, attempts: Attempts, key: AssetKey, partition: str | None) -> bool:
    """Tell whether an asset, or a partition of it, was made in a run or since, the last time that it was tried."""
    last, whole = attempts.get((key, partition)), attempts.get((key, None))
    # One from before the run: the run was killed before it came to the asset.
    if last is None or last.outcome != "materialized" or last.at < run.started:
        return False
    if whole is None or whole.outcome not in ("check_failed", "cancelled"):
        return True
    # A check is of the asset as a whole, and speaks of what was made in its run or before it.
    return whole.run != last.run and whole.at < last.at


def breaks(events: Iterable[EventRecord]) -> Iterator[str]:
    """Yield what broke invocations of a run, of which `events` are.

    >>> list(breaks([]))
    []
    """
    for record in events:
        event = record.event
        if isinstance(event, InvocationFinished) and event.broken is not None:
            yield event.broken


def jobs_of(tokens: Mapping[str, str], events: Iterable[EventRecord]) -> dict[str, str]:
    """Return the tokens of the jobs that a run has left behind, by group; `tokens` are by invocation.

    >>> jobs_of({}, [])
    {}
    """
    if not tokens:
        return {}
    groups = {record.invocation: record.event.group for record in events if isinstance(record.event, InvocationStarted)}
    return {str(groups[id_]): token for id_, token in tokens.items() if groups.get(id_)}
