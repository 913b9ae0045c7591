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

from assetry.python.decorators import CheckResult, asset, asset_check, multi_asset
from assetry.types.assets import Asset, Check, Column, Dep, Integration
from assetry.types.keys import AssetKey
from assetry.types.partitions import (
    DynamicPartitionsDefinition,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
)
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy

if TYPE_CHECKING:
    from assetry.project.materialize import materialize
    from assetry.project.project import Project
    from assetry.python.context import AssetContext
    from assetry.types.time_partitions import (
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
    # A project loads plugins, and so pluggy; a module that only defines assets should not wait for that.
    if name == "Project":
        from assetry.project.project import Project

        return Project
    if name == "materialize":
        from assetry.project.materialize import materialize

        return materialize
    # A function's context needs no annotation, and most functions need no context.
    if name == "AssetContext":
        from assetry.python.context import AssetContext

        return AssetContext
    # Few assets are partitioned by time, and five classes of it cost as much as all the rest.
    if name in __all__:
        from assetry.types import time_partitions as windows

        return getattr(windows, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("assetry")
    raise AttributeError(f"module 'assetry' has no attribute {name!r}")
