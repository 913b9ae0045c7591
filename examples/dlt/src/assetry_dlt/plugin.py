"""The hooks. dlt is not imported here: it is in a process of its own, to list what there is as to load it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from assetry.plugin import (
    Asset,
    AssetKey,
    Event,
    Integration,
    Invocation,
    InvocationGroup,
    LoadContext,
    Relation,
    RunContext,
    checked_options,
    hookimpl,
)

from assetry_dlt.process import OPTIONS, database, events, listed, loading, shown, url

ASSETRY_KINDS = {"dlt": OPTIONS}
FAILED = 3  # the runner's exit code when it has named the resource that failed


@hookimpl
def assetry_load_assets(integration: Integration, context: LoadContext) -> list[Asset]:
    """Ask the source for its resources, again only when something that it reads has changed."""
    options = checked_options(integration, OPTIONS)
    module = options["source"].partition(":")[0].replace(".", "/")
    read = {f"{module}.py", f"{module}/__init__.py", ".dlt/config.toml", ".dlt/secrets.toml", *options.get("reads", ())}
    context.reads(*sorted(read), variables=options.get("variables", ()))
    # A load that asks for a secret is never kept, and most sources need theirs only when they run.
    secret = context.secret if options.get("secrets_to_load") else "no-{}-while-loading".format
    while not read.issuperset((found := listed(integration, secret))["files"]):
        context.reads(*found["files"])  # it has imported more, and what is read must be told before
        read.update(found["files"])
    parts = {"body": found["version"], "config": found["arguments"]}
    return [_asset(integration, {**each, "file": found["file"]}, parts) for each in found["resources"]]


def _asset(integration: Integration, resource: dict[str, Any], parts: dict[str, str]) -> Asset:
    schema, table = resource["table"] or (None, None)  # none where each item has its own
    return Asset(
        key=AssetKey(f"{integration.name}/{resource['name']}"),
        kind="dlt",
        deps=[f"{integration.name}/{each}" for each in resource["needs"]],
        integration=integration,
        spec={"resource": resource["name"]},
        description=resource["description"],
        relation=Relation(database(integration).stem, schema, table) if table else None,
        code_version="-".join(parts.values()),
        code_parts=parts,
        incremental=resource["adds"],
        source=resource["file"],
        resource_type="resource",
    )


@hookimpl
def assetry_invocation_group(asset: Asset) -> InvocationGroup | None:
    """Put a source together: one run of its pipeline loads any of its resources, all or none."""
    if asset.integration is None:
        return None
    return InvocationGroup(f"dlt:{asset.integration.name}", atomic=True, holds=(url(asset.integration),))


@hookimpl
def assetry_invocation_command(invocation: Invocation) -> str:
    """Show what will be run."""
    return shown(loading(invocation, str))


@hookimpl
def assetry_invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Load the resources in one process, and tell what it prints; after a kill that process is found again."""
    from assetry_toolkit.commands import run_command

    command, read = loading(invocation, context.secret), partial(events, invocation)
    journals = Path(invocation.integration.root, ".assetry", "dlt", "journals")
    yield from run_command(command, context, read, good=(0, FAILED), journal=journals)


@hookimpl
def assetry_io_url(integration: Integration) -> str:
    """Let Python assets read the tables, by assetry-duckdb."""
    return url(integration)
