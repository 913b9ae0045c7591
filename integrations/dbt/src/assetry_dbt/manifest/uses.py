"""Uses of tables, of which dbt makes nothing: exposures, metrics, semantic models and saved queries, as assets."""

from __future__ import annotations

from typing import Any

from assetry.plugin import Asset

from assetry_dbt.manifest.manifest import Exposure, Link
from assetry_dbt.manifest.written import named_owners, people, texts


def exposure_asset(exposure: Exposure, **more: Any) -> Asset:
    """Return the asset of an exposure; `more` is what the graph and its project say of it.

    >>> weekly = Exposure("exposure.shop.weekly", "weekly", type="dashboard", config={})
    >>> asset = exposure_asset(weekly, key="shop/exposure/weekly")
    >>> asset.consumer, asset.metadata["type"]
    (True, 'dashboard')
    """
    facts = {"type": exposure.type, "label": exposure.label, "url": exposure.url, "maturity": exposure.maturity}
    owners = people(exposure.owner) + named_owners(exposure.config.get("meta"), exposure.meta)
    return _use(exposure, facts, owners=tuple(dict.fromkeys(owners)), resource_type="exposure", **more)


def link_asset(link: Link, **more: Any) -> Asset:
    """Return the asset of a metric, a semantic model or a saved query, which is as fresh as what it reads.

    >>> revenue = Link("metric.shop.revenue", "revenue", "shop", type="simple", config={})
    >>> asset = link_asset(revenue, key="shop/metric/revenue")
    >>> asset.resource_type, asset.executable, asset.metadata["type"]
    ('metric', False, 'simple')
    """
    exports = link.exports if isinstance(link.exports, list) else []
    named = [str(each["name"]) for each in exports if isinstance(each, dict) and each.get("name")]
    facts = {"type": link.type, "label": link.label, "exports": ", ".join(named)}
    owners = named_owners(link.config.get("meta"), link.meta)
    return _use(link, facts, owners=owners, resource_type=link.resource_type, computed_on_read=True, **more)


def _use(item: Exposure | Link, facts: dict[str, Any], **more: Any) -> Asset:
    return Asset(
        kind="dbt",
        description=item.description or "",
        tags=texts(item.tags),
        metadata={
            "unique_id": item.unique_id,
            "package": item.package_name,
            "path": item.original_file_path,
            **{name: str(value) for name, value in facts.items() if value},
        },
        executable=False,
        consumer=True,
        fqn=item.fqn or (),
        **more,
    )
