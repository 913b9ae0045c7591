"""What the tracker of a run knows of an invocation with partitions: which of them are yet to be called for.

What is called in assetry's own process is called for some partitions at a time, so that they are made side by side and
each can go on as soon as it is made. A tool is called once for all of its partitions, as is a function that takes
ranges; more often only where some in the middle cannot be made, for what takes ranges cannot leave any out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.plan.numbering import Numbering
from assetry.plan.plan import PlannedInvocation
from assetry.types.assets import Asset, Check
from assetry.types.invocations import CheckRef
from assetry.types.keys import AssetKey


@dataclass(slots=True)
class Seat:
    """One planned invocation with partitions."""

    planned: PlannedInvocation
    #: Whether it may be called for some of its partitions at a time.
    splits: bool
    #: By member: the partitions that no call was made for yet.
    idle: dict[AssetKey, Parts]
    #: Members without partitions that no call was made for yet.
    whole: set[AssetKey] = field(default_factory=set)
    #: Assets outside without partitions, and checks on them, that have not ended yet.
    waits: set[AssetKey | CheckRef] = field(default_factory=set)
    #: Checks of what is made here that judge each partition by itself, with the call that makes it.
    judging: dict[CheckRef, None] = field(default_factory=dict)
    #: Other checks, on what others make or on several partitions at once: they go with the last call of a tool. In
    #: assetry's own process they have a call of their own, after all others.
    checks: dict[CheckRef, None] = field(default_factory=dict)
    #: Of `idle`, what could be made now; of what is called for some at a time.
    ready: Parts = NOTHING
    calls: int = 0
    #: The ids of the calls that run.
    running: set[str] = field(default_factory=set)
    #: How many partitions did not have to be made.
    cut: int = 0
    ended: bool = False

    @property
    def left(self) -> Parts:
        """Return what no call was made for yet, of any member."""
        found = NOTHING
        for own in self.idle.values():
            # Members mostly have the same partitions.
            found = found if own == found else found | own
        return found

    @property
    def unmade(self) -> bool:
        """Tell whether there is anything to make that no call was made for yet."""
        return bool(self.idle or self.whole)

    @property
    def open(self) -> bool:
        """Tell whether there is anything that no call was made for yet, checks among it."""
        return self.unmade or bool(self.checks)

    def waiting(self, key: AssetKey) -> Parts:
        """Return the partitions of a member that no call was made for yet; `WHOLE` of one without any."""
        return WHOLE if key in self.whole else self.idle.get(key, NOTHING)

    def take(self, parts: Parts) -> dict[AssetKey, Parts]:
        """Take partitions of all members for a call."""
        self.ready -= parts
        return self._taken({key: own & parts for key, own in self.idle.items()})

    def take_all(self) -> tuple[dict[AssetKey, Parts], set[AssetKey]]:
        """Take all that is left for a call: partitions, and members that have none."""
        whole, self.whole = self.whole, set()
        return self._taken(dict(self.idle)), whole

    def _taken(self, parts: Mapping[AssetKey, Parts]) -> dict[AssetKey, Parts]:
        taken = {key: own for key, own in parts.items() if own}
        for key, own in taken.items():
            self.idle[key] -= own
        self.idle = {key: own for key, own in self.idle.items() if own}
        self.calls += 1
        return taken

    def leave_out(self, parts: Mapping[AssetKey, Parts]) -> None:
        """Take what does not have to be made: partitions, and members that have none."""
        self.cut += sum(len(own) for key, own in parts.items() if key in self.idle)
        self.idle = {key: rest for key, own in self.idle.items() if (rest := own - parts.get(key, NOTHING))}
        self.whole -= parts.keys()
        self.ready &= self.left

    def give_up(self) -> None:
        """Let no more calls be made: all that is left is for others."""
        self.idle, self.whole, self.checks, self.ready = {}, set(), {}, NOTHING
        self.ended = not self.running

    def take_checks(self, making: bool) -> dict[CheckRef, None]:
        """Take the checks for a call, where it is the last one; `making` says that it makes something."""
        group = self.planned.invocation.group
        if self.unmade or (making and (group is None or not group.counted)):
            return {}
        taken, self.checks = self.checks, {}
        return taken

    def put_off(self, ref: CheckRef) -> None:
        """Let a check look at all at once, with the last call."""
        self.judging.pop(ref, None)
        self.checks[ref] = None

    def name(self) -> str:
        """Return the id of the call that was last taken for: the first has that of the invocation."""
        return self.planned.id if self.calls == 1 else f"{self.planned.id}.{self.calls}"


def seat_of(planned: PlannedInvocation, numbering: Numbering, of_all: Collection[CheckRef] = ()) -> Seat:
    """Return what there is to know of an invocation with partitions before it begins.

    `of_all` are checks that judge all of their asset at once.
    """
    own, checks = planned.parts, planned.invocation.checks
    judging = dict.fromkeys(ref for ref in checks if ref.key in own and ref not in of_all)
    others = dict.fromkeys(ref for ref in checks if ref not in judging)
    whole = {asset.key for asset in (*planned.invocation.assets, *planned.invocation.also)}.difference(own)
    return Seat(planned, _splits(planned, numbering), dict(own), whole, judging=judging, checks=others)


def checks_of_all(
    invocations: Collection[PlannedInvocation], checks: Mapping[CheckRef, Check], numbering: Numbering
) -> set[CheckRef]:
    """Return the checks that judge all of an asset at once: not each invocation that makes partitions of it runs them.

    So do those that look at another asset, too, which is not made in the same invocations: where a function is called
    for some partitions at a time, the others of that asset may not be there yet.
    """
    homes: dict[AssetKey, set[str]] = {}
    runs: dict[CheckRef, list[PlannedInvocation]] = {}
    for each in invocations:
        for key in each.parts:
            homes.setdefault(key, set()).add(each.id)
        for ref in each.invocation.checks:
            runs.setdefault(ref, []).append(each)
    found = set()
    for ref, run_by in runs.items():
        own = homes.get(ref.key, set())
        apart = [key for key in checks[ref].also if key in homes and homes[key] != own]
        made_too = [each for each in run_by if any(key in each.parts for key in apart)]
        if sum(ref.key in each.parts for each in run_by) < len(own) or any(
            ref.key in each.parts and _splits(each, numbering) for each in made_too
        ):
            found.add(ref)
    return found


def _splits(planned: PlannedInvocation, numbering: Numbering) -> bool:
    group, own = planned.invocation.group, planned.parts
    if group is not None and (group.counted or group.atomic or group.partitions == "range"):
        return False
    members = {asset.key for asset in (*planned.invocation.assets, *planned.invocation.also)}
    if members != own.keys() or len(set(own.values())) > 1:
        return False
    # What reads earlier partitions of itself is called for one after the other.
    return not any(numbering.reads_others(key, members - {key}) for key in members)


def calls_left(seat: Seat, numbering: Numbering) -> int:
    """Return how often a tool is to be called for what is left of an invocation: of ranges, for each without a hole."""
    group = seat.planned.invocation.group
    timed = {key: own for key, own in seat.idle.items() if numbering.window(key, own.first(1)) is not None}
    if group is None or group.partitions != "range" or numbering.common_window(timed) is not None:
        return 1
    invocation = seat.planned.invocation
    return max(1, sum(1 for _ in runs((*invocation.assets, *invocation.also), timed)))


def some(parts: Parts, most: int) -> Parts:
    """Return the first `most` partitions of a set.

    >>> some(Parts.range(0, 3, "eu") | Parts.range(0, 3, "us"), 4).strands
    ('eu', 'us')
    """
    ranges: dict[str, list[tuple[int, int]]] = {}
    for strand, first, stop in parts.spans():
        end = min(stop, first + most)
        ranges.setdefault(strand, []).append((first, end))
        most -= end - first
        if most <= 0:
            break
    return Parts(ranges)


def runs(assets: tuple[Asset, ...], left: Mapping[AssetKey, Parts]) -> Iterator[dict[AssetKey, Parts]]:
    """Yield what is left of several assets as calls of a tool that takes ranges, in an order that keeps dependencies.

    Assets that stand one after the other and have the same partitions left share the calls.

    >>> from assetry.types.assets import Asset
    >>> assets = (Asset(key="a", kind="x"), Asset(key="b", kind="x"))
    >>> parts = Parts.of([1, 2, 4])
    >>> [len(call[assets[0].key]) for call in runs(assets, {assets[0].key: parts, assets[1].key: parts})]
    [2, 1]
    """
    alike: list[tuple[Parts, list[AssetKey]]] = []
    for asset in assets:
        own = left.get(asset.key, NOTHING)
        if own and alike and alike[-1][0] == own:
            alike[-1][1].append(asset.key)
        elif own:
            alike.append((own, [asset.key]))
    for own, keys in alike:
        strands: dict[tuple[int, int], list[str]] = {}
        for strand, first, stop in own.spans():
            strands.setdefault((first, stop), []).append(strand)
        for span in sorted(strands):
            yield dict.fromkeys(keys, Parts({strand: [span] for strand in strands[span]}))
