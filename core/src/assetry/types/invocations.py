"""Invocations: what may run together, and what runs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from assetry.errors import UsageError
from assetry.types.assets import Asset, Integration
from assetry.types.events import Ranged
from assetry.types.keys import AssetKey


@dataclass(frozen=True, slots=True)
class InvocationGroup:
    """The assets that may share one invocation: those whose groups have the same key.

    Everything global to one invocation belongs in `key`: integration, target, vars.

    * `ordered`: the tool runs members in dependency order by itself. False: members that depend on each other are
      not put together.
    * `whole`: the tool cannot run a subset; choosing one member runs all of them. Such a group is of one integration:
      two that have groups with the same key would each run it, and are refused.
    * `partitions`: ``one`` partition per invocation, or a ``range`` of neighbours. Without time, where there are none,
      a range is any of the partitions.
    * `max_partitions`: the most partitions that an invocation is given; ranges are cut there.
    * `limit`: how many invocations of this group may run at the same time, in all runs together.
    * `counted`: False for what is called inside assetry's own process (a Python function that makes several
      assets): it is kept together, but it is not a tool run and a plan does not count it. A range of it is one of
      time alone: where there are other dimensions, it has one key of each.
    * `holds`: what nothing else can use while an invocation of this group runs, as IO URLs without a query (a DuckDB
      file that another process has open): whatever reads or writes there waits for the end of the invocation, in other
      runs, too.
    * `opens`: what no other process can use while an invocation of this group runs, as `holds`, and everything in this
      one can (a DuckDB file that a library has open): what other runs read or write there waits, and what this run does
      not.
    * `atomic`: all assets of an invocation are made, or none, as in one transaction. A `Materialized` counts when the
      stream has ended well: it is recorded, told and built upon then. When one asset was not made, or the invocation
      broke, none was, whatever the tool had reported.
    * `along`: whether what was not chosen of a `whole` group comes along, as `Invocation.also`: ``always``,
      ``unless_refreshed`` where a full refresh can be of the chosen members alone, or ``never`` where it is no affair
      of the plan.
    * `mixed`: one invocation may make partitions of some assets and, in the same go, others that have none, because
      what says which partitions (a flag, a variable) means nothing to those. `Invocation.window` and `partitions` are
      then those of the assets that have partitions. Without it, assets with and without partitions are never put
      together. A tool that is called again for the partitions that are left is given assets without any once only.
    * `choice`: names of three fields of `Asset.spec`, where a tool chooses once for several places (the streams of an
      extractor, whichever loaders they go to): who chooses, for which place, and what. An invocation has assets of two
      places of one who chooses only where the same is made for both. It means nothing to a `whole` group.

    >>> InvocationGroup("dbt:transform@dev").ordered
    True
    """

    key: str
    ordered: bool = True
    whole: bool = False
    partitions: Literal["one", "range"] = "one"
    limit: int = 1
    counted: bool = True
    holds: tuple[str, ...] = ()
    atomic: bool = False
    max_partitions: int | None = None
    along: Literal["always", "unless_refreshed", "never"] = "always"
    mixed: bool = False
    choice: tuple[str, str, str] | None = None
    opens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckRef:
    """One check of one asset.

    >>> CheckRef(AssetKey("shop/orders"), "not_null_orders_id").check
    'not_null_orders_id'
    """

    key: AssetKey
    check: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One outside process or job, or one Python function call, to be carried out.

    `assets` are in dependency order. `checks` are the checks to run in the same go, on these assets or on others
    whose last input is made here; a check that is not listed is not to be run. `also` are the assets that come
    along because the tool cannot leave them out (`InvocationGroup.whole`). `inputs` are the upstream assets outside
    the invocation, so that the values it reads can be found without the graph.
    `partitions` are the keys of the partitions to make, of all assets that have some, in their order; it is empty where
    none has. Where they are not the same for all of these assets, `own_partitions` has those of each: `partitions_of`
    tells them in any case. `window` is the time that the partitions cover, its end outside, where they are of time and
    leave no gap: also where one asset is made for the days of a month, and another one for the month.

    >>> Invocation(id="1", group=None, integration=Integration("shop", "dbt"), assets=()).window is None
    True
    """

    id: str
    group: InvocationGroup | None
    integration: Integration
    assets: tuple[Asset, ...]
    checks: tuple[CheckRef, ...] = ()
    also: tuple[Asset, ...] = ()
    inputs: tuple[Asset, ...] = ()
    partitions: tuple[str, ...] = ()
    full_refresh: bool = False
    own_partitions: Mapping[AssetKey, tuple[str, ...]] = field(default_factory=dict)
    window: tuple[datetime, datetime] | None = None

    def partitions_of(self, asset: Asset) -> tuple[str, ...]:
        """Return the keys of the partitions of one asset that are to be made; none for an asset without partitions.

        >>> made = Asset(key="orders", kind="dbt")
        >>> Invocation(id="1", group=None, integration=Integration("shop", "dbt"), assets=(made,)).partitions_of(made)
        ()
        """
        if asset.partitions_def is None:
            return ()
        return self.own_partitions.get(asset.key, self.partitions)

    def partitions_told(self, event: Ranged) -> Sequence[str | None]:
        """Return the partitions that an event of the invocation is about; None for all of an asset.

        Raises `UsageError` for a range that is not one of partitions that are to be made.

        >>> from assetry.partitions.definitions import StaticPartitionsDefinition
        >>> from assetry.types.events import Started
        >>> made = Asset(key="a", kind="x", partitions_def=StaticPartitionsDefinition(["1", "2", "3"]))
        >>> asked = Invocation(id="1", group=None, integration=Integration("shop", "dbt"), assets=(made,),
        ...                    partitions=("1", "3"))
        >>> asked.partitions_told(Started("a", "1", through="3"))
        ('1', '3')
        """
        if event.through is None:
            return (event.partition,)
        keys = next((self.partitions_of(each) for each in (*self.assets, *self.also) if each.key == event.key), ())
        for key in (event.partition, event.through):
            if key not in keys:
                raise UsageError(f"{key!r} is no partition of {event.key} that is to be made.")
        first, last = keys.index(event.partition), keys.index(event.through)
        if last < first:
            raise UsageError("The range runs backwards.")
        return keys[first : last + 1]
