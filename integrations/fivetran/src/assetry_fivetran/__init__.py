"""Fivetran for assetry: connections as assets, one sync per connection, joined to dbt by table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Unpack

from assetry.plugin import Asset
from assetry_toolkit.options import ConnectionOptions

__all__ = ["FivetranOptions", "build_fivetran_assets"]


class FivetranOptions(ConnectionOptions, total=False):
    """The options of a fivetran integration, as in a project file; all may be left out. The README tells of each.

    * Which connections: `ids`, `group_id` (a destination), else the account; `names`, `services` and `schemas` are
      patterns that choose among them.
    * Who we are there: `api_key` and `api_secret`, by reference only: ``{"env": "NAME"}``; `base_url`, `ca_bundle`,
      `calls_per_hour`.
    * Definitions: `destinations`, `deps`, `snapshot`, `io`.
    * Syncs: `attach`, `on_paused`, `on_unselected`, `schedule_type`, `restore`, `table_times`, and in seconds
      `poll_interval`, `poll_timeout`, `poll_error_budget`, `start_timeout`, `reschedule_timeout`, `retry_timeout`.
    """

    group_id: str
    services: list[str]
    schemas: list[str]
    api_key: str | Mapping[str, str]
    api_secret: Mapping[str, str]
    calls_per_hour: int
    on_paused: str
    schedule_type: str
    restore: bool
    table_times: bool
    start_timeout: float
    reschedule_timeout: float
    retry_timeout: float


def build_fivetran_assets(
    connection_id: str | None = None,
    destination_tables: Iterable[str] = (),
    *,
    name: str | None = None,
    http_client: Any = None,
    relation: Callable[[Any, Any, Any], Any] | None = None,
    root: str = ".",
    **options: Unpack[FivetranOptions],
) -> list[Asset]:
    """Return the assets of a Fivetran connection: one per enabled table, or per table in `destination_tables`.

    * `destination_tables`: only these, by their name in the warehouse (``orders`` or ``crm.orders``) or at the source.
      A connection whose tables are named need not be reachable to be defined.
    * `name`: the integration's, with which the keys begin; by default one made of the connection's id.
    * `http_client`: an `httpx.Client` (or a transport) of your own, for proxies and the like.
    * `relation`: a function from connection, table and the place found by the rules to the place that it really has,
      as (database, schema, identifier) or None.
    * `root`: the folder that `.assetry` is in.

    What Fivetran said is kept in a file, and Fivetran is asked again only by ``assetry fivetran pull``. Raises
    `DefinitionError` for an unknown option or a table that is not there, `IntegrationError` when Fivetran has to be
    asked and cannot be.

    >>> assets = build_fivetran_assets("c_1", ["orders"], name="crm", base_url="http://localhost:1",
    ...                                api_key="key", api_secret={"env": "HOME"})
    >>> [(str(asset.key), asset.relation) for asset in assets]
    [('crm/orders', Relation(database=None, schema=None, identifier='orders'))]
    """
    from assetry_toolkit.hosted.settings import integration_of

    from assetry_fivetran.connections.assets import load

    own = name or (f"fivetran_{connection_id}" if connection_id else "fivetran")
    given = integration_of("fivetran", own, root, connection_id, destination_tables, http_client, options)
    return load(given, relation)
