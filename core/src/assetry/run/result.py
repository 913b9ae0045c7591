"""What a run is asked for, what it needs, and how it ended."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from assetry.hooks.manager import Plugins
from assetry.io.values import ValueRouter
from assetry.types.keys import AssetKey
from assetry.types.protocols import Executor, Store
from assetry.types.records import Attempt, EventRecord, RunInfo


@dataclass(frozen=True, slots=True)
class RunServices:
    """What a run needs of the project: plugins, store, executor, values."""

    plugins: Plugins
    store: Store
    executor: Executor
    values: ValueRouter


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked of a run besides its plan.

    `options` is JSON and is kept with the run. `resume` maps a group key to the token of a job that an earlier,
    killed run has started. `on_event` is called with every record once it is durable. `listen` installs handlers
    for Ctrl-C and SIGTERM while the run lasts.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    resume: Mapping[str, str] = field(default_factory=dict)
    on_event: Callable[[EventRecord], None] | None = None
    listen: bool = True


@dataclass(frozen=True, slots=True)
class RunResult:
    """Tell how a run ended.

    `outcomes` has the last attempt of each asset (and partition) of the run; `counts` are by outcome.
    """

    run: RunInfo
    counts: Mapping[str, int]
    outcomes: Mapping[tuple[AssetKey, str | None], Attempt]

    @property
    def ok(self) -> bool:
        """Tell whether everything was made and every check of severity error passed."""
        return self.run.state == "succeeded"

    def keys(self, outcome: str) -> tuple[AssetKey, ...]:
        """Return the assets with an outcome: ``materialized``, ``failed``, ``check_failed``, ``skipped``."""
        return tuple(dict.fromkeys(key for (key, _), each in self.outcomes.items() if each.outcome == outcome))


def new_run(assets: tuple[AssetKey, ...], options: Mapping[str, Any]) -> RunInfo:
    """Return a run of this process that starts now, with an id that sorts by time.

    >>> new_run((), {}).state
    'running'
    """
    now = datetime.now(UTC)
    return RunInfo(
        id=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        state="running",
        started=now,
        assets=assets,
        options=options,
        process=os.getpid(),
        host=socket.gethostname(),
    )
