"""What is kept of a tool's runs from one to the next: which of them last moved rows of a stream, and what is owed."""

from __future__ import annotations

from pathlib import Path

from assetry_toolkit.extract_load.owed_rows import OwedRows
from assetry_toolkit.extract_load.run_versions import RunVersions


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

    def owed(self, line: str) -> OwedRows:
        """Return what the tables of a line's streams owe."""
        return OwedRows(self._owed, line)

    def version(self, line: str, newest: str, stream: str) -> str | None:
        """Return the version of a stream after the newest run of its line, whoever started that.

        None where it failed in a run of ours, or its table has lost rows: a look at it does not make it fresh.
        """
        owed = self.owed(line).of(stream)
        return None if owed is not None and owed.lost else self.versions.now(line, newest, stream)
