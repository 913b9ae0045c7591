"""Which of those who wait for slots of pools get them now. Decides only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from assetry.types.leases import BETWEEN_RUNS, PRIORITIES, Slot, rank

#: How long one waits before all that it needs is kept free for it, and before what fills up history is let in between.
PATIENCE = timedelta(minutes=10)
#: The part of a pool, at least one slot, that those may hold then who came before others of a better class.
IN_BETWEEN = 4

#: One who waits: its run and its ticket, with what it waits for.
Waiting = Mapping[tuple[str, str], Sequence[Slot]]


def granted(slots: Iterable[Slot], asking: Collection[tuple[str, str]], now: datetime) -> set[tuple[str, str]]:
    """Return who of `asking` gets what it waits for; `slots` are all that are held, or waited for.

    Who waits longest of the best class comes first, see `rank`. A pool without room for one that waits is kept for it,
    so that it does not starve behind others who need less; of the other pools it needs, those behind it may use what is
    free, until it has waited for long. What fills up history gets a quarter of a pool, at least one slot, once it has
    waited for long, whatever fresh work there is. In a pool that binds runs alone a run's own slots are not in its way,
    and one that has all of it may use it more.
    """
    waiting: dict[tuple[str, str], list[Slot]] = {}
    used: Counter[str] = Counter()
    #: Of pools that bind runs alone: what each run uses, and who has all of one.
    own_use: Counter[tuple[str, str]] = Counter()
    owners: set[tuple[str, str]] = set()
    low: Counter[str] = Counter()
    for slot in slots:
        if not slot.held:
            waiting.setdefault((slot.run, slot.ticket), []).append(slot)
            continue
        used[slot.pool] += slot.weight
        if slot.pool.startswith(BETWEEN_RUNS):
            own_use[slot.pool, slot.run] += slot.weight
            owners |= {(slot.pool, slot.run)} if slot.weight >= slot.limit else set()
        low[slot.pool] += slot.weight if slot.priority >= PRIORITIES["backfill"] else 0
    found: set[tuple[str, str]] = set()
    for who in _in_order(waiting, low, now):
        own = waiting[who]
        short = [
            slot
            for slot in own
            if (slot.pool, slot.run) not in owners
            and used[slot.pool] - own_use[slot.pool, slot.run] + min(slot.weight, slot.limit) > slot.limit
        ]
        if not short and who in asking:
            found.add(who)
        # What another could have now it will take when it looks next.
        kept = own if not short or now - own[0].since >= PATIENCE else short
        for slot in kept:
            used[slot.pool] += slot.weight
            if slot.pool.startswith(BETWEEN_RUNS):
                own_use[slot.pool, slot.run] += slot.weight
    return found


def _in_order(waiting: Waiting, low: Mapping[str, int], now: datetime) -> list[tuple[str, str]]:
    """Return those who wait, the first first."""

    def place(who: tuple[str, str]) -> tuple[int, datetime, tuple[str, str]]:
        own = waiting[who]
        first = own[0]
        between = first.priority >= PRIORITIES["backfill"] and now - first.since >= PATIENCE
        if between and all(low[slot.pool] + slot.weight <= max(slot.limit // IN_BETWEEN, 1) for slot in own):
            return -1, first.since, who
        return (*rank(first.priority, first.since, now), who)

    return sorted(waiting, key=place)
