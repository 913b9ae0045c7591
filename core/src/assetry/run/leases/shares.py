"""What an invocation uses while it runs that only so many may use at a time: pools, its group, and places."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from assetry.errors import AssetryError
from assetry.io.urls import place_of
from assetry.io.values import ValueRouter
from assetry.types.assets import Asset
from assetry.types.invocations import Invocation
from assetry.types.leases import UNLIMITED, Share


class Shares:
    """What the invocations of a run use: of `pools`, by their limits, and of places that `held` are by some tool.

    A place is a pool that who holds it takes all of, and who only reads or writes there one slot.
    """

    def __init__(self, pools: Mapping[str, int], held: Collection[str], values: ValueRouter) -> None:
        self._pools = pools
        self._held = frozenset(held)
        self._values = values
        #: By id: what calls of one planned invocation need is the same.
        self._known: dict[str, tuple[Share, ...]] = {}

    def of(self, invocation: Invocation) -> tuple[Share, ...]:
        """Return what an invocation uses; pools that a person has named first."""
        found = self._known.get(invocation.id)
        if found is None:
            found = self._known[invocation.id] = (*self._named(invocation), *self._group(invocation))
        return found

    def _named(self, invocation: Invocation) -> tuple[Share, ...]:
        weights: dict[str, int] = {}
        for asset in (*invocation.assets, *invocation.also):
            if asset.pool is not None:
                weights[asset.pool] = max(asset.weight, weights.get(asset.pool, 0))
        return tuple(Share(name, weight, self._pools.get(name, UNLIMITED)) for name, weight in weights.items())

    def _group(self, invocation: Invocation) -> tuple[Share, ...]:
        group = invocation.group
        limited = group is not None and group.limit < UNLIMITED
        own = (Share(f"group:{group.key}", 1, group.limit),) if group is not None and limited else ()
        whole = dict.fromkeys(map(place_of, group.holds)) if group is not None else {}
        parts = dict.fromkeys(place for place in self._places(invocation) if place not in whole) if self._held else {}
        return (
            *own,
            *(Share(place, UNLIMITED, UNLIMITED) for place in whole),
            *(Share(place, 1, UNLIMITED) for place in parts if place in self._held),
        )

    def _places(self, invocation: Invocation) -> frozenset[str]:
        """Return where the values of an invocation are read and written, and where its tool works.

        All as IO URLs without a query.
        """
        tool = invocation.group is not None and invocation.group.counted
        found = self._place_of_tool(invocation) if tool else frozenset[str]()
        kept = [asset for asset in invocation.assets if asset.kept or not tool]
        return found.union(*(self._place(asset) for asset in (*kept, *(() if tool else invocation.inputs))))

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
