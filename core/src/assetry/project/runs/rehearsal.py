"""Rehearsals: plans are carried out on a copy of the records, at moments that are told, and no tool runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from assetry.plan.plan import Plan, PlannedInvocation
from assetry.project.project import Project
from assetry.project.runs.services import services_of
from assetry.run.leases.lease import places_in, take_lease
from assetry.run.leases.shares import Shares, held_by_tools
from assetry.run.partition_keys import known_keys
from assetry.run.recorder import Before, Recorder
from assetry.run.result import defined, new_run
from assetry.status.versions import with_read
from assetry.types.assets import Asset
from assetry.types.events import Checked, InvocationStarted, Materialized, Observed, RunFinished, RunStarted, Started
from assetry.types.keys import AssetKey
from assetry.types.leases import SlotRequest
from assetry.types.protocols import Store
from assetry.types.records import Materialization

_COPY = "sqlite::memory:"


class Rehearsal:
    """A project with a copy of its records in memory, where what is made is only said to have been made.

    `project` plans and judges as the real one, at `now`, which is set from outside. Nothing that happens to it is seen
    in the real one, no tool runs, and no value is kept. Runs that go on are not part of the copy.

    >>> from datetime import UTC, timedelta
    >>> from assetry import asset
    >>> @asset
    ... def one() -> int:
    ...     return 1
    >>> with Project(assets=[one], store="sqlite::memory:", io="memory:") as project:
    ...     rehearsal = Rehearsal(project, datetime(2026, 1, 5, tzinfo=UTC))
    ...     run = rehearsal.begin(rehearsal.project.plan())
    ...     for each in run.plan.invocations:
    ...         _ = run.start(each)
    ...         rehearsal.now += timedelta(minutes=3)
    ...         run.make(each)
    ...     run.finish()
    ...     [status.status for each in (rehearsal.project, project) for status in each.status()]
    ['fresh', 'never']
    """

    def __init__(self, project: Project, now: datetime) -> None:
        self.now = now
        self.project = project.with_records(_COPY, lambda: self.now)
        _copy(project.store, self.project.store, [each.key for each in project.graph.assets])
        self.services = services_of(self.project, held_by_tools(self.project.groups.values()))
        self._runs = 0

    def begin(self, plan: Plan, options: Mapping[str, Any] | None = None) -> RehearsedRun:
        """Begin to carry out a plan; raise `ConflictError` where another rehearsed run makes some of it."""
        self._runs += 1
        return RehearsedRun(self, plan, f"rehearsed-{self._runs}", options or {})

    def see(self, key: AssetKey, version: str) -> None:
        """Record that new content of an asset was seen that is made elsewhere, which is as of now."""
        store, graph = self.project.store, self.project.graph
        read = with_read(graph, [key])
        before = Before(store.latest(read), tables=known_keys(graph, store, read))
        recorder = Recorder("seen", graph, before)
        recorder.note(self.now, Observed(key, data_version=version))
        recorder.write(store)


class RehearsedRun:
    """A run of a rehearsal: what begins and ends in it is told.

    Of pools, groups and places it has no more at a time than there is, as runs have it.
    """

    def __init__(self, rehearsal: Rehearsal, plan: Plan, id_: str, options: Mapping[str, Any]) -> None:
        self.plan = plan
        self._rehearsal = rehearsal
        project, now = rehearsal.project, rehearsal.now
        self._store, graph = project.store, project.graph
        keys = tuple(plan.wants)
        info = replace(new_run(keys, options, id_), started=now)
        self._lease = take_lease(info, plan, graph, self._store)
        self._store.begin(replace(info, definitions=defined(graph, self._store)), self._lease)
        services = rehearsal.services
        self._shares = Shares(services.pools, services.held, services.values)
        self._recorder = Recorder.of(self._lease, graph, plan, services)
        self._began = now
        self._started: dict[str, datetime] = {}
        self._recorder.note(now, RunStarted(len(keys), len(plan.invocations), places_in(plan)))
        self._recorder.write(self._store)

    def start(self, planned: PlannedInvocation) -> bool:
        """Say that an invocation begins now; return whether it does, or waits for what others have of pools.

        What waits has its place among those who wait until it is asked for again, or its run has finished.
        """
        invocation = planned.invocation
        shares = self._shares.of(invocation)
        request = SlotRequest(planned.id, shares)
        if shares and not self._store.exchange_slots(self._lease, take=[request]):
            return False
        keys = tuple(asset.key for asset in invocation.assets)
        group = invocation.group.key if invocation.group is not None else None
        began = InvocationStarted(invocation.integration.kind, keys, group)
        self._recorder.note(self._rehearsal.now, began, planned.id)
        self._recorder.write(self._store)
        self._started[planned.id] = self._rehearsal.now
        return True

    def make(
        self, planned: PlannedInvocation, times: Mapping[AssetKey, tuple[datetime, datetime]] | None = None
    ) -> None:
        """Say that an invocation has made all of its assets by now, with new content, and that its checks passed.

        `times` tell when it was at each asset; all the time where they do not.
        """
        whole = self._started[planned.id], self._rehearsal.now
        for asset, partition in _places(planned):
            began, ended = (times or {}).get(asset.key, whole)
            self._recorder.note(began, Started(asset.key, partition), planned.id)
            self._recorder.note(ended, Materialized(asset.key, partition), planned.id)
        for ref in planned.invocation.checks:
            self._recorder.note(whole[1], Checked(ref.key, ref.check, True), planned.id)
        self._recorder.write(self._store)
        if self._shares.of(planned.invocation):
            self._store.exchange_slots(self._lease, free=[planned.id])

    def finish(self) -> None:
        """Say that the run is over."""
        now, counts = self._rehearsal.now, dict(self._recorder.counts)
        self._recorder.note(now, RunFinished("succeeded", (now - self._began).total_seconds(), counts))
        self._recorder.write(self._store)
        self._store.finish(self._lease.run, "succeeded", now, lease=self._lease)


def _places(planned: PlannedInvocation) -> Iterator[tuple[Asset, str | None]]:
    for asset in (*planned.invocation.assets, *planned.invocation.also):
        for partition in planned.invocation.partitions_of(asset) or (None,):
            yield asset, partition


# -- the copy ----------------------------------------------------------------------------------------------------------


def _copy(store: Store, copy: Store, keys: Sequence[AssetKey]) -> None:
    """Record in a new store what another one knows of assets, as far as their states follow from it."""
    for key, table in store.partition_keys().items():
        dropped = [each for number, each in enumerate(table.keys) if number in table.dropped]
        copy.change_partition_keys(key, known=table.keys, drop=dropped)
    latest = store.latest(keys)
    attempts = [each for each in store.attempts(keys).values() if each.outcome != "running"]
    checks = sorted(store.latest_checks(keys).values(), key=lambda each: each.at)
    made = sorted(latest.values(), key=lambda each: each.at)
    copy.append(checks, [*_with_durations(store, keys, made)], attempts, list(store.looks(keys).values()))
    for record in store.backfills():
        copy.change_backfill(record, None)


def _with_durations(
    store: Store, keys: Sequence[AssetKey], made: Iterable[Materialization]
) -> Iterator[Materialization]:
    """Yield records, before each asset's last one others of the same for how long it took earlier."""
    last = {each.key: each for each in made}
    durations = store.durations(keys)
    for key, took in durations.items():
        if key in last:
            yield from (replace(last[key], seconds=seconds) for seconds in took)
    # What counts is what comes last; how long it took is told already.
    yield from (replace(each, seconds=None) if each.key in durations else each for each in made)
