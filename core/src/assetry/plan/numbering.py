"""The partitions of a graph's assets by number, and what each is made from, as one plan sees them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.partitions.chains import spread
from assetry.partitions.definitions import numbers_of
from assetry.partitions.parts import NOTHING, WHOLE, Parts
from assetry.partitions.recorded import time_of
from assetry.types.events import Ranged
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition
    from assetry.partitions.links import Link

#: Where nobody says when: a moment at which all partitions of today exist.
LATE = datetime(2200, 1, 1, tzinfo=UTC)
Window = tuple[datetime, datetime]
R = TypeVar("R", bound=Ranged)


class Numbering:
    """What partitions assets have, and what each is made from, at one moment.

    `definitions` are those that have the numbers of more keys than the graph's own: of keys that records know, or that
    are about to be made. An asset without partitions counts as one, `assetry.partitions.parts.WHOLE`.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> from assetry.types.assets import Asset
    >>> made = [
    ...     Asset(key=key, kind="x", deps=deps, partitions_def=StaticPartitionsDefinition(["eu", "us"]))
    ...     for key, deps in (("a", []), ("b", ["a"]))
    ... ]
    >>> Numbering(AssetGraph.of(made)).down(AssetKey("b"), AssetKey("a"), Parts.of([1]))
    Parts({'': [(1, 2)]})
    """

    def __init__(
        self,
        graph: AssetGraph,
        definitions: Mapping[AssetKey, PartitionsDefinition] | None = None,
        now: datetime = LATE,
    ) -> None:
        self._graph = graph
        self._definitions = dict(definitions or {})
        self._now = now
        self._links: dict[tuple[AssetKey, AssetKey], tuple[Link, ...]] = {}
        self._existing: dict[AssetKey, Parts] = {}
        #: Keys by definition, strand and number: most assets of a project have one of a few definitions.
        self._keys: dict[int, dict[tuple[str, int], str]] = {}
        self._alike: dict[Hashable, dict[tuple[str, int], str]] = {}

    def definition(self, key: AssetKey) -> PartitionsDefinition | None:
        """Return the definition of an asset's partitions, with all keys that are known; None when it has none."""
        return self._definitions.get(key) or self._graph[key].partitions_def

    def links(self, lower: AssetKey, upper: AssetKey) -> tuple[Link, ...]:
        """Return what the dependencies of `lower` on `upper` mean between their partitions; none without any."""
        found = self._links.get((lower, upper))
        if found is None:
            meanings = self._graph.links.get(lower)
            deps = zip(self._graph[lower].deps, meanings, strict=True) if meanings is not None else ()
            found = tuple(
                link.numbered(self._definitions.get(lower), self._definitions.get(upper))
                for dep, link in deps
                if link is not None and dep.key == upper
            )
            self._links[lower, upper] = found
        return found

    def reads_others(self, key: AssetKey, among: Collection[AssetKey]) -> bool:
        """Tell whether a partition of an asset is made from others than its own namesake, of some assets."""
        deps = (dep.key for dep in self._graph[key].deps)
        return any(not link.same_numbers for dep in deps if dep in among for link in self.links(key, dep))

    def up(self, lower: AssetKey, upper: AssetKey, parts: Parts) -> Parts:
        """Return the partitions of `upper` that any of `parts` of `lower` is made from."""
        found = NOTHING
        for link in self.links(lower, upper):
            found |= link.up(parts, self._now)
        return found

    def down(self, lower: AssetKey, upper: AssetKey, parts: Parts) -> Parts:
        """Return the partitions of `lower` that are made from any of `parts` of `upper`."""
        if not parts:
            return NOTHING
        found = NOTHING
        for link in self.links(lower, upper):
            found |= link.down(parts, self._now)
        return found

    def existing(self, key: AssetKey) -> Parts:
        """Return the partitions that exist of an asset; `WHOLE` for one without."""
        found = self._existing.get(key)
        if found is None:
            definition = self.definition(key)
            found = self._existing[key] = WHOLE if definition is None else definition.existing(self._now)
        return found

    def following(self, key: AssetKey, parts: Parts) -> Parts:
        """Return some partitions of an asset, and the later ones that are made from them by way of each other."""
        links = self.links(key, key)
        return spread(parts, links, self.existing(key), self._now) if links and parts else parts

    def keys_of(self, key: AssetKey, parts: Parts) -> tuple[str, ...]:
        """Return the keys of some partitions of an asset, in the order of their numbers."""
        definition = self.definition(key)
        if definition is None:
            return ()
        known = self._keys.get(id(definition))
        if known is None:
            known = self._keys[id(definition)] = self._alike.setdefault(numbers_of(definition), {})
        try:
            return tuple([known[part] for part in parts])
        except KeyError:
            known.update((part, definition.key(part[1], part[0])) for part in parts if part not in known)
            return tuple([known[part] for part in parts])

    def all_keys(self, parts: Mapping[AssetKey, Parts]) -> tuple[str, ...]:
        """Return the keys of partitions of several assets, in the order of their numbers where these are the same."""
        found: dict[Hashable, tuple[AssetKey, Parts]] = {}
        for key, own in parts.items():
            definition = self.definition(key)
            alike = None if definition is None else numbers_of(definition)
            found[alike] = (key, own | found[alike][1] if alike in found else own)
        return tuple(dict.fromkeys(each for key, own in found.values() for each in self.keys_of(key, own)))

    def between(self, key: AssetKey, first: str, last: str) -> tuple[str, ...]:
        """Return the keys of an asset's partitions from one to another, both inside.

        Raises `UsageError`, with near names, for a key that is none, and for a range that runs backwards.
        """
        definition = self.definition(key)
        if definition is None:
            raise UsageError(f"{key} has no partitions, so that there is none from {first!r} to {last!r}.")
        begin, stop = definition.range_of(first, last)
        return self.keys_of(key, definition.possible(Parts.range(begin, stop, definition.strand(first))))

    def one_by_one(self, event: R) -> list[R]:
        """Return an event of a range of partitions as one of each; raise `UsageError` as `between` does."""
        if event.through is None:
            return [event]
        names = self.between(event.key, str(event.partition), event.through)
        return [event.about(name) for name in names]

    def window(self, key: AssetKey, parts: Parts) -> Window | None:
        """Return the time that partitions cover together; None without time, or with a gap in it."""
        definition = self.definition(key)
        return None if definition is None else window_of(definition, parts)

    def common_window(self, parts: Mapping[AssetKey, Parts]) -> Window | None:
        """Return the time that partitions of several assets cover, where it is the same for all of them."""
        windows = {self.window(*each) for each in parts.items()}
        return windows.pop() if len(windows) == 1 else None

    def definitions_of(self, keys: Iterable[AssetKey]) -> dict[AssetKey, PartitionsDefinition]:
        """Return the definitions of these assets that are others than the graph's own."""
        return {key: self._definitions[key] for key in keys if key in self._definitions}


def with_partitions(invocation: Invocation, parts: Mapping[AssetKey, Parts], numbering: Numbering) -> Invocation:
    """Return an invocation that makes these partitions of its assets.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> from assetry.types.assets import Asset, Integration
    >>> made = Asset(key="a", kind="x", partitions_def=DailyPartitionsDefinition("2026-01-01"))
    >>> empty = Invocation(id="1", group=None, integration=Integration("x", "x"), assets=(made,))
    >>> wanted = {made.key: made.partitions_def.parts_of(["2026-01-01", "2026-01-02"])}
    >>> with_partitions(empty, wanted, Numbering(AssetGraph.of([made]))).partitions
    ('2026-01-01', '2026-01-02')
    """
    keys = {key: numbering.keys_of(key, own) for key, own in parts.items()}
    alike = len(set(parts.values())) == 1 and len(set(keys.values())) == 1
    every = next(iter(keys.values())) if alike else numbering.all_keys(parts)
    window = numbering.common_window(parts)
    return replace(invocation, partitions=every, own_partitions={} if alike else keys, window=window)


def window_of(definition: PartitionsDefinition, parts: Parts) -> Window | None:
    """Return the time that partitions cover together; None without time, or with a gap in it.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> days = DailyPartitionsDefinition("2026-01-01")
    >>> [str(each) for each in window_of(days, days.parts_of(["2026-01-02", "2026-01-03"]))]
    ['2026-01-02 00:00:00+00:00', '2026-01-04 00:00:00+00:00']
    >>> window_of(days, days.parts_of(["2026-01-01", "2026-01-03"])) is None
    True
    """
    if definition.typical_length is None:
        return None
    ranges = {(first, stop) for _, first, stop in parts.spans()}
    return bounds_of(definition, *ranges.pop()) if len(ranges) == 1 else None


def bounds_of(definition: PartitionsDefinition, first: int, stop: int) -> Window:
    """Return when the window `first` starts and the one before `stop` ends.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> str(bounds_of(DailyPartitionsDefinition("2026-01-01"), 0, 1)[1])
    '1970-01-02 00:00:00+00:00'
    """
    windows = time_of(definition)
    assert windows is not None, "only time has bounds"
    return windows.window_of(first)[0], windows.window_of(stop - 1)[1]
