"""All that a plugin author needs, in one place: ``from assetry.plugin import …``.

A plugin is a module (or object) with functions marked by `hookimpl`, named in an entry point::

    [project.entry-points.assetry]
    acme = "assetry_acme.plugin"

and its first lines are these::

    from assetry.plugin import TEXTS, Asset, InvocationGroup, Materialized, Started, hookimpl

    ASSETRY_KINDS = {"acme": {"tables": TEXTS.needed("The tables that acme makes.")}}

    @hookimpl
    def assetry_load_assets(integration):
        return [Asset(key=f"{integration.name}/{table}", kind="acme", integration=integration)
                for table in integration.options["tables"]]
"""

from assetry.errors import (
    AssetryError,
    ConflictError,
    DefinitionError,
    IntegrationError,
    JobOverError,
    LeaseLostError,
    MetadataError,
    NothingKeptError,
    OptionError,
    RunError,
    SelectionError,
    StoreError,
    UsageError,
    ValueStoreError,
    near_names,
)
from assetry.gc_pause import paused_gc
from assetry.graph.graph import AssetGraph
from assetry.graph.renaming import rename_assets
from assetry.hooks.commands import CommandGroup, Commands
from assetry.hooks.masks import Mask
from assetry.hooks.secrets import read_secret
from assetry.hooks.specs import hookimpl
from assetry.io.content import ContentVersion, columns_of, content_version, nothing_kept
from assetry.io.frames import plain_type
from assetry.io.merge import rows_by_partition
from assetry.io.metadata.values import Link, Markdown, Png, Preview
from assetry.io.places import TablePlace, advice, unkept
from assetry.io.private_files import private_file, private_folder
from assetry.io.widening import Widening, with_leaves
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.key_table import KeyTable
from assetry.partitions.mappings import (
    MultiPartitionMapping,
    PartitionMapping,
    StaticPartitionMapping,
    TimeWindowPartitionMapping,
)
from assetry.partitions.parts import Parts
from assetry.plan.numbering import Numbering
from assetry.project.command import CommandContext
from assetry.python.decorated import Decorated
from assetry.status.freshness.freshness import Freshness
from assetry.status.partitions.sets import PartitionSets
from assetry.status.reasons import Reason
from assetry.status.staleness import Judgement, Status, numbering_of
from assetry.status.times import span_text
from assetry.store.leases.processes import is_alive, process_of
from assetry.types.assets import (
    Asset,
    AssetCheck,
    Check,
    Column,
    ColumnsAre,
    Dep,
    Grows,
    Integration,
    Relation,
    Severity,
)
from assetry.types.codec import from_json, to_json
from assetry.types.contexts import LoadContext, RunContext
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
    Ranged,
    Skipped,
    Started,
)
from assetry.types.hooks.listening import EventContext
from assetry.types.hooks.nexts import Next
from assetry.types.hooks.panels import Panel, PanelContext
from assetry.types.invocations import CheckRef, Invocation, InvocationGroup
from assetry.types.keys import AssetKey, selection_value
from assetry.types.leases import (
    Asker,
    HeldLease,
    Lease,
    Leased,
    LeasedParts,
    LeaseStore,
    QueuedRun,
    Share,
    Slot,
    SlotRequest,
    lease_lost,
    rank,
)
from assetry.types.options import (
    ANYTHING,
    COUNT,
    FLAG,
    POSITIVE,
    REFERENCE,
    SECONDS,
    SECRET,
    SPAN,
    TABLE,
    TEXT,
    TEXTS,
    CommandOption,
    OptionTable,
    OptionType,
    checked,
    checked_options,
    is_reference,
    one_of,
)
from assetry.types.policies import AutomationPolicy, FreshnessPolicy, RetryPolicy, read_policy, read_span
from assetry.types.protocols import Executor, IOManager, Rows, RunningTask, Saved, Store, Task
from assetry.types.records import (
    Acceptance,
    Accepted,
    Appended,
    Attempt,
    BackfillRecord,
    Beside,
    Document,
    DocumentChange,
    EventRecord,
    ExternalRun,
    KeptHistory,
    KeysChange,
    Look,
    Materialization,
    Origin,
    Outcome,
    Process,
    PrunedHistory,
    RunInfo,
    RunState,
    job_tokens,
)
from assetry.types.warnings import AssetWarning
from assetry.views.nexts import next_text, next_to_json
from assetry.views.terminal import plain

# Marking a hook's implementation.
__all__ = ["hookimpl"]
# Definitions.
__all__ += [
    "Asset",
    "AssetCheck",
    "AssetKey",
    "AssetWarning",
    "AutomationPolicy",
    "Check",
    "Column",
    "ColumnsAre",
    "Decorated",
    "Dep",
    "FreshnessPolicy",
    "Grows",
    "Integration",
    "MultiPartitionMapping",
    "PartitionMapping",
    "PartitionsDefinition",
    "Parts",
    "Relation",
    "RetryPolicy",
    "Severity",
    "StaticPartitionMapping",
    "TimeWindowPartitionMapping",
    "TimeWindowPartitionsDefinition",
]
# How assets are, and when they are made next.
__all__ += ["AssetGraph", "Freshness", "Judgement", "Next", "Numbering", "PartitionSets", "Reason", "Status"]
__all__ += ["next_text", "next_to_json", "numbering_of", "span_text"]
# The types of the options that a plugin declares, and what reads a table of options by them.
__all__ += ["ANYTHING", "COUNT", "FLAG", "POSITIVE", "REFERENCE", "SECONDS", "SECRET", "SPAN", "TABLE"]
__all__ += ["TEXT", "TEXTS", "OptionTable"]
__all__ += ["OptionType", "checked", "checked_options", "is_reference", "one_of", "read_policy", "read_span"]
# What loading is given, and invocations.
__all__ += ["CheckRef", "EventContext", "Invocation", "InvocationGroup", "LoadContext", "RunContext"]
# Events that a tool reports.
__all__ += [
    "Checked",
    "Event",
    "Failed",
    "Handle",
    "Level",
    "Log",
    "Materialized",
    "Observed",
    "Progress",
    "Ranged",
    "Skipped",
    "Started",
]
# Values, and the places that keep them.
__all__ += ["ContentVersion", "IOManager", "Rows", "Saved", "columns_of", "content_version", "nothing_kept"]
__all__ += ["rows_by_partition"]
# What places of tables keep, and how their columns widen.
__all__ += ["TablePlace", "Widening", "advice", "plain_type", "unkept", "with_leaves"]
# What metadata may have besides numbers and texts.
__all__ += ["Link", "Markdown", "Png", "Preview"]
# Records, and the stores that keep them.
__all__ += ["Attempt", "EventRecord", "Materialization", "Outcome", "Process", "RunInfo", "RunState", "Store"]
__all__ += [
    "Acceptance",
    "Accepted",
    "Appended",
    "BackfillRecord",
    "Beside",
    "Document",
    "DocumentChange",
    "ExternalRun",
    "KeptHistory",
    "KeyTable",
    "KeysChange",
    "Look",
    "Origin",
    "PrunedHistory",
    "is_alive",
    "job_tokens",
    "process_of",
]
# Which run may make what, and write.
__all__ += ["Asker", "HeldLease", "Lease", "LeaseStore", "Leased", "LeasedParts", "QueuedRun", "lease_lost", "rank"]
# What only so many may use at a time.
__all__ += ["Share", "Slot", "SlotRequest"]
# Files and folders that only this user may read.
__all__ += ["private_file", "private_folder"]
# Executors.
__all__ += ["Executor", "RunningTask", "Task"]
# The command line, selections and panels.
__all__ += ["CommandContext", "CommandGroup", "CommandOption", "Commands", "Panel", "PanelContext"]
__all__ += ["selection_value"]
# Errors.
__all__ += [
    "AssetryError",
    "ConflictError",
    "DefinitionError",
    "IntegrationError",
    "JobOverError",
    "LeaseLostError",
    "MetadataError",
    "NothingKeptError",
    "OptionError",
    "RunError",
    "SelectionError",
    "StoreError",
    "UsageError",
    "ValueStoreError",
    "near_names",
]
# JSON both ways; secrets where there is no run to ask, and out of texts; making very many values.
__all__ += ["Mask", "from_json", "paused_gc", "read_secret", "rename_assets", "to_json"]
# Texts of tools, for a look at them.
__all__ += ["plain"]
