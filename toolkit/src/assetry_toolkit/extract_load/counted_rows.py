"""Rows that tables had when they were last counted: whether one that is empty, or not there, has ever had any."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from assetry_toolkit.files import locked, read_json, write_whole

_log = logging.getLogger("assetry.counted_rows")


class Counted(NamedTuple):
    """The rows that a table had after a `run`, as the tool calls it; None where runs are not known."""

    rows: int
    run: str | None = None


class CountedRows:
    """A part of a file that keeps, for the streams of one *line* of runs, what was counted. Safe for several processes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     counted = CountedRows(Path(folder, "counted.json"), "shop")
    ...     counted.note({"orders": 7, "returns": 0}, "run 1")
    ...     counted.of("orders"), counted.of("users")
    (Counted(rows=7, run='run 1'), None)
    """

    def __init__(self, path: Path, line: str) -> None:
        self._path, self._line = path, line

    def of(self, stream: str) -> Counted | None:
        """Return what was last counted of a stream; None when it never was."""
        found = _kept(read_json(self._path), self._line).get(stream)
        if not isinstance(found, dict) or not isinstance(found.get("rows"), int):
            return None
        return Counted(found["rows"], None if found.get("run") is None else str(found["run"]))

    def note(self, rows: Mapping[str, int], run: str | None) -> None:
        """Keep what was counted of some streams after a run."""
        if not rows:
            return
        try:
            with locked(self._path.with_suffix(".lock")):
                whole = read_json(self._path)
                found = {stream: Counted(each, run)._asdict() for stream, each in rows.items()}
                whole[self._line] = {**_kept(whole, self._line), **found}
                write_whole(self._path, json.dumps(whole, indent=1))
        except OSError as error:
            _log.warning("%s cannot be written (%s): a table that is emptied may pass.", self._path, error.strerror)


def _kept(whole: Mapping[str, Any], line: str) -> dict[str, Any]:
    kept = whole.get(line)
    return kept if isinstance(kept, dict) else {}
