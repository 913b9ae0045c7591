"""What is asked of a project by what is done about its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from assetry.graph.graph import AssetGraph
from assetry.project.definitions import Definitions
from assetry.project.runs.services import Running
from assetry.selection.selection import Selection
from assetry.status.staleness import Status
from assetry.types.assets import Asset, Integration
from assetry.types.invocations import InvocationGroup
from assetry.types.keys import AssetKey

#: What chooses assets: texts, or what was chosen already.
Selectors = str | Sequence[str] | Selection | None


class State(Running, Protocol):
    """What the verbs need of a project: its definitions, its records, and how assets are."""

    _definitions: Definitions

    @property
    def root(self) -> Path:
        """Return the project's folder."""

    @property
    def graph(self) -> AssetGraph:
        """Return the graph of all assets."""

    @property
    def integrations(self) -> tuple[Integration, ...]:
        """Return every integration of the project."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Return the options of integrations that were given for this project."""

    def group_of(self, asset: Asset) -> InvocationGroup | None:
        """Return what an asset may share an invocation with."""

    def select(self, select: Selectors = None, exclude: str | Sequence[str] | None = None) -> tuple[AssetKey, ...]:
        """Return the keys that a selection means."""

    def status(self, select: Selectors = None, *, now: datetime | None = None) -> tuple[Status, ...]:
        """Return how each selected asset is, and why."""
