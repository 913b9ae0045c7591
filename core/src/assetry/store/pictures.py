"""The pictures that records refer to: theirs are in metadata, wherever that is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assetry.store.leases.runs import SQLRuns

#: Each table with metadata, and its texts.
_TEXTS = (("events", "body"), ("materializations", "trace"), ("accepted", "before"), ("accepted", "after"))
_PAGE = 50_000
#: Within a text of JSON there are backslashes before the quotes.
_DIGEST = re.compile(r'\\*"digest\\*":\\*"([0-9a-f]{32})\\*"')
_MARK = "'png'"


class PictureRecords(SQLRuns):
    """The part of a store that tells which pictures are needed."""

    def pictures(self) -> frozenset[str]:
        """Return the digests of all pictures that anything recorded refers to."""
        return frozenset(digest for text in self._texts() for digest in _DIGEST.findall(text))

    def _texts(self) -> Iterator[str]:
        for table, column in _TEXTS:
            # A page at a time, so that writers need not wait for the reader of a long table.
            ((most,),) = self._database.read(f"SELECT coalesce(max(id), 0) FROM {table}") or [(0,)]
            for start in range(0, most, _PAGE):
                query = f"SELECT {column} FROM {table} WHERE id > ? AND id <= ? AND instr({column}, {_MARK})"
                yield from (text for (text,) in self._database.read(query, start, start + _PAGE))
        yield from (text for (text,) in self._database.read(f"SELECT body FROM checks WHERE instr(body, {_MARK})"))
