"""Streams under observation: drained as an executor would, on a thread of their own, before the core repairs them."""

from __future__ import annotations

import ctypes
import logging
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TextIO, TypeVar

from assetry.types.events import TERMINAL, Event
from assetry.types.keys import AssetKey

#: What is to happen after an event: go on, close the stream, or drop it as a killed process would.
Then = Literal["on", "close", "drop"]
Decide = Callable[[Any], Then]

#: Seconds between two looks at something that cannot send a signal.
PAUSE = 0.01
#: What a plugin's author did not write: places there say less than the line that led to them.
_OTHERS = (sysconfig.get_path("stdlib"), str(Path(__file__).parents[1]))

T = TypeVar("T")


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


class Stopped(BaseException):
    """What is raised in a thread that is no longer waited for."""


class Unanswered(Exception):
    """Work that has not ended in time; `place` is the line at which it stands."""

    def __init__(self, place: str) -> None:
        super().__init__(f"it stands at {place}")
        self.place = place


class Worker(Generic[T]):
    """Work on a thread of its own, which one waits for only so long.

    >>> Worker(lambda: 6 * 7).answer(5)
    42
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._answer: list[T] = []
        self._error: BaseException | None = None
        self._ended = threading.Event()
        # A daemon: what never ends must not keep the tests from ending.
        self._thread = threading.Thread(target=self._do, name="assetry-kit", daemon=True)
        self._thread.start()

    def answer(self, seconds: float) -> T:
        """Return what the work returned, or raise what it raised; raise `Unanswered` when it has not ended."""
        if not self.wait(seconds):
            place = self.place
            self.interrupt()
            raise Unanswered(place)
        if self._error is not None:
            raise self._error
        return self._answer[0]

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the work; return whether it has ended."""
        return self._ended.wait(seconds)

    @property
    def ended(self) -> bool:
        """Tell whether the work has ended."""
        return self._ended.is_set()

    @property
    def place(self) -> str:
        """Return the line at which the work stands, as ``file:line``."""
        frame = sys._current_frames().get(self._thread.ident or 0)
        return "its end" if frame is None else place_in(traceback.extract_stack(frame, limit=60))

    def interrupt(self) -> None:
        """End a loop of Python code; what waits in C ends when it returns."""
        if not self.ended and self._thread.ident is not None:
            thread = ctypes.c_ulong(self._thread.ident)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Stopped))

    def _do(self) -> None:
        try:
            self._answer.append(self._work())
        except BaseException as error:  # whatever it is, it is for the one who waits
            self._error = error
        finally:
            self._ended.set()


def place_in(frames: Sequence[traceback.FrameSummary]) -> str:
    """Return ``file:line`` of the innermost frame that is neither Python's own nor assetry's; else of the innermost.

    >>> frame = traceback.FrameSummary
    >>> place_in([frame("/mill/plugin.py", 7, "load"), frame(threading.__file__, 359, "wait")])
    '/mill/plugin.py:7'
    """
    theirs = [frame for frame in frames if not frame.filename.startswith(_OTHERS) and frame.filename[:1] != "<"]
    found = (theirs or list(frames))[-1:]
    return f"{found[0].filename}:{found[0].lineno}" if found else "an unknown place"


def place_of_error(error: BaseException) -> str:
    """Return ``file:line`` of where an error was raised, as `place_in` does."""
    return place_in(traceback.extract_tb(error.__traceback__))


@dataclass(frozen=True, slots=True)
class Recording:
    """What a stream gave, and what its tool had done when it ended.

    `error` is the exception that broke it, `moment` when it did; `lines` are what was written into the run's log, into
    Python's and to stdout and stderr.
    """

    events: tuple[Any, ...]
    error: BaseException | None
    lines: tuple[str, ...]
    launches: int
    running: int
    made: frozenset[AssetKey]
    moment: str = ""

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
        #: What was logged meanwhile, if that is kept.
        self.lines: list[str] = []
        #: What was dropped without being closed.
        self.dropped: Iterator[Any] | None = None
        #: Whether the stream was told to close.
        self.closing = False
        self._stream = stream
        self._decide = decide
        self._worker = Worker(self._drain)

    def wait(self, seconds: float) -> bool:
        """Wait for the end of the stream; return whether it has ended."""
        return self._worker.wait(seconds)

    @property
    def ended(self) -> bool:
        """Tell whether the stream has ended, was closed or dropped."""
        return self._worker.ended

    @property
    def place(self) -> str:
        """Return the line at which the stream stands."""
        return self._worker.place

    @property
    def moment(self) -> str:
        """Say in which moment of its life the stream is, or ended."""
        if self.closing:
            return "when it was closed"
        return f"after {len(self.events)} events" if self.events else "before its first event"

    def interrupt(self) -> None:
        """End the thread of a stream that is no longer waited for."""
        self._worker.interrupt()

    def _drain(self) -> None:
        try:
            self._look_at(self._stream())
        except BaseException as error:  # whatever breaks a stream is what the check wants to see
            self.error = error

    def _look_at(self, stream: Iterator[Any]) -> None:
        for event in stream:
            self.events.append(event)
            then = self._decide(event)
            if then == "drop":
                self.dropped = stream
                return
            if then == "close":
                self.closing = True
                break
        close = getattr(stream, "close", None)
        if close is not None:
            close()


class _Tee:
    """A stream for text whose words are kept on their way."""

    def __init__(self, under: TextIO, texts: list[str]) -> None:
        self._under = under
        self._texts = texts

    def write(self, text: str) -> int:
        self._texts.append(text)
        return self._under.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._under, name)


class Lines(logging.Handler):
    """What is logged by Python's own means, at any level, or printed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of a record."""
        try:
            self.texts.append(self.format(record))
        except Exception:  # a record whose arguments do not fit; logging itself says so
            self.texts.append(str(record.msg))

    def __enter__(self) -> Lines:
        root = logging.getLogger()
        self._before = (root.level, sys.stdout, sys.stderr)
        root.addHandler(self)
        root.setLevel(logging.DEBUG)
        sys.stdout, sys.stderr = _Tee(sys.stdout, self.texts), _Tee(sys.stderr, self.texts)
        return self

    def __exit__(self, *_: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self)
        level, sys.stdout, sys.stderr = self._before
        root.setLevel(level)
