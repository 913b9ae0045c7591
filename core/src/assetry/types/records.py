"""Records: what a store remembers of runs and materializations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from assetry.types.assets import Column, Relation
from assetry.types.events import Event, Handle, InvocationFinished, JobOver
from assetry.types.keys import AssetKey

RunState = Literal["running", "succeeded", "failed", "cancelled", "interrupted", "queued"]
Outcome = Literal[
    "running", "materialized", "unchanged", "failed", "check_failed", "cancelled", "skipped", "gone", "there"
]

#: The outcomes of what is as it should be: it was made, or it did not have to be.
WELL: frozenset[Outcome] = frozenset({"materialized", "unchanged"})
#: The outcomes of what was tried and is not as it should be.
FAILED: frozenset[Outcome] = frozenset({"failed", "check_failed"})


class Accepted(NamedTuple):
    """What a record was before a person said as what it counts: the code that it was really made with.

    `columns` are those that were declared when it was accepted that the real ones differ; None where that was not.

    >>> Accepted("c1").columns is None
    True
    """

    code_version: str | None = None
    columns: tuple[Column, ...] | None = None


class Appended(NamedTuple):
    """How far an input reached that grows by appending, when it was read, and in which epoch it was.

    >>> Appended().epoch is None
    True
    """

    as_of: datetime | None = None
    epoch: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What made something, and where it is: all that is known of it once nothing defines it any more.

    `integration` is the name of the one that made it, `relation` the table that it is, if it is one. `io` is the place
    that assetry reaches it in, as a URL without a secret; None where it reaches none. `view` tells that it is computed
    on read, `kept` that assetry keeps its value.

    >>> Origin("dbt", "transform", Relation("db", "main", "orders")).io is None
    True
    """

    kind: str
    integration: str | None = None
    relation: Relation | None = None
    io: str | None = None
    view: bool = False
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialization:
    """The record that an asset, or one partition of it, was made: what it was made from.

    `inputs` maps each input to the data version that was read, "" when that was not known. `at` is UTC; `seconds` is
    how long it took. Where somebody said that it counts as made from other code or inputs, they stand here, and what it
    was before that in `accepted`. `as_of` is the moment in the world outside that its data reaches: the earliest of
    those that its inputs reached when they were read; of what has none, what its tool said, else when its making began.
    None in records from before there was one. `appended` is what was read of inputs that grow by appending. `epoch` is
    that of an asset which does so itself: a new one begins when what was there before is made anew. `origin` tells what
    made it, and where it is; None for what was only seen.
    """

    key: AssetKey
    partition: str | None = None
    at: datetime
    run: str
    data_version: str
    code_version: str | None = None
    code_parts: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[AssetKey, str] = field(default_factory=dict)
    columns: tuple[Column, ...] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    accepted: Accepted | None = None
    as_of: datetime | None = None
    appended: Mapping[AssetKey, Appended] = field(default_factory=dict)
    epoch: str | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A person's word that what was made counts as made from what it would be made from at that time.

    `before` is the record that was there, `after` the one that it counts as from then on; both are of one asset, or of
    one partition, and of the same content. `causes` are the codes of the reasons that it answered. With `undone` it is
    the word that an earlier one does not count any more: `after` is then how the record was before that.

    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 31, tzinfo=UTC)
    >>> made = Materialization(key=AssetKey("a"), at=at, run="r", data_version="1", code_version="c1")
    >>> Acceptance(at=at, by="ana", why="A comment.", before=made, after=made).key
    AssetKey('a')
    """

    at: datetime
    by: str
    why: str
    before: Materialization
    after: Materialization
    causes: tuple[str, ...] = ()
    undone: bool = False

    @property
    def key(self) -> AssetKey:
        """Return the asset."""
        return self.before.key

    @property
    def partition(self) -> str | None:
        """Return the partition; None for an asset without."""
        return self.before.partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """That somebody looked at an asset, or a partition of it, and found it as it was recorded.

    `data_version` is the version that was found, and `as_of` the moment that its data then reached. Both times are UTC.

    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 31, tzinfo=UTC)
    >>> Look(key=AssetKey("raw/orders"), at=at, data_version="job:7", as_of=at).partition is None
    True
    """

    key: AssetKey
    partition: str | None = None
    at: datetime
    data_version: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How the last try to make an asset, or one partition of it, came out.

    `message` says why it failed or was skipped; `because` is the asset at the root of a skip or failure. ``unchanged``
    did not have to be made: what it is made from came out as before. ``gone`` is no try: somebody looked, and what had
    been made is not there; `message` is then where it was. ``there`` is a table of others that was looked at. `hint` is
    the next step, as the tool has said it of a failure, or of what is gone; None where it did not.
    """

    key: AssetKey
    partition: str | None = None
    run: str
    at: datetime
    outcome: Outcome
    message: str | None = None
    because: AssetKey | None = None
    hint: str | None = None


#: How the message begins of an attempt that ended with the process of its run: nothing is wrong with it.
INTERRUPTED = "interrupted: the "
#: The options of runs that make nothing: they look at what there is, delete it, or record what others have made.
NO_MAKING = ("observe", "prune", "record")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """One run.

    `options` is the JSON of what was asked (selection, full refresh …); `assets` is what the plan was to make.
    `process` and `host` tell who carries it out, so that a killed run is recognised. `pruned` tells what of its history
    was removed, ``events`` or ``attempts``, and when. `definitions` is the digest of those that it began with. One that
    is ``queued`` waits to begin; `priority` is its class, see `assetry.types.leases.PRIORITIES`.
    """

    id: str
    state: RunState
    started: datetime
    finished: datetime | None = None
    assets: tuple[AssetKey, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    process: int = 0
    host: str = ""
    pruned: Mapping[str, datetime] = field(default_factory=dict)
    definitions: str | None = None
    priority: int = 0

    @property
    def makes(self) -> bool:
        """Tell whether it is one of assetry's own that makes assets: only such a run is gone on with by itself."""
        return not any(self.options.get(name) for name in NO_MAKING)

    @property
    def is_over(self) -> bool:
        """Tell whether it neither goes on nor waits to begin."""
        return self.state not in ("running", "queued")

    @property
    def backfill(self) -> str | None:
        """Return the id of the backfill that it is of; None for a run of its own."""
        found: str | None = self.options.get("backfill")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRecord:
    """What a store keeps of a backfill: what is wanted, since when, and whether it still is.

    `state` is ``open`` until it was ``cancelled`` or has come to its end: ``done``, or ``failed``. How far it is
    follows from what was made since `at`. `body` is JSON, and means something to who made it.

    >>> from datetime import UTC
    >>> BackfillRecord(id="b1", at=datetime(2026, 1, 1, tzinfo=UTC)).state
    'open'
    """

    id: str
    at: datetime
    state: Literal["open", "cancelled", "done", "failed"] = "open"
    body: Mapping[str, Any] = field(default_factory=dict)


class Document(NamedTuple):
    """What a plugin keeps in a store under a key: a `value`, which is JSON, and the revision of its last change.

    >>> Document({"seen": 3}, 7).value["seen"]
    3
    """

    value: Any
    revision: int


@dataclass(frozen=True, slots=True)
class Process:
    """The identity of a process, beyond its pid, which the system uses again.

    `host` is the machine, `boot` the start of its kernel, `space` the process namespace (a container's own), `born`
    the start of the process in the system's own words. What cannot be found out is empty. `assetry.plugin.process_of`
    tells that of a running one, `is_alive` whether it still runs.

    >>> Process(7, "shop-1").boot
    ''
    """

    pid: int
    host: str
    boot: str = ""
    space: str = ""
    born: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One event of a run: when (UTC), in which invocation, and what."""

    at: datetime
    run: str
    event: Event
    invocation: str | None = None


class DocumentChange(NamedTuple):
    """A change of a document, as `Store.change_document` takes it: to `value`, where its revision still is `before`.

    >>> DocumentChange("acme", "cursor", {"seen": 3}).before is None
    True
    """

    space: str
    key: str
    value: Any
    before: int | None = None


class KeysChange(NamedTuple):
    """A change of the keys of an asset's partitions, as `Store.change_partition_keys` takes it.

    >>> KeysChange(AssetKey("raw/files"), add=("a.csv",)).drop
    ()
    """

    key: AssetKey
    known: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class Beside(NamedTuple):
    """What is changed in one transaction with what is recorded: all of it is, or nothing.

    >>> bool(Beside().documents)
    False
    """

    documents: tuple[DocumentChange, ...] = ()
    keys: tuple[KeysChange, ...] = ()


#: The last materialization of each asset and partition.
Latest = Mapping[tuple[AssetKey, str | None], Materialization]
#: The last look at each asset and partition that was found as it was recorded.
Looks = Mapping[tuple[AssetKey, str | None], Look]


class Changes(NamedTuple):
    """What was made since a revision of a store: the last materializations, and the revision they lead to.

    A revision is text that means something to the store alone.
    """

    revision: str
    latest: Latest


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptHistory:
    """What a store is to keep of its history: what is younger than a moment, of each kind; None keeps all of it.

    * `runs`: runs, with all that is theirs, until they have ended before it;
    * `events`, `attempts`: those of runs that have not ended before it;
    * `materializations`: records of what was made before it and was made anew since.

    `whole` are ids of runs of which everything stays, such as those that a retry goes on with. Moments are UTC.

    >>> from datetime import UTC
    >>> KeptHistory(events=datetime(2026, 1, 1, tzinfo=UTC)).runs is None
    True
    """

    events: datetime | None = None
    runs: datetime | None = None
    attempts: datetime | None = None
    materializations: datetime | None = None
    whole: frozenset[str] = frozenset()


class PrunedHistory(NamedTuple):
    """How many records of each kind a store has removed of its history, or would.

    >>> sum(PrunedHistory(events=3, runs=1))
    4
    """

    events: int = 0
    runs: int = 0
    attempts: int = 0
    materializations: int = 0


#: How checks last came out, by asset, name and the partition that was looked at, None for all of the asset; each
#: record's event is a `Checked`.
Verdicts = Mapping[tuple[AssetKey, str, str | None], EventRecord]


def job_tokens(records: Iterable[EventRecord]) -> dict[str, str | None]:
    """Return what becomes of the tokens of outside jobs: by invocation the token from now on, None for one to forget.

    A store keeps, for each invocation of a run, the token of the job that may still be under way, so that a retry can
    find it again. It is the last one that the tool has reported. It is forgotten when the job is over: when the tool
    said so, and when the invocation came to its end, also because the run was cancelled and the tool stopped. It is
    kept when the invocation broke or was given up, because the job may go on. Invocations of which the records say
    nothing keep what they have.

    >>> from datetime import UTC, datetime
    >>> def said(invocation, event):
    ...     return EventRecord(at=datetime.now(UTC), run="r", invocation=invocation, event=event)
    >>> job_tokens([said("1", Handle("job-7")), said("2", Handle("job-8")), said("2", JobOver("job-8"))])
    {'1': 'job-7', '2': None}
    >>> job_tokens([said("1", InvocationFinished("failed", 1.5)), said("2", InvocationFinished("failed", 1.5, "lost"))])
    {'1': None}
    """
    tokens: dict[str, str | None] = {}
    for record in records:
        event, invocation = record.event, record.invocation or ""
        if isinstance(event, Handle):
            tokens[invocation] = event.token
        elif isinstance(event, JobOver) or (isinstance(event, InvocationFinished) and event.message is None):
            tokens[invocation] = None
    return tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalRun:
    """A run of a tool that assetry did not start, as a file of the tool tells of it.

    `id` is the tool's own, so that a run is recorded once. `events` are what became of assets and checks, each with its
    time (UTC), in order; of a `Materialized`, `code_version` and `code_parts` are those of the code that it was really
    made from, and a range (`through`) is of all partitions that there are between the two. `left_out` says by name of
    what the file tells and nothing is recorded, and why. `command` is for people. `broken` is what failed and is no
    failure of an asset or a check, `hint` the next step. `refused` is why it cannot be recorded, where what it is to be
    judged by is not there: that is an error, unless the run is recorded already.

    >>> at = datetime(2026, 1, 31)
    >>> ExternalRun(id="4a1f", started=at, finished=at).events
    ()
    """

    id: str
    started: datetime
    finished: datetime
    events: Sequence[tuple[datetime, Event]] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    command: str | None = None
    broken: str | None = None
    hint: str | None = None
    full_refresh: bool = False
    refused: str | None = None
