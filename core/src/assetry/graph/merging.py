"""Joining definitions that mean one thing: a source of one tool is the table that another tool makes.

Pure: assets in, assets out. `AssetGraph.of` calls it before it resolves names.

Two definitions are one node when they have the same key, when one says so (`Asset.joins`), or when they have the same
relation: the very same, else the same but for case, else one that fits where a part is unknown. Nothing is ever
guessed: where two candidates fit equally well, none is taken and `near_misses` tells.

A source may be a table of its own tool: sample data that a dbt project loads, and reads as a source. The tool does not
know the order of the two then (`AssetGraph.apart`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from assetry.errors import DuplicateKeyError, UnknownDependencyError, near_names
from assetry.types.assets import Asset, AssetCheck, Check, Integration, Relation
from assetry.types.keys import AssetKey


class Merged(NamedTuple):
    """The outcome of `merge_assets`: one asset per node, and the definitions each of them took in."""

    assets: tuple[Asset, ...]
    absorbed: dict[AssetKey, tuple[Asset, ...]]

    def own_source(self, tool: Integration | None, name: AssetKey, made: Asset) -> bool:
        """Tell whether `name` is a source of a tool, and `made`, which it was found to be, is made by the same tool."""
        if name == made.key or tool is None or made.integration != tool:
            return False
        return any(name == each.key and tool == each.integration for each in self.absorbed.get(made.key, ()))


class NearMiss(NamedTuple):
    """A source that looks like an asset of the graph but was not joined with it, and why."""

    source: AssetKey
    candidate: AssetKey
    why: str


def merge_assets(definitions: Iterable[Asset | AssetCheck]) -> Merged:
    """Return the assets with every source joined to what makes it, and every check put on its asset.

    The producer keeps its key and its place; the source's key becomes an alias of it. Raises `DuplicateKeyError`
    when two definitions make one key, `UnknownDependencyError` when `joins` or a check names nothing.

    >>> made = Asset(key="events", kind="python", relation=("db", "raw", "events"))
    >>> read = Asset(key="shop/raw/events", kind="dbt", executable=False, relation=("db", "raw", "events"))
    >>> [(str(each.key), each.aliases) for each in merge_assets([made, read]).assets]
    [('events', (AssetKey('shop/raw/events'),))]
    """
    listed = _place_checks(list(definitions))
    places: dict[str, int] = {}
    repeated: dict[AssetKey, list[int]] = {}
    for i, asset in enumerate(listed):
        if places.setdefault(asset.key, i) != i:
            repeated.setdefault(asset.key, [places[asset.key]]).append(i)
    if not repeated and all(asset.executable and asset.joins is None for asset in listed):
        return Merged(tuple(listed), {})
    nodes = _Nodes(listed)
    for same in repeated.values():
        nodes.take_same_key(same)
    _follow_joins(nodes, places)
    externals = [i for i in nodes.kept() if is_external(listed[i]) and listed[i].relation is not None]
    _merge_same(nodes, externals)
    _join_producers(nodes, externals, _Lineage(nodes))
    _merge_alike(nodes, externals)
    return nodes.result()


def _place_checks(definitions: list[Asset | AssetCheck]) -> list[Asset]:
    """Return the assets with the checks that were defined apart from them.

    Each stands on the asset with its key or alias, else on the one asset whose last key part is that name.
    """
    assets = [each for each in definitions if isinstance(each, Asset)]
    if len(assets) == len(definitions):
        return assets
    exact: dict[str, int] = {}
    short: dict[str, dict[AssetKey, int]] = {}
    # What makes an asset counts before what only knows of it.
    for i in sorted(range(len(assets)), key=lambda i: is_external(assets[i])):
        exact.setdefault(assets[i].key, i)
        short.setdefault(assets[i].key.name, {}).setdefault(assets[i].key, i)
        for alias in assets[i].aliases:
            exact.setdefault(alias, i)
    for apart in definitions:
        if isinstance(apart, AssetCheck):
            named = short.get(apart.key, {})
            fits = [i for i in named.values() if not assets[i].consumer] or [*named.values()]
            i = exact.get(apart.key, fits[0] if len(fits) == 1 else -1)
            if i < 0:
                raise _unplaced(apart, named or exact)
            assets[i] = _checked(assets[i], apart)
    return assets


def _checked(asset: Asset, apart: AssetCheck) -> Asset:
    """Return an asset with one more check."""
    tool = apart.integration.name if apart.integration else None
    if tool is None or (asset.integration is not None and asset.integration.name == tool):
        return replace(asset, checks=(*asset.checks, apart.check))
    taken = {check.name for check in asset.checks}
    return replace(asset, checks=(*asset.checks, *_foreign([apart.check], tool, taken)))


def _unplaced(apart: AssetCheck, near: Iterable[str]) -> UnknownDependencyError:
    return UnknownDependencyError(
        f"The check {apart.check.name!r} is about {str(apart.key)!r}, which is not an asset's key, "
        "nor the last part of exactly one.",
        where=apart.check.source,
        near=near_names(apart.key, near),
        hint="Write the whole key.",
    )


def is_external(asset: Asset) -> bool:
    """Tell whether nothing in the project makes the asset, and something else may: a source, not a dashboard.

    >>> is_external(Asset(key="shop/raw/events", kind="dbt", executable=False))
    True
    """
    return not asset.executable and not asset.consumer


def near_misses(assets: Sequence[Asset]) -> tuple[NearMiss, ...]:
    """Return the sources that look like another asset of the graph but were not joined with it, and why.

    >>> made = Asset(key="events", kind="python", relation=("prod", "raw", "events"))
    >>> read = Asset(key="shop/raw/events", kind="dbt", executable=False, relation=("dev", "raw", "events"))
    >>> near_misses([made, read])[0].why
    'their databases differ: dev.raw.events and prod.raw.events'
    """
    by_table: dict[str, list[Asset]] = {}
    for asset in assets:
        if asset.executable:
            table = asset.relation.identifier if asset.relation else asset.key.name
            by_table.setdefault(table.casefold(), []).append(asset)
    found = []
    for source in assets:
        if is_external(source):
            table = source.relation.identifier if source.relation else source.key.name
            for candidate in by_table.get(table.casefold(), ()):
                why = _why_apart(source, candidate)
                if why:
                    found.append(NearMiss(source.key, candidate.key, why))
    return tuple(found)


def _why_apart(source: Asset, candidate: Asset) -> str | None:
    mine, other = source.relation, candidate.relation
    if mine is None or other is None:
        if candidate.kind == source.kind:
            return None
        if candidate.kept and mine is not None:
            return (
                f"{candidate.key} is not kept there, in {mine}; its io_manager, or the project's io, says where it is"
            )
        return "they share the last part of their keys only; a relation, or `meta: {assetry: {key: …}}`, would tell"
    if mine.fits(other):
        if _same_tool(source, candidate):
            return f"both are {mine} of one integration, and {candidate.key} is made from it: it was there before"
        return f"several assets fit {mine}; `meta: {{assetry: {{key: …}}}}` of the source would tell which"
    if mine._replace(database=None).fits(other):
        return f"their databases differ: {mine} and {other}"
    return None


class _Nodes:
    """Which definitions are one node: a forest over positions, each root the definition that stays."""

    def __init__(self, assets: Sequence[Asset]) -> None:
        self.assets = assets
        self.parent = list(range(len(assets)))
        self.dropped: set[int] = set()

    def kept(self) -> list[int]:
        return [i for i in range(len(self.assets)) if i not in self.dropped]

    def root(self, i: int) -> int:
        while self.parent[i] != i:
            i = self.parent[i]
        return i

    def link(self, i: int, j: int) -> bool:
        """Make two definitions one node; False when both are made by something, so that they cannot be."""
        i, j = self.root(i), self.root(j)
        if i == j:
            return True
        if is_external(self.assets[i]):
            self.parent[i] = j
        elif is_external(self.assets[j]):
            self.parent[j] = i
        else:
            return False
        return True

    def take_same_key(self, same: list[int]) -> None:
        firm = [i for i in same if not self.assets[i].fallback]
        staying = firm or same[:1]
        self.dropped.update(set(same) - set(staying))
        makers = [i for i in staying if not is_external(self.assets[i])]
        if len(makers) > 1:
            raise _duplicate(self.assets[makers[0]], self.assets[makers[1]])
        head = makers[0] if makers else staying[0]
        for i in staying:
            if not makers and self.assets[i].relation != self.assets[head].relation:
                raise _duplicate(self.assets[head], self.assets[i])
            self.link(i, head)

    def result(self) -> Merged:
        members: dict[int, list[Asset]] = {}
        for i in self.kept():
            root = self.root(i)
            if root != i:
                members.setdefault(root, []).append(self.assets[i])
        roots = [i for i in self.kept() if self.parent[i] == i]
        joined = tuple(_absorb(self.assets[i], members[i]) if i in members else self.assets[i] for i in roots)
        return Merged(joined, {self.assets[i].key: tuple(taken) for i, taken in members.items()})


def _duplicate(first: Asset, second: Asset) -> DuplicateKeyError:
    return DuplicateKeyError(
        f"Two definitions claim the key {str(first.key)!r}: {_place(first)} and {_place(second)}.",
        where=second.source,
        hint=_apart_by(first, second),
    )


def _apart_by(first: Asset, second: Asset) -> str:
    """Return how two definitions of one key can be told apart."""
    tool = second.integration
    if tool is None or tool == first.integration:
        return "Give one of them another key."
    return (
        "Give one of them another key. Where both are one project, for two targets or tenants, the option `key_prefix` "
        f'puts a name before all keys of an integration: key_prefix = "{tool.name}" in [integrations.{tool.name}].'
    )


def _place(asset: Asset) -> str:
    tool = f"{asset.kind} {asset.integration.name!r}" if asset.integration else asset.kind
    return f"{asset.source or 'a definition without a file'} ({tool})"


def _follow_joins(nodes: _Nodes, places: dict[str, int]) -> None:
    known = dict(places)
    for i in nodes.kept():
        for alias in nodes.assets[i].aliases:
            known.setdefault(alias, i)
    for i in nodes.kept():
        asset = nodes.assets[i]
        if asset.joins is None:
            continue
        j = known.get(asset.joins)
        if j is None:
            raise UnknownDependencyError(
                f"{str(asset.key)!r} says that it is the table of {str(asset.joins)!r}, which nothing defines.",
                where=asset.source,
                near=near_names(asset.joins, [key for key in places if key != asset.key]),
                hint="Correct or remove the key in `meta: {assetry: {key: …}}`.",
            )
        if not nodes.link(i, j):
            raise DuplicateKeyError(
                f"{str(asset.key)!r} says that it is the table of {str(asset.joins)!r}, but both are made here: "
                f"{_place(asset)} and {_place(nodes.assets[j])}.",
                where=asset.source,
                hint="Only a source can be the table of another asset.",
            )


def _table(asset: Asset) -> str | None:
    return asset.relation.identifier.casefold() if asset.relation else None


class _Relations:
    """The definitions by their relation, of which the best fit counts."""

    def __init__(self, nodes: _Nodes, members: Iterable[int]) -> None:
        self.exact: dict[Relation, list[int]] = {}
        self.folded: dict[tuple[str | None, ...], list[int]] = {}
        self.table: dict[str, list[tuple[Relation, int]]] = {}
        self.partial: dict[str, list[tuple[Relation, int]]] = {}
        for i in members:
            relation = nodes.assets[i].relation
            if relation is None:
                continue
            table = relation.identifier.casefold()
            self.table.setdefault(table, []).append((relation, i))
            if None in relation:
                self.partial.setdefault(table, []).append((relation, i))
            else:
                self.exact.setdefault(relation, []).append(i)
                self.folded.setdefault(relation.folded, []).append(i)

    def best(self, relation: Relation) -> list[int]:
        table = relation.identifier.casefold()
        if None in relation:
            return [i for other, i in self.table.get(table, ()) if relation.fits(other)]
        sure = self.exact.get(relation) or self.folded.get(relation.folded)
        return sure or [i for other, i in self.partial.get(table, ()) if relation.fits(other)]


def _same_tool(one: Asset, other: Asset) -> bool:
    return one.integration is not None and other.integration is not None and one.integration == other.integration


def _merge_same(nodes: _Nodes, externals: list[int]) -> None:
    first: dict[Relation | None, int] = {}
    for i in externals:
        relation = nodes.assets[i].relation
        if relation is not None and None not in relation:
            nodes.link(i, first.setdefault(relation, i))


class _Lineage:
    """What the nodes are made from, looked at only where a tool's own source may be one of its tables."""

    def __init__(self, nodes: _Nodes) -> None:
        self.nodes = nodes
        self.known: dict[str, list[int]] = {}

    def above(self, start: int, goal: int) -> bool:
        """Tell whether the node of definition `goal` is among what that of `start` is made from, or is the same."""
        assets, root = self.nodes.assets, self.nodes.root
        if not self.known:
            for i in self.nodes.kept():
                for name in (assets[i].key, assets[i].key.name, *assets[i].aliases):
                    self.known.setdefault(name, []).append(i)
        members: dict[int, list[int]] = {}
        for i in self.nodes.kept() if assets[start].deps else ():
            members.setdefault(root(i), []).append(i)
        seen, waiting = {root(start)}, [root(start)]
        while waiting:
            for dep in (dep for i in members.get(waiting.pop(), ()) for dep in assets[i].deps):
                # A short name may mean any of those; one too many only leaves the two apart, which is told.
                fresh = {root(i) for i in self.known.get(dep.key, ())} - seen
                seen |= fresh
                waiting += fresh
        return root(goal) in seen


def _join_producers(nodes: _Nodes, externals: list[int], lineage: _Lineage) -> None:
    tables = {_table(nodes.assets[i]) for i in externals}
    makers = [i for i in nodes.kept() if nodes.assets[i].executable and _table(nodes.assets[i]) in tables]
    relations = _Relations(nodes, makers)
    wanted: dict[int, dict[int, None]] = {}
    for i in externals:
        source, root = nodes.assets[i], nodes.root(i)
        if nodes.assets[root].executable or source.relation is None:
            continue
        best = relations.best(source.relation)
        fitting = [j for j in best if not _same_tool(source, nodes.assets[j])] or best
        if len(fitting) == 1:
            wanted.setdefault(fitting[0], {})[root] = None
    for producer, sources in wanted.items():
        relation = nodes.assets[producer].relation
        # A producer that leaves parts open fits many tables; two of them would be a guess.
        if len(sources) == 1 or (relation is not None and None not in relation):
            for root in sources:
                # What makes a table out of the table itself does not make what it read: that was there before.
                if not (_same_tool(nodes.assets[root], nodes.assets[producer]) and lineage.above(producer, root)):
                    nodes.link(root, producer)


def _merge_alike(nodes: _Nodes, externals: list[int]) -> None:
    relations = _Relations(nodes, externals)
    found = []
    for i in externals:
        relation = nodes.assets[i].relation
        if relation is None or nodes.assets[nodes.root(i)].executable:
            continue
        fitting = relations.best(relation) if None in relation else relations.folded[relation.folded]
        others = {nodes.root(j) for j in fitting} - {nodes.root(i)}
        if len(others) == 1:
            found.append((i, others.pop()))
    for i, other in found:
        nodes.link(max(i, other), min(i, other))


def _absorb(asset: Asset, taken: Sequence[Asset]) -> Asset:
    """Return the asset with what its other definitions know better or know alone."""
    aliases = dict.fromkeys(asset.aliases)
    checks = list(asset.checks)
    relation, described, description = asset.relation, asset, asset.description
    tags, freshness, grows = dict.fromkeys(asset.tags), asset.freshness_policy, asset.grows
    for each in taken:
        aliases.update(dict.fromkeys((each.key, *each.aliases)))
        taken_names = {check.name for check in checks}
        if _same_tool(asset, each):
            checks += _set_apart(each.checks, each.key, asset.key, taken_names)
        else:
            checks += _foreign(each.checks, each.integration.name if each.integration else each.kind, taken_names)
        relation = _complete(relation, each.relation)
        described = described if described.columns else each
        description = description or each.description
        tags.update(dict.fromkeys(each.tags))
        freshness = freshness or each.freshness_policy
        grows = grows if grows != "replace" else each.grows
    aliases.pop(asset.key, None)
    return replace(
        asset,
        aliases=tuple(aliases),
        checks=tuple(checks),
        relation=relation,
        columns=described.columns,
        # What another tool says of a table binds who keeps it here, and no third one that makes it.
        columns_are=described.columns_are if described is asset or asset.kept else "described",
        description=description,
        tags=tuple(tags),
        freshness_policy=freshness,
        grows=grows,
    )


def _set_apart(checks: Iterable[Check], source: AssetKey, made: AssetKey, taken: set[str]) -> list[Check]:
    """Return checks of a tool's source as they stand on the table of that tool that it was found to be."""
    return [
        check._replace(
            name=f"{source.name}:{check.name}" if check.name in taken else check.name, apart=(*check.apart, made)
        )
        for check in checks
    ]


def _foreign(checks: Iterable[Check], tool: str, taken: set[str]) -> list[Check]:
    """Return checks as they stand on an asset of another tool, whose own checks have the names `taken`."""
    return [
        check._replace(
            name=f"{tool}:{check.name}" if check.name in taken else check.name,
            integration=check.integration or tool,
        )
        for check in checks
    ]


def _complete(relation: Relation | None, other: Relation | None) -> Relation | None:
    if relation is None or other is None:
        return relation or other
    database = relation.database if relation.database is not None else other.database
    schema = relation.schema if relation.schema is not None else other.schema
    return Relation(database, schema, relation.identifier)
