"""What is written in yml in several ways: keys, pools, growth, columns, owners, one text or a list of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from assetry.plugin import AssetKey, Column, ColumnsAre, DefinitionError, Grows, near_names

from assetry_dbt.manifest.manifest import Node, NodeColumn, Source


def key_of(parts: tuple[str, ...]) -> AssetKey:
    """Return the key with these parts; what a key may not hold becomes an underscore."""
    try:
        return AssetKey("/".join(parts)) if not any("/" in part for part in parts) else AssetKey(parts)
    except DefinitionError:
        # A source's table may be called anything.
        return AssetKey(tuple(re.sub(r"[^\w.\-]+", "_", part).strip() or "_" for part in parts))


def named_key(named: Any, where: str | None) -> AssetKey:
    """Return the key that a `meta` names; raise `DefinitionError` when it is not one."""
    try:
        return AssetKey(named if isinstance(named, str) else tuple(named))
    except (DefinitionError, TypeError):
        raise DefinitionError(
            f"`meta: {{assetry: {{key: …}}}}` names {named!r}, which is not an asset key.",
            where=where,
            hint="A key is one or more names joined by '/', for example shop/orders.",
        ) from None


def assetry_meta(config: Mapping[str, Any] | None, meta: Any, name: str) -> Any:
    """Return what a `meta` says under `assetry` of one thing, or None; config's `meta` counts before the outer one.

    >>> assetry_meta({"meta": {"assetry": {"key": "a"}}}, {"assetry": {"key": "b", "partitions": {}}}, "key")
    'a'
    """
    for place in ((config or {}).get("meta"), meta):
        if place and isinstance(place, dict):
            own = place.get("assetry")
            if isinstance(own, dict) and own.get(name) not in (None, ""):
                return own[name]
    return None


def pool_share(config: Mapping[str, Any], meta: Any, where: str | None) -> dict[str, Any]:
    """Return the pool that a `meta` names, and how many of its slots; raise `DefinitionError` for what cannot be one.

    >>> pool_share({"meta": {"assetry": {"pool": "warehouse", "weight": 2}}}, None, None), pool_share({}, None, None)
    ({'pool': 'warehouse', 'weight': 2}, {})
    """
    pool, weight = (assetry_meta(config, meta, name) for name in ("pool", "weight"))
    said, hint = "`meta: {assetry: {", "For example pool: warehouse, and weight: 2."
    if pool is not None and not isinstance(pool, str):
        raise DefinitionError(f"{said}pool: …}}}}` is not the name of a pool.", where=where, hint=hint)
    if weight is not None and (not isinstance(weight, int) or isinstance(weight, bool) or weight < 1):
        raise DefinitionError(f"{said}weight: …}}}}` is not a whole number above 0.", where=where, hint=hint)
    if pool is None and weight is not None:
        raise DefinitionError(f"{said}weight: …}}}}` is of a pool, and none is named.", where=where, hint=hint)
    return {} if pool is None else {"pool": pool, "weight": weight or 1}


def grows(item: Node | Source, reads_partitions: Callable[[], bool] = lambda: False) -> Grows:
    """Return how a model, a source or a seed grows: as its `meta` says, else as dbt takes it.

    What has an `event_time` is read by that time alone where dbt reads it batch by batch: as if it only grew. Not so
    where partitions lie behind it, which may be made again, each by itself. A seed changes with its file.

    Raises `DefinitionError`, with place and near words, for a word that does not exist.
    """
    said: Any = assetry_meta(item.config, item.meta, "grows")
    if said is not None:
        known = get_args(Grows)
        if said not in known:
            raise DefinitionError(
                f"`meta: {{assetry: {{grows: …}}}}` of {item.unique_id} is {said!r}, which does not exist.",
                where=item.original_file_path,
                near=near_names(str(said), known),
                hint=f"There are {', '.join(known)}.",
            )
        return said  # type: ignore[no-any-return]
    if item.config.get("event_time"):
        return "replace" if reads_partitions() else "append"
    return "never" if isinstance(item, Node) and item.resource_type == "seed" else "replace"


def columns_of(columns: Mapping[str, NodeColumn] | None) -> tuple[Column, ...]:
    """Return the columns that yml describes."""
    if not columns:
        return ()
    # A list, not a generator: this loop runs once per column of the whole warehouse.
    return tuple(
        [
            Column(each.name, each.data_type, each.description or "", texts(each.tags) if each.tags else ())
            for each in columns.values()
        ]
    )


def node_metadata(node: Node) -> dict[str, Any]:
    """Return what people should know of what dbt builds: what it is, where it stands, and until when.

    >>> node = Node("model.shop.orders", "orders", "model", "shop", version=1, latest_version=2, config={})
    >>> node_metadata(node)["latest_version"]
    'shop/orders/v2'
    """
    found = {
        "unique_id": node.unique_id,
        "materialized": node.config.get("materialized") or node.resource_type,
        "package": node.package_name,
        "path": node.original_file_path,
    }
    if node.language and node.language != "sql":
        found["language"] = node.language
    if node.contract and node.contract.enforced:
        found["contract"] = "enforced"
    if node.access and node.access != "protected":
        found["access"] = node.access
    if node.patch_path:
        found["patch"] = node.patch_path.rpartition("://")[2]
    if node.deprecation_date:
        found["deprecation_date"] = str(node.deprecation_date)
    if node.latest_version is not None and node.version != node.latest_version:
        found["latest_version"] = str(key_of((node.package_name, node.name, f"v{node.latest_version}")))
    return found


def columns_are(node: Node) -> ColumnsAre:
    """Return what the columns in yml are: a schema where a contract is enforced, and otherwise a description.

    >>> from assetry_dbt.manifest.manifest import Contract
    >>> node = Node("model.shop.orders", "orders", "model", contract=Contract(True), config={"materialized": "table"})
    >>> columns_are(node)
    'all'
    """
    if not (node.contract and node.contract.enforced):
        return "described"
    # Of an incremental model the table keeps a column that the contract has no longer.
    return "needed" if node.config.get("materialized") == "incremental" else "all"


def texts(given: Any) -> tuple[str, ...]:
    """Return what yml gave as one text or a list of them."""
    if not given:
        return ()
    if isinstance(given, str):
        return (given,)
    return tuple(dict.fromkeys(map(str, given))) if isinstance(given, list) else (str(given),)


def people(owner: Any) -> tuple[str, ...]:
    """Return the addresses of an owner, or the name where there is no address."""
    return texts(owner.email) or texts(owner.name) if owner else ()


def named_owners(*metas: Any) -> tuple[str, ...]:
    """Return the `owner` (or `owners`) that a `meta` names."""
    for meta in metas:
        if meta and isinstance(meta, dict):
            named = meta.get("owner") or meta.get("owners")
            if isinstance(named, dict):
                named = named.get("email") or named.get("name")
            if named:
                return texts(named)
    return ()
