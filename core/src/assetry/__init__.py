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

from assetry.partitions.definitions import DynamicPartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.mappings import MultiPartitionMapping, StaticPartitionMapping, TimeWindowPartitionMapping
from assetry.partitions.parts import Parts
from assetry.python.decorators import CheckResult, asset, asset_check, multi_asset
from assetry.types.assets import Asset, Check, Column, Dep, Integration
from assetry.types.keys import AssetKey
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy

if TYPE_CHECKING:
    from assetry.io.metadata.values import Link, Markdown, Png, Preview
    from assetry.partitions.grids.cron import CronPartitionsDefinition
    from assetry.partitions.grids.time_grids import (
        DailyPartitionsDefinition,
        HourlyPartitionsDefinition,
        MonthlyPartitionsDefinition,
        WeeklyPartitionsDefinition,
        YearlyPartitionsDefinition,
    )
    from assetry.partitions.multi import MultiPartitionsDefinition
    from assetry.project.materialize import materialize
    from assetry.project.project import Project
    from assetry.project.runs.rehearsal import Rehearsal, RehearsedRun
    from assetry.python.calls.context import AssetContext
    from assetry.python.calls.output import MaterializeResult, Output
    from assetry.status.backfill import Backfill

__all__ = [
    "Asset",
    "AssetContext",
    "AssetKey",
    "AutomationPolicy",
    "Backfill",
    "Check",
    "CheckResult",
    "Column",
    "CronPartitionsDefinition",
    "DailyPartitionsDefinition",
    "Dep",
    "DynamicPartitionsDefinition",
    "FreshnessPolicy",
    "HourlyPartitionsDefinition",
    "Integration",
    "Link",
    "Markdown",
    "MaterializeResult",
    "MonthlyPartitionsDefinition",
    "MultiPartitionMapping",
    "MultiPartitionsDefinition",
    "Output",
    "Parts",
    "Png",
    "Preview",
    "Project",
    "Rehearsal",
    "RehearsedRun",
    "RetryPolicy",
    "StaticPartitionMapping",
    "StaticPartitionsDefinition",
    "TimeWindowPartitionMapping",
    "WeeklyPartitionsDefinition",
    "YearlyPartitionsDefinition",
    "asset",
    "asset_check",
    "materialize",
    "multi_asset",
]


#: Where to find what is imported only once it is asked for. A project loads plugins, and so pluggy; a module that only
#: defines assets should not wait for that. A context needs no annotation, and most functions need no context. Few
#: assets are partitioned, and the definitions of partitions cost as much as all the rest.
_LATER = {
    "AssetContext": "assetry.python.calls.context",
    "Backfill": "assetry.status.backfill",
    "CronPartitionsDefinition": "assetry.partitions.grids.cron",
    "DailyPartitionsDefinition": "assetry.partitions.grids.time_grids",
    "HourlyPartitionsDefinition": "assetry.partitions.grids.time_grids",
    "Link": "assetry.io.metadata.values",
    "Markdown": "assetry.io.metadata.values",
    "MaterializeResult": "assetry.python.calls.output",
    "MonthlyPartitionsDefinition": "assetry.partitions.grids.time_grids",
    "MultiPartitionsDefinition": "assetry.partitions.multi",
    "Output": "assetry.python.calls.output",
    "Png": "assetry.io.metadata.values",
    "Preview": "assetry.io.metadata.values",
    "Project": "assetry.project.project",
    "Rehearsal": "assetry.project.runs.rehearsal",
    "RehearsedRun": "assetry.project.runs.rehearsal",
    "WeeklyPartitionsDefinition": "assetry.partitions.grids.time_grids",
    "YearlyPartitionsDefinition": "assetry.partitions.grids.time_grids",
    "materialize": "assetry.project.materialize",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(_LATER[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("assetry")
    raise AttributeError(f"module 'assetry' has no attribute {name!r}")
