"""Serve a fake Fivetran until it is interrupted: ``python -m assetry_fivetran.testing [PORT]``."""

from __future__ import annotations

import sys
import threading

from assetry_fivetran.testing.server import FakeFivetran


def main(arguments: list[str]) -> None:
    """Serve two connections, and print what a project file has to say to use them."""
    fivetran = FakeFivetran()
    fivetran.add_destination("warehouse", "postgres_warehouse", database="shop")
    fivetran.add_connection("crm", ["accounts", "contacts"], group="warehouse", service="salesforce", id="crm_1")
    shop = {"public": ["orders", "customers"]}
    fivetran.add_connection("shop", shop, group="warehouse", service="postgres", prefixed=True, id="shop_1")
    fivetran.start_server(port=int(arguments[0]) if arguments else 0)
    print(
        f'[integrations.fivetran]\nkind = "fivetran"\nbase_url = "{fivetran.url}"\napi_key = "{fivetran.api_key}"\n'
        f'api_secret = {{ env = "FIVETRAN_API_SECRET" }}\n# export FIVETRAN_API_SECRET={fivetran.api_secret}',
        flush=True,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        fivetran.stop_server()


if __name__ == "__main__":
    main(sys.argv[1:])
