"""Streams under observation: drained as an executor would, on a thread of their own, before the core repairs them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from assetry.types.events import TERMINAL, Event
from assetry.types.keys import AssetKey

#: What is to happen after an event: go on, close the stream, or drop it as a killed process would.
Then = Literal["on", "close", "drop"]
Decide = Callable[[Any], Then]

#: Seconds between two looks at something that cannot send a signal.
PAUSE = 0.01


def eventually(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is true, at most `seconds`; return whether it is.

    >>> eventually(lambda: True, 1)
    True
    """
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


@dataclass(frozen=True, slots=True)
class Recording:
    """What a stream gave, and what its tool had done when it ended.

    `error` is the exception that broke it, `lines` what it wrote into the run's log and into Python's.
    """

    events: tuple[Any, ...]
    error: BaseException | None
    lines: tuple[str, ...]
    launches: int
    running: int
    made: frozenset[AssetKey]

    def of(self, *kinds: type[Event]) -> list[Any]:
        """Return the events of some kinds."""
        return [event for event in self.events if isinstance(event, kinds)]

    def ends(self) -> list[tuple[AssetKey, str | None]]:
        """Return asset and partition of each terminal event, in their order."""
        return [(event.key, event.partition) for event in self.of(*TERMINAL)]

    def position(self, kind: type[Event], key: AssetKey) -> int | None:
        """Return where the first event of a kind about an asset stands."""
        found = (i for i, each in enumerate(self.events) if isinstance(each, kind) and getattr(each, "key", "") == key)
        return next(found, None)


class Watch:
    """A stream drained on a thread; `decide` is asked after each event.

    >>> watch = Watch(lambda: iter([1, 2, 3]), lambda event: "close" if event == 2 else "on")
    >>> watch.wait(1), watch.events
    (True, [1, 2])
    """

    def __init__(self, stream: Callable[[], Iterator[Any]], decide: Decide = lambda _: "on") -> None:
        self.events: list[Any] = []
        self.error: BaseException | None = None
        #: What was dropped without being closed.
        self.dropped: Iterator[Any] | None = None
        self._stream = stream
        self._decide = decide
        self._ended = threading.Event()
        # A daemon: a stream that never ends must not keep the tests from ending.
        threading.Thread(target=self._drain, name="assetry-kit", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the stream; return whether it has ended."""
        return self._ended.wait(seconds)

    @property
    def ended(self) -> bool:
        """Tell whether the stream has ended, was closed or dropped."""
        return self._ended.is_set()

    def _drain(self) -> None:
        try:
            self._look_at(self._stream())
        except BaseException as error:  # whatever breaks a stream is what the check wants to see
            self.error = error
        finally:
            self._ended.set()

    def _look_at(self, stream: Iterator[Any]) -> None:
        for event in stream:
            self.events.append(event)
            then = self._decide(event)
            if then == "drop":
                self.dropped = stream
                return
            if then == "close":
                break
        close = getattr(stream, "close", None)
        if close is not None:
            close()


class Lines(logging.Handler):
    """What is logged by Python's own means."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of a record."""
        self.texts.append(self.format(record))

    def __enter__(self) -> Lines:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self)
