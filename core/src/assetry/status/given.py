"""What a judgement is made from, by asset: records, attempts, looks; and where these differ from before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from assetry.graph.overlay import Overlay
from assetry.status.looked import Seen
from assetry.types.keys import AssetKey
from assetry.types.records import WELL, Attempt, Latest, Looks, Materialization

K = TypeVar("K")
V = TypeVar("V")
#: The last attempt by asset and partition.
Attempts = Mapping[tuple[AssetKey, str | None], Attempt]
#: What living runs are to make, by the id of their run where that is known.
Running = Mapping[AssetKey, str] | Iterable[AssetKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is known of the assets of a graph at a moment, `now`.

    `made` are the last records of each asset, `tried` its attempts that did not come out well, or are under way.
    `running` are those that living runs have still to make, `seen` is what was looked at just now, and `looks` are the
    last ones at what was found as it was recorded: `looked` is how far the data of partitions was seen to reach.

    >>> from datetime import UTC
    >>> Given(now=datetime(2026, 1, 2, tzinfo=UTC)).made
    {}
    """

    now: datetime
    made: Mapping[AssetKey, Sequence[Materialization]] = field(default_factory=dict)
    tried: Mapping[AssetKey, Sequence[Attempt]] = field(default_factory=dict)
    running: frozenset[AssetKey] = frozenset()
    seen: Seen = field(default_factory=dict)
    looks: Looks = field(default_factory=dict)
    looked: Mapping[AssetKey, datetime] = field(default_factory=dict)

    def with_tries(self, attempts: Attempts, running: Running) -> Given:
        """Return it with the last attempts, and with what living runs are to make and are not through with."""
        living = running if isinstance(running, Mapping) else dict.fromkeys(running, "")
        done = (
            {(key, tried.run) for (key, _), tried in attempts.items() if tried.outcome != "running"} if living else ()
        )
        tried: dict[AssetKey, list[Attempt]] = {}
        for (key, _), each in attempts.items():
            if each.outcome not in WELL:
                tried.setdefault(key, []).append(each)
        left = frozenset(key for key, run in living.items() if (key, run) not in done)
        return replace(self, tried=tried, running=left)

    def with_looks(self, seen: Seen, looks: Looks) -> Given:
        """Return it with what was seen just now, and with the last looks."""
        looked: dict[AssetKey, datetime] = {}
        for (key, partition), look in looks.items():
            if partition is not None:
                looked[key] = max(look.as_of, looked.get(key, look.as_of))
        return replace(self, seen=seen, looks=looks, looked=looked)

    def with_records(self, latest: Latest) -> Given:
        """Return it with the records of some assets: all there are of each."""
        made: dict[AssetKey, list[Materialization]] = {}
        for (key, _), each in latest.items():
            made.setdefault(key, []).append(each)
        if not self.made:
            return replace(self, made=made)
        return replace(self, made=Overlay(self.made, made))

    def differing(self, before: Given) -> Iterator[AssetKey]:
        """Yield the assets of which something else was known before, but for their records."""
        yield from _differing(before.tried, self.tried)
        yield from before.running ^ self.running
        yield from (key for key, _ in _differing(before.seen, self.seen))
        yield from (key for key, _ in _differing(before.looks, self.looks))


def _differing(before: Mapping[K, V], now: Mapping[K, V]) -> Iterator[K]:
    if before == now:
        return
    yield from (key for key, each in now.items() if before.get(key) != each)
    yield from (key for key in before if key not in now)
