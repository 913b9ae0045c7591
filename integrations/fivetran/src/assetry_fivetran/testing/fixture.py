"""The fake Fivetran as a pytest fixture: ``from assetry_fivetran.testing.fixture import fake_fivetran``."""

from __future__ import annotations

from assetry_toolkit.testing import fake_fixture

from assetry_fivetran.testing.server import FakeFivetran

#: A running fake Fivetran; FIVETRAN_API_KEY and FIVETRAN_API_SECRET are set to what it accepts.
fake_fivetran = fake_fixture(FakeFivetran, FIVETRAN_API_KEY="api_key", FIVETRAN_API_SECRET="api_secret")
