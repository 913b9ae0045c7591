"""A Fivetran for tests: stateful, over real HTTP on this machine, and as broken as a test wants it.

    from assetry_fivetran.testing import FakeFivetran

    with FakeFivetran() as fivetran:
        connection = fivetran.add_connection("crm", ["accounts", "orders"])
        …  # base_url=fivetran.url, api_key=fivetran.api_key, api_secret={"env": …}

`assetry_fivetran.testing.fixture` has it as a pytest fixture, and ``python -m assetry_fivetran.testing`` serves one.
"""

from assetry_toolkit.testing import LOGIN_PAGE, FakeClock, Fault, Seen

from assetry_fivetran.testing.server import FakeFivetran
from assetry_fivetran.testing.world import FakeConnection, FakeSync

__all__ = ["LOGIN_PAGE", "FakeClock", "FakeConnection", "FakeFivetran", "FakeSync", "Fault", "Seen"]
