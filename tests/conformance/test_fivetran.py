"""The conformance kit against Fivetran connections, with the fake server as the tool."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from assetry.plugin import Asset, Integration
from assetry.testing import IntegrationConformance, IntegrationUnderTest
from assetry_fivetran.testing import FakeConnection, FakeFivetran, FakeSync

TABLES = ["accounts", "orders", "refunds"]
SECRET = "s3cret-of-the-kit"


class Fivetran:
    """Control a fake Fivetran as the kit wants it: its launches are syncs, and it makes the tables of a connection."""

    def __init__(self, fivetran: FakeFivetran) -> None:
        self.fivetran = fivetran
        self.connection = fivetran.add_connection("crm", TABLES)
        self.other = fivetran.add_connection("crm_2", TABLES)
        self._since: dict[str, int] = {}
        self._held = False
        self.reset()

    @property
    def _both(self) -> tuple[FakeConnection, FakeConnection]:
        return self.connection, self.other

    def _syncs(self) -> list[FakeSync]:
        with self.fivetran.lock:
            for each in self._both:
                self.fivetran.advance(each)
            return [sync for each in self._both for sync in each.syncs[self._since[each.id] :]]

    @property
    def launches(self) -> int:
        return len(self._syncs())

    @property
    def running(self) -> int:
        return sum(each.ended is None for each in self._syncs())

    @property
    def holding(self) -> bool:
        return self._held and self.running > 0

    def reset(self) -> None:
        self.release()
        for each in self._both:
            self.fivetran.finish(each)
            self._since[each.id] = len(each.syncs)
            each.outcomes = []

    def hold(self, asset: Asset) -> None:
        self._held = True
        self._of(asset).seconds = math.inf

    def release(self) -> None:
        self._held = False
        for each in self._both:
            each.seconds = 0.05

    def break_asset(self, asset: Asset) -> None:
        self._of(asset).outcomes = ["FAILURE"]

    def die_at(self, asset: Asset) -> None:
        self._of(asset).outcomes = ["CANCELED"]

    def made(self, asset: Asset) -> bool:
        id_ = asset.spec["connection"]
        return any(each.outcome == "SUCCESSFUL" for each in self._syncs() if each.connection == id_)

    def _of(self, asset: Asset) -> FakeConnection:
        return self.fivetran.connections[str(asset.spec["connection"])]


class TestFivetran(IntegrationConformance):
    @pytest.fixture(autouse=True)
    def _little_patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Look only shortly for a sync that was never asked for."""
        monkeypatch.setattr("assetry_toolkit.hosted.syncs.SEARCH_EARLIER", 0.5)

    def subject(self, folder: Path) -> IntegrationUnderTest:
        fivetran = FakeFivetran()
        fivetran.api_secret = SECRET
        fivetran.start_server()  # until the process ends: the kit has no word for the end of a subject
        tool = Fivetran(fivetran)

        def integration(name: str, connection: FakeConnection) -> Integration:
            options = {
                "connection_id": connection.id,
                "base_url": fivetran.url,
                "api_key": fivetran.api_key,
                "api_secret": {"env": "FIVETRAN_KIT_SECRET"},
                "poll_interval": 0.02,
            }
            return Integration(name, "fivetran", options, str(folder))

        return IntegrationUnderTest(
            "assetry_fivetran.plugin",
            integration=integration("crm", tool.connection),
            another=integration("crm_2", tool.other),
            tool=tool,
            secrets={"FIVETRAN_KIT_SECRET": SECRET},
            patience=60.0,
        )
