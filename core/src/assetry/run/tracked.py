"""What the tracker of a run knows of one invocation, and what it says of events that are out of place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from assetry.plan.plan import PlannedInvocation
from assetry.types.assets import Asset
from assetry.types.events import Checked, Event, Log, Materialized
from assetry.types.invocations import CheckRef, Invocation
from assetry.types.keys import AssetKey


@dataclass(slots=True)
class Tracked:
    """What the tracker knows of one planned invocation."""

    planned: PlannedInvocation
    #: Assets outside, and checks on them, that have not ended yet.
    waits: set[AssetKey | CheckRef] = field(default_factory=set)
    #: Members without a terminal event, in dependency order.
    unfinished: dict[AssetKey, Asset] = field(default_factory=dict)
    #: Partitions of unfinished members without a terminal event; members without partitions are not in it.
    parts: dict[AssetKey, dict[str, None]] = field(default_factory=dict)
    #: What went wrong with partitions of unfinished members.
    marred: dict[AssetKey, Blocker] = field(default_factory=dict)
    #: What comes along without having been asked for, and has not ended.
    along: dict[AssetKey, Asset] = field(default_factory=dict)
    unchecked: dict[CheckRef, None] = field(default_factory=dict)
    #: Checks that have passed for some partitions, and may have to say more of others.
    passing: set[CheckRef] = field(default_factory=set)
    #: Those that have begun, as their tool said by `Started` or `Progress`.
    started: set[AssetKey] = field(default_factory=set)
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
        made = {(event.key, event.partition) for event in self.held if isinstance(event, Materialized)}
        return {
            key
            for key in self.unfinished
            if (key, None) in made or (key in self.parts and all((key, part) in made for part in self.parts[key]))
        }

    def begun(self, key: AssetKey) -> bool:
        """Tell whether an asset has begun; where the tool never says so, by the first line about it."""
        return key in self.started or (not self.tells_starts and key in self.mentioned)

    def unclear(self) -> bool:
        """Tell whether nothing is known of what was being made when the tool broke: then it may be any of the rest."""
        return not (self.started if self.tells_starts else any(map(self.begun, self.unfinished)))

    def left(self) -> Invocation | None:
        """Return the invocation of what has no end yet; None when there is nothing.

        Of partitions it has those from the first one that is left to the last.
        """
        if not self.unfinished and not self.unchecked:
            return None
        planned = self.planned.invocation
        open_ = {part for parts in self.parts.values() for part in parts}
        at = [number for number, part in enumerate(planned.partitions) if part in open_]
        return replace(
            planned,
            assets=tuple(self.unfinished.values()),
            checks=tuple(self.unchecked),
            partitions=planned.partitions[at[0] : at[-1] + 1] if at else planned.partitions,
        )


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


@dataclass(frozen=True, slots=True)
class Interruption:
    """What broke an invocation off, and the next step; `rest` is said of what had not begun."""

    message: str
    hint: str | None = None
    rest: str | None = None


def tracked_of(planned: PlannedInvocation) -> Tracked:
    """Return what there is to know of an invocation before it begins."""
    invocation = planned.invocation
    parts = {
        asset.key: dict.fromkeys(invocation.partitions)
        for asset in (invocation.assets if invocation.partitions else ())
        if asset.partitions_def is not None
    }
    return Tracked(
        planned,
        unfinished={asset.key: asset for asset in invocation.assets},
        parts=parts,
        along={asset.key: asset for asset in invocation.also},
        unchecked=dict.fromkeys(invocation.checks),
    )


def stray(event: Event, again: bool) -> str:
    """Return what the log says of an event that nothing waits for; `again` when its asset has ended before."""
    key = getattr(event, "key", None)
    if again:
        return f"The tool reported a second end for {key} ({event.name}); the first one counts."
    part = getattr(event, "partition", None)
    what = f"{key}" if part is None else f"partition {part} of {key}"
    return f"The tool reported {event.name} for {what}, which was not asked of it; ignored."


def no_event(reported: object) -> Log:
    """Return what the log says of something that a tool reported and that is not an event.

    >>> no_event(None).message
    'The tool yielded a NoneType instead of an event; ignored.'
    """
    return Log(f"The tool yielded a {type(reported).__name__} instead of an event; ignored.", "warning")
