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
        single = numbering.one_by_one(event) if isinstance(event, Ranged) else [event]
        assert len(single) > 1 or not getattr(event, "through", None)
        yield from (replace(each, count=1) if isinstance(each, Ranged) else each for each in single)
