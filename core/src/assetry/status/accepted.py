"""What was made, counted as made from what it would be made from now, because a person said so. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from assetry.columns.differences import differences
from assetry.graph.graph import AssetGraph
from assetry.status.comparison import Read, reads
from assetry.status.freshness.growth import Growth
from assetry.status.partitions.sums import UNKNOWN
from assetry.status.reasons import Code, unreal_parts
from assetry.status.versions import Versions
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Accepted, Appended, Latest, Materialization

#: The reasons that a person may answer. That something failed, is missing or too old is none of them.
CAUSES: tuple[Code, ...] = ("code_changed", "columns_differ", "deps_changed", "upstream_changed")


class Counted(NamedTuple):
    """A record as it counts from now on, and the codes of the reasons that this answers; none where there are none."""

    made: Materialization
    causes: tuple[Code, ...]


def counted(
    graph: AssetGraph,
    asset: Asset,
    made: Materialization,
    now: Mapping[AssetKey, str],
    growth: Growth,
    causes: Collection[Code] = CAUSES,
) -> Counted:
    """Return a record of an asset as it counts once its differences are accepted; `now` are the versions of its inputs.

    Its content, when and by which run it was made, and how far its data reaches stay what they are. Of a record that is
    not of the real thing nothing is accepted.

    >>> from datetime import UTC, datetime
    >>> graph = AssetGraph.of([Asset(key="a", kind="x", code_version="c2")])
    >>> at = datetime(2026, 1, 31, tzinfo=UTC)
    >>> made = Materialization(key=AssetKey("a"), at=at, run="r", data_version="1", code_version="c1")
    >>> found = counted(graph, graph["a"], made, {}, Growth(graph, {}))
    >>> found.made.code_version, found.made.accepted.code_version, found.causes
    ('c2', 'c1', ('code_changed',))
    """
    if unreal_parts(made.code_parts, asset.code_parts):
        return Counted(made, ())
    answered: dict[Code, None] = {}
    before = made.accepted or Accepted(made.code_version)
    after = made
    known = None not in (made.code_version, asset.code_version) and made.code_version != asset.code_version
    if known and "code_changed" in causes:
        answered["code_changed"] = None
        after = replace(after, code_version=asset.code_version, code_parts=asset.code_parts)
    differ = before.columns != asset.columns and any(
        differences(asset.columns, made.columns or asset.columns, asset.columns_are)
    )
    if differ and "columns_differ" in causes:
        answered["columns_differ"] = None
        before = before._replace(columns=asset.columns)
    inputs = _inputs(graph, asset, made, now, causes, answered)
    if not answered:
        return Counted(made, ())
    after = replace(after, inputs=inputs, appended=_appended(made, inputs, growth), accepted=before)
    return Counted(after, tuple(each for each in CAUSES if each in answered))


def _inputs(
    graph: AssetGraph,
    asset: Asset,
    made: Materialization,
    now: Mapping[AssetKey, str],
    causes: Collection[Code],
    answered: dict[Code, None],
) -> dict[AssetKey, str]:
    """Return the versions of inputs as they count; add to `answered` what that answers."""
    found: dict[AssetKey, str] = {}
    says_what_was_read = bool(made.inputs) or made.code_version is not None
    taken: set[AssetKey] = set()
    for key, read in zip(now, reads(graph, made, now), strict=True):
        taken.update(_recorded_names(graph, made, read))
        cause = _cause(asset, read, says_what_was_read)
        if cause is not None and cause in causes:
            answered[cause] = None
            found[key] = read.now
        elif read.then is not None:
            found[key] = read.then
    if found and not says_what_was_read:
        # From now on it does, of all that it reads.
        found = {key: found.get(key, UNKNOWN) for key in now}
    left = [key for key in made.inputs if key not in taken and key != asset.key]
    if left and "deps_changed" in causes:
        answered["deps_changed"] = None
        left = []
    return {**{key: made.inputs[key] for key in left}, **found}


def _appended(made: Materialization, inputs: Mapping[AssetKey, str], growth: Growth) -> dict[AssetKey, Appended]:
    """Return what was read of inputs that grow, in the epoch that they are in where their content is accepted."""
    accepted = {key for key, version in inputs.items() if version != made.inputs.get(key) and key in growth}
    return {
        key: each._replace(epoch=growth.epoch(key)) if key in accepted else each for key, each in made.appended.items()
    }


def _cause(asset: Asset, read: Read, says_what_was_read: bool) -> Code | None:
    """Return for what reason an asset is out of date because of one input; None when it is not."""
    if read.now in (read.then, UNKNOWN):
        return None
    if read.then is None and says_what_was_read:
        return "deps_changed"
    return None if asset.computed_on_read else "upstream_changed"


def _recorded_names(graph: AssetGraph, made: Materialization, read: Read) -> set[AssetKey]:
    asset = graph.assets[read.j]
    return {key for key in (asset.key, *asset.aliases) if key in made.inputs}


class Unreal:
    """The records of a graph that are not the real thing, as their tool says, and what reads them.

    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 31, tzinfo=UTC)
    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> parts = {"built as a sample": ""}
    >>> made = Materialization(key=AssetKey("a"), at=at, run="r", data_version="1", code_parts=parts)
    >>> latest = {(made.key, None): made}
    >>> unreal = Unreal(graph, latest, Versions(graph, latest), at)
    >>> unreal.built(made.key, None), unreal.read(graph["b"], None)
    ('built as a sample', {AssetKey('a'): (AssetKey('a'), 'built as a sample')})
    """

    def __init__(self, graph: AssetGraph, latest: Latest, versions: Versions, now: datetime) -> None:
        self._graph, self._versions, self._now = graph, versions, now
        self._found: dict[AssetKey, dict[str | None, str]] = {}
        for (key, partition), made in latest.items():
            parts = unreal_parts(made.code_parts, graph[key].code_parts)
            if parts:
                self._found.setdefault(key, {})[partition] = " and ".join(parts)

    def built(self, key: AssetKey, partition: str | None) -> str | None:
        """Return how an asset, or a partition of it, was made that is not the real thing; None where it is."""
        return self._found.get(key, {}).get(partition)

    def read(self, asset: Asset, partition: str | None) -> dict[AssetKey, tuple[AssetKey, str]]:
        """Return the dependencies by which an asset, or a partition of it, would read what is not the real thing.

        Each with what that is, the dependency itself or something behind a view, and how it was made.
        """
        found = {}
        for number, dep in enumerate(asset.deps if self._found else ()):
            parts = self._versions.read(asset, number, partition, self._now)
            first = self._first(dep.key, parts)
            if first is not None:
                found[dep.key] = first
        return found

    def _first(self, key: AssetKey, partitions: Sequence[str] | None) -> tuple[AssetKey, str] | None:
        """Return what is not the real thing of some partitions of an asset, or behind it where it is a view."""
        ways = self._found.get(key, {})
        way = next((way for part, way in ways.items() if partitions is None or part in partitions), None)
        if way is not None:
            return key, way
        todo, seen = [key], {key}
        while todo:
            asset = self._graph[todo.pop()]
            if self._found.get(asset.key) and asset.key != key:
                return asset.key, next(iter(self._found[asset.key].values()))
            new = [dep.key for dep in asset.deps if dep.key not in seen] if asset.computed_on_read else []
            seen.update(new)
            todo += new
        return None
