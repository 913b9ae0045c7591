"""What keeps from being started what is wanted: back-off, pauses, batches, what a person has to see. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Literal, NamedTuple

from assetry.plugin import AssetKey, AutomationPolicy, Parts, span_text

from assetry_automation.decision.memory import Memory, defined
from assetry_automation.decision.world import LONGEST, World

#: After a first failure so long is waited, and twice as long after each further one, up to `LONGEST`.
FIRST = timedelta(minutes=1)
#: So many times an asset may be made for one reason in its definition that stays.
_UNSETTLED = 3


class Hold(NamedTuple):
    """What keeps partitions from being started: `until` a moment, or until something changes."""

    kind: Literal["at", "backing_off", "held"]
    because: str
    parts: Parts
    until: datetime | None = None


def holds_of(world: World, memory: Memory, key: AssetKey, wanted: Parts) -> list[Hold]:
    """Return all that keeps what is wanted of an asset from being started."""
    return [each for each in _holds(world, memory, key, wanted) if each.until is None or each.until > world.now]


def _holds(world: World, memory: Memory, key: AssetKey, wanted: Parts) -> Iterator[Hold]:
    if key in memory.held:
        yield Hold("held", f"{memory.held[key]}; `assetry resume -s {key}` lets it go on", wanted)
    resumed = memory.resumed.get(key)
    failures = memory.failures.get(key)
    failed = world.failed(key) & wanted
    if failures is not None and failures.times and failed and not (resumed and resumed > failures.at):
        told = f"it failed {_times(failures.times)} in a row from the same code and inputs"
        if failures.times >= world.settings.holds_after:
            yield Hold("held", f"{told}: mend it, or `assetry resume -s {key}`", failed)
        else:
            yield Hold("backing_off", told, failed, failures.at + back_off(key, failures.times))
    starts = memory.starts.get(key)
    if starts is not None and not resumed and starts.times >= _UNSETTLED and starts.because == defined(world, key):
        why = next(each.text for each in world.statuses[key].reasons if each.code == starts.because)
        told = f"it was made {_times(starts.times)} and is out of date for the same reason each time: {why}"
        yield Hold("held", f"{told}; `assetry resume -s {key}` makes it again", wanted)
    last, policy = world.last_start(key), world.policies.get(key)
    if last is not None:
        every = every_of(policy) if policy is not None else None
        pause = every if every is not None else min(world.usual(key), LONGEST)
        if last + pause > world.now:
            told = (
                f"at least {span_text(every)} is between two starts"
                if every is not None
                else f"it takes about {span_text(pause)}, and so long is between two starts"
            )
            yield Hold("at", told, wanted, last + pause)
    batch = policy.batched if policy is not None and policy.batched is not None else world.settings.batch
    if isinstance(batch, timedelta) and batch:
        since = memory.wanted.get(key, world.now)
        # What is tried again has waited for company once, and waits for its back-off.
        first = wanted - failed if failures is not None and failures.times else wanted
        yield Hold("at", f"what else is wanted within {span_text(batch)} joins it", first, since + batch)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def every_of(policy: AutomationPolicy) -> timedelta | None:
    """Return how far apart two starts of an asset are at least, by its policy or one that it is made of."""
    if policy.every is not None or not policy.of:
        return policy.every
    return min((each for part in policy.of if (each := every_of(part)) is not None), default=None)


def back_off(name: str, count: int, longest: timedelta = LONGEST) -> timedelta:
    """Return how long is waited after so many failures in a row: a fifth more or less, so that not all come at once.

    >>> [0.8 <= back_off(AssetKey("shop/orders"), count) / FIRST / 2 ** (count - 1) <= 1.2 for count in (1, 2, 3)]
    [True, True, True]
    """
    spread = int.from_bytes(blake2b(f"{name} {count}".encode(), digest_size=2).digest()) / 0xFFFF
    doubled: timedelta = FIRST * 2 ** min(count - 1, 10)
    return min(doubled, longest) * (0.8 + 0.4 * spread)


def surge_of(world: World, wanted: Mapping[AssetKey, Parts], memory: Memory) -> dict[AssetKey, Hold]:
    """Return what a person has to see before it is made: very much, out of date because of definitions alone."""
    settings = world.settings
    changed = {key: parts for key, parts in wanted.items() if defined(world, key)}
    changed = {key: parts for key, parts in changed.items() if key not in memory.resumed}
    count = sum(map(len, changed.values()))
    if len(changed) <= settings.surge and count <= settings.surge_partitions:
        return {}
    size = f"{len(changed):,} assets" if count == len(changed) else f"{count:,} partitions of {len(changed):,} assets"
    told = f"{size} changed at once ({_mostly(world, changed)})"
    steps = (
        "`assetry plan --stale` shows them, `assetry accept -s state:stale --why …` takes them as they are, "
        "`assetry resume -s state:stale` makes them"
    )
    return {key: Hold("held", f"{told}: {steps}", parts) for key, parts in changed.items()}


def _mostly(world: World, changed: Iterable[AssetKey]) -> str:
    """Return the reason in their definitions that most of some assets are out of date for, with the first of these."""
    why = {
        key: next(each.text for each in world.statuses[key].reasons if each.code == defined(world, key))
        for key in changed
    }
    text, count = Counter(why.values()).most_common(1)[0]
    first = next(key for key, each in why.items() if each == text)
    return f"`{first}`{f' and {count - 1:,} more' if count > 1 else ''}: {text}"
