"""Serve a fake Fivetran until it is interrupted: ``python -m assetry_fivetran.testing [PORT]``."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Sequence

from assetry_fivetran.testing.server import FakeFivetran

ABOUT = """Serve a fake Fivetran on this machine until it is interrupted, and print what a project file has to say to
use it. It has two connections to one PostgreSQL: crm_1 ("crm", of Salesforce: accounts, contacts) and shop_1 ("shop",
of a database: public.orders, public.customers)."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve two connections, and print what a project file has to say to use them."""
    asked = argparse.ArgumentParser("python -m assetry_fivetran.testing", description=ABOUT)
    asked.add_argument(
        "port", type=int, nargs="?", default=0, help="the port to listen at; any that is free without it"
    )
    port = asked.parse_args(arguments).port
    fivetran = FakeFivetran()
    fivetran.add_destination("warehouse", "postgres_warehouse", database="shop")
    fivetran.add_connection("crm", ["accounts", "contacts"], group="warehouse", service="salesforce", id="crm_1")
    shop = {"public": ["orders", "customers"]}
    fivetran.add_connection("shop", shop, group="warehouse", service="postgres", prefixed=True, id="shop_1")
    fivetran.start_server(port=port)
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
    main()
