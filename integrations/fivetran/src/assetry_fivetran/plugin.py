"""The hooks of assetry-fivetran."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assetry.plugin import Asset, Integration, Invocation, InvocationGroup, hookimpl
from assetry_toolkit.hosted import assets as hosted
from assetry_toolkit.options import tables_url

from assetry_fivetran.options import OPTIONS

if TYPE_CHECKING:
    from assetry.plugin import Commands, Event, Panel, PanelContext, RunContext

KIND = "fivetran"
ASSETRY_KINDS = {KIND: OPTIONS}

#: Metadata of an asset that is shown beside what every asset has, and that of its last run.
_SHOWN = {"service": "service", "trouble": "trouble", "gone": "note", "note": "tables"}
_OF_RUN = {"synced_at": "last sync", "result_known_by": "known by"}

# What cannot be had of Fivetran, and why: shown by `assetry plugins`.
ASSETRY_REFUSES = {
    "stream": "Fivetran tells of tables when the sync of the whole connection has ended",
    "subset": "Fivetran syncs a connection as a whole",
    "fail_one": "Fivetran tells the result of a connection, not of its tables",
    "cancel": "Fivetran cannot stop a sync: it goes on, and `assetry retry` takes it up",
}


@hookimpl
def assetry_load_assets(integration: Integration) -> Iterable[Asset]:
    """Load the tables of connections from the snapshot, which is read from the API first when there is none."""
    from assetry_fivetran.connections.assets import load

    return load(integration)


@hookimpl
def assetry_local_files(integration: Integration) -> list[str]:
    """Name the snapshot."""
    from assetry_fivetran.settings import Options

    return [str(Options.of(integration).snapshot_path)]


@hookimpl
def assetry_invocation_group(asset: Asset) -> InvocationGroup | None:
    """Put the tables of a connection together: it is synced as a whole or not at all."""
    return hosted.connection_group(asset, "unless_refreshed")


@hookimpl
def assetry_invocation_command(invocation: Invocation) -> str:
    """Show which connection is synced."""
    from assetry_toolkit.hosted.fetching import few

    told = hosted.connection_command(f"fivetran {'resync' if invocation.full_refresh else 'sync'}", invocation)
    specs = [each.spec for each in invocation.assets]
    some = invocation.full_refresh and len(specs) < specs[0].get("tables", 0)
    return f"{told}, only {few('{schema}.{table}'.format(**each) for each in specs)}" if some else told


@hookimpl
def assetry_invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run one sync, or take up the one that runs already."""
    from assetry_fivetran.syncs.invoke import invoke

    return invoke(invocation, context)


@hookimpl
def assetry_observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Look for syncs that Fivetran's own schedule, or others, have started."""
    from assetry_fivetran.syncs.invoke import observe

    return observe(invocation, context)


#: Where the destination's tables can be read, when the options say so.
assetry_io_url = hookimpl(tables_url)
#: A sync brings a table that was removed its new rows alone.
assetry_gone_hint = hookimpl(hosted.refresh_hint)
#: What is wrong with a connection may be seen to be mended before it is synced again.
assetry_failure_hint = hookimpl(hosted.failure_hint)
#: A table that is read no more may still be somebody's source.
assetry_warnings = hookimpl(hosted.warnings_of_left)


@hookimpl
def assetry_add_commands(commands: Commands) -> None:
    """Add `assetry fivetran`."""
    from assetry_fivetran.cli import add_commands

    add_commands(commands)


@hookimpl
def assetry_panels(asset: Asset, context: PanelContext) -> list[Panel] | None:
    """Show the connection of an asset, and how old its definition is."""
    if asset.kind != KIND:
        return None
    from assetry_toolkit.hosted.panels import connection_panel

    return [connection_panel(asset, context, "Fivetran", _SHOWN, "assetry fivetran pull", _OF_RUN)]
