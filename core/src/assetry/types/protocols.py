"""What plugins hand to the core: IO managers, stores, executors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from assetry.partitions.key_table import KeyTable
from assetry.types.assets import Asset, Column, Relation
from assetry.types.events import Event
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease, LeaseStore
from assetry.types.records import (
    Acceptance,
    Attempt,
    BackfillRecord,
    Beside,
    Changes,
    Document,
    EventRecord,
    KeptHistory,
    Look,
    Looks,
    Materialization,
    Process,
    PrunedHistory,
    RunInfo,
    Verdicts,
)

EventRecords = Sequence[EventRecord]
Materializations = Sequence[Materialization]
Attempts = Sequence[Attempt]


@dataclass(frozen=True, slots=True)
class Saved:
    """What an IO manager kept: the content's version, its columns, and facts such as ``rows``."""

    data_version: str | None = None
    columns: tuple[Column, ...] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows handed over as they come, to be saved without ever being in memory together: ``context.save(key, Rows(…))``.

    `open` returns a `pyarrow.RecordBatchReader` over the rows; it may be called again, when a save is tried again,
    and always gives the same ones.

    * `mode`: ``replace`` puts the rows in the place of what is there; ``append`` adds them; ``merge`` lets each row
      take the place of the one with the same `keys`. A column that the table lacks is added to it.
    * `keys`: the columns by which rows are told apart. ``merge`` needs them; with ``replace`` only one of the rows with
      the same keys is kept; ``append`` keeps all.
    * `newest`: the column whose greatest value wins among rows with the same keys, those in the table included; None,
      and among equals: the row that comes last.
    * `existing`: the table must be there; ``append`` and ``merge`` raise `ValueStoreError` rather than begin anew.

    `Saved.metadata` then has ``rows``, those of the whole table where that is known, and ``changed``, the rows that
    were put in and were not there before in just that form. `Saved.data_version` is None: the version of a table that
    grew is for the one to tell who knows what it grew from.

    >>> Rows(lambda: None, "merge", keys=("id",)).mode
    'merge'
    """

    open: Callable[[], Any]
    mode: Literal["replace", "append", "merge"] = "replace"
    keys: tuple[str, ...] = ()
    newest: str | None = None
    existing: bool = False


@runtime_checkable
class IOManager(Protocol):
    """A place that keeps the values of assets.

    `form` is ``arrow`` when it keeps tables only, given and returned as `pyarrow.Table`; ``any`` when it keeps any
    Python object too. The core turns what a function returns into that form, and back into what the next asks for.
    All methods may be called from several threads at once.

    A manager may also have ``save_rows(asset, rows: Rows) -> Saved``, which saves rows at flat memory and in one go:
    readers see the table as it was or with all of the rows. For one that has none the core puts the table together.

    And it may have ``exists(places: Sequence[tuple[Asset, str | None]]) -> Sequence[bool | None]``: for each asset, and
    partition of it or None for all, whether its value is there, None where that cannot be told. So tables that are gone
    are seen by ``assetry observe``. It is asked for many at once: look once for each folder or schema.

    And ``aggregate(asset: Asset, function: str, column: str | None) -> Any``: how many rows a table has (``count``,
    with no column), or the greatest value of a column (``max``, None where there are no rows). Do not read all of it;
    what is not there is an error, as of `load`.

    And ``columns()``, a context manager that lasts as long as an invocation and gives a function: called with an asset
    it returns the columns of its table as `Column` values, with the types that the place has. It is asked for each
    table that a tool has made, so keep the connection, and read no rows; what is not there is an error, as of `load`.

    And ``delete(asset: Asset, partition: str | None = None) -> None``: delete the value of an asset that nothing
    defines any more, or of one partition of it, and nothing else; that it is not there is fine. `asset` has what is
    recorded of it: its key, kind and relation. Raise `ValueStoreError` when it cannot be deleted, also where something
    else stands on it, such as a view on a table: never take that along.

    Many partitions of an asset at once are saved and loaded by two more methods. A manager that has none of them is
    asked for one partition after the other.

    * ``save_parts(asset: Asset, value: pyarrow.Table, column: str, keys: Sequence[str]) -> Sequence[Saved]`` puts the
      rows of a table in the place of those of all partitions in `keys`, in one transaction: readers see the old rows of
      all of them or the new ones (a place without transactions, as a folder of files: of each of them), and other
      partitions stay as they are. `column` is one column more than the asset
      has: it holds the key of the partition of each row, as text, and always one of `keys`. A partition without rows is
      kept as an empty one. It returns a `Saved` for each of `keys`, in their order, with the data version and the
      ``rows`` of this partition alone: just what `save` would return of it, so that a partition whose rows did not
      change is not news to what is made from it. `assetry.plugin.rows_by_partition` takes such a table apart.
    * ``load_parts(asset: Asset, keys: Sequence[str]) -> Any`` returns what `load` would of each of these partitions, by
      one query and as one value: tables one below the other in the order of `keys`, anything else as a dict by key.
      Raise `NothingKeptError` for a partition that is not there, as far as that can be told.
    """

    form: Literal["arrow", "any"]

    def relation(self, asset: Asset) -> Relation | None:
        """Return the table that holds `asset`, or would; None when it keeps no tables. Touches nothing outside."""

    def load(self, asset: Asset, partition: str | None = None) -> Any:
        """Return the value of `asset`; raise `ValueStoreError` when there is none."""

    def save(self, asset: Asset, value: Any, partition: str | None = None) -> Saved:
        """Keep `value` as the value of `asset`; readers see the old value or the new one, never a part."""

    def close(self) -> None:
        """Close files and connections; the manager may be used again afterwards."""


@runtime_checkable
class Store(LeaseStore, Protocol):
    """A place that keeps the records of runs and materializations, and says who may make what: see `LeaseStore`.

    Every writing method is durable when it returns, and safe against other processes.
    """

    def append(
        self,
        events: EventRecords,
        materializations: Materializations = (),
        attempts: Attempts = (),
        looks: Sequence[Look] = (),
        *,
        lease: Lease | None = None,
        beside: Beside | None = None,
    ) -> None:
        """Record events, and what follows from them, in one transaction; with it what is to be changed `beside`.

        Where a document of `beside` is at another revision by now, nothing is recorded, and it raises `ConflictError`.

        With the `lease` of their run it raises `LeaseLostError`, and records nothing, unless that run is ``running``
        and has it; a run that carries out a plan always gives it.
        """

    def runs(
        self,
        limit: int | None = None,
        *,
        running: bool = False,
        interrupted: bool = False,
        backfill: str | None = None,
    ) -> list[RunInfo]:
        """Return runs, the one that leased last first. A run whose process is gone is recorded as interrupted first.

        With `running` or `interrupted` those alone whose state that is, with `backfill` those alone whose option of
        that name it is: there may be a hundred thousand of others.
        """

    def run(self, run_id: str) -> RunInfo | None:
        """Return one run, by its id or a unique beginning of it."""

    def owner(self, run_id: str) -> Process | None:
        """Return who carries out, or carried out, a run; None when there is no such run."""

    def events(self, run_id: str, skip: int = 0) -> Iterator[EventRecord]:
        """Yield the events of a run, oldest first, without the first `skip`."""

    def latest(
        self, keys: Iterable[AssetKey] | None = None, partitions: Iterable[str | None] | None = None
    ) -> Mapping[tuple[AssetKey, str | None], Materialization]:
        """Return the last materialization of each asset and partition, in a fixed number of queries.

        Of `keys` only where they are given, and of them only of `partitions`; None among these stands for a whole.
        """

    def history(
        self, key: AssetKey, partition: str | None = None, limit: int | None = None
    ) -> Sequence[Materialization]:
        """Return what was made of an asset, or of one partition of it, newest first, at most `limit` of it.

        Where somebody let a record count as another one, that alone. What was forgotten may be among it, what was
        pruned is not.
        """

    def changes(self, keys: Iterable[AssetKey] | None = None, since: str | None = None) -> Changes | None:
        """Return what was made of assets since a revision, which an earlier call returned; all of it without one.

        Of `keys` only where they are given.

        Nothing that was made after that call is missing; what was made before it may be told again. None for a
        revision that the store does not know (any more): as when it was replaced by another one.
        """

    def attempts(
        self, keys: Iterable[AssetKey] | None = None, *, made: bool = True
    ) -> Mapping[tuple[AssetKey, str | None], Attempt]:
        """Return the last attempt at each asset and partition, in a fixed number of queries.

        What a run only ``skipped`` was not tried: it does not take the place of an earlier attempt that ``failed``, was
        ``check_failed``, ``cancelled`` or ``gone``, so that a failure is known until the asset is made. Without `made`
        those are left out that came out as ``materialized``, and those that came out as ``unchanged`` may be: of a
        thousand partitions nearly all.
        """

    def looks(self, keys: Iterable[AssetKey] | None = None) -> Looks:
        """Return the last look at each asset and partition, in a fixed number of queries."""

    def durations(self, keys: Iterable[AssetKey] | None = None) -> Mapping[AssetKey, Sequence[float]]:
        """Return how many seconds each asset took, oldest first: at least the last 50 of its materializations.

        Those whose record does not tell are left out, and an asset of which none does. Pruning leaves all of them.
        """

    def run_attempts(self, run_id: str) -> Mapping[tuple[AssetKey, str | None], Attempt]:
        """Return how each asset came out in one run."""

    def latest_checks(self, keys: Iterable[AssetKey] | None = None, *, failed: bool = False) -> Verdicts:
        """Return the last outcome of each check, by asset, check name and partition that it looked at.

        Each record's event is a `Checked`; its partition is None for a check of all of an asset. With `failed` only of
        those that did not pass: most did.
        """

    def define(self, digest: str, definitions: Mapping[AssetKey, str]) -> None:
        """Record the definitions that runs begin with, each as a text; `RunInfo.definitions` names them by `digest`.

        Those of a digest that is known are there already: most runs begin with the definitions of one before them.
        """

    def definitions(self, run_id: str) -> Mapping[AssetKey, str] | None:
        """Return the definitions with which a run began; None when they were not recorded."""

    def defined(self, runs: Mapping[AssetKey, str]) -> Mapping[AssetKey, str]:
        """Return the definition that each asset had when a run began, both given; those that were recorded."""

    def accept(self, acceptances: Sequence[Acceptance], *, lease: Lease | None = None) -> Sequence[Acceptance]:
        """Let records count as others from now on: `Acceptance.after` in the place of `Acceptance.before`.

        Of a record that is not the last one of its asset and partition any more, nothing is changed; return those. For
        `latest` and `changes` the others are as if they were made anew; for `attempts` and events they are as before.
        With a `lease` it does as `append`.
        """

    def acceptances(self, keys: Iterable[AssetKey] | None = None) -> Sequence[Acceptance]:
        """Return all that was accepted, and undone, oldest first. No pruning takes any of it away."""

    def backfills(self) -> list[BackfillRecord]:
        """Return all backfills, newest first."""

    def change_backfill(self, record: BackfillRecord, before: str | None) -> bool:
        """Record a backfill as it is now, when its state was `before`, None for one that is new; return whether it was.

        So nothing is lost when two change it at once: who comes second looks again.
        """

    def documents(self, space: str) -> Mapping[str, Document]:
        """Return all documents of a space by key: what a plugin keeps. `space` is the name of its entry point."""

    def document_revisions(self, space: str) -> Mapping[str, int]:
        """Return the revisions of all documents of a space by key, which tell what has changed without reading it."""

    def change_document(self, space: str, key: str, value: Any, before: int | None) -> int | None:
        """Keep a value, which is JSON, under a key; take it away when it is None. Return the revision of the change.

        `before` is the revision that the document had when it was read, None for one that was not there. Where it is
        another one by now nothing is changed, and None returned: so nothing is lost when two change it at once, and
        who comes second looks again. No revision comes twice.
        """

    def handles(self, run_id: str) -> Mapping[str, str]:
        """Return the token of each invocation of a run whose job may still be under way: what `job_tokens` leaves."""

    def partition_keys(self, keys: Iterable[AssetKey] | None = None) -> Mapping[AssetKey, KeyTable]:
        """Return the keys of partitions that were made known of assets, by number, and which of them were dropped."""

    def change_partition_keys(
        self,
        key: AssetKey,
        *,
        known: Sequence[str] = (),
        add: Sequence[str] = (),
        drop: Sequence[str] = (),
        lease: Lease | None = None,
    ) -> None:
        """Make keys of an asset's partitions known, and drop others, in one transaction; with a `lease` as `append`.

        Keys that have no number get the next ones, in this order: `known`, `drop`, `add`; what has one keeps it, for
        ever. After it those of `drop` are dropped, and those of `add` are not; `known` changes nothing of that.
        """

    def prune(self, kept: KeptHistory, *, dry_run: bool = False) -> PrunedHistory:
        """Remove what is not to be kept of the history; return how much that was, or with `dry_run` would be.

        Whatever `kept` says, this stays: the last materialization and the last attempt of each asset and partition, the
        last outcome of each check, handles, leases, and all of a run that goes on, has a handle, or is in `kept.whole`.
        With a run go its events and attempts, and not before it the events that say what broke it (`InvocationFinished`
        whose `broken` is not None). A run that stays tells in `RunInfo.pruned` what of it is gone. Revisions
        that `changes` has told may be forgotten, and mean nothing else later.

        Other processes may write meanwhile, and wait for moments only; it may end at any point, and be called again.
        """

    def pictures(self) -> frozenset[str]:
        """Return the digests of all pictures that anything recorded refers to: `Png` in metadata, as JSON has it."""

    def recorded(self) -> frozenset[AssetKey]:
        """Return the assets that were made, looked at or tried, whether anything defines them or not."""

    def forget(
        self, key: AssetKey, partitions: Sequence[str | None] | None = None, *, lease: Lease | None = None
    ) -> None:
        """Forget what is recorded of an asset, or of some partitions of it; None among these stands for the whole.

        For `latest`, `attempts` and `latest_checks` it was never made, and without `partitions` it has no
        `partition_keys` and is not `recorded`; events, runs and acceptances stay. A revision that `changes` has told
        before means nothing after it. With a `lease` it does as `append`.
        """

    def close(self) -> None:
        """Close files and connections."""


class RunningTask(Protocol):
    """One task that an executor has started."""

    def cancel(self) -> None:
        """Ask the task to stop: its stream is closed, which stops the tool."""

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds; return whether it has ended."""


@runtime_checkable
class Executor(Protocol):
    """A place where invocations run: threads here, processes, other machines.

    `slots` is how many tasks it runs at a time; the core never starts more.
    """

    slots: int

    def start(self, task: Task, emit: Callable[[Event | BaseException | None], None]) -> RunningTask:
        """Start `task` and return at once.

        Pass each of its events to `emit` as it happens; then, as the last thing, None when the stream ended by
        itself or was closed, or the exception that broke it. `emit` may be called from any thread.
        """

    def close(self) -> None:
        """Stop all tasks and end the workers."""


class Task(Protocol):
    """One invocation, ready to run: call `stream` where it is to run, and `stop` from any thread."""

    invocation: Invocation

    def stream(self) -> Iterator[Event]:
        """Run the invocation in this thread, yielding what its tool reports."""

    def stop(self) -> None:
        """Make `RunContext.cancelled` true."""
