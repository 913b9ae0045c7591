"""``assetry meltano``: what there is to do with Meltano beside running it."""

from __future__ import annotations

from functools import partial

from assetry.plugin import Commands, Integration
from assetry_toolkit.hosted.pulling import Asked, add_pull_of_each


def add_commands(commands: Commands) -> None:
    """Add `assetry meltano`."""
    about, words = "Ask Meltano's extractors which streams they have.", ("extractors", "stream")
    add_pull_of_each(commands, "meltano", about, _asked, words, 'project_dir = "…"')


def _asked(integration: Integration) -> Asked:
    """Return how the extractors of one integration are asked."""
    from assetry_meltano.project.catalog import Catalogs
    from assetry_meltano.project.project import MeltanoProject

    project = MeltanoProject.of(integration)
    catalogs = Catalogs(project)
    questions = {pair.extractor: partial(catalogs.ask, pair.extractor) for pair in project.pairs()}
    return Asked(project.options.snapshot_path, questions)
