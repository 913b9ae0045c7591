"""Drive an integration without a core: the context of a run, what its events came to, and the hooks that are called."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

from assetry.plugin import Asset, Event, Failed, Handle, Integration, Invocation, Log, Materialized, Skipped


class RunOf:
    """Be the context of a run: `secrets` are those that are known, `newest` what places say of columns of assets."""

    run_id = "run"
    deadline = None

    def __init__(self, resume: str | None = None, newest: Callable[[str], Any] = lambda _: None) -> None:
        self.resume = resume
        self.newest = newest
        self.options: dict[str, Any] = {}
        self.stopped = threading.Event()
        self.logged: list[str] = []

    @property
    def cancelled(self) -> bool:
        return self.stopped.is_set()

    def secret(self, name: str) -> str:
        return os.environ[name]

    def load(self, key: Any, form: Any = None, partition: str | None = None) -> Any:
        raise AssertionError("no values are read")

    def save(self, key: Any, value: Any, partition: str | None = None) -> Any:
        raise AssertionError("no values are kept")

    def aggregate(self, key: Any, function: str, column: str | None = None) -> Any:
        return self.newest(str(key))

    def log(self, message: str, level: str = "info", key: Any = None) -> None:
        self.logged.append(message)


class Outcome:
    """Hold what a stream of events came to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.error: BaseException | None = None
        self.stream: Iterator[Event] | None = None

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


class Driver:
    """Drive the hooks of a plugin as the core would."""

    def __init__(self, plugin: Any) -> None:
        self.plugin = plugin

    def load_of(self, integration: Integration) -> list[Asset]:
        found = self.plugin.assetry_load_assets(integration)
        assert found is not None
        return list(found)

    def invocation(self, assets: list[Asset], *names: str, inputs: tuple[Asset, ...] = (), **more: Any) -> Invocation:
        """Ask for the named assets, or all of them; the others of the connection come along."""
        chosen = tuple(asset for asset in assets if not names or asset.key.name in names)
        also = tuple(asset for asset in assets if asset not in chosen)
        integration = assets[0].integration
        assert integration is not None
        group = self.plugin.assetry_invocation_group(assets[0])
        return Invocation(id="1", group=group, integration=integration, assets=chosen, also=also, inputs=inputs, **more)

    def run(
        self, invocation: Invocation, *, context: RunOf | None = None, resume: str | None = None, until: Any = None
    ) -> Outcome:
        """Drain the stream; stop at the first event that `until` accepts, as if the process were gone."""
        outcome = Outcome()
        stream = self.plugin.assetry_invoke(invocation, context or RunOf(resume))
        try:
            for event in stream:
                outcome.events.append(event)
                if until is not None and until(event):
                    outcome.stream = stream  # kept, so that it is not closed
                    return outcome
        except Exception as error:
            outcome.error = error
        return outcome
