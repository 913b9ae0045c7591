"""The files of a dbt project that a parse reads, and whether they are still the same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from assetry_dbt.project.project import SUFFIXES, DbtProject

_ROOT_FILES = ("dbt_project.yml", "packages.yml", "dependencies.yml", "package-lock.yml", "vars.yml")

#: Settings in dbt_project.yml that name folders, older spelling last, and what counts when there is none.
_FOLDERS = (
    (("model-paths", "source-paths"), "models"),
    (("seed-paths", "data-paths"), "seeds"),
    (("snapshot-paths",), "snapshots"),
    (("test-paths",), "tests"),
    (("macro-paths",), "macros"),
    (("analysis-paths",), "analyses"),
    (("function-paths",), "functions"),
    (("docs-paths",), None),
)


#: Files in which Jinja is read.
_JINJA = (".sql", ".yml", ".yaml")


class Seen(NamedTuple):
    """One file or folder: when it was last changed, in ns, and its size (-1 for a folder).

    `touched` is when the system noted any change of it: unlike `changed`, copying a file does not take it along.
    """

    path: str
    changed: int
    size: int
    touched: int


def files_of(project: DbtProject) -> list[Seen]:
    """Return all that a parse of `project` reads: its files and folders, its packages', and its profile."""
    found: list[Seen] = []
    singles = [project.project_dir / name for name in _ROOT_FILES]
    if project.profiles_dir is not None:
        singles.append(project.profiles_dir / "profiles.yml")
    for path in singles:
        try:
            stat = path.stat()
        except OSError:
            continue
        found.append(Seen(str(path), stat.st_mtime_ns, stat.st_size, stat.st_ctime_ns))
    logs = project.project_dir / str(project.settings.get("log-path") or "logs")
    # By their real paths: a package may be a link to a folder that the project itself is in.
    skipped = {os.path.realpath(folder) for folder in (project.target_path, logs)}
    walked: set[str] = set()
    for folder in folders_of(project):
        found += _walk(folder, skipped, walked)
    return found


def folders_of(project: DbtProject) -> list[Path]:
    """Return the folders that dbt reads, the installed packages last."""
    names: dict[str, None] = {}
    for settings, default in _FOLDERS:
        given = next((project.settings[name] for name in settings if project.settings.get(name)), None)
        listed = given if isinstance(given, list) else [given or default]
        names.update(dict.fromkeys(str(name) for name in listed if name))
    names[project.packages_path] = None
    return [Path(os.path.normpath(project.project_dir / name)) for name in names]


def _walk(start: Path, skipped: set[str], walked: set[str]) -> Iterator[Seen]:
    """Yield what is in a folder and below it; a package may be a link, even into a folder that was walked."""
    waiting = [str(start)]
    while waiting:
        folder = waiting.pop()
        try:
            real = os.path.realpath(folder)
            if real in walked or real in skipped:
                continue
            walked.add(real)
            stat = Path(folder).stat()
            yield Seen(folder, stat.st_mtime_ns, -1, stat.st_ctime_ns)
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.endswith(SUFFIXES):
                try:
                    stat = entry.stat()
                except OSError:
                    continue
                yield Seen(entry.path, stat.st_mtime_ns, stat.st_size, stat.st_ctime_ns)
            elif entry.is_dir() and entry.name not in ("__pycache__", "node_modules"):
                waiting.append(entry.path)


_ENV_VAR = re.compile(rb"""\benv_var\s*\(\s*(?:['"](\w+)['"])?""")


def env_vars_of(seen: Iterable[Seen]) -> list[str]:
    """Return the environment variables that the project's files among `seen` name, without those of its profile.

    A name that is computed is told as "": what it means cannot be known from the files.
    """
    found: set[str] = set()
    for _, data in _with_jinja(each for each in seen if not each.path.endswith("profiles.yml")):
        if b"env_var" in data:
            found.update(name.decode() for name in _ENV_VAR.findall(data))
    return sorted(found)


def place_of_env_var(project: DbtProject, name: str) -> str | None:
    """Return ``file:line`` of the first place in the project that reads an environment variable."""
    named = re.compile(rb"""\benv_var\s*\([^)]*['"]""" + re.escape(name.encode()) + rb"""['"]""")
    for path, data in _with_jinja(files_of(project)):
        found = named.search(data)
        if found:
            line = data[: found.start()].count(b"\n") + 1
            return f"{path}:{line}"
    return None


def _with_jinja(seen: Iterable[Seen]) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of each file in which Jinja is read."""
    for each in seen:
        if each.size < 0 or not each.path.endswith(_JINJA):
            continue
        try:
            data = Path(each.path).read_bytes()
        except OSError:
            continue
        yield each.path, data


def files_digest(seen: Iterable[Seen], exact: bool = False) -> str:
    """Return a hash of the files among `seen`: their paths, times and sizes; `exact`: also when they were touched."""
    digest = blake2b(digest_size=16)
    for each in sorted(each for each in seen if each.size >= 0):
        digest.update(f"{each.path}\0{each.changed}\0{each.size}\0{each.touched if exact else ''}\n".encode())
    return digest.hexdigest()
