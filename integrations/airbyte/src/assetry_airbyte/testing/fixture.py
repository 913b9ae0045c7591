"""The fake Airbyte as a pytest fixture: ``from assetry_airbyte.testing.fixture import fake_airbyte``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assetry_airbyte.testing.server import FakeAirbyte


@pytest.fixture
def fake_airbyte(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAirbyte]:
    """Give a running fake Airbyte; AIRBYTE_CLIENT_ID and AIRBYTE_CLIENT_SECRET are set to what it accepts."""
    with FakeAirbyte() as airbyte:
        monkeypatch.setenv("AIRBYTE_CLIENT_ID", airbyte.client_id)
        monkeypatch.setenv("AIRBYTE_CLIENT_SECRET", airbyte.client_secret)
        yield airbyte
