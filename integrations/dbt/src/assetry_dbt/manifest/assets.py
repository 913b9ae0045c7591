"""From a manifest to assets.

Keys: ``<package>/<name>`` for models, seeds, snapshots and functions, ``<package>/<name>/v<version>`` for versions of
a model, ``<package>/<source>/<table>`` for sources, ``<package>/exposure/<name>`` for exposures (``…/exposures/<name>``
where a source took that name), and so for metrics, semantic models and saved queries, ``<package>/metric/<name>``.
`meta: {assetry: {key: …}}` of a model names its key; of a source, the asset that makes it.

Ephemeral models are not assets: who reads one depends on what it reads, and so does a test of one. Selections find them
and go through them all the same (`Asset.inlined`). A test that reads nothing stands on the external asset
``<package>/tests``: it is always ready to run, and stops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from assetry.plugin import Asset, AssetKey, Check, Dep, Integration, Relation, paused_gc

from assetry_dbt.manifest.code import CodeVersions, code_version
from assetry_dbt.manifest.facets import ManifestFacets
from assetry_dbt.manifest.manifest import Exposure, Link, Manifest, Node, Source, UnitTest
from assetry_dbt.manifest.partitions import is_microbatch, partitions_of, reads_partitions
from assetry_dbt.manifest.policies import LASTING, automation_policy, freshness_policy
from assetry_dbt.manifest.uses import exposure_asset, link_asset
from assetry_dbt.manifest.written import (
    assetry_meta,
    columns_are,
    columns_of,
    grows,
    key_of,
    named_key,
    named_owners,
    node_metadata,
    people,
    pool_share,
    texts,
)

#: Resource types that dbt builds, each an asset.
BUILT = frozenset({"model", "seed", "snapshot", "function"})

_NO_CHECKS: tuple[Check, ...] = ()


class Placement(NamedTuple):
    """What is the same for all assets of one project: `target` is in their spec, `packages` where they install.

    `warnings_fail` tells that dbt fails a test that would only warn, `batched` that it makes microbatch models batch by
    batch.
    """

    integration: Integration | None = None
    project: str = ""
    target: str | None = None
    packages: str = "dbt_packages"
    warnings_fail: bool = False
    batched: bool = True


def assets_of(manifest: Manifest, placement: Placement, codes: CodeVersions) -> list[Asset]:
    """Return the assets of `manifest`: what dbt builds, then sources, exposures, and tests that read nothing.

    Raises `DefinitionError` when a `meta` names a key that is not one, or partitions that cannot be.
    """
    with paused_gc():
        return _Translation(manifest, placement, codes).assets()


def is_enabled(item: Any) -> bool:
    """Tell whether dbt knows the item at all; older manifests list disabled ones among the others."""
    return item.config.get("enabled") is not False


class _Translation:
    """Translate one manifest."""

    def __init__(self, manifest: Manifest, placement: Placement, codes: CodeVersions) -> None:
        self.manifest = manifest
        self.place = placement
        self.codes = codes
        self.facets = ManifestFacets(manifest, placement.project)
        self.nodes: dict[str, Node] = {
            **{unique_id: node for unique_id, node in (manifest.nodes or {}).items() if is_enabled(node)},
            **(manifest.functions or {}),
        }
        self.sources: dict[str, Source] = {
            unique_id: source for unique_id, source in (manifest.sources or {}).items() if is_enabled(source)
        }
        links = (manifest.metrics, manifest.semantic_models, manifest.saved_queries)
        self.links: dict[str, Link] = {
            unique_id: link for each in links for unique_id, link in (each or {}).items() if is_enabled(link)
        }
        #: Keys of `links`, which dbt makes nothing of; `keys` are those of all that tables are made from.
        self.asked: dict[str, AssetKey] = {}
        self.keys: dict[str, AssetKey] = {}
        self.deps: dict[str, Dep] = {}
        self.inlined: dict[str, AssetKey] = {}
        self.resolved: dict[str, tuple[str, ...]] = {}
        self.checks: dict[str, dict[str, Check]] = {}
        self.owners: dict[tuple[str, str], tuple[str, ...]] = {
            (group.package_name, group.name): people(group.owner) for group in (manifest.groups or {}).values()
        }

    def assets(self) -> list[Asset]:
        built = [node for node in self.nodes.values() if node.resource_type in BUILT and not self.is_ephemeral(node)]
        for node in built:
            self.name(node.unique_id, self.node_key(node))
        for source in self.sources.values():
            self.name(source.unique_id, key_of((source.package_name, source.source_name, source.name)))
        ephemeral = [node for node in self.nodes.values() if node.resource_type in BUILT and self.is_ephemeral(node)]
        self.inlined = {node.unique_id: self.node_key(node) for node in ephemeral}
        taken = set(self.keys.values())
        for link in self.links.values():
            self.asked[link.unique_id] = self.use_key(link, link.resource_type, taken)
        for node in self.nodes.values():
            if node.resource_type == "test":
                self.add_test(node)
        for unit in (self.manifest.unit_tests or {}).values():
            if is_enabled(unit):
                self.add_unit_test(unit)
        found = [self.built(node) for node in built]
        found += [self.ephemeral(node) for node in ephemeral]
        found += [self.use(link, link_asset, self.asked[link.unique_id]) for link in self.links.values()]
        found += [self.source(source) for source in self.sources.values()]
        found += [
            self.use(exposure, exposure_asset, self.use_key(exposure, "exposure", taken))
            for exposure in (self.manifest.exposures or {}).values()
            if is_enabled(exposure)
        ]
        found += [self.loose_tests(package) for package in list(self.checks) if package not in self.keys]
        return found

    def name(self, unique_id: str, key: AssetKey) -> None:
        self.keys[unique_id] = key
        self.deps[unique_id] = Dep(key)

    def is_ephemeral(self, node: Node) -> bool:
        return node.config.get("materialized") == "ephemeral"

    def node_key(self, node: Node) -> AssetKey:
        named = assetry_meta(node.config, node.meta, "key")
        if named is not None:
            return named_key(named, node.original_file_path)
        if node.version is not None:
            return key_of((node.package_name, node.name, f"v{node.version}"))
        if node.resource_type == "function" and f"model.{node.package_name}.{node.name}" in self.nodes:
            return key_of((node.package_name, "function", node.name))
        return key_of((node.package_name, node.name))

    def upstream(self, unique_ids: Iterable[str]) -> tuple[str, ...]:
        """Return the assets among `unique_ids`; in the place of anything else, the assets that lead to it."""
        keys = self.keys
        listed = tuple(unique_ids)
        if not [unique_id for unique_id in listed if unique_id not in keys]:
            return listed
        found: dict[str, None] = {}
        for unique_id in listed:
            if unique_id in keys:
                found[unique_id] = None
            else:
                found.update(dict.fromkeys(self.through(unique_id)))
        return tuple(found)

    def reads(self, unique_ids: Sequence[str]) -> tuple[AssetKey, ...]:
        """Return what dbt says something is made from where what is no asset is among it; else nothing."""
        if not self.inlined or self.inlined.keys().isdisjoint(unique_ids):
            return ()
        return self.steps_of(unique_ids)

    def steps_of(self, unique_ids: Iterable[str]) -> tuple[AssetKey, ...]:
        """Return the keys of assets, and of what is none, by unique ids; what is not known is left out."""
        known = (self.inlined.get(each) or self.asked.get(each) or self.keys.get(each) for each in unique_ids)
        return tuple([key for key in known if key is not None])

    def through(self, start: str) -> tuple[str, ...]:
        """Return the assets that lead to `start`, which is none itself: an ephemeral model, a metric …"""
        known = self.resolved.get(start)
        if known is not None:
            return known
        found: dict[str, None] = {}
        seen = {start}
        waiting = [start]
        while waiting:
            item = self.nodes.get(waiting[0]) or self.links.get(waiting[0])
            waiting.pop(0)
            for unique_id in item.upstream if item else ():
                if unique_id in self.keys:
                    found[unique_id] = None
                elif unique_id not in seen:
                    seen.add(unique_id)
                    waiting.append(unique_id)
        self.resolved[start] = tuple(found)
        return self.resolved[start]

    def add_test(self, node: Node) -> None:
        """Put a data test on the asset it belongs to, with the others it reads."""
        parents = self.upstream(node.upstream)
        home = self.home(node, parents)
        others = tuple([self.keys[parent] for parent in parents if parent != home]) if len(parents) > 1 else ()
        warns = str(node.config.get("severity") or "").lower() == "warn" and not self.place.warnings_fail
        severity = "warn" if warns else "error"
        self.put(home or f"{node.package_name}/tests", self.check(node, severity, others, self.facets.test(node)))

    def home(self, node: Node, parents: tuple[str, ...]) -> str | None:
        """Return what a test stands on: what it is attached to, else what its arguments name, else its first parent."""
        attached, upstream = node.attached_node, node.upstream
        if attached not in upstream:
            # dbt attaches by name; where two packages have the name, it may read the other one.
            attached = None
        if attached in self.keys:
            return attached
        if attached is None and len(upstream) > 1 and node.test_metadata:
            attached = self.tested(node)
            if attached in self.keys:
                return attached
        if attached is not None:
            inner = self.upstream([attached])
            return inner[0] if inner else (parents[0] if parents else None)
        return parents[0] if parents else None

    def tested(self, node: Node) -> str | None:
        """Return which parent the `model` argument of a generic test names: ``{{ … ref('orders') }}``."""
        argument = str(node.test_metadata and node.test_metadata.kwargs and node.test_metadata.kwargs.model)
        names = re.findall(r"""['"]([^'"]+)['"]""", argument)
        for parent in node.upstream:
            if (names and parent.rsplit(".", 1)[-1] == names[-1]) or (names and f".{names[0]}." in f"{parent}."):
                return parent
        return node.upstream[-1]

    def add_unit_test(self, unit: UnitTest) -> None:
        model = self.upstream(unit.upstream[:1])
        home = model[0] if model else f"{unit.package_name}/tests"
        others = tuple(self.keys[parent] for parent in model[1:])
        self.put(home, self.check(unit, "error", others, self.facets.unit_test(unit)))

    def check(
        self, test: Node | UnitTest, severity: str, others: tuple[AssetKey, ...], facets: Mapping[str, Any]
    ) -> Check:
        return Check(
            test.name,
            severity,
            others,
            test.description or "",
            {"unique_id": test.unique_id},
            self.path(test.package_name, test.original_file_path),
            None,
            texts(test.tags) if test.tags else (),
            test.fqn or (),
            facets,
            reads=self.reads(test.upstream),
        )

    def put(self, home: str, check: Check) -> None:
        """Add a check to an asset; a name that is taken there gets the tail of the test's unique id."""
        there = self.checks.setdefault(home, {})
        name = check.name
        if name in there:
            name = f"{name}_{check.spec['unique_id'].rsplit('.', 1)[-1]}"
            while name in there:
                name += "_"
            check = check._replace(name=name)
        there[name] = check

    def checks_of(self, unique_id: str) -> tuple[Check, ...]:
        found = self.checks.get(unique_id)
        return tuple(found.values()) if found else _NO_CHECKS

    def built(self, node: Node) -> Asset:
        unique_id = node.unique_id
        config = node.config
        materialized = config.get("materialized") or node.resource_type
        parts = self.codes.parts(node)
        named = node.group or config.get("group")
        group = named if isinstance(named, str) else None
        parted = partitions_of(node, self.place.batched) if node.resource_type == "model" else None
        spec: dict[str, Any] = {"unique_id": unique_id, "target": self.place.target}
        if parted is not None:
            spec["partitions"] = parted.spec
        elif self.place.batched and is_microbatch(node):
            spec["whole"] = True
        return Asset(
            key=self.keys[unique_id],
            kind="dbt",
            deps=self.by_batch(node) if parted and "batches" in parted.spec else self.whole_deps(node),
            integration=self.place.integration,
            spec=spec,
            description=node.description or "",
            group=group,
            owners=self.owners_of(node, config, group),
            tags=texts(node.tags),
            metadata=node_metadata(node),
            columns=columns_of(node.columns),
            columns_are=columns_are(node),
            checks=self.checks_of(unique_id),
            relation=self.relation(node),
            source=self.path(node.package_name, node.original_file_path),
            code_version=code_version(parts),
            code_parts=parts,
            partitions_def=parted.definition if parted else None,
            partition_column=parted.column if parted else None,
            freshness_policy=freshness_policy(node),
            automation=automation_policy(node),
            grows=grows(node, lambda: reads_partitions(node, self.nodes, self.place.batched)),
            computed_on_read=materialized == "view",
            incremental=materialized == "snapshot"
            or (materialized == "incremental" and not config.get("full_refresh")),
            refreshable=materialized != "snapshot" and config.get("full_refresh") is not False,
            resource_type=node.resource_type,
            facets=self.facets.node(node),
            fqn=node.fqn or (),
            version=None if node.version is None else str(node.version),
            fallback=node.package_name != self.place.project,
            reads=self.reads(node.upstream),
            lasting=str(materialized) in LASTING,
            **pool_share(config, node.meta, self.path(node.package_name, node.original_file_path)),
        )

    def whole_deps(self, node: Node) -> tuple[Dep, ...]:
        deps = self.deps
        return tuple([deps[each] for each in self.upstream(node.upstream)])

    def by_batch(self, node: Node) -> tuple[Dep, ...]:
        """Return what a microbatch model reads: of what has an `event_time`, dbt gives each batch its own rows only."""
        narrowed: dict[str, bool] = {}
        for each in node.upstream:
            item = self.nodes.get(each) or self.sources.get(each)
            timed = item is not None and bool(item.config.get("event_time"))
            for unique_id in (each,) if each in self.keys else self.through(each):
                narrowed[unique_id] = narrowed.get(unique_id, True) and timed
        return tuple([self.deps[each] if timed else Dep(self.keys[each], "all") for each, timed in narrowed.items()])

    def ephemeral(self, node: Node) -> Asset:
        """Return what selections find of an ephemeral model, which is no asset, and what it is made from."""
        group = node.group or node.config.get("group")
        return Asset(
            key=self.inlined[node.unique_id],
            kind="dbt",
            integration=self.place.integration,
            group=group if isinstance(group, str) else None,
            tags=texts(node.tags),
            columns=columns_of(node.columns),
            source=self.path(node.package_name, node.original_file_path),
            spec={"unique_id": node.unique_id, "target": self.place.target},
            executable=False,
            resource_type=node.resource_type,
            facets=self.facets.node(node),
            fqn=node.fqn or (),
            version=None if node.version is None else str(node.version),
            inlined=True,
            reads=self.steps_of(node.upstream),
        )

    def relation(self, node: Node) -> Relation | None:
        if node.resource_type == "function":
            return None
        return Relation(node.database, node.schema, node.alias or node.name)

    def owners_of(self, node: Node, config: Mapping[str, Any], group: str | None) -> tuple[str, ...]:
        named = named_owners(config.get("meta"), node.meta)
        answering = self.owners.get((node.package_name, group), ()) if group else ()
        return tuple(dict.fromkeys(named + answering)) if named else answering

    def source(self, source: Source) -> Asset:
        config = source.config
        joins = assetry_meta(config, source.meta, "key")
        metadata = {
            "unique_id": source.unique_id,
            "package": source.package_name,
            "path": source.original_file_path,
            **({"loader": source.loader} if source.loader else {}),
        }
        return Asset(
            key=self.keys[source.unique_id],
            kind="dbt",
            integration=self.place.integration,
            spec={"unique_id": source.unique_id, "target": self.place.target},
            description=source.description or source.source_description or "",
            owners=named_owners(config.get("meta"), source.meta, source.source_meta),
            tags=texts(source.tags),
            metadata=metadata,
            columns=columns_of(source.columns),
            checks=self.checks_of(source.unique_id),
            relation=Relation(source.database, source.schema, source.identifier or source.name),
            source=self.path(source.package_name, source.original_file_path),
            executable=False,
            freshness_policy=freshness_policy(source),
            grows=grows(source),
            resource_type="source",
            facets=self.facets.source(source),
            fqn=None,
            joins=None if joins is None else named_key(joins, source.original_file_path),
            fallback=source.package_name != self.place.project,
        )

    def use_key(self, item: Exposure | Link, kind: str, taken: set[AssetKey]) -> AssetKey:
        """Return the key of what only uses tables; another word is in it where a source took that name."""
        name = item.name or item.unique_id
        key = key_of((item.package_name, kind, name))
        return key_of((item.package_name, f"{kind}s", name)) if key in taken else key

    def use(self, item: Exposure | Link, made: Callable[..., Asset], key: AssetKey) -> Asset:
        """Return the asset of what only uses tables: its dependencies are tables, and others that use them."""
        above: dict[AssetKey, None] = {}
        for each in item.upstream:
            direct = self.asked.get(each)
            above.update(dict.fromkeys([direct] if direct else [self.keys[one] for one in self.upstream([each])]))
        group = getattr(item, "group", None) or item.config.get("group")
        return made(
            item,
            key=key,
            deps=tuple([Dep(each) for each in above]),
            integration=self.place.integration,
            spec={"unique_id": item.unique_id, "target": self.place.target},
            group=group if isinstance(group, str) else None,
            freshness_policy=freshness_policy(item),
            source=self.path(item.package_name, item.original_file_path),
            facets=self.facets.exposure(item) if isinstance(item, Exposure) else self.facets.link(item),
            fallback=item.package_name != self.place.project,
            reads=self.reads(item.upstream),
        )

    def loose_tests(self, home: str) -> Asset:
        """Return the asset that carries a package's tests that read nothing in the project."""
        package = home.partition("/")[0]
        return Asset(
            key=home,
            kind="dbt",
            integration=self.place.integration,
            spec={"target": self.place.target},
            description=f"Tests of {package} that read no model and no source.",
            checks=self.checks_of(home),
            executable=False,
            resource_type="test",
            fallback=package != self.place.project,
        )

    def path(self, package: str, path: str | None) -> str | None:
        """Return a file's path relative to the project's folder."""
        if path is None or package == self.place.project:
            return path and path.replace("\\", "/")
        return f"{self.place.packages}/{package}/{path}".replace("\\", "/")
