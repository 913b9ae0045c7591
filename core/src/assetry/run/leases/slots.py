"""Which of the invocations that are ready may start now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Reversible, Sequence
from itertools import takewhile

from assetry.errors import AssetryError
from assetry.io.urls import place_of
from assetry.io.values import ValueRouter
from assetry.plan.plan import Plan, PlannedInvocation
from assetry.run.retry import LeftJob
from assetry.types.assets import Asset
from assetry.types.invocations import Invocation


class Slots:
    """The places for invocations that run side by side.

    No more start than there are places, no more of a group than its limit, and none beside an invocation that holds
    what it needs. What takes up a job comes first that an earlier run has `left` behind, by group: that may go on, and
    hold it already.
    """

    def __init__(self, plan: Plan, count: int, values: ValueRouter, left: Mapping[str, LeftJob] | None = None) -> None:
        self._count = count
        self._values = values
        self._left = left or {}
        #: Whether anything in this plan keeps others away from what it uses.
        self._exclusive = any(_holds(planned.invocation) for planned in plan.invocations)
        self._needed: dict[str, frozenset[str]] = {}
        #: Invocations passed over since one last ended or was left out: only that can make room for them.
        self._passed: set[str] = set()

    def ended(self) -> None:
        """Learn that an invocation has ended, or was left out: there is room for those that were passed over."""
        self._passed.clear()

    def among(self, ready: Reversible[PlannedInvocation], under_way: Sequence[Invocation]) -> list[Invocation]:
        """Return those of the ready ones that may start beside those under way."""
        chosen: list[Invocation] = []
        slots = self._count - len(under_way)
        groups = Counter(each.group.key for each in under_way if each.group is not None)
        held = frozenset[str]().union(*map(_holds, under_way))
        used = frozenset[str]().union(*map(self._needs, under_way)) if self._exclusive else held
        for planned in sorted(self._new(ready), key=self._is_new) if self._left else self._new(ready):
            if len(chosen) >= slots:
                break
            invocation, group = planned.invocation, planned.invocation.group
            full = group is not None and groups[group.key] >= group.limit
            if full or (self._exclusive and (_holds(invocation) & used or self._needs(invocation) & held)):
                self._passed.add(planned.id)
                continue
            chosen.append(invocation)
            if group is not None:
                groups[group.key] += 1
            if self._exclusive:
                held, used = held | _holds(invocation), used | self._needs(invocation)
        return chosen

    def _new(self, ready: Reversible[PlannedInvocation]) -> Iterable[PlannedInvocation]:
        """Return those that were not passed over yet; they stand at the end."""
        if not self._passed:
            return ready
        return reversed(tuple(takewhile(lambda each: each.id not in self._passed, reversed(ready))))

    def _is_new(self, planned: PlannedInvocation) -> bool:
        group = planned.invocation.group
        job = self._left.get(group.key) if group is not None else None
        return job is None or not job.is_of(planned.invocation)

    def _needs(self, invocation: Invocation) -> frozenset[str]:
        """Return what an invocation holds, where its values are read and written, and where its tool works.

        All as IO URLs without a query.
        """
        found = self._needed.get(invocation.id)
        if found is None:
            tool = invocation.group is not None and invocation.group.counted
            found = _holds(invocation) | (self._place_of_tool(invocation) if tool else frozenset())
            kept = [asset for asset in invocation.assets if asset.kept or not tool]
            found = found.union(*(self._place(asset) for asset in (*kept, *(() if tool else invocation.inputs))))
            self._needed[invocation.id] = found
        return found

    def _place_of_tool(self, invocation: Invocation) -> frozenset[str]:
        try:
            place = self._values.place_of_tool(invocation.integration)
        except AssetryError:
            return frozenset()  # where it is used for reading or writing that is told
        return frozenset() if place is None else frozenset((place,))

    def _place(self, asset: Asset) -> frozenset[str]:
        try:
            return frozenset((self._values.place(asset),))
        except AssetryError:
            return frozenset()  # reading or writing it will fail, and tell why


def _holds(invocation: Invocation) -> frozenset[str]:
    return frozenset(map(place_of, invocation.group.holds)) if invocation.group is not None else frozenset()
