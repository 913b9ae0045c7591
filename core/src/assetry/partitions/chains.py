"""Chains: partitions that are made from earlier ones of the same asset, one after the other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from assetry.partitions.links import Link
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.ways import OverlapWay, SameKeys


def spread(parts: Parts, links: Sequence[Link], existing: Parts, now: datetime) -> Parts:
    """Return some partitions, and all that are made from them by way of others of the same asset.

    `links` are those of the asset to itself, `existing` what exists of it at `now`.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> from assetry.partitions.mappings import TimeWindowPartitionMapping
    >>> from assetry.partitions.resolution import link_between
    >>> days, now = DailyPartitionsDefinition("2026-01-01"), datetime(2026, 1, 6)
    >>> link = link_between(TimeWindowPartitionMapping(-1, -1), days, days, "balance", "balance")
    >>> spread(days.parts_of(["2026-01-03"]), [link], days.existing(now), now).text(days)
    '2026-01-03..2026-01-05'
    """
    found = fresh = parts
    by_one = any(map(_leads_to_the_next, links))
    while fresh:
        reached = _tails(fresh, existing) if by_one else NOTHING
        for link in links:
            reached |= link.down(fresh, now)
        fresh = (reached & existing) - found
        found |= fresh
    return found


def _leads_to_the_next(link: Link) -> bool:
    """Tell whether a link of an asset to itself leads from each window to the next one, and to no other strand."""
    time = getattr(link.own, "time", None) or ""
    rest = [name == own and isinstance(way, SameKeys) for name, (own, way) in link.ways.items() if name != time]
    way = link.ways.get(time, ("", None))[1]
    if link.every or not all(rest) or not isinstance(way, OverlapWay) or way.own.grid != way.upstream.grid:
        return False
    return way.before[0] + way.after[0] <= -1 <= way.before[1] + way.after[1]


def _tails(parts: Parts, existing: Parts) -> Parts:
    """Return all that exists from a partition on to the next gap."""
    found: dict[str, list[tuple[int, int]]] = {}
    for strand in parts.strands:
        numbers = parts.numbers(strand)
        for _, first, stop in existing.numbers(strand).spans():
            inside = numbers.within(first, stop).first(1)
            for _, begin, _ in inside.spans():
                found.setdefault(strand, []).append((begin, stop))
    return Parts(found)
