"""What dbt's own selection sees of a manifest: every node by its fully qualified name, and who reads whom.

Kept apart from the assets, because dbt selects among more than assets: ephemeral models, exposures, analyses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from assetry.plugin import Asset, AssetKey, CheckRef, Invocation

from assetry_dbt.manifest.assets import BUILT, is_enabled
from assetry_dbt.manifest.manifest import Manifest

#: Resource types that `dbt build` runs as checks.
TESTS = frozenset({"test", "unit_test"})


class Item(NamedTuple):
    """One thing that dbt can select.

    `fqn` is dbt's, as parts; `parents` are unique ids. `versioned` says that the last part of `fqn` is a version;
    `free` that it builds nothing, so that it may come along: an ephemeral model, an exposure, a source.
    """

    unique_id: str
    resource_type: str
    package: str
    fqn: tuple[str, ...]
    parents: tuple[str, ...]
    versioned: bool = False
    free: bool = False


class Index:
    """What dbt can select, what of it was loaded as assets and checks, and what reads what.

    `built` are the unique ids of executable assets, `tests` those of checks: nothing else may be asked for. What else
    is in `items` may come along freely, unless it is a model or test that was left out when the project was loaded.
    `own_selection` are the options `select` and `exclude` that the project was loaded with, if any; `narrowed` says
    that dbt takes a default selector where neither is given.
    """

    def __init__(
        self,
        items: Iterable[Item],
        assets: Iterable[Asset],
        own_selection: tuple[tuple[str, ...], tuple[str, ...]] | None = None,
        narrowed: bool = False,
    ) -> None:
        self.items: dict[str, Item] = {item.unique_id: item for item in items}
        self.own_selection = own_selection
        self.narrowed = narrowed
        self.evaluation: Any = None
        self.built: set[str] = set()
        self.tests: set[str] = set()
        self.checks: dict[tuple[AssetKey, str], str] = {}
        self._by_name: dict[str, list[str]] = {}
        for asset in assets:
            if asset.executable:
                self.built.add(asset.spec["unique_id"])
            for check in asset.checks:
                unique_id = check.spec["unique_id"]
                self.tests.add(unique_id)
                self.checks[asset.key, check.name] = unique_id
                self._by_name.setdefault(check.name, []).append(unique_id)
        self.children: dict[str, list[str]] = {}
        for item in self.items.values():
            for parent in item.parents:
                self.children.setdefault(parent, []).append(item.unique_id)

    def test_of(self, reference: CheckRef, assets: Iterable[Asset] = ()) -> str | None:
        """Return the unique id of the test that `reference` means, or None when this project has no such test.

        A check of a source may stand on the asset that makes the source, under that asset's key: then it is found on
        the `assets` at hand, or by its name alone when only one test has it.
        """
        for asset in assets:
            if asset.key == reference.key:
                for check in asset.checks:
                    if check.name == reference.check and check.spec.get("unique_id") in self.items:
                        return str(check.spec["unique_id"])
        known = self.checks.get((reference.key, reference.check))
        if known is not None:
            return known
        named = self._by_name.get(reference.check, ())
        return named[0] if len(named) == 1 else None

    def wanted(self, invocation: Invocation) -> tuple[frozenset[str], frozenset[str]]:
        """Return the unique ids of what `invocation` is to build, and of the tests it is to run."""
        nearby = (*invocation.assets, *invocation.inputs, *invocation.also)
        built = {str(asset.spec["unique_id"]) for asset in invocation.assets}
        by_key: dict[AssetKey, list[Asset]] = {}
        for asset in nearby:
            by_key.setdefault(asset.key, []).append(asset)
        tests = {self.test_of(each, by_key.get(each.key, ())) for each in invocation.checks}
        return frozenset(built), frozenset(test for test in tests if test is not None)


def items_of(manifest: Manifest) -> list[Item]:
    """Return everything enabled in `manifest` that dbt can select by name, and its sources."""
    found: list[Item] = []
    for node in (*(manifest.nodes or {}).values(), *(manifest.functions or {}).values()):
        if not is_enabled(node):
            continue
        kind = node.resource_type
        free = node.config.get("materialized") == "ephemeral" if kind in BUILT else kind != "test"
        versioned = kind == "model" and node.version is not None
        parents = tuple(node.upstream)
        found.append(Item(node.unique_id, kind, node.package_name, node.fqn or (), parents, versioned, free))
    for unit in (manifest.unit_tests or {}).values():
        if is_enabled(unit):
            fqn = unit.fqn or ()
            found.append(Item(unit.unique_id, "unit_test", unit.package_name, fqn, tuple(unit.upstream)))
    for source in (manifest.sources or {}).values():
        fqn = source.fqn or ()
        found.append(Item(source.unique_id, "source", source.package_name, fqn, (), free=True))
    for exposure in (manifest.exposures or {}).values():
        fqn, parents = exposure.fqn or (), tuple(exposure.upstream)
        found.append(Item(exposure.unique_id, "exposure", exposure.package_name, fqn, parents, free=True))
    return found
