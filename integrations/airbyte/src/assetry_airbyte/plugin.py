"""The hooks of assetry-airbyte: hosted connections, and connectors run here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assetry.plugin import Asset, Integration, Invocation, InvocationGroup, hookimpl
from assetry_toolkit.hosted.assets import failure_hint, warnings_of_left
from assetry_toolkit.options import tables_url

from assetry_airbyte.options import OPTIONS, is_local

if TYPE_CHECKING:
    from assetry.plugin import Commands, Event, Panel, PanelContext, RunContext

KIND = "airbyte"
ASSETRY_KINDS = {KIND: OPTIONS}

#: Metadata of an asset that is shown beside what every asset has.
_SHOWN = {"cursor": "cursor", "primary_key": "primary key", "trouble": "trouble"}


@hookimpl
def assetry_load_assets(integration: Integration) -> Iterable[Asset]:
    """Load the streams of connections from the snapshot, which is read from the API first when there is none."""
    if is_local(integration):
        from assetry_airbyte.local.integration import load_local

        return load_local(integration)
    from assetry_airbyte.hosted.connections.loading import load

    return load(integration)


@hookimpl
def assetry_local_files(integration: Integration) -> list[str]:
    """Name what was read of connections, or of a connector, and the environments of connectors."""
    if is_local(integration):
        from assetry_airbyte.local.integration import local_files

        return local_files(integration)
    from assetry_airbyte.hosted.settings import Options

    return [str(Options.of(integration).snapshot_path)]


@hookimpl
def assetry_invocation_group(asset: Asset) -> InvocationGroup | None:
    """Put the streams of a connection together: it is synced as a whole or not at all."""
    if asset.integration is not None and is_local(asset.integration):
        from assetry_airbyte.local.integration import local_group

        return local_group(asset)
    from assetry_toolkit.hosted.assets import connection_group

    return connection_group(asset, "always")


@hookimpl
def assetry_invocation_command(invocation: Invocation) -> str | None:
    """Show which connection is synced, and what of it is read anew."""
    if is_local(invocation.integration):
        from assetry_airbyte.local.integration import local_command

        return local_command(invocation)
    from assetry_airbyte.hosted.connections.assets import command

    return command(invocation)


@hookimpl
def assetry_invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run one sync, or take up the one that runs already."""
    if is_local(invocation.integration):
        from assetry_airbyte.local.integration import invoke_local

        return invoke_local(invocation, context)
    from assetry_airbyte.hosted.syncs.invoke import invoke

    return invoke(invocation, context)


@hookimpl
def assetry_observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Look for syncs that others have started."""
    if is_local(invocation.integration):
        return iter(())
    from assetry_airbyte.hosted.syncs.invoke import observe

    return observe(invocation, context)


#: Where the tables are, when the options say so.
assetry_io_url = hookimpl(tables_url)
#: What is wrong with a connection may be seen to be mended before it is synced again.
assetry_failure_hint = hookimpl(failure_hint)
#: A table that is read no more may still be somebody's source.
assetry_warnings = hookimpl(warnings_of_left)


@hookimpl
def assetry_add_commands(commands: Commands) -> None:
    """Add `assetry airbyte`."""
    from assetry_airbyte.cli import add_commands

    add_commands(commands)


@hookimpl
def assetry_panels(asset: Asset, context: PanelContext) -> list[Panel] | None:
    """Show the connection of an asset, and how old its definition is."""
    if asset.kind != KIND or asset.integration is None or is_local(asset.integration):
        return None
    from assetry_toolkit.hosted.panels import connection_panel

    return [connection_panel(asset, context, "Airbyte", _SHOWN, "assetry airbyte pull", {"job": "last job"})]
