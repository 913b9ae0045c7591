"""The queue: what runs now, and what waits, for what and for whom, in the order in which it will go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from assetry.types.keys import AssetKey
from assetry.types.leases import PRIORITIES, HeldLease, QueuedRun, Share, Slot, SlotRequest, in_the_way, meeting, rank
from assetry.types.records import BackfillRecord, RunInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueItem:
    """One that runs or waits: a run, an invocation of one, or a backfill.

    `priority` is its class as it was given. It waits for `pool`, or for what other runs have leased of `assets`; `runs`
    are those that it waits for, and `held_since` tells since when they have it. `slots` are those of pools that it has.
    `run` is the one that an invocation is of, or that waits for what it joins. `backfill` is the id of the one that a
    run is of, and `name` the name of that, or of the backfill itself. `partitions` are ranges of their keys, by asset.

    >>> from datetime import UTC
    >>> QueueItem(id="r", kind="run", state="running", since=datetime(2026, 1, 1, tzinfo=UTC)).word
    'person'
    """

    id: str
    kind: Literal["run", "invocation", "backfill"]
    state: Literal["running", "waiting"]
    since: datetime
    priority: int = 0
    assets: tuple[AssetKey, ...] = ()
    run: str | None = None
    pool: str | None = None
    runs: tuple[str, ...] = ()
    held_since: datetime | None = None
    slots: tuple[Slot, ...] = field(default=())
    backfill: str | None = None
    name: str | None = None
    partitions: Mapping[AssetKey, Sequence[Sequence[str]]] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """Return the name of its class."""
        names = {priority: name for name, priority in PRIORITIES.items()}
        return names.get(self.priority, str(self.priority))


def queue_of(
    runs: Iterable[RunInfo],
    queued: Iterable[QueuedRun],
    leases: Sequence[HeldLease],
    slots: Sequence[Slot],
    backfills: Iterable[BackfillRecord],
    now: datetime,
) -> tuple[QueueItem, ...]:
    """Return what runs, the longest first, and then what waits, the first first; `runs` are those under way.

    A backfill waits when no process carries it out.
    """
    backfills = tuple(backfills)
    names = {record.id: record.body.get("name") for record in backfills}
    running = [
        QueueItem(
            id=run.id,
            kind="run",
            state="running",
            since=run.started,
            priority=run.priority,
            assets=run.assets,
            slots=tuple(each for each in slots if each.held and each.run == run.id),
            backfill=run.backfill,
            name=names.get(run.options.get("backfill", "")),
            partitions=ranges_of(run.options.get("wants")),
        )
        for run in runs
    ]
    queued, carried = tuple(queued), dict[str, RunInfo]()
    for each in queued:
        if each.run.backfill == each.run.id:
            carried[each.run.id] = each.run
    waits = (each for each in queued if each.run.id not in carried)
    waiting = [*(_waiting_run(each, leases) for each in waits), *_waiting_invocations(slots)]
    for record in backfills:
        if record.state == "open":
            item = _backfill(record, carried.get(record.id))
            (running if item.state == "running" else waiting).append(item)
    running.sort(key=lambda each: each.since)
    waiting.sort(key=lambda each: (*rank(each.priority, each.since, now), each.id))
    return (*running, *waiting)


def ranges_of(wants: Any) -> dict[AssetKey, Sequence[Sequence[str]]]:
    """Return the partitions that are kept of what is wanted, of assets that have any."""
    return {AssetKey(key): ranges for key, ranges in (wants or {}).items() if ranges}


def _backfill(record: BackfillRecord, run: RunInfo | None) -> QueueItem:
    return QueueItem(
        id=record.id,
        kind="backfill",
        state="waiting" if run is None else "running",
        since=record.at,
        priority=int(record.body.get("priority", PRIORITIES["backfill"])),
        assets=tuple(map(AssetKey, record.body.get("wants", {}))),
        name=record.body.get("name"),
        partitions=ranges_of(record.body.get("wants")),
    )


def _waiting_run(queued: QueuedRun, leases: Sequence[HeldLease]) -> QueueItem:
    run = queued.run
    held = meeting(queued.wanted, (each for each in leases if each.run != run.id))
    theirs = {each.key for each in held}
    return QueueItem(
        id=run.id,
        kind="run",
        state="waiting",
        since=run.started,
        priority=run.priority,
        assets=tuple(key for key in queued.wanted if key in theirs) or run.assets,
        runs=tuple(dict.fromkeys(each.run for each in held)),
        run=run.options.get("waits_in"),
    )


def _waiting_invocations(slots: Sequence[Slot]) -> Iterable[QueueItem]:
    waiting: dict[tuple[str, str], list[Slot]] = {}
    for slot in slots:
        if not slot.held:
            waiting.setdefault((slot.run, slot.ticket), []).append(slot)
    for (run, ticket), own in waiting.items():
        request = SlotRequest(ticket, tuple(Share(each.pool, each.weight, each.limit) for each in own))
        pool, others = next(iter(in_the_way(slots, run, request).items()))
        yield QueueItem(
            id=f"{run} {ticket.partition('/')[0]}",
            kind="invocation",
            state="waiting",
            since=own[0].since,
            priority=own[0].priority,
            run=run,
            pool=pool,
            runs=tuple(dict.fromkeys(each.run for each in others)),
            held_since=min((each.since for each in others if each.held), default=None),
        )


def queue_to_json(items: Iterable[QueueItem]) -> dict[str, Any]:
    """Return the queue as ``assetry queue --output json`` has it.

    >>> queue_to_json([])
    {'queue': []}
    """
    return {"queue": [_item_to_json(each) for each in items]}


def _item_to_json(item: QueueItem) -> dict[str, Any]:
    waits = None
    if item.state == "waiting" and item.kind != "backfill":
        waits = {
            "pool": item.pool,
            "runs": list(item.runs),
            "since": None if item.held_since is None else item.held_since.isoformat(),
        }
    return {
        "id": item.id,
        "kind": item.kind,
        "state": item.state,
        "priority": item.priority,
        "class": item.word,
        "since": item.since.isoformat(),
        "run": item.run,
        "assets": [str(key) for key in item.assets],
        "backfill": item.backfill,
        "name": item.name,
        "partitions": {str(key): [list(each) for each in ranges] for key, ranges in item.partitions.items()},
        "waits_for": waits,
        "slots": [{"pool": each.pool, "weight": each.weight, "since": each.since.isoformat()} for each in item.slots],
    }
