"""Load a dbt project: its manifest, made or refreshed where needed, as assets and as an index for selections."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from assetry_dbt.assets import Placement, assets_of, code_versions, project_name
from assetry_dbt.index import Index, Item, items_of
from assetry_dbt.manifest import Manifest, read_manifest
from assetry_dbt.project import DbtProject

from assetry.plugin import Asset, Integration


@dataclass(slots=True)
class Loaded:
    """Keep what one loading of a project brought; the index is built when it is first asked for."""

    project: DbtProject
    assets: list[Asset]
    items: list[Item]
    made: tuple[int, int]
    _index: Index | None = None

    @property
    def index(self) -> Index:
        """Return the index for selections."""
        if self._index is None:
            self._index = Index(self.items, self.assets)
        return self._index


# One entry per configured project: `assetry_invoke` and `assetry_invocation_command` ask for what
# `assetry_load_assets` has just read. Nothing depends on it: on another machine it is simply read again.
_LOADED: dict[str, Loaded] = {}


def load(integration: Integration, project: DbtProject | None = None) -> Loaded:
    """Return the project that `integration` points at, read anew.

    Raises `IntegrationError` when the manifest, the project or its profile cannot be read, or when dbt cannot parse it.
    """
    project = project or DbtProject.of(integration)
    manifest = read_manifest(project.manifest_path)
    loaded = Loaded(project, _assets(manifest, integration, project), items_of(manifest), _made(project))
    _LOADED[_identity(integration)] = loaded
    return loaded


def loaded(integration: Integration) -> Loaded:
    """Return the project of `integration` as it was last read, or read it when that was never or has changed since."""
    known = _LOADED.get(_identity(integration))
    if known is not None and known.made == _made(known.project):
        return known
    return load(integration)


def load_index(integration: Integration) -> Index:
    """Return the index for selections in the project of `integration`."""
    return loaded(integration).index


def _assets(manifest: Manifest, integration: Integration, project: DbtProject) -> list[Asset]:
    declared: Mapping[str, object] = project.settings
    codes = code_versions(manifest, project.vars, declared.get("vars"), project.project_dir)
    packages = str(declared.get("packages-install-path") or "dbt_packages")
    placement = Placement(integration, project_name(manifest, project.name), project.target_name(), packages)
    return assets_of(manifest, placement, codes)


def _identity(integration: Integration) -> str:
    options = json.dumps(dict(integration.options), sort_keys=True, default=str)
    return "\0".join((integration.name, integration.root, options))


def _made(project: DbtProject) -> tuple[int, int]:
    try:
        stat = project.manifest_path.stat()
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)
