"""What a user's function prints and logs, as lines of its run's log.

While functions are called, `sys.stdout`, `sys.stderr` and the root logger hand on what comes from their threads; all
else goes where it went before. In a session of Python it is shown there as well; the command line, which shows the
log, turns that off (`without_echo`). A thread that a function starts itself is not one of theirs, unless it takes the
context along (`contextvars.copy_context`).
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from assetry.types.events import Level

#: Takes one line, and how grave it is.
Tell = Callable[[str, Level], None]

#: The most characters of one line; a longer one is cut, with a note.
LONGEST = 10_000

_tell: ContextVar[Tell | None] = ContextVar("assetry_tell", default=None)
#: By stream: what was printed of a line that has no end yet.
_rest: ContextVar[dict[int, str]] = ContextVar("assetry_rest")


@contextmanager
def captured(tell: Tell) -> Iterator[None]:
    """Hand what the code inside prints and logs to `tell`, line by line.

    >>> lines = []
    >>> with without_echo(), captured(lambda line, level: lines.append((line, level))):
    ...     print("one\\ntwo")
    ...     logging.getLogger("shop").warning("three")
    >>> lines
    [('one', 'info'), ('two', 'info'), ('three', 'warning')]
    """
    _capture.open()
    tokens = _tell.set(tell), _rest.set({})
    try:
        yield
    finally:
        for line in _rest.get().values():
            _line(tell, line)
        _rest.reset(tokens[1])
        _tell.reset(tokens[0])
        _capture.close()


class _Capture:
    """The routers and the handler that are in place while a function is called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._streams: dict[str, _Router] = {}
        self._handler = _Handler()
        self._level = 0
        #: Whether what is printed is also shown where it would have been without us.
        self.echo = True

    def open(self) -> None:
        """Put them in place, unless they are."""
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            root = logging.getLogger()
            self._handler.alone, self._level = not root.handlers, root.level
            if not root.handlers and root.level == logging.WARNING:
                # Not configured: a function's own logger.info() is meant to be read.
                root.setLevel(logging.INFO)
            root.addHandler(self._handler)
            self._streams = {name: _Router(getattr(sys, name)) for name in ("stdout", "stderr")}
            for name, stream in self._streams.items():
                setattr(sys, name, stream)

    def close(self) -> None:
        """Take them away when nothing needs them any more."""
        with self._lock:
            self._users -= 1
            if self._users:
                return
            root = logging.getLogger()
            root.removeHandler(self._handler)
            root.setLevel(self._level)
            for name, stream in self._streams.items():
                # Another that was set meanwhile is left in its place.
                if getattr(sys, name) is stream:
                    setattr(sys, name, stream.before)


def _line(tell: Tell, line: str, level: Level = "info") -> None:
    text = line.rstrip("\r")
    # A progress bar draws over its own line: the last picture counts.
    text = text.rpartition("\r")[2]
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}… ({len(text):,} characters)"
    if text:
        tell(text, level)


class _Router(io.TextIOBase):
    """A standard stream, of which the threads of functions are heard line by line."""

    def __init__(self, before: Any) -> None:
        self.before = before

    def write(self, text: str) -> int:
        tell = _tell.get()
        if tell is None or _capture.echo:
            self.before.write(text)
        if tell is None:
            return len(text)
        rest = _rest.get()
        *lines, rest[id(self)] = (rest.get(id(self), "") + text).split("\n")
        for line in lines:
            _line(tell, line)
        return len(text)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        if _tell.get() is None or _capture.echo:
            self.before.flush()

    def isatty(self) -> bool:
        return _tell.get() is None and bool(self.before.isatty())

    def fileno(self) -> int:
        number: int = self.before.fileno()
        return number

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return str(getattr(self.before, "encoding", None) or "utf-8")

    @property
    def buffer(self) -> Any:
        return self.before.buffer


class _Handler(logging.Handler):
    """A handler of the root logger: records of functions become lines, others go where they went before."""

    #: Whether the root logger had no other.
    alone = False

    def emit(self, record: logging.LogRecord) -> None:
        tell = _tell.get()
        if tell is None:
            self._pass_on(record)
            return
        if _capture.echo:
            self._pass_on(record)
        try:
            for line in self.format(record).splitlines():
                _line(tell, line, _level(record.levelno))
        except Exception:
            self.handleError(record)

    def _pass_on(self, record: logging.LogRecord) -> None:
        if self.alone and logging.lastResort is not None and record.levelno >= logging.lastResort.level:
            token = _tell.set(None)  # it writes to stderr, where it would be heard a second time
            logging.lastResort.handle(record)
            _tell.reset(token)


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


_capture = _Capture()


@contextmanager
def without_echo() -> Iterator[None]:
    """Show what functions print only in the log of their run, while this lasts."""
    before, _capture.echo = _capture.echo, False
    try:
        yield
    finally:
        _capture.echo = before
