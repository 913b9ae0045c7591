"""The options of an `airbyte` integration, read and checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assetry_toolkit.hosted.settings import HostedOptions
from assetry_toolkit.secrets import Reference

from assetry_airbyte.hosted.api.address import Address
from assetry_airbyte.options import HOSTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(HostedOptions):
    """The options of one integration; see the README for what each of them means, `jobs` for those of a sync.

    >>> from assetry.plugin import Integration
    >>> Options.of(Integration("shop", "airbyte", {"connection_id": "c", "tags": "daily"})).tags
    ('daily',)
    """

    types = HOSTED

    workspace_id: str | None = None
    tags: tuple[str, ...] = ()
    config_url: str | None = None
    client_id: Reference | None = None
    client_secret: Reference | None = None
    token: Reference | None = None
    username: Reference | None = None
    password: Reference | None = None
    streams: bool = True
    on_inactive: str = "fail"
    on_full_refresh: str = "remove"

    @property
    def address(self) -> Address:
        """Return where the APIs stand."""
        return Address.of(self.base_url, self.config_url)

    @property
    def asks_for(self) -> dict[str, Any]:
        """Return what of the options decides which connections are read: a snapshot of other ones is of no use."""
        return {
            "base_url": self.address.public,
            "connection_id": self.connection_id,
            "workspace_id": self.workspace_id,
            "ids": list(self.ids),
        }
