"""What one invocation could not make of its partitions, and what cannot be made because it reads that."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from assetry.graph.order import dependency_order
from assetry.partitions.recorded import has_dynamic
from assetry.python.calls.portion import Portion
from assetry.types.assets import Asset, Dep
from assetry.types.events import Event, Skipped
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.links import Link

#: An asset, and the partition of it; None for all of it.
_Place = tuple[AssetKey, str | None]


class _Loss(NamedTuple):
    """Why something is not there to be read: the asset in which that begins, and what happened."""

    root: AssetKey
    text: str


class Losses:
    """The partitions that one invocation could not make, and what reads them of its own.

    Its calls are for one portion of the partitions after the other, so that an asset may be made from other partitions
    of what is made here, such as the day before. What reads something lost is not made of it, and all else is. Where a
    function makes all of its assets or none, they are lost together.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> from assetry.partitions.mappings import TimeWindowPartitionMapping
    >>> from assetry.types.assets import Integration
    >>> before = Dep(AssetKey("a"), partition_mapping=TimeWindowPartitionMapping(-1, -1))
    >>> made = Asset(key="a", kind="python", deps=[before], partitions_def=DailyPartitionsDefinition("2026-01-01"))
    >>> losses = Losses(Invocation(id="1", group=None, integration=Integration("python", "python"), assets=(made,)))
    >>> losses.note("a", "2026-01-01", "failed")
    >>> [list(losses.apart(Portion((day,)))) == [(Portion((day,)), {"a"})] for day in ("2026-01-02", "2026-01-09")]
    [False, True]
    """

    def __init__(self, invocation: Invocation) -> None:
        self.own = {asset.key: asset for asset in (*invocation.assets, *invocation.also)}
        self._together = any("output" in asset.spec and not asset.spec["can_subset"] for asset in self.own.values())
        self._why: dict[_Place, _Loss] = {}
        self._reads: dict[AssetKey, list[tuple[AssetKey, Link | None]]] | None = None
        self._now = datetime.now(UTC)

    def note(self, key: AssetKey | str, partition: str | None, what: str) -> None:
        """Note that nothing can be made from a partition, and what became of it."""
        name = key if partition is None else f"{key} [{partition}]"
        self._lose((AssetKey(key), partition), _Loss(AssetKey(key), f"{name} {what}"))

    def note_check(self, key: AssetKey, partition: str | None, check: str) -> None:
        """Note that nothing can be made from a partition, because a check of it failed."""
        if key in self.own:
            self._lose((key, partition), _Loss(key, f"check {check} of {key} failed"))

    def apart(self, portion: Portion) -> Iterator[tuple[Portion, Collection[AssetKey]]]:
        """Yield a portion, in pieces where what can be made is not the same for all of it, each with that."""
        lost = self._lost_of(portion.names) if self._why else {}
        for place, loss in lost.items():
            self._lose(place, loss)
        gone = [frozenset(key for key in self.own if (key, name) in lost) for name in portion.names if lost]
        if not any(gone):
            yield portion, self.own.keys()
            return
        for each, pairs in groupby(zip(gone, portion.names, strict=True), lambda pair: pair[0]):
            keys = tuple(name for _, name in pairs if name is not None)
            yield Portion(keys, portion.ranged), self.own.keys() - each

    def skipped(self, portion: Portion, made: Collection[AssetKey]) -> Iterator[Event]:
        """Yield the ends of what is not made of a portion, as `apart` gave it."""
        for key in self.own if len(made) < len(self.own) else ():
            if key not in made:
                for loss, piece in portion.alike([self._why[key, name] for name in portion.names]):
                    yield Skipped(key, loss.text, loss.root, piece.first, through=piece.through)

    def in_order(self, portions: Iterable[Portion]) -> Sequence[Portion]:
        """Return portions so that each comes after what it reads of the others; as they are where that cannot be."""
        portions = list(portions)
        if len(portions) < 2 or not any(self._reads_others(key) for key in self.own):
            return portions
        home = {name: at for at, portion in enumerate(portions) for name in portion.names}
        above: list[set[int]] = []
        for at, portion in enumerate(portions):
            read = {name for key in self.own for each in portion.names for _, name in self._read(key, each)}
            above.append({home[name] for name in read if name in home} - {at})
        order = dependency_order(above)
        return [portions[at] for at in order] if len(order) == len(portions) else portions

    # -- what reads what -------------------------------------------------------------------------------------------

    def _lose(self, place: _Place, loss: _Loss) -> None:
        self._why.setdefault(place, loss)
        self._why.setdefault((place[0], None), loss)

    def _lost_of(self, names: Sequence[str | None]) -> dict[_Place, _Loss]:
        """Return what cannot be made of some partitions, and why: what reads something lost, and what reads that."""
        below: dict[_Place, list[_Place]] = {}
        for name in names:
            for key in self.own:
                for read in self._read(key, name):
                    below.setdefault(read, []).append((key, name))
        found: dict[_Place, _Loss] = {}
        queue = deque((place, self._why[place]) for place in below if place in self._why)
        while queue:
            (upper, part), loss = queue.popleft()
            for key, name in (*below.get((upper, part), ()), *below.get((upper, None), ())):
                for each in self.own if self._together else (key,):
                    if (each, name) not in found:
                        found[each, name] = loss
                        queue.append(((each, name), loss))
        return found

    def _read(self, key: AssetKey, name: str | None) -> Iterator[_Place]:
        """Yield what a partition is made from of what is made here; without a partition it is all of an asset."""
        for upper, link in self._links()[key]:
            yield from ((upper, each) for each in ((None,) if link is None else link.keys(name, self._now)))

    def _reads_others(self, key: AssetKey) -> bool:
        """Tell whether a partition of an asset is made from certain others than its own namesake."""
        return any(link is not None and not link.same_keys for _, link in self._links()[key])

    def _links(self) -> Mapping[AssetKey, Sequence[tuple[AssetKey, Link | None]]]:
        """Return what each asset is made from of what is made here; None stands for all of it."""
        if self._reads is None:
            parted = {key: asset for key, asset in self.own.items() if asset.partitions_def is not None}
            self._reads = {
                key: [
                    (dep.key, _link(asset, dep, parted[dep.key]))
                    for dep in asset.deps
                    if key in parted and dep.key in parted
                ]
                for key, asset in self.own.items()
            }
        return self._reads


def _link(asset: Asset, dep: Dep, upper: Asset) -> Link | None:
    from assetry.partitions.resolution import link_between

    own, other = asset.partitions_def, upper.partitions_def
    assert other is not None, "only partitions are read one by one"
    if dep.partition_mapping == "all" or (dep.partition_mapping == "last" and has_dynamic(other)):
        return None
    return link_between(dep.partition_mapping, own, other, asset.key, upper.key, asset.source)
