"""The options of a `fivetran` integration, read and checked once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Self
from urllib.parse import urlsplit

from assetry.plugin import DefinitionError, Integration, IntegrationError
from assetry_toolkit.hosted.settings import HostedOptions
from assetry_toolkit.secrets import Reference, without_user

from assetry_fivetran.options import API_KEY, API_SECRET, OPTIONS

#: Where the API stands unless the options say otherwise.
BASE_URL = "https://api.fivetran.com/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(HostedOptions):
    """The options of one integration; see the README for what each of them means, `jobs` for those of a sync."""

    types = OPTIONS

    group_id: str | None = None
    services: tuple[str, ...] = ()
    schemas: tuple[str, ...] = ()
    api_key: Reference = field(default_factory=lambda: {"env": API_KEY})
    api_secret: Reference = field(default_factory=lambda: {"env": API_SECRET})
    calls_per_hour: int = 20_000
    on_paused: str = "fail"
    schedule_type: str | None = None
    restore: bool = False
    table_times: bool = True
    start_timeout: float = 300.0
    reschedule_timeout: float = 3600.0
    retry_timeout: float = 0.0

    @classmethod
    def of(cls, integration: Integration) -> Self:
        """Return the options of an integration; raise `DefinitionError` for what is unknown or cannot be meant.

        >>> Options.of(Integration("crm", "fivetran", {"connection_id": "c", "names": "sales*"})).names
        ('sales*',)
        """
        found = super(Options, cls).of(integration)
        if found.connection_id is not None and (found.ids or found.group_id):
            raise DefinitionError(
                "connection_id is one connection, and ids or group_id are others.",
                **found.at("connection_id"),
                hint="Keep one of them: several connections are ids = […].",
            )
        # How long a sync may wait for its turn has limits of its own: start_timeout and reschedule_timeout.
        return replace(found, jobs=replace(found.jobs, queue_timeout=inf))

    @property
    def address(self) -> str:
        """Return the URL that paths of the API are appended to; raise `IntegrationError` when it is none.

        >>> Options(base_url="https://fivetran.example.com/").address
        'https://fivetran.example.com/v1'
        """
        parts = urlsplit((self.base_url or BASE_URL).rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise IntegrationError(
                f"{without_user(self.base_url)!r} is not the base URL of a Fivetran API.",
                **self.at("base_url"),
                hint=f"Leave base_url out for {BASE_URL}.",
            )
        return f"{parts.scheme}://{parts.netloc}{parts.path or '/v1'}"

    @property
    def asks_for(self) -> dict[str, Any]:
        """Return what of the options decides which connections are read: a snapshot of other ones is of no use."""
        asked = {name: getattr(self, name) for name in ("connection_id", "group_id")}
        filters = {name: list(getattr(self, name)) for name in ("ids", "names", "services", "schemas")}
        return {"base_url": self.address, **asked, **filters}
