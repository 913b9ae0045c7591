"""Documents as SQL: what plugins keep in a store, each changed by one at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assetry.store.database import Database
from assetry.store.materializations import next_revision
from assetry.types.codec import to_json
from assetry.types.records import Document, DocumentChange

if TYPE_CHECKING:
    import sqlite3


class DocumentRecords:
    """The part of a store that keeps documents."""

    _database: Database

    def documents(self, space: str) -> Mapping[str, Document]:
        """Return all documents of a space, by key."""
        found = self._database.read("SELECT key, body, revision FROM documents WHERE space = ? ORDER BY key", space)
        return {key: Document(json.loads(body), revision) for key, body, revision in found}

    def document_revisions(self, space: str) -> Mapping[str, int]:
        """Return the revisions of all documents of a space, by key."""
        return dict(self._database.read("SELECT key, revision FROM documents WHERE space = ? ORDER BY key", space))

    def change_document(self, space: str, key: str, value: Any, before: int | None) -> int | None:
        """Keep a value under a key, or take it away when None, where its revision still is `before`.

        Safe against others who change it at the same time; see `Store.change_document`.
        """
        with self._database.write() as db:
            return change_document(db, DocumentChange(space, key, value, before))


def change_document(db: sqlite3.Connection, change: DocumentChange) -> int | None:
    """Change a document in a transaction; None where its revision is another one, and nothing was changed."""
    space, key, value, before = change
    known = db.execute("SELECT revision FROM documents WHERE space = ? AND key = ?", (space, key)).fetchone()
    if (None if known is None else known[0]) != before:
        return None
    revision = next_revision(db)
    if value is None:
        db.execute("DELETE FROM documents WHERE space = ? AND key = ?", (space, key))
    else:
        body = json.dumps(to_json(value), separators=(",", ":"))
        db.execute("INSERT OR REPLACE INTO documents VALUES (?,?,?,?)", (space, key, revision, body))
    return revision
