"""Which partitions of an asset its policy wants made: expressions over how they are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from functools import reduce
from typing import NamedTuple
from zoneinfo import ZoneInfo

from assetry.plugin import AssetKey, AutomationPolicy, Parts, Reason, TimeWindowPartitionsDefinition

from assetry_automation.decision.world import DEFINED, NOTHING, World


class _Found(NamedTuple):
    """What an expression wants, and what of it is so `far` back because ``last`` or ``from_`` says so."""

    parts: Parts
    far: Parts = NOTHING


class Wants:
    """What the policies of a world's assets want at its moment; `known` says since when there is each.

    `asking` are those that a deadline asks for, `ticking` those whose clock has ticked, and was not served since. Old
    partitions that were never made are `left` to a backfill, unless a policy says how far back it goes.
    """

    def __init__(
        self,
        world: World,
        known: Mapping[AssetKey, datetime],
        asking: Iterable[AssetKey] = (),
        ticking: Iterable[AssetKey] = (),
    ) -> None:
        self._world = world
        self._asking = frozenset(asking)
        self._known = known
        self._ticking = frozenset(ticking)
        self.left: dict[AssetKey, Parts] = {}
        self._words: Mapping[str, Callable[[AssetKey, AutomationPolicy], Parts]] = {
            "eager": lambda key, _: world.due(key),
            "lazy": lambda key, _: world.due(key) if key in self._asking else self._because(key, ("overdue",)),
            "never": lambda _key, _: NOTHING,
            "on_cron": lambda key, _: world.due(key) if key in self._ticking else NOTHING,
            "missing": lambda key, _: self._missing(key),
            "failed": lambda key, _: world.failed(key),
            "code_changed": lambda key, _: self._because(key, DEFINED),
            "upstream_changed": self._upstream,
            "provisional": lambda key, _: self._because(key, ("provisional",)),
            "between": self._between,
        }

    def of(self, key: AssetKey) -> Parts:
        """Return what is wanted of an asset."""
        policy = self._world.policies.get(key)
        if policy is None:
            return NOTHING
        found = self._found(key, policy)
        wanted = found.parts & self._world.due(key)
        old = self._old(key, wanted - found.far)
        if old:
            self.left[key] = old
        return wanted - old

    def _found(self, key: AssetKey, policy: AutomationPolicy) -> _Found:
        each = [self._found(key, part) for part in policy.of] if policy.of else []
        if policy.when == "not_":
            found = _Found(self._world.numbering.existing(key) - each[0].parts)
        elif each:
            join = Parts.__or__ if policy.when == "any_of" else Parts.__and__
            parts = reduce(join, (one.parts for one in each))
            found = _Found(parts, reduce(Parts.__or__, (one.far for one in each)) & parts)
        else:
            found = _Found(self._words[policy.when](key, policy))
        return self._narrowed(key, policy, found)

    def _old(self, key: AssetKey, parts: Parts) -> Parts:
        """Return what of some partitions was never made, and had ended before the policy was new."""
        if not parts or key not in self._world.standing.parted:
            return NOTHING
        definition, known = self._world.numbering.definition(key), self._known.get(key)
        if known is None or not isinstance(definition, TimeWindowPartitionsDefinition):
            return NOTHING
        missing = self._missing(key) & parts
        return missing - _ending_after(definition, missing, known)

    def _because(self, key: AssetKey, codes: Iterable[str]) -> Parts:
        return self._world.parts(key, (each for each in self._world.statuses[key].reasons if each.code in codes))

    def _missing(self, key: AssetKey) -> Parts:
        status = self._world.statuses[key]
        if status.partitions is not None:
            return status.partitions.missing
        return self._world.due(key) if status.last_materialized is None else NOTHING

    def _upstream(self, key: AssetKey, policy: AutomationPolicy) -> Parts:
        reasons = (each for each in self._world.statuses[key].reasons if not each.is_of(key))
        return self._world.parts(key, (each for each in reasons if self._means(policy.upstream, each)))

    def _means(self, selection: str | None, reason: Reason) -> bool:
        return selection is None or reason.asset in self._world.selected(selection)

    def _between(self, key: AssetKey, policy: AutomationPolicy) -> Parts:
        return self._world.numbering.existing(key) if is_between(policy, self._world.now) else NOTHING

    # -- narrowed ----------------------------------------------------------------------------------------------------

    def _narrowed(self, key: AssetKey, policy: AutomationPolicy, found: _Found) -> _Found:
        if policy.newest is None and policy.allowed is None and policy.ignored is None and policy.since is None:
            return found
        definition, parts, back = self._world.numbering.definition(key), found.parts, False
        if policy.newest is not None and definition is not None:
            parts, back = parts & definition.newest(policy.newest, self._world.now), True
        if policy.allowed is not None or policy.ignored is not None:
            parts &= self._counting(key, policy)
        if policy.since is not None and isinstance(definition, TimeWindowPartitionsDefinition):
            parts, back = _beginning_from(definition, parts, _moment(policy.since)), True
        return _Found(parts, parts if back else found.far & parts)

    def _counting(self, key: AssetKey, policy: AutomationPolicy) -> Parts:
        """Return the partitions that are out of date for a reason that counts."""
        return self._world.parts(
            key,
            (
                each
                for each in self._world.statuses[key].reasons
                if each.is_of(key)
                or (
                    (policy.allowed is None or self._means(policy.allowed, each))
                    and (policy.ignored is None or not self._means(policy.ignored, each))
                )
            ),
        )


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _beginning_from(definition: TimeWindowPartitionsDefinition, parts: Parts, first: datetime) -> Parts:
    return _from(parts, lambda number: definition.window_of(number)[0] >= first)


def _ending_after(definition: TimeWindowPartitionsDefinition, parts: Parts, first: datetime) -> Parts:
    return _from(parts, lambda number: definition.window_of(number)[1] > first)


def _from(parts: Parts, late: Callable[[int], bool]) -> Parts:
    """Return those of some partitions of time that are late, which all are that come after one that is."""
    found = []
    for strand, start, stop in parts.spans():
        low, high = start, stop
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if late(middle) else (middle + 1, high)
        if low < stop:
            found.append((strand, low, stop))
    return Parts.of_spans(found)


def is_between(policy: AutomationPolicy, now: datetime) -> bool:
    """Tell whether a moment is within the hours of a policy, on the clocks of its zone; over midnight, too.

    >>> night = AutomationPolicy("between", hours=("22:00", "06:00"))
    >>> [is_between(night, datetime(2026, 1, 5, hour, tzinfo=UTC)) for hour in (5, 6, 21, 22)]
    [True, False, False, True]
    """
    assert policy.hours is not None, "only what has hours is asked"
    start, end = (time.fromisoformat(each) for each in policy.hours)
    clock = now.astimezone(ZoneInfo(policy.timezone)).time()
    return start <= clock < end if start <= end else clock >= start or clock < end


def opens(policy: AutomationPolicy, now: datetime) -> datetime:
    """Return when the hours of a policy begin, or end, next.

    >>> opens(AutomationPolicy("between", hours=("08:00", "20:00")), datetime(2026, 1, 5, 9, tzinfo=UTC)).hour
    20
    """
    assert policy.hours is not None, "only what has hours is asked"
    zone = ZoneInfo(policy.timezone)
    day = now.astimezone(zone).date()
    edges = [
        datetime.combine(day + timedelta(days=ahead), time.fromisoformat(each), zone)
        for ahead in (0, 1)
        for each in policy.hours
    ]
    return min(each for each in edges if each > now).astimezone(UTC)
