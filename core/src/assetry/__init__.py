"""Declare every table, model and frame that should exist, and bring them up to date with the fewest tool runs.

For people who define assets; integrations are written against `assetry.plugin`.

>>> from assetry import asset, materialize
>>> @asset
... def numbers() -> list:
...     return [1, 2, 3]
>>> numbers()
[1, 2, 3]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assetry.assets import Asset, Check, Column, Dep, Integration
from assetry.decorators import CheckResult, asset, asset_check, multi_asset
from assetry.keys import AssetKey
from assetry.partitions import (
    DynamicPartitionsDefinition,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
)
from assetry.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy

if TYPE_CHECKING:
    from assetry.calls import AssetContext
    from assetry.project import Project, materialize
    from assetry.windows import (
        DailyPartitionsDefinition,
        HourlyPartitionsDefinition,
        MonthlyPartitionsDefinition,
        WeeklyPartitionsDefinition,
    )

__all__ = [
    "Asset",
    "AssetContext",
    "AssetKey",
    "AutomationPolicy",
    "Check",
    "CheckResult",
    "Column",
    "DailyPartitionsDefinition",
    "Dep",
    "DynamicPartitionsDefinition",
    "FreshnessPolicy",
    "HourlyPartitionsDefinition",
    "Integration",
    "MonthlyPartitionsDefinition",
    "MultiPartitionsDefinition",
    "Project",
    "RetryPolicy",
    "StaticPartitionsDefinition",
    "WeeklyPartitionsDefinition",
    "asset",
    "asset_check",
    "materialize",
    "multi_asset",
]


def __getattr__(name: str) -> Any:
    # A project loads plugins, and so pluggy; whoever only defines assets should not wait for that.
    if name in ("Project", "materialize"):
        from assetry import project

        return getattr(project, name)
    # A function's context needs no annotation, and most functions need no context.
    if name == "AssetContext":
        from assetry.calls import AssetContext

        return AssetContext
    # Few assets are partitioned by time, and five classes of it cost as much as all the rest.
    if name in __all__:
        from assetry import windows

        return getattr(windows, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("assetry")
    raise AttributeError(f"module 'assetry' has no attribute {name!r}")
