"""What an invocation sees of its run: the context, and the task that an executor carries out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, overload

from assetry.hooks.manager import Plugins
from assetry.hooks.secrets import read_secret
from assetry.io.values import ValueRouter
from assetry.partitions.definitions import some
from assetry.types.assets import Asset
from assetry.types.events import Event, Level, Log, Materialized
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey
from assetry.types.protocols import Saved


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is the same for all invocations of a run."""

    run_id: str
    options: Mapping[str, Any]
    values: ValueRouter
    find: Callable[[str], Asset]
    deadline: float | None = None
    secret: Callable[[str], str] = read_secret
    #: What adds keys of partitions, of an asset; None where nothing is recorded.
    add_partitions: Callable[[Asset, Sequence[str]], Sequence[str]] | None = None


class Context:
    """The `RunContext` of one invocation."""

    def __init__(self, facts: RunFacts, emit: Callable[[Event], None], resume: str | None = None) -> None:
        self.run_id = facts.run_id
        self.options = facts.options
        self.deadline = facts.deadline
        self.resume = resume
        self._facts = facts
        self._emit = emit
        self._stopped = False

    @property
    def cancelled(self) -> bool:
        """Tell whether the run was asked to stop."""
        return self._stopped

    def stop(self) -> None:
        """Make `cancelled` true."""
        self._stopped = True

    def secret(self, name: str) -> str:
        """Return the secret `name`."""
        return self._facts.secret(name)

    def load(self, key: AssetKey | str, form: Any = None, partition: str | Sequence[str] | None = None) -> Any:
        """Return the value of an asset, or of partitions of it, as `form`."""
        return self._facts.values.load(self._facts.find(key), form, partition)

    def aggregate(self, key: AssetKey | str, function: str, column: str | None = None) -> Any:
        """Return how many rows an asset's table has (``count``), or the greatest value of a column (``max``)."""
        return self._facts.values.aggregate(self._facts.find(key), function, column)

    @overload
    def save(self, key: AssetKey | str, value: Any, partition: str | None = None) -> Saved: ...
    @overload
    def save(
        self, key: AssetKey | str, value: Any, partition: list[str] | tuple[str, ...], column: str | None = None
    ) -> tuple[Saved, ...]: ...
    def save(
        self,
        key: AssetKey | str,
        value: Any,
        partition: str | list[str] | tuple[str, ...] | None = None,
        column: str | None = None,
    ) -> Saved | tuple[Saved, ...]:
        """Keep the value of an asset, or of partitions of it."""
        asset = self._facts.find(key)
        if partition is None or isinstance(partition, str):
            return self._facts.values.save(asset, value, partition)
        return self._facts.values.save_parts(asset, value, partition, column)

    def log(self, message: str, level: Level = "info", key: AssetKey | str | None = None) -> None:
        """Write a line into the run's log at once."""
        self._emit(Log(message, level, key))

    def add_partition(self, key: AssetKey | str, *partitions: str) -> None:
        """Make keys of an asset's dynamic partitions known."""
        asset, add = self._facts.find(key), self._facts.add_partitions
        added = add(asset, partitions) if add is not None else ()
        if added:
            self.log(f"Added to the partitions of {asset.key}: {some(added)}")


@dataclass(slots=True)
class InvocationTask:
    """One invocation, ready to run on any thread of this process."""

    invocation: Invocation
    plugins: Plugins
    context: Context
    #: What tells which columns the tables have that the tool makes; None where that is not asked.
    values: ValueRouter | None = None

    def stream(self) -> Iterator[Event]:
        """Run the invocation, yielding what its tool reports, of tables with the columns that their place tells."""
        stream = self.plugins.invoke(self.invocation, self.context)
        made = (*self.invocation.assets, *self.invocation.also)
        tables = {asset.key: asset for asset in made if asset.relation is not None and not asset.kept}
        if self.values is None or not tables:
            return stream
        group = self.plugins.invocation_group(made[0])
        # What the tool holds cannot be opened while it runs.
        held = group is not None and group.holds
        return stream if held else self._described(stream, tables, self.values)

    def _described(
        self, stream: Iterator[Event], assets: Mapping[AssetKey, Asset], values: ValueRouter
    ) -> Iterator[Event]:
        """Yield events; those of tables that were made have the columns which these have."""
        close = getattr(stream, "close", None)
        with ExitStack() as ending:
            if close is not None:
                ending.callback(close)
            columns_of = ending.enter_context(values.columns(self.invocation.integration))
            for event in stream:
                if isinstance(event, Materialized) and event.columns is None and event.key in assets:
                    yield replace(event, columns=columns_of(assets[event.key]))
                else:
                    yield event

    def stop(self) -> None:
        """Make `cancelled` true for the invocation."""
        self.context.stop()
