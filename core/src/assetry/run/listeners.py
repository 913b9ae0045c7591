"""Who hears of events once they are recorded: the caller at once, plugins on a thread of their own, in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue

from assetry.hooks.manager import Plugins
from assetry.types.events import Log
from assetry.types.records import EventRecord, RunInfo

#: Seconds that listeners have to catch up when the run is over.
PATIENCE = 5.0
#: How many events may wait for plugins that listen; beyond, lines of logs are left out, so that they do not fill the
#: memory.
WAITING = 50_000


class Listeners:
    """Those who hear the events of one run or observation: `on_event`, and the plugins that listen.

    A slow or failing plugin holds nothing up: when it is far behind, it is not told of lines of logs, and then of how
    many it was not told. What `on_event` raises goes on to the run.
    """

    def __init__(self, plugins: Plugins, run: RunInfo, on_event: Callable[[EventRecord], None] | None = None) -> None:
        self._plugins = plugins
        self._run = run
        self._on_event = on_event
        self._queue: SimpleQueue[EventRecord | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        #: Lines of logs that were left out since the last event that was told.
        self._left_out = 0
        if plugins.has_listeners():
            self._thread = threading.Thread(target=self._work, name="assetry-listeners", daemon=True)
            self._thread.start()

    def tell(self, records: Sequence[EventRecord]) -> None:
        """Tell of events that are durable now."""
        if self._thread is not None:
            for record in records:
                self._tell_plugins(record)
        if self._on_event is not None:
            for record in records:
                self._on_event(record)

    def _tell_plugins(self, record: EventRecord) -> None:
        if isinstance(record.event, Log) and self._queue.qsize() >= WAITING:
            self._left_out += 1
            return
        if self._left_out:
            said = f"{self._left_out:,} lines of the log were left out here; `assetry logs {self._run.id}` has them."
            self._queue.put(EventRecord(at=record.at, run=record.run, event=Log(said, "warning")))
            self._left_out = 0
        self._queue.put(record)

    def _work(self) -> None:
        while (record := self._queue.get()) is not None:
            self._plugins.event(record, self._run)

    def close(self) -> None:
        """Wait a little for the listeners to catch up."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(PATIENCE)
