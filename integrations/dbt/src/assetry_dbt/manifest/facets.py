"""Facets: what dbt's own selection can ask of a node, so that `package:`, `source:`, `config.meta.owner:` … find here
what they find in dbt 1.11 (`dbt/graph/selector_methods.py`).

| method | of | finds |
|---|---|---|
| `package` | all | the package, by wildcards; `this` is the root project |
| `access` | models | `private`, `protected`, `public` |
| `version` | models | `latest`, `old`, `prerelease`; `none` for a model without versions |
| `source` | sources | `source`, `source.table` or `package.source.table`, each part by wildcards |
| `exposure` | exposures | `exposure` or `package.exposure` |
| `metric`, `semantic_model`, `saved_query` | those | as exposures; `+metric:revenue` is what it needs, too |
| `config.…` | nodes and sources | any configuration as a whole: a text, a member of a list, `true` or `false` |
| `path` | all | the yml file that describes it; of an installed package, what stands where the project has a file too |
| `test_name`, `test_type`, `unit_test`, `resource_type` | tests | what they read: `+test_name:unique` |

A method that an asset has no answer to is an empty list: it is a method all the same, also where no asset has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from assetry_dbt.manifest.manifest import Exposure, Link, Manifest, Node, Source, UnitTest

Facets = Mapping[str, Any]

_NOTHING: list[Any] = []
#: Every method, without an answer: an asset that has none is still asked.
_METHODS: Facets = {
    **dict.fromkeys(("access", "version", "source", "exposure", "metric", "semantic_model", "saved_query"), _NOTHING),
    "config": {},
}

#: Words of dbt's selection that find no assets here, and what to write instead. A last `*` stands for any ending.
_ELSEWHERE = {
    "result:*": "Write state:failed for what failed last.",
    "source_status:*": "Write state:stale+ for what is out of date and all below it.",
    **dict.fromkeys(
        ("state:modified*", "state:unmodified*", "state:new*", "state:old*"),
        "dbt compares manifests here; assetry knows what was run: write state:stale.",
    ),
}


def hint_of(method: str, value: str) -> str | None:
    """Return what to write instead of a criterion of dbt's that finds no assets; None where there is nothing to say.

    >>> hint_of("state", "modified.body"), hint_of("tag", "nightly")
    ('dbt compares manifests here; assetry knows what was run: write state:stale.', None)
    """
    written = f"{method}:{value}"
    return next((told for start, told in _ELSEWHERE.items() if written.startswith(start.removesuffix("*"))), None)


class ManifestFacets:
    """The facets of the nodes of one manifest; `root` is the name of the project it was made of.

    >>> node = Node("model.shop.orders", "orders", "model", "shop", config={"materialized": "table"})
    >>> facets = ManifestFacets(Manifest(), "shop").node(node)
    >>> facets["access"], facets["version"], facets["config"]["materialized"], facets["package:this"]
    ('protected', 'none', 'table', True)
    """

    def __init__(self, manifest: Manifest, root: str) -> None:
        self.manifest = manifest
        self.root = root
        self._known: dict[tuple[Any, ...], Facets] = {}

    def node(self, node: Node) -> Facets:
        """Return the facets of a model, seed, snapshot or function."""
        if node.package_name != self.root:
            return self._node(node)
        like = (node.resource_type, node.access, node.version, node.latest_version, node.patch_path, id(node.config))
        try:
            return self._known[like]
        except (KeyError, TypeError):
            return self._new(like, self._node(node))

    def test(self, node: Node) -> Facets:
        """Return the facets of a data test."""
        generic = node.test_metadata
        like = (node.package_name, generic.name if generic else None, id(node.config))
        try:
            return self._known[like]
        except (KeyError, TypeError):
            return self._new(like, self._test(node))

    def _new(self, like: tuple[Any, ...], facets: Facets) -> Facets:
        """Keep facets for all nodes that are alike, because there are very many."""
        # In a manifest that was made by hand a list may stand in the place of a word.
        with suppress(TypeError):
            self._known[like] = facets
        return facets

    def _node(self, node: Node) -> Facets:
        facets = {"package": node.package_name, **_METHODS}
        if node.resource_type == "model":
            facets |= {"access": node.access or "protected", "version": _version(node)}
        if node.resource_type != "function":  # dbt's `config.…` does not look at these
            facets["config"] = node.config
        patch = node.patch_path.rpartition("://")[2] if node.patch_path else None
        return self._placed(facets, node.original_file_path, patch)

    def source(self, source: Source) -> Facets:
        """Return the facets of a source's table."""
        package, name, table = source.package_name, source.source_name, source.name
        names = [[name], [name, table], [package, name, table]]
        facets = {"package": package, **_METHODS, "source": names, "config": source.config}
        return self._placed(facets, source.original_file_path)

    def exposure(self, exposure: Exposure) -> Facets:
        """Return the facets of an exposure."""
        return self._named("exposure", exposure)

    def link(self, link: Link) -> Facets:
        """Return the facets of a metric, semantic model or saved query."""
        return self._named(link.resource_type, link)

    def _named(self, method: str, item: Exposure | Link) -> Facets:
        """Return the facets of what a method finds by its name, or by package and name."""
        names = [[item.name], [item.package_name, item.name]]
        facets = {"package": item.package_name, **_METHODS, method: names}
        return self._placed(facets, item.original_file_path)

    def _placed(self, facets: dict[str, Any], path: str | None, patch: str | None = None) -> Facets:
        """Add whether the package is the root project, and the paths that dbt finds a node by besides its own file.

        dbt looks for a pattern in the project's folder, and then for nodes with these paths; those of an installed
        package are told from the package's folder. So it finds what stands at a path that the project has as well.
        """
        if facets["package"] == self.root:
            facets["package:this"] = True
            if patch:
                facets["path"] = [patch]
        else:
            own = [*_with_folders(path), *([patch] if patch else ())]
            shared = [each for each in own if each in self._root_paths]
            if shared:
                facets["path"] = shared
        return facets

    def _test(self, node: Node) -> Facets:
        generic = node.test_metadata
        facets = {
            "package": node.package_name,
            "resource_type": "test",
            "test_type": ["generic", "schema", "data"] if generic else ["singular", "data"],
            "test_name": generic.name if generic and isinstance(generic.name, str) else _NOTHING,
            "config": _of_any_case(node.config),
        }
        return self._placed(facets, None)

    def unit_test(self, unit: UnitTest) -> Facets:
        """Return the facets of a unit test."""
        facets = {
            "package": unit.package_name,
            "resource_type": "unit_test",
            "test_type": "unit",
            "test_name": unit.name,
            "unit_test": [[unit.name], [unit.package_name, unit.name]],
        }
        return self._placed(facets, None)

    @cached_property
    def _root_paths(self) -> set[str]:
        """Return the files and folders of the root project that its manifest names."""
        manifest = self.manifest
        found: set[str] = set()
        for items in (manifest.nodes, manifest.sources, manifest.exposures, manifest.unit_tests, manifest.functions):
            for item in (items or {}).values():
                if item.package_name == self.root:
                    found.update(_with_folders(item.original_file_path))
                    patch = getattr(item, "patch_path", None)
                    found.update(_with_folders(patch.rpartition("://")[2] if patch else None))
        return found


def _with_folders(path: str | None) -> Iterable[str]:
    """Yield a path and the folders it lies in."""
    left = (path or "").replace("\\", "/")
    while left:
        yield left
        left = left.rpartition("/")[0]


def _version(node: Node) -> Any:
    """Return how the version of a model stands to the latest one."""
    own, latest = node.version, node.latest_version
    if own is None:
        return "none"
    if own == latest:
        return "latest"
    if not own or not latest:
        return _NOTHING
    try:
        return "old" if float(own) < float(latest) else "prerelease"
    except (TypeError, ValueError):
        return "old" if str(own) < str(latest) else "prerelease"


def _of_any_case(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration of a test, whose severity dbt compares without regard to case."""
    severity = config.get("severity")
    if not isinstance(severity, str):
        return config
    return {**config, "severity": sorted({severity, severity.lower(), severity.upper(), severity.capitalize()})}
