"""Where a command writes: results to stdout, everything else to stderr, whatever becomes of the two."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO

import click

from assetry.cli.text import shown, styled

#: Takes out of a text what is not to be shown.
Cover = Callable[[str], str]


def open_standard_streams() -> None:
    """Give closed standard streams a place to go to; else the next file that is opened would be written over."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # for child processes as well
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open to the end
    if sys.stderr is sys.__stderr__ and sys.stderr.fileno() == 2:  # else a test or a notebook reads along
        encoding, errors = sys.stderr.encoding, sys.stderr.errors
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(_Notes()), encoding, errors, line_buffering=True)


class _Notes(io.RawIOBase):
    """The file below stderr. What it cannot take is passed over: a note that is lost must not stop what it is about."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def isatty(self) -> bool:
        return os.isatty(2)

    def write(self, data: Any) -> int | None:
        try:
            return os.write(2, data)
        except BlockingIOError:
            return None
        except OSError:
            return memoryview(data).nbytes


class Output:
    """The stdout of a call, for results alone.

    A reader that has gone away is not a failure: writing raises `BrokenPipeError`, and the command ends. When results
    cannot be written for another reason, the rest of the call goes on, and `failure` holds that reason.
    """

    def __init__(self) -> None:
        self.stream: TextIO = sys.stdout
        self.failure: OSError | None = None

    @property
    def unicode(self) -> bool:
        """Tell whether every character can be written as it is."""
        return (getattr(self.stream, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"

    @property
    def terminal(self) -> bool:
        """Tell whether a person looks at the results as they come."""
        return self.stream.isatty()

    @property
    def width(self) -> int:
        """Return how many characters fit in a line of the result."""
        import shutil

        with suppress(OSError, ValueError):
            if "COLUMNS" not in os.environ:
                return os.get_terminal_size(self.stream.fileno()).columns
        return shutil.get_terminal_size().columns

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Send to stderr what others write to stdout: user code, libraries, processes that an asset's function starts.

        What they print is not a result of the command, and would break its JSON.
        """
        if self.stream is not sys.__stdout__:  # a test or a notebook reads along
            with redirect_stdout(sys.stderr):
                yield
            return
        before = self.stream
        before.flush()
        kept = os.dup(1)
        self.stream = open(os.dup(kept), "w", encoding=before.encoding, errors=before.errors)  # noqa: SIM115, PTH123
        os.dup2(2, 1)
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            after, self.stream = self.stream, before
            try:
                after.close()
            except BrokenPipeError:
                pass
            except OSError as error:
                self.failure = self.failure or error

    def write(self, text: str, color: bool | None = None) -> None:
        """Write a line of the result."""
        try:
            write_line(self.stream, text, color)
        except BrokenPipeError:
            raise
        except OSError as error:
            self.failure = self.failure or error


#: Whether a note stands on the terminal that the next line takes away.
_passing = False


def passing_note(text: str, color: bool | None = None) -> None:
    """Write to stderr, where that is a terminal, what stands there until the next line is written."""
    global _passing  # noqa: PLW0603 - there is one terminal
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return
    end_passing_note()
    with suppress(OSError, UnicodeEncodeError, ValueError):
        click.echo(shown(styled(text, dim=True)), file=sys.stderr, nl=False, color=color)
        sys.stderr.flush()
        _passing = True


def end_passing_note() -> None:
    """Take the passing note away."""
    global _passing  # noqa: PLW0603
    if _passing:
        _passing = False
        with suppress(OSError, ValueError):
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()


def write_line(stream: TextIO, text: str, color: bool | None = None, cover: Cover = str) -> None:
    """Write a line as it may be shown, without what `cover` takes out; what the stream cannot hold as its escape."""
    end_passing_note()
    # What commands a terminal may stand in the middle of what is to be covered.
    text = cover(shown(text))
    try:
        click.echo(text, file=stream, color=color)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        click.echo(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, color=color)
    except ValueError:
        return  # closed


def note_line(text: str, color: bool | None = None, cover: Cover = str) -> None:
    """Write a line to stderr; where that cannot be written, the command goes on all the same."""
    with suppress(OSError):
        write_line(sys.stderr, text, color, cover)
