"""The fake Fivetran as a pytest fixture: ``from assetry_fivetran.testing.fixture import fake_fivetran``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assetry_fivetran.testing.server import FakeFivetran


@pytest.fixture
def fake_fivetran(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFivetran]:
    """Give a running fake Fivetran; FIVETRAN_API_KEY and FIVETRAN_API_SECRET are set to what it accepts."""
    with FakeFivetran() as fivetran:
        monkeypatch.setenv("FIVETRAN_API_KEY", fivetran.api_key)
        monkeypatch.setenv("FIVETRAN_API_SECRET", fivetran.api_secret)
        yield fivetran
