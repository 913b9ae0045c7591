"""What integrations warn of their assets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from assetry.errors import NoClaimError
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins
from assetry.types.assets import Asset, Integration
from assetry.types.keys import AssetKey
from assetry.types.warnings import AssetWarning


def warnings_of(
    graph: AssetGraph, plugins: Plugins, keys: Iterable[AssetKey] | None = None, now: datetime | None = None
) -> tuple[AssetWarning, ...]:
    """Return what is warned of the assets of a graph, or of some of them, in the graph's order.

    >>> warnings_of(AssetGraph.of([Asset(key="orders", kind="x")]), Plugins())
    ()
    """
    wanted = None if keys is None else set(keys)
    owned: dict[Integration, list[Asset]] = {}
    for asset in graph.assets:
        if asset.integration is not None:
            owned.setdefault(asset.integration, []).append(asset)
    elsewhere = [each for each in graph.assets if not (each.executable or each.consumer)]
    found: list[AssetWarning] = []
    for integration, assets in owned.items():
        readers = {
            asset.key: tuple(graph.assets[j] for j in graph.downstream[graph.index(asset.key)]) for asset in assets
        }
        try:
            told = plugins.warnings(integration, assets, readers, elsewhere, now or datetime.now(UTC))
        except NoClaimError:  # assets that were made by hand, of a tool that is not installed
            continue
        found += (each for each in told if each.key in graph and (wanted is None or each.key in wanted))
    return tuple(sorted(found, key=lambda each: graph.index(each.key)))
