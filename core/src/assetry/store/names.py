"""The names that records have, for a shell that completes them: looked up in moments, without opening a store.

The file is only read, whatever its form is, and one that cannot be read just now has no names: nothing is said.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

#: How long another process is waited for, in seconds.
_PATIENCE = 0.2
#: So many of what grows for ever are looked up, the newest first.
_MOST = 50
#: The definitions that the newest set of them has.
_DEFINED = """FROM definitions d JOIN (SELECT key, max(number) AS number FROM definitions GROUP BY key) l
 ON l.key = d.key AND l.number = d.number WHERE d.body IS NOT NULL"""
#: By method of a selection, where a definition has the values: it is kind, type and parts.
_VALUES: Mapping[str, str] = {
    "kind": "$[0]",
    "resource_type": "$[1]",
    "integration": '$[2]."made by".integration',
    "group": "$[2].about.group",
    "tag": "$[2].about.tags",
    "owner": "$[2].about.owners",
}
_OF_COLUMNS = f"SELECT DISTINCT c.key {_DEFINED.replace(' WHERE', ', json_each(d.body, ?) c WHERE')}"
_OF_VALUES = f"SELECT DISTINCT c.value {_DEFINED.replace(' WHERE', ', json_each(d.body, ?) c WHERE')}"
#: What runs, or waits to; and what has not come to its end.
_LIVING = "'running', 'queued'"


class RecordedNames:
    """The names in the SQLite file at `path`; there are none where that is None.

    >>> RecordedNames(Path("/nowhere/state.db")).keys()
    []
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def keys(self) -> list[str]:
        """Return the keys of what was defined when the last run began."""
        return self._firsts(f"SELECT d.key {_DEFINED}")

    def gone(self) -> list[str]:
        """Return the keys of what was made and was not defined any more then."""
        return self._firsts(f"SELECT DISTINCT key FROM latest WHERE key NOT IN (SELECT d.key {_DEFINED})")

    def values(self, method: str) -> list[str]:
        """Return the values that a method of a selection finds, such as ``tag``."""
        if method == "column":
            return self._firsts(_OF_COLUMNS, "$[2].columns")
        return self._firsts(_OF_VALUES, _VALUES[method]) if method in _VALUES else []

    def runs(self, living: bool = False) -> list[tuple[str, str]]:
        """Return the ids of the newest runs, each with its state and its start; or of those that are not over."""
        which = f"WHERE state IN ({_LIVING})" if living else ""
        rows = self._read(f"SELECT id, state, started FROM runs {which} ORDER BY number DESC LIMIT {_MOST}")
        return [(id_, f"{state}, {started[:16].replace('T', ' ')} UTC") for id_, state, started in rows]

    def backfills(self, living: bool = False) -> list[tuple[str, str]]:
        """Return the names of the newest backfills, or the ids of those without, each with its state."""
        which = "WHERE state = 'open'" if living else ""
        rows = self._read(f"SELECT id, state, body FROM backfills {which} ORDER BY number DESC LIMIT {_MOST}")
        named = [(json.loads(body).get("name"), id_, state) for id_, state, body in rows]
        return list({name or id_: f"{state} backfill" for name, id_, state in reversed(named)}.items())[::-1]

    def partitions(self) -> list[str]:
        """Return the newest partitions that were made."""
        among = "SELECT DISTINCT partition FROM latest WHERE partition <> ''"
        return self._firsts(f"{among} ORDER BY partition DESC LIMIT {_MOST}")

    def _firsts(self, query: str, *values: Any) -> list[str]:
        return [row[0] for row in self._read(query, *values) if isinstance(row[0], str)]

    def _read(self, query: str, *values: Any) -> list[Any]:
        if self._path is None:
            return []
        try:
            url = f"file:{quote(str(self._path))}?mode=ro"
            with closing(sqlite3.connect(url, uri=True, timeout=_PATIENCE)) as db:
                return db.execute(query, values).fetchall()
        except sqlite3.Error:
            return []
