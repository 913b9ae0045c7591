"""Versions of what the runs of a tool move rows of: which run did it last.

A run that moved no rows of a stream changes nothing, so what is made from the stream stays fresh. That holds only if no
other run came between: the tool's own schedule may have started one. So the version of a stream is the last run that
moved rows of it, or of which that is not known.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assetry_toolkit.files import locked, read_json, write_whole

_log = logging.getLogger("assetry.run_versions")


class RunVersions:
    """A file that keeps, for each line of runs, which of them last moved rows of each stream.

    A *line* is what the tool keeps one history of runs for, such as a pipeline. Safe for several processes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     versions = RunVersions(Path(folder, "versions.json"))
    ...     versions.after("shop", "run 1", None, {"orders": 7, "users": 2})
    ...     versions.after("shop", "run 2", "run 1", {"orders": 0, "users": 1})
    ...     versions.now("shop", "run 2", "orders"), versions.now("shop", "run 3", "orders")
    {'orders': 'run 1', 'users': 'run 1'}
    {'orders': 'run 1', 'users': 'run 2'}
    ('run 1', 'run 3')
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def after(
        self, line: str, run: str, before: str | None, rows: Mapping[str, int | None], failed: Iterable[str] = ()
    ) -> dict[str, str]:
        """Return the version of each stream after a run, and keep it.

        `before` is the run before this one in its line, of whomever; `rows` has what was moved of the streams of this
        run, None for what was not counted; `failed` are those of them that did not come out well, whatever the tool
        says.
        """
        try:
            with locked(self._path.with_suffix(".lock")):
                whole = read_json(self._path)
                found, whole[line] = _after(_kept(whole, line), run, before, rows)
                whole[line]["failed"] = list(failed)
                write_whole(self._path, json.dumps(whole, indent=1))
        except OSError as error:
            # What has come in has come in: at worst something is made anew that need not be.
            _log.warning("%s cannot be written (%s): the next run counts as new content.", self._path, error.strerror)
            found, _ = _after(_kept(read_json(self._path), line), run, before, rows)
        return found

    def last(self, line: str) -> str | None:
        """Return the last run of a line of which it is kept what it moved; None without any."""
        run = _kept(read_json(self._path), line).get("run")
        return None if run is None else str(run)

    def now(self, line: str, newest: str, stream: str) -> str | None:
        """Return the version of a stream, `newest` being the last run there was in its line; None where it failed."""
        kept = _kept(read_json(self._path), line)
        if kept.get("run") != newest:
            return newest
        if stream in kept.get("failed", ()):
            return None
        return str(kept["streams"].get(stream, kept["others"]) or newest)


def _kept(whole: Mapping[str, Any], line: str) -> dict[str, Any]:
    """Return what is kept of a line of runs; nothing where it is of another form."""
    kept = whole.get(line)
    if not isinstance(kept, dict) or not isinstance(kept.get("streams"), dict) or "others" not in kept:
        return {}
    return {**kept, "failed": kept["failed"] if isinstance(kept.get("failed"), list) else []}


def _after(
    kept: dict[str, Any], run: str, before: str | None, rows: Mapping[str, int | None]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the version of each stream of a run, and what to keep of its line."""
    if before is None or kept.get("run") not in (before, run):
        # A run that is not known here came between: it may have moved rows of every stream.
        kept = {"streams": dict.fromkeys(kept.get("streams", ()), before), "others": before}
    old = {**dict.fromkeys(rows, kept["others"]), **kept["streams"]}
    found = {name: (old[name] or run) if count == 0 else run for name, count in rows.items()}
    return found, {"run": run, "others": kept["others"], "streams": {**old, **found}}
