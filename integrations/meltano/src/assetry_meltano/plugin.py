"""The hooks of assetry-meltano."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assetry.plugin import Asset, CommandOption, Integration, Invocation, InvocationGroup, hookimpl

from assetry_meltano.options import OPTIONS

if TYPE_CHECKING:
    from assetry.plugin import Commands, Event, Panel, PanelContext, RunContext

KIND = "meltano"
ASSETRY_KINDS = {KIND: OPTIONS}


@hookimpl
def assetry_discover(root: str) -> list[Integration]:
    """Recognise a Meltano project by its meltano.yml, in the folder or one level below."""
    from pathlib import Path

    from assetry_toolkit.definitions.projects import project_folders

    found = project_folders(Path(root), "meltano.yml")
    return [
        Integration(KIND if len(found) == 1 else each.name, KIND, {"project_dir": str(each.relative_to(root))}, root)
        for each in found
    ]


@hookimpl
def assetry_load_assets(integration: Integration) -> Iterable[Asset]:
    """Load the streams of a Meltano project; an extractor that is not known as it is now is asked first."""
    from assetry_meltano.project.assets import load

    return load(integration)


@hookimpl
def assetry_local_files(integration: Integration) -> list[str]:
    """Name what is known of extractors, and what Meltano has installed to ask others."""
    from assetry_meltano.options import Options

    options = Options.of(integration)
    return [str(options.snapshot_path), str(options.folder / ".meltano"), str(options.folder / ".env")]


@hookimpl
def assetry_command_options() -> Iterable[CommandOption]:
    """Take Meltano's ``--environment`` on the command line."""
    return [
        CommandOption(kind=KIND, name="environment", metavar="NAME", help="The environment of the Meltano project.")
    ]


@hookimpl
def assetry_add_commands(commands: Commands) -> None:
    """Add `assetry meltano`."""
    from assetry_meltano.cli import add_commands

    add_commands(commands)


@hookimpl
def assetry_invocation_group(asset: Asset) -> InvocationGroup:
    """Put all pairs of one environment together: one `meltano run` loads them one after the other."""
    return InvocationGroup(asset.spec["group"], ordered=False, limit=1, holds=tuple(asset.spec["holds"]))


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
def assetry_observe(invocation: Invocation) -> Iterator[Event]:
    """Look for runs that others have started, such as Meltano's own schedules."""
    from assetry_meltano.running.runs import observe

    return observe(invocation)


@hookimpl
def assetry_panels(asset: Asset, context: PanelContext) -> list[Panel] | None:
    """Show the pipeline that an asset comes by."""
    if asset.kind != KIND:
        return None
    from assetry_meltano.panels import panels

    return panels(asset, context)
