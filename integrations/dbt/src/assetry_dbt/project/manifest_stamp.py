"""Whether a project's manifest still tells the truth, and making it anew when it does not.

A manifest that assetry had made is accompanied by a stamp, ``assetry.json`` in dbt's target folder: what the files
were, which options held, and the environment variables that the files name. It is true as long as all are the same. One
that the user's own dbt made has no stamp: it is true when that dbt began after the last change of every file and folder
that dbt reads (an older file that was copied over one is a change), no file reads the environment, which may have been
another one, and the results of the same run of dbt stand beside it and tell that it was given the same target, profile
and vars. Whether it is true or not, the manifest of the run that run_results.json tells of is kept aside before dbt is
made to write another one: `assetry record` needs both.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError
from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.files import read_json, write_whole
from assetry_toolkit.yaml_files import read_yaml

from assetry_dbt.project.files import Seen, env_vars_of, files_digest, files_of
from assetry_dbt.project.flags import from_environment
from assetry_dbt.project.profile import UnknownJinjaError
from assetry_dbt.project.project import DbtProject

STAMP, RESULTS = "assetry.json", "run_results.json"
#: The manifest of the run that run_results.json tells of, where another one had to take its place.
ASIDE = "run_manifest.json"
#: In the metadata, with which a manifest begins; dbt before 1.10 tells only when it had read the project.
_BEGAN = re.compile(rb'"(?:invocation_started_at|generated_at)": ?"([^"]+)"(?!.*"invocation_started_at")', re.DOTALL)
#: How many bytes hold the metadata.
_HEAD = 4096


def ensure_manifest(project: DbtProject) -> list[Seen]:
    """Make dbt parse `project` when its manifest is missing or no longer true; a given `manifest` is never touched.

    Return what the project's files were before; nothing for a given manifest. Raises `IntegrationError` with dbt's own
    message when dbt cannot parse the project.
    """
    if project.manifest is not None:
        return []
    seen = files_of(project)
    if outdated(project, seen) is not None:
        make_manifest(project, seen)
    elif read_stamp(project).get("manifest") != manifest_made(project):
        write_stamp(project, seen)  # so that its files need not be searched again
    return seen


def make_manifest(project: DbtProject, seen: Iterable[Seen]) -> None:
    """Make dbt parse `project`; `seen` is what its files are now. Raises `IntegrationError` with dbt's own message."""
    check_packages(project)
    check_profile(project)
    from assetry_dbt.running.engine import parse

    keep_aside(project)
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
        if stamp.get("environment") != environment_digest(stamp.get("env_vars")):
            return "environment variables changed"
        return None if stamp.get("files") == files_digest(seen) else "files changed"
    head = _head(project.manifest_path)
    began = min(made.st_mtime_ns, _began(head) or made.st_mtime_ns)
    later = next((each.path for each in seen if each.changed >= began or each.touched > made.st_ctime_ns), None)
    if later is not None:
        return f"{os.path.relpath(later, project.project_dir)} is newer"
    if not _was_made_alike(project, head):
        return "it may have been made for another target, or with other vars"
    # The files are searched for what they name, which takes longest.
    return "it may have been made with other environment variables" if env_vars_of(seen) else None


def _head(manifest: Path) -> bytes:
    """Return the beginning of a manifest, where its metadata is; nothing of one that cannot be read."""
    try:
        with manifest.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _was_made_alike(project: DbtProject, head: bytes) -> bool:
    """Tell whether dbt is known to have been given the choices of a project, or to have made the same by itself."""
    run, args = _run(project)
    if not run or run.encode() not in head:
        return False
    # What the environment says is an argument of the run; there was none where it tells of none.
    by_itself = None if from_environment("TARGET") else replace(project, target=None).target_name()
    return (
        (args.get("target") or by_itself) == project.target_name()
        and (args.get("profile") or None) == (project.profile or from_environment("PROFILE"))
        and (args.get("vars") or {}) == dict(project.vars)
    )


def _run(project: DbtProject) -> tuple[str | None, dict[str, Any]]:
    """Return which run of dbt its last results are of, and the arguments that it was given; None where none tell."""
    results = read_json(project.target_path / RESULTS)
    run, args = (results.get(each) for each in ("metadata", "args"))
    if not isinstance(run, dict) or not isinstance(args, dict) or not run.get("invocation_id"):
        return None, {}
    return str(run["invocation_id"]), args


def keep_aside(project: DbtProject) -> None:
    """Keep the manifest of the run that run_results.json tells of: dbt is about to write another one in its place."""
    run, _ = _run(project)
    if run is None or run.encode() not in _head(project.manifest_path):
        return
    # In a folder that cannot be written to, dbt writes no other manifest either.
    with suppress(OSError):
        write_whole(project.target_path / ASIDE, project.manifest_path.read_bytes())


def _began(head: bytes) -> int | None:
    """Return when the dbt began that wrote a manifest, in ns: what changed later it may not have read."""
    found = _BEGAN.search(head)
    try:
        return int(datetime.fromisoformat(found[1].decode()).timestamp() * 1e9) if found else None
    except ValueError:
        return None


@contextmanager
def kept_stamp(project: DbtProject) -> Iterator[None]:
    """Keep a true manifest known as true while dbt runs: every `dbt build` writes the manifest anew."""
    seen = files_of(project) if project.manifest is None else []
    was_true = project.manifest is None and outdated(project, seen) is None
    before = manifest_made(project)
    try:
        yield
    finally:
        # What changed while dbt ran may or may not be in its manifest: then it is made anew next time.
        if was_true and manifest_made(project) != before and files_digest(files_of(project)) == files_digest(seen):
            write_stamp(project, seen)


def read_stamp(project: DbtProject) -> dict[str, Any]:
    """Return the stamp beside the manifest; empty when there is none, or none that can be read."""
    return read_json(project.target_path / STAMP)


def write_stamp(project: DbtProject, seen: Iterable[Seen], **more: Any) -> None:
    """Note beside the manifest what it was made of. A folder that cannot be written to gets no stamp."""
    made = manifest_made(project)
    if made is None:
        return
    listed = list(seen)
    files, before = files_digest(listed), read_stamp(project)
    named = before.get("env_vars") if before.get("files") == files else env_vars_of(listed)
    stamp = {
        "version": 1,
        "manifest": made,
        "options": options_digest(project),
        "files": files,
        "env_vars": named,
        "environment": environment_digest(named),
        **more,
    }
    with suppress(OSError):
        write_whole(project.target_path / STAMP, json.dumps(stamp))


def options_digest(project: DbtProject) -> str:
    """Return a hash of what a manifest depends on besides files: profile, target, vars, and where tables go.

    No secret is in it: only the settings that name databases, schemas and files.
    """
    asked = [project.profile, project.target, project.vars, project.target_facts()]
    return digest(asked, size=16)


def environment_digest(names: Any) -> str:
    """Return a hash of the values of environment variables, but for those that dbt calls secret.

    >>> environment_digest(["SURELY_NOT_SET"]) == environment_digest([])
    True
    """
    public = [name for name in names or () if not name.startswith("DBT_ENV_SECRET")]
    values = {name: os.environ[name] for name in public if name in os.environ}
    return digest(values, size=16)


def check_packages(project: DbtProject) -> None:
    """Raise `IntegrationError` when the project names packages and none is installed: dbt's own message is long."""
    named = any((project.project_dir / name).is_file() for name in ("packages.yml", "dependencies.yml"))
    packages = project.project_dir / project.packages_path
    if named and not packages.is_dir() and _asks_for_packages(project):
        raise IntegrationError(
            f"The packages of dbt project {project.name!r} are not installed.",
            where=str(packages),
            hint=f"Install them: dbt deps --project-dir {project.project_dir}",
        )


def check_profile(project: DbtProject) -> None:
    """Raise `IntegrationError`, with near names, when the profile or target that dbt will look for is not there."""
    with suppress(UnknownJinjaError):  # dbt reads more Jinja than assetry does
        project.read_profile()


def _asks_for_packages(project: DbtProject) -> bool:
    files = [project.project_dir / name for name in ("packages.yml", "dependencies.yml")]
    return any(read_yaml(file).get("packages") for file in files if file.is_file())


def manifest_made(project: DbtProject) -> list[int] | None:
    """Return when the manifest was made, in ns, and its size, as a stamp has them; None when there is none."""
    try:
        stat = project.manifest_path.stat()
    except OSError:
        return None
    return [stat.st_mtime_ns, stat.st_size]
