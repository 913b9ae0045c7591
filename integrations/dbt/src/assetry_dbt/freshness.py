"""Whether a project's manifest still tells the truth, and making it anew when it does not.

A manifest that assetry had made is accompanied by a stamp, ``assetry.json`` in dbt's target folder: what the files
were and which options held. It is true as long as both are the same. One that the user's own dbt made has no stamp:
it is true when it is younger than every file and folder dbt reads, and no option asks for another target than dbt's
own choice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from assetry.plugin import IntegrationError

from assetry_dbt.project import SUFFIXES, DbtProject

STAMP = "assetry.json"

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


class Seen(NamedTuple):
    """Tell of one file or folder: when it was last changed, in ns, and its size (-1 for a folder)."""

    path: str
    changed: int
    size: int


def ensure_manifest(project: DbtProject) -> None:
    """Make dbt parse `project` when its manifest is missing or no longer true; a given `manifest` is never touched.

    Raises `IntegrationError` with dbt's own message when dbt cannot parse the project.
    """
    if project.manifest is not None:
        return
    seen = files_of(project)
    if outdated(project, seen) is None:
        return
    check_packages(project)
    from assetry_dbt.engine import parse

    parse(project)
    write_stamp(project, seen)


def outdated(project: DbtProject, seen: Iterable[Seen]) -> str | None:
    """Return why the manifest has to be made anew, in a few words; None when it is true.

    `seen` is what the project's files are now.
    """
    try:
        made = project.manifest_path.stat()
    except OSError:
        return "there is no manifest"
    stamp = read_stamp(project)
    if stamp.get("manifest") == [made.st_mtime_ns, made.st_size]:
        if stamp.get("options") != options_digest(project):
            return "options or profile changed"
        return None if stamp.get("files") == files_digest(seen) else "files changed"
    if project.profile or project.target or project.vars:
        return "it was made without the options of this integration"
    later = next((each.path for each in seen if each.changed >= made.st_mtime_ns), None)
    return f"{os.path.relpath(later, project.project_dir)} is newer" if later else None


@contextmanager
def kept_stamp(project: DbtProject) -> Iterator[None]:
    """Keep a true manifest known as true while dbt runs: every `dbt build` writes the manifest anew."""
    seen = files_of(project) if project.manifest is None else []
    was_true = project.manifest is None and outdated(project, seen) is None
    before = _made(project)
    try:
        yield
    finally:
        # What changed while dbt ran may or may not be in its manifest: then it is made anew next time.
        if was_true and _made(project) != before and files_digest(files_of(project)) == files_digest(seen):
            write_stamp(project, seen)


def read_stamp(project: DbtProject) -> dict[str, Any]:
    """Return the stamp beside the manifest; empty when there is none, or none that can be read."""
    try:
        stamp = json.loads((project.target_path / STAMP).read_bytes())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(project: DbtProject, seen: Iterable[Seen], **more: Any) -> None:
    """Note beside the manifest what it was made of. A folder that cannot be written to gets no stamp."""
    made = _made(project)
    if made is None:
        return
    stamp = {"version": 1, "manifest": made, "options": options_digest(project), "files": files_digest(seen), **more}
    path = project.target_path / STAMP
    part = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        part.write_text(json.dumps(stamp))
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)


def options_digest(project: DbtProject) -> str:
    """Return a hash of what a manifest depends on besides files: profile, target, vars, and where tables go.

    No secret is in it: only the settings that name databases, schemas and files.
    """
    places: dict[str, Any] = {}
    try:
        profile = project.read_profile()
        names = ("type", "database", "dbname", "schema", "path", "project", "dataset", "catalog")
        places = {name: profile.output.get(name) for name in names} | {
            "profile": profile.name,
            "target": profile.target,
        }
    except IntegrationError:
        pass  # dbt will say what is wrong with it, should it be needed
    asked = [project.profile, project.target, project.vars, places]
    return blake2b(json.dumps(asked, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()


def files_digest(seen: Iterable[Seen]) -> str:
    """Return a hash of the files among `seen`: their paths, times and sizes."""
    digest = blake2b(digest_size=16)
    for each in sorted(each for each in seen if each.size >= 0):
        digest.update(f"{each.path}\0{each.changed}\0{each.size}\n".encode())
    return digest.hexdigest()


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
        found.append(Seen(str(path), stat.st_mtime_ns, stat.st_size))
    skipped = {str(project.target_path), str(project.project_dir / str(project.settings.get("log-path") or "logs"))}
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
    packages = str(project.settings.get("packages-install-path") or "dbt_packages")
    names[packages] = None
    return [Path(os.path.normpath(project.project_dir / name)) for name in names]


def _walk(start: Path, skipped: set[str], walked: set[str]) -> Iterator[Seen]:
    """Yield what is in a folder and below it; a package may be a link, even into a folder that was walked."""
    waiting = [str(start)]
    while waiting:
        folder = waiting.pop()
        try:
            real = os.path.realpath(folder)
            if real in walked:
                continue
            walked.add(real)
            yield Seen(folder, Path(folder).stat().st_mtime_ns, -1)
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.path in skipped:
                continue
            if entry.name.endswith(SUFFIXES):
                try:
                    stat = entry.stat()
                except OSError:
                    continue
                yield Seen(entry.path, stat.st_mtime_ns, stat.st_size)
            elif entry.is_dir() and entry.name not in ("__pycache__", "node_modules"):
                waiting.append(entry.path)


def check_packages(project: DbtProject) -> None:
    """Raise `IntegrationError` when the project names packages and none is installed: dbt's own message is long."""
    named = any((project.project_dir / name).is_file() for name in ("packages.yml", "dependencies.yml"))
    packages = project.project_dir / str(project.settings.get("packages-install-path") or "dbt_packages")
    if named and not packages.is_dir() and _asks_for_packages(project):
        raise IntegrationError(
            f"The packages of dbt project {project.name!r} are not installed.",
            where=str(packages),
            hint=f"Install them: dbt deps --project-dir {project.project_dir}",
        )


def _asks_for_packages(project: DbtProject) -> bool:
    from assetry_dbt.profile import read_yaml

    files = [project.project_dir / name for name in ("packages.yml", "dependencies.yml")]
    return any(read_yaml(file).get("packages") for file in files if file.is_file())


def _made(project: DbtProject) -> list[int] | None:
    try:
        stat = project.manifest_path.stat()
    except OSError:
        return None
    return [stat.st_mtime_ns, stat.st_size]
