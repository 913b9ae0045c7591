"""Tell plugins of events, off the critical path: on a thread of its own, in order."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from assetry.hooks.manager import Plugins
from assetry.types.records import EventRecord, RunInfo

#: Seconds that listeners have to catch up when the run is over.
PATIENCE = 5.0


class Listeners:
    """The plugins that hear the events of one run; without any it costs nothing."""

    def __init__(self, plugins: Plugins, run: RunInfo) -> None:
        self._plugins = plugins
        self._run = run
        self._queue: SimpleQueue[EventRecord | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        if plugins.has_listeners():
            self._thread = threading.Thread(target=self._work, name="assetry-notices", daemon=True)
            self._thread.start()

    def tell(self, record: EventRecord) -> None:
        """Queue one event."""
        if self._thread is not None:
            self._queue.put(record)

    def _work(self) -> None:
        while (record := self._queue.get()) is not None:
            self._plugins.event(record, self._run)

    def close(self) -> None:
        """Wait a little for the listeners to catch up."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(PATIENCE)
