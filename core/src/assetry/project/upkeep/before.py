"""The definitions that those of now are compared with: of a commit, a run, a file, or what was last materialized."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from assetry.errors import DefinitionError, UsageError, near_names
from assetry.project.upkeep.elsewhere import further_paths, loaded_elsewhere
from assetry.project.upkeep.git import Commit, checked_out, commit_of, near_commits
from assetry.project.upkeep.state import State
from assetry.status.changes.definition import Definition, definitions_of
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import RunInfo

Definitions = Mapping[AssetKey, Definition]
#: The fewest signs of a run's id that mean it: fewer may well be the name of a branch.
_FEWEST = 8


@dataclass(frozen=True, slots=True)
class Before:
    """The definitions of before, and what they are of: ``commit``, ``run``, ``file`` or ``records``.

    `now` are the definitions to compare them with, where these are not all of the graph: of a tool's own file those of
    the integrations that it is of. `notes` say what is to be known of the comparison.
    """

    kind: Literal["commit", "run", "file", "folder", "records"]
    name: str
    definitions: Definitions
    now: Definitions | None = None
    at: datetime | None = None
    commit: str | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)


def definitions_before(project: State, since: str, on_load: Callable[[str], None]) -> Before:
    """Return the definitions of a file, a folder, a run or a commit; `on_load` hears what is loaded.

    Raises `UsageError`, with near names, where there is no such thing, `DefinitionError` for one that fails to load.
    """
    path = Path(since)
    if path.is_file():
        return _of_file(project, path)
    run = project.store.run(since) if len(since) >= _FEWEST else None
    if run is not None:
        return _of_run(project, run)
    commit = commit_of(project.root, since)
    if commit is not None:
        on_load(f"{since} ({commit.sha[:8]})")
        return _of_commit(project, since, commit)
    if path.is_dir():
        on_load(since)
        return Before("folder", since, _loaded(since, path, project.options))
    runs = [each.id for each in project.store.runs(100)]
    raise UsageError(
        f"There is no commit, run or file {since!r}.",
        near=[*near_commits(project.root, since), *near_names(since, runs)][:3],
        hint="--since takes a branch, tag or commit (main, HEAD~1, or main... for where it was left), the id of a run,"
        " or a file: a tool's manifest, or what `assetry graph --output json` has printed.",
    )


def _of_commit(project: State, name: str, commit: Commit) -> Before:
    root, top = project.root.resolve(), commit.top.resolve()
    untracked = [path for each in project.integrations for path in project.plugins.local_files(each)]
    packages = [info.package for info in project.plugins.infos]
    with checked_out(commit, root, untracked) as files:
        paths = further_paths(top, files.top, root, packages)
        found = _loaded(name, files.folder, project.options, paths)
    listed = ", ".join(str(path.relative_to(root) if path.is_relative_to(root) else path) for path in files.besides)
    notes = (f"Not under version control, so taken as it is now: {listed}",) if listed else ()
    return Before("commit", name, found, at=commit.at, commit=commit.sha, notes=notes)


def _loaded(name: str, folder: Path, options: Mapping[str, Any], paths: Iterable[Path] = ()) -> Definitions:
    try:
        return _exported(loaded_elsewhere(folder, options, paths))
    except DefinitionError as error:
        said = f"The definitions of {name} fail to load: {error.message}"
        raise DefinitionError(said, hint="Compare with another commit, or mend it there.") from None


def _of_run(project: State, run: RunInfo) -> Before:
    texts = project.store.definitions(run.id)
    if texts is None:
        raise UsageError(
            f"The definitions of run {run.id} were not recorded.",
            hint="It is of an assetry that did not; compare with a commit, or with a later run.",
        )
    found = {key: Definition.from_text(key, text) for key, text in texts.items()}
    return Before("run", run.id, found, at=run.started)


def _of_file(project: State, path: Path) -> Before:
    """Return the definitions of a file: one that assetry has written, or one of a tool."""
    before: dict[AssetKey, Definition] = {}
    now: dict[AssetKey, Definition] = {}
    known = False
    for integration in project.integrations:
        assets = project.plugins.load_file(str(path.resolve()), integration)
        if assets is not None:
            known = True
            before |= definitions_of(each for each in assets if isinstance(each, Asset))
            loaded = project.plugins.load_assets(integration)
            now |= definitions_of(each for each in loaded if isinstance(each, Asset))
    if known:
        return Before("file", str(path), before, now)
    try:
        found = json.loads(path.read_bytes())
        return Before("file", str(path), _exported(found))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is no file of an integration of this project, and nothing that assetry has written.",
            hint="Give a tool's manifest, or what `assetry graph --output json` has printed, of all assets.",
        ) from error


def _exported(data: Any) -> Definitions:
    """Return the definitions of what ``assetry graph --output json`` has printed."""
    if not data["whole"]:
        raise UsageError("It has only what was selected of a graph.", hint="Write it without -s.")
    found = (Definition.from_json(each["definition"]) for each in data["assets"])
    return {each.key: each for each in found}
