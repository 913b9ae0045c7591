"""``assetry meltano``: what there is to do with Meltano beside running it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from assetry.plugin import Commands, Integration, IntegrationError
from assetry_toolkit.hosted.pulling import add_pull, counted


def add_commands(commands: Commands) -> None:
    """Add `assetry meltano`."""
    add_pull(
        commands, "meltano", "Ask Meltano's extractors which streams they have.", _pulled, _lines, 'project_dir = "…"'
    )


def _pulled(integration: Integration) -> dict[str, Any]:
    """Ask the extractors of one integration; return what to tell of it."""
    from assetry_meltano.options import Options
    from assetry_meltano.project.catalog import Catalogs
    from assetry_meltano.project.project import MeltanoProject

    options = Options.of(integration)
    project = MeltanoProject.of(options)
    catalogs = Catalogs(options, project)
    extractors: dict[str, int] = {}
    unread: dict[str, str] = {}
    for name in dict.fromkeys(pair.extractor for pair in project.pairs(options)):
        try:
            extractors[name] = len(catalogs.ask(project.extractors[name]).value["streams"])
        except IntegrationError as error:
            unread[name] = str(error)
    file = str(options.snapshot_path)
    return {"integration": integration.name, "file": file, "extractors": extractors, "unread": unread}


def _lines(found: Mapping[str, Any]) -> Iterable[str]:
    for name, count in found["extractors"].items():
        yield f"{found['integration']}: {name}, {counted(count, 'stream')}"
    for name, why in found["unread"].items():
        yield f"{found['integration']}: {name} cannot be asked: {why}"
