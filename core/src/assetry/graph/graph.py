"""The asset graph: immutable, checked, in dependency order; integers inside, keys outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from shlex import quote

from assetry.errors import (
    AmbiguousNameError,
    AssetryError,
    DuplicateKeyError,
    UnknownDependencyError,
    UsageError,
    near_names,
)
from assetry.gc_pause import paused_gc
from assetry.graph.cycles import cycle_error
from assetry.graph.merging import Merged, NearMiss, is_external, merge_assets, near_misses
from assetry.graph.order import dependency_order, reversed_edges
from assetry.graph.partitions import Links, partition_links
from assetry.graph.renaming import tell_copies_apart
from assetry.types.assets import PARTITION, Asset, AssetCheck, Check, Dep, Integration, reads_earlier
from assetry.types.keys import AssetKey, selection_value

Edges = tuple[tuple[int, ...], ...]


class AssetGraph:
    """Assets in dependency order, with what each is made from and what is made from it.

    Asset number `i` stands at position `i` of `assets` and `keys`; `upstream[i]` and `downstream[i]` are the numbers
    of its direct neighbours. An asset stands after everything it is made from, and else where it was defined.
    `absorbed` maps an asset to the further definitions that were found to be it (see `assetry.graph.merging`),
    `integrations` has those that make its assets and run its checks, by name. `inlined` are definitions that are part
    of what reads them, and no assets of the graph; `assetry.graph.lineage` puts them in between. `apart` are the
    dependencies (upstream, downstream) of which one tool makes both ends without knowing: the lower reads the upper as
    a source. `links` has, for each asset with a dependency between partitions, what each of its `deps` means; an asset
    that reads earlier partitions of itself has itself in `deps`, and not in `upstream`.
    Make one with `AssetGraph.of`; it never changes.

    >>> orders = Asset(key="shop/orders", kind="dbt", deps=["shop/raw"])
    >>> graph = AssetGraph.of([orders, Asset(key="shop/raw", kind="dbt")])
    >>> [str(key) for key in graph.keys]
    ['shop/raw', 'shop/orders']
    >>> graph.upstream
    ((), (0,))
    """

    __slots__ = (
        *("_index", "_names", "absorbed", "apart", "assets", "downstream", "inlined"),
        *("integrations", "keys", "links", "upstream"),
    )

    assets: tuple[Asset, ...]
    keys: tuple[AssetKey, ...]
    upstream: Edges
    downstream: Edges
    absorbed: Mapping[AssetKey, tuple[Asset, ...]]
    integrations: Mapping[str, Integration]
    inlined: tuple[Asset, ...]
    apart: frozenset[tuple[int, int]]
    links: Links

    def __init__(
        self,
        assets: tuple[Asset, ...],
        upstream: Edges,
        downstream: Edges,
        absorbed: Mapping[AssetKey, tuple[Asset, ...]],
        integrations: Mapping[str, Integration],
        inlined: tuple[Asset, ...] = (),
        apart: frozenset[tuple[int, int]] = frozenset(),
        links: Links | None = None,
    ) -> None:
        self.apart = apart
        self.links = links or {}
        self.assets = assets
        self.keys = tuple(asset.key for asset in assets)
        self.upstream = upstream
        self.downstream = downstream
        self.absorbed = absorbed
        self.integrations = integrations
        self.inlined = inlined
        self._index = _index_of(assets)
        self._names: dict[str, tuple[int, ...]] | None = None

    @classmethod
    def of(cls, definitions: Iterable[Asset | AssetCheck]) -> AssetGraph:
        """Return the graph of assets and checks: sources joined to what makes them, names resolved, everything checked.

        Raises `DuplicateKeyError`, `UnknownDependencyError`, `AmbiguousNameError` or `CycleError`.

        >>> made = Asset(key="py/events", kind="python")
        >>> AssetGraph.of([made, Asset(key="logins", kind="python", deps=["py/events"])]).upstream
        ((), (0,))
        """
        given = tell_copies_apart(list(definitions))
        inlined = tuple(each for each in given if isinstance(each, Asset) and each.inlined)
        listed = [each for each in given if not (isinstance(each, Asset) and each.inlined)] if inlined else given
        with paused_gc():
            merged = merge_assets(listed)
            resolved, upstream, apart = _resolve(merged)
            order = dependency_order(upstream)
            if len(order) < len(resolved):
                raise cycle_error(resolved, upstream, order)
            integrations = {each.integration.name: each.integration for each in listed if each.integration}
            place = {old: new for new, old in enumerate(order)} if apart else {}
            pairs = frozenset((place[upper], place[lower]) for upper, lower in apart)
            links = partition_links(resolved)
            return cls(*_arrange(resolved, upstream, order), merged.absorbed, integrations, inlined, pairs, links)

    def __len__(self) -> int:
        return len(self.assets)

    def __iter__(self) -> Iterator[Asset]:
        return iter(self.assets)

    def __contains__(self, key: object) -> bool:
        return key in self._index

    def __getitem__(self, key: str) -> Asset:
        return self.assets[self.index(key)]

    def __repr__(self) -> str:
        return f"<AssetGraph of {len(self)} assets, {sum(map(len, self.upstream))} dependencies>"

    def index(self, key: str) -> int:
        """Return the number of the asset with this key or alias.

        Raises `UsageError`, with near names, when there is none.

        >>> AssetGraph.of([Asset(key="shop/orders", kind="dbt")]).index("shop/orders")
        0
        """
        try:
            return self._index[key]
        except KeyError:
            raise _unknown(key, self._index) from None

    def find(self, name: str) -> AssetKey:
        """Return the key that `name` means: a key, an alias, or the last part of exactly one of them.

        What only reads, such as a dashboard or a metric, is meant only where no other asset is.

        Raises `UsageError` when nothing fits, `AmbiguousNameError` when several assets do.

        >>> AssetGraph.of([Asset(key="shop/orders", kind="dbt")]).find("orders")
        AssetKey('shop/orders')
        """
        found = self._index.get(name)
        if found is not None:
            return self.keys[found]
        named = self.named(name)
        candidates = [i for i in named if not self.assets[i].consumer] or named
        if len(candidates) == 1:
            return self.keys[candidates[0]]
        if candidates:
            raise AmbiguousNameError(
                f"{name!r} means {_listed(self.keys[i] for i in candidates)}.", hint="Write the whole key."
            )
        part = next((each.key for each in self.inlined if name in (each.key, each.key.name)), None)
        if part is not None:
            raise UsageError(
                f"{str(part)!r} is not an asset: it becomes part of what reads it.",
                hint=f"See `assetry list -s {quote(selection_value(part.name) + '+')}` for what does.",
            )
        raise _unknown(name, self._index)

    def named(self, name: str) -> tuple[int, ...]:
        """Return the numbers of the assets whose key, or an alias, ends in the part `name`.

        >>> AssetGraph.of([Asset(key="a/x", kind="dbt"), Asset(key="b/x", kind="dbt")]).named("x")
        (0, 1)
        """
        if self._names is None:
            self._names = _last_parts(self._index)
        return self._names.get(name, ())

    def ancestors(self, indices: Iterable[int], depth: int | None = None) -> set[int]:
        """Return what the assets are made from, at most `depth` steps away; not themselves, unless reached.

        >>> AssetGraph.of([Asset(key="a", kind="dbt"), Asset(key="b", kind="dbt", deps=["a"])]).ancestors([1])
        {0}
        """
        return _reach(self.upstream, indices, depth)

    def descendants(self, indices: Iterable[int], depth: int | None = None) -> set[int]:
        """Return what is made from the assets, at most `depth` steps away; not themselves, unless reached.

        >>> AssetGraph.of([Asset(key="a", kind="dbt"), Asset(key="b", kind="dbt", deps=["a"])]).descendants([0])
        {1}
        """
        return _reach(self.downstream, indices, depth)

    def upstream_of(self, key: str) -> tuple[AssetKey, ...]:
        """Return the keys of what an asset is made from directly; raise `UsageError` for an unknown key.

        >>> AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])]).upstream_of("b")
        (AssetKey('a'),)
        """
        return self._keys(self.upstream[self.index(key)])

    def downstream_of(self, key: str) -> tuple[AssetKey, ...]:
        """Return the keys of what is made from an asset directly; raise `UsageError` for an unknown key.

        >>> AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])]).downstream_of("a")
        (AssetKey('b'),)
        """
        return self._keys(self.downstream[self.index(key)])

    def ancestors_of(self, key: str, depth: int | None = None) -> tuple[AssetKey, ...]:
        """Return the keys of all that an asset is made from, at most `depth` steps away, in dependency order.

        >>> AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])]).ancestors_of("b")
        (AssetKey('a'),)
        """
        return self._keys(self.ancestors([self.index(key)], depth))

    def descendants_of(self, key: str, depth: int | None = None) -> tuple[AssetKey, ...]:
        """Return the keys of all that is made from an asset, at most `depth` steps away, in dependency order.

        >>> AssetGraph.of([Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a"])]).descendants_of("a")
        (AssetKey('b'),)
        """
        return self._keys(self.descendants([self.index(key)], depth))

    def _keys(self, indices: Iterable[int]) -> tuple[AssetKey, ...]:
        return tuple(self.keys[i] for i in sorted(indices))

    def definitions(self, index: int) -> tuple[Asset, ...]:
        """Return the asset and the further definitions that were found to be it.

        >>> AssetGraph.of([Asset(key="a", kind="dbt")]).definitions(0)[0].key
        AssetKey('a')
        """
        asset = self.assets[index]
        return (asset, *self.absorbed.get(asset.key, ()))

    def near_misses(self) -> tuple[NearMiss, ...]:
        """Return the sources that look like another asset but were not joined with it, and why.

        >>> AssetGraph.of([Asset(key="a", kind="dbt")]).near_misses()
        ()
        """
        return near_misses(self.assets)


def _reach(edges: Edges, starts: Iterable[int], depth: int | None) -> set[int]:
    reached: set[int] = set()
    layer = set(starts)
    while layer and (depth is None or depth > 0):
        layer = {j for i in layer for j in edges[i]} - reached
        reached |= layer
        depth = None if depth is None else depth - 1
    return reached


def _index_of(assets: Sequence[Asset]) -> dict[str, int]:
    index: dict[str, int] = {asset.key: i for i, asset in enumerate(assets)}
    for i, asset in enumerate(assets):
        for alias in asset.aliases:
            other = index.setdefault(alias, i)
            if other != i:
                raise DuplicateKeyError(
                    f"{str(alias)!r} means both {str(asset.key)!r} and {str(assets[other].key)!r}.",
                    where=asset.source,
                    hint=f"The other is defined in {assets[other].source or 'a definition without a file'}.",
                )
    return index


def _last_parts(index: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    names: dict[str, tuple[int, ...]] = {}
    for key, i in index.items():
        name = key[key.rfind("/") + 1 :]
        known = names.get(name)
        if known is None:
            names[name] = (i,)
        elif i not in known:
            names[name] = tuple(sorted((*known, i)))
    return names


def _by_version(asset: Asset) -> tuple[bool, float, str]:
    """Return what versions are ordered by: numbers as numbers, behind words."""
    version = asset.version or ""
    number = version.replace(".", "", 1).isdecimal()
    return number, float(version) if number else 0.0, version


def _unknown(name: str, known: Iterable[str]) -> UsageError:
    return UsageError(f"No asset {str(name)!r}.", near=near_names(name, known), hint="See `assetry list`.")


def _listed(keys: Iterable[str]) -> str:
    *most, last = [repr(str(key)) for key in keys]
    return f"{', '.join(most)} or {last}" if most else last


def _told_apart(assets: Sequence[Asset]) -> list[str]:
    """Return why sources among some assets of one name were not joined with those that may make their tables."""
    whys = {(each.source, each.candidate): each.why for each in near_misses(assets)}
    for source in filter(is_external, assets):
        for made in assets:
            if made.executable and source.relation is not None and made.relation is not None:
                whys.setdefault((source.key, made.key), f"it is {source.relation}, and the other {made.relation}")
    return [f"{source} is not joined with {made}: {why}." for (source, made), why in whys.items()]


class _Names:
    """The names by which dependencies mean assets."""

    def __init__(self, assets: Sequence[Asset]) -> None:
        self.assets = assets
        self.index = _index_of(assets)
        self.last_parts: dict[str, tuple[int, ...]] | None = None

    def find(self, asker: int, dep: Dep) -> int:
        """Return the number of the asset that a dependency means; -1 where it is optional and means none."""
        found = self.index.get(dep.key)
        if found is not None:
            return found
        asset = self.assets[asker]
        candidates = self._short(asker, dep.key) if dep.short else ()
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise self._ambiguous(asset, dep, candidates)
        if dep.optional:
            return -1
        raise self._missing(asset, dep)

    def _short(self, asker: int, name: str) -> Sequence[int]:
        if self.last_parts is None:
            self.last_parts = _last_parts(self.index)
        candidates = [i for i in self.last_parts.get(name, ()) if i != asker]
        # Nothing is ever made from a consumer, so its name takes no other asset's away.
        return [i for i in candidates if not self.assets[i].consumer] or candidates

    def _ambiguous(self, asset: Asset, dep: Dep, candidates: Sequence[int]) -> AssetryError:
        listed = _listed(self.assets[i].key for i in candidates)
        how = "argument" if dep.name is not None else "dependency"
        first = self.assets[candidates[0]].key
        meant = f"deps=[{str(first)!r}]" if dep.name is None else f'deps={{"{dep.name}": "{first}"}}'
        apart = _told_apart([self.assets[i] for i in candidates])
        return AmbiguousNameError(
            f"The {how} {str(dep.key)!r} of asset {str(asset.key)!r} means {listed}.",
            where=asset.source,
            hint="\n".join([f"Name the one that is meant: {meant}.", *apart]),
        )

    def _missing(self, asset: Asset, dep: Dep) -> AssetryError:
        asked = f" (its argument {dep.name!r})" if dep.name is not None else ""
        hint = "Correct the name, or load the integration that defines it."
        if dep.name == PARTITION:
            which = f"An argument named {PARTITION!r} receives the key of the partition"
            hint = f"{which} where the asset has partitions: partitions_def=…."
            if asset.partitions_def is not None:
                hint = f"{which} where one is made at a time; those of a range are `context.partitions`."
        return UnknownDependencyError(
            f"Asset {str(asset.key)!r} depends on {str(dep.key)!r}{asked}, which nothing defines.",
            where=asset.source or (f"integration {asset.integration.name!r}" if asset.integration else None),
            near=self._versions(dep.key) or near_names(dep.key, [key for key in self.index if key != asset.key]),
            hint=hint,
            missing=str(dep.key),
        )

    def _versions(self, name: str, most: int = 3) -> list[str]:
        """Return the assets that are versions of a name, the newest first: ``shop/dim/v2`` of ``dim``."""
        named = tuple(str(name).split("/"))
        found = [each for each in self.assets if each.version and each.key.parts[:-1][-len(named) :] == named]
        return [str(each.key) for each in sorted(found, key=_by_version, reverse=True)[:most]]

    def check(self, asset: Asset, check: Check, merged: Merged) -> Check:
        """Return the check with the assets it reads named by their own keys."""
        also, apart = [], list(check.apart)
        for key in check.also:
            i = self.index.get(key)
            if i is None:
                raise UnknownDependencyError(
                    f"The check {check.name!r} of asset {str(asset.key)!r} reads {str(key)!r}, which nothing defines.",
                    where=check.source or asset.source,
                    near=near_names(key, self.index),
                    hint="Correct the name, or load the integration that defines it.",
                )
            also.append(self.assets[i].key)
            if check.integration is None and merged.own_source(asset.integration, key, self.assets[i]):
                apart.append(self.assets[i].key)
        return check._replace(also=tuple(also), apart=tuple(apart)) if tuple(also) != check.also else check


def _resolve(merged: Merged) -> tuple[list[Asset], list[tuple[int, ...]], list[tuple[int, int]]]:
    """Return the assets with dependencies named by key, and for each the numbers of what it is made from.

    The third are the dependencies of `AssetGraph.apart`.
    """
    assets, apart = merged.assets, list[tuple[int, int]]()
    names = _Names(assets)
    get = names.index.get
    aliased = len(names.index) > len(assets)
    resolved, upstream = [], []
    for i, asset in enumerate(assets):
        found = [get(dep[0], -1) for dep in asset.deps]
        short = -1 in found
        if short:
            found = [names.find(i, dep) for dep in asset.deps]
        read = asset.deps
        if -1 in found:
            read = tuple([dep for j, dep in zip(found, read, strict=True) if j >= 0])
            found = [j for j in found if j >= 0]
        changes: dict[str, object] = {}
        if short or aliased:
            deps = tuple([_meaning(dep, assets[j].key) for j, dep in zip(found, read, strict=True)])
            if deps != asset.deps:
                changes["deps"] = deps
                apart += [(j, i) for j in _unknown_to_its_tool(asset, read, found, merged)]
        if asset.checks:
            checks = tuple([names.check(asset, check, merged) if check.also else check for check in asset.checks])
            if checks != asset.checks:
                changes["checks"] = checks
        resolved.append(replace(asset, **changes) if changes else asset)  # type: ignore[arg-type]
        above = dict.fromkeys(found)
        if i in above and all(reads_earlier(dep) for j, dep in zip(found, read, strict=True) if j == i):
            # What an asset reads of its own earlier partitions orders these, not the assets.
            del above[i]
        upstream.append(tuple(above))
    return resolved, upstream, apart


def _unknown_to_its_tool(asset: Asset, deps: Sequence[Dep], found: Sequence[int], merged: Merged) -> set[int]:
    """Return those of `found`, the numbers of its dependencies, that its own tool makes and it reads as sources."""
    as_source, as_such = set[int](), set[int]()
    for j, dep in zip(found, deps, strict=True):
        (as_source if merged.own_source(asset.integration, dep.key, merged.assets[j]) else as_such).add(j)
    return as_source - as_such


def _meaning(dep: Dep, key: AssetKey) -> Dep:
    return dep if dep.key == key else dep._replace(key=key)


def _arrange(
    assets: Sequence[Asset], upstream: Sequence[tuple[int, ...]], order: Sequence[int]
) -> tuple[tuple[Asset, ...], Edges, Edges]:
    place = [0] * len(order)
    for new, old in enumerate(order):
        place[old] = new
    arranged = tuple(tuple([place[j] for j in upstream[old]]) for old in order)
    return tuple([assets[old] for old in order]), arranged, tuple(tuple(each) for each in reversed_edges(arranged))
