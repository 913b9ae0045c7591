"""Rows that a table owes: those that a run extracted, and of which it is not known yet that the table has them.

A tool that keeps how far it came does not read rows again that its loader has lost. So a later run that ends well does
not mend the table, and must not count as if it did.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from assetry_toolkit.files import locked, read_json, write_whole


class Owed(NamedTuple):
    """The rows that the table of a stream has to have at least; `lost` says that some of them were not in it."""

    rows: int
    lost: bool = False


class OwedRows:
    """A part of a file that keeps what the tables of the streams of one *line* owe. Safe for several processes.

    A line is what the tool keeps one history of runs for, such as a pipeline.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     owed = OwedRows(Path(folder, "owed.json"), "shop")
    ...     owed.note("orders", Owed(40, lost=True))
    ...     owed.note("users", Owed(5))
    ...     owed.note("users", None)
    ...     owed.of("orders"), owed.of("users")
    (Owed(rows=40, lost=True), None)
    """

    def __init__(self, path: Path, line: str) -> None:
        self._path, self._line = path, line

    def of(self, stream: str) -> Owed | None:
        """Return what the table of a stream owes; None when nothing."""
        found = _kept(read_json(self._path), self._line).get(stream)
        return Owed(**found) if found else None

    def note(self, stream: str, owed: Owed | None) -> None:
        """Keep what the table of a stream owes from now on."""
        with locked(self._path.with_suffix(".lock")):
            whole = read_json(self._path)
            kept = {**_kept(whole, self._line), stream: owed._asdict() if owed else None}
            whole[self._line] = {name: each for name, each in kept.items() if each}
            write_whole(self._path, json.dumps(whole, indent=1))


def _kept(whole: Mapping[str, Any], line: str) -> dict[str, Any]:
    """Return what is kept of a line of runs; without what is of another form."""
    kept = whole.get(line)
    return {name: each for name, each in kept.items() if _is_owed(each)} if isinstance(kept, dict) else {}


def _is_owed(each: Any) -> bool:
    return isinstance(each, dict) and isinstance(each.get("rows"), int) and each.keys() <= {"rows", "lost"}
