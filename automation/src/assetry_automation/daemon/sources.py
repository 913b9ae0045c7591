"""The files that definitions are read from, and whether they have changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path

from assetry import Project

#: Folders in which nothing is defined by hand.
_DERIVED = {"target", "logs", "dbt_packages", "dbt_internal_packages", "node_modules", "__pycache__", "site-packages"}


def sources_of(project: Project) -> tuple[str, ...]:
    """Return the files and folders that the definitions of a loaded project were read from."""
    root = project.root
    found = {str(each) for each in _named(project)}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and Path(file).is_relative_to(root) and not _is_derived(Path(file).relative_to(root)):
            found.add(file)
    return tuple(sorted(found))


def _named(project: Project) -> Iterator[Path]:
    if project.settings.file is not None:
        yield Path(project.settings.file)
    yield project.root / "assetry_plugins.py"
    yield project.root / "assets.py"
    yield project.root / "assets"
    for integration in project.integrations:
        for value in integration.options.values():
            path = Path(integration.root, value) if isinstance(value, str) and value else None
            if path is not None and path.exists() and path.resolve() != project.root.resolve():
                yield path
        for each in project.plugins.local_files(integration):
            if Path(each).is_file():
                yield Path(each)


def _is_derived(path: Path) -> bool:
    return any(part in _DERIVED or part.startswith(".") for part in path.parts)


def fingerprint(paths: Iterable[str]) -> str:
    """Return a text that is another one once a file was written, added or removed.

    >>> fingerprint(["no such file"]) == fingerprint(["no such file"])
    True
    """
    digest = blake2b(digest_size=16)
    for path in paths:
        for file, found in _files(path):
            digest.update(f"{file} {found.st_mtime_ns} {found.st_size}\n".encode(errors="replace"))
    return digest.hexdigest()


def _files(path: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        if not Path(path).is_dir():
            yield path, Path(path).stat()
            return
    except OSError:
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(each for each in folders if each not in _DERIVED and not each.startswith("."))
        for name in sorted(files):
            file = Path(folder, name)
            try:
                yield str(file), file.stat()
            except OSError:
                continue
