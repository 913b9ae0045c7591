"""A fake Airbyte whose time passes only while our client waits, and an integration that points at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, Integration
from assetry_airbyte import plugin
from assetry_airbyte.testing import FakeAirbyte, FakeClock, FakeConnection
from assetry_toolkit.live_objects import keep

from tests.toolkit.driver import Driver, Outcome, RunOf

__all__ = ["Outcome", "Place", "RunOf"]


class Place(Driver):
    """Be one fake Airbyte, its clock, and a project folder."""

    def __init__(self, airbyte: FakeAirbyte, clock: FakeClock, root: Path) -> None:
        super().__init__(plugin)
        self.airbyte = airbyte
        self.clock = clock
        self.root = root

    def integration(self, connection: FakeConnection | None = None, name: str = "shop", **options: Any) -> Integration:
        given: dict[str, Any] = {
            "base_url": self.airbyte.url,
            "client_id": self.airbyte.client_id,
            "client_secret": {"env": "SECRET"},
            "clock": keep(self.clock),
            **({"connection_id": connection.id} if connection else {}),
            **options,
        }
        return Integration(
            name, "airbyte", {key: value for key, value in given.items() if value is not None}, str(self.root)
        )

    def load(self, connection: FakeConnection | None = None, **options: Any) -> list[Asset]:
        return self.load_of(self.integration(connection, **options))

    def posts(self) -> int:
        return len(self.airbyte.requests("POST /jobs")) - len(self.airbyte.requests("POST /jobs/"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def place(clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("SECRET", FakeAirbyte.client_secret)
    monkeypatch.setenv("WRONG", "wrong")
    monkeypatch.setenv("TOKEN", FakeAirbyte.token)
    with FakeAirbyte(now=clock.monotonic) as airbyte:
        yield Place(airbyte, clock, tmp_path)
