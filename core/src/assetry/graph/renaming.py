"""Other keys for definitions: of a whole integration, and of tables that only have a name in common. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from assetry.types.assets import Asset, AssetCheck, Check, Integration
from assetry.types.keys import AssetKey


def rename_assets(assets: Iterable[Asset], keys: Mapping[AssetKey, AssetKey]) -> list[Asset]:
    """Return assets under other keys: what they name of each other follows, what is not in `keys` stays.

    >>> shop = [Asset(key="a", kind="x"), Asset(key="b", kind="x", deps=["a", "c"])]
    >>> [(str(each.key), [str(dep.key) for dep in each.deps]) for each in rename_assets(shop, {"a": AssetKey("eu/a")})]
    [('eu/a', []), ('b', ['eu/a', 'c'])]
    """
    return [_renamed(asset, keys) for asset in assets]


def _renamed(asset: Asset, keys: Mapping[AssetKey, AssetKey]) -> Asset:
    key = keys.get(asset.key, asset.key)
    deps = tuple([dep._replace(key=keys[dep.key]) if dep.key in keys else dep for dep in asset.deps])
    checks = tuple([_check(check, keys) for check in asset.checks])
    reads = _all(asset.reads, keys)
    joins = None if asset.joins is None else keys.get(asset.joins, asset.joins)
    before = (asset.key, asset.deps, asset.checks, asset.reads, asset.joins)
    if before == (key, deps, checks, reads, joins):
        return asset
    return replace(asset, key=key, deps=deps, checks=checks, reads=reads, joins=joins)


def _check(check: Check, keys: Mapping[AssetKey, AssetKey]) -> Check:
    if not (check.also or check.reads or check.apart):
        return check
    return check._replace(also=_all(check.also, keys), reads=_all(check.reads, keys), apart=_all(check.apart, keys))


def _all(named: Sequence[AssetKey], keys: Mapping[AssetKey, AssetKey]) -> tuple[AssetKey, ...]:
    return tuple([keys.get(each, each) for each in named])


#: Per integration: the keys of its definitions, and those that they get.
_Keys = dict[Integration, dict[AssetKey, AssetKey]]


def tell_copies_apart(definitions: Sequence[Asset | AssetCheck]) -> Sequence[Asset | AssetCheck]:
    """Give copies of one package's tables keys of their own where several integrations have them.

    Each project that installs a package builds its tables for itself. Of the definitions that may give way
    (`Asset.fallback`) only one that is the same table does; another table is named after its integration first. The
    first integration keeps the plain names, so that a further one changes nothing of its records.

    >>> tables = {name: ("d", name, "log") for name in ("eu", "us")}
    >>> eu, us = (Asset(key="pk/log", kind="x", integration=Integration(name, "x"), relation=table, fallback=True)
    ...           for name, table in tables.items())
    >>> [str(each.key) for each in tell_copies_apart([eu, us])]
    ['pk/log', 'us/pk/log']
    """
    by_key: dict[AssetKey, list[Asset]] = {}
    for each in definitions:
        if isinstance(each, Asset):
            by_key.setdefault(each.key, []).append(each)
    doubled = [same for same in by_key.values() if len(same) > 1 and any(asset.fallback for asset in same)]
    keys: _Keys = {}
    for same in doubled:
        _tell_tables_apart(same, keys)
    if doubled:
        _follow(doubled, keys)
    if not keys:
        return definitions
    return [
        _renamed(each, keys[each.integration]) if isinstance(each, Asset) and each.integration in keys else each
        for each in definitions
    ]


def _tell_tables_apart(same: Sequence[Asset], keys: _Keys) -> None:
    staying = _staying(same)
    tables = {staying.key: staying.relation}
    for asset in same:
        relation = asset.relation
        if not asset.fallback or relation is None or staying.relation is None or asset.integration is None:
            continue
        new = next((key for key, table in tables.items() if table is not None and table.fits(relation)), None)
        if new is None and asset.integration != staying.integration:
            new = _named_after(asset.integration, asset.key)
            tables[new] = relation
        if new is not None and new != asset.key:
            keys.setdefault(asset.integration, {})[asset.key] = new


def _follow(doubled: Sequence[Sequence[Asset]], keys: _Keys) -> None:
    """Rename what has no table of its own and is about tables that are renamed, or that nothing else would check."""
    left: list[Asset] = []
    for same in doubled:
        staying = _staying(same)
        others = [each for each in same if each.fallback and each.relation is None and each is not staying]
        left += others
        for asset in others:
            if staying.fallback and asset.checks and asset.integration not in (None, staying.integration):
                _rename(asset, keys)
    renamed = True
    while renamed:
        renamed = False
        for asset in left:
            known = keys.get(asset.integration, {}) if asset.integration else {}
            named = (*(dep.key for dep in asset.deps), *asset.reads)
            if asset.key not in known and any(key in known for key in named):
                _rename(asset, keys)
                renamed = True


def _staying(same: Sequence[Asset]) -> Asset:
    return next((asset for asset in same if not asset.fallback), same[0])


def _rename(asset: Asset, keys: _Keys) -> None:
    if asset.integration is not None:
        keys.setdefault(asset.integration, {})[asset.key] = _named_after(asset.integration, asset.key)


def _named_after(tool: Integration, key: AssetKey) -> AssetKey:
    return AssetKey((*AssetKey(tool.name).parts, *key.parts))
