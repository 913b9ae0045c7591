"""dbt for assetry: models, seeds and snapshots as assets, tests as checks, each selection one `dbt build`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypedDict, Unpack

from assetry.plugin import Asset, Integration

__all__ = ["DbtOptions", "load_assets_from_dbt_project"]


class DbtOptions(TypedDict, total=False):
    """The options of a dbt integration, as in a project file; all may be left out.

    * `manifest`: a manifest.json to read as it is; no dbt is run to load it.
    * `profiles_dir`, `profile`, `target`, `vars`, `threads`: as for dbt itself.
    * `select`, `exclude`: load only part of the project; dbt's own selection syntax.
    * `key_prefix`: a name that stands before all keys, for one project in several integrations.
    * `dbt_executable`: a dbt to call, of another environment for example.
    * `engine`: ``in-process`` or ``subprocess``; by default in-process where a dbt 1.x can be imported.
    """

    manifest: str
    profiles_dir: str
    profile: str
    target: str
    vars: dict[str, Any]
    select: str | list[str]
    exclude: str | list[str]
    key_prefix: str
    dbt_executable: str
    threads: int
    engine: str


def load_assets_from_dbt_project(
    project_dir: str | Path = "transform", *, name: str | None = None, **options: Unpack[DbtOptions]
) -> list[Asset]:
    """Return the assets of the dbt project in `project_dir`: models, seeds, snapshots, sources, exposures.

    A relative folder is looked for beside the file that calls this, then where Python was started. `name` is the
    integration's, by default the dbt project's own. dbt parses the project first when its manifest is missing or out
    of date. Raises `IntegrationError` when there is no such project, or dbt cannot read it; `DefinitionError` for an
    unknown option.

    >>> load_assets_from_dbt_project("nowhere")
    Traceback (most recent call last):
    ...
    assetry.errors.IntegrationError: There is no dbt_project.yml here.
    ...
    """
    from dataclasses import replace

    from assetry_toolkit.definitions.projects import root_of

    from assetry_dbt.loading import load
    from assetry_dbt.project.project import DbtProject

    root = root_of(project_dir, sys._getframe(1).f_globals.get("__file__"))
    given: dict[str, Any] = {"project_dir": str(project_dir), **options}
    integration = Integration(name or Path(project_dir).name, "dbt", given, root=str(root))
    if name is None:
        integration = replace(integration, name=DbtProject.of(integration).name)
    return load(integration).assets
