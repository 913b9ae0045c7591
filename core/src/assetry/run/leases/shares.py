"""What an invocation uses while it runs that only so many may use at a time: pools, its group, and places."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from assetry.errors import AssetryError
from assetry.io.urls import place_of
from assetry.io.values import ValueRouter
from assetry.types.assets import Asset
from assetry.types.invocations import Invocation, InvocationGroup
from assetry.types.leases import BETWEEN_RUNS, UNLIMITED, Share


def whole_pools(group: InvocationGroup) -> tuple[str, ...]:
    """Return the pools that an invocation of a group has all of: the places that it holds, or opens.

    >>> whole_pools(InvocationGroup("dbt:shop", opens=("duckdb:/shop.db",)))
    ('between:duckdb:/shop.db',)
    """
    opened = (f"{BETWEEN_RUNS}{place_of(url)}" for url in group.opens)
    return tuple(dict.fromkeys((*map(place_of, group.holds), *opened)))


def held_by_tools(groups: Iterable[InvocationGroup | None]) -> frozenset[str]:
    """Return the pools that invocations of some group have all of, while they run.

    >>> held_by_tools([InvocationGroup("dbt:shop", holds=("duckdb:/shop.db",)), None])
    frozenset({'duckdb:/shop.db'})
    """
    return frozenset(pool for each in groups if each is not None for pool in whole_pools(each))


class Shares:
    """What the invocations of a run use: of `pools`, by their limits, and of those that some tool has all of, `held`.

    A place is a pool that who holds it takes all of, and who only reads or writes there one slot. So it is once more
    between runs, for those who open it: these hold it against other runs alone.
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
        whole = () if group is None else whole_pools(group)
        used = sorted(self._places(invocation)) if self._held else ()
        parts = [pool for place in used for pool in (place, f"{BETWEEN_RUNS}{place}") if pool not in whole]
        return (
            *own,
            *(Share(pool, UNLIMITED, UNLIMITED) for pool in whole),
            *(Share(pool, 1, UNLIMITED) for pool in parts if pool in self._held),
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
