"""What those who hear of events may ask of the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import Origin


class EventContext(Protocol):
    """The project whose events are heard of: its folder, its own tables, its records and its assets."""

    #: The project's folder.
    root: str
    #: What the project file has besides assetry's own, by name of the table: `ASSETRY_TABLES` declares yours.
    tables: Mapping[str, Mapping[str, Any]]
    #: Whether the records outlive this process, so that another one finds them.
    recorded: bool
    #: The URL of the store, which may carry a password.
    store_url: str
    #: The records; safe to read from any thread.
    store: Store

    def asset(self, key: AssetKey) -> Asset | None:
        """Return the definition of an asset; None for one that has none any more."""

    def origin(self, key: AssetKey) -> Origin | None:
        """Return what makes an asset, and where it is: its table, and a URL of its place without a secret."""

    def secret(self, name: str) -> str:
        """Return the secret `name`, as in a run; raise `UsageError` when it is not set."""
