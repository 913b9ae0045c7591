"""Where the events of all invocations of a run arrive, from any thread, in order."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from queue import SimpleQueue

#: How many events may wait. A tool that says more in the meantime is held up, so that its words do not fill the memory.
ROOM = 20_000
#: Seconds between two looks whether there is room, and still a reader to wait for.
_LOOK = 0.1


class Inbox:
    """A queue with room for so many events; made and read by one thread, the run's own.

    >>> inbox = Inbox()
    >>> inbox.put("1", "hello")
    >>> inbox.get()[1:]
    ('1', 'hello')
    """

    def __init__(self, room: int = ROOM) -> None:
        self._queue: SimpleQueue[tuple[datetime, str, object]] = SimpleQueue()
        self._most = room
        self._reader = threading.get_ident()
        self._open = True
        #: Set when half of the room is free again, so that writers do not wake for each single place.
        self._free = threading.Event()

    def put(self, id_: str, event: object) -> None:
        """Add something from an invocation; wait while there is no room."""
        arrived = (datetime.now(UTC), id_, event)
        # The reader cannot wait for itself. Nor may it be waited for when it reads no more.
        while self._queue.qsize() >= self._most and self._open and threading.get_ident() != self._reader:
            self._free.clear()
            self._free.wait(_LOOK)
        self._queue.put(arrived)

    def wake(self, word: str) -> None:
        """Add something without waiting, as from a signal's handler."""
        self._queue.put((datetime.now(UTC), word, None))

    def get(self, timeout: float | None = None) -> tuple[datetime, str, object]:
        """Return the oldest; raise `queue.Empty` when nothing comes in time."""
        return self._taken(self._queue.get(timeout=timeout))

    def get_nowait(self) -> tuple[datetime, str, object]:
        """Return the oldest; raise `queue.Empty` when there is nothing."""
        return self._taken(self._queue.get_nowait())

    def _taken(self, found: tuple[datetime, str, object]) -> tuple[datetime, str, object]:
        if self._queue.qsize() <= self._most // 2:
            self._free.set()
        return found

    def leave_open(self) -> None:
        """Hold up nothing any more: the run stops reading, and what still runs must be able to end."""
        self._open = False
