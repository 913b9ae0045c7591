"""The hooks of assetry-automation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assetry.plugin import hookimpl

if TYPE_CHECKING:
    from assetry.plugin import AssetKey, Commands, Next

ASSETRY_TABLES = ("automation", "jobs")


@hookimpl
def assetry_add_commands(commands: Commands) -> None:
    """Add `assetry daemon` and what belongs to it."""
    from assetry_automation.cli import add_commands

    add_commands(commands)


@hookimpl
def assetry_next(project: Any, statuses: Sequence[Any], now: datetime) -> Mapping[AssetKey, Next]:
    """Say when each asset is made next that a policy makes."""
    from assetry_automation.kept import memory_of
    from assetry_automation.looking import nexts

    return nexts(project, statuses, now, memory_of(project.store))
