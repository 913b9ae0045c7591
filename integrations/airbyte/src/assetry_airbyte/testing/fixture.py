"""The fake Airbyte as a pytest fixture: ``from assetry_airbyte.testing.fixture import fake_airbyte``."""

from __future__ import annotations

from assetry_toolkit.testing import fake_fixture

from assetry_airbyte.testing.server import FakeAirbyte

#: A running fake Airbyte; AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET are set to what it accepts.
fake_airbyte = fake_fixture(FakeAirbyte, AIRBYTE_CLIENT_ID="client_id", AIRBYTE_CLIENT_SECRET="client_secret")
