"""Where the events of all invocations of a run arrive, from any thread, in order.

A tool that yields the token of a job may start the job in its next step: it goes on when the token is on the disk.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from queue import SimpleQueue

from assetry.types.events import Handle

#: How many events may wait. A tool that says more in the meantime is held up, so that its words do not fill the memory.
ROOM = 20_000
#: Seconds between two looks whether what is waited for has come, and whether there is still a reader to wait for.
_LOOK = 0.1

_Arrived = tuple[datetime, str, object]


class Inbox:
    """A queue with room for so many events; made and read by one thread, the run's own.

    >>> inbox = Inbox()
    >>> inbox.put("1", "hello")
    >>> inbox.get()[1:]
    ('1', 'hello')
    """

    def __init__(self, room: int = ROOM) -> None:
        self._queue: SimpleQueue[tuple[_Arrived, threading.Event | None]] = SimpleQueue()
        self._most = room
        self._reader = threading.get_ident()
        self._open = True
        #: Set when half of the room is free again, so that writers do not wake for each single place.
        self._free = threading.Event()
        #: Those whose tokens were taken out, and are with the next that is written.
        self._unwritten: list[threading.Event] = []

    def put(self, id_: str, event: object) -> None:
        """Add something from an invocation; wait while there is no room, and for a `Handle` until it is written."""
        arrived = (datetime.now(UTC), id_, event)
        # The reader cannot wait for itself. Nor may it be waited for when it reads no more.
        while self._queue.qsize() >= self._most and self._awaited:
            self._free.clear()
            self._free.wait(_LOOK)
        written = threading.Event() if isinstance(event, Handle) and self._awaited else None
        self._queue.put((arrived, written))
        while written is not None and not written.wait(_LOOK) and self._awaited:
            pass

    @property
    def _awaited(self) -> bool:
        return self._open and threading.get_ident() != self._reader

    def wake(self, word: str, event: object = None) -> None:
        """Add something without waiting, as from a signal's handler."""
        self._queue.put(((datetime.now(UTC), word, event), None))

    def get(self, timeout: float | None = None) -> _Arrived:
        """Return the oldest; raise `queue.Empty` when nothing comes in time."""
        return self._taken(*self._queue.get(timeout=timeout))

    def get_nowait(self) -> _Arrived:
        """Return the oldest; raise `queue.Empty` when there is nothing."""
        return self._taken(*self._queue.get_nowait())

    def _taken(self, found: _Arrived, written: threading.Event | None) -> _Arrived:
        if written is not None:
            self._unwritten.append(written)
        if not self._free.is_set() and self._queue.qsize() <= self._most // 2:
            self._free.set()
        return found

    def written(self) -> None:
        """Let tools go on whose tokens were taken out until now: they are on the disk."""
        for each in self._unwritten:
            each.set()
        self._unwritten.clear()

    def leave_open(self) -> None:
        """Hold up nothing any more: the run stops reading, and what still runs must be able to end."""
        self._open = False
