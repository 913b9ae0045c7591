"""Signs of life of the runs of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from assetry.errors import StoreError

#: Seconds between two signs of life.
INTERVAL = 60.0


class Heartbeat:
    """Signs of life for the runs of this process, for readers that cannot see the process itself.

    `beat` is called with the ids of the runs, on a thread of its own, while there are any.
    """

    def __init__(self, beat: Callable[[Iterable[str]], None]) -> None:
        self._beat = beat
        self._runs: set[str] = set()
        self._stop: threading.Event | None = None

    def begin(self, run_id: str) -> None:
        """Give signs of life for a run from now on."""
        self._runs.add(run_id)
        if self._stop is None:
            self._stop = threading.Event()
            threading.Thread(target=self._work, args=(self._stop,), name="assetry-heartbeat", daemon=True).start()

    def end(self, run_id: str) -> None:
        """Give no more signs of life for a run."""
        self._runs.discard(run_id)
        if not self._runs:
            self.stop()

    def stop(self) -> None:
        """Let the thread end."""
        if self._stop is not None:
            self._stop.set()
            self._stop = None

    def _work(self, stop: threading.Event) -> None:
        while not stop.wait(INTERVAL):
            try:
                self._beat(tuple(self._runs))
            except StoreError:
                # The next one may come through; the run itself reports what is wrong with the store.
                continue
