"""Which of the invocations that are ready may start now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Reversible, Sequence
from itertools import takewhile

from assetry.plan.plan import PlannedInvocation
from assetry.run.retry import LeftJob
from assetry.types.invocations import Invocation
from assetry.types.leases import BETWEEN_RUNS, Share


class Slots:
    """The places for invocations that run side by side.

    No more start than there are places, and no more of a pool than its limit, as `shares` tells what each uses. What
    takes up a job comes first that an earlier run has `left` behind, by group: that may go on, and hold already what
    others wait for.
    """

    def __init__(
        self,
        count: int,
        shares: Callable[[Invocation], tuple[Share, ...]],
        left: Mapping[str, LeftJob] | None = None,
    ) -> None:
        self._count = count
        self._shares = shares
        self._left = left or {}
        #: Invocations passed over since one last ended or was left out: only that can make room for them.
        self._passed: set[str] = set()
        #: Pools of which other runs have left too little.
        self._short: set[str] = set()

    def ended(self) -> None:
        """Learn that there may be room for those that were passed over: an invocation has ended, or was left out."""
        self._passed.clear()
        self._short.clear()

    def refused(self, pools: Iterable[str]) -> None:
        """Learn of pools that other runs have left too little of: whatever uses them waits until the next look."""
        self._short.update(pools)

    def among(self, ready: Reversible[PlannedInvocation], under_way: Sequence[Invocation]) -> list[Invocation]:
        """Return those of the ready ones that may start beside those under way."""
        chosen: list[Invocation] = []
        slots = self._count - len(under_way)
        used = Counter[str]()
        for invocation in under_way:
            self._use(used, invocation)
        for planned in sorted(self._new(ready), key=self._is_new) if self._left else self._new(ready):
            if len(chosen) >= slots:
                break
            invocation = planned.invocation
            if self._has_room(used, invocation):
                chosen.append(invocation)
                self._use(used, invocation)
            else:
                self._passed.add(planned.id)
        return chosen

    def _has_room(self, used: Counter[str], invocation: Invocation) -> bool:
        return all(
            share.pool not in self._short
            and (
                share.pool.startswith(BETWEEN_RUNS) or used[share.pool] + min(share.weight, share.limit) <= share.limit
            )
            for share in self._shares(invocation)
        )

    def _use(self, used: Counter[str], invocation: Invocation) -> None:
        for share in self._shares(invocation):
            used[share.pool] += share.weight

    def _new(self, ready: Reversible[PlannedInvocation]) -> Iterable[PlannedInvocation]:
        """Return those that were not passed over yet; they stand at the end."""
        if not self._passed:
            return ready
        return reversed(tuple(takewhile(lambda each: each.id not in self._passed, reversed(ready))))

    def _is_new(self, planned: PlannedInvocation) -> bool:
        group = planned.invocation.group
        job = self._left.get(group.key) if group is not None else None
        return job is None or not job.is_of(planned.invocation)
