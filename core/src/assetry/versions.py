"""Data versions as they are now: what an asset's consumers would read.

A view has no content of its own: its version is made of its code and the versions of what it reads, so that it
changes exactly when a query of it would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assetry.assets import Asset
from assetry.graph import AssetGraph
from assetry.keys import AssetKey
from assetry.records import Materialization

#: Stands in a trace for the version of an input that nobody knew when it was read.
UNKNOWN = ""

Latest = Mapping[tuple[AssetKey, str | None], Materialization]


class Versions:
    """Know the current data version of every asset and partition of a graph; learn what is made meanwhile.

    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> versions = Versions(graph, {})
    >>> versions.inputs(graph["b"])
    {AssetKey('a'): ''}
    >>> versions.note(graph["a"], None, "v1")
    >>> versions.inputs(graph["b"])
    {AssetKey('a'): 'v1'}
    """

    def __init__(self, graph: AssetGraph, latest: Latest) -> None:
        self._graph = graph
        self._views = {asset.key: i for i, asset in enumerate(graph.assets) if asset.computed_on_read}
        #: By asset and partition: the data version; of a view the code version.
        self._made: dict[AssetKey, dict[str | None, str]] = {}
        #: Versions put together from others: of views, and of all partitions of an asset.
        self._composed: dict[AssetKey, str | None] = {}
        for (key, partition), made in latest.items():
            version = made.data_version if key not in self._views else made.code_version or UNKNOWN
            self._made.setdefault(key, {})[partition] = version

    def of(self, key: AssetKey, partition: str | None = None) -> str | None:
        """Return the version of an asset of the graph, or of one partition of it; None when nothing is known.

        A partition that the asset does not have means all of it.
        """
        if key in self._views:
            return self._of_view(key)
        parts = self._made.get(key)
        if parts is None:
            return None
        version = parts.get(partition)
        if version is not None and (partition is not None or len(parts) == 1):
            return version
        return self._of_parts(key, parts)

    def inputs(self, asset: Asset, partition: str | None = None) -> dict[AssetKey, str]:
        """Return what `asset`, or one partition of it, would read now: a version per dependency, "" if unknown."""
        read = {}
        for dep in asset.deps:
            same = partition if dep.partition_mapping == "same" else None
            read[dep.key] = self.of(dep.key, same) or UNKNOWN
        return read

    def note(self, asset: Asset, partition: str | None, data_version: str) -> None:
        """Learn that an asset, or a partition of it, was made."""
        version = (asset.code_version or UNKNOWN) if asset.computed_on_read else data_version
        self._made.setdefault(asset.key, {})[partition] = version
        stale = [asset.key]
        self._composed.pop(asset.key, None)
        while stale:
            # A view that was not asked for since the last change has no version to forget, nor have those above it.
            for i in self._graph.downstream[self._graph.index(stale.pop())]:
                key = self._graph.keys[i]
                if key in self._views and key in self._composed:
                    del self._composed[key]
                    stale.append(key)

    def _of_view(self, key: AssetKey) -> str | None:
        """Put together what a view would show, from the bottom up and without recursion."""
        composed = self._composed
        stack = [key]
        while stack:
            top = stack[-1]
            asset = self._graph.assets[self._views[top]]
            if top in composed:
                stack.pop()
                continue
            below = [dep.key for dep in asset.deps if dep.key in self._views and dep.key not in composed]
            if below:
                stack += below
                continue
            parts = self._made.get(top)
            composed[top] = None if parts is None else _view_digest(list(parts.values())[-1], self.inputs(asset))
        return composed[key]

    def _of_parts(self, key: AssetKey, parts: Mapping[str | None, str]) -> str:
        known = self._composed.get(key)
        if known is None:
            if None in parts and self._graph[key].partitions_def is None:
                known = parts[None]
            else:
                known = _digest(f"{part}={version}" for part, version in sorted(parts.items(), key=str))
            self._composed[key] = known
        return known


def effective_versions(graph: AssetGraph, latest: Latest) -> dict[AssetKey, str]:
    """Return the current version of every asset of which one is known; views are as their inputs are.

    >>> effective_versions(AssetGraph.of([Asset(key="a", kind="x")]), {})
    {}
    """
    versions = Versions(graph, latest)
    found = ((key, versions.of(key)) for key in graph.keys)
    return {key: version for key, version in found if version is not None}


def view_version(asset: Asset, inputs: Mapping[AssetKey, str]) -> str:
    """Return the version of a view that was just made and reads `inputs`.

    >>> view = Asset(key="v", kind="x", code_version="1", computed_on_read=True)
    >>> view_version(view, {AssetKey("a"): "1"}) == view_version(view, {AssetKey("a"): "2"})
    False
    """
    return _view_digest(asset.code_version or UNKNOWN, inputs)


def _view_digest(code_version: str, inputs: Mapping[AssetKey, str]) -> str:
    return _digest([code_version, *(f"{key}={version}" for key, version in sorted(inputs.items()) if version)])


def _digest(parts: Iterable[str]) -> str:
    from hashlib import blake2b

    return blake2b("\n".join(parts).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
