"""The hooks of assetry-notify."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from assetry.plugin import EventRecord, RunInfo, hookimpl

from assetry_notify.targets import TABLES, read_table

if TYPE_CHECKING:
    from assetry.plugin import AssetryError, Commands, EventContext

#: The table of a project file that names whom to tell, and what it may hold.
ASSETRY_TABLES = TABLES


@hookimpl
def assetry_event(event: EventRecord, run: RunInfo, context: EventContext) -> None:
    """Begin to tell when something has failed and when a run is over, in a process of its own.

    A run neither waits for a target nor fails by one: here a process is started, and nothing else.
    """
    if "notify" in context.tables:
        from assetry_notify.telling import hear

        hear(event.event, run, context)


@hookimpl
def assetry_add_commands(commands: Commands) -> None:
    """Add `assetry notify`."""
    from assetry_notify.cli import add_commands

    add_commands(commands)


@hookimpl
def assetry_check(project: Any) -> Iterable[AssetryError]:
    """Return what [notify] says wrongly of whom to tell."""
    from assetry.plugin import AssetryError

    try:
        read_table(project.settings.tables)
    except AssetryError as error:
        yield error
