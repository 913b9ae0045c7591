"""What files and folders held when they were looked at, so that a later look tells whether they have changed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

#: A stamp is JSON: ``{"is": "file", "stat": […], "digest": "…", "settled": true}``, ``{"is": "folder", "in": {…}}`` or
#: ``{"is": "nothing"}``.
Stamp = Mapping[str, Any]

_NOTHING: Stamp = {"is": "nothing"}
#: For so long after a file was changed, another change of it may show the same times: it is read in any case.
_UNSURE_NS = 3_000_000_000
#: What Python makes of the files beside it, when they are imported.
_DERIVED = "__pycache__"
_CHUNK = 1 << 20


def stamp(path: Path, known: Stamp | None = None, without: Collection[Path] = ()) -> Stamp:
    """Return the stamp of a file, of a folder with all in it, or of nothing at all; links are followed.

    A file is read, unless it is `known` with the same size, times and number as it has now, and had them for long
    enough when it was read: the time of a change is set by the system alone. Folders of `without` are left out of the
    folders that they are in. Raises `OSError` for what cannot be read, `ValueError` for what is no file and no folder.

    >>> stamp(Path("a-file-that-is-not-there"))
    {'is': 'nothing'}
    """
    return _stamp(path, known or {}, frozenset(without), ())


def _stamp(path: Path, known: Stamp, without: frozenset[Path], above: tuple[tuple[int, int], ...]) -> Stamp:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return _NOTHING
    if stat.S_ISREG(found.st_mode):
        return _file(path, found, known)
    if not stat.S_ISDIR(found.st_mode):
        raise ValueError(f"{path} is neither a file nor a folder")
    place = (found.st_dev, found.st_ino)
    if place in above:
        return {"is": "folder above"}  # a link that leads back
    inside = known.get("in") if known.get("is") == "folder" else None
    names = sorted(os.listdir(path))  # noqa: PTH208 - only the names are asked for
    here = {name: path / name for name in names if name != _DERIVED and path / name not in without}
    before = inside if isinstance(inside, Mapping) else {}
    further = (*above, place)
    return {
        "is": "folder",
        "in": {name: _stamp(each, before.get(name) or {}, without, further) for name, each in here.items()},
    }


def _file(path: Path, found: os.stat_result, known: Stamp) -> Stamp:
    facts = _facts(found)
    if known.get("settled") is True and known.get("stat") == facts:
        return known
    now = time.time_ns()
    digest = blake2b(digest_size=32)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
        after = _facts(os.fstat(file.fileno()))
    settled = facts == after and now - max(found.st_mtime_ns, found.st_ctime_ns) > _UNSURE_NS
    return {"is": "file", "stat": after, "digest": digest.hexdigest(), "settled": settled}


def _facts(found: os.stat_result) -> list[int]:
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def same_content(one: Stamp, other: Stamp) -> bool:
    """Tell whether two looks saw the same content, whenever it was written.

    >>> old = {"is": "file", "stat": [1, 5], "digest": "d", "settled": False}
    >>> same_content(old, {**old, "stat": [1, 9]}), same_content(old, {"is": "nothing"})
    (True, False)
    """
    return one is other or _plain(one, with_stat=False) == _plain(other, with_stat=False)


def untouched(one: Stamp, other: Stamp) -> bool:
    """Tell whether nothing at all was written between two looks, not even the same again."""
    return one is other or _plain(one, with_stat=True) == _plain(other, with_stat=True)


def _plain(each: Stamp, *, with_stat: bool) -> Any:
    if each.get("is") == "folder":
        return {name: _plain(inner, with_stat=with_stat) for name, inner in each["in"].items()}
    return (each.get("is"), each.get("digest"), each.get("stat") if with_stat else None)
