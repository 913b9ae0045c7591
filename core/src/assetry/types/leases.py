"""Leases: which run may make what, and write of it, until when; so that nothing is made by two at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from assetry.errors import LeaseLostError, UsageError, near_names
from assetry.partitions.parts import Parts
from assetry.types.keys import AssetKey
from assetry.types.records import RunInfo, RunState


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of a run to make what it has leased, and to write, until it ends or is taken for gone.

    `token` is a revision of the store, greater than that of every lease that it gave before. A store refuses what is
    written with another one than the run's own. `expires`, by the store's clock, is when a run on a machine that cannot
    be looked at is taken for gone; it is renewed until then, for `seconds` each time. None for a store that no other
    process reaches.

    >>> Lease("r", 7).seconds is None
    True
    """

    run: str
    token: int
    expires: datetime | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class LeasedParts:
    """The partitions of an asset that a run is to make, so that they can be compared without their definition.

    `grid` says how they are counted; `ranges` are half-open, by strand. Those of other grids cannot be told apart.

    >>> days = [LeasedParts("daily", {"": ((first, first + 2),)}) for first in (0, 1, 2)]
    >>> days[0].meets(days[1]), days[0].meets(days[2]), days[0].meets(None)
    (True, False, True)
    """

    grid: str
    ranges: Mapping[str, tuple[tuple[int, int], ...]]

    def meets(self, other: LeasedParts | None) -> bool:
        """Tell whether another lease of the same asset has any of these partitions; None is one of all of it."""
        if other is None or other.grid != self.grid:
            return True
        return any(_meet(own, other.ranges[strand]) for strand, own in self.ranges.items() if strand in other.ranges)


def _meet(one: Sequence[tuple[int, int]], two: Sequence[tuple[int, int]]) -> bool:
    """Tell whether two lists of ranges have a number in common; of most assets each has one range."""
    if len(one) == len(two) == 1:
        (first, stop), (other_first, other_stop) = one[0], two[0]
        return max(first, other_first) < min(stop, other_stop)
    return bool(Parts({"": one}) & Parts({"": two}))


#: Assets that a run is to make, each with the partitions of it; None for all of it.
WantedLeases = Mapping[AssetKey, LeasedParts | None]


class HeldLease(NamedTuple):
    """What a living run has leased of one asset: partitions of it, None for all of it.

    >>> HeldLease(AssetKey("a"), "r").parts is None
    True
    """

    key: AssetKey
    run: str
    parts: LeasedParts | None = None


def meeting(wanted: WantedLeases, held: Iterable[HeldLease]) -> tuple[HeldLease, ...]:
    """Return what of all that is held is in the way of what is wanted.

    >>> meeting({AssetKey("a"): None}, [HeldLease(AssetKey("a"), "r"), HeldLease(AssetKey("b"), "r")])
    (HeldLease(key=AssetKey('a'), run='r', parts=None),)
    """
    return tuple(each for each in held if each.key in wanted and leases_meet(wanted[each.key], each.parts))


def leases_meet(one: LeasedParts | None, other: LeasedParts | None) -> bool:
    """Tell whether two leases of one asset are of the same partitions; None is all of it."""
    return one is None or one.meets(other)


class Leased(NamedTuple):
    """What came of asking for a lease: the lease, or what other living runs hold of what was asked for.

    >>> Leased(None, (HeldLease(AssetKey("a"), "r"),)).lease is None
    True
    """

    lease: Lease | None
    held: tuple[HeldLease, ...] = ()


class QueuedRun(NamedTuple):
    """A run that waits, with what it wants to lease; `run.started` is since when."""

    run: RunInfo
    wanted: WantedLeases


#: Which of those who wait come first, by their class: what a person asked for, what has a deadline, what is made as
#: soon as it can be, and what fills up history.
PRIORITIES: Mapping[str, int] = MappingProxyType({"person": 0, "deadline": 10, "eager": 20, "backfill": 50})
_CLASSES = tuple(sorted(PRIORITIES.values()))


def rank(priority: int, since: datetime, now: datetime) -> tuple[int, datetime]:
    """Return what those who wait are sorted by, the first first: by class, and the longest waiting of each.

    Each hour of waiting is worth a class, so that whoever waits comes to be among the first.

    >>> noon = datetime(2026, 1, 1, 12)
    >>> [rank(50, noon, noon.replace(hour=hour))[0] for hour in (12, 14, 23)]
    [50, 10, 0]
    """
    hours = int((now - since).total_seconds() // 3600)
    if hours <= 0:
        return priority, since
    return _CLASSES[max(bisect_left(_CLASSES, priority) - hours, 0)], since


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for a run that no person has asked for: its `name`, which is kept, and the `priority` of what it asks.

    `priority` is a class of those who wait, see docs/runs.md: ``person``, ``deadline``, ``eager`` or ``backfill``.

    >>> Asker("job nightly", "eager").options
    {'asked_by': 'job nightly'}
    """

    name: str
    priority: str = "eager"

    def __post_init__(self) -> None:
        if self.priority not in PRIORITIES:
            near = near_names(self.priority, PRIORITIES)
            known = ", ".join(PRIORITIES)
            raise UsageError(f"priority={self.priority!r}: unknown.", near=near, hint=f"Known: {known}.")

    @property
    def options(self) -> dict[str, Any]:
        """Return what is kept of it with a run."""
        return {"asked_by": self.name}


#: A limit that binds nobody.
UNLIMITED = 1_000_000
#: How the name of a pool begins that binds runs: what one run uses of it is in the way of others alone.
BETWEEN_RUNS = "between:"


class Share(NamedTuple):
    """What an invocation uses of a pool while it runs: `weight` of its `limit` slots.

    A `pool` is one that the project names, ``group:`` with the key of an invocation group, or a place; ``between:``
    with a place is one of which a run has as much as it likes, unless another run has some of it.

    >>> Share("warehouse", 1, 2).limit
    2
    """

    pool: str
    weight: int
    limit: int


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """What an invocation needs of pools before it starts, all of it or nothing; `ticket` is its run's name for it.

    >>> SlotRequest("1", (Share("warehouse", 1, 2),)).ticket
    '1'
    """

    ticket: str
    shares: tuple[Share, ...]


class Slot(NamedTuple):
    """What an invocation of a living run holds of a pool, or waits for; `since` when."""

    pool: str
    run: str
    ticket: str
    weight: int
    limit: int
    priority: int
    since: datetime
    held: bool


def in_the_way(slots: Iterable[Slot], run: str, request: SlotRequest) -> dict[str, tuple[Slot, ...]]:
    """Return what keeps an invocation of a run waiting: by pool without room for it, who holds that.

    Where all have room, but it is kept for others who come first, they are told; and all of its pools, without anyone,
    where that has changed just now.

    >>> noon = datetime(2026, 1, 1, 12)
    >>> held = Slot("warehouse", "other", "1", 1, 1, 0, noon, True)
    >>> in_the_way([held], "mine", SlotRequest("1", (Share("warehouse", 1, 1),))) == {"warehouse": (held,)}
    True
    """
    held: dict[str, list[Slot]] = {share.pool: [] for share in request.shares}
    waiting: dict[str, list[Slot]] = {share.pool: [] for share in request.shares}
    for slot in slots:
        if slot.run == run and (slot.ticket == request.ticket or slot.pool.startswith(BETWEEN_RUNS)):
            continue
        if slot.pool in held:
            (held if slot.held else waiting)[slot.pool].append(slot)
    full = {
        share.pool: tuple(held[share.pool])
        for share in request.shares
        if sum(each.weight for each in held[share.pool]) + min(share.weight, share.limit) > share.limit
    }
    return full or {pool: tuple(own) for pool, own in waiting.items() if own} or dict.fromkeys(held, ())


class LeaseStore(Protocol):
    """What a `Store` promises of who may make what, and write of it.

    Every writing method is durable when it returns, and safe against other processes.
    """

    def lease(self, run_id: str, wanted: WantedLeases, *, priority: int = 0) -> Leased:
        """Lease assets, or partitions of them, to a run until it ends or is gone: all of it, or nothing.

        Another run that lives holds an asset when it has leased all of it, or one of these partitions; see
        `LeasedParts.meets`. A run leases before it begins, and may do so again, also once it has ended: it has then
        what it leases now, and nothing of what it had before; with nothing `wanted` it lets go of all, and goes on. One
        that is gone before it has begun has done nothing, and must not stay among the runs: the next retry would take
        it for the run to go on with.

        A run lives while its process does, where that can be seen, else until its lease expires.
        """

    def renew(self, lease: Lease) -> Lease:
        """Let a lease expire later, by the store's clock; raise `LeaseLostError` when its run no longer has it.

        A run that has ended, or was taken for gone, has none; one that has expired unseen still has it.
        """

    def leases(self) -> tuple[HeldLease, ...]:
        """Return what living runs have leased."""

    def enqueue(self, run: RunInfo, wanted: WantedLeases) -> Lease:
        """Record that a run waits until it can lease what it wants: its state is ``queued``, and `runs` has it not.

        Raises `ConflictError` when another process that lives waits under the same id.

        It is called again when it wants something else. Leasing ends the waiting, so does `finish`; of one that is gone
        nothing stays. Of those who wait, `rank` says who comes first: nothing is leased to a run that waits as long as
        another one that comes before it waits for any of the same.
        """

    def queue(self) -> tuple[QueuedRun, ...]:
        """Return the runs that wait, the first first."""

    def prioritize(self, run_id: str, priority: int) -> None:
        """Give a run that waits or goes on, and what it waits for, another class."""

    def exchange_slots(
        self, lease: Lease, *, free: Collection[str] = (), take: Sequence[SlotRequest] = ()
    ) -> tuple[str, ...]:
        """Free slots of pools that a run holds or waits for, by ticket, and take others, each request whole or not.

        Return the tickets of `take` that it has now; it waits for the others, and asks again with the same tickets.
        Of each pool no more than its limit is held, by all runs together. Of one whose name begins with `BETWEEN_RUNS`
        what the run itself holds does not count, and one that holds all of it is given more at once. Who waits gets its
        turn, by `rank` of its run's class: nothing is given to one as long as another waits for the same pool who comes
        before it. What a run holds or waits for ends with the run, also when it is taken for gone. Raises
        `LeaseLostError` as `Store.append`.
        """

    def slots(self) -> tuple[Slot, ...]:
        """Return what living runs hold of pools, and wait for."""

    def begin(self, run: RunInfo, lease: Lease | None = None) -> Lease:
        """Record that a run starts, its state being ``running``; return its lease, a new one where it has none.

        Raises `LeaseLostError` when it was taken for gone since it leased.
        """

    def finish(self, run_id: str, state: RunState, at: datetime, *, lease: Lease | None = None) -> None:
        """Record how a run ended, and release what it had leased; with its `lease` as `Store.append` does."""


def lease_lost(run: str, why: str) -> LeaseLostError:
    """Return the error of a run that lost its lease; `why` goes on from there.

    >>> print(lease_lost("r", " at 10:02: it gave no sign of life for 60 s").message)
    Run r lost its lease at 10:02: it gave no sign of life for 60 s. What it made after that was not recorded.
    """
    return LeaseLostError(
        f"Run {run} lost its lease{why}. What it made after that was not recorded.",
        hint=f"Look at what its tools have left, and at who makes it now: `assetry status`, `assetry runs`; "
        f"`assetry retry {run}` makes what is left of it.",
    )
