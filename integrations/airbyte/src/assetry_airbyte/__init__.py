"""Airbyte for assetry: connections as assets, one sync per connection, joined to dbt by table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Unpack

from assetry.plugin import Asset
from assetry_toolkit.options import ConnectionOptions

__all__ = ["AirbyteOptions", "build_airbyte_assets"]


KIND = "airbyte"


class AirbyteOptions(ConnectionOptions, total=False):
    """The options of an airbyte integration, as in a project file; all may be left out.

    Which connections:

    * `workspace_id`: all connections of a workspace; `ids`, `names` (patterns) and `tags` choose among them.

    Where Airbyte is, and who we are there:

    * `base_url`: ``https://HOST/api/public/v1``; Airbyte Cloud unless given.
    * `client_id` and `client_secret` of an application, or `token`, or `username` and `password`; secrets by
      reference only: ``{"env": "NAME"}``.
    * `ca_bundle`: a file with a certificate authority of your own.

    What is a table, and what of the rest:

    * `destinations`: what is known better of destinations: ``{"duckdb": {"table": "{name}"}}``.
    * `io`: the URL of the place where the tables can be read, where it is not the project's, or a reference to it.
    * `deps`: assets that have to be made before the connection is synced.
    * `streams`: False does without the internal API that knows results by stream.
    * `snapshot`: the file that keeps what was read; ``.assetry/airbyte/NAME.json`` unless given.

    How it is run: see the README for `attach`, `on_cancel`, `on_unselected`, `on_inactive`, `on_full_refresh`,
    `follow_superseded`, `poll_interval`, `poll_timeout`, `queue_timeout`, `poll_error_budget`.
    """

    workspace_id: str
    tags: list[str]
    config_url: str
    client_id: str | Mapping[str, str]
    client_secret: Mapping[str, str]
    token: Mapping[str, str]
    username: str | Mapping[str, str]
    password: Mapping[str, str]
    streams: bool
    on_cancel: str
    on_full_refresh: str
    on_inactive: str
    follow_superseded: bool
    queue_timeout: float


def build_airbyte_assets(
    connection_id: str | None = None,
    destination_tables: Iterable[str] = (),
    *,
    name: str | None = None,
    sdk: Any = None,
    http_client: Any = None,
    relation: Callable[[Any, Any, Any], Any] | None = None,
    root: str = ".",
    **options: Unpack[AirbyteOptions],
) -> list[Asset]:
    """Return the assets of an Airbyte connection: one per stream, or per table in `destination_tables`.

    * `destination_tables`: only these, by their name in the warehouse (``orders`` or ``public.orders``) or in the
      source. A connection whose tables are named need not be reachable to be defined.
    * `name`: the integration's, with which the keys begin; by default one made of the connection's id.
    * `sdk`: an `airbyte_api.AirbyteAPI`; its server and its credentials are used.
    * `http_client`: an `httpx.Client` (or a transport) of your own, for proxies and the like.
    * `relation`: a function from connection, stream and the table found by the rules to the table that it really
      is, as (database, schema, identifier) or None.
    * `root`: the folder that `.assetry` is in.

    What Airbyte said is kept in a file, and Airbyte is asked again only by ``assetry airbyte pull``. Raises
    `DefinitionError` for an unknown option or a table that is not there, `IntegrationError` when Airbyte has to be
    asked and cannot be.

    >>> assets = build_airbyte_assets("c-1", ["orders"], name="shop_api", base_url="http://localhost:1")
    >>> [(str(asset.key), asset.relation) for asset in assets]
    [('shop_api/orders', Relation(database=None, schema=None, identifier='orders'))]
    """
    from assetry_toolkit.hosted.settings import integration_of

    from assetry_airbyte.hosted.connections.loading import load

    given: dict[str, Any] = {**(_of_sdk(sdk) if sdk is not None else {}), **options}
    own = name or _name(connection_id)
    return load(integration_of(KIND, own, root, connection_id, destination_tables, http_client, given), relation)


def _of_sdk(sdk: Any) -> dict[str, Any]:
    from assetry_airbyte.hosted.sdk import options_of

    return options_of(sdk)


def _name(connection_id: str | None) -> str:
    """Return a name that two connections do not share.

    >>> _name("8f2c1a34-0000-4000-8000-000000000000"), _name("shop"), _name(None)
    ('airbyte_8f2c1a34', 'airbyte_shop', 'airbyte')
    """
    if connection_id is None:
        return "airbyte"
    is_uuid = len(connection_id) == 36 and connection_id.count("-") == 4
    return f"airbyte_{connection_id[:8] if is_uuid else connection_id}"
