"""What the core hands to plugins: the context of a load, and that of an invocation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, overload

from assetry.types.events import Level
from assetry.types.keys import AssetKey
from assetry.types.protocols import Saved


class PathLike(Protocol):
    """A path, such as a `pathlib.Path`."""

    def __fspath__(self) -> str:
        """Return it as text."""


class LoadContext(Protocol):
    """What loading an integration may ask for, and what it says of itself."""

    def secret(self, name: str) -> str:
        """Return a secret by its name; raise `UsageError` when it is not set.

        A load that asked for one is never kept: what was got by it may change unseen.
        """

    def reads(self, *paths: str | PathLike, variables: Iterable[str] = ()) -> None:
        """Say which files, folders and environment variables the load depends on; all of them, each before it is read.

        A relative path starts from `integration.root`; a folder stands for all in it, at any depth. A path need not
        exist: then that it appears counts. Once a load has said so, its assets are kept and the hook is not called
        again until one of these changes, or the options, the plugin's code, or assetry. May be called several times;
        a load that never calls it is never kept. What was read is compared by its content.
        """


class RunContext(Protocol):
    """What an invocation may ask of the run it belongs to; eleven members, no more."""

    run_id: str
    #: Options of the run, JSON: `full_refresh`, `threads` …
    options: Mapping[str, Any]
    #: `time.monotonic()` after which the run no longer waits, or None.
    deadline: float | None
    #: The token of a job that an earlier process started for this invocation, or None.
    resume: str | None

    @property
    def cancelled(self) -> bool:
        """Tell whether the run was asked to stop."""

    def secret(self, name: str) -> str:
        """Return the secret `name`: an environment variable, else what a plugin has that provides secrets.

        Raise `UsageError` when it is not set. From now on it is masked in the events of the run, in whichever spelling.
        """

    def load(self, key: AssetKey | str, form: Any = None, partition: str | Sequence[str] | None = None) -> Any:
        """Return the value of an asset, as `form` (a type such as `pandas.DataFrame`; None for the default).

        Of several partitions, given by their keys, it is one table with the rows of all, in the order of the keys; a
        dict by key of what is no table. A partition that was never made is a `ValueStoreError` that names it.
        """

    def aggregate(self, key: AssetKey | str, function: Literal["count", "max"], column: str | None = None) -> Any:
        """Return how many rows an asset's table has, or the greatest value of a column; none of the rows is read.

        None when its place cannot tell, and the greatest value of no rows. Raises `ValueStoreError` when there is no
        such column, and `NothingKeptError`, which is one, when there is no such table; its `made` tells of one that was
        made what was recorded of it then.
        """

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
        """Keep the value of an asset of this invocation where the project keeps it; `Rows` for a stream of rows.

        Of several partitions, given by their keys, `value` is a table of which `column` tells the partition of each
        row, by a day, a moment or the key, or a dict with a value for each key. All of it is kept, each partition with
        a `Saved` of its own in the order of the keys, or nothing: `ValueStoreError` says which rows are of others.
        """

    def log(self, message: str, level: Level = "info", key: AssetKey | str | None = None) -> None:
        """Write a line into the run's log at once; `key` when it is about one asset."""

    def add_partition(self, key: AssetKey | str, *partitions: str) -> None:
        """Make keys of an asset's dynamic partitions known, at once: from now on they are missing until they are made.

        Raises `UsageError` for an asset whose partitions do not come into being, and for what cannot be a key.
        """
