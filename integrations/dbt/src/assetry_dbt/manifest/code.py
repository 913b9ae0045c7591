"""Code versions of dbt nodes: hashes of what really changes a result, by what they cover.

| part | covers |
|---|---|
| `body` | the model's code as written; a seed's or snapshot's content |
| `config` | the configuration, without what only describes (`PASSIVE_CONFIG`) and without values that say nothing |
| `relation` | the table's name in the warehouse |
| `macros` | the text of every macro the code can reach, but for those dbt and its adapters bring along |
| `ephemeral` | all of the above for the ephemeral models that are compiled into it |
| `vars` | the values of the vars that code and macros ask for, where the project or the options set them |
| `contract` | columns, types and constraints of an enforced contract |

Descriptions, tags, owners, tests and comments in yml files are in none of them, and neither is dbt's own version: an
upgrade of dbt does not rebuild a warehouse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from assetry_dbt.manifest.manifest import Manifest, Node

#: Configuration that describes, guards or names, and leaves the content of the table as it is.
PASSIVE_CONFIG = frozenset(
    {
        "meta", "tags", "docs", "description", "group", "access", "severity", "enabled", "contract",
        "freshness", "persist_docs", "grants", "full_refresh", "alias", "schema", "database",
        "store_failures", "store_failures_as", "warn_if", "error_if", "fail_calc", "limit", "where",
        "event_time", "on_configuration_change", "deprecation_date", "latest_version_pointer", "on_error",
        "static_analysis", "concurrent_batches",
    }
)  # fmt: skip

#: ValueRouter that newer dbt versions write where older ones wrote nothing.
DEFAULT_CONFIG: Mapping[str, Any] = {"lookback": 1, "on_schema_change": "ignore", "delimiter": ","}

#: Macros of these packages come with dbt itself.
_BUILT_IN = frozenset({"dbt", "dbt_postgres", "dbt_spark"})

_VAR = re.compile(r"""\bvar\(\s*(['"])(.+?)\1""")


def short_hash(data: bytes) -> str:
    """Return sixteen hexadecimal digits that stand for `data`.

    >>> short_hash(b"select 1")
    'f75f3a553799629e'
    """
    return blake2b(data, digest_size=8).hexdigest()


class CodeVersions:
    """The code parts of the nodes of `manifest`; what nodes share is hashed once.

    `variables` are the vars that options set, `project_vars` those of dbt_project.yml. `root` is the project's
    folder, where a seed too large for dbt to hash is read.
    """

    def __init__(
        self,
        manifest: Manifest,
        variables: Mapping[str, Any] | None = None,
        project_vars: Mapping[str, Any] | None = None,
        root: Path | None = None,
    ) -> None:
        self.nodes = manifest.nodes or {}
        self.macros = manifest.macros or {}
        self.adapter = (manifest.metadata and manifest.metadata.adapter_type) or "default"
        self.project = manifest.project
        self.root = root
        self.variables = variables or {}
        self.project_vars = project_vars or {}
        self._built_in = _BUILT_IN | {f"dbt_{self.adapter}"}
        self._configs: dict[int, str] = {}
        self._closures: dict[tuple[str, ...], tuple[str, frozenset[str]]] = {}
        self._ephemeral: dict[str, frozenset[str]] = {}
        self._materializations: dict[str, tuple[str, ...]] = {}

    def parts(self, node: Node) -> dict[str, str]:
        """Return the hashes that make up the code version of `node`, by what they cover."""
        macros, var_names = self._closure(node)
        relation = "\0".join((node.database or "", node.schema or "", node.alias or node.name))
        parts = {
            "body": self._body(node),
            "config": self._config(node.config),
            "relation": short_hash(relation.encode()),
        }
        if macros:
            parts["macros"] = macros
        values = self._var_values(node, var_names)
        if values:
            parts["vars"] = short_hash(values)
        if node.contract and node.contract.enforced:
            parts["contract"] = _contract(node)
        ephemeral = self.ephemeral_ancestors(node)
        if ephemeral:
            parts["ephemeral"] = self._combined(ephemeral)
        return parts

    def ephemeral_ancestors(self, node: Node) -> frozenset[str]:
        """Return the unique ids of the ephemeral models that are compiled into `node`."""
        found: set[str] = set()
        waiting = list(node.upstream)
        while waiting:
            unique_id = waiting.pop()
            if unique_id in found:
                continue
            parent = self.nodes.get(unique_id)
            if parent is not None and parent.config.get("materialized") == "ephemeral":
                found.add(unique_id)
                waiting += parent.upstream
        return frozenset(found)

    def _combined(self, unique_ids: Iterable[str]) -> str:
        hashes = []
        for unique_id in sorted(unique_ids):
            parts = self.parts(self.nodes[unique_id])
            hashes.append(unique_id + "".join(parts[name] for name in parts if name not in ("ephemeral", "relation")))
        return short_hash("\n".join(hashes).encode())

    def _config(self, config: Mapping[str, Any]) -> str:
        # Equal configurations of a manifest are one object.
        known = self._configs.get(id(config))
        if known is None:
            active = {
                name: value
                for name, value in config.items()
                if name not in PASSIVE_CONFIG and not _says_nothing(name, value)
            }
            known = self._configs[id(config)] = short_hash(msgspec.json.encode(active, order="sorted"))
        return known

    def _body(self, node: Node) -> str:
        checksum = node.checksum
        code = node.code
        if code:
            return short_hash(code.encode())
        if checksum and checksum.name == "path" and self.root and node.original_file_path:
            # dbt hashes the name of a seed over 1 MiB; what counts is what is in it.
            return _file_hash(self.root / node.original_file_path) or checksum.checksum or ""
        return ((checksum and checksum.checksum) or "")[:16]

    def _closure(self, node: Node) -> tuple[str, frozenset[str]]:
        """Return the hash of the macros `node` reaches, and the vars asked for by it and by them."""
        direct = tuple(node.macros) + self._own_materialization(node.config.get("materialized"))
        known = self._closures.get(direct)
        if known is None:
            known = self._closures[direct] = self._walk_macros(direct)
        code = node.code
        if "var(" in code:
            return known[0], known[1].union(match[2] for match in _VAR.finditer(code))
        return known

    def _walk_macros(self, direct: Iterable[str]) -> tuple[str, frozenset[str]]:
        seen: set[str] = set()
        waiting = list(direct)
        texts: dict[str, str] = {}
        names: set[str] = set()
        while waiting:
            unique_id = waiting.pop()
            macro = self.macros.get(unique_id)
            if macro is None or unique_id in seen:
                continue
            seen.add(unique_id)
            waiting += macro.depends_on.known_macros if macro.depends_on else []
            # Built-in macros are walked through, because they may call one that the project overrides.
            if macro.package_name not in self._built_in:
                text = texts[unique_id] = macro.macro_sql or ""
                names.update(match[2] for match in _VAR.finditer(text))
        if not texts:
            return "", frozenset(names)
        listed = "\0".join(f"{unique_id}\0{texts[unique_id].strip()}" for unique_id in sorted(texts))
        return short_hash(listed.encode()), frozenset(names)

    def _own_materialization(self, materialized: Any) -> tuple[str, ...]:
        """Return the materialization macro for `materialized` when the project or a package of it brings its own."""
        if not isinstance(materialized, str):
            return ()
        known = self._materializations.get(materialized)
        if known is None:
            wanted = {f"materialization_{materialized}_{adapter}" for adapter in (self.adapter, "default")}
            known = self._materializations[materialized] = tuple(
                sorted(
                    unique_id
                    for unique_id, macro in self.macros.items()
                    if unique_id.rsplit(".", 1)[-1] in wanted and macro.package_name not in self._built_in
                )
            )
        return known

    def _var_values(self, node: Node, names: frozenset[str]) -> bytes:
        if not names:
            return b""
        scoped = self.project_vars.get(node.package_name)
        own = self.project_vars.get(self.project) if self.project else None
        values = {}
        for name in sorted(names):
            for place in (self.variables, own, scoped, self.project_vars):
                if isinstance(place, Mapping) and name in place:
                    values[name] = place[name]
                    break
        return msgspec.json.encode(values, enc_hook=str, order="sorted") if values else b""


def code_version(parts: Mapping[str, str]) -> str:
    """Return the one hash that changes when any part does.

    >>> code_version({"body": "a", "config": "b"}) == code_version({"config": "b", "body": "a"})
    True
    """
    return short_hash("\n".join(f"{name}={parts[name]}" for name in sorted(parts)).encode())


def _says_nothing(name: str, value: Any) -> bool:
    return (
        value is None
        or value is False
        or value == []
        or value == {}
        or value == ""
        or DEFAULT_CONFIG.get(name) == value
    )


def _contract(node: Node) -> str:
    columns = [[column.name, column.data_type, column.constraints or []] for column in (node.columns or {}).values()]
    return short_hash(msgspec.json.encode([columns, node.constraints or []], order="sorted"))


def _file_hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            digest = blake2b(digest_size=8)
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()
