"""What is asked of a project by what is done about its state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from assetry.graph.graph import AssetGraph
from assetry.status.staleness import Status
from assetry.types.keys import AssetKey


class State(Protocol):
    """What the verbs need of a project: its definitions, its records, and how assets are."""

    @property
    def graph(self) -> AssetGraph:
        """Return the graph of all assets."""

    def select(self, select: str | Sequence[str] | None = None) -> tuple[AssetKey, ...]:
        """Return the keys that a selection means."""

    def status(self, select: str | Sequence[str] | None = None, *, now: datetime | None = None) -> tuple[Status, ...]:
        """Return how each selected asset is, and why."""
