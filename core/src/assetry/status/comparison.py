"""How what a record was made from differs from what it would be made from now. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from assetry.columns.differences import differences
from assetry.graph.graph import AssetGraph
from assetry.graph.overlay import ByNumber, NumberedOverlay
from assetry.partitions.parts import Parts
from assetry.partitions.recorded import numbered
from assetry.status.looked import was_there
from assetry.status.old_rows import warning
from assetry.status.partitions.sums import UNKNOWN, is_sum, older_sum
from assetry.status.reasons import Code, changed_parts_text
from assetry.status.versions import Versions
from assetry.types.assets import Asset, Column
from assetry.types.keys import AssetKey
from assetry.types.records import Latest, Materialization

if TYPE_CHECKING:
    from assetry.status.partitions.recorded import RecordedPartitions

#: How many roots an asset names; an asset below more of them says so.
MOST_ROOTS = 8
_Newest = tuple[tuple[datetime, int], ...]
_NOTHING_SHOWN: tuple[_Newest, _Newest] = ((), ())


class Read(NamedTuple):
    """A dependency, by its position: the number of the input, the version that was read of it, and that of now.

    `then` is None where it was not read; both are `UNKNOWN` where a version was, or is, not known.
    """

    number: int
    j: int
    then: str | None
    now: str


def reads(graph: AssetGraph, made: Materialization, now: Mapping[AssetKey, str]) -> Iterator[Read]:
    """Yield what a record says was read of each input, beside what would be read `now`."""
    for number, (key, version) in enumerate(now.items()):
        j, then = graph.index(key), made.inputs.get(key)
        if then is None:
            then = next((made.inputs[name] for name in names_of(graph, j) if name in made.inputs), None)
        yield Read(number, j, then, version)


def names_of(graph: AssetGraph, j: int) -> tuple[AssetKey, ...]:
    """Return the keys under which an input may have been recorded: its own, and then those that it had."""
    asset = graph.assets[j]
    return (asset.key, *reversed(asset.aliases))


def own_differences(
    asset: Asset,
    code: str | None,
    code_parts: Mapping[str, str],
    columns: Sequence[Column] | None,
    promised: Sequence[Column] | None = None,
) -> Iterator[tuple[Code, AssetKey, str]]:
    """Yield how code and columns of a record differ from those that are defined.

    `promised` are those that were defined when somebody accepted that the real columns differ.
    """
    if code != asset.code_version and code is not None and asset.code_version is not None:
        changed = changed_parts_text(code_parts, asset.code_parts)
        # Rows of before do not come along to another table.
        kept = warning(asset) if code_parts.get("relation") == asset.code_parts.get("relation") else ""
        yield "code_changed", asset.key, f"{changed}; {kept}" if kept else changed
    elif code is None and _is_elsewhere(asset, code_parts):
        yield "code_changed", asset.key, changed_parts_text({"relation": ""}, {"relation": "now"})
    if columns is not None and asset.columns:
        known = set(differences(promised, columns, asset.columns_are)) if promised else ()
        for difference in differences(asset.columns, columns, asset.columns_are):
            if difference not in known:
                yield "columns_differ", asset.key, str(difference)


def _is_elsewhere(asset: Asset, code_parts: Mapping[str, str]) -> bool:
    """Tell whether what was only seen was seen in another table than the one that is meant now."""
    before, now = code_parts.get("relation"), asset.code_parts.get("relation")
    return None not in (before, now) and before != now


def of_record(asset: Asset, made: Materialization) -> Iterator[tuple[Code, AssetKey, str]]:
    """Yield how code and columns of a record differ from those that are defined."""
    promised = made.accepted.columns if made.accepted is not None else None
    return own_differences(asset, made.code_version, made.code_parts, made.columns, promised)


def is_unchanged(
    graph: AssetGraph,
    asset: Asset,
    made: Materialization,
    now: Mapping[AssetKey, str],
    settled: Collection[AssetKey] = (),
) -> bool:
    """Tell whether an asset was made from just what it would be made from `now`, as far as versions are known.

    A version that is not known is not the same as another one. What is new in `settled` inputs is none of its affair.

    >>> from datetime import UTC
    >>> graph = AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])])
    >>> made = Materialization(key=AssetKey("b"), at=datetime(2026, 1, 1, tzinfo=UTC), run="r", data_version="1",
    ...     inputs={AssetKey("a"): "v1"})
    >>> [is_unchanged(graph, graph["b"], made, {AssetKey("a"): version}) for version in ("v1", "v2")]
    [True, False]
    """
    if any(of_record(asset, made)):
        return False
    found = list(reads(graph, made, now))
    known = all(each.then == each.now != UNKNOWN or (each.then and graph.keys[each.j] in settled) for each in found)
    return known and 0 < len(found) == len(made.inputs)


class Comparison:
    """The comparison of records with the graph and the versions of now; assets are added in graph order.

    `last` has, by asset, its last materialization, and `flawed` whether it is out of date, or something above it is.
    `recorded` is what is recorded of assets with partitions; `rows` gives all last records of one.
    """

    versions: Versions

    def __init__(
        self,
        graph: AssetGraph,
        latest: Latest,
        now: datetime,
        recorded: Mapping[AssetKey, RecordedPartitions] | None = None,
        rows: Callable[[AssetKey], Iterable[Materialization]] = lambda _: (),
        before: Comparison | None = None,
    ) -> None:
        """Begin with what is known of the graph, or go on from `before`: then `latest` is of some assets alone."""
        self._graph = graph
        self._rows = rows
        #: By asset: the versions of its partitions as texts, where those had to be looked at.
        self._older_versions: dict[AssetKey, dict[str | None, str]] = {}
        self.recorded = {} if recorded is None else recorded
        self.versions = (
            Versions(graph, latest, self.recorded) if before is None else before.versions.renewed(latest, self.recorded)
        )
        self.now = now
        self.last: ByNumber[Materialization | None]
        self.flawed: ByNumber[bool]
        #: By asset: the newest tables and views that it shows, itself when it is none.
        self.shown: ByNumber[tuple[_Newest, _Newest]]
        if before is None:
            size = len(graph)
            self.last, self.flawed = [None] * size, [False] * size
            self.shown = [_NOTHING_SHOWN] * size
        else:
            self.last, self.flawed = NumberedOverlay(before.last), NumberedOverlay(before.flawed)
            self.shown = NumberedOverlay(before.shown)

    def add(self, i: int, asset: Asset, last: Materialization | None) -> None:
        """Learn when an asset was made last."""
        self.last[i] = last
        self.shown[i] = self._show(i, asset, last)

    def differences(
        self, i: int, asset: Asset, made: Materialization, news: dict[int, None]
    ) -> Iterable[tuple[Code, AssetKey, str]]:
        """Yield how what the asset was made from differs from what it would be made from now; add to `news`."""
        yield from of_record(asset, made)
        read = 0
        for number, j, before, version in reads(self._graph, made, self.versions.inputs(asset, None, self.now)):
            read += before is not None
            if before is not None and version in (before, UNKNOWN):
                continue
            key = self._graph.keys[j]
            if before == UNKNOWN and was_there(self._graph.assets[j], self.last[j], made.at):
                continue
            if before is None and (made.inputs or made.code_version is not None):
                if version != UNKNOWN:
                    yield "deps_changed", key, f"it now reads `{key}`"
            elif version not in (UNKNOWN, before) and not asset.computed_on_read:
                if before and is_sum(version) and not is_sum(before) and before == self._older(asset, number):
                    continue
                behind = self.behind(i, j, made.at, known=before is not None)
                news.update(dict.fromkeys(behind))
        if read < len(made.inputs):
            yield from self.removed(i, made.inputs)

    def removed(self, i: int, inputs: Iterable[AssetKey]) -> Iterable[tuple[Code, AssetKey, str]]:
        """Yield that an asset was made from what it is made from no longer."""
        asset = self._graph.assets[i]
        upstream = {*self._graph.upstream[i], *(i for dep in asset.deps if dep.key == asset.key)}
        for key in inputs:
            if key not in self._graph or self._graph.index(key) not in upstream:
                yield "deps_changed", key, f"it no longer reads `{key}`"

    def behind(self, i: int, j: int, at: datetime, *, known: bool) -> Sequence[int]:
        """Return what has new content since a record of an asset without partitions was made, at `at`: input `j`, or,
        when that is a view, what lies behind it.

        When it is `known` that the input changed, something is named in any case.
        """
        upstream = self._graph.assets[j]
        if upstream.partitions_def is not None and not upstream.computed_on_read:
            return [j] if known or self._is_newer(i, upstream, at) else []
        return self.shown_since(j, at, known=known)

    def shown_since(self, j: int, at: datetime, *, known: bool) -> Sequence[int]:
        """Return what of an input without partitions, or behind it when it is a view, has new content since `at`."""
        tables, views = self.shown[j]
        newer = [k for made, k in tables if made > at] or [k for made, k in views if made > at]
        # With nothing made since, a view shows what is out of date, and those roots are named already.
        return newer or ([j] if known and not self.flawed[j] else [])

    def _is_newer(self, i: int, upstream: Asset, at: datetime) -> bool:
        """Tell whether any partition of an input that is read was made after `at`; others are no matter."""
        asset = self._graph.assets[i]
        number = next(number for number, dep in enumerate(asset.deps) if dep.key == upstream.key)
        keys = self.versions.read(asset, number, None, self.now)
        if keys is None:
            last = self.last[self._graph.index(upstream.key)]
            return last is not None and last.at > at
        recorded = self.recorded[upstream.key]
        newest = recorded.newest(Parts.at(numbered(recorded.definition, keys).places.values()))
        return newest is not None and newest > at

    def _older(self, asset: Asset, number: int) -> str:
        """Return the version of a dependency as it was recorded before there were sums."""
        return self.older_sum(asset.deps[number].key, self.versions.read(asset, number, None, self.now))

    def older_sum(self, key: AssetKey, partitions: Iterable[str] | None) -> str:
        """Return the version of partitions of an asset together, or of all, as it was recorded before there were sums.

        It takes all records of it: they are not kept in a form that has it.
        """
        versions = self._older_versions.get(key)
        if versions is None:
            versions = {made.partition: made.data_version for made in self._rows(key)}
            self._older_versions[key] = versions
        if partitions is None:
            return older_sum(sorted(versions.items(), key=str))
        return older_sum((part, versions[part]) for part in partitions if part in versions)

    def _show(self, i: int, asset: Asset, last: Materialization | None) -> tuple[_Newest, _Newest]:
        """Return the newest tables and the newest views that are read by reading the asset, newest first."""
        itself = () if last is None else ((last.at, i),)
        if not asset.computed_on_read:
            return itself, ()
        above = [self.shown[j] for j in self._graph.upstream[i]]
        tables = {each for shown, _ in above for each in shown}
        views = {each for _, shown in above for each in shown}.union(itself)
        return tuple(sorted(tables, reverse=True)[: MOST_ROOTS + 1]), tuple(sorted(views, reverse=True)[:MOST_ROOTS])
