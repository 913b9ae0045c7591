"""What an in-process dbt keeps of a project it has read, so that it is not read again while its files are the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assetry_dbt.project import SUFFIXES, DbtProject

#: A file and what tells that it changed: path, time of change in ns, size.
Stamp = tuple[str, int, int]

#: dbt's own record of a parsed project, inside its target folder.
RECORD = "partial_parse.msgpack"

_SKIPPED = frozenset({"__pycache__", "node_modules", "logs"})


@dataclass(frozen=True, slots=True)
class Parsed:
    """Be what was true when dbt had read a project: its files, and the record that dbt wrote of it."""

    files: frozenset[Stamp]
    record: Stamp


# One entry per project, target, profile, vars and environment. It only saves time: without it dbt reads anew.
_PARSED: dict[str, Parsed] = {}


def identity(project: DbtProject) -> str:
    """Return what a parse depends on besides files: the arguments and the environment."""
    return json.dumps([project.arguments(), sorted(os.environ.items())])


def remember(project: DbtProject, files: frozenset[Stamp]) -> None:
    """Remember that dbt has read `project` when its files were `files`."""
    record = _stamp(str(project.target_path / RECORD))
    if record is not None:
        _PARSED[identity(project)] = Parsed(files, record)


def recall(project: DbtProject, files: frozenset[Stamp]) -> Any:
    """Return dbt's Manifest of `project` as it was after reading, or None when it has to be read anew.

    A fresh one each time: dbt changes the one it works on, and cannot use that a second time.
    """
    known = _PARSED.get(identity(project))
    path = str(project.target_path / RECORD)
    if known is None or known.files != files or known.record != _stamp(path):
        return None
    try:
        return _read(path)
    except Exception:  # the record is dbt's own business: when it cannot be read, dbt itself knows what to do
        return None


def _read(path: str) -> Any:
    from datetime import UTC, datetime

    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    manifest = Manifest.from_msgpack(Path(path).read_bytes(), decoder=extended_mashumuro_decoder)
    manifest.metadata.generated_at = datetime.now(UTC).replace(tzinfo=None)
    manifest.build_parent_and_child_maps()
    manifest.build_flat_graph()
    return manifest


def files_of(project: DbtProject) -> frozenset[Stamp]:
    """Return the stamps of all files that a parse may read: the project's, its packages', its profile."""
    found = set(_walk(str(project.project_dir), {str(project.target_path)}))
    if project.profiles_dir is not None:
        profile = _stamp(str(project.profiles_dir / "profiles.yml"))
        if profile is not None:
            found.add(profile)
    return frozenset(found)


def _walk(start: str, seen: set[str]) -> Iterator[Stamp]:
    """Yield the stamps of the files below `start`; hidden folders and those of other tools are no sources of dbt."""
    waiting = [start]
    while waiting:
        folder = waiting.pop()
        # Packages may be links into each other; each folder is walked once.
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _SKIPPED:
                continue
            if entry.is_dir():
                waiting.append(entry.path)
            elif entry.name.endswith(SUFFIXES):
                stamp = _stamp(entry.path)
                if stamp is not None:
                    yield stamp


def _stamp(path: str) -> Stamp | None:
    try:
        stat = os.stat(path)  # noqa: PTH116 - once per file of the project; a Path costs more than the call
    except OSError:
        return None
    return (path, stat.st_mtime_ns, stat.st_size)
