"""What a command writes: lines, and blocks of whole lines."""

from __future__ import annotations

import re
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Literal, NamedTuple

from assetry.plugin import Level, Log, RunError, plain

#: Lines kept of what a command wrote to its standard error.
KEPT_LINES = 20
#: Bytes that are read at a time.
CHUNK = 1 << 20

#: How a traceback of Python begins, its frames, and what stands between two of them.
_TRACEBACK = re.compile(r"\s*(\+ Exception Group )?Traceback \(most recent call last\)")
_FRAME = re.compile(r"\s+File \"")
_BETWEEN = re.compile(r"(During handling of|The above exception was).*:$|\s*$")
#: The lines of a frame: where it is, and what it does.
_FRAME_LINES = 2
#: How a line of a log is known, after which what was raised is told no further.
_LOGGED = re.compile(r"[^a-z]*\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b|.{0,60}\blevel=|\{")

Stream = Literal["out", "err"]


class Block(NamedTuple):
    """Whole lines that a command wrote to its output (``out``) or standard error (``err``); or none yet (``idle``)."""

    stream: Literal["out", "err", "idle"]
    data: bytes = b""


class Line(NamedTuple):
    """One line that a command wrote to its output (``out``) or standard error (``err``), with its end.

    >>> Line("out", b"made \\xe2\\x82\\xac 7\\r\\n").text
    'made € 7'
    """

    stream: Stream
    data: bytes

    @property
    def text(self) -> str:
        """Return the line as text, without its end; what is not UTF-8 is replaced."""
        return self.data.decode("utf-8", "replace").rstrip("\r\n")


def lines_of(blocks: Iterable[Block]) -> Iterator[Line]:
    """Yield the lines of blocks.

    >>> [line.text for line in lines_of([Block("out", b"a\\nb\\n"), Block("idle")])]
    ['a', 'b']
    """
    for block in blocks:
        if block.stream != "idle":
            for data in BytesIO(block.data):
                yield Line(block.stream, data)


class LineCutter:
    """What comes in pieces, cut into blocks of whole lines; a line of more than `longest` bytes is an error.

    >>> cutter = LineCutter("mill", longest=100)
    >>> cutter.cut(b"one\\ntwo\\nth"), cutter.cut(b"ree\\nfo"), cutter.rest()
    (b'one\\ntwo\\n', b'three\\n', b'fo')
    """

    def __init__(self, program: str, longest: int) -> None:
        self._program, self._longest = program, longest
        self._parts: list[bytes] = []
        self._size = 0

    def cut(self, chunk: bytes) -> bytes:
        """Take a piece; return the lines that are whole now, maybe none. Raises `RunError` at a line too long."""
        end = chunk.rfind(b"\n") + 1
        block = b""
        if end:
            block = b"".join((*self._parts, chunk[:end]))
            self._parts, self._size = [], 0
        self._parts.append(chunk[end:])
        self._size += len(chunk) - end
        if self._size > self._longest:
            raise RunError(
                f"{self._program} wrote a line of more than {self._longest >> 20} MiB.",
                hint="No message is that long; ask the program's authors.",
            )
        return block

    def rest(self) -> bytes:
        """Return the last line, which has no end, and forget it."""
        rest = b"".join(self._parts)
        self._parts, self._size = [], 0
        return rest


def ending(returncode: int) -> str:
    """Return in words how a program ended.

    >>> ending(3), ending(-9)
    ('ended with exit code 3', 'was killed by SIGKILL')
    """
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


class LastWords:
    """The last lines that a program has said: of those that tell of errors if there are any, else of all.

    Of a traceback of Python the last frame is kept, and what was raised, which tells of an error: that is not told
    again where the program has said it already.

    >>> words = LastWords(2)
    >>> for line, level in (("one", "info"), ("two", "error"), ("three", "info"), ("four", "info")):
    ...     words.take(line, level)
    >>> str(words), words.errors
    ('two', 'two')
    """

    def __init__(self, most: int = KEPT_LINES) -> None:
        self._all, self._errors = deque[str](maxlen=most), deque[str](maxlen=most)
        #: The lines of the traceback under way, and whether what it raised is being told.
        self._frames: list[str] | None = None
        self._raising = False

    def take(self, text: str, level: Level = "info") -> None:
        """Take a line, as `plain` leaves it."""
        text = plain(text)
        if _TRACEBACK.match(text):
            self._frames, self._raising = [], False
        elif self._frames is not None and (not text.strip() or text[0].isspace()):
            self._frames = [text] if _FRAME.match(text) else [*self._frames, text][:_FRAME_LINES]
        elif self._frames is not None:
            frames, self._frames, self._raising = self._frames, None, not self._is_known(text)
            for each in (*frames, text) if self._raising else ():
                self._keep(each, "error")
        elif not _BETWEEN.match(text):
            self._raising = self._raising and level == "info" and not _LOGGED.match(text)
            self._keep(text, "error" if self._raising else level)

    def _keep(self, text: str, level: Level) -> None:
        self._all.append(text)
        if level == "error":
            self._errors.append(text)

    def _is_known(self, raised: str) -> bool:
        """Tell whether what was raised is what the program has said of it: many log an error before they raise it."""
        said = raised.partition(": ")[2].strip()
        return bool(said) and any(each.endswith(said) for each in self._errors)

    @property
    def errors(self) -> str:
        """Return the lines that tell of errors."""
        return "\n".join(self._errors)

    @property
    def last(self) -> str:
        """Return the very last line; "" where nothing was said."""
        return next(reversed(self._frames or self._all), "").strip()

    @property
    def cause(self) -> str:
        """Return what tells best why it failed, beginning with that: often the first line alone is shown.

        Of a traceback what was raised comes before the frame. Where nothing tells of an error it is what was said last.

        >>> words = LastWords()
        >>> for line in ("page 7", "page 8", "no more rows"):
        ...     words.take(line)
        >>> words.cause
        'It said last: page 8; no more rows'
        """
        if not self._errors:
            last = [each.strip().rstrip(".;") for each in (self._frames or self._all)][-2:]
            return f"It said last: {'; '.join(filter(None, last))}" if last else ""
        lines = [*self._errors]
        first = next((at for at, each in enumerate(lines) if not each[:1].isspace()), 0)
        return "\n".join([*lines[first:], *lines[:first]])

    def __str__(self) -> str:
        # A traceback may be cut off, as by a disk that is full.
        return self.errors or "\n".join([*self._all, *(self._frames or ())])

    def __repr__(self) -> str:
        return f"LastWords({self._all.maxlen})"


class LogLimit:
    """Lines of a command as log events, `most` of them at most; those of warnings and errors are all told.

    >>> limit = LogLimit(1, "the mill's log")
    >>> [each.message for line in ("one", "two", "three") for each in limit.take(line)], next(limit.end()).message
    (['one'], "2 more lines of the mill's log are left out.")
    """

    def __init__(self, most: int, of: str) -> None:
        self._most, self._of = most, of
        self._lines = 0

    def take(self, text: str, level: Level = "info") -> Iterator[Log]:
        """Yield the event of a line, as `plain` leaves it, unless it is empty, or one of too many."""
        text = plain(text)
        loud = level in ("warning", "error")
        self._lines += bool(text.strip()) and not loud
        if text.strip() and (loud or self._lines <= self._most):
            yield Log(text, level)

    def end(self) -> Iterator[Log]:
        """Yield how many lines were left out, if any."""
        if self._lines > self._most:
            yield Log(f"{self._lines - self._most} more lines of {self._of} are left out.")
