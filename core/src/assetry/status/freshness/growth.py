"""What grows by appending, and what partitions read of it: new rows concern those whose time they may be of. Pure.

What was there before stays as it is until it is made anew: then another *epoch* begins, and all that is made from it is
out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from assetry.graph.graph import AssetGraph
from assetry.partitions.recorded import time_of
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Appended, Latest, Materialization

#: The fact by which a tool tells, with what it made or saw, in which epoch a table is.
EPOCH = "epoch"


def appending(graph: AssetGraph) -> frozenset[AssetKey]:
    """Return the assets without partitions that grow by appending; a view does so when all that it reads does.

    >>> raw = Asset(key="raw", kind="x", grows="append")
    >>> view = Asset(key="view", kind="x", deps=["raw"], computed_on_read=True)
    >>> sorted(map(str, appending(AssetGraph.of([raw, view, Asset(key="table", kind="x", deps=["raw"])]))))
    ['raw', 'view']
    """
    found = {each.key for each in graph.assets if each.grows == "append" and each.partitions_def is None}
    if found:
        for asset in graph.assets:
            inherits = asset.computed_on_read and asset.grows == "replace" and asset.partitions_def is None
            if inherits and asset.deps and all(dep.key in found for dep in asset.deps):
                found.add(asset.key)
    return frozenset(found)


class Growth:
    """What of a graph grows by appending, and in which epoch each is; kept up with what is made.

    >>> raw = Asset(key="raw", kind="x", grows="append")
    >>> Growth(AssetGraph.of([raw]), {}).epoch(raw.key) is None
    True
    """

    def __init__(self, graph: AssetGraph, latest: Latest) -> None:
        self._graph = graph
        self._appends = appending(graph)
        self._made: dict[AssetKey, Materialization] = {}
        self._views: dict[AssetKey, str] = {}
        for key in self._appends:
            made = latest.get((key, None))
            if made is not None:
                self._made[key] = made

    def __contains__(self, key: object) -> bool:
        return key in self._appends

    def __bool__(self) -> bool:
        return bool(self._appends)

    def read(self, asset: Asset) -> Mapping[AssetKey, int]:
        """Return the inputs of which each partition of an asset reads its own time, with the place of the dependency.

        Of two dependencies on one input the last one counts, as in what is recorded of it. Without partitions of time
        none is read so, and one that reads ``all`` of an input reads the time of others, too.
        """
        if not self._appends or asset.partitions_def is None or time_of(asset.partitions_def) is None:
            return {}
        last = {dep.key: number for number, dep in enumerate(asset.deps) if dep.key in self._appends}
        return {key: number for key, number in last.items() if asset.deps[number].partition_mapping != "all"}

    def inputs(self, asset: Asset) -> tuple[AssetKey, ...]:
        """Return the inputs that grow, of what is to tell in its records how far they reached and in which epoch."""
        if not self._appends:
            return ()
        if asset.key in self._appends:
            return tuple(dict.fromkeys(dep.key for dep in asset.deps if dep.key in self._appends))
        return tuple(self.read(asset))

    # -- epochs ------------------------------------------------------------------------------------------------------

    def note(self, made: Materialization) -> None:
        """Learn that an asset was made."""
        if made.key in self._appends and made.partition is None:
            self._made[made.key] = made
            self._views.clear()

    def epoch(self, key: AssetKey) -> str | None:
        """Return in which epoch an asset is; that of a view changes with its code, and with those behind it."""
        if not self._graph[key].computed_on_read:
            made = self._made.get(key)
            return None if made is None else made.epoch
        if not self._views:
            # In graph order, so that those behind a view come before it.
            for asset in self._graph.assets:
                if asset.computed_on_read and asset.key in self._appends:
                    self._views[asset.key] = self._of_view(asset)
        return self._views[key]

    def _of_view(self, asset: Asset) -> str:
        made = self._made.get(asset.key)
        behind = sorted({dep.key for dep in asset.deps if dep.key in self._appends})
        epochs = [self._views[key] if key in self._views else self.epoch(key) for key in behind]
        text = "\n".join(each or "" for each in (made and made.code_version, *epochs))
        return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()

    def next_epoch(
        self, asset: Asset, code: str | None, version: str, appended: Mapping[AssetKey, Appended], *, anew: bool
    ) -> str | None:
        """Return in which epoch an asset that grows is once it was made by a code; None for the first one.

        A new one begins when it was made `anew`: in full, though a run mostly adds to it. One of which each run makes
        all (it is not incremental) begins a new one when its code changes, or an input's epoch.
        """
        before = self._made.get(asset.key)
        if before is None:
            return None
        if anew:
            return version
        if asset.incremental:
            return before.epoch
        codes = (before.code_version, code)
        other = any(
            read.epoch != before.appended[key].epoch for key, read in appended.items() if key in before.appended
        )
        return version if other or (None not in codes and codes[0] != codes[1]) else before.epoch
