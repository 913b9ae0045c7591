"""What is kept of a tool's runs from one to the next: which of them last moved rows of a stream, and what is owed."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assetry_toolkit.extract_load.counted_rows import CountedRows
from assetry_toolkit.extract_load.owed_rows import OwedRows
from assetry_toolkit.extract_load.run_versions import RunVersions
from assetry_toolkit.files import locked, read_json, write_whole

_log = logging.getLogger("assetry.run_history")


class RunHistory:
    """The files of one integration, `name`, in a folder, for all *lines* of its runs, such as its pipelines.

    >>> import tempfile
    >>> from assetry_toolkit.extract_load.owed_rows import Owed
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = RunHistory(Path(folder), "shop")
    ...     _ = history.versions.after("crm", "run 1", None, {"orders": 7, "users": 2})
    ...     history.owed("crm").note("users", Owed(2, lost=True))
    ...     history.version("crm", "run 1", "orders"), history.version("crm", "run 1", "users")
    ('run 1', None)
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.versions = RunVersions(folder / f"{name}-versions.json")
        self._owed = folder / f"{name}-owed.json"
        self._told = folder / f"{name}-told.json"
        self._failed = folder / f"{name}-failed.json"
        self._counted = folder / f"{name}-counted.json"

    def owed(self, line: str) -> OwedRows:
        """Return what the tables of a line's streams owe."""
        return OwedRows(self._owed, line)

    def counted(self, line: str) -> CountedRows:
        """Return what was last counted of a line's tables."""
        return CountedRows(self._counted, line)

    def told(self, line: str, now: bool) -> bool:
        """Return whether a run of a line has told what it read, `now` or earlier, and keep that it has.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     history = RunHistory(Path(folder), "shop")
        ...     history.told("crm", False), history.told("crm", True), history.told("crm", False)
        (False, True, True)
        """
        before = line in read_json(self._told)
        if now and not before:
            _keep(self._told, line, True, "a run that tells nothing may pass")
        return before or now

    def failed(self, line: str, now: Mapping[str, bool] | None = None) -> frozenset[str]:
        """Return the streams of a line that failed in the last run of ours that was to read them.

        What is known of some `now`, whether they failed, is kept before.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     history = RunHistory(Path(folder), "shop")
        ...     _ = history.failed("crm", {"orders": True, "users": True})
        ...     history.failed("crm", {"users": False, "days": False}), history.failed("hr")
        (frozenset({'orders'}), frozenset())
        """
        kept = read_json(self._failed).get(line)
        before = frozenset(map(str, kept)) if isinstance(kept, list) else frozenset()
        found = (before - {*(now or ())}) | {name for name, failed in (now or {}).items() if failed}
        if found != before:
            _keep(self._failed, line, sorted(found), "a look may take for fresh what failed")
        return found

    def version(self, line: str, newest: str, stream: str) -> str | None:
        """Return the version of a stream after the newest run of its line, whoever started that.

        None where it failed in a run of ours, or its table has lost rows: a look at it does not make it fresh.
        """
        owed = self.owed(line).of(stream)
        return None if owed is not None and owed.lost else self.versions.now(line, newest, stream)


def _keep(path: Path, line: str, value: Any, otherwise: str) -> None:
    """Keep something of a line of runs in a file; warn of what may be `otherwise`."""
    try:
        with locked(path.with_suffix(".lock")):
            write_whole(path, json.dumps({**read_json(path), line: value}, indent=1))
    except OSError as error:
        _log.warning("%s cannot be written (%s): %s.", path, error.strerror, otherwise)
