"""The recorder of a run: turns events into the records that the store keeps.

It knows, at every moment, which data version each asset has, so that a materialization is recorded with the versions
of the inputs it was made from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.partitions.key_table import KeyTable
from assetry.plan.numbering import Numbering
from assetry.plan.plan import Plan
from assetry.run.partition_keys import known_keys, known_numbering
from assetry.run.result import RunServices
from assetry.status.comparison import is_unchanged
from assetry.status.freshness.growth import EPOCH
from assetry.status.freshness.read_times import KnownTimes, ReadTimes
from assetry.status.looked import told_time
from assetry.status.old_rows import OLDER_ROWS, older_rows
from assetry.status.versions import Versions, with_read
from assetry.types.assets import Asset
from assetry.types.events import (
    Checked,
    Content,
    Event,
    Failed,
    InvocationFinished,
    InvocationStarted,
    Log,
    Materialized,
    Observed,
    Ranged,
    Skipped,
    Started,
)
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey
from assetry.types.leases import Lease
from assetry.types.protocols import Store
from assetry.types.records import WELL, Attempt, Beside, EventRecord, Latest, Look, Materialization, Origin, Outcome

#: An asset, and the partition of it; None for all of it.
Place = tuple[AssetKey, str | None]


@dataclass(frozen=True, slots=True)
class Before:
    """What was known of assets before a run.

    `latest` are their records, `attempts` the last ones: what was not there at the last look, and failures, which no
    look undoes. `tables` are the keys of partitions that were made known, `data_times` how far the data reached.

    >>> Before({}).data_times is None
    True
    """

    latest: Latest
    attempts: Mapping[Place, Attempt] = field(default_factory=dict)
    tables: Mapping[AssetKey, KeyTable] = field(default_factory=dict)
    data_times: KnownTimes | None = None


class Recorder:
    """The records of one run, collected and written to the store one transaction at a time."""

    def __init__(
        self,
        run_id: str,
        graph: AssetGraph,
        before: Before,
        refreshed: bool = False,
        numbering: Numbering | None = None,
        origin: Callable[[Asset, Mapping[str, Any]], Origin] | None = None,
        lease: Lease | None = None,
        stage: str = "",
    ) -> None:
        """Record for `run_id`; `refreshed` says that all is made in full.

        `numbering` says which partitions lie between two; without it the graph and the known keys do. `origin` tells of
        an asset, with the metadata of its record, what made it and where it is. `lease` is that of the run, by which it
        may write. What is named within the run has the name of its `stage` before its own.
        """
        self._stage = stage
        self._before = before.attempts
        self._gone = {place for place, tried in self._before.items() if tried.outcome == "gone"}
        #: What was seen not to be there in this run.
        self._missing: set[Place] = set()
        self._looked: set[AssetKey] = set()
        self._unseen: set[AssetKey] = set()
        self._run = run_id
        self._origin = origin
        self._lease = lease
        self._graph = graph
        self._latest = before.latest
        self._refreshed = refreshed
        self._versions = Versions(graph, before.latest, tables=before.tables)
        self._numbering = numbering or known_numbering(graph, before.tables)
        self._read_times = ReadTimes(graph, before.latest, self._versions, before.data_times)
        self._started: dict[Place, datetime] = {}
        #: When an invocation began that makes an asset.
        self._launched: dict[AssetKey, datetime] = {}
        #: When an asset is first heard of without having been said to start: by a line about it, or by an invocation
        #: of it alone.
        self._heard_of: dict[AssetKey, datetime] = {}
        self._events: list[EventRecord] = []
        self._materializations: list[Materialization] = []
        self._attempts: dict[Place, Attempt] = {}
        self._looks: list[Look] = []
        self._serial = 0
        self.outcomes: dict[Place, Attempt] = {}
        self.counts: Counter[str] = Counter()
        #: What broke invocations.
        self.problems: list[str] = []

    @classmethod
    def of(cls, lease: Lease, graph: AssetGraph, plan: Plan, services: RunServices, stage: str = "") -> Self:
        """Return the recorder of a run of a plan, with the records of what it makes, and of what that is made from."""
        made = (asset.key for each in plan.invocations for asset in (*each.invocation.assets, *each.invocation.also))
        refreshed = any(each.invocation.full_refresh for each in plan.invocations)
        read, store = with_read(graph, made), services.store
        known = known_keys(graph, store, read)
        return cls(
            *(lease.run, graph, Before(store.latest(read), tables=known, data_times=plan.data_times), refreshed),
            numbering=Numbering(graph, plan.definitions, plan.now),
            origin=services.values.origin,
            lease=lease,
            stage=stage,
        )

    @property
    def failed(self) -> bool:
        """Tell whether an asset, a check of severity error or an invocation has failed."""
        return bool(self.counts["failed"] or self.counts["checks_failed"] or self.problems)

    def is_unchanged(self, key: AssetKey, partition: str | None, at: datetime) -> bool:
        """Tell whether an asset, or a partition of it, was made from what it would read now."""
        made, asset = self._latest.get((key, partition)), self._graph[key]
        if made is None:
            return False
        now, settled = self._versions.inputs(asset, partition, at), self._read_times.settled(asset, made)
        return is_unchanged(self._graph, asset, made, now, settled)

    def begin(self, at: datetime, invocation: Invocation) -> None:
        """Record that what an invocation makes alone is under way, before it is carried out.

        It may have changed the value before its first word of that is on the disk: were this process killed then, the
        records would call fresh what is another one.
        """
        if len(invocation.assets) != 1:
            return
        key = invocation.assets[0].key
        for partition in invocation.partitions_of(invocation.assets[0]) or (None,):
            place = (key, partition)
            if place not in self.outcomes:
                self._attempts[place] = Attempt(key=key, partition=partition, run=self._run, at=at, outcome="running")

    def note(self, at: datetime, event: Event, invocation: str | None = None) -> None:
        """Take one event; what it tells of a range of partitions is recorded of each."""
        if isinstance(event, Materialized) and event.data_version is None:
            self._serial += 1
            event = replace(event, data_version=f"{self._run}.{self._stage}{self._serial}")
        if isinstance(event, Ranged) and event.through is not None:
            event = self._note_range(at, event)
        else:
            event = self._note(at, event)
        within = invocation and self._stage + invocation
        self._events.append(EventRecord(at=at, run=self._run, invocation=within, event=event))

    def _note_range(self, at: datetime, event: Ranged) -> Event:
        """Take an event of a range of partitions as one of each; return it with their number."""
        try:
            single = self._numbering.one_by_one(event)
        except UsageError as error:
            return Log(f"{event.name} names a range that is none, and is ignored: {error}", "warning", event.key)
        for each in single:
            self._note(at, each)
        return replace(event, count=len(single))  # type: ignore[call-arg]

    def _note(self, at: datetime, event: Event) -> Event:
        """Take an event that is about one partition at most; return it as it is recorded."""
        if isinstance(event, Materialized):
            event = self._note_materialized(at, event)
        elif isinstance(event, Observed):
            self._note_observed(at, event)
        elif isinstance(event, Started):
            self._started[event.key, event.partition] = at
            self._attempt((event.key, event.partition), at, "running")
        elif isinstance(event, Failed):
            self._note_failed(at, event)
        elif isinstance(event, Skipped):
            self._note_skipped(at, event)
        elif isinstance(event, Checked):
            self._note_checked(at, event)
        elif isinstance(event, Log) and event.key is not None:
            self._heard_of.setdefault(event.key, at)
        elif isinstance(event, InvocationStarted):
            self._launched |= dict.fromkeys(event.assets, at)
            if len(event.assets) == 1:
                self._heard_of.setdefault(event.assets[0], at)
        elif isinstance(event, InvocationFinished) and event.broken is not None:
            self.problems.append(event.broken)
        return event

    def _note_materialized(self, at: datetime, event: Materialized) -> Materialized:
        """Record what was made, from what; return the event with the rows that it has kept."""
        asset = self._graph[event.key]
        if event.code_version is not None:
            asset = replace(asset, code_version=event.code_version, code_parts=event.code_parts)
        inputs = self._versions.inputs(asset, event.partition, at)
        version = str(event.data_version)
        self._versions.note(asset, event.partition, version)
        place = (event.key, event.partition)
        older = older_rows(asset, self._latest.get(place), self._refreshed)
        if older is not None:
            event = replace(event, metadata={**event.metadata, OLDER_ROWS: older})
        started = self._started.get(place) or self._started.get((event.key, None))
        began = told_time(event.metadata) or started or self._launched.get(event.key, at)
        started = started or self._heard_of.pop(event.key, None)
        self._record(
            *(at, event, version),
            code_version=asset.code_version,
            code_parts=asset.code_parts,
            inputs=inputs,
            seconds=(at - started).total_seconds() if started else None,
            as_of=self._read_times.as_of(asset, event.partition, min(began, at)),
            appended=self._read_times.appended(asset),
            epoch=self._read_times.epoch(
                *(asset, asset.code_version, version, _epoch(event)), anew=self._refreshed and asset.refreshable
            ),
            origin=None if self._origin is None else self._origin(asset, event.metadata),
        )
        self._attempt(place, at, "materialized")
        self.counts["materialized"] += 1
        return event

    def _note_observed(self, at: datetime, event: Observed) -> None:
        """Record an outside change like a materialization: what is downstream compares versions, not events."""
        self._count_look(event.key)
        self._note_presence(at, event)
        if event.data_version is None:
            return
        version, reaches = str(event.data_version), min(told_time(event.metadata) or at, at)
        if version == self._versions.of(event.key, event.partition):
            seen = Look(key=event.key, partition=event.partition, at=at, data_version=version, as_of=reaches)
            self._looks.append(seen)
            return
        self.counts["new_content"] += 1
        self._versions.note(self._graph[event.key], event.partition, version)
        epoch = self._read_times.seen_epoch(self._graph[event.key], _epoch(event))
        before = self._latest.get((event.key, event.partition))
        # Whatever became of it outside, it is what was made here.
        origin = None if before is None else before.origin
        # By which code it was made is not known, but which table it was seen in.
        table = self._graph[event.key].code_parts.get("relation")
        seen_in = {} if table is None else {"code_parts": {"relation": table}}
        self._record(at, event, version, as_of=reaches, epoch=epoch, origin=origin, **seen_in)

    def _note_presence(self, at: datetime, event: Observed) -> None:
        """Record that something is not there, or is there again."""
        place = (event.key, event.partition)
        if event.gone and self._graph[event.key].executable and place not in self._latest:
            return  # it was never made
        if event.gone:
            self._note_gone(place, at, event.hint)
        elif not self._graph[event.key].executable:
            before = self._before.get(place)
            if before is None or before.outcome != "there":
                self._saw(place, at, "there")
        elif place in self._gone:
            self._saw(place, at, "materialized")

    def _note_gone(self, place: Place, at: datetime, hint: str | None) -> None:
        """Record that something is not there, once, whoever looks: its tool, and the place that it was in."""
        self._missing.add(place)
        self.counts["gone"] = len(self._missing)
        told = self._before.get(place) if place in self._gone else None
        if place not in self._gone or (hint is not None and (told is None or told.hint != hint)):
            self._gone.add(place)
            relation = self._graph[place[0]].relation
            self._saw(place, at, "gone", None if relation is None else str(relation), hint)

    def _saw(
        self, place: Place, at: datetime, outcome: Outcome, message: str | None = None, hint: str | None = None
    ) -> None:
        """Record how something is that nobody tried to make: it is no outcome of this run."""
        before = self._before.get(place)
        if before is not None and before.outcome not in (*WELL, "gone", "there"):
            return
        key, partition = place
        self._attempts[place] = Attempt(
            key=key, partition=partition, run=self._run, at=at, outcome=outcome, message=message, hint=hint
        )

    def look(self, at: datetime, event: Observed, invocation: str | None = None, *, quiet: bool = False) -> None:
        """Take what was seen of a place; it is an event only when it says more than that all is as it was.

        Where it is `quiet`, that the content is the same is no event either.
        """
        place = (event.key, event.partition)
        same = event.data_version is None or (quiet and event.data_version == self._versions.of(*place))
        if event.through is None and same and event.gone == (place in self._gone):
            self._note_observed(at, event)
        else:
            self.note(at, event, invocation)

    def note_dropped(self, at: datetime, key: AssetKey, partition: str, invocation: str | None = None) -> None:
        """Take that a partition which had come into being is gone: it is none any more, and its record stays."""
        self._count_look(key)
        self.counts["dropped"] += 1
        event = Observed(key, partition, gone=True)
        self._events.append(EventRecord(at=at, run=self._run, invocation=invocation, event=event))

    def gone_hint(self, place: Place) -> str | None:
        """Return the next step that is known of something that is gone, by this look or one before."""
        known = self._attempts.get(place) or self._before.get(place)
        return known.hint if known is not None and known.outcome == "gone" else None

    def _count_look(self, key: AssetKey) -> None:
        """Count an asset that was looked at, once, whatever was seen."""
        self._looked.add(key)
        self._count_looks()

    def has_looked(self, key: AssetKey) -> bool:
        """Tell whether something was seen of an asset."""
        return key in self._looked

    def missed(self, keys: Iterable[AssetKey]) -> None:
        """Count assets that could not be looked at, each once."""
        self._unseen.update(keys)
        self._count_looks()

    def _count_looks(self) -> None:
        self.counts["observed"] = len(self._looked - self._unseen)
        if self._unseen:
            self.counts["not_observed"] = len(self._unseen)

    def _record(self, at: datetime, event: Content, version: str, **trace: Any) -> None:
        made = Materialization(
            key=event.key,
            partition=event.partition,
            at=at,
            run=self._run,
            data_version=version,
            columns=event.columns,
            metadata=event.metadata,
            **trace,
        )
        self._read_times.note(made)
        self._materializations.append(made)

    def _note_failed(self, at: datetime, event: Failed) -> None:
        place = (event.key, event.partition)
        before = self.outcomes.get(place)
        if before is not None and before.outcome == "materialized":
            self.counts["materialized"] -= 1  # the tool took it back
        self._attempt(place, at, "failed", event.message, hint=event.hint)
        self.counts["failed"] += 1

    def _note_skipped(self, at: datetime, event: Skipped) -> None:
        outcome: Outcome = "unchanged" if event.unchanged else "cancelled" if event.cancelled else "skipped"
        self.counts[outcome] += 1
        place = (event.key, event.partition)
        if event.unchanged:
            self._read_times.note_unchanged(self._graph[event.key], event.partition, at)
        before = self.outcomes.get(place)
        if before is not None and before.outcome == "check_failed":
            return  # its own check stopped it: that is the failure, and the skip only its consequence
        self._attempt(place, at, outcome, event.because, event.root)

    def _note_checked(self, at: datetime, event: Checked) -> None:
        self.counts[f"checks_{event.outcome}"] += 1
        if event.stops:
            outcome: Outcome = "cancelled" if event.cancelled else "check_failed"
            because = f" {event.outcome}" + (f": {event.message}" if event.message else "")
            self._attempt((event.key, event.partition), at, outcome, f"check {event.check}{because}")
            for key in self._also(event):
                # What has other partitions, or none, is looked at as a whole.
                same = self._graph[key].partitions_def == self._graph[event.key].partitions_def
                place = (key, event.partition if same else None)
                self._attempt(place, at, outcome, f"check {event.check} of {event.key}{because}", event.key)

    def _also(self, event: Checked) -> Iterator[AssetKey]:
        """Yield the other assets that a check is of, where something here makes them."""
        asset = self._graph[event.key]
        for check in asset.checks:
            if check.name == event.check:
                yield from (key for key in check.also if self._graph[key].executable and key != event.key)

    def _attempt(
        self,
        place: Place,
        at: datetime,
        outcome: Outcome,
        message: str | None = None,
        because: AssetKey | None = None,
        hint: str | None = None,
    ) -> None:
        before = self.outcomes.get(place)
        lesser = outcome in ("materialized", "unchanged", "running", "cancelled")
        if lesser and before is not None and before.outcome == "check_failed":
            return  # a check may report before its asset; a failure is not washed away by what follows
        how: Any = {"outcome": outcome, "message": message, "because": because, "hint": hint}
        key, partition = place
        attempt = Attempt(key=key, partition=partition, run=self._run, at=at, **how)
        self.outcomes[place] = self._attempts[place] = attempt
        whole = self.outcomes.get((key, None)) if partition is not None and outcome != "running" else None
        if whole is not None and whole.outcome == "running":
            # It was started as a whole; nothing of it must be left as running.
            self._attempt((key, None), at, outcome, message, because, hint)

    @property
    def has_news(self) -> bool:
        """Tell whether something was noted that is other than it was known to be."""
        return bool(self._materializations or self._attempts)

    def leased(self, lease: Lease) -> None:
        """Write with the lease of a run that began only when there was something to record."""
        self._lease = lease

    def write(self, store: Store, beside: Beside | None = None) -> list[EventRecord]:
        """Write what was noted since the last time, and what is to be changed beside it; return it, now durable."""
        events = self._events
        if events or beside is not None:
            # What could not be written is kept for another try. A store may be older than looks, and `beside`.
            more = (self._looks,) if self._looks else ()
            given: dict[str, Any] = {"lease": self._lease} | ({"beside": beside} if beside is not None else {})
            store.append(events, self._materializations, list(self._attempts.values()), *more, **given)
            self._events, self._materializations, self._attempts, self._looks = [], [], {}, []
        return events

    def write_looks(self, store: Store, beside: Beside | None) -> None:
        """Write when what is as it was was looked at, and what is changed beside it; nothing else of what was noted."""
        if beside is not None:
            store.append([], [], [], self._looks, beside=beside)
        elif self._looks:
            store.append([], [], [], self._looks)
        self._events, self._looks = [], []


def _epoch(event: Content) -> str | None:
    """Return in which epoch a tool says that a table is; None where it does not."""
    told = event.metadata.get(EPOCH)
    return None if told is None else str(told)
