"""A fake Airbyte whose time passes only while our client waits, and an integration that points at it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import (
    Asset,
    Event,
    Failed,
    Handle,
    Integration,
    Invocation,
    Log,
    Materialized,
    Skipped,
)
from assetry_airbyte import plugin
from assetry_airbyte.testing import FakeAirbyte, FakeClock, FakeConnection
from assetry_toolkit.live_objects import keep


class RunOf:
    """Be the context of a run."""

    run_id = "run"
    deadline = None

    def __init__(self, resume: str | None = None) -> None:
        self.resume = resume
        self.options: dict[str, Any] = {}
        self.stopped = threading.Event()
        self.logged: list[str] = []

    @property
    def cancelled(self) -> bool:
        return self.stopped.is_set()

    def secret(self, name: str) -> str:
        return {"SECRET": FakeAirbyte.client_secret, "TOKEN": FakeAirbyte.token, "WRONG": "wrong"}[name]

    def load(self, key: Any, form: Any = None, partition: str | None = None) -> Any:
        raise AssertionError("no values are read")

    def save(self, key: Any, value: Any, partition: str | None = None) -> Any:
        raise AssertionError("no values are kept")

    def log(self, message: str, level: str = "info") -> None:
        self.logged.append(message)


class Outcome:
    """Hold what a stream of events came to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.error: BaseException | None = None

    def of(self, *kinds: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def made(self) -> set[str]:
        return {str(event.key) for event in self.of(Materialized)}

    @property
    def failed(self) -> dict[str, str]:
        return {str(event.key): event.message for event in self.of(Failed)}

    @property
    def skipped(self) -> dict[str, str]:
        return {str(event.key): event.because for event in self.of(Skipped)}

    @property
    def said(self) -> str:
        return "\n".join(event.message for event in self.of(Log))

    @property
    def token(self) -> str:
        return str(self.of(Handle)[-1].token)


class Place:
    """Be one fake Airbyte, its clock, and a project folder."""

    def __init__(self, airbyte: FakeAirbyte, clock: FakeClock, root: Path) -> None:
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
        return list(plugin.assetry_load_assets(self.integration(connection, **options)))

    def invocation(self, assets: list[Asset], *names: str, inputs: tuple[Asset, ...] = ()) -> Invocation:
        """Ask for the named assets, or all of them; the others of the connection come along."""
        chosen = tuple(asset for asset in assets if not names or asset.key.name in names)
        also = tuple(asset for asset in assets if asset not in chosen)
        integration = assets[0].integration
        assert integration is not None
        group = plugin.assetry_invocation_group(assets[0])
        return Invocation(id="1", group=group, integration=integration, assets=chosen, also=also, inputs=inputs)

    def run(
        self, invocation: Invocation, *, context: RunOf | None = None, resume: str | None = None, until: Any = None
    ) -> Outcome:
        """Drain the stream; stop at the first event that `until` accepts, as if the process were gone."""
        outcome = Outcome()
        stream = plugin.assetry_invoke(invocation, context or RunOf(resume))  # type: ignore[arg-type]
        try:
            for event in stream:
                outcome.events.append(event)
                if until is not None and until(event):
                    outcome.stream = stream  # type: ignore[attr-defined]  # kept, so that it is not closed
                    return outcome
        except Exception as error:
            outcome.error = error
        return outcome

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
