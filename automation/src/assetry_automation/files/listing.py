"""Which files there are that a pattern means, each with a version that changes when its content does."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from assetry.plugin import IntegrationError

_WILD = frozenset("*?[")
#: What places call the mark that changes with a file's content, and the time when it was written.
_MARKS = ("ETag", "etag", "md5Hash", "md5", "checksum", "content_md5")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


class File(NamedTuple):
    """One file: its version, how many bytes it has, and where it is."""

    version: str
    size: int | None
    path: str


def is_url(pattern: str) -> bool:
    """Tell whether a pattern is of files elsewhere.

    >>> is_url("s3://bucket/in/*.csv"), is_url("in/*.csv")
    (True, False)
    """
    return "://" in pattern


def files_of(pattern: str, root: str) -> dict[str, File]:
    """Return the files that a pattern means, or that lie in the folder it names, by their name in what is fixed of it.

    Those with a dot before their name are left out. Raises `IntegrationError` where there is no such folder: that
    nothing can be looked at is not that all of it is gone.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "in").mkdir()
    ...     written = Path(folder, "in", "a.csv").write_text("1")
    ...     list(files_of("in/*.csv", folder)), list(files_of("in", folder))
    (['a.csv'], ['a.csv'])
    """
    try:
        found = _elsewhere(pattern) if is_url(pattern) else _here(pattern, root)
    except IntegrationError:
        raise
    except Exception as error:  # each place has errors of its own
        raise IntegrationError(f"{pattern} cannot be looked at: {type(error).__name__}: {error}.") from error
    return dict(sorted(found.items()))


def fixed(pattern: str) -> str:
    """Return the folder that a pattern begins with, before its first wildcard; of one without, all but its name.

    >>> fixed("in/2024/*/a-*.csv"), fixed("in/a.csv"), fixed("*.csv")
    ('in/2024', 'in', '')
    """
    parts = pattern.split("/")
    wild = next((number for number, part in enumerate(parts) if _WILD.intersection(part)), len(parts) - 1)
    return "/".join(parts[:wild])


def _here(pattern: str, root: str) -> dict[str, File]:
    whole = os.path.expanduser(pattern).rstrip("/") or "/"  # noqa: PTH111 - a pattern is no path
    if not _WILD.intersection(whole) and Path(root, whole).is_dir():
        whole = f"{whole}/*"
    folder = str(Path(root, fixed(whole) or ("/" if whole.startswith("/") else "")))
    if not Path(folder).is_dir():
        raise IntegrationError(
            f"There is no folder {folder}, in which {pattern} is looked for.",
            hint="Make it, or mount what belongs there: nothing is taken for gone meanwhile.",
        )
    found = {}
    for path in _matching(folder, whole[len(fixed(whole)) :].lstrip("/").split("/")):
        try:
            facts = os.stat(path)  # noqa: PTH116 - runs for each file
        except FileNotFoundError:
            continue  # it went between the two
        if stat.S_ISREG(facts.st_mode):
            version = f"{facts.st_size}-{facts.st_mtime_ns}"
            found[path[len(folder) :].lstrip("/")] = File(version, facts.st_size, path)
    return found


def _matching(folder: str, parts: list[str]) -> Iterator[str]:
    """Yield the paths below a folder that the parts of a pattern mean, without hidden ones.

    Unlike `glob` it raises `OSError` for a folder that cannot be read: what is in it is not gone.
    """
    first, rest = parts[0], parts[1:]
    if first == "**":
        yield from _matching(folder, rest or ["*"])
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from _matching(entry.path, parts)
    elif not _WILD.intersection(first):
        path = f"{folder.rstrip('/')}/{first}"
        if rest and Path(path).is_dir():
            yield from _matching(path, rest)
        elif not rest:
            yield path
    else:
        for entry in _entries(folder):
            if fnmatchcase(entry.name, first):
                if not rest:
                    yield entry.path
                elif entry.is_dir():
                    yield from _matching(entry.path, rest)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [each for each in entries if not each.name.startswith(".")]


def _elsewhere(pattern: str) -> dict[str, File]:
    try:
        url_to_fs = import_module("fsspec.core").url_to_fs
    except ImportError:
        hint = "Try: pip install fsspec, with what reaches the place, such as s3fs, gcsfs or adlfs."
        raise IntegrationError(f"{pattern} cannot be looked at without fsspec.", hint=hint) from None
    try:
        place, path = url_to_fs(pattern)
    except ImportError as error:
        raise IntegrationError(f"{pattern} cannot be looked at: {error}.", hint="Try: pip install it.") from error
    place.invalidate_cache()  # what was listed before says nothing of now
    path = path.rstrip("/")
    if not _WILD.intersection(path) and place.isdir(path):
        path = f"{path}/*"
    top = path.lstrip("/").split("/")[0]
    if not _WILD.intersection(top) and not place.exists(top) and not place.exists(f"/{top}"):
        raise IntegrationError(
            f"There is no {top}, in which {pattern} is looked for.",
            hint="Nothing is taken for gone meanwhile.",
        )
    folder = fixed(path)
    with suppress(FileNotFoundError):  # a place of objects has no folder once the last of them is gone
        place.ls(folder, detail=False)  # whose errors `glob` passes over
    found: Mapping[str, Mapping[str, Any]] = place.glob(path, detail=True)
    files = {}
    for each, facts in found.items():
        name = each.removeprefix(folder).lstrip("/")
        if facts.get("type") == "file" and not any(part.startswith(".") for part in name.split("/")):
            files[name] = File(_version(facts), facts.get("size"), place.unstrip_protocol(each))
    return files


def _version(facts: Mapping[str, Any]) -> str:
    mark = next((facts[name] for name in _MARKS if facts.get(name)), None)
    if mark is not None:
        return str(mark).strip('"')
    time = next((facts[name] for name in _TIMES if facts.get(name) is not None), "")
    return f"{facts.get('size')}-{time}"
