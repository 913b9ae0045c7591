"""What the tracker of a run knows of one call of a tool, and what it says of events that are out of place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from assetry.partitions.parts import NOTHING, Parts
from assetry.plan.numbering import Numbering, with_partitions
from assetry.plan.plan import PlannedInvocation
from assetry.types.assets import Asset
from assetry.types.events import Checked, Event, Log, Materialized, Ranged
from assetry.types.invocations import CheckRef, Invocation
from assetry.types.keys import AssetKey

R = TypeVar("R", bound=Ranged)


@dataclass(slots=True)
class Tracked:
    """What the tracker knows of one call: of a planned invocation, or for some of its partitions."""

    planned: PlannedInvocation
    #: Assets outside, and checks on them, that have not ended yet.
    waits: set[AssetKey | CheckRef] = field(default_factory=set)
    #: Members without a terminal event, in dependency order.
    unfinished: dict[AssetKey, Asset] = field(default_factory=dict)
    #: The partitions that the call is for, by member; members without partitions are not in it.
    given: Mapping[AssetKey, Parts] = field(default_factory=dict)
    #: Those of them without a terminal event; a member without any is not in it.
    todo: dict[AssetKey, Parts] = field(default_factory=dict)
    #: By member: strand and number of each key, in order; and the keys by these, once they were asked for.
    names: dict[AssetKey, Mapping[str, tuple[str, int]]] = field(default_factory=dict)
    _keys: dict[AssetKey, dict[tuple[str, int], str]] = field(default_factory=dict)
    #: What comes along without having been asked for, and has not ended.
    along: dict[AssetKey, Asset] = field(default_factory=dict)
    unchecked: dict[CheckRef, None] = field(default_factory=dict)
    #: Checks of members that judge each of the partitions; and of each, those that it has not judged yet.
    judging: frozenset[CheckRef] = frozenset()
    pending: dict[CheckRef, Parts] = field(default_factory=dict)
    #: Checks that have judged some partitions, and may have to say more of others.
    passing: set[CheckRef] = field(default_factory=set)
    #: Those that have begun, as their tool said by `Started` or `Progress`.
    started: set[AssetKey] = field(default_factory=set)
    #: By member: the partitions that have begun, where the tool tells.
    begun_parts: dict[AssetKey, Parts] = field(default_factory=dict)
    #: Those of which the tool has logged something.
    mentioned: set[AssetKey] = field(default_factory=set)
    #: Whether the tool says when an asset begins, and whether one has ended of which it did not: it need not.
    tells_starts: bool = False
    unannounced: bool = False
    #: What an atomic invocation has reported as made, or as checked well: it counts when all went well.
    held: list[Materialized | Checked] = field(default_factory=list)
    #: Why nothing that is held can count any more.
    spoilt: Blocker | None = None
    running: bool = False
    ended: bool = False

    @property
    def atomic(self) -> bool:
        """Tell whether all of it is made or none."""
        group = self.planned.invocation.group
        return group is not None and group.atomic

    def holds(self, event: Event) -> bool:
        """Keep what an atomic invocation reports as done until its end; return whether that is so.

        A check that did not pass is told at once: it is true, and may be the reason why all is taken back.
        """
        if not self.atomic:
            return False
        if isinstance(event, Materialized) and (event.key in self.unfinished or event.key in self.along):
            self.started.add(event.key)
            self.held.append(event)
            return True
        if isinstance(event, Checked) and event.passed:
            self.held.append(event)
            return True
        return False

    def reported(self) -> set[AssetKey]:
        """Return what has no end yet, and is held as made with all its partitions."""
        made = [event for event in self.held if isinstance(event, Materialized)]
        whole = {event.key for event in made if event.partition is None}
        parts: dict[AssetKey, Parts] = {}
        for event in made:
            if event.partition is not None and (part := self.parts_of(event)) is not None:
                parts[event.key] = parts.get(event.key, NOTHING) | part
        return {
            key
            for key in self.unfinished
            if key in whole or (key in self.todo and self.todo[key] <= parts.get(key, NOTHING))
        }

    def members(self) -> tuple[Asset, ...]:
        """Return all assets that the invocation makes, those among them that come along."""
        return (*self.planned.invocation.assets, *self.planned.invocation.also)

    def makes(self, key: AssetKey) -> bool:
        """Tell whether an asset is a member of the invocation."""
        return key in self.unfinished or any(asset.key == key for asset in self.members())

    def give_back(self, key: AssetKey, parts: Parts) -> None:
        """Leave partitions of a member to another call."""
        self.todo[key] -= parts
        if not self.todo[key]:
            del self.todo[key]
        for ref in [each for each in self.pending if each.key == key]:
            self.pending[ref] -= parts
            if not self.pending[ref]:
                del self.pending[ref]
        if key not in self.todo:
            self.unfinished.pop(key, None)
            self.along.pop(key, None)
        self.given = {**self.given, key: self.given[key] - parts}
        self.names[key] = {name: part for name, part in self.names[key].items() if part not in parts}
        for ref in tuple(self.unchecked):
            if ref.key == key and ref not in self.pending:
                del self.unchecked[ref]

    def give_back_whole(self, key: AssetKey) -> None:
        """Leave a member without partitions to another call."""
        self.unfinished.pop(key, None)
        self.along.pop(key, None)

    def part(self, key: AssetKey, name: str) -> Parts | None:
        """Return a partition of a member by its key; None when the call is not for it."""
        found = self.names.get(key, {}).get(name)
        return None if found is None else Parts.range(found[1], found[1] + 1, found[0])

    def parts_of(self, event: Ranged) -> Parts | None:
        """Return the partitions of a member that an event is about; None when the call is not for one that it names.

        A range is of those that the call is for, in their order.
        """
        if event.partition is None:
            return None
        if event.through is None:
            return self.part(event.key, event.partition)
        names = self.names.get(event.key, {})
        first, last = names.get(event.partition), names.get(event.through)
        if first is None or last is None:
            return None
        given = self.given[event.key]
        if first[0] == last[0]:
            return (given & Parts.range(first[1], last[1] + 1, first[0])) or None
        return Parts.at(part for part in given if first <= part <= last) or None

    def ranged(self, event: R, parts: Parts) -> Iterator[R]:
        """Yield an event once for each range of partitions of a member without a gap."""
        keys = self._keys.get(event.key)
        if keys is None:
            keys = self._keys[event.key] = {part: name for name, part in self.names[event.key].items()}
        for strand, first, stop in parts.spans():
            yield event.about(keys[strand, first], keys[strand, stop - 1] if stop - first > 1 else None)

    def begun(self, key: AssetKey) -> bool:
        """Tell whether an asset has begun; where the tool never says so, by the first line about it."""
        return key in self.started or (not self.tells_starts and key in self.mentioned)

    def unclear(self) -> bool:
        """Tell whether nothing is known of what was being made when the tool broke: then it may be any of the rest."""
        return not (self.started if self.tells_starts else any(map(self.begun, self.unfinished)))

    def left(self, numbering: Numbering) -> Invocation | None:
        """Return the invocation of what has no end yet; None when there is nothing."""
        if not self.unfinished and not self.unchecked:
            return None
        invocation = self.planned.invocation
        # What is not made by this call may still be looked at.
        others = [asset for asset in self.members() if asset.key not in self.unfinished and asset.key not in self.along]
        if not others and not self.planned.parts and len(self.unchecked) == len(invocation.checks):
            return invocation  # nothing of it has ended yet
        left = replace(
            invocation,
            assets=tuple(self.unfinished.values()),
            checks=tuple(self.unchecked),
            inputs=(*invocation.inputs, *(others if self.unchecked else ())),
        )
        return with_partitions(left, self.todo, numbering) if self.planned.parts else left


@dataclass(frozen=True, slots=True)
class Blocker:
    """Why nothing can be made from an asset: what happened, and the asset at the root; None when the run broke off."""

    root: AssetKey | None
    text: str


@dataclass(frozen=True, slots=True)
class Launch:
    """An invocation that can go ahead: what is left of it, and the members that cannot be made."""

    invocation: Invocation | None
    events: tuple[Event, ...]
    #: The id of the call, and the one under which it is recorded: calls for some partitions are told of as one.
    id: str = field(default="", compare=False)
    told: str = field(default="", compare=False)
    #: How many partitions all calls that are told of as one are to make.
    partitions: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Interruption:
    """What broke an invocation off, and the next step; `rest` is said of what had not begun."""

    message: str
    hint: str | None = None
    rest: str | None = None


def tracked_of(planned: PlannedInvocation) -> Tracked:
    """Return what there is to know of an invocation without partitions before it begins."""
    invocation = planned.invocation
    return Tracked(
        planned,
        unfinished={asset.key: asset for asset in invocation.assets},
        along={asset.key: asset for asset in invocation.also},
        unchecked=dict.fromkeys(invocation.checks),
    )


def call_of(
    planned: PlannedInvocation,
    parts: Mapping[AssetKey, Parts],
    whole: Collection[AssetKey],
    judging: Iterable[CheckRef],
    numbering: Numbering,
) -> Tracked:
    """Return what there is to know of a call for some partitions, and for members that have none.

    `judging` are the checks that look at each of the partitions.
    """
    invocation = planned.invocation
    names: dict[AssetKey, Mapping[str, tuple[str, int]]] = {}
    last: tuple[tuple[str, ...], Parts] | None = None
    for key, own in parts.items():
        keys = numbering.keys_of(key, own)
        # Members mostly have the same partitions.
        alike = last is not None and last == (keys, own)
        names[key] = next(reversed(names.values())) if alike else dict(zip(keys, own, strict=True))
        last = (keys, own)
    members = (*invocation.assets, *invocation.also)
    made = {asset.key for asset in members if asset.key in parts or asset.key in whole}
    own_checks = [ref for ref in judging if ref.key in parts]
    return Tracked(
        planned,
        unfinished={asset.key: asset for asset in invocation.assets if asset.key in made},
        given=parts,
        todo=dict(parts),
        names=names,
        along={asset.key: asset for asset in invocation.also if asset.key in made},
        unchecked=dict.fromkeys(own_checks),
        judging=frozenset(own_checks),
        pending={ref: parts[ref.key] for ref in own_checks},
    )


def stray(event: Event, again: bool) -> str:
    """Return what the log says of an event that nothing waits for; `again` when its asset has ended before."""
    key = getattr(event, "key", None)
    if again:
        return f"The tool reported a second end for {key} ({event.name}); the first one counts."
    part, through = getattr(event, "partition", None), getattr(event, "through", None)
    what = f"{key}" if part is None else f"partition {part}{f'..{through}' if through else ''} of {key}"
    return f"The tool reported {event.name} for {what}, which was not asked of it; ignored."


def no_event(reported: object) -> Log:
    """Return what the log says of something that a tool reported and that is not an event.

    >>> no_event(None).message
    'The tool yielded a NoneType instead of an event; ignored.'
    """
    return Log(f"The tool yielded a {type(reported).__name__} instead of an event; ignored.", "warning")
