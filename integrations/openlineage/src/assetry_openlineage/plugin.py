"""The hooks of assetry-openlineage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from assetry.plugin import EventRecord, RunInfo, hookimpl

from assetry_openlineage.options import TABLES

if TYPE_CHECKING:
    from assetry.plugin import AssetryError, Commands, EventContext

#: The table of a project file that says where lineage is told, and what it may hold.
ASSETRY_TABLES = TABLES


@hookimpl
def assetry_event(event: EventRecord, run: RunInfo, context: EventContext) -> None:
    """Write down what lineage follows from; a process of its own sends it, so that no run waits for a service."""
    if "openlineage" in context.tables:
        from assetry_openlineage.hearing import hear

        hear(event, run, context)


@hookimpl
def assetry_add_commands(commands: Commands) -> None:
    """Add `assetry openlineage`."""
    from assetry_openlineage.cli import add_commands

    add_commands(commands)


@hookimpl
def assetry_check(project: Any) -> Iterable[AssetryError]:
    """Return what [openlineage] says wrongly of where lineage is told."""
    from assetry.plugin import AssetryError

    from assetry_openlineage.options import read_options

    if "openlineage" in project.settings.tables:
        try:
            read_options(project.settings.tables, str(project.root))
        except AssetryError as error:
            yield error
