"""Who hears of events once they are recorded: the caller at once, plugins on a thread of their own, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.run.result import RunServices
from assetry.types.assets import Asset
from assetry.types.events import Log
from assetry.types.keys import AssetKey
from assetry.types.records import EventRecord, Origin, RunInfo

#: Seconds that listeners have to catch up when the run is over.
PATIENCE = 5.0
#: How many events may wait for plugins that listen; beyond, lines of logs are left out, so that they do not fill the
#: memory.
WAITING = 50_000


class Surroundings:
    """The project of a run, for plugins that listen: an `EventContext`."""

    def __init__(self, services: RunServices, graph: AssetGraph) -> None:
        self.root, self.tables = services.root, services.tables
        self.recorded, self.store_url, self.store = services.recorded, services.store_url, services.store
        self._services = services
        self._graph = graph

    def asset(self, key: AssetKey) -> Asset | None:
        """Return the definition of an asset."""
        if key not in self._graph:
            return None
        return self._graph[key]

    def origin(self, key: AssetKey) -> Origin | None:
        """Return what makes an asset, and where it is."""
        asset = self.asset(key)
        return None if asset is None else self._services.values.origin(asset, self._where(asset))

    def _where(self, asset: Asset) -> Mapping[str, Any]:
        """Return the metadata that tells where a value is kept: of the partition that was made last."""
        if not asset.kept:
            return {}
        made = self._services.store.latest([asset.key]).values()
        return max(made, key=lambda each: each.at).metadata if made else {}

    def secret(self, name: str) -> str:
        """Return a secret."""
        return self._services.plugins.secret(name)


class Listeners:
    """Those who hear the events of one run or observation: `on_event`, and the plugins that listen.

    A slow or failing plugin holds nothing up: when it is far behind, it is not told of lines of logs, and then of how
    many it was not told. What `on_event` raises goes on to the run.
    """

    def __init__(
        self,
        services: RunServices,
        graph: AssetGraph,
        run: RunInfo,
        on_event: Callable[[EventRecord], None] | None = None,
    ) -> None:
        self._plugins = services.plugins
        self._context = Surroundings(services, graph)
        self._run = run
        self._on_event = on_event
        self._queue: SimpleQueue[Sequence[EventRecord]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        #: How many events plugins are to be told of, and how many they were told of.
        self._due = self._told = 0
        #: Lines of logs that were left out since the last event that was told.
        self._left_out = 0
        self._listening = services.plugins.listeners(services.tables)
        if self._listening:
            self._thread = threading.Thread(target=self._work, name="assetry-listeners", daemon=True)
            self._thread.start()

    def tell(self, records: Sequence[EventRecord]) -> None:
        """Tell of events that are durable now."""
        if self._thread is not None and records:
            # All at once: each wakes the thread.
            self._queue.put(self._heard_of(records))
        if self._on_event is not None:
            for record in records:
                self._on_event(record)

    def _heard_of(self, records: Sequence[EventRecord]) -> Sequence[EventRecord]:
        """Return what plugins are told of some events: where they are far behind, of no lines of logs."""
        room, found = WAITING - (self._due - self._told), list[EventRecord]()
        for record in records:
            if len(found) >= room and isinstance(record.event, Log):
                self._left_out += 1
                continue
            if self._left_out:
                said = (
                    f"{self._left_out:,} lines of the log were left out here; `assetry logs {self._run.id}` has them."
                )
                found.append(EventRecord(at=record.at, run=record.run, event=Log(said, "warning")))
                self._left_out = 0
            found.append(record)
        self._due += len(found)
        return found

    def _work(self) -> None:
        while records := self._queue.get():
            for record in records:
                self._told += 1
                self._plugins.event(self._listening, record, self._run, self._context)

    def close(self) -> None:
        """Wait a little for the listeners to catch up."""
        if self._thread is not None:
            self._queue.put(())
            self._thread.join(PATIENCE)
