"""What is seen of assets outside, on its way into the records: a run that begins once there is something to record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from assetry.errors import ConflictError
from assetry.graph.graph import AssetGraph
from assetry.partitions.key_table import KeyTable
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.recorded import has_dynamic
from assetry.run.listeners import Listeners
from assetry.run.partition_keys import PartitionKeys, keys_change, known_keys, known_table
from assetry.run.recorder import Before, Recorder
from assetry.run.result import RunResult, RunServices, new_run
from assetry.status.versions import with_read
from assetry.types.assets import Asset
from assetry.types.events import Event, Observed, RunFinished, RunStarted
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease
from assetry.types.records import Beside, DocumentChange, EventRecord, KeysChange, RunState

OnEvent = Callable[[EventRecord], None]


class Sightings:
    """What is seen of the assets `keys` in one observation, taken into the records of a run with `options`.

    A partition that comes into being is one once it is seen, and none any more once it is gone, where nothing here
    makes it; what is made of the asset partition by partition has it from then on. With `only_news` the run begins when
    all was seen, and only where something is other than it was; else it has begun.
    """

    def __init__(
        self,
        graph: AssetGraph,
        keys: Iterable[AssetKey],
        services: RunServices,
        options: Mapping[str, Any],
        *,
        only_news: bool = False,
    ) -> None:
        self._graph, self._services, self._quiet = graph, services, only_news
        self._began = time.monotonic()
        self._store = services.store
        self.info = new_run((), {"observe": True, **options})
        self.lease: Lease | None = None if only_news else self._store.begin(self.info)
        self.keys = PartitionKeys(self._store, lambda: self.lease)
        read = with_read(graph, keys)
        self.latest = self._store.latest(read)
        self._tables = known_keys(graph, self._store, read)
        self._tried = self._store.attempts(read)
        before = Before(self.latest, self._tried, self._tables)
        self.recorder = Recorder(self.info.id, graph, before, lease=self.lease)
        #: By asset, whether each partition that comes into being was there when it was seen last.
        self._seen: dict[AssetKey, dict[str, bool]] = {}
        self._known: dict[AssetKey, KeyTable] = {}
        self._changed = False

    def begin(self, assets: int, invocations: int) -> None:
        """Take that the observation begins: of so many assets, by so many invocations."""
        self.recorder.note(_now(), RunStarted(assets, invocations))

    def take(self, event: Event, invocation: str | None = None) -> None:
        """Take what was seen, or what is told beside it."""
        if not isinstance(event, Observed):
            self.recorder.note(_now(), event, invocation)
            return
        if event.partition is not None and event.through is None and comes_into_being(self._graph[event.key]):
            self._seen.setdefault(event.key, {})[event.partition] = not event.gone
            if event.gone:
                return
        self.recorder.look(_now(), event, invocation, quiet=self._quiet)

    def note_added(self, key: AssetKey, names: Sequence[str]) -> None:
        """Take that keys of an asset's partitions were made known meanwhile."""
        self._changed = True
        if key in self._known:
            self._known[key] = self._known[key].extended(names)

    def write(self, documents: Sequence[DocumentChange] = ()) -> list[EventRecord]:
        """Write what was taken since the last time, in one transaction with some documents."""
        changes = self._key_changes()
        beside = Beside(tuple(documents), changes) if documents or changes else None
        return self.recorder.write(self._store, beside)

    def _key_changes(self) -> tuple[KeysChange, ...]:
        found = []
        for key, seen in self._seen.items():
            there, gone = ([name for name, is_there in seen.items() if is_there is each] for each in (True, False))
            change = keys_change(self._graph[key], self.known(key), there, gone)
            if change is not None:
                found.append(change)
                found += self._below(key, change.add)
                for name in change.drop:
                    self.recorder.note_dropped(_now(), key, name)
                # What is written next is known then.
                self._known[key] = self._known[key].extended(change.add).without(change.drop)
        self._seen = {}
        return tuple(found)

    def known(self, key: AssetKey) -> KeyTable:
        """Return the keys of partitions that are known of an asset which is looked at, by number."""
        if key not in self._known:
            made = (each for (own, _), each in self.latest.items() if own == key)
            tried = (each for (own, _), each in self._tried.items() if own == key)
            self._known[key] = known_table(self._graph[key], self._tables.get(key), made, tried)
        return self._known[key]

    def _below(self, key: AssetKey, names: Sequence[str]) -> Iterator[KeysChange]:
        """Yield the changes by which what is made of an asset, partition by partition, has its new ones, too.

        What is gone of the asset stays there: it was made of what was there once.
        """
        graph, reached = self._graph, {key}
        for asset in graph.assets if names else ():
            same = (dep for dep in asset.deps if dep.partition_mapping == "same" and graph[dep.key].key in reached)
            if any(graph[dep.key].partitions_def == asset.partitions_def for dep in same):
                reached.add(asset.key)
                change = keys_change(asset, self.keys.table(asset), names, ())
                if change is not None:
                    yield change

    def finish(
        self,
        state: RunState,
        problems: Sequence[str] = (),
        documents: Sequence[DocumentChange] = (),
        *,
        on_event: OnEvent | None = None,
        listeners: Listeners | None = None,
    ) -> RunResult:
        """Record what is left to be recorded, and how the observation ended; nothing where there is no news."""
        recorder, changes = self.recorder, self._key_changes()
        info = replace(self.info, state=state, finished=_now())
        result = RunResult(info, dict(recorder.counts), {}, tuple(problems))
        if self.lease is None and not (recorder.has_news or changes or self._changed):
            recorder.write_looks(self._store, Beside(tuple(documents)) if documents else None)
            return result
        if self.lease is None:
            self.lease = self._store.begin(self.info)
            recorder.leased(self.lease)
        took = round(time.monotonic() - self._began, 3)
        recorder.note(_now(), RunFinished(state, took, dict(recorder.counts)))
        beside = Beside(tuple(documents), changes) if documents or changes else None
        with ExitStack() as ending:
            heard = listeners or ending.enter_context(
                closing(Listeners(self._services, self._graph, self.info, on_event))
            )
            try:
                records = recorder.write(self._store, beside)
            except ConflictError:
                self._store.finish(info.id, "cancelled", _now(), lease=self.lease)
                raise
            self._store.finish(info.id, state, _now(), lease=self.lease)
            heard.tell(records)
        return result


def comes_into_being(asset: Asset) -> bool:
    """Tell whether partitions of an asset are there once they are seen: nothing here makes it.

    Of several dimensions, one of them time, only all windows of a key are dropped together, which no look can tell.
    """
    definition = asset.partitions_def
    if asset.executable or definition is None or not has_dynamic(definition):
        return False
    return not isinstance(definition, MultiPartitionsDefinition) or definition.time is None


def _now() -> datetime:
    return datetime.now(UTC)
