"""What the runs of a project need of it."""

from __future__ import annotations

from typing import Protocol

from assetry.hooks.manager import Plugins
from assetry.io.metadata.pictures import Pictures
from assetry.io.values import ValueRouter
from assetry.project.settings import Settings, absolute
from assetry.run.result import RunServices
from assetry.types.protocols import Store


class Running(Protocol):
    """What runs need of a project."""

    settings: Settings

    @property
    def plugins(self) -> Plugins:
        """Return the loaded plugins."""

    @property
    def store(self) -> Store:
        """Return the store of records."""

    @property
    def values(self) -> ValueRouter:
        """Return what keeps and reads the values of assets."""

    @property
    def pictures(self) -> Pictures:
        """Return what keeps the pictures among metadata."""


def services_of(project: Running, held: frozenset[str] = frozenset()) -> RunServices:
    """Return what runs of a project need; `held` are the places that some tool of it holds while it runs."""
    settings = project.settings
    return RunServices(
        project.plugins,
        project.store,
        project.values,
        settings.pools,
        held,
        root=str(settings.root),
        tables=settings.tables,
        recorded=settings.keeps_records,
        store_url=absolute(settings.store, settings.root),
        pictures=project.pictures,
    )
