"""The hooks of assetry-openlineage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assetry.plugin import EventRecord, RunInfo, hookimpl

if TYPE_CHECKING:
    from assetry.plugin import Commands, EventContext

#: The table of a project file that says where lineage is told.
ASSETRY_TABLES = ("openlineage",)


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
