"""What the command line tells of an asset, as JSON and as words; `list`, `show` and `check` share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assetry.assets import Asset
from assetry.codec import to_json

if TYPE_CHECKING:
    from assetry.project import Project


def asset_to_json(asset: Asset, project: Project) -> dict[str, Any]:
    """Return an asset as ``assetry list --output json`` has it."""
    group = project.plugins.invocation_group(asset) if asset.executable else None
    return {
        "key": str(asset.key),
        "kind": asset.kind,
        "type": asset.resource_type,
        "integration": asset.integration.name if asset.integration else None,
        "group": asset.group,
        "deps": [str(dep.key) for dep in asset.deps],
        "invocation_group": group.key if group else None,
        "description": asset.description,
        "owners": list(asset.owners),
        "tags": list(asset.tags),
        "columns": [{"name": each.name, "type": each.type, "description": each.description} for each in asset.columns],
        "relation": list(asset.relation) if asset.relation else None,
        "checks": [check.name for check in asset.checks],
        "source": asset.source,
        "executable": asset.executable,
        "aliases": [str(alias) for alias in asset.aliases],
    }


def kind_of(asset: Asset) -> str:
    """Return kind and type of an asset as people say them.

    >>> kind_of(Asset(key="a", kind="dbt", resource_type="model")), kind_of(Asset(key="a", kind="python"))
    ('dbt model', 'python asset')
    """
    return f"{asset.kind} {asset.resource_type}"


def heading(asset: Asset) -> str:
    """Return the integration that an asset is listed under."""
    if asset.integration is None or asset.integration.name == asset.kind:
        return asset.kind
    return f"{asset.integration.name} ({asset.kind})"


def data(value: Any) -> Any:
    """Return a value as JSON data; what is none is written as text.

    >>> data({"rows": 3, "odd": object}), data(1.5)
    ({'rows': 3, 'odd': "<class 'object'>"}, 1.5)
    """
    if isinstance(value, Mapping):
        return {str(name): data(item) for name, item in value.items()}
    try:
        return to_json(value)
    except TypeError:
        return str(value)
