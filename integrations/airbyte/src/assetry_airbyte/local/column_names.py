"""The names of columns: the source's own, but where no table could have them, or not two of them together.

One rule for every warehouse, so that a stream's table looks the same wherever it is. A name that was given once stays,
whatever comes later: the names of the last sync are kept with the stream's state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

#: Bytes of a name: as many as PostgreSQL keeps.
LONGEST = 63
#: Column with the time of the sync, where it is wanted.
EXTRACTED_AT = "_airbyte_extracted_at"
#: Names that a database, or assetry, keeps for itself.
_RESERVED = frozenset({EXTRACTED_AT, "assetry_place", "ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})


def named(fields: Iterable[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the column of each field: those that are `known` as they are, then every other one's.

    >>> named(["id", "ID", "note"])
    {'id': 'id', 'ID': 'ID_1cc5b56e', 'note': 'note'}
    >>> named(["ID", "id"], known={"id": "id"})
    {'id': 'id', 'ID': 'ID_1cc5b56e'}
    """
    names = dict(known or {})
    taken = {name.casefold() for name in names.values()}
    for field in fields:
        if field not in names:
            names[field] = _free(field, taken)
            taken.add(names[field].casefold())
    return names


def cut(name: str, longest: int = LONGEST) -> str:
    """Return as much of a name as there is room for.

    >>> cut("é" * 40) == "é" * 31
    True
    """
    return name.encode()[:longest].decode(errors="ignore")


def _free(field: str, taken: set[str]) -> str:
    plain = field.replace("\0", "_").encode("utf-8", "replace").decode() or "_"
    name, tried = plain, 0
    while len(name.encode()) > LONGEST or name.casefold() in _RESERVED or name.casefold() in taken:
        told = f"{field}\0{tried}" if tried else field
        digest = blake2b(told.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        name, tried = f"{cut(plain, LONGEST - len(digest) - 1)}_{digest}", tried + 1
    return name
