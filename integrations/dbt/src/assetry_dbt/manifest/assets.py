"""From a manifest to assets.

Keys: ``<package>/<name>`` for models, seeds, snapshots and functions, ``<package>/<name>/v<version>`` for versions of
a model, ``<package>/<source>/<table>`` for sources, ``<package>/exposure/<name>`` for exposures (``…/exposures/<name>``
where a source took that name). `meta: {assetry: {key: …}}` of a model names its key; of a source, the asset that
makes it.

Ephemeral models are not assets: who reads one depends on what it reads, and so does a test of one. A test that reads
nothing stands on the external asset ``<package>/tests``: it is always ready to run, and stops nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import md5
from pathlib import Path
from typing import Any, NamedTuple

from assetry.plugin import Asset, AssetKey, Check, Column, DefinitionError, Dep, Integration, Relation, paused_gc

from assetry_dbt.manifest.code import CodeVersions, code_version
from assetry_dbt.manifest.facets import ManifestFacets
from assetry_dbt.manifest.manifest import Exposure, Manifest, Node, NodeColumn, Source, UnitTest

#: Resource types that dbt builds, each an asset.
BUILT = frozenset({"model", "seed", "snapshot", "function"})

_NO_CHECKS: tuple[Check, ...] = ()


class Placement(NamedTuple):
    """What is the same for all assets of one project: `target` is in their spec, `packages` where they install."""

    integration: Integration | None = None
    project: str = ""
    target: str | None = None
    packages: str = "dbt_packages"


def assets_of(manifest: Manifest, placement: Placement, codes: CodeVersions) -> list[Asset]:
    """Return the assets of `manifest`: what dbt builds, then sources, exposures, and tests that read nothing.

    Raises `DefinitionError` when a `meta` names a key that is not one.
    """
    with paused_gc():
        return _Translation(manifest, placement, codes).assets()


def project_name(manifest: Manifest, default: str) -> str:
    """Return the name of the project that `manifest` was made of, `default` when nothing in it tells."""
    if manifest.project:
        return manifest.project
    packages = Counter(node.package_name for node in (manifest.nodes or {}).values())
    if not packages or default in packages:
        return default
    # Before schema 10 the name stands there only as its MD5, which dbt calls the project's id.
    project_id = manifest.metadata and manifest.metadata.project_id
    named = [name for name in packages if md5(name.encode(), usedforsecurity=False).hexdigest() == project_id]
    return named[0] if named else packages.most_common(1)[0][0]


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
        self.links = {**(manifest.metrics or {}), **(manifest.semantic_models or {}), **(manifest.saved_queries or {})}
        self.keys: dict[str, AssetKey] = {}
        self.deps: dict[str, Dep] = {}
        self.resolved: dict[str, tuple[str, ...]] = {}
        self.checks: dict[str, dict[str, Check]] = {}
        self.owners: dict[tuple[str, str], tuple[str, ...]] = {
            (group.package_name, group.name): _people(group.owner) for group in (manifest.groups or {}).values()
        }

    def assets(self) -> list[Asset]:
        built = [node for node in self.nodes.values() if node.resource_type in BUILT and not self.is_ephemeral(node)]
        for node in built:
            self.name(node.unique_id, self.node_key(node))
        for source in self.sources.values():
            self.name(source.unique_id, _key((source.package_name, source.source_name, source.name)))
        for node in self.nodes.values():
            if node.resource_type == "test":
                self.add_test(node)
        for unit in (self.manifest.unit_tests or {}).values():
            if is_enabled(unit):
                self.add_unit_test(unit)
        found = [self.built(node) for node in built]
        found += [self.source(source) for source in self.sources.values()]
        taken = set(self.keys.values())
        found += [
            self.exposure(exposure, taken)
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
        named = _assetry_meta(node.config, node.meta)
        if named is not None:
            return _named_key(named, node.original_file_path)
        if node.version is not None:
            return _key((node.package_name, node.name, f"v{node.version}"))
        if node.resource_type == "function" and f"model.{node.package_name}.{node.name}" in self.nodes:
            return _key((node.package_name, "function", node.name))
        return _key((node.package_name, node.name))

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
        severity = "warn" if str(node.config.get("severity") or "").lower() == "warn" else "error"
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
            _texts(test.tags) if test.tags else (),
            test.fqn or (),
            facets,
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
        deps = self.deps
        parts = self.codes.parts(node)
        enforced = bool(node.contract and node.contract.enforced)
        metadata: dict[str, Any] = {
            "unique_id": unique_id,
            "materialized": materialized,
            "package": node.package_name,
            "path": node.original_file_path,
        }
        if node.language and node.language != "sql":
            metadata["language"] = node.language
        if enforced:
            metadata["contract"] = "enforced"
        if node.access and node.access != "protected":
            metadata["access"] = node.access
        if node.patch_path:
            metadata["patch"] = node.patch_path.rpartition("://")[2]
        named = node.group or config.get("group")
        group = named if isinstance(named, str) else None
        return Asset(
            key=self.keys[unique_id],
            kind="dbt",
            deps=tuple([deps[each] for each in self.upstream(node.upstream)]),
            integration=self.place.integration,
            spec={"unique_id": unique_id, "target": self.place.target},
            description=node.description or "",
            group=group,
            owners=self.owners_of(node, config, group),
            tags=_texts(node.tags),
            metadata=metadata,
            columns=_columns(node.columns),
            checks=self.checks_of(unique_id),
            relation=self.relation(node),
            source=self.path(node.package_name, node.original_file_path),
            code_version=code_version(parts),
            code_parts=parts,
            computed_on_read=materialized == "view",
            resource_type=node.resource_type,
            facets=self.facets.node(node),
            fqn=node.fqn or (),
            version=None if node.version is None else str(node.version),
            fallback=node.package_name != self.place.project,
        )

    def relation(self, node: Node) -> Relation | None:
        if node.resource_type == "function":
            return None
        return Relation(node.database, node.schema, node.alias or node.name)

    def owners_of(self, node: Node, config: Mapping[str, Any], group: str | None) -> tuple[str, ...]:
        named = _named_owners(config.get("meta"), node.meta)
        answering = self.owners.get((node.package_name, group), ()) if group else ()
        return tuple(dict.fromkeys(named + answering)) if named else answering

    def source(self, source: Source) -> Asset:
        config = source.config
        joins = _assetry_meta(config, source.meta)
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
            owners=_named_owners(config.get("meta"), source.meta, source.source_meta),
            tags=_texts(source.tags),
            metadata=metadata,
            columns=_columns(source.columns),
            checks=self.checks_of(source.unique_id),
            relation=Relation(source.database, source.schema, source.identifier or source.name),
            source=self.path(source.package_name, source.original_file_path),
            executable=False,
            resource_type="source",
            facets=self.facets.source(source),
            fqn=None,
            joins=None if joins is None else _named_key(joins, source.original_file_path),
            fallback=source.package_name != self.place.project,
        )

    def exposure(self, exposure: Exposure, taken: set[AssetKey]) -> Asset:
        config = exposure.config
        key = _key((exposure.package_name, "exposure", exposure.name))
        if key in taken:
            key = _key((exposure.package_name, "exposures", exposure.name))
        facts = {"type": exposure.type, "label": exposure.label, "url": exposure.url, "maturity": exposure.maturity}
        owners = _people(exposure.owner) + _named_owners(config.get("meta"), exposure.meta)
        return Asset(
            key=key,
            kind="dbt",
            deps=tuple([self.deps[each] for each in self.upstream(exposure.upstream)]),
            integration=self.place.integration,
            spec={"unique_id": exposure.unique_id, "target": self.place.target},
            description=exposure.description or "",
            owners=tuple(dict.fromkeys(owners)),
            tags=_texts(exposure.tags),
            metadata={
                "unique_id": exposure.unique_id,
                "package": exposure.package_name,
                "path": exposure.original_file_path,
                **{name: value for name, value in facts.items() if value},
            },
            source=self.path(exposure.package_name, exposure.original_file_path),
            executable=False,
            consumer=True,
            resource_type="exposure",
            facets=self.facets.exposure(exposure),
            fqn=exposure.fqn or (),
            fallback=exposure.package_name != self.place.project,
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


def _key(parts: tuple[str, ...]) -> AssetKey:
    try:
        return AssetKey("/".join(parts)) if not any("/" in part for part in parts) else AssetKey(parts)
    except DefinitionError:
        # A source's table may be called anything; a key may not. What cannot be written becomes an underscore.
        return AssetKey(tuple(re.sub(r"[^\w.\-]+", "_", part).strip() or "_" for part in parts))


def _named_key(named: Any, where: str | None) -> AssetKey:
    try:
        return AssetKey(named if isinstance(named, str) else tuple(named))
    except (DefinitionError, TypeError):
        raise DefinitionError(
            f"`meta: {{assetry: {{key: …}}}}` names {named!r}, which is not an asset key.",
            where=where,
            hint="A key is one or more names joined by '/', for example shop/orders.",
        ) from None


def _assetry_meta(config: Mapping[str, Any], meta: Any) -> Any:
    """Return the key that a `meta` names under `assetry`, or None; config's `meta` counts before the outer one."""
    for place in (config.get("meta"), meta):
        if place and isinstance(place, dict):
            own = place.get("assetry")
            if isinstance(own, dict) and own.get("key"):
                return own["key"]
    return None


def _columns(columns: Mapping[str, NodeColumn] | None) -> tuple[Column, ...]:
    if not columns:
        return ()
    # A list, not a generator: this loop runs once per column of the whole warehouse.
    return tuple(
        [
            Column(each.name, each.data_type, each.description or "", _texts(each.tags) if each.tags else ())
            for each in columns.values()
        ]
    )


def _texts(given: Any) -> tuple[str, ...]:
    """Return what yml gave as one text or a list of them."""
    if not given:
        return ()
    if isinstance(given, str):
        return (given,)
    return tuple(dict.fromkeys(map(str, given))) if isinstance(given, list) else (str(given),)


def _people(owner: Any) -> tuple[str, ...]:
    """Return the addresses of an owner, or the name where there is no address."""
    return _texts(owner.email) or _texts(owner.name) if owner else ()


def _named_owners(*metas: Any) -> tuple[str, ...]:
    """Return the `owner` (or `owners`) that a `meta` names."""
    for meta in metas:
        if meta and isinstance(meta, dict):
            named = meta.get("owner") or meta.get("owners")
            if isinstance(named, dict):
                named = named.get("email") or named.get("name")
            if named:
                return _texts(named)
    return ()


def code_versions(manifest: Manifest, variables: Mapping[str, Any], declared: Any, root: Path | None) -> CodeVersions:
    """Return the code versions of `manifest`; `declared` is `vars:` of dbt_project.yml."""
    return CodeVersions(manifest, variables, declared if isinstance(declared, dict) else {}, root)
