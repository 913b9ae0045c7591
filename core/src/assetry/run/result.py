"""What a run is asked for, what it needs, and how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from assetry.errors import RunFailedError, UsageError
from assetry.graph.graph import AssetGraph
from assetry.hooks.manager import Plugins
from assetry.io.metadata.pictures import Pictures
from assetry.io.values import ValueRouter
from assetry.run.retry import LeftJob
from assetry.status.changes.definition import definitions_of, digest
from assetry.store.leases.processes import hostname
from assetry.types.keys import AssetKey
from assetry.types.protocols import Store
from assetry.types.records import FAILED, Attempt, EventRecord, RunInfo

#: How many failed assets an error names.
_TOLD = 5


@dataclass(frozen=True, slots=True)
class RunServices:
    """What runs and observations need of the project: plugins, records, values, its folder and plugins' own tables.

    `pools` are the limits of those that the project names; `held` are the places that some tool of it holds while it
    runs, so that whatever else uses them waits. `recorded` tells whether records outlive this process.
    `pictures` keeps those that metadata has.
    """

    plugins: Plugins
    store: Store
    values: ValueRouter
    pools: Mapping[str, int] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    root: str = "."
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    recorded: bool = True
    store_url: str = ""
    pictures: Pictures = field(default_factory=lambda: Pictures(None))


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked of a run besides its plan.

    `options` is JSON and is kept with the run. `resume` maps a group key to the job that an earlier, killed run has
    started. `on_event` is called with every record once it is durable. `listen` installs handlers
    for Ctrl-C and SIGTERM while the run lasts. `still` tells, once the assets are leased, whether the plan still fits.
    `run_id` is the id of a run that has waited; `priority` is its class among those who wait for slots. At most
    `at_once` invocations run side by side, where that is fewer than the executor has slots.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    resume: Mapping[str, LeftJob] = field(default_factory=dict)
    on_event: Callable[[EventRecord], None] | None = None
    listen: bool = True
    still: Callable[[], bool] | None = None
    run_id: str | None = None
    priority: int = 0
    at_once: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class RunResult:
    """How a run ended.

    `outcomes` has the last attempt of each asset (and partition) of the run; `counts` are by outcome. ``unchanged`` is
    one that did not have to be made; `joined` are other runs whose outcomes are among them, as they made some of what
    was wanted. `problems` say what broke invocations. `load` reads the value of an asset, by key,
    form and partition; a run of a project has it. `recorded` tells whether its records outlive the process.
    """

    run: RunInfo
    counts: Mapping[str, int]
    outcomes: Mapping[tuple[AssetKey, str | None], Attempt]
    problems: tuple[str, ...] = ()
    load: Callable[[str, Any, str | None], Any] | None = field(default=None, repr=False, compare=False)
    recorded: bool = field(default=True, repr=False, compare=False)
    joined: tuple[str, ...] = ()

    def __repr__(self) -> str:
        told = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in self.counts.items() if count)
        return f"<RunResult {self.run.id} {self.run.state}: {told or 'nothing to do'}>"

    @property
    def ok(self) -> bool:
        """Tell whether all was made, every check of severity error passed, and no tool reported another failure."""
        return self.run.state == "succeeded"

    def keys(self, outcome: str) -> tuple[AssetKey, ...]:
        """Return the assets with an outcome: ``materialized``, ``failed``, ``check_failed``, ``cancelled`` …"""
        return tuple(dict.fromkeys(key for (key, _), each in self.outcomes.items() if each.outcome == outcome))

    def value(self, key: str, form: Any = None, partition: str | None = None) -> Any:
        """Return the value of an asset as it is kept now, as `form` (a type; None for the default).

        `key` may be the last part of the key. Raises `ValueStoreError` when there is no value, and `RunFailedError`
        when this run was to make it and could not: what may be there is of an earlier run.
        """
        if self.load is None:
            raise UsageError("This result belongs to no project.", hint="Load the value with `Project.load_value`.")
        tried = self._attempt(key, partition)
        if tried is not None and tried.outcome in ("failed", "skipped"):
            part = f" [{tried.partition}]" if tried.partition else ""
            raise RunFailedError(
                f"{tried.key}{part} {'failed' if tried.outcome == 'failed' else 'was skipped'}: {tried.message}",
                hint="`Project.load_value` reads what an earlier run has made of it.",
            )
        return self.load(key, form, partition)

    def _attempt(self, key: str, partition: str | None) -> Attempt | None:
        """Return how this run's try at an asset ended; of its last part only where one asset of the run has it."""
        fits = [each for each in self.outcomes.values() if key in (each.key, each.key.name)]
        exact = [each for each in fits if each.key == key] or fits
        named = [each for each in exact if partition is None or each.partition == partition]
        return named[0] if len({each.key for each in named}) == 1 and named else None

    def checked(self) -> RunResult:
        """Return the result itself; raise `RunFailedError` unless everything was made and every check passed."""
        if self.ok:
            return self
        said = {each.message for each in self.outcomes.values()}
        problems = [each for each in self.problems if each not in said]
        failed = [each for each in self.outcomes.values() if each.outcome in FAILED]
        told = [
            f"{each.key}{f' [{each.partition}]' if each.partition else ''}: {each.message}" for each in failed[:_TOLD]
        ]
        more = [f"… and {len(failed) - _TOLD} more"] if len(failed) > _TOLD else []
        raise RunFailedError(
            "\n".join([f"Run {self.run.id} {self.run.state}.", *(f"  {line}" for line in (*problems, *told, *more))]),
            hint=f"`assetry logs {self.run.id}` shows all that happened; `assetry retry` runs what is left."
            if self.recorded
            else "Its records end with this process; `outcomes` of the result has every asset's.",
        )


def defined(graph: AssetGraph, store: Store) -> str:
    """Record all definitions of a graph, as far as a store does not know them; return their digest."""
    texts = {key: each.text for key, each in definitions_of(graph.assets).items()}
    found = digest(texts)
    store.define(found, texts)
    return found


def new_run(assets: tuple[AssetKey, ...], options: Mapping[str, Any], id_: str | None = None) -> RunInfo:
    """Return a run of this process that starts now, with an id that sorts by time; `id_` where it has one already.

    >>> new_run((), {}).state
    'running'
    """
    now = datetime.now(UTC)
    return RunInfo(
        id=id_ or f"{now:%Y%m%d-%H%M%S}-{os.urandom(3).hex()}",
        state="running",
        started=now,
        assets=assets,
        options=options,
        process=os.getpid(),
        host=hostname(),
    )
