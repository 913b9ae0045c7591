"""Code versions of dbt nodes: hashes of what really changes a result, by what they cover.

| part | covers |
|---|---|
| `body` | the model's code, without comments and layout; a seed's or snapshot's content |
| `config` | the configuration, without what only describes (`PASSIVE_CONFIG`) and without values that say nothing |
| `meta`, `description`, … | what only describes, where code or macros read it; `properties` where they read all of it |
| `relation` | the table's name in the warehouse |
| `warehouse` | where the target builds: the same name in another warehouse is another table |
| `relation of S.T` | the same of a source that is read, with its configuration: a file that it stands for |
| `relations read` | the same of all that a view reads: its SQL names them for as long as it is there |
| `macro M` | the text of a macro of the project that the code can reach |
| `macros of P` | the same of a package, but for what dbt and its adapters bring along |
| `ephemeral E` | all of the above for an ephemeral model that is compiled into it |
| `var V`, `env_var E` | the values that code and macros ask for; `vars` where a name is computed |
| `target` | the name and the places of the target, where code or macros ask for it; `target F` another field |
| `attached A` | where a database lies that the profile attaches, where a relation or code names it |
| `dispatch` | the order in which packages are searched for macros, where more than one has what is called |
| `event times` | the columns by which a microbatch model and what it reads are cut into batches |
| `module M` | the text of a module beside the project that a Python model imports |
| `graph` | what the project says of all its nodes, where code or macros look at that |
| `contract` | columns, types and constraints of an enforced contract |

Descriptions, tags, owners, tests and comments in yml files are in none of them unless the code reads them, and neither
is dbt's own version: an upgrade of dbt does not rebuild a warehouse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from assetry_dbt.manifest.macros import Macros, is_asked_for, name_of
from assetry_dbt.manifest.manifest import Manifest, Node, Source
from assetry_dbt.manifest.modules import imported_modules
from assetry_dbt.manifest.places import attached, source_place
from assetry_dbt.manifest.text import COMPUTED, Mention, Reader, Text, python_text

#: Configuration that describes, guards or names, or says which partitions there are, and leaves their content as it is.
PASSIVE_CONFIG = frozenset(
    {
        "meta", "tags", "docs", "description", "group", "access", "severity", "enabled", "contract",
        "freshness", "persist_docs", "grants", "full_refresh", "alias", "schema", "database",
        "store_failures", "store_failures_as", "warn_if", "error_if", "fail_calc", "limit", "where",
        "event_time", "on_configuration_change", "deprecation_date", "latest_version_pointer", "on_error",
        "static_analysis", "concurrent_batches", "begin", "batch_size", "lookback",
    }
)  # fmt: skip

#: Values that newer dbt versions write where older ones wrote nothing.
DEFAULT_CONFIG: Mapping[str, Any] = {"on_schema_change": "ignore", "delimiter": ","}

#: What a node says of itself beside its configuration.
_PROPERTIES = ("description", "meta", "tags", "columns", "group", "access", "constraints")
#: Configuration and properties that other parts cover.
_COVERED = frozenset({"alias", "schema", "database", "enabled", "contract", "full_refresh", "name", "unique_id"})
#: What dbt makes in such a way that it stands by itself afterwards.
_TABLES = frozenset({"table", "incremental", "seed", "snapshot"})
#: How the names of environment variables begin that only profiles and packages may read.
_SECRET = "DBT_ENV_SECRET"
#: The most macros of the project that are parts by themselves.
_MOST_MACROS = 32


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a project's code can ask for besides itself.

    `variables` are the vars that options set, `project_vars` those of dbt_project.yml, and `package_vars` gives those
    of an installed package's. `environment` are environment variables; `target` is the name of the target and where it
    builds. `warehouse` is what tells that warehouse from others; empty when that is not known. `fields` are all
    settings of the target but secrets. `dispatch` is what dbt_project.yml says of that. `root` is the project's
    folder, where a seed too large for dbt to hash is read, and `packages` the one in it that packages are installed in;
    `modules` are the folders in which modules of the project are found.
    """

    variables: Mapping[str, Any] = field(default_factory=dict)
    project_vars: Mapping[str, Any] = field(default_factory=dict)
    package_vars: Callable[[str], Mapping[str, Any]] = lambda _: {}
    environment: Mapping[str, str] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)
    warehouse: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    dispatch: Any = None
    root: Path | None = None
    packages: str = "dbt_packages"
    modules: Sequence[Path] = ()


def short_hash(data: bytes | str) -> str:
    """Return sixteen hexadecimal digits that stand for `data`.

    >>> short_hash("select 1")
    'f75f3a553799629e'
    """
    return blake2b(data.encode() if isinstance(data, str) else data, digest_size=8).hexdigest()


class _Asked(NamedTuple):
    """What a node asks for: in its code, in quotes there, in hooks, by its configuration; and the package it is of."""

    mentions: frozenset[Mention]
    quoted: frozenset[Mention]
    in_hooks: frozenset[Mention]
    by_config: frozenset[str]
    package: str


class _Reached(NamedTuple):
    """What is reached by that: the parts of macros, what all of these ask for besides macros, and the macros."""

    parts: Mapping[str, str]
    values: frozenset[Mention]
    macros: frozenset[str]


class CodeVersions:
    """The code parts of the nodes of `manifest`; what nodes share is read and hashed once."""

    def __init__(self, manifest: Manifest, around: Surroundings = Surroundings()) -> None:
        self.manifest = manifest
        self.nodes = manifest.nodes or {}
        self.around = around
        self._inner = {name for name, node in self.nodes.items() if node.config.get("materialized") == "ephemeral"}
        adapter = (manifest.metadata and manifest.metadata.adapter_type) or "default"
        self.project = manifest.project or ""
        self._reader = Reader(adapter)
        self._macros = Macros(manifest.macros or {}, self._reader, adapter, self.project)
        self._configs: dict[int, tuple[str, frozenset[Mention], frozenset[str]]] = {}
        self._macro_parts: dict[tuple[frozenset[str], frozenset[str]], dict[str, str]] = {}
        self._reached: dict[_Asked, _Reached] = {}
        self._package_vars: dict[str, list[Mapping[str, Any]]] = {}
        self._graph: str | None = None
        self._warehouse = _value_hash(around.warehouse) if around.warehouse else None
        self._attached = attached(around.fields)

    def parts(self, node: Node) -> dict[str, str]:
        """Return the hashes that make up the code version of `node`, by what they cover."""
        text = self._text(node)
        config, in_hooks, by_config = self._config(node.config)
        relation = _relation(node.database, node.schema, node.alias or node.name)
        parts = {"body": self._body(node, text), "config": config, "relation": short_hash(relation)}
        if self._warehouse is not None:
            parts["warehouse"] = self._warehouse
        asked = _Asked(text.mentions, text.quoted, in_hooks, by_config, node.package_name)
        known = self._reached.get(asked)
        if known is None:
            known = self._reached[asked] = self._reach(asked)
        parts |= known.parts
        if known.values:
            self._add_values(parts, node, known)
        if node.contract and node.contract.enforced:
            parts["contract"] = _contract(node)
        ephemeral = self.ephemeral_ancestors(node)
        for unique_id in ephemeral:
            inner = self.parts(self.nodes[unique_id])
            # In an order of their own: the parts come in one that another process may not have.
            names = sorted(
                name for name in inner if name not in ("relation", "warehouse") and not name.startswith("ephemeral ")
            )
            told = "".join(f"{name}={inner[name]}" for name in names)
            parts[f"ephemeral {self.nodes[unique_id].name}"] = short_hash(unique_id + told)
        self._add_relations(parts, node, ephemeral)
        if self._attached:
            self._add_attached(parts, node, known.macros)
        if node.language == "python" and self.around.modules:
            found = imported_modules(node.code, tuple(self.around.modules))
            parts |= {f"module {name}": short_hash(plain) for name, plain in found.items()}
        return parts

    def ephemeral_ancestors(self, node: Node) -> frozenset[str]:
        """Return the unique ids of the ephemeral models that are compiled into `node`."""
        inner = self._inner
        waiting = [unique_id for unique_id in node.upstream if unique_id in inner] if inner else []
        found: set[str] = set()
        while waiting:
            unique_id = waiting.pop()
            if unique_id not in found:
                found.add(unique_id)
                waiting += [each for each in self.nodes[unique_id].upstream if each in inner]
        return frozenset(found)

    def _text(self, node: Node) -> Text:
        return python_text(node.code) if node.language == "python" else self._reader.model(node.code)

    def _body(self, node: Node, text: Text) -> str:
        checksum = node.checksum
        if node.code:
            return short_hash(text.plain)
        if checksum and checksum.name == "path" and self.around.root and node.original_file_path:
            # dbt hashes the name of a seed over 1 MiB; what counts is what is in it.
            package = node.package_name
            folder = Path() if package in (self.project, "") else Path(self.around.packages, package)
            return _file_hash(self.around.root / folder / node.original_file_path) or checksum.checksum or ""
        return ((checksum and checksum.checksum) or "")[:16]

    def _config(self, config: Mapping[str, Any]) -> tuple[str, frozenset[Mention], frozenset[str]]:
        """Return the hash of a configuration, what the Jinja in it asks for, and the macros that dbt calls for it."""
        # Equal configurations of a manifest are one object.
        known = self._configs.get(id(config))
        if known is None:
            active = {
                name: value
                for name, value in config.items()
                if name not in PASSIVE_CONFIG and not _says_nothing(name, value)
            }
            written = msgspec.json.encode(active, order="sorted")
            asked = frozenset(
                mention
                for text in (_texts(active) if b"{{" in written or b"{%" in written else ())
                for mention in self._reader.mentions(text)
            )
            known = self._configs[id(config)] = short_hash(written), asked, self._macros.of_config(config)
        return known

    def _of_macros(self, called: frozenset[str], in_quotes: frozenset[str]) -> dict[str, str]:
        """Return the parts of the macros that are reached; `in_quotes` are called where all of a text counts."""
        known = self._macro_parts.get((called, in_quotes))
        if known is None:
            macros = self._macros
            exact = macros.reached(in_quotes).macros if in_quotes else frozenset()
            groups: dict[str, list[str]] = {}
            for unique_id in sorted(macros.reached(called).macros):
                package = macros.package(unique_id)
                name = f"macro {name_of(unique_id)}" if package == self.project else f"macros of {package}"
                text = macros.in_quotes(unique_id) if unique_id in exact else macros.text(unique_id).plain
                groups.setdefault(name, []).append(f"{unique_id}\0{text}")
            own = [name for name in groups if name.startswith("macro ")]
            if len(own) > _MOST_MACROS:
                groups["macros"] = [text for name in own for text in groups.pop(name)]
            known = {name: short_hash("\0".join(texts)) for name, texts in groups.items()}
            if self.around.dispatch and macros.are_chosen(macros.reached(called).macros):
                known["dispatch"] = _value_hash(self.around.dispatch)
            self._macro_parts[called, in_quotes] = known
        return known

    def _reach(self, asked: _Asked) -> _Reached:
        """Return what the code of a node reaches; the same for all that ask for the same."""
        mentions = asked.mentions | asked.in_hooks
        called = self._macros.called(mentions, asked.package) | asked.by_config
        reached = self._macros.reached(called)
        quoted = self._macros.called(asked.quoted | reached.quoted, asked.package)
        values = frozenset(filter(is_asked_for, mentions)) | reached.mentions
        return _Reached(self._of_macros(called, quoted) if reached.macros else {}, values, reached.macros)

    def _add_values(self, parts: dict[str, str], node: Node, reached: _Reached) -> None:
        """Add what code and macros ask for besides tables and macros."""
        read: dict[str, Any] = {}
        for kind, name in reached.values:
            if kind == "var":
                found = self._vars(node, name)
                if found:
                    parts["vars" if name == COMPUTED else f"var {name}"] = _value_hash(found)
            elif kind == "env_var":
                for each in self._env_vars(name, node, reached):
                    parts[f"env_var {each}"] = short_hash(self.around.environment[each])
            elif kind in ("config", "model"):
                read |= _described(node, name)
            elif kind == "name" and name.partition(".")[0] == "target":
                parts["target"] = _value_hash(self.around.target)
                asked, fields = name.partition(".")[2], self.around.fields
                if asked in ("", COMPUTED) and fields:
                    parts["target fields"] = _value_hash(fields)
                elif asked in fields and asked not in self.around.target:
                    parts[f"target {asked}"] = _value_hash(fields[asked])
            elif kind == "name" and name.partition(".")[0] == "graph":
                parts["graph"] = self._graph_hash()
        if len(read) > len(_PROPERTIES):
            parts["properties"] = _value_hash(read)
        elif read:
            parts.update({name: _value_hash(value) for name, value in read.items()})

    def _vars(self, node: Node, name: str) -> Mapping[str, Any]:
        """Return the value of a var for a node, by its name; of all of them where the name is computed."""
        package = node.package_name
        places = self._package_vars.get(package)
        if places is None:
            own = self.around.project_vars
            others = self.around.package_vars(package) if package != self.project else {}
            # As in dbt, the last that sets it counts.
            listed = (others, others.get(package), own, own.get(package), self.around.variables)
            places = self._package_vars[package] = [each for each in listed if isinstance(each, Mapping)]
        if name == COMPUTED:
            return {key: value for place in places for key, value in place.items()}
        return next(({name: place[name]} for place in reversed(places) if name in place), {})

    def _env_vars(self, name: str, node: Node, reached: _Reached) -> Iterable[str]:
        """Return the environment variables that `name` means; dbt lets no SQL read those that it calls secret."""
        if name != COMPUTED:
            return [name] if name in self.around.environment and not name.startswith(_SECRET) else []
        texts = [node.code, *(self._macros.text(each).plain for each in reached.macros)]
        beside = tuple(text for kind, text in reached.values if kind == "literal" and len(text) > 2)
        return [
            each
            for each in self.around.environment
            if not each.startswith(_SECRET)
            and (any(each in text for text in texts) or each.startswith(beside) or each.endswith(beside))
        ]

    def _add_relations(self, parts: dict[str, str], node: Node, ephemeral: Iterable[str]) -> None:
        """Add the names, in the warehouse, of the tables that are read."""
        read = {*node.upstream, *(each for inner in ephemeral for each in self.nodes[inner].upstream)}
        if node.config.get("incremental_strategy") == "microbatch":
            self._add_event_times(parts, node, read)
        stays = str(node.config.get("materialized") or node.resource_type) in _TABLES
        named: list[str] = []
        for unique_id in read:
            if unique_id.startswith("source."):
                source = (self.manifest.sources or {}).get(unique_id)
                if source is not None:
                    place = _relation(source.database, source.schema, source.identifier or source.name)
                    parts[f"relation of {source.source_name}.{source.name}"] = short_hash(place + source_place(source))
            elif not stays and unique_id in self.nodes:
                above = self.nodes[unique_id]
                named.append(_relation(above.database, above.schema, above.alias or above.name))
        if named:
            parts["relations read"] = short_hash("\n".join(sorted(named)))

    def _item(self, unique_id: str) -> Node | Source | None:
        return self.nodes.get(unique_id) or (self.manifest.sources or {}).get(unique_id)

    def _add_event_times(self, parts: dict[str, str], node: Node, read: Iterable[str]) -> None:
        above = {each: self._item(each) for each in read}
        times = {each: item.config.get("event_time") for each, item in above.items() if item is not None}
        parts["event times"] = _value_hash([node.config.get("event_time"), times])

    def _add_attached(self, parts: dict[str, str], node: Node, macros: Iterable[str]) -> None:
        """Add the attached databases that are named: by a relation, or anywhere in the code that is reached."""
        above = [self._item(each) for each in node.upstream]
        texts = [node.code, *(self._macros.text(each).plain for each in macros)]
        texts += [item.database or "" for item in (node, *above) if item is not None]
        told = "\0".join(texts).casefold()
        for name, place in self._attached.items():
            if name.casefold() in told:
                parts[f"attached {name}"] = _value_hash(place)

    def _graph_hash(self) -> str:
        """Return the hash of what a manifest says of all nodes, whichever command wrote it."""
        if self._graph is None:
            manifest = self.manifest
            told = [
                [
                    unique_id, item.fqn, item.upstream, item.description, item.tags, item.meta, item.config,
                    item.original_file_path, getattr(item, "code", None), getattr(item, "columns", None),
                    getattr(item, "database", None), getattr(item, "schema", None), getattr(item, "alias", None),
                ]
                for items in (manifest.nodes, manifest.sources, manifest.exposures, manifest.functions)
                for unique_id, item in sorted((items or {}).items())
            ]  # fmt: skip
            self._graph = _value_hash(told)
        return self._graph


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


def _described(node: Node, name: str) -> dict[str, Any]:
    """Return what a node says under a name that other parts leave out; all of it where the name is computed."""
    if name == COMPUTED:
        config = {key: node.config[key] for key in PASSIVE_CONFIG - _COVERED if key in node.config}
        return {key: getattr(node, key) for key in _PROPERTIES} | {"configuration": config}
    if name in _COVERED or not (name in PASSIVE_CONFIG or name in _PROPERTIES):
        return {}
    return {name: [node.config.get(name), getattr(node, name, None) if name in _PROPERTIES else None]}


def _texts(value: Any) -> Iterable[str]:
    """Yield the texts in a value of a configuration."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _relation(*names: str | None) -> str:
    return "\0".join([name or "" for name in names])


def _value_hash(value: Any) -> str:
    return short_hash(msgspec.json.encode(value, enc_hook=str, order="sorted"))


def _contract(node: Node) -> str:
    columns = [[column.name, column.data_type, column.constraints or []] for column in (node.columns or {}).values()]
    return _value_hash([columns, node.constraints or []])


def _file_hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            digest = blake2b(digest_size=8)
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()
