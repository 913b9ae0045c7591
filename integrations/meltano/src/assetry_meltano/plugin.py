"""The hooks of assetry-meltano."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from assetry.plugin import Asset, AssetWarning, CommandOption, Integration, Invocation, InvocationGroup, hookimpl
from assetry_toolkit.options import tables_url

from assetry_meltano.options import OPTIONS, Options

if TYPE_CHECKING:
    from assetry.plugin import Commands, Event, Panel, PanelContext, RunContext

KIND = "meltano"
ASSETRY_KINDS = {KIND: OPTIONS}


@hookimpl
def assetry_discover(root: str) -> list[Integration]:
    """Recognise a Meltano project by its meltano.yml, in the folder or one level below."""
    from assetry_toolkit.definitions.projects import projects_found

    return projects_found(root, "meltano.yml", KIND)


@hookimpl
def assetry_load_assets(integration: Integration) -> Iterable[Asset]:
    """Load the streams of a Meltano project; an extractor that is not known as it is now is asked first."""
    from assetry_meltano.project.assets import load

    return load(integration)


@hookimpl
def assetry_warnings(assets: Sequence[Asset]) -> Iterable[AssetWarning]:
    """Warn of plugins that are not installed, and of tables of which a part of the place is not known."""
    from assetry_toolkit.singer.pairs import warnings_of_pairs

    from assetry_meltano.project.assets import place_of_loader

    place = "Say where they are: database, schema, or join = false in {}."
    return warnings_of_pairs(assets, lambda asset: place.format(place_of_loader(asset)))


@hookimpl
def assetry_local_files(integration: Integration) -> list[str]:
    """Name what is known of extractors, and what Meltano has installed to ask others."""
    options = Options.of(integration)
    return [str(options.snapshot_path), str(options.folder / ".meltano"), str(options.folder / ".env")]


@hookimpl
def assetry_command_options() -> Iterable[CommandOption]:
    """Take Meltano's ``--environment`` on the command line."""
    about = "The environment of the Meltano project."
    return [CommandOption(kind=KIND, name="environment", metavar="NAME", help=about)]


@hookimpl
def assetry_add_commands(commands: Commands) -> None:
    """Add `assetry meltano`."""
    from assetry_meltano.cli import add_commands

    add_commands(commands)


@hookimpl
def assetry_invocation_group(asset: Asset) -> InvocationGroup:
    """Put all pairs of one environment together: one `meltano run` loads them one after the other.

    One variable chooses the streams of an extractor, for whichever loaders.
    """
    group, holds = asset.spec["group"], tuple(asset.spec["holds"])
    return InvocationGroup(group, ordered=False, limit=1, holds=holds, choice=("tap", "target", "stream"))


@hookimpl
def assetry_invocation_command(invocation: Invocation) -> str:
    """Show the `meltano run` that carries an invocation out."""
    from assetry_meltano.running.invoke import shown

    return shown(invocation)


@hookimpl
def assetry_invoke(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Run one `meltano run`, or take up the one that runs already, yielding events as Meltano's log tells them."""
    from assetry_meltano.running.invoke import invoke

    return invoke(invocation, context)


@hookimpl
def assetry_observe(invocation: Invocation, context: RunContext) -> Iterator[Event]:
    """Look for runs that others have started, such as Meltano's own schedules."""
    from assetry_meltano.running.runs import observe

    return observe(invocation, context)


#: Where tables are that no loader's settings tell the place of, when the options say so.
assetry_io_url = hookimpl(tables_url)


@hookimpl
def assetry_panels(asset: Asset, context: PanelContext) -> list[Panel] | None:
    """Show the pipeline that an asset comes by."""
    if asset.kind != KIND:
        return None
    from assetry_toolkit.singer.pairs import stream_panel

    return [stream_panel(asset, context, "Meltano", "assetry meltano pull")]
