"""Records that are forgotten: what they are of was deleted, and nothing defines it any more."""

from __future__ import annotations

import json
from collections.abc import Sequence

from assetry.store.encoding import stored_key
from assetry.store.leases.runs import SQLRuns
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease

#: How often anything was forgotten: it is in each revision, for what is gone no newer record tells of.
FORGOTTEN = "SELECT coalesce(max(value), 0) FROM marks WHERE name = 'forgotten'"
_OF_WHOLE = "key = ?"
_OF_PARTS = "key = ? AND partition IN (SELECT value FROM json_each(?))"
#: Each key once, found by going from one to the next: there may be many partitions of each.
_KEYS = """
    WITH RECURSIVE known (key) AS (
        SELECT min(key) FROM latest
        UNION ALL SELECT (SELECT min(key) FROM latest WHERE key > known.key) FROM known WHERE known.key IS NOT NULL)
    SELECT key FROM known WHERE key IS NOT NULL
"""


class ForgottenRecords(SQLRuns):
    """The part of a store that tells what it has records of, and forgets them."""

    def recorded(self) -> frozenset[AssetKey]:
        """Return the assets that were made, looked at or tried, whether anything defines them or not."""
        return frozenset(stored_key(key) for (key,) in self._database.read(_KEYS))

    def forget(
        self, key: AssetKey, partitions: Sequence[str | None] | None = None, *, lease: Lease | None = None
    ) -> None:
        """Forget what is recorded of an asset, or of some partitions of it; None among these stands for the whole."""
        which, values = _OF_WHOLE, [str(key)]
        if partitions is not None:
            which, values = _OF_PARTS, [str(key), json.dumps([each or "" for each in partitions])]
        with self._database.write() as db:
            if lease is not None:
                self._check(db, lease)
            db.execute(f"DELETE FROM latest WHERE {which}", values)
            db.execute(f"DELETE FROM checks WHERE {which}", values)
            db.execute(f"DELETE FROM looks WHERE {which}", values)
            if partitions is None:
                for table in ("partition_keys", "durations"):
                    db.execute(f"DELETE FROM {table} WHERE key = ?", values)
            db.execute("INSERT INTO marks VALUES ('forgotten', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1")
