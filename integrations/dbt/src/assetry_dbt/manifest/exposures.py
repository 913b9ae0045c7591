"""Exposures: uses of the data outside dbt, as assets from which nothing is made."""

from __future__ import annotations

from typing import Any

from assetry.plugin import Asset

from assetry_dbt.manifest.manifest import Exposure
from assetry_dbt.manifest.written import named_owners, people, texts


def exposure_asset(exposure: Exposure, **more: Any) -> Asset:
    """Return the asset of an exposure; `more` is what the graph and its project say of it.

    >>> asset = exposure_asset(Exposure("exposure.shop.weekly", "weekly", type="dashboard"), key="shop/exposure/weekly")
    >>> asset.consumer, asset.metadata["type"]
    (True, 'dashboard')
    """
    facts = {"type": exposure.type, "label": exposure.label, "url": exposure.url, "maturity": exposure.maturity}
    config = exposure.config or {}
    owners = people(exposure.owner) + named_owners(config.get("meta"), exposure.meta)
    return Asset(
        kind="dbt",
        description=exposure.description or "",
        owners=tuple(dict.fromkeys(owners)),
        tags=texts(exposure.tags),
        metadata={
            "unique_id": exposure.unique_id,
            "package": exposure.package_name,
            "path": exposure.original_file_path,
            **{name: value for name, value in facts.items() if value},
        },
        executable=False,
        consumer=True,
        resource_type="exposure",
        fqn=exposure.fqn or (),
        **more,
    )
