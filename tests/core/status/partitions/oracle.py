"""The status of partitions by brute force: from a log of what happened, looking at every key, without sets or digests.

It follows the sentences of the documentation one by one and shares no code with what it judges but the windows of keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import DynamicPartitionsDefinition, PartitionsDefinition, StaticPartitionsDefinition
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.mappings import TimeWindowPartitionMapping
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.status.freshness.data_times import is_only_used
from assetry.types.assets import Asset, Dep

Key = str | None
Node = tuple[str, Key]
#: The tries that did not come out well.
FAILED = ("failed", "check_failed")


@dataclass(frozen=True)
class Happened:
    """One line of the log: at a time, an asset or a partition of it was tried, and how that came out.

    What was made has its content, the code that made it, what was read of each input, and when it began; the moment
    that its data reaches; of inputs that grow how far they reached and in which epoch they were; and its own epoch.
    What was ``looked`` at has its content, and the moment that its data then reached.
    """

    at: datetime
    key: str
    partition: Key
    outcome: str
    content: str = ""
    code: str | None = None
    read: dict[str, Any] = field(default_factory=dict)
    began: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    as_of: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    appended: dict[str, tuple[datetime | None, Any]] = field(default_factory=dict)
    epoch: Any = None


@dataclass(frozen=True)
class Level:
    """How far data reaches, whether something behind it is not known, and how far it reaches once all is made."""

    at: datetime | None = None
    blind: bool = True
    soon: datetime | None = None


@dataclass
class Oracle:
    """The judge: definitions, the log, and the time."""

    graph: AssetGraph
    log: list[Happened]
    now: datetime
    #: What is to be made anew because something is overdue that is made from it.
    demanded: frozenset[Node] = frozenset()

    def __post_init__(self) -> None:
        # The log is short, and looked through again for every question but these.
        self.state = cache(self.state)  # type: ignore[method-assign]
        self.roots = cache(self.roots)  # type: ignore[method-assign]
        self.existing = cache(self.existing)  # type: ignore[method-assign]
        self.content = cache(self.content)  # type: ignore[method-assign]
        self.waits = cache(self.waits)  # type: ignore[method-assign]
        self.level = cache(self.level)  # type: ignore[method-assign]
        self.appends = cache(self.appends)  # type: ignore[method-assign]
        self.own_above = cache(self.own_above)  # type: ignore[method-assign]

    # -- the log -----------------------------------------------------------------------------------------------------

    def asset(self, key: str) -> Asset:
        return self.graph[key]

    def last(self, node: Node) -> Happened | None:
        """Return the last line that something was made or seen of an asset or partition."""
        found = [each for each in self.log if (each.key, each.partition) == node and each.outcome == "materialized"]
        return found[-1] if found else None

    def tried(self, node: Node) -> Happened | None:
        found = [each for each in self.log if (each.key, each.partition) == node and each.outcome != "looked"]
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
        return self.existing_at(key, self.now)

    def existing_at(self, key: str, moment: datetime) -> tuple[Key, ...]:
        definition = self.asset(key).partitions_def
        if definition is None:
            return (None,)
        known = dict.fromkeys(each.partition for each in self.log if each.key == key and each.partition is not None)
        return definition.keys(moment, known)

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
        return self.content(dep.key, tuple(self.read_or_gone(key, partition, dep)))

    def read_or_gone(self, key: str, partition: Key, dep: Dep) -> list[Key]:
        """Return which partitions one reads; the same key is read by that, also where it is no partition any more."""
        own, upstream = self.asset(key).partitions_def, self.asset(dep.key).partitions_def
        alike = own is not None and upstream is not None and own.grid == upstream.grid
        found = self.reads(key, partition, dep)
        return found or ([partition] if alike and dep.partition_mapping == "same" else [])

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
        if (key, partition) in self.demanded:
            return True
        return partition is not None and not asset.computed_on_read and self.provisional(asset, partition, made)

    def dues(self, asset: Asset, partition: str) -> list[datetime]:
        """Return when the time of a partition is over, and when late data is there, too; none without time."""
        definition, key = asset.partitions_def, partition
        if isinstance(definition, MultiPartitionsDefinition):
            key = definition.parts(partition)["date"]
            definition = definition.partitions_defs["date"]
        if not isinstance(definition, TimeWindowPartitionsDefinition):
            return []
        end = over = definition.window(key)[1]
        for _ in range(definition.lookback):
            end = definition.window_of(definition.span(end, end)[0])[1]
        return [each.astimezone(UTC) + definition.late for each in (over, end)]

    def provisional(self, asset: Asset, partition: str, made: Happened) -> bool:
        # Made before it was over, it is due when it is; and once more when late data is there.
        passed = [due for due in self.dues(asset, partition) if made.began < due <= self.now]
        if not passed:
            return False
        # But not where it is known of all that it reads that nothing has come until then.
        read = [dep.key for dep in asset.deps if dep.key != asset.key]
        if not read or any(self.asset(key).partitions_def is not None for key in read):
            return True
        levels = [self.level(key) for key in read]
        known = [each.at for each in levels if each.at is not None]
        return any(each.blind for each in levels) or not known or min(known) < max(passed)

    def news(self, key: str, partition: Key) -> set[str]:
        """Return the inputs that have other content than was read."""
        made, asset = self.record((key, partition)), self.asset(key)
        assert made is not None
        if asset.computed_on_read:
            return set()
        now = self.reading(key, partition)
        changed = {name for name, content in now.items() if content is not None and content != made.read.get(name)}
        # A view that was never made shows what was made anew behind it all the same.
        views = {name for name, content in now.items() if content is None and self.asset(name).computed_on_read}
        anew = {name for name in views if name in made.appended and made.appended[name][1] != self.epoch(name)}
        return {name for name in changed | anew if not self.is_settled(name, key, partition)}

    # -- what grows by appending -------------------------------------------------------------------------------------

    def appends(self, key: str) -> bool:
        asset = self.asset(key)
        if asset.partitions_def is not None:
            return False
        inherits = asset.computed_on_read and asset.grows == "replace" and bool(asset.deps)
        return asset.grows == "append" or (inherits and all(self.appends(dep.key) for dep in asset.deps))

    def is_grown(self, name: str, key: str, partition: Key) -> bool:
        """Tell whether a partition reads just its own time of an input, which grows."""
        (*_, dep) = [each for each in self.asset(key).deps if each.key == name]
        if partition is None or dep.partition_mapping == "all" or not self.appends(name):
            return False
        return bool(self.dues(self.asset(key), partition))

    def is_closed(self, key: str, partition: Key) -> bool:
        """Tell whether what was made lacks nothing of its time: all that grows had reached its end, and late data."""
        made = self.record((key, partition))
        if made is None or partition is None:
            return False
        reached = [at for at, _ in made.appended.values() if at is not None]
        return min(reached, default=made.began) >= max(self.dues(self.asset(key), partition))

    def is_settled(self, name: str, key: str, partition: Key) -> bool:
        """Tell whether what is new in an input is none of a partition's affair."""
        if not self.is_grown(name, key, partition) or not self.is_closed(key, partition):
            return False
        made = self.record((key, partition))
        assert made is not None
        return name not in made.appended or made.appended[name][1] == self.epoch(name)

    def epoch(self, key: str) -> Any:
        """Return what changes when what was there before is made anew, or by other code, also further above."""
        asset = self.asset(key)
        made = [each for each in self.log if each.key == key and each.outcome == "materialized"]
        if asset.computed_on_read:
            return made[-1].code if made else asset.code_version, self.epochs_above(key)
        return made[-1].epoch if made else None

    def epochs_above(self, key: str) -> tuple[Any, ...]:
        return tuple(self.epoch(name) for name in sorted({str(dep.key) for dep in self.asset(key).deps} - {key}))

    def next_epoch(self, key: str, partition: Key, refreshed: bool) -> Any:
        """Return in which epoch something is that is made now."""
        asset = self.asset(key)
        before = [each for each in self.log if each.key == key and each.outcome == "materialized"]
        begun = len(self.log) if refreshed and before and asset.grows == "append" else None
        if not asset.executable or (asset.incremental and asset.partitions_def is None):
            known = before[-1].epoch if before else None
            return len(self.log) if refreshed and before else known
        if begun is None and before and isinstance(before[-1].epoch, tuple):
            begun = before[-1].epoch[0]
        return begun, asset.code_version, self.epochs_above(key)

    def rewriting(self, key: str) -> set[str]:
        """Return the roots by which what was there before of an asset will be made anew, or by other code."""
        asset, made = self.asset(key), self.record((key, None))
        if not asset.executable:
            return set()
        if asset.partitions_def is None and asset.incremental:
            return {key} if made is None else set()
        found = {name for dep in asset.deps if dep.key != key for name in self.rewriting(dep.key)}
        last = [each for each in self.log if each.key == key and each.outcome == "materialized"][-1:]
        if last and isinstance(last[0].epoch, tuple) and last[0].epoch[2] != self.epochs_above(key):
            # One began above it: whatever it is made again for, all of it is anew then.
            parts = self.existing(key) if asset.partitions_def is not None else (None,)
            found |= {name for part in parts for name in self.passed(key, part)}
        if asset.partitions_def is not None:
            lines = [line for part in self.existing(key) if (line := self.record((key, part))) is not None]
            other = not lines or any(line.code != asset.code_version for line in lines)
            return found | {key} if other else found
        return found | {key} if made is None or made.code != asset.code_version else found

    # -- how far data reaches ----------------------------------------------------------------------------------------

    def seen(self, made: Happened) -> datetime:
        """Return how far what was made reaches, as far as looks have found since that it is the same."""
        looks = [
            each
            for each in self.log
            if (each.key, each.partition, each.outcome) == (made.key, made.partition, "looked")
        ]
        same = [each.as_of for each in looks[-1:] if each.content == made.content]
        return min(max([made.as_of, *same]), self.now)

    def together(self, keys: list[str]) -> Level:
        levels = [self.level(key) for key in dict.fromkeys(keys)]
        ats = [each.at for each in levels if each.at is not None]
        soons = [each.soon for each in levels if each.soon is not None]
        return Level(min(ats, default=None), any(each.blind for each in levels), min(soons, default=None))

    def level(self, key: str) -> Level:
        """Return how far the data of an asset reaches."""
        asset = self.asset(key)
        above = [str(dep.key) for dep in asset.deps if dep.key != key]
        if asset.computed_on_read:
            return self.together(above) if above else Level()
        made = self.record((key, None))
        if not asset.executable:
            at = self.now if asset.grows == "never" else None if made is None else self.seen(made)
            return Level(at, at is None, at)
        at = self.reaches(key, above)
        due = any(self.passes(key, part) for part in self.existing(key))
        soon = at if at is not None and not due else (self.together(above).soon if above else None) or self.now
        if asset.partitions_def is not None and (at is None or due):
            soon = self.partitions_reach(key, above, soon) or soon
        return Level(at, at is None, soon)

    def reaches(self, key: str, above: list[str]) -> datetime | None:
        asset = self.asset(key)
        if asset.partitions_def is not None:
            return self.partitions_reach(key, above)
        made = self.record((key, None))
        if made is None:
            return None
        behind = bool(self.news(key, None) or self.above(key, None))
        if behind or (asset.grows == "never" and self.passes(key, None)):
            return min(made.as_of, self.now)
        if asset.grows == "never":
            return self.now
        read = self.together(above) if above else Level()
        own = self.seen(made)
        if read.at is None:
            return own
        return min(read.at, own) if read.blind or own > made.as_of else read.at

    def partitions_reach(self, key: str, above: list[str], soon: datetime | None = None) -> datetime | None:
        """Return how far the newest partitions of each letter reach; of what has no time, all of them.

        With `soon` as they will once those are made that are due, which then reach as far as that.
        """
        asset, series = self.asset(key), dict[str, list[Key]]()
        for part in self.existing(key):
            assert part is not None
            timed = bool(self.dues(asset, part))
            split = (
                asset.partitions_def.parts(part) if isinstance(asset.partitions_def, MultiPartitionsDefinition) else {}
            )
            series.setdefault(split.get("letter", "") if timed else part, []).append(part)
        if not any(self.record((key, part)) for parts in series.values() for part in parts):
            return None
        sets = {} if soon is None else self.sets(key)
        to_make = (
            set().union(*(sets[name] for name in ("stale", "missing", "failed"))) - sets["waiting"] if sets else ()
        )
        found: list[datetime] = []
        fresh: list[tuple[datetime, bool]] = []
        if soon is not None and sets["missing"] & set(to_make):
            found.append(soon)
        for parts in series.values():
            made = [part for part in parts if self.record((key, part)) is not None]
            missing = parts[parts.index(made[-1]) + 1 :] if made else parts
            if missing:
                if self.dues(asset, str(missing[0])):
                    found.append(soon or self.window_end(asset, str(missing[0])))
                continue
            line = self.record((key, made[-1]))
            assert line is not None
            dues = self.dues(asset, str(made[-1]))
            if soon is not None and made[-1] in to_make:
                found.append(soon)
            elif soon is None and (self.news(key, made[-1]) or self.above(key, made[-1])):
                found.append(line.as_of)
            else:
                fresh.append((line.as_of, bool(dues) and line.as_of >= max(dues, default=self.now)))
        if fresh:
            complete = all(each for _, each in fresh)
            if complete:
                grown = {name for name in above if self.is_grown(name, key, self.existing(key)[-1])}
                above = [name for name in above if self.asset(name).partitions_def is None and name not in grown]
            read = self.together(above) if above else Level(blind=not complete)
            at = read.at if soon is None else read.soon
            found += [self.now, *([at] if at else [])]
            found += [min(at for at, _ in fresh)] if read.blind and not complete else []
        return min(found, default=None)

    def window_end(self, asset: Asset, partition: str) -> datetime:
        definition = asset.partitions_def
        if isinstance(definition, MultiPartitionsDefinition):
            partition = definition.parts(partition)["date"]
            definition = definition.partitions_defs["date"]
        assert isinstance(definition, TimeWindowPartitionsDefinition)
        return definition.window(partition)[1].astimezone(UTC)

    def read_as_of(self, key: str, partition: Key, began: datetime) -> datetime:
        """Return how far the data of something reaches that is made now."""
        found = [began]
        for dep in self.asset(key).deps:
            upstream = self.asset(dep.key)
            own = self.asset(key).partitions_def
            whole = upstream.partitions_def is None or dep.partition_mapping == "all"
            whole = whole or (dep.partition_mapping != "last" and (own is None or partition is None))
            whole = whole or (not self.recorded(dep.key) and self.last((dep.key, None)) is not None)
            if dep.key == key:
                continue
            if whole:
                at = self.level(dep.key).at
                found += [] if at is None else [at]
            else:
                parts = self.read_or_gone(key, partition, dep)
                read = [self.last((dep.key, part)) for part in parts]
                found += [each.as_of for each in read if each is not None]
        return min(found)

    # -- what policies ask -------------------------------------------------------------------------------------------

    def wanted_since(self, key: str) -> datetime | None:
        """Return how new the data of an asset is to be now at least; None where nothing asks for that."""
        policy = self.asset(key).freshness_policy
        if policy is None or policy.maximum_lag is None:
            return None
        if policy.cron is None:
            return self.now - policy.maximum_lag
        hour = int(policy.cron.split()[1])  # once a day, at a full hour of UTC
        tick = self.now.replace(hour=hour, minute=0, second=0, microsecond=0)
        return (tick if tick <= self.now else tick - timedelta(days=1)) - policy.maximum_lag

    def freshness(self, key: str) -> str:
        level, since = self.level(key), self.wanted_since(key)
        assert since is not None
        if level.at is None:
            return "overdue" if self.is_never_made(key) else "unknown"
        return "overdue" if level.at < since else "unknown" if level.blind else "met"

    def is_never_made(self, key: str) -> bool:
        """Tell whether an asset was never made, or anything that is read by reading it."""
        asset = self.asset(key)
        if asset.executable and not any(each.key == key and each.outcome == "materialized" for each in self.log):
            return True
        shows = asset.computed_on_read or is_only_used(asset)
        return shows and any(self.is_never_made(str(dep.key)) for dep in asset.deps if dep.key != key)

    def demands(self) -> frozenset[Node]:
        """Return what is up to date, and is to be made anew all the same."""
        found: set[Node] = set()
        for asset in self.graph.assets:
            since, at = self.wanted_since(asset.key), self.level(asset.key).soon
            if since is not None and at is not None and at < since:
                found |= {node for key in self.too_old(asset.key, since) for node in self.newest_behind(key, since)}
        return frozenset(found)

    def too_old(self, key: str, since: datetime) -> set[str]:
        found = {key}
        for dep in self.asset(key).deps:
            at = self.level(dep.key).soon
            if dep.key != key and (at is None or at < since):
                found |= self.too_old(str(dep.key), since)
        return found

    def newest_behind(self, key: str, since: datetime) -> list[Node]:
        """Return what of an asset would have newer data if it was made now: all of it, or its newest partitions."""
        asset, at = self.asset(key), self.level(key).soon
        above = [str(dep.key) for dep in asset.deps if dep.key != key]
        now = (self.together(above).soon if above else None) or self.now
        due = asset.partitions_def is None and self.passes(key, None)
        if not asset.executable or asset.computed_on_read or at is None or due or at >= now:
            return []
        if asset.partitions_def is None:
            return [(key, None)]
        made = [part for part in self.existing(key) if self.record((key, part)) is not None]
        last: dict[str, Key] = {}
        for part in made:
            split = (
                asset.partitions_def.parts(part) if isinstance(asset.partitions_def, MultiPartitionsDefinition) else {}
            )
            last[split.get("letter", "") if self.dues(asset, str(part)) else str(part)] = part
        lines = ((part, self.record((key, part))) for part in last.values())
        return [(key, part) for part, line in lines if line is not None and line.as_of < since]

    # -- what is to wait ---------------------------------------------------------------------------------------------

    def waits(self, key: str, partition: Key) -> bool:
        """Tell whether a partition is not to be made yet: what it reads does not reach to the end of its time."""
        asset = self.asset(key)
        if partition is None or not asset.executable or self.failed(key, partition):
            return False
        missing = self.record((key, partition)) is None
        names = {str(dep.key) for dep in asset.deps}
        soons = [self.level(name).soon for name in names if self.is_grown(name, key, partition)]
        unready = any(
            soon is not None and soon < self.now and partition not in self.existing_at(key, soon) for soon in soons
        )
        if missing:
            inherited = any(
                self.waits(dep.key, part) and self.record((dep.key, part)) is None
                for dep in asset.deps
                if dep.key != key
                for part in self.reads(key, partition, dep)
            )
            return unready or inherited
        made = self.record((key, partition))
        assert made is not None
        more = {name for name in self.news(key, partition) if self.is_grown(name, key, partition)}
        grown = {name for name in more if name not in made.appended or made.appended[name][1] == self.epoch(name)}
        early = self.provisional(asset, partition, made) and not asset.computed_on_read
        only = made.code == asset.code_version and not self.failed(key, partition, ("cancelled",))
        only = only and (key, partition) not in self.demanded
        only = only and not self.news(key, partition) - grown and not self.own_above(key, partition)
        return unready and only and (early or bool(grown))

    def own_above(self, key: str, partition: Key) -> bool:
        """Tell whether anything that is out of date is above, of other assets."""
        return any(node[0] != key for node in self.above(key, partition))

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
        if self.waits(key, partition):
            return False
        wrong = self.state(key, partition) != "fresh"
        return wrong or (asset.computed_on_read and bool(self.above(key, partition)))

    def above(self, key: str, partition: Key) -> list[Node]:
        """Return what is out of date of what one is made from."""
        return [
            (dep.key, part)
            for dep in self.asset(key).deps
            for part in self.reads(key, partition, dep)
            if self.passes(dep.key, part) and self.reaching(key, partition, (dep.key, part))
        ]

    def reaching(self, key: str, partition: Key, node: Node) -> frozenset[str]:
        """Return the roots of an input that reach what is made from it: of what is closed, only what is made anew."""
        name, part = node
        roots = self.passed(name, part)
        if part is None and self.is_grown(name, key, partition) and self.is_closed(key, partition):
            return roots & frozenset(self.rewriting(name))
        return roots

    def roots(self, key: str, partition: Key) -> frozenset[str]:
        """Return the assets above that one is out of date from."""
        found = {root for node in self.above(key, partition) for root in self.reaching(key, partition, node)}
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
        names = ("fresh", "stale", "missing", "failed", "waiting", "made", "orphan")
        found: dict[str, set[Key]] = {name: set() for name in names}
        for part in self.existing(key):
            found[self.state(key, part)].add(part)
            if self.waits(key, part):
                found["waiting"].add(part)
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
