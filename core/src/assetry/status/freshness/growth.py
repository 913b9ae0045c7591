"""What grows by appending, and what partitions read of it: new rows concern those whose time they may be of. Pure.

What was there before stays as it is until it is made anew, or by other code: then another *epoch* begins, and all that
is made from it is out of date. So it is when the code changes of anything above what each run makes as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from hashlib import blake2b

from assetry.graph.graph import AssetGraph
from assetry.partitions.recorded import time_of
from assetry.status.old_rows import keeps_rows
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Latest, Materialization

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

    Epochs are kept of what grows, and of all that lies above it where each run makes all of it.

    >>> raw = Asset(key="raw", kind="x", grows="append")
    >>> Growth(AssetGraph.of([raw]), {}).epoch(raw.key) is None
    True
    """

    def __init__(self, graph: AssetGraph, latest: Latest) -> None:
        self._graph = graph
        self._made: dict[AssetKey, Materialization] = {}
        self._views: dict[AssetKey, str] = {}
        self._appends = appending(graph)
        whole = [graph.index(key) for key in self._appends if not keeps_rows(graph[key])]
        above = graph.ancestors(whole) if whole else ()
        self._has_epochs = self._appends.union(graph.keys[i] for i in above)
        self._parted = [key for key in self._has_epochs if graph[key].partitions_def is not None]
        for made in latest.values() if self._has_epochs else ():
            self.note(made)

    def renewed(self, latest: Latest) -> Growth:
        """Return it with the records of some assets, all there are of each, in the place of what was known of them.

        Of assets with partitions nothing is known any more but what `latest` has.
        """
        if not self._has_epochs:
            return self
        found = copy(self)
        found._made, found._views = {**self._made}, {}
        for key, _ in latest:
            found._made.pop(key, None)
        for key in self._parted:
            found._made.pop(key, None)
        for made in latest.values():
            found.note(made)
        return found

    def __contains__(self, key: object) -> bool:
        return key in self._appends

    def read(self, asset: Asset) -> Mapping[AssetKey, int]:
        """Return the inputs of which each partition of an asset reads its own time, with the place of the dependency.

        Of two dependencies on one input the last one counts, as in what is recorded of it. Without partitions of time
        none is read so, and one that reads ``all`` of an input reads the time of others, too.
        """
        if not self._appends or asset.partitions_def is None or time_of(asset.partitions_def) is None:
            return {}
        last = {dep.key: number for number, dep in enumerate(asset.deps) if dep.key in self._appends}
        return {key: number for key, number in last.items() if asset.deps[number].partition_mapping != "all"}

    # -- epochs ------------------------------------------------------------------------------------------------------

    def has_epochs(self, key: AssetKey) -> bool:
        """Tell whether it matters in which epoch an asset is."""
        return key in self._has_epochs

    def note(self, made: Materialization) -> None:
        """Learn that an asset, or a partition of it, was made; what was made last counts."""
        before = self._made.get(made.key)
        if made.key in self._has_epochs and (before is None or before.at <= made.at):
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
                if asset.computed_on_read and asset.key in self._has_epochs:
                    made = self._made.get(asset.key)
                    # One that was never made was read as it was defined: that it comes into being changes nothing.
                    self._views[asset.key] = self._logic(
                        asset, asset.code_version if made is None else made.code_version
                    )
        return self._views[key]

    def _logic(self, asset: Asset, code: str | None) -> str:
        """Return what changes when the code of an asset does, or the epoch of anything that it is made from."""
        above = sorted({dep.key for dep in asset.deps if dep.key != asset.key})
        epochs = (self._views[key] if key in self._views else self.epoch(key) for key in above)
        text = "\n".join(each or "" for each in (code, *epochs))
        return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=8).hexdigest()

    def next_epoch(self, asset: Asset, code: str | None, version: str, told: str | None, *, anew: bool) -> str | None:
        """Return in which epoch an asset is once it was made by a code; None for the first one of what only grows.

        A new one begins when all of it was made `anew` though a run mostly adds to it, which its data `version` names,
        and when its tool has `told` of another one.
        """
        before = self._made.get(asset.key)
        known = before.epoch if before is not None else None
        begun = version if anew and before is not None else None
        if keeps_rows(asset):
            return told or begun or known
        begun = begun if asset.grows == "append" else None
        return f"{told or begun or (known or '').rpartition(':')[0]}:{self._logic(asset, code)}"

    def begins_another(self, asset: Asset) -> bool:
        """Tell whether the next run of an asset begins another epoch, because one has begun above it since the last.

        So it is where each run makes all of it, for whatever it is made again.
        """
        made = self._made.get(asset.key)
        if made is None or made.epoch is None or not asset.executable or asset.computed_on_read or keeps_rows(asset):
            return False
        return self.next_epoch(asset, made.code_version, "", None, anew=False) != made.epoch

    def seen_epoch(self, asset: Asset, told: str | None) -> str | None:
        """Return in which epoch an asset is that was only looked at; who looks may not know of one from long ago."""
        before = self._made.get(asset.key)
        known = before.epoch if before is not None else None
        if told is None or known is None or keeps_rows(asset) or not asset.executable:
            return told or known
        return f"{told}:{known.rpartition(':')[2]}"
