"""The plan: which invocations bring a selection up to date, in which order, and why no fewer do.

Values only; `assetry.plan.planner` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from assetry.plan.collapse import BUDGET, Mode
from assetry.plan.numbering import LATE
from assetry.types.invocations import CheckRef, Invocation
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition
    from assetry.partitions.parts import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """How a plan is to be made.

    `because` has the reason of each asset, `default` that of the others. `mode` is ``fewest`` (the least number of
    counted invocations) or ``earliest`` (see `assetry.plan.collapse`). `definitions` are those of assets
    with partitions where they have the numbers of more keys than the graph's own; `now` is the moment at which
    partitions exist. `never` are the assets that were never made: what reads them besides what this plan makes cannot
    be checked yet. `cutoff` is what may turn out to need no making, because what it is made from came out as before,
    and `certain` of which assets that depends on this plan alone. `notes` are sentences that the plan is to have.
    `budget` is how many states a search may open; few graphs need any. `checks` are the ones to be run, None for all
    that belong to what is made, and `beside` assets that they read and that are made already; `first` is the number of
    the first invocation. `data_times` is how far the data of assets reaches that are read, None where nothing is known.

    >>> PlanRequest(mode="earliest").default
    'selected'
    """

    because: Mapping[AssetKey, str] = field(default_factory=dict)
    default: str = "selected"
    mode: Mode = "fewest"
    full_refresh: bool = False
    definitions: Mapping[AssetKey, PartitionsDefinition] = field(default_factory=dict)
    now: datetime = LATE
    never: frozenset[AssetKey] = frozenset()
    cutoff: Mapping[AssetKey, Parts] = field(default_factory=dict)
    certain: frozenset[AssetKey] = frozenset()
    notes: tuple[str, ...] = ()
    budget: int = BUDGET
    checks: frozenset[CheckRef] | None = None
    beside: frozenset[AssetKey] = frozenset()
    first: int = 1
    data_times: Mapping[AssetKey, datetime | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SkippedAsset:
    """A selected asset that is not made, and why.

    >>> SkippedAsset(AssetKey("shop/raw"), "nothing in this project makes it").because
    'nothing in this project makes it'
    """

    key: AssetKey
    because: str


@dataclass(frozen=True, slots=True)
class Split:
    """Why a group needs another invocation: `first` and `second` are the ids of the two, `path` the proof.

    Each asset of `path` is made from the one before it or shares an invocation with it.

    >>> Split("dbt:shop@dev", "`p` (python) stands between `a` and `b`").group
    'dbt:shop@dev'
    """

    group: str
    because: str
    first: str = ""
    second: str = ""
    path: tuple[AssetKey, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInvocation:
    """One invocation of a plan.

    `after` are the ids of the invocations that it waits for directly: they make what it reads, or run the checks
    that gate that. `because` says of each of its assets why it is made. `parts` are the partitions that it makes of
    each asset that has some. `command` and `notes` are for people to read. `may_be_cut` are assets that need no making
    if these others, which are made before, come out as they were.

    >>> from assetry.types.assets import Integration
    >>> python = Integration("python", "python")
    >>> PlannedInvocation(invocation=Invocation(id="1", group=None, integration=python, assets=())).id
    '1'
    """

    invocation: Invocation
    after: tuple[str, ...] = ()
    because: Mapping[AssetKey, str] = field(default_factory=dict)
    parts: Mapping[AssetKey, Parts] = field(default_factory=dict)
    command: str | None = None
    notes: tuple[str, ...] = ()
    may_be_cut: Mapping[AssetKey, tuple[AssetKey, ...]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return the id of the invocation."""
        return self.invocation.id


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan:
    """What is to run: invocations in an order in which they can run one after the other, gates kept.

    `count` is the number of invocations of counted groups; no plan is below `lower_bound`, so the plan is `minimal`
    when both are equal. `splits` says why a group needs more than one. `skipped` are selected assets that nothing
    makes; it is filled only when nothing else was selected.

    `gates` maps an asset to the checks of severity ``error`` that stand between it and its consumers: an asset that
    is made from it by another invocation waits for them, unless that invocation runs them itself. Checks do not wait
    for each other. `through` maps an asset to the planned assets that it reads through views which are not part of the
    plan: it waits for them as for its own inputs. `unchecked` are checks that would need an invocation of their own,
    and are not run. `notes` are sentences about what else the plan does not do, and why. `definitions` and `now` are
    those of the request, as far as partitions are made; so are `cutoff`, `mode` and `data_times`. `revision` is that of
    the records it was made by, where it is to be made anew when others came first.

    >>> Plan().count
    0
    """

    invocations: tuple[PlannedInvocation, ...] = ()
    skipped: tuple[SkippedAsset, ...] = ()
    count: int = 0
    lower_bound: int = 0
    minimal: bool = True
    splits: tuple[Split, ...] = ()
    gates: Mapping[AssetKey, tuple[CheckRef, ...]] = field(default_factory=dict)
    through: Mapping[AssetKey, tuple[AssetKey, ...]] = field(default_factory=dict)
    unchecked: tuple[CheckRef, ...] = ()
    notes: tuple[str, ...] = ()
    definitions: Mapping[AssetKey, PartitionsDefinition] = field(default_factory=dict)
    now: datetime = LATE
    cutoff: Mapping[AssetKey, Parts] = field(default_factory=dict)
    mode: Mode = "fewest"
    data_times: Mapping[AssetKey, datetime | None] = field(default_factory=dict)
    revision: str | None = field(default=None, compare=False)

    @property
    def wants(self) -> dict[AssetKey, Parts | None]:
        """Return what it makes: assets, each with its partitions, or None where it has none."""
        parts = self.parts
        return {asset.key: parts.get(asset.key) for each in self.invocations for asset in each.invocation.assets}

    @property
    def parts(self) -> dict[AssetKey, Parts]:
        """Return the partitions of each asset that has some, in all invocations."""
        found: dict[AssetKey, Parts] = {}
        for planned in self.invocations:
            for key, parts in planned.parts.items():
                found[key] = found[key] | parts if key in found else parts
        return found

    def __repr__(self) -> str:
        assets = len({asset.key for each in self.invocations for asset in each.invocation.assets})
        bound = "minimal" if self.minimal else f"at least {self.lower_bound}"
        return f"<Plan: {assets} assets, {len(self.invocations)} invocations, {self.count} of tools ({bound})>"
