"""What one call of a function is for: an asset as a whole, one partition of it, or a range of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from assetry.errors import UsageError
from assetry.partitions.definitions import PartitionsDefinition
from assetry.partitions.parts import Parts
from assetry.plan.numbering import window_of
from assetry.types.assets import Asset
from assetry.types.invocations import Invocation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Portion:
    """The partitions that one call makes; none of an asset without any. `ranged`: the call takes several.

    >>> Portion(("2026-01-01",)).partition, Portion(("2026-01-01",), ranged=True).partition
    ('2026-01-01', None)
    """

    partitions: tuple[str, ...] = ()
    ranged: bool = False

    @property
    def partition(self) -> str | None:
        """Return the partition of a call that takes one; None for a call without any, and for one of a range."""
        return self.partitions[0] if self.partitions and not self.ranged else None

    @property
    def names(self) -> tuple[str | None, ...]:
        """Return what is made, as events name it: the partitions, or None once for a whole asset."""
        return self.partitions or (None,)

    @property
    def first(self) -> str | None:
        """Return the first of the partitions; None for a whole asset."""
        return self.names[0]

    @property
    def through(self) -> str | None:
        """Return the last of several partitions, as an event about all of them names it; None where it is the first."""
        return self.partitions[-1] if len(self.partitions) > 1 else None

    def alike(self, told: Sequence[T]) -> Iterator[tuple[T, Portion]]:
        """Yield what is told of each partition, once for neighbours of which the same is told, with these.

        >>> [(said, part.partitions) for said, part in Portion(("1", "2", "3")).alike(["x", "x", "y"])]
        [('x', ('1', '2')), ('y', ('3',))]
        """
        start = 0
        for _, group in groupby(told, repr):  # not all that metadata may have can be compared
            same = list(group)
            yield same[0], Portion(self.partitions[start : start + len(same)], self.ranged)
            start += len(same)

    def window(self, definition: PartitionsDefinition | None) -> tuple[datetime, datetime] | None:
        """Return the time that the partitions cover, its end outside; None without time, or where they are none."""
        if definition is None or not self.partitions or definition.typical_length is None:
            return None
        try:
            return window_of(definition, definition.parts_of(self.partitions))
        except UsageError:  # a check may be of an asset with other partitions
            return None

    def previous(self, definition: PartitionsDefinition | None) -> str | None:
        """Return the key of the partition before the first; None where there is none."""
        if definition is None or not self.partitions:
            return None
        try:
            return definition.previous(self.partitions[0])
        except UsageError:  # as above
            return None


def takes_ranges(asset: Asset) -> bool:
    """Tell whether the function of an asset is called for several partitions at once."""
    return asset.spec.get("partitions") == "range"


def portions_of(invocation: Invocation) -> Iterator[Portion]:
    """Yield what the calls of an invocation are for: as few as there can be, of ranges without a gap.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> from assetry.types.assets import Asset, Integration
    >>> days, spec = DailyPartitionsDefinition("2026-01-01"), {"partitions": "range", "max_partitions": 2}
    >>> made = Asset(key="sales", kind="python", partitions_def=days, spec=spec)
    >>> keys = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-09")
    >>> python = Integration("python", "python")
    >>> planned = Invocation(id="1", group=None, integration=python, assets=(made,), partitions=keys)
    >>> [portion.partitions for portion in portions_of(planned)]
    [('2026-01-01', '2026-01-02'), ('2026-01-03',), ('2026-01-09',)]
    """
    first = invocation.assets[0] if invocation.assets else None
    if first is not None and first.partitions_def is not None and takes_ranges(first) and invocation.partitions:
        for keys in _ranges(first.partitions_def, invocation.partitions, first.spec.get("max_partitions")):
            yield Portion(keys, ranged=True)
        return
    for key in invocation.partitions or (None,):
        yield Portion() if key is None else Portion((key,))


def _ranges(definition: PartitionsDefinition, keys: Sequence[str], most: int | None) -> Iterator[tuple[str, ...]]:
    if definition.typical_length is None:
        size = most or len(keys)
        yield from (tuple(keys[start : start + size]) for start in range(0, len(keys), size))
        return
    for strand, first, stop in definition.parts_of(keys).spans():
        size = most or stop - first
        for begin in range(first, stop, size):
            yield definition.keys_of(Parts.range(begin, min(begin + size, stop), strand))
