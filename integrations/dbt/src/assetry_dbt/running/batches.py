"""The partitions of models in a run of dbt: which are asked for, and which have ended.

dbt reports each batch of a microbatch model as it reports a model, under the model's name. What a model makes for vars
is made all at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from assetry.plugin import Asset, Invocation

from assetry_dbt.running.reports import MADE, BatchResults, NodeFinished

#: How dbt writes the start of a batch, by `batch_size`.
_LABELS: Mapping[str, str] = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}


class Nesting:
    """What dbt has begun and not ended of each node.

    >>> nesting = Nesting()
    >>> nesting.start("model.s.a"), nesting.start("model.s.a")  # the model, and its first batch
    (True, False)
    >>> nesting.end("model.s.a"), nesting.end("model.s.a")
    (False, True)
    """

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def start(self, unique_id: str) -> bool:
        """Note a beginning; return whether it is that of the node, not of a batch in it."""
        self._open[unique_id] += 1
        return self._open[unique_id] == 1

    def end(self, unique_id: str) -> bool:
        """Note an end; return whether it is that of the node: what dbt began first ends last."""
        self._open[unique_id] -= 1
        return self._open[unique_id] <= 0


class Causes:
    """What broke nodes, and batches of them, in words that their outcome may lack."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}

    def add(self, unique_id: str, text: str) -> None:
        """Note what broke a node or a batch of it."""
        self._texts.setdefault(unique_id, []).append(text)

    def of(self, unique_id: str) -> str | None:
        """Return what broke a node first."""
        return next(iter(self._texts.get(unique_id, ())), None)

    def take(self, unique_id: str, batch: str) -> str | None:
        """Return what broke a batch, once: what names it, where several failed at a time, else what came first."""
        texts = self._texts.get(unique_id, [])
        if not texts:
            return None
        named = next((number for number, text in enumerate(texts) if batch.replace("T", " ") in text), 0)
        return texts.pop(named)


@dataclass(slots=True)
class Asked:
    """The partitions that were asked for of one asset, by their `keys`; `left` are those that have not ended.

    `told` says that dbt has told of a batch. `ended` is how each came out: whether it was made.
    """

    asset: Asset
    keys: tuple[str, ...]
    left: dict[str, None]
    batch_size: str | None = None
    told: bool = False
    ended: dict[str, bool] = field(default_factory=dict)
    _by_label: dict[str, str] = field(default_factory=dict)
    _by_start: dict[datetime, str] = field(default_factory=dict)

    @classmethod
    def of(cls, asset: Asset, keys: tuple[str, ...]) -> Asked:
        """Return the partitions with these keys as asked for."""
        asked = cls(asset, keys, dict.fromkeys(keys), asset.spec["partitions"].get("batches"))
        if asked.batch_size is None or asset.partitions_def is None:
            return asked
        for key in keys:
            window = asset.partitions_def.window(key)
            assert window is not None, "batches are of time"
            start = window[0].astimezone(UTC)
            asked._by_start[start] = key
            asked._by_label[start.strftime(_LABELS[asked.batch_size])] = key
        return asked

    def ranges(self, keys: Iterable[str]) -> Iterator[tuple[str, str | None]]:
        """Yield some of the partitions as ranges of them: the first, and the last where that is another one."""
        for inside, group in groupby(self.keys, set(keys).__contains__):
            first, *others = group
            if inside:
                yield first, others[-1] if others else None

    def key_of(self, batch: str) -> str | None:
        """Return the partition that dbt calls by the start of its batch; None for one that was not asked for."""
        return self._by_label.get(batch)

    def label_of(self, key: str) -> str:
        """Return how dbt calls the batch of a partition."""
        return next((label for label, each in self._by_label.items() if each == key), key)

    def end(self, key: str, made: bool) -> bool:
        """Note an end; return whether it is news: the first one, or that of something that was not made after all."""
        news = key in self.left or (self.ended.get(key) is True and not made)
        if news:
            self.left.pop(key, None)
            self.ended[key] = made
        return news

    def outcomes(self, finished: NodeFinished) -> Iterator[tuple[str, bool]]:
        """Yield what the end of the model says of its partitions: of each that it speaks of, whether it was made.

        Where dbt tells of no batch at all, a model that was made has them all.
        """
        results = finished.batches or BatchResults()
        found = {self._key_at(each): True for each in results.made} | {
            self._key_at(each): False for each in results.failed
        }
        yield from ((key, made) for key, made in found.items() if key is not None)
        silent = self.batch_size is None or (not self.told and finished.batches is None)
        for key in tuple(self.left):
            if key not in found:
                yield key, silent and finished.status in MADE

    def _key_at(self, start: str) -> str | None:
        try:
            return self._by_start.get(datetime.fromisoformat(start).astimezone(UTC))
        except ValueError:
            return None


def asked_partitions(invocation: Invocation) -> dict[str, Asked]:
    """Return the partitions that an invocation asks for, by dbt's unique id of the model.

    >>> from assetry.plugin import Integration
    >>> asked_partitions(Invocation(id="1", group=None, integration=Integration("shop", "dbt"), assets=()))
    {}
    """
    return {
        str(asset.spec["unique_id"]): Asked.of(asset, keys)
        for asset in (*invocation.assets, *invocation.also)
        if (keys := invocation.partitions_of(asset)) and "partitions" in asset.spec
    }
