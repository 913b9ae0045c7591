"""Events of ranges of partitions, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from assetry.graph.graph import AssetGraph
from assetry.plan.numbering import Numbering
from assetry.types.events import Ranged


def each_told(graph: AssetGraph, events: Iterable[Any]) -> Iterator[Any]:
    """Yield events, in the place of one of a range one for each of its partitions."""
    numbering = Numbering(graph)
    for event in events:
        if not isinstance(event, Ranged) or event.through is None:
            yield event
            continue
        assert event.partition is not None
        names = numbering.between(event.key, event.partition, event.through)
        assert len(names) > 1
        yield from (replace(event, partition=name, through=None, count=1) for name in names)
