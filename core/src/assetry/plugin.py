"""All that a plugin author needs, in one place: ``from assetry.plugin import …``.

A plugin is a module (or object) with functions marked by `hookimpl`, named in an entry point::

    [project.entry-points.assetry]
    acme = "assetry_acme.plugin"

and its first lines are these::

    from assetry.plugin import Asset, InvocationGroup, Materialized, Started, hookimpl

    @hookimpl
    def assetry_load_assets(integration):
        if integration.kind != "acme":
            return None
        return [Asset(key=f"{integration.name}/{table}", kind="acme", integration=integration)
                for table in integration.options["tables"]]
"""

from assetry.errors import (
    AssetryError,
    DefinitionError,
    IntegrationError,
    NothingKeptError,
    RunError,
    StoreError,
    UsageError,
    ValueStoreError,
    near_names,
)
from assetry.hooks.specs import hookimpl
from assetry.io.content import ContentVersion, columns_of, content_version, nothing_kept
from assetry.types.assets import Asset, Check, Column, Dep, Integration, Relation, Severity
from assetry.types.codec import from_json, to_json
from assetry.types.events import (
    Checked,
    Event,
    Failed,
    Handle,
    Level,
    Log,
    Materialized,
    Observed,
    Progress,
    Skipped,
    Started,
)
from assetry.types.invocations import CheckRef, Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.panels import Panel, PanelContext
from assetry.types.partitions import PartitionsDefinition
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy
from assetry.types.process import Process
from assetry.types.protocols import Executor, IOManager, Rows, RunContext, RunningTask, Saved, Store, Task
from assetry.types.records import Attempt, EventRecord, Materialization, Outcome, RunInfo, RunState
from assetry.types.time_partitions import TimeWindowPartitionsDefinition

__all__ = [
    "Asset",
    "AssetKey",
    "AssetryError",
    "Attempt",
    "AutomationPolicy",
    "Check",
    "CheckRef",
    "Checked",
    "Column",
    "ContentVersion",
    "DefinitionError",
    "Dep",
    "Event",
    "EventRecord",
    "Executor",
    "Failed",
    "FreshnessPolicy",
    "Handle",
    "IOManager",
    "Integration",
    "IntegrationError",
    "Invocation",
    "InvocationGroup",
    "Level",
    "Log",
    "Materialization",
    "Materialized",
    "NothingKeptError",
    "Observed",
    "Outcome",
    "Panel",
    "PanelContext",
    "PartitionsDefinition",
    "Process",
    "Progress",
    "Relation",
    "RetryPolicy",
    "Rows",
    "RunContext",
    "RunError",
    "RunInfo",
    "RunState",
    "RunningTask",
    "Saved",
    "Severity",
    "Skipped",
    "Started",
    "Store",
    "StoreError",
    "Task",
    "TimeWindowPartitionsDefinition",
    "UsageError",
    "ValueStoreError",
    "columns_of",
    "content_version",
    "from_json",
    "hookimpl",
    "near_names",
    "nothing_kept",
    "to_json",
]
