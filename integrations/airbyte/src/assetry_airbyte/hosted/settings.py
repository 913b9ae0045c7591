"""The options of an `airbyte` integration, read and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assetry.plugin import Integration, checked_options
from assetry_toolkit.secrets import Reference
from assetry_toolkit.work import JOB_OPTIONS, JobOptions

from assetry_airbyte.hosted.api.address import Address
from assetry_airbyte.options import HOSTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one integration; see the README for what each of them means, `jobs` for those of a sync."""

    connection_id: str | None = None
    workspace_id: str | None = None
    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    destination_tables: tuple[str, ...] = ()
    destinations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    deps: tuple[str, ...] = ()
    base_url: str | None = None
    config_url: str | None = None
    client_id: Reference | None = None
    client_secret: Reference | None = None
    token: Reference | None = None
    username: Reference | None = None
    password: Reference | None = None
    ca_bundle: str | None = None
    http_client: Mapping[str, str] | None = None
    clock: Mapping[str, str] | None = None
    snapshot: str | None = None
    streams: bool = True
    on_unselected: str = "materialize"
    poll_interval: float | None = None
    jobs: JobOptions = field(default_factory=JobOptions)
    name: str = ""
    root: str = "."

    @classmethod
    def of(cls, integration: Integration) -> Options:
        """Return the options of an integration; raise `DefinitionError` for what is unknown or cannot be meant.

        >>> Options.of(Integration("shop", "airbyte", {"connection_id": "c", "tags": "daily"})).tags
        ('daily',)
        """
        given = checked_options(integration, HOSTED)
        jobs = JobOptions(**{name: given.pop(name) for name in JOB_OPTIONS if name in given})
        return cls(name=integration.name, root=integration.root, jobs=jobs, **given)

    @property
    def address(self) -> Address:
        """Return where the APIs stand."""
        return Address.of(self.base_url, self.config_url)

    @property
    def snapshot_path(self) -> Path:
        """Return the file that keeps what was read from the API."""
        return Path(self.root) / (self.snapshot or f".assetry/airbyte/{self.name}.json")

    @property
    def asks_for(self) -> dict[str, Any]:
        """Return what of the options decides which connections are read: a snapshot of other ones is of no use."""
        return {
            "base_url": self.address.public,
            "connection_id": self.connection_id,
            "workspace_id": self.workspace_id,
            "ids": list(self.ids),
        }
