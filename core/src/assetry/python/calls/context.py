"""What an asset function is told of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assetry.errors import UsageError
from assetry.partitions.definitions import PartitionsDefinition
from assetry.python.calls.portion import Portion
from assetry.types.contexts import RunContext
from assetry.types.events import Level
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.python.calls.notes import Notes


@dataclass(frozen=True, slots=True)
class AssetContext:
    """What an asset function is told of its run; a parameter named `context` receives it.

    `keys` are the assets to make now, `partition` the partition of them, or None. `partitions` are those of a range, in
    order, where the function takes ranges (then `partition` is None), else the one. `window` is the time that they
    cover, its start and its end, which is outside; None without time. `previous` is the key of the partition before,
    of a range of that before its first: of time the window before, of listed keys the one listed before. It is None for
    the first partition, and where keys come into being.
    """

    keys: tuple[AssetKey, ...]
    partition: str | None
    run: RunContext
    partitions: tuple[str, ...] = ()
    window: tuple[datetime, datetime] | None = None
    previous: str | None = None
    _notes: Notes | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> AssetKey:
        """Return the first of `keys`."""
        return self.keys[0]

    @property
    def run_id(self) -> str:
        """Return the id of the run."""
        return self.run.run_id

    @property
    def options(self) -> Mapping[str, Any]:
        """Return the options of the run: `full_refresh` …"""
        return self.run.options

    @property
    def cancelled(self) -> bool:
        """Tell whether the run was asked to stop; a long loop should look now and then."""
        return self.run.cancelled

    def secret(self, name: str) -> str:
        """Return the secret `name`; raise `UsageError` when it is not set."""
        return self.run.secret(name)

    def load(self, key: AssetKey | str, form: Any = None, partition: str | Sequence[str] | None = None) -> Any:
        """Return the value of an asset, such as this one's last; name it in `deps` when it is another one.

        Of several partitions, `partition=["2026-01-01", "2026-01-02"]`, all their rows are one table.
        """
        return self.run.load(key, form, partition)

    def log(self, message: str, level: Level = "info") -> None:
        """Write a line into the run's log at once; of several assets it names none."""
        self.run.log(message, level, self.key if len(self.keys) == 1 else None)

    def add_metadata(self, key: str | None = None, partition: str | None = None, /, **metadata: Any) -> None:
        """Tell metadata of what is being made, as `Output` takes it: ``context.add_metadata(mean=2.5)``.

        `key` names one of several assets, and has to then; `partition` one of a range: without it, it is of all. What
        was told before by the same name makes room, and so does this for what the function returns. It is kept with the
        value; what a try has told that failed is not. Raises `MetadataError` for what cannot be kept, and `UsageError`
        for another asset or partition, and for one that is kept already.
        """
        if self._notes is None:
            raise UsageError(
                "add_metadata(…) is for functions that make assets.",
                hint="A check returns it: CheckResult(passed, message, {…}).",
            )
        self._notes.add(key, partition, metadata)

    def add_partition(self, key: AssetKey | str, *partitions: str) -> None:
        """Make keys of an asset's dynamic partitions known, at once: they are missing until something makes them.

        Several in one call are one write. Raises `UsageError` for an asset whose partitions do not come into being.
        """
        self.run.add_partition(key, *partitions)


def context_of(
    keys: tuple[AssetKey, ...],
    portion: Portion,
    run: RunContext,
    definition: PartitionsDefinition | None,
    notes: Notes | None = None,
) -> AssetContext:
    """Return what a function is told that is called for some partitions of a definition; `notes` take what it tells."""
    window, previous = portion.window(definition), portion.previous(definition)
    return AssetContext(keys, portion.partition, run, portion.partitions, window, previous, notes)
