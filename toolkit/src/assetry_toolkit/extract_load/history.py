"""What is kept of a tool's runs from one to the next: which of them last moved rows of a stream, and what is owed."""

from __future__ import annotations

import json
import logging
from pathlib import Path

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

    def owed(self, line: str) -> OwedRows:
        """Return what the tables of a line's streams owe."""
        return OwedRows(self._owed, line)

    def told(self, line: str, now: bool) -> bool:
        """Return whether a run of a line has told what it read, `now` or earlier, and keep that it has.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     history = RunHistory(Path(folder), "shop")
        ...     history.told("crm", False), history.told("crm", True), history.told("crm", False)
        (False, True, True)
        """
        before = line in read_json(self._told)
        if before or not now:
            return before
        try:
            with locked(self._told.with_suffix(".lock")):
                write_whole(self._told, json.dumps({**read_json(self._told), line: True}, indent=1))
        except OSError as error:
            _log.warning("%s cannot be written (%s): a run that tells nothing may pass.", self._told, error.strerror)
        return True

    def version(self, line: str, newest: str, stream: str) -> str | None:
        """Return the version of a stream after the newest run of its line, whoever started that.

        None where it failed in a run of ours, or its table has lost rows: a look at it does not make it fresh.
        """
        owed = self.owed(line).of(stream)
        return None if owed is not None and owed.lost else self.versions.now(line, newest, stream)
