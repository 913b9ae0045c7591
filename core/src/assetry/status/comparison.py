"""How what a record was made from differs from what it would be made from now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from assetry.graph.graph import AssetGraph
from assetry.status.columns import differences
from assetry.status.looked import was_there
from assetry.status.old_rows import warning
from assetry.status.reasons import Code, changed_parts_text
from assetry.status.versions import UNKNOWN, Latest, Versions
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization

#: How many roots an asset names; an asset below more of them says so.
MOST_ROOTS = 8
_Newest = tuple[tuple[datetime, int], ...]


class Comparison:
    """The comparison of records with the graph and the versions of now; assets are added in graph order.

    `last` has, by asset, its last materialization, and `flawed` whether it is out of date, or something above it is.
    """

    def __init__(self, graph: AssetGraph, latest: Latest, now: datetime) -> None:
        self._graph = graph
        self._latest = latest
        self._versions = Versions(graph, latest)
        self._now = now
        self.last: list[Materialization | None] = []
        self.flawed: list[bool] = []
        #: By asset: the newest tables and views that it shows, itself when it is none.
        self._shown: list[tuple[_Newest, _Newest]] = []

    def add(self, i: int, asset: Asset, last: Materialization | None) -> None:
        """Learn when an asset was made last."""
        self.last.append(last)
        self._shown.append(self._show(i, asset, last))

    def differences(
        self, i: int, asset: Asset, made: Materialization, news: dict[int, None]
    ) -> Iterable[tuple[Code, AssetKey, str]]:
        """Yield how what the asset was made from differs from what it would be made from now; add to `news`."""
        code = made.code_version
        if code != asset.code_version and code is not None and asset.code_version is not None:
            changed, kept = changed_parts_text(made.code_parts, asset.code_parts), warning(asset)
            yield "code_changed", asset.key, f"{changed}; {kept}" if kept else changed
        if made.columns is not None and asset.columns:
            for difference in differences(asset.columns, made.columns):
                yield "columns_differ", asset.key, difference
        read = 0
        for key, version in self._versions.inputs(asset, made.partition, self._now).items():
            before = made.inputs.get(key)
            if before is not None and (before == version or version == UNKNOWN):
                read += 1
                continue
            j = self._graph.index(key)
            before = self._recorded(made, j)
            read += before is not None
            if before == UNKNOWN and was_there(self._graph.assets[j], self.last[j], made.at):
                continue
            if before is None and _has_trace(made):
                if version != UNKNOWN:
                    yield "deps_changed", key, f"it now reads `{key}`"
            elif version not in (UNKNOWN, before) and not asset.computed_on_read:
                news.update(dict.fromkeys(self._behind(i, j, made, known=before is not None)))
        if read < len(made.inputs):
            yield from self._removed(asset, i, made)

    def _recorded(self, made: Materialization, j: int) -> str | None:
        """Return the version that was read of input `j`, which may have had another key then."""
        before = made.inputs.get(self._graph.keys[j])
        if before is None:
            for alias in self._graph.assets[j].aliases:
                before = made.inputs.get(alias, before)
        return before

    def _removed(self, asset: Asset, i: int, made: Materialization) -> Iterable[tuple[Code, AssetKey, str]]:
        upstream = {*self._graph.upstream[i], *(i for dep in asset.deps if dep.key == asset.key)}
        for key in made.inputs:
            if key not in self._graph or self._graph.index(key) not in upstream:
                yield "deps_changed", key, f"it no longer reads `{key}`"

    def _behind(self, i: int, j: int, made: Materialization, *, known: bool) -> Sequence[int]:
        """Return what has new content since `made`: input `j`, or, when that is a view, what lies behind it.

        When it is `known` that the input changed, something is named in any case.
        """
        upstream = self._graph.assets[j]
        if upstream.partitions_def is not None and not upstream.computed_on_read:
            return [j] if known or self._is_newer(i, upstream, made) else []
        tables, views = self._shown[j]
        newer = [k for at, k in tables if at > made.at] or [k for at, k in views if at > made.at]
        # With nothing made since, a view shows what is out of date, and those roots are named already.
        return newer or ([j] if known and not self.flawed[j] else [])

    def _is_newer(self, i: int, upstream: Asset, made: Materialization) -> bool:
        """Tell whether any partition of an input that a record would read was made after it; others are no matter."""
        asset = self._graph.assets[i]
        number = next(number for number, dep in enumerate(asset.deps) if dep.key == upstream.key)
        keys = self._versions.read(asset, number, made.partition, self._now)
        if keys is None:
            last = self.last[self._graph.index(upstream.key)]
            return last is not None and last.at > made.at
        found = (self._latest.get((upstream.key, key)) for key in keys)
        return any(each is not None and each.at > made.at for each in found)

    def _show(self, i: int, asset: Asset, last: Materialization | None) -> tuple[_Newest, _Newest]:
        """Return the newest tables and the newest views that are read by reading the asset, newest first."""
        itself = () if last is None else ((last.at, i),)
        if not asset.computed_on_read:
            return itself, ()
        above = [self._shown[j] for j in self._graph.upstream[i]]
        tables = {each for shown, _ in above for each in shown}
        views = {each for _, shown in above for each in shown}.union(itself)
        return tuple(sorted(tables, reverse=True)[: MOST_ROOTS + 1]), tuple(sorted(views, reverse=True)[:MOST_ROOTS])


def _has_trace(made: Materialization) -> bool:
    """Tell whether the record says what was read; one of what was only seen, made by others, does not."""
    return bool(made.inputs) or made.code_version is not None
