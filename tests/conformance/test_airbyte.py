"""The conformance kit against hosted Airbyte connections, with the fake server as the tool."""

from __future__ import annotations

from pathlib import Path

from assetry.plugin import Asset, Integration
from assetry.testing import IntegrationConformance, IntegrationUnderTest
from assetry_airbyte.testing import FakeAirbyte, FakeConnection

STREAMS = ["users", "orders", "refunds"]
SECRET = "s3cret-of-the-kit"


class HostedAirbyte:
    """Control a fake Airbyte as the kit wants it: its launches are jobs, and it makes the streams of a connection."""

    def __init__(self, airbyte: FakeAirbyte) -> None:
        self.airbyte = airbyte
        self.connection = airbyte.add_connection("Shop", STREAMS)
        self.other = airbyte.add_connection("Shop 2", STREAMS)
        self.reset()

    @property
    def launches(self) -> int:
        return len(self._jobs())

    @property
    def running(self) -> int:
        return sum(not job.terminal for job in self._jobs())

    @property
    def holding(self) -> bool:
        return self._held and self.running > 0

    def _jobs(self) -> list:  # type: ignore[type-arg]
        return [job for job in self.airbyte.jobs.values() if job.id > self._since]

    def reset(self) -> None:
        self.release_all()
        self._since = max(self.airbyte.jobs, default=0)
        self._held = False
        for each in (self.connection, self.other):
            each.script, each.stream_states, each.failure = ["running", "succeeded"], {}, ""

    def release_all(self) -> None:
        for job in self.airbyte.jobs.values():
            if not job.terminal:
                self.airbyte.finish(job)

    def hold(self, asset: Asset) -> None:
        self._held = True
        self._of(asset).script = ["running"] * 100_000

    def release(self) -> None:
        self._held = False
        self.connection.script = self.other.script = ["running", "succeeded"]
        self.release_all()

    def break_asset(self, asset: Asset) -> None:
        self._fail(asset, "the stream is broken")

    def die_at(self, asset: Asset) -> None:
        self._fail(asset, "the worker was killed")

    def _fail(self, asset: Asset, why: str) -> None:
        connection, stream = self._of(asset), str(asset.spec["stream"])
        connection.script, connection.failure = ["running", "failed"], why
        connection.stream_states = {each: "INCOMPLETE" if each == stream else "COMPLETE" for each in STREAMS}

    def made(self, asset: Asset) -> bool:
        stream = str(asset.spec["stream"])
        return any(
            job.terminal and job.status != "cancelled" and job.streams.get(stream, "COMPLETE") == "COMPLETE"
            for job in self._jobs()
            if job.connection == asset.spec["connection"]
        )

    def _of(self, asset: Asset) -> FakeConnection:
        return self.airbyte.connections[str(asset.spec["connection"])]


class TestHostedAirbyte(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        airbyte = FakeAirbyte()
        airbyte.client_secret = SECRET
        airbyte.start_server()  # until the process ends: the kit has no word for the end of a subject
        tool = HostedAirbyte(airbyte)

        def integration(name: str, connection: FakeConnection) -> Integration:
            options = {
                "connection_id": connection.id,
                "base_url": airbyte.url,
                "client_id": airbyte.client_id,
                "client_secret": {"env": "AIRBYTE_KIT_SECRET"},
                "poll_interval": 0.02,
            }
            return Integration(name, "airbyte", options, str(folder))

        return IntegrationUnderTest(
            "assetry_airbyte.plugin",
            integration=integration("shop", tool.connection),
            another=integration("shop_2", tool.other),
            tool=tool,
            secrets={"AIRBYTE_KIT_SECRET": SECRET},
            patience=60.0,
            refuses={
                "stream": "Airbyte tells of tables when the job of the whole connection has ended",
                "subset": "Airbyte syncs a connection as a whole",
            },
        )
