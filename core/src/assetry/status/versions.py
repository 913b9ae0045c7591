"""Data versions as they are now: what an asset's consumers would read.

A view has no content of its own: its version is made of its code and the versions of what it reads, so that it
changes exactly when a query of it would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from copy import copy
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assetry.errors import UsageError
from assetry.graph.graph import AssetGraph
from assetry.graph.overlay import Overlay
from assetry.partitions.parts import Parts
from assetry.partitions.recorded import has_dynamic, numbered, with_known
from assetry.status.partitions.sums import UNKNOWN, sum_of
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Latest, Materialization

if TYPE_CHECKING:
    from assetry.partitions.key_table import KeyTable
    from assetry.partitions.links import Link
    from assetry.status.partitions.recorded import RecordedPartitions


#: A mapping of windows, or of listed keys, is the same at any time; only what exists, or is the newest, is not.
_NO_MATTER = datetime(1970, 1, 1, tzinfo=UTC)


class Versions:
    """The current data version of every asset and partition of a graph, kept up with what is made.

    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> versions = Versions(graph, {})
    >>> versions.inputs(graph["b"])
    {AssetKey('a'): ''}
    >>> versions.note(graph["a"], None, "v1")
    >>> versions.inputs(graph["b"])
    {AssetKey('a'): 'v1'}
    """

    def __init__(
        self,
        graph: AssetGraph,
        latest: Latest,
        recorded: Mapping[AssetKey, RecordedPartitions] | None = None,
        tables: Mapping[AssetKey, KeyTable] | None = None,
    ) -> None:
        """Look into `latest`, and for assets in `recorded` there instead; more may come in.

        `tables` are the keys that were made known, and dropped, of those that are not in `recorded`.
        """
        self._graph = graph
        self._tables = tables or {}
        self._recorded = {} if recorded is None else recorded
        self._views = {asset.key: i for i, asset in enumerate(graph.assets) if asset.computed_on_read}
        #: By asset and partition: the data version; of a view the code version.
        self._made: MutableMapping[AssetKey, dict[str | None, str]] = {}
        #: By asset: its version as a whole, where that was asked for since it last changed.
        self._whole: MutableMapping[AssetKey, str | None] = {}
        #: By asset and position of a dependency: whether each partition reads just the one of the same key.
        self._same_keys: dict[tuple[AssetKey, int], bool] = {}
        self._add(latest)

    def _add(self, latest: Latest) -> None:
        for (key, partition), made in latest.items():
            version = _code_of_view(made) if key in self._views else made.data_version
            self._made.setdefault(key, {})[partition] = version

    def renewed(self, latest: Latest, recorded: Mapping[AssetKey, RecordedPartitions]) -> Versions:
        """Return these with the records of some assets, all there are of each, in the place of what was known of them.

        What is behind a view is forgotten by `forget`.
        """
        found = copy(self)
        found._recorded, found._made, found._whole = recorded, Overlay(self._made), Overlay(self._whole)
        for key, _ in latest:
            found._made.pop(key, None)
            found.forget(key)
        found._add(latest)
        return found

    def forget(self, key: AssetKey) -> None:
        """Forget the version of an asset as a whole, so that it is put together anew."""
        self._whole.pop(key, None)

    def of(self, key: AssetKey, partition: str | None = None) -> str | None:
        """Return the version of an asset of the graph, or of one partition of it; None when nothing is known."""
        if key in self._recorded and key not in self._views:
            return self._recorded[key].version
        parts = self._codes(key) if key in self._views else self._made.get(key)
        if parts is None:
            return None
        if partition is not None and key not in self._views:
            return parts.get(partition)
        if key not in self._whole:
            self._whole[key] = self._of_view(key) if key in self._views else self._of_parts(key, parts)
        return self._whole[key]

    def inputs(self, asset: Asset, partition: str | None = None, now: datetime = _NO_MATTER) -> dict[AssetKey, str]:
        """Return what `asset`, or one partition of it, would read at `now`: a version per dependency, "" if unknown."""
        links = self._graph.links.get(asset.key)
        read = {}
        if links is None:
            for dep in asset.deps:
                key = dep.key
                read[key] = self._whole.get(key) or self.of(key) or UNKNOWN
            return read
        for number, dep in enumerate(asset.deps):
            key = dep.key
            parted = links[number] is not None and (key in self._made or key in self._recorded)
            keys = self.read(asset, number, partition, now) if parted else None
            if keys is None:
                read[key] = self._whole.get(key) or self.of(key) or UNKNOWN
            elif len(keys) == 1 and keys[0] == partition:
                read[key] = self._made[key].get(partition, UNKNOWN)
            else:
                read[key] = self._of_some(key, keys)
        return read

    def read(self, asset: Asset, number: int, partition: str | None, now: datetime) -> Sequence[str] | None:
        """Return the partitions of a dependency, by its position, that an asset or one of its partitions reads.

        None is all that there is of it: the whole.
        """
        link = self.link(asset, number)
        if link is None or (partition is None and link.own is not None):
            return None
        if partition is not None and self._has_same_keys(asset.key, number, link):
            return (partition,)
        try:
            return link.keys(partition, now)
        except UsageError:
            return ()  # it is no partition any more, so that nothing it would read is known

    def link(self, asset: Asset, number: int) -> Link | None:
        """Return what a dependency, by its position, means between the partitions that are known; None: all is read."""
        links = self._graph.links.get(asset.key)
        link = links[number] if links is not None else None
        key = asset.deps[number].key
        if link is None or link.upstream is None or key in self._views or link.every.get("") == "all":
            return None
        recorded = self._recorded.get(key)
        if recorded.only_whole if recorded is not None else self._made.get(key, {}).keys() == {None}:
            return None  # a tool tells no partitions apart
        if link.every and has_dynamic(link.upstream):
            if link.every.get("") == "last":
                return None  # which of the keys that come into being is the last, nothing tells
            keys = [part for part in self._made.get(key, ()) if part is not None]
            known = with_known(link.upstream, self._tables.get(key))
            return link.numbered(None, recorded.definition if recorded else numbered(known, keys).definition)
        return link

    def _has_same_keys(self, key: AssetKey, number: int, link: Link) -> bool:
        found = self._same_keys.get((key, number))
        if found is None:
            found = self._same_keys[key, number] = link.same_keys
        return found

    def _of_some(self, key: AssetKey, partitions: Iterable[str]) -> str:
        """Return the version of some partitions together; "" when none of them is known."""
        if key in self._recorded:
            recorded = self._recorded[key]
            return recorded.version_of(Parts.at(numbered(recorded.definition, partitions).places.values()))
        made = self._made.get(key, {})
        return sum_of({part: made[part] for part in partitions if part in made})

    def note(self, asset: Asset, partition: str | None, data_version: str) -> None:
        """Learn that an asset, or a partition of it, was made."""
        version = (asset.code_version or UNKNOWN) if asset.computed_on_read else data_version
        self._made.setdefault(asset.key, {})[partition] = version
        self._whole.pop(asset.key, None)
        changed = [asset.key]
        while changed:
            # A view that was not asked for since the last change has no version to forget, nor have those above it.
            for i in self._graph.downstream[self._graph.index(changed.pop())]:
                key = self._graph.keys[i]
                if key in self._views and key in self._whole:
                    del self._whole[key]
                    changed.append(key)

    def _of_view(self, key: AssetKey) -> str | None:
        """Put together what a view would show, from the bottom up and without recursion."""
        whole = self._whole
        stack = [key]
        while stack:
            top = stack[-1]
            asset = self._graph.assets[self._views[top]]
            below = [dep.key for dep in asset.deps if dep.key in self._views and dep.key not in whole]
            if below:
                stack += below
                continue
            stack.pop()
            if top not in whole:
                parts = self._codes(top)
                whole[top] = None if parts is None else _view_digest(list(parts.values())[-1], self.inputs(asset))
        return whole[key]

    def _codes(self, view: AssetKey) -> Mapping[str | None, str] | None:
        """Return the code versions that a view was made with, the last one last."""
        last = self._recorded[view].last if view in self._recorded else None
        return {last.partition: _code_of_view(last)} if last is not None else self._made.get(view)

    def _of_parts(self, key: AssetKey, parts: Mapping[str | None, str]) -> str:
        if None in parts and (len(parts) == 1 or self._graph[key].partitions_def is None):
            return parts[None]
        return sum_of(parts)


def _code_of_view(made: Materialization) -> str:
    """Return the code that a view shows by: where another one was accepted as the same, that of before."""
    return (made.code_version if made.accepted is None else made.accepted.code_version) or UNKNOWN


def with_read(graph: AssetGraph, keys: Iterable[AssetKey]) -> set[AssetKey]:
    """Return assets, and those whose records say what these would read: what they are made from, and behind views.

    >>> view = Asset(key="v", kind="x", deps=["a"], computed_on_read=True)
    >>> tables = [Asset(key=key, kind="x", deps=deps) for key, deps in (("z", []), ("a", ["z"]), ("b", ["v"]))]
    >>> graph = AssetGraph.of([*tables, view])
    >>> sorted(map(str, with_read(graph, [AssetKey("b")])))
    ['a', 'b', 'v']
    """
    found = set(keys)
    todo = [graph.index(key) for key in found]
    while todo:
        for j in graph.upstream[todo.pop()]:
            if graph.keys[j] not in found:
                found.add(graph.keys[j])
                if graph.assets[j].computed_on_read:
                    todo.append(j)
    return found


def partitioned(graph: AssetGraph) -> frozenset[int]:
    """Return the assets of a graph, by number, that have partitions or read some, and all that is made from these.

    >>> partitioned(AssetGraph.of([Asset(key="a", kind="x")]))
    frozenset()
    """
    linked = [graph.index(key) for key in graph.links]
    return frozenset(graph.descendants(linked).union(linked)) if linked else frozenset()


def last_read(graph: AssetGraph) -> list[list[int]]:
    """Return for each asset of a graph, by number, those whose records nothing behind it in graph order asks for.

    What reads a view asks for what the view reads.

    >>> view = Asset(key="v", kind="x", deps=["a"], computed_on_read=True)
    >>> tables = [Asset(key=key, kind="x", deps=deps) for key, deps in (("a", []), ("b", ["v"]))]
    >>> graph = AssetGraph.of([*tables, view])
    >>> [str(key) for key in graph.keys], last_read(graph)
    (['a', 'v', 'b'], [[], [], [0, 1, 2]])
    """
    last = list(range(len(graph)))
    for i in reversed(last):
        for j in graph.downstream[i]:
            last[i] = max(last[i], last[j] if graph.assets[j].computed_on_read else j)
    found: list[list[int]] = [[] for _ in last]
    for i, reader in enumerate(last):
        found[reader].append(i)
    return found


def _view_digest(code_version: str, inputs: Mapping[AssetKey, str]) -> str:
    return _digest([code_version, *(f"{key}={version}" for key, version in sorted(inputs.items()) if version)])


def _digest(parts: Iterable[str]) -> str:
    from hashlib import blake2b

    return blake2b("\n".join(parts).encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
