"""The events of a run: what tools report, and what the run itself adds.

The first group is what an integration yields from `assetry_invoke`; the second is written by the core alone.
Each is frozen, picklable and JSON both ways; in JSON its name stands under ``event`` and its key under ``asset``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from assetry.types.assets import Column, Severity
from assetry.types.keys import AssetKey

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """The base of every event; `key` is the asset it is about, or None."""

    json_names: ClassVar[Mapping[str, str]] = {"key": "asset"}

    def __post_init__(self) -> None:
        key = getattr(self, "key", None)
        if key is not None and type(key) is not AssetKey:
            object.__setattr__(self, "key", AssetKey(key))
        columns = getattr(self, "columns", None)
        if columns is not None and type(columns) is not tuple:
            object.__setattr__(self, "columns", tuple(columns))

    @property
    def name(self) -> str:
        """Return the event's name in JSON."""
        return self.json_tag[1]  # type: ignore[attr-defined,no-any-return]


class Ranged(Event):
    """The base of events about an asset, a partition of it, or a range of partitions that all came out alike.

    With `through` an event is about the partitions from its `partition` to that one, both inside, in the order of
    `Invocation.partitions_of`. What is recorded are ranges without a gap; `count` is how many partitions that are, and
    the run fills it in.

    >>> Materialized("sales", "2026-01-01", through="2026-01-31").place
    'sales [2026-01-01..2026-01-31]'
    """

    __slots__ = ()
    if TYPE_CHECKING:
        # Each kind has these fields in an order of its own.
        key: AssetKey
        partition: str | None
        through: str | None
        count: int

    @property
    def parts(self) -> str | None:
        """Return the partition, or the range of them, as people read it; None for all of an asset."""
        return self.partition if self.through is None else f"{self.partition}..{self.through}"

    @property
    def place(self) -> str:
        """Return the asset with its partition, or the range of them, as people read it."""
        return str(self.key) if self.parts is None else f"{self.key} [{self.parts}]"

    def about(self, partition: str | None, through: str | None = None) -> Self:
        """Return the event as one about another partition, or another range."""
        return replace(self, partition=partition, through=through)  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Started(Ranged):
    """The tool began to make an asset. Optional: see `assetry_invoke` for what the core does without it.

    >>> Started("shop/orders").key
    AssetKey('shop/orders')
    """

    json_tag: ClassVar = ("event", "started")
    key: AssetKey
    partition: str | None = None
    through: str | None = field(default=None, kw_only=True)
    count: int = field(default=1, kw_only=True)
    if TYPE_CHECKING:

        def __init__(
            self, key: AssetKey | str, partition: str | None = None, *, through: str | None = None, count: int = 1
        ) -> None: ...


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """How far an asset is: `done` of `total` units (rows, bytes, steps); `total` is None when unknown."""

    json_tag: ClassVar = ("event", "progress")
    key: AssetKey
    done: float
    total: float | None = None
    if TYPE_CHECKING:

        def __init__(self, key: AssetKey | str, done: float, total: float | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Log(Event):
    """A line that the tool wrote; `key` when it is about one asset."""

    json_tag: ClassVar = ("event", "log")
    message: str
    level: Level = "info"
    key: AssetKey | None = None
    if TYPE_CHECKING:

        def __init__(self, message: str, level: Level = "info", key: AssetKey | str | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Handle(Event):
    """The token by which an outside job can be found again after a crash, and a page to look at it.

    It is recorded durably before the tool goes on after its `yield`.
    """

    json_tag: ClassVar = ("event", "handle")
    token: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Content(Ranged):
    """The base of events that tell what an asset, or a partition of it, now holds.

    `data_version` changes exactly when the content does; None when the tool cannot tell. `columns` are those it
    really has. With `through` all of that is so of each partition of a range; see `Ranged`.
    """

    key: AssetKey
    partition: str | None = None
    data_version: str | None = None
    columns: tuple[Column, ...] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    through: str | None = field(default=None, kw_only=True)
    count: int = field(default=1, kw_only=True)
    if TYPE_CHECKING:

        def __init__(
            self,
            key: AssetKey | str,
            partition: str | None = None,
            data_version: str | None = None,
            columns: Iterable[Column] | None = None,
            metadata: Mapping[str, Any] = ...,
            *,
            through: str | None = None,
            count: int = 1,
        ) -> None: ...


@dataclass(frozen=True, slots=True)
class Materialized(Content):
    """An asset was made. Terminal.

    Without a `data_version` every materialization counts as new content. `code_version` and `code_parts` are those of
    the code that it was really made from, where a tool finds that it is not what was planned, as files were changed
    meanwhile; None is that of the asset. A part such as ``built as a sample`` says that this is not the real thing.

    >>> Materialized("shop/orders", metadata={"rows": 3}).metadata["rows"]
    3
    """

    json_tag: ClassVar = ("event", "materialized")
    code_version: str | None = None
    code_parts: Mapping[str, str] = field(default_factory=dict)
    if TYPE_CHECKING:

        def __init__(
            self,
            key: AssetKey | str,
            partition: str | None = None,
            data_version: str | None = None,
            columns: Iterable[Column] | None = None,
            metadata: Mapping[str, Any] = ...,
            code_version: str | None = None,
            code_parts: Mapping[str, str] = ...,
            *,
            through: str | None = None,
            count: int = 1,
        ) -> None: ...


@dataclass(frozen=True, slots=True)
class Observed(Content):
    """An asset that was not made now was looked at: a sync that others started, a source's freshness.

    `gone` tells that its table, or its value, is not there, and `hint` the next step where making it as usual does not
    help. ``metadata["data_time"]``, in ISO 8601, is the time that the data reaches: a freshness policy counts from it.

    >>> Observed("raw/orders", data_version="2026-01-31T00:00:00Z").gone
    False
    """

    json_tag: ClassVar = ("event", "observed")
    gone: bool = False
    hint: str | None = field(default=None, kw_only=True)
    if TYPE_CHECKING:

        def __init__(
            self,
            key: AssetKey | str,
            partition: str | None = None,
            data_version: str | None = None,
            columns: Iterable[Column] | None = None,
            metadata: Mapping[str, Any] = ...,
            gone: bool = False,
            *,
            hint: str | None = None,
            through: str | None = None,
            count: int = 1,
        ) -> None: ...


@dataclass(frozen=True, slots=True)
class Checked(Event):
    """How a check on an asset came out; `severity` decides whether a failure stops what is downstream.

    Only ``warn`` lets it go on: a severity that does not exist counts as ``error``. `cancelled` says that it was not
    run, because the run was stopped before.

    >>> Checked("shop/orders", "no_gaps", False).stops, Checked("shop/orders", "no_gaps", False, "warn").stops
    (True, False)
    """

    json_tag: ClassVar = ("event", "checked")
    key: AssetKey
    check: str
    passed: bool
    severity: Severity = "error"
    message: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    cancelled: bool = False
    partition: str | None = None
    if TYPE_CHECKING:

        def __init__(
            self,
            key: AssetKey | str,
            check: str,
            passed: bool,
            severity: Severity = "error",
            message: str | None = None,
            metadata: Mapping[str, Any] = ...,
            cancelled: bool = False,
            partition: str | None = None,
        ) -> None: ...

    @property
    def stops(self) -> bool:
        """Tell whether this stops what is downstream."""
        return not self.passed and self.severity != "warn"

    @property
    def outcome(self) -> Literal["passed", "failed", "warned", "cancelled"]:
        """Return how it came out, in one word."""
        if self.passed or self.cancelled:
            return "passed" if self.passed else "cancelled"
        return "failed" if self.stops else "warned"


@dataclass(frozen=True, slots=True)
class Skipped(Ranged):
    """An asset, a partition of it, or a range of them (`through`), was not made, and because of what. Terminal.

    `root` is the asset in whose failure the skip begins; the run fills it in where the tool did not. `cancelled` says
    that it had begun when the run was stopped: that is no failure of its own, but what is there may be a part.
    `unchanged` says that it did not have to be made, because all that it is made from came out as before: it is up to
    date, and what is made from it goes on. Only the run itself can know that; from a tool it means nothing.

    >>> Skipped("shop/orders", "unchanged: `shop/raw` came out as before", unchanged=True).unchanged
    True
    """

    json_tag: ClassVar = ("event", "skipped")
    key: AssetKey
    because: str
    root: AssetKey | None = None
    partition: str | None = None
    cancelled: bool = False
    unchanged: bool = False
    through: str | None = field(default=None, kw_only=True)
    count: int = field(default=1, kw_only=True)
    if TYPE_CHECKING:

        def __init__(
            self,
            key: AssetKey | str,
            because: str,
            root: AssetKey | None = None,
            partition: str | None = None,
            cancelled: bool = False,
            unchanged: bool = False,
            *,
            through: str | None = None,
            count: int = 1,
        ) -> None: ...


@dataclass(frozen=True, slots=True)
class Failed(Ranged):
    """An asset, a partition of it, or a range of them (`through`), could not be made: what happened, and the next step.

    Terminal. `where` is the place of what is at fault (``file:line``), where it is not the `source` of the asset.
    """

    json_tag: ClassVar = ("event", "failed")
    key: AssetKey
    message: str
    hint: str | None = None
    retryable: bool = False
    partition: str | None = None
    where: str | None = None
    through: str | None = field(default=None, kw_only=True)
    count: int = field(default=1, kw_only=True)
    if TYPE_CHECKING:

        def __init__(
            self,
            key: AssetKey | str,
            message: str,
            hint: str | None = None,
            retryable: bool = False,
            partition: str | None = None,
            where: str | None = None,
            *,
            through: str | None = None,
            count: int = 1,
        ) -> None: ...


@dataclass(frozen=True, slots=True)
class Deleted(Ranged):
    """What was made of an asset, or of a partition of it, was deleted, and its record is forgotten.

    `what` says what was there and where, None when only the record went.
    """

    json_tag: ClassVar = ("event", "deleted")
    key: AssetKey
    partition: str | None = None
    what: str | None = None
    through: str | None = field(default=None, kw_only=True)
    count: int = field(default=1, kw_only=True)
    if TYPE_CHECKING:

        def __init__(
            self,
            key: AssetKey | str,
            partition: str | None = None,
            what: str | None = None,
            *,
            through: str | None = None,
            count: int = 1,
        ) -> None: ...


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run began: how many assets, in how many invocations.

    `partitions` counts the partitions that it makes, an asset without any as one; 0 where none has some.
    """

    json_tag: ClassVar = ("event", "run_started")
    assets: int
    invocations: int
    partitions: int = 0


@dataclass(frozen=True, slots=True)
class InvocationStarted(Event):
    """An invocation is about to begin: its kind, its group, its command, its assets, how many partitions of them."""

    json_tag: ClassVar = ("event", "invocation_started")
    kind: str
    assets: tuple[AssetKey, ...]
    group: str | None = None
    command: str | None = None
    partitions: int = 0


@dataclass(frozen=True, slots=True)
class Waiting(Event):
    """An invocation waits for slots of a pool that other runs hold, since when; or come first, where not `held`.

    >>> Waiting("warehouse", ("r1",), "2026-01-31T10:02:00+00:00").held
    True
    """

    json_tag: ClassVar = ("event", "waiting")
    pool: str
    runs: tuple[str, ...]
    since: str
    held: bool = True


@dataclass(frozen=True, slots=True)
class JobOver(Event):
    """The outside job of a token will report nothing more, as its tool has said: the token is forgotten."""

    json_tag: ClassVar = ("event", "job_over")
    token: str


@dataclass(frozen=True, slots=True)
class InvocationFinished(Event):
    """How an invocation ended: ``succeeded``, ``failed`` or ``cancelled``.

    `message` says what broke it, and `hint` the next step; or that it was given up: then its outside job may still be
    under way, and its token is kept for `assetry retry`. A run with a broken invocation has failed in any case.
    """

    json_tag: ClassVar = ("event", "invocation_finished")
    state: str
    seconds: float
    message: str | None = None
    hint: str | None = None

    @property
    def broken(self) -> str | None:
        """Return what broke the invocation; None where nothing did, or where it was cancelled.

        >>> InvocationFinished("failed", 1.5, "acme ended with 70").broken, InvocationFinished("failed", 1.5).broken
        ('acme ended with 70', None)
        """
        return (self.message or None) if self.state == "failed" else None


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """How a run ended: ``succeeded``, ``failed``, ``cancelled`` or ``interrupted``, with counts by outcome."""

    json_tag: ClassVar = ("event", "run_finished")
    state: str
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)


#: The events that end an asset's turn: exactly one of them is recorded for each asset, or partition, of a run.
TERMINAL = (Materialized, Skipped, Failed)
