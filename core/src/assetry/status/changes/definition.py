"""A definition as it is kept and compared: what of an asset says how it is made, and what is asked of it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assetry.gc_pause import paused_gc
from assetry.types.assets import Asset
from assetry.types.codec import to_json
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from assetry.partitions.definitions import PartitionsDefinition

#: The parts of a definition, in the order in which people are told of them.
PARTS = ("made by", "code", "reads", "columns", "partitions", "table", "policy", "checks", "about")

#: Made once: a run writes ten thousand of them.
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True, check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Definition:
    """One asset as it is, or was, defined: its kind and type, and each of `PARTS` as JSON.

    A part that is not known is not there; what is not known is never a difference.

    >>> found = definition_of(Asset(key="shop/orders", kind="dbt", code_version="1", deps=["shop/raw"]))
    >>> found.parts["reads"]
    {'shop/raw': 'same'}
    >>> Definition.from_json(found.to_json()) == found
    True
    """

    key: AssetKey
    kind: str
    type: str
    parts: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"key": str(self.key), "kind": self.kind, "type": self.type, "parts": dict(self.parts)}

    @classmethod
    def from_json(cls, data: Any) -> Definition:
        """Return the definition that `to_json` wrote; raise `TypeError` or `KeyError` for anything else."""
        return cls(AssetKey(data["key"]), str(data["kind"]), str(data["type"]), dict(data["parts"]))

    def without(self, parts: Iterable[str]) -> Definition:
        """Return it with some parts not known.

        >>> definition_of(Asset(key="a", kind="x")).without(PARTS).parts
        {}
        """
        left = {name: each for name, each in self.parts.items() if name not in set(parts)}
        return Definition(self.key, self.kind, self.type, left)

    @property
    def text(self) -> str:
        """Return it as a store keeps it: the same text for the same definition."""
        return _encode([self.kind, self.type, self.parts])

    @classmethod
    def from_text(cls, key: AssetKey, text: str) -> Definition:
        """Return the definition that `text` returned.

        >>> found = definition_of(Asset(key="shop/orders", kind="dbt", owners=["ana"]))
        >>> Definition.from_text(found.key, found.text) == found
        True
        """
        return cls(key, *json.loads(text))


def definition_of(asset: Asset, grids: dict[int, Any] | None = None) -> Definition:
    """Return the definition of an asset; `grids` keeps the JSON of partitions, of which many assets share a few.

    >>> definition_of(Asset(key="a", kind="x", tags=["b", "a"])).parts["about"]
    {'tags': ['b', 'a']}
    """
    maker: dict[str, Any] = {
        "kind": asset.kind,
        "integration": None if asset.integration is None else asset.integration.name,
    }
    parts: dict[str, Any] = {
        "made by": maker if asset.executable else {"outside": True},
        "code": {"version": asset.code_version, "parts": dict(asset.code_parts)},
        "reads": _reads(asset),
        "columns": {column[0]: column[1] for column in asset.columns},
        "partitions": _grid(asset.partitions_def, {} if grids is None else grids),
        "table": None if asset.relation is None else str(asset.relation),
        "policy": _policy(asset),
        "checks": {check[0]: check[1] for check in asset.checks},
        "about": _about(asset),
    }
    return Definition(asset.key, asset.kind, asset.resource_type, parts)


def definitions_of(assets: Iterable[Asset]) -> dict[AssetKey, Definition]:
    """Return the definitions of assets that are something by themselves, by key.

    >>> list(definitions_of([Asset(key="a", kind="x"), Asset(key="b", kind="x", inlined=True)]))
    [AssetKey('a')]
    """
    grids: dict[int, Any] = {}
    with paused_gc():
        return {asset.key: definition_of(asset, grids) for asset in assets if not asset.inlined}


def digest(texts: Mapping[AssetKey, str]) -> str:
    """Return what is equal for the same definitions, given as texts, whatever their order.

    >>> digest({AssetKey("a"): "1", AssetKey("b"): "2"}) == digest({AssetKey("b"): "2", AssetKey("a"): "1"})
    True
    """
    from hashlib import blake2b

    every = blake2b(digest_size=12)
    for key in sorted(texts):
        every.update(f"{key}\n{texts[key]}\n".encode("utf-8", "backslashreplace"))
    return every.hexdigest()


def _reads(asset: Asset) -> dict[str, Any]:
    """Return what an asset reads, each with its partition mapping; several of one asset as a list."""
    found: dict[str, Any] = {}
    for dep in asset.deps:
        mapping = dep.partition_mapping if isinstance(dep.partition_mapping, str) else to_json(dep.partition_mapping)
        key = str(dep.key)
        found[key] = [found[key], mapping] if key in found else mapping
    return found


def _grid(definition: PartitionsDefinition | None, known: dict[int, Any]) -> Any:
    if definition is None:
        return None
    if id(definition) not in known:
        known[id(definition)] = to_json(definition)
    return known[id(definition)]


def _policy(asset: Asset) -> dict[str, Any]:
    grows = None if asset.grows == "replace" else asset.grows
    policies = {
        "freshness": asset.freshness_policy,
        "retries": asset.retry_policy,
        "automation": asset.automation,
        "grows": grows,
        "pool": asset.pool and asset.pool + (f", {asset.weight} slots" if asset.weight > 1 else ""),
    }
    return {name: to_json(policy) for name, policy in policies.items() if policy is not None}


def _about(asset: Asset) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if asset.description:
        found["description"] = asset.description
    if asset.owners:
        found["owners"] = list(asset.owners)
    if asset.tags:
        found["tags"] = list(asset.tags)
    if asset.group:
        found["group"] = asset.group
    return found
