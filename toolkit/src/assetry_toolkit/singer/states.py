"""The state that a tap has left: of which streams it tells how far they were read, so that a run goes on from there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What stands in the bookmark of a stream before any row of it was read.
_BEFORE_ROWS = {"starting_replication_value"}


def streams_read(*states: Mapping[str, Any]) -> set[str] | None:
    """Return the streams, as a tap names them, of which some states tell how far they were read.

    None where a state has a form of its own, of which that is not known.

    >>> orders = {"replication_key": "day", "replication_key_value": 42}
    >>> streams_read({"bookmarks": {"orders": orders, "users": {}, "days": {"starting_replication_value": 1}}})
    {'orders'}
    >>> streams_read({}), streams_read({"since": "2026-01-01"})
    (set(), None)
    """
    found = set[str]()
    for state in states:
        bookmarks = state.get("bookmarks")
        if state and not isinstance(bookmarks, dict):
            return None
        found.update(str(name) for name, each in (bookmarks or {}).items() if _tells(each))
    return found


def _tells(bookmark: Any) -> bool:
    if isinstance(bookmark, dict):
        return any(_tells(each) for name, each in bookmark.items() if name not in _BEFORE_ROWS)
    if isinstance(bookmark, list):
        return any(map(_tells, bookmark))
    return bookmark not in (None, "")
