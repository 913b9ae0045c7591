"""A fake Fivetran whose time passes only while our client waits, and an integration that points at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Asset, Event, Integration
from assetry_fivetran import plugin
from assetry_fivetran.connections.definitions import pull
from assetry_fivetran.connections.snapshot import Snapshot
from assetry_fivetran.settings import Options
from assetry_fivetran.testing import FakeClock, FakeConnection, FakeFivetran
from assetry_toolkit.live_objects import keep

from tests.toolkit.driver import Driver, Outcome, RunOf

__all__ = ["Outcome", "Place", "RunOf"]


class Place(Driver):
    """Be one fake Fivetran, its clock, and a project folder."""

    def __init__(self, fivetran: FakeFivetran, clock: FakeClock, root: Path) -> None:
        super().__init__(plugin)
        self.fivetran = fivetran
        self.clock = clock
        self.root = root

    def integration(self, connection: FakeConnection | None = None, name: str = "crm", **options: Any) -> Integration:
        given: dict[str, Any] = {
            "base_url": self.fivetran.url,
            "api_key": self.fivetran.api_key,
            "api_secret": {"env": "SECRET"},
            "clock": keep(self.clock),
            **({"connection_id": connection.id} if connection else {}),
            **options,
        }
        return Integration(
            name, "fivetran", {key: value for key, value in given.items() if value is not None}, str(self.root)
        )

    def load(self, connection: FakeConnection | None = None, **options: Any) -> list[Asset]:
        return self.load_of(self.integration(connection, **options))

    def pull(self, connection: FakeConnection | None = None, **options: Any) -> Snapshot:
        return pull(Options.of(self.integration(connection, **options)))

    def observe(self, assets: list[Asset], context: RunOf | None = None) -> list[Event]:
        return list(plugin.assetry_observe(self.invocation(assets), context or RunOf()))  # type: ignore[arg-type]

    def posts(self) -> int:
        return len([each for each in self.fivetran.requests("POST /") if each.path.endswith("sync")])


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def place(clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("SECRET", FakeFivetran.api_secret)
    monkeypatch.setenv("WRONG", "wrong")
    with FakeFivetran(now=clock.monotonic) as fivetran:
        yield Place(fivetran, clock, tmp_path)


@pytest.fixture
def crm(place: Place) -> FakeConnection:
    return place.fivetran.add_connection("crm", ["accounts", "orders"])
