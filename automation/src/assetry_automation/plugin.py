"""The hooks of assetry-automation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assetry.plugin import hookimpl

from assetry_automation.files.watch import KIND, OPTIONS, load, observe
from assetry_automation.options import TABLES

if TYPE_CHECKING:
    from assetry.plugin import Asset, AssetKey, AssetryError, Commands, Event, Integration, Invocation, Next

ASSETRY_TABLES = TABLES
ASSETRY_COMMANDS = ("daemon", "dev", "run-job", "sense", "hold", "resume")
ASSETRY_KINDS = {KIND: OPTIONS}


@hookimpl
def assetry_load_assets(integration: Integration) -> Iterable[Asset]:
    """Return the files that an integration watches, as external assets."""
    return load(integration)


@hookimpl
def assetry_observe(invocation: Invocation) -> Iterator[Event]:
    """Look at the files that are watched."""
    return observe(invocation)


@hookimpl
def assetry_add_commands(commands: Commands) -> None:
    """Add `assetry daemon` and what belongs to it."""
    from assetry_automation.cli import add_commands

    add_commands(commands)


@hookimpl
def assetry_check(project: Any) -> Iterable[AssetryError]:
    """Return what [automation], a job or a sensor says wrongly."""
    from assetry.plugin import AssetryError

    from assetry_automation.jobs import wrong_jobs
    from assetry_automation.sensing.senses import senses_of

    try:
        yield from wrong_jobs(project, project.clock())
    except AssetryError as error:
        yield error
    try:
        senses_of(project)
    except AssetryError as error:
        yield error


@hookimpl
def assetry_next(project: Any, statuses: Sequence[Any], now: datetime) -> Mapping[AssetKey, Next]:
    """Say when each asset is made next that a policy makes, and of which it cannot be seen what others have made."""
    from assetry_automation.kept import memory_of
    from assetry_automation.looking import nexts
    from assetry_automation.sensing.failing import unseen

    return {**unseen(project), **nexts(project, statuses, now, memory_of(project.store))}
