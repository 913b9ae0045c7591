"""What is asked of a project by what is done about its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins
from assetry.io.values import ValueRouter
from assetry.project.definitions import Definitions
from assetry.project.settings import Settings
from assetry.selection.selection import Selection
from assetry.status.staleness import Status
from assetry.types.assets import Asset, Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store

#: What chooses assets: texts, or what was chosen already.
Selectors = str | Sequence[str] | Selection | None


class State(Protocol):
    """What the verbs need of a project: its definitions, its records, and how assets are."""

    _definitions: Definitions
    settings: Settings

    @property
    def root(self) -> Path:
        """Return the project's folder."""

    @property
    def graph(self) -> AssetGraph:
        """Return the graph of all assets."""

    @property
    def plugins(self) -> Plugins:
        """Return the loaded plugins."""

    @property
    def integrations(self) -> tuple[Integration, ...]:
        """Return every integration of the project."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Return the options of integrations that were given for this project."""

    @property
    def store(self) -> Store:
        """Return the store of records."""

    @property
    def values(self) -> ValueRouter:
        """Return what keeps and reads the values of assets."""

    def group_of(self, asset: Asset) -> InvocationGroup | None:
        """Return what an asset may share an invocation with."""

    def select(self, select: Selectors = None, exclude: str | Sequence[str] | None = None) -> tuple[AssetKey, ...]:
        """Return the keys that a selection means."""

    def status(self, select: Selectors = None, *, now: datetime | None = None) -> tuple[Status, ...]:
        """Return how each selected asset is, and why."""
