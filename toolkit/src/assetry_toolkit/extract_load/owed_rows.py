"""Rows that a table owes: those that a run extracted, and of which it is not known yet that the table has them.

A tool that keeps how far it came does not read rows again that its loader has lost. So a later run that ends well does
not mend the table, and must not count as if it did.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from assetry.plugin import RunError

from assetry_toolkit.files import json_object, locked, write_whole

#: Bytes that are kept free for notes at least.
_SPARE = 1 << 16


class Unkept(RunError):
    """What is owed cannot be kept, or cannot be read: a later run would count as if nothing were."""


class Owed(NamedTuple):
    """The rows that the table of a stream has to have at least; `lost` says that some of them were not in it."""

    rows: int
    lost: bool = False


class OwedRows:
    """A part of a file that keeps what the tables of the streams of one *line* owe. Safe for several processes.

    A line is what the tool keeps one history of runs for, such as a pipeline. Each method raises `Unkept` where the
    file cannot be read or written; `reserve` makes that unlikely.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     owed = OwedRows(Path(folder, "owed.json"), "shop")
    ...     owed.reserve()
    ...     owed.note("orders", Owed(40, lost=True))
    ...     owed.note("users", Owed(5))
    ...     owed.note("users", None)
    ...     owed.of("orders"), owed.of("users")
    (Owed(rows=40, lost=True), None)
    """

    def __init__(self, path: Path, line: str) -> None:
        self._path, self._line = path, line
        self._spare = path.with_suffix(".spare")

    def reserve(self) -> None:
        """Make sure that notes can be kept, though the disk may be full by then.

        To be called before a run is started: what it would read, and what would then be forgotten, is not read at all.
        """
        with self._told("What tables owe cannot be kept"), locked(self._path.with_suffix(".lock")):
            # Not zeros, which some file systems keep in no room.
            write_whole(self._spare, os.urandom(max(_SPARE, 2 * len(_bytes(self._path)))))

    def of(self, stream: str) -> Owed | None:
        """Return what the table of a stream owes; None when nothing."""
        with self._told(f"What the table of {stream} owes cannot be read"):
            found = _kept(json_object(_bytes(self._path)), self._line).get(stream)
        return Owed(**found) if found else None

    def note(self, stream: str, owed: Owed | None) -> None:
        """Keep what the table of a stream owes from now on."""
        with self._told(f"What the table of {stream} owes cannot be kept"), locked(self._path.with_suffix(".lock")):
            whole = json_object(_bytes(self._path))
            kept = {**_kept(whole, self._line), stream: owed._asdict() if owed else None}
            whole[self._line] = {name: each for name, each in kept.items() if each}
            text = json.dumps(whole, indent=1)
            try:
                write_whole(self._path, text)
            except OSError:
                self._spare.unlink(missing_ok=True)  # the room that was kept for this
                write_whole(self._path, text)

    def _told(self, what: str) -> AbstractContextManager[None]:
        return kept_or_told(what, self._path)


@contextmanager
def kept_or_told(what: str, path: Path) -> Iterator[None]:
    """Raise `Unkept` where a file cannot be read or written while this lasts; `what` begins the sentence.

    >>> with kept_or_told("What tables owe cannot be kept", Path("full/owed.json")):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    assetry_toolkit.extract_load.owed_rows.Unkept: What tables owe cannot be kept in full/owed.json: No space left ...
    """
    try:
        yield
    except OSError as error:
        hint = "It needs a place that can be read and written, on a disk that is not full."
        raise Unkept(f"{what} in {path}: {error.strerror}.", hint=hint) from error


def _bytes(path: Path) -> bytes:
    """Return what a file holds, nothing where there is none; what cannot be read is no sign that nothing is owed."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _kept(whole: Mapping[str, Any], line: str) -> dict[str, Any]:
    """Return what is kept of a line of runs; without what is of another form."""
    kept = whole.get(line)
    return {name: each for name, each in kept.items() if _is_owed(each)} if isinstance(kept, dict) else {}


def _is_owed(each: Any) -> bool:
    return isinstance(each, dict) and isinstance(each.get("rows"), int) and each.keys() <= {"rows", "lost"}
