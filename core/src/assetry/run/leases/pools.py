"""The slots of pools that a run holds and waits for, in the store that all runs share."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from assetry.types.events import Waiting
from assetry.types.invocations import Invocation
from assetry.types.leases import Lease, Share, Slot, SlotRequest, in_the_way
from assetry.types.protocols import Store

#: Seconds between two looks whether what is waited for is free: at first, and at most.
FIRST, MOST = 0.1, 1.0


class Taken(NamedTuple):
    """What came of asking for slots: who may start, what to tell of those who wait, and the pools that are full."""

    granted: list[Invocation]
    waits: list[tuple[str, Waiting]]
    full: frozenset[str]


class Pools:
    """The slots of a run: taken before an invocation starts, and freed at its end.

    Nothing is asked of the store where nothing that a run makes uses any pool.
    """

    def __init__(self, store: Store, shares: Callable[[Invocation], tuple[Share, ...]]) -> None:
        self._store = store
        self._shares = shares
        #: By planned invocation: the ticket by which it waits, and for whom, as it was told last.
        self._waiting: dict[str, str] = {}
        self._told: dict[str, Waiting] = {}
        #: By planned invocation: the ticket with which its next call starts. By call: the ticket that it holds.
        self._ready: dict[str, str] = {}
        self._held: dict[str, str] = {}
        self._free: list[str] = []
        self._count = 0
        self._pause = FIRST
        self._next_look = 0.0

    @property
    def pause(self) -> float | None:
        """Return the seconds until the next look is due; None where nothing is waited for."""
        return max(self._next_look - time.monotonic(), 0.0) if self._waiting else None

    def take(self, lease: Lease, chosen: Sequence[Invocation], ready: Callable[[], Collection[str]]) -> Taken:
        """Take slots for invocations that could start; free those of calls that have ended, and of what is not `ready`.

        Raises `LeaseLostError` when the run has its lease no more.
        """
        there = ready() if self._waiting else ()
        for id_ in [each for each in self._waiting if each not in there]:
            self._free.append(self._waiting.pop(id_))
            self._told.pop(id_, None)
        asking = {each.id: self._shares(each) for each in chosen}
        requests = {id_: SlotRequest(self._ticket(id_), shares) for id_, shares in asking.items() if shares}
        if not requests and not self._free:
            return Taken(list(chosen), [], frozenset())
        free, self._free = self._free, []
        mine = self._store.exchange_slots(lease, free=free, take=list(requests.values()))
        granted = [each for each in chosen if each.id not in requests or requests[each.id].ticket in mine]
        for each in granted:
            if each.id in requests:
                self._ready[each.id] = requests[each.id].ticket
                self._waiting.pop(each.id, None)
                self._told.pop(each.id, None)
        refused = {id_: each for id_, each in requests.items() if each.ticket not in mine}
        return Taken(granted, *self._wait(lease.run, refused))

    def _ticket(self, id_: str) -> str:
        if id_ in self._waiting:
            return self._waiting[id_]
        self._count += 1
        return f"{id_}/{self._count}"

    def _wait(self, run: str, refused: dict[str, SlotRequest]) -> tuple[list[tuple[str, Waiting]], frozenset[str]]:
        """Wait for what was refused, and return what is new to tell of it, and which pools are full."""
        if not refused:
            self._pause = FIRST
            return [], frozenset()
        self._pause = min(2 * self._pause, MOST) if refused.keys() <= self._waiting.keys() else FIRST
        self._next_look = time.monotonic() + self._pause
        slots, waits, full = self._store.slots(), list[tuple[str, Waiting]](), set[str]()
        for id_, request in refused.items():
            self._waiting[id_] = request.ticket
            why = in_the_way(slots, run, request)
            full.update(why)
            told = waiting_for(run, why)
            if told is not None and told != self._told.get(id_):
                self._told[id_] = told
                waits.append((id_, told))
        return waits, frozenset(full)

    def start(self, id_: str, call: str) -> None:
        """Learn under which id a planned invocation was called that had its slots."""
        ticket = self._ready.pop(id_, None)
        if ticket is not None:
            self._held[call] = ticket

    def end(self, call: str) -> None:
        """Let go of the slots of a call, at the next exchange."""
        ticket = self._held.pop(call, None)
        if ticket is not None:
            self._free.append(ticket)

    def let_go(self, id_: str) -> None:
        """Let go of the slots of a planned invocation that was not called after all."""
        ticket = self._ready.pop(id_, None)
        if ticket is not None:
            self._free.append(ticket)


def waiting_for(run: str, why: dict[str, tuple[Slot, ...]]) -> Waiting | None:
    """Return the event of an invocation that waits for other runs; None where it waits for its own run alone."""
    for pool, slots in why.items():
        others = [each for each in slots if each.run != run]
        if others:
            held = others[0].held
            runs = tuple(dict.fromkeys(each.run for each in others))
            return Waiting(pool, runs, min(each.since for each in others).isoformat(), held)
    return None
