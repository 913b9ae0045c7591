"""An Airbyte for tests: stateful, over real HTTP on this machine, and as broken as a test wants it.

    from assetry_airbyte.testing import FakeAirbyte

    with FakeAirbyte() as airbyte:
        connection = airbyte.add_connection("Shop", ["users", "orders"])
        …  # base_url=airbyte.url, client_id=airbyte.client_id, client_secret={"env": …}

`assetry_airbyte.testing.fixture` has it as a pytest fixture.
"""

from assetry_toolkit.testing import LOGIN_PAGE, FakeClock, Fault, Seen

from assetry_airbyte.testing.server import FakeAirbyte
from assetry_airbyte.testing.world import FakeConnection, FakeJob, World

__all__ = ["LOGIN_PAGE", "FakeAirbyte", "FakeClock", "FakeConnection", "FakeJob", "Fault", "Seen", "World"]
