"""Meltano for assetry: the streams of its extractors as assets, joined to dbt by table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

from assetry.plugin import Asset, Integration

__all__ = ["MeltanoOptions", "load_assets_from_meltano_project"]


class MeltanoOptions(TypedDict, total=False):
    """The options of a meltano integration, as in a project file; all may be left out.

    * `environment`: of the Meltano project; by default MELTANO_ENVIRONMENT, then its `default_environment`.
    * `pairs`: which extractors with which loaders, ``["tap-shop target-postgres"]``, or ``"all"``; by default those of
      jobs and schedules.
    * `loaders`: what is known better of a loader's tables, by its name: ``type``, ``database``, ``schema``, ``table``
      (with ``{name}``, ``{stream}`` and ``{namespace}`` in it), ``join``.
    * `io`: the URL of the place where tables can be read that are in no DuckDB file of a loader, or a reference to it.
    * `env`: variables for Meltano; secrets by reference: ``{"TAP_SHOP_TOKEN": {"env": "SHOP_TOKEN"}}``.
    * `deps`: assets that have to be made before.
    * `meltano_executable`: a program to call; by default that of this environment, else the one on PATH.
    * `share`: False gives each pair a `meltano run` of its own.
    * `snapshot`: the file that keeps what extractors offer; ``.assetry/meltano/NAME.json`` unless given.

    See the README for `state_id_suffix`, `lock_timeout`, `force`, `results` and `record_count`.
    """

    environment: str
    pairs: str | list[str]
    loaders: Mapping[str, Mapping[str, Any]]
    io: str | Mapping[str, str]
    env: Mapping[str, str | Mapping[str, str]]
    deps: list[str]
    meltano_executable: str
    share: bool
    snapshot: str
    state_id_suffix: str
    lock_timeout: float
    force: bool
    results: str
    record_count: str


def load_assets_from_meltano_project(
    project_dir: str | Path = ".",
    *,
    name: str = "meltano",
    relation: Callable[[Any, str, Any], Any] | None = None,
    **options: Unpack[MeltanoOptions],
) -> list[Asset]:
    """Return the assets of the Meltano project in `project_dir`: one per selected stream of each pair.

    A relative folder is looked for beside the file that calls this, then where Python was started. `name` is the
    integration's, with which the keys begin. `relation` is a function from pair, stream's name and the table found by
    the rules to the table that it really is, as (database, schema, identifier) or None.

    Extractors are asked which streams they have when that is not known of them as they are now. Raises
    `IntegrationError` when there is no such project or it cannot be read, `DefinitionError` for an unknown option.

    >>> load_assets_from_meltano_project("nowhere")
    Traceback (most recent call last):
    ...
    assetry.errors.IntegrationError: There is no folder 'nowhere'.
    ...
    """
    from assetry_toolkit.definitions.projects import root_of

    from assetry_meltano.project.assets import load

    root = str(root_of(project_dir, sys._getframe(1).f_globals.get("__file__")))
    return load(Integration(name, "meltano", {"project_dir": str(project_dir), **options}, root), relation)
