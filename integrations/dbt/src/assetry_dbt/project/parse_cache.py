"""What an in-process dbt keeps of a project it has read, so that it is not read again while its files are the same."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from assetry_dbt.project.project import DbtProject

#: dbt's own record of a parsed project, inside its target folder.
RECORD = "partial_parse.msgpack"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What was true when dbt had read a project: a digest of its files, and time and size of dbt's record of it."""

    files: str
    record: tuple[int, int]


# One entry per project, target, profile, vars and environment. It only saves time: without it dbt reads anew.
_PARSED: dict[str, Parsed] = {}


def identity(project: DbtProject) -> str:
    """Return a hash of what a parse depends on besides files: the arguments and the environment."""
    return blake2b(json.dumps([project.arguments(), sorted(os.environ.items())]).encode(), digest_size=16).hexdigest()


def remember(project: DbtProject, files: str) -> None:
    """Remember that dbt has read `project` when the digest of its files was `files`."""
    record = _stamp(project.target_path / RECORD)
    if record is not None:
        _PARSED[identity(project)] = Parsed(files, record)


def recall(project: DbtProject, files: str) -> Any:
    """Return dbt's Manifest of `project` as it was after reading, or None when it has to be read anew.

    A fresh one each time: dbt changes the one it works on, and cannot use that a second time.
    """
    known = _PARSED.get(identity(project))
    path = project.target_path / RECORD
    if known is None or known.files != files or known.record != _stamp(path):
        return None
    try:
        return _read(path)
    except Exception:  # the record is dbt's own business: when it cannot be read, dbt itself knows what to do
        return None


def _read(path: Path) -> Any:
    from datetime import UTC, datetime

    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    manifest = Manifest.from_msgpack(path.read_bytes(), decoder=extended_mashumuro_decoder)
    manifest.metadata.generated_at = datetime.now(UTC).replace(tzinfo=None)
    manifest.build_parent_and_child_maps()
    manifest.build_flat_graph()
    return manifest


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size)
