"""What the command line tells of an asset, as JSON and as words; `list`, `show` and `check` share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetry.types.assets import Asset

if TYPE_CHECKING:
    pass


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
