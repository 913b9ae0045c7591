"""The status of partitions by brute force: from a log of what happened, looking at every key, without sets or digests.

It follows the sentences of the documentation one by one and shares no code with what it judges but the windows of keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import DynamicPartitionsDefinition, PartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.types.assets import Asset, Dep

Key = str | None
Node = tuple[str, Key]
#: The tries that did not come out well.
FAILED = ("failed", "check_failed")


@dataclass(frozen=True)
class Happened:
    """One line of the log: at a time, an asset or a partition of it was tried, and how that came out.

    What was made has its content, the code that made it, what was read of each input, and when it began.
    """

    at: datetime
    key: str
    partition: Key
    outcome: str
    content: str = ""
    code: str | None = None
    read: dict[str, Any] = field(default_factory=dict)
    began: datetime = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Oracle:
    """The judge: definitions, the log, and the time."""

    graph: AssetGraph
    log: list[Happened]
    now: datetime

    def __post_init__(self) -> None:
        # The log is short, and looked through again for every question but these.
        self.state = cache(self.state)  # type: ignore[method-assign]
        self.roots = cache(self.roots)  # type: ignore[method-assign]
        self.existing = cache(self.existing)  # type: ignore[method-assign]
        self.content = cache(self.content)  # type: ignore[method-assign]

    # -- the log -----------------------------------------------------------------------------------------------------

    def asset(self, key: str) -> Asset:
        return self.graph[key]

    def last(self, node: Node) -> Happened | None:
        """Return the last line that something was made or seen of an asset or partition."""
        found = [each for each in self.log if (each.key, each.partition) == node and each.outcome == "materialized"]
        return found[-1] if found else None

    def tried(self, node: Node) -> Happened | None:
        found = [each for each in self.log if (each.key, each.partition) == node]
        return found[-1] if found else None

    def record(self, node: Node) -> Happened | None:
        """Return the last line that still says something: a whole of what assetry keeps takes the partitions' place."""
        key, partition = node
        made = self.last(node)
        if made is None or not self.asset(key).kept:
            return made
        others = [
            each.at
            for each in self.log
            if each.key == key and each.outcome == "materialized" and (each.partition is None) != (partition is None)
        ]
        return None if others and max(others) > made.at else made

    # -- which there are, and what each reads ------------------------------------------------------------------------

    def existing(self, key: str) -> tuple[Key, ...]:
        definition = self.asset(key).partitions_def
        if definition is None:
            return (None,)
        known = dict.fromkeys(each.partition for each in self.log if each.key == key and each.partition is not None)
        return definition.keys(self.now, known)

    def reads(self, key: str, partition: Key, dep: Dep) -> list[Key]:
        """Return which of the partitions that exist upstream one is made from."""
        own, upstream = self.asset(key).partitions_def, self.asset(dep.key).partitions_def
        there = list(self.existing(dep.key))
        if upstream is None or own is None or partition is None or dep.partition_mapping == "all":
            return there[-1:] if upstream is not None and dep.partition_mapping == "last" else there
        if dep.partition_mapping == "last":
            return there[-1:]
        if isinstance(dep.partition_mapping, TimeWindowPartitionMapping):
            at = there.index(partition) + dep.partition_mapping.start
            return there[at : at + 1] if at >= 0 else []
        return [each for each in there if each is not None and meets(own, upstream, partition, each)]

    # -- content -----------------------------------------------------------------------------------------------------

    def content(self, key: str, parts: tuple[Key, ...] | None) -> Any:
        """Return what reading some partitions, or all of an asset, would give; None when nothing is known."""
        asset = self.asset(key)
        if asset.computed_on_read:
            made = self.last((key, None))
            if made is None:
                return None
            return made.code, tuple((dep.key, self.content(dep.key, None)) for dep in asset.deps)
        if asset.partitions_def is None:
            made = self.last((key, None))
            return made.content if made is not None else None
        if parts is None:
            parts = tuple(dict.fromkeys(each.partition for each in self.log if each.key == key))
        found = {part: made.content for part in parts if (made := self.last((key, part))) is not None}
        return tuple(sorted(found.items(), key=str)) or None

    def readable(self, key: str, partition: Key, dep: Dep) -> Any:
        """Return the content that a partition, or a whole, would read of one of its inputs."""
        own, upstream = self.asset(key).partitions_def, self.asset(dep.key)
        if upstream.partitions_def is None or dep.partition_mapping == "all":
            return self.content(dep.key, None)
        if dep.partition_mapping != "last" and (own is None or partition is None):
            return self.content(dep.key, None)
        return self.content(dep.key, tuple(self.reads(key, partition, dep)))

    def reading(self, key: str, partition: Key) -> dict[str, Any]:
        """Return what is read when one is made now."""
        return {dep.key: self.readable(key, partition, dep) for dep in self.asset(key).deps}

    # -- how each is -------------------------------------------------------------------------------------------------

    def failed(self, key: str, partition: Key, outcomes: tuple[str, ...] = FAILED) -> bool:
        tried = self.tried((key, partition))
        if tried is not None and tried.outcome in outcomes:
            return True
        if partition is None or self.record((key, partition)) is None:
            return False
        # Of a try at the whole nothing says which partitions it was about: of all, until any is made.
        whole = self.tried((key, None))
        made = [each for part in self.recorded(key) if (each := self.record((key, part))) is not None]
        return whole is not None and whole.outcome in outcomes and whole.at >= max(each.at for each in made)

    def recorded(self, key: str) -> list[str]:
        return list(
            dict.fromkeys(each.partition for each in self.log if each.key == key and each.partition is not None)
        )

    def own(self, key: str, partition: Key) -> bool:
        """Tell whether something is wrong with what was made, in itself."""
        asset, made = self.asset(key), self.record((key, partition))
        assert made is not None
        if made.code != asset.code_version or self.failed(key, partition, ("cancelled",)):
            return True
        return partition is not None and not asset.computed_on_read and self.provisional(asset, partition, made)

    def provisional(self, asset: Asset, partition: str, made: Happened) -> bool:
        definition, key = asset.partitions_def, partition
        if isinstance(definition, MultiPartitionsDefinition):
            key = definition.parts(partition)["date"]
            definition = definition.partitions_defs["date"]
        if not isinstance(definition, TimeWindowPartitionsDefinition):
            return False
        end = over = definition.window(key)[1]
        for _ in range(definition.lookback):
            end = definition.window_of(definition.span(end, end)[0])[1]
        # Made before it was over, it is due when it is; and once more when late data is there.
        dues = (each.astimezone(UTC) + definition.late for each in (over, end))
        return any(made.began < due <= self.now for due in dues)

    def news(self, key: str, partition: Key) -> set[str]:
        """Return the inputs that have other content than was read."""
        made, asset = self.record((key, partition)), self.asset(key)
        assert made is not None
        if asset.computed_on_read:
            return set()
        now = self.reading(key, partition)
        return {name for name, content in now.items() if content is not None and content != made.read.get(name)}

    def state(self, key: str, partition: Key) -> str:
        asset = self.asset(key)
        if not asset.executable:
            return "fresh" if self.record((key, partition)) is not None else "missing"
        if self.failed(key, partition):
            return "failed"
        if self.record((key, partition)) is None:
            return "missing"
        if self.own(key, partition):
            return "stale"
        if asset.computed_on_read:
            return "fresh"
        return "stale" if self.news(key, partition) or self.above(key, partition) else "fresh"

    def passes(self, key: str, partition: Key) -> bool:
        """Tell whether what is made from one is out of date because of it."""
        asset = self.asset(key)
        if not asset.executable:
            return False
        wrong = self.state(key, partition) != "fresh"
        return wrong or (asset.computed_on_read and bool(self.above(key, partition)))

    def above(self, key: str, partition: Key) -> list[Node]:
        """Return what is out of date of what one is made from."""
        return [
            (dep.key, part)
            for dep in self.asset(key).deps
            for part in self.reads(key, partition, dep)
            if self.passes(dep.key, part)
        ]

    def roots(self, key: str, partition: Key) -> frozenset[str]:
        """Return the assets above that one is out of date from."""
        found = {root for node in self.above(key, partition) for root in self.passed(*node)}
        if self.asset(key).executable and self.record((key, partition)) is not None:
            found |= self.news(key, partition)
        return frozenset(found)

    def passed(self, key: str, partition: Key) -> frozenset[str]:
        """Return the roots that one hands on: those above it, and itself when something is wrong with itself."""
        above = self.roots(key, partition)
        made = self.record((key, partition))
        failed = self.failed(key, partition)
        itself = failed or (bool(not above) if made is None else self.own(key, partition))
        return above | {key} if itself else above

    def word(self, key: str) -> str:
        asset = self.asset(key)
        if not asset.executable:
            return "external"
        states = [self.state(key, part) for part in self.existing(key)]
        if "failed" in states:
            return "failed"
        if all(self.record((key, part)) is None for part in self.existing(key)):
            return "never"
        return "stale" if {"stale", "missing"} & set(states) else "fresh"

    def sets(self, key: str) -> dict[str, set[Key]]:
        found: dict[str, set[Key]] = {name: set() for name in ("fresh", "stale", "missing", "failed", "made", "orphan")}
        for part in self.existing(key):
            found[self.state(key, part)].add(part)
            if self.record((key, part)) is not None:
                found["made"].add(part)
        recorded = (each for each in self.recorded(key) if self.record((key, each)) is not None)
        found["orphan"] = set(recorded) - set(self.existing(key))
        return found


def meets(own: PartitionsDefinition, upstream: PartitionsDefinition, partition: str, other: str) -> bool:
    """Tell whether a partition reads another by the mapping ``same``."""
    if isinstance(own, MultiPartitionsDefinition) or isinstance(upstream, MultiPartitionsDefinition):
        mine, theirs = dimensions(own, partition), dimensions(upstream, other)
        return all(meets_in_one(*mine[name], *theirs[name]) for name in mine if name in theirs)
    return meets_in_one(own, partition, upstream, other)


def dimensions(definition: PartitionsDefinition, key: str) -> dict[str, tuple[PartitionsDefinition, str]]:
    if isinstance(definition, MultiPartitionsDefinition):
        return {name: (definition.partitions_defs[name], part) for name, part in definition.parts(key).items()}
    keys = isinstance(definition, (StaticPartitionsDefinition, DynamicPartitionsDefinition))
    return {"letter" if keys else "date": (definition, key)}


def meets_in_one(own: PartitionsDefinition, partition: str, upstream: PartitionsDefinition, other: str) -> bool:
    if not isinstance(own, TimeWindowPartitionsDefinition) or not isinstance(upstream, TimeWindowPartitionsDefinition):
        return partition == other
    (begin, end), (start, stop) = own.window(partition), upstream.window(other)
    # In UTC: times of one zone are compared by their wall clocks, which repeat an hour every autumn.
    return begin.astimezone(UTC) < stop.astimezone(UTC) and start.astimezone(UTC) < end.astimezone(UTC)
