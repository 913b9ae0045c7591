"""Load a dbt project: its manifest, made or refreshed where needed, as assets and as an index for selections."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assetry.plugin import Asset, AssetKey, DefinitionError, Integration, IntegrationError, rename_assets
from assetry_toolkit.yaml_files import read_yaml

from assetry_dbt.manifest.assets import Placement, assets_of
from assetry_dbt.manifest.code import CodeVersions, Surroundings, code_version, short_hash
from assetry_dbt.manifest.left_out import left_out_tests
from assetry_dbt.manifest.manifest import Manifest, project_name, read_manifest
from assetry_dbt.manifest.partitions import makes_batches
from assetry_dbt.project.dbt_ls import listed_ids, only_listed
from assetry_dbt.project.files import files_digest, files_of
from assetry_dbt.project.flags import BuildFlags, warnings_fail
from assetry_dbt.project.manifest_stamp import ensure_manifest, make_manifest
from assetry_dbt.project.project import DbtProject
from assetry_dbt.selecting.index import Index, items_of

_log = logging.getLogger("assetry.dbt")

#: How many tests that dbt leaves out are named.
_TOLD = 5
#: In how many bytes a manifest tells that it is one.
_HEAD = 4096


@dataclass(slots=True)
class Loaded:
    """What one loading of a project brought; the index is built, and the manifest let go, when it is asked for.

    `files` is a digest of the files that it was read from; empty where that was a given manifest.
    """

    project: DbtProject
    assets: list[Asset]
    selectors: Any
    files: str
    _manifest: Manifest | None
    _index: Index | None = None

    @property
    def index(self) -> Index:
        """Return the index for selections; listing assets needs none."""
        if self._index is None:
            own = (self.project.select, self.project.exclude)
            items = items_of(self._manifest) if self._manifest is not None else []
            self._index = Index(items, self.assets, own if any(own) else None, self.project.has_default_selector())
            self._manifest = None
        return self._index


# One entry per configured project: `assetry_invoke` and `assetry_invocation_command` ask for what
# `assetry_load_assets` has read before. Nothing depends on it: on another machine it is simply read again.
_LOADED: dict[str, Loaded] = {}


def load(integration: Integration) -> Loaded:
    """Return the project that `integration` points at, read anew; dbt parses it first where that is needed.

    Raises `IntegrationError` when the manifest, the project or its profile cannot be read, or when dbt cannot parse it.
    """
    project = DbtProject.of(integration)
    seen = ensure_manifest(project)
    manifest = _manifest(project)
    _tell_missing(manifest, project)
    _tell_left_out(manifest, project)
    assets = assets_in(manifest, integration, project)
    if project.select or project.exclude:
        assets = only_listed(assets, listed_ids(project))
    files = files_digest(seen, exact=True) if seen else ""
    found = _LOADED[_identity(integration)] = Loaded(project, assets, manifest.selectors, files, manifest)
    return found


def load_manifest(path: str, integration: Integration) -> list[Asset] | None:
    """Return the assets of a manifest of the integration's project; None for a file that is none, or of another one.

    Raises `IntegrationError` for one that is damaged.
    """
    project = DbtProject.of(integration)
    manifest = own_manifest(Path(path), project)
    return None if manifest is None else assets_in(manifest, integration, project)


def own_manifest(path: Path, project: DbtProject) -> Manifest | None:
    """Return the manifest in a file when it is one of a project; None for another file, or one of another project.

    Raises `IntegrationError` for one that is damaged.
    """
    with path.open("rb") as file:
        if b"/dbt/manifest/" not in file.read(_HEAD):
            return None
    manifest = read_manifest(path)
    return manifest if project_name(manifest, project.name) == project.name else None


def read_again(project: DbtProject, integration: Integration) -> list[Asset]:
    """Return the assets that the manifest now says, as dbt has just written it: nothing is parsed for them.

    Raises `IntegrationError` when there is none that can be read.
    """
    return assets_in(read_manifest(project.manifest_path), integration, project)


def assets_in(manifest: Manifest, integration: Integration, project: DbtProject) -> list[Asset]:
    """Return the assets of a manifest, as an integration makes them of it."""
    codes = CodeVersions(manifest, _surroundings(project))
    assets = assets_of(manifest, _placement(manifest, integration, project), codes)
    environment, own = BuildFlags.read(), BuildFlags(project.own_flags, {}).lasting()
    flags = replace(environment, content={**environment.content, **own.content})
    if flags.content or flags.window:
        assets = [_flagged(asset, flags) for asset in assets]
    if project.key_prefix:
        assets = rename_assets(assets, {each.key: _prefixed(project.key_prefix, each.key) for each in assets})
    return assets


def _flagged(asset: Asset, flags: BuildFlags) -> Asset:
    """Return an asset as flags make it: with what it reads from elsewhere, it is another table."""
    mine = flags.of(asset.resource_type, asset.spec.get("whole") is True)
    if not asset.executable or not mine:
        return asset
    parts = {**asset.code_parts, "flags": short_hash(json.dumps(mine, sort_keys=True))}
    metadata = {**asset.metadata, "flags": mine}
    return replace(asset, code_parts=parts, code_version=code_version(parts), metadata=metadata)


def _prefixed(prefix: str, key: AssetKey) -> AssetKey:
    try:
        return AssetKey((*AssetKey(prefix).parts, *key.parts))
    except DefinitionError:
        raise DefinitionError(
            f"The option key_prefix is {prefix!r}, which cannot stand before a key.",
            hint="It is one or more names joined by '/', for example eu.",
        ) from None


def _manifest(project: DbtProject) -> Manifest:
    """Read the manifest; one that dbt was killed over, or is about to write, is made anew."""
    try:
        return read_manifest(project.manifest_path)
    except IntegrationError:
        if project.manifest is not None:
            raise
        make_manifest(project, files_of(project))
        return read_manifest(project.manifest_path)


def _tell_missing(manifest: Manifest, project: DbtProject) -> None:
    """Warn of tests that will fail because the macro they call is of a package that is not installed."""
    missing: dict[str, list[str]] = {}
    for node in (manifest.nodes or {}).values():
        if node.resource_type == "test" and node.depends_on and None in (node.depends_on.macros or ()):
            package = (node.test_metadata and node.test_metadata.namespace) or ""
            missing.setdefault(package, []).append(node.name)
    for package, tests in missing.items():
        named = f"the package {package!r}, which is" if package else "a package that is"
        more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
        _log.warning(
            "dbt project %r: the test %s%s is of %s not installed, and will fail. Is it in packages.yml? Then run: "
            "dbt deps --project-dir %s",
            *(project.name, tests[0], more, named, project.project_dir),
        )


def _tell_left_out(manifest: Manifest, project: DbtProject) -> None:
    """Warn of tests that dbt leaves out, so that nothing is tested."""
    found = left_out_tests(manifest, project.manifest_path)
    for each in found[:_TOLD]:
        _log.warning("dbt project %r: a test is left out by dbt: %s", project.name, each)
    if len(found) > _TOLD:
        _log.warning("dbt project %r: so are %d more; `dbt parse` names them.", project.name, len(found) - _TOLD)


def loaded(integration: Integration) -> Loaded:
    """Return the project of `integration` as this process last read it: what its graph was made of."""
    return _LOADED.get(_identity(integration)) or load(integration)


def _placement(manifest: Manifest, integration: Integration, project: DbtProject) -> Placement:
    name = project_name(manifest, project.name)
    settings = project.settings
    return Placement(
        *(integration, name, project.target_name(), project.packages_path),
        warnings_fail=warnings_fail(settings),
        batched=makes_batches(manifest, settings),
    )


def _surroundings(project: DbtProject) -> Surroundings:
    """Return what the project's code can ask for besides itself."""

    def package_vars(package: str) -> Mapping[str, Any]:
        file = project.project_dir / project.packages_path / package / "dbt_project.yml"
        return _mapping(read_yaml(file).get("vars")) if file.is_file() else {}

    fields = project.target_fields()
    return Surroundings(
        variables=project.vars,
        project_vars=_mapping(project.settings.get("vars")),
        package_vars=package_vars,
        environment=os.environ,
        target=project.target_facts(),
        warehouse=project.warehouse_facts(),
        fields=fields,
        dispatch=project.settings.get("dispatch"),
        root=project.project_dir,
        packages=project.packages_path,
        modules=project.module_folders(fields),
    )


def _mapping(given: Any) -> Mapping[str, Any]:
    return given if isinstance(given, dict) else {}


def _identity(integration: Integration) -> str:
    options = json.dumps(dict(integration.options), sort_keys=True, default=str)
    return "\0".join((integration.name, integration.root, options))
