"""The manifest of a dbt project: the part of it that assetry needs, typed, and tolerant of every schema version.

Only the fields below are decoded; everything else is skipped unread, so new fields of newer dbt versions change
nothing. Every field may be missing or null: schema versions 1 to 12 and later differ in exactly that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import md5
from pathlib import Path
from typing import Any

import msgspec
from assetry.plugin import IntegrationError, paused_gc

from assetry_dbt.manifest.tolerance import NotUnderstoodError, fitted

_NO_CONFIG = msgspec.Raw(b"{}")


def _raw_config() -> Any:
    return msgspec.field(default=_NO_CONFIG, name="config")


def _config() -> Any:
    # A name that no JSON field has: it is filled after the decoding, by `_read_configs`.
    return msgspec.field(default=None, name=" config")


class DependsOn(msgspec.Struct, gc=False):
    """What a node refers to: unique ids of nodes and of macros; None among these is one that dbt did not find."""

    nodes: list[str] | None = None
    macros: list[str | None] | None = None

    @property
    def known_macros(self) -> list[str]:
        """Return the unique ids of the macros that dbt found."""
        return [each for each in self.macros or () if each]


class NodeColumn(msgspec.Struct, gc=False):
    """A column as the project's yml describes it."""

    name: str
    data_type: str | None = None
    description: str | None = None
    tags: Any = None
    constraints: Any = None


class Checksum(msgspec.Struct, gc=False):
    """The hash of a node's file; for seeds over 1 MiB dbt hashes the path instead (name ``path``)."""

    name: str | None = None
    checksum: str | None = None


class TestArguments(msgspec.Struct, gc=False):
    """The one argument of a generic test that tells what it tests, as Jinja."""

    model: Any = None


class TestMetadata(msgspec.Struct, gc=False):
    """The name, package and arguments of a generic test; a singular test has none of this."""

    name: Any = None
    namespace: str | None = None
    kwargs: TestArguments | None = None


class Contract(msgspec.Struct, gc=False):
    """Whether a model's contract is enforced."""

    enforced: bool | None = None


class Described(msgspec.Struct, gc=False, kw_only=True):
    """What a manifest says of all that dbt can select.

    `config` is shared among all that have an equal one: change none.
    """

    fqn: tuple[str, ...] | None = None
    depends_on: DependsOn | None = None
    description: str | None = None
    tags: Any = None
    meta: Any = None
    raw_config: msgspec.Raw = _raw_config()
    config: Mapping[str, Any] = _config()
    original_file_path: str | None = None

    @property
    def upstream(self) -> list[str]:
        """Return the unique ids of what this reads."""
        return (self.depends_on and self.depends_on.nodes) or []


class Node(Described, gc=False):
    """A model, seed, snapshot, test, function, analysis or operation."""

    unique_id: str
    name: str
    resource_type: str
    package_name: str = ""
    database: str | None = None
    schema: str | None = None
    alias: str | None = None
    columns: dict[str, NodeColumn] | None = None
    checksum: Checksum | None = None
    raw_code: str | None = None
    raw_sql: str | None = None
    patch_path: str | None = None
    language: str | None = None
    access: str | None = None
    group: str | None = None
    version: Any = None
    latest_version: Any = None
    deprecation_date: Any = None
    contract: Contract | None = None
    constraints: Any = None
    attached_node: str | None = None
    test_metadata: TestMetadata | None = None

    @property
    def macros(self) -> list[str]:
        """Return the unique ids of the macros this node calls directly."""
        return self.depends_on.known_macros if self.depends_on else []

    @property
    def code(self) -> str:
        """Return the code as its author wrote it; empty for a seed."""
        return self.raw_code or self.raw_sql or ""


class Source(Described, gc=False):
    """A table that something outside dbt makes; `identifier` is its name in the warehouse."""

    unique_id: str
    name: str
    source_name: str = ""
    package_name: str = ""
    database: str | None = None
    schema: str | None = None
    identifier: str | None = None
    loader: str | None = None
    source_description: str | None = None
    freshness: Any = None
    columns: dict[str, NodeColumn] | None = None
    source_meta: Any = None


class Owner(msgspec.Struct, gc=False):
    """Who answers for an exposure or a group; `email` may be one address or several."""

    name: Any = None
    email: Any = None


class Exposure(Described, gc=False):
    """A use of the data outside dbt: a dashboard, a notebook, an application."""

    unique_id: str
    name: str
    package_name: str = ""
    type: str | None = None
    label: str | None = None
    url: str | None = None
    maturity: str | None = None
    owner: Owner | None = None


class UnitTest(Described, gc=False):
    """A unit test of one model."""

    unique_id: str
    name: str
    package_name: str = ""
    model: str | None = None
    version: Any = None


class Link(Described, gc=False):
    """A metric, semantic model or saved query: how tables are asked, and by whom; dbt makes nothing of it."""

    unique_id: str
    name: str = ""
    package_name: str = ""
    label: Any = None
    type: Any = None
    group: Any = None
    exports: Any = None

    @property
    def resource_type(self) -> str:
        """Return ``metric``, ``semantic_model`` or ``saved_query``."""
        return self.unique_id.partition(".")[0]


class Macro(msgspec.Struct, gc=False):
    """A macro: its text, and the macros it calls."""

    macro_sql: str | None = None
    package_name: str = ""
    depends_on: DependsOn | None = None


class Group(msgspec.Struct, gc=False):
    """A group of models and its owner."""

    name: str
    package_name: str = ""
    owner: Owner | None = None


class Metadata(msgspec.Struct, gc=False):
    """What dbt says about the manifest itself."""

    dbt_schema_version: str | None = None
    dbt_version: str | None = None
    adapter_type: str | None = None
    project_name: str | None = None
    project_id: str | None = None
    invocation_id: str | None = None
    generated_at: str | None = None


class Manifest(msgspec.Struct, gc=False):
    """A whole manifest, as far as it is needed."""

    metadata: Metadata | None = None
    nodes: dict[str, Node] | None = None
    sources: dict[str, Source] | None = None
    exposures: dict[str, Exposure] | None = None
    metrics: dict[str, Link] | None = None
    semantic_models: dict[str, Link] | None = None
    saved_queries: dict[str, Link] | None = None
    unit_tests: dict[str, UnitTest] | None = None
    functions: dict[str, Node] | None = None
    macros: dict[str, Macro] | None = None
    groups: dict[str, Group] | None = None
    selectors: Any = None

    @property
    def project(self) -> str | None:
        """Return the name of the project the manifest was made of, when the manifest says it (schema 10 on)."""
        return self.metadata.project_name if self.metadata else None


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


def read_manifest(path: Path) -> Manifest:
    """Return the manifest at `path`.

    Raises `IntegrationError` when the file is missing, cannot be read, is cut off, or is not a dbt manifest.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise IntegrationError(
            "There is no dbt manifest here.", where=str(path), hint="Make it with `dbt parse`."
        ) from None
    except OSError as error:
        raise IntegrationError(f"The dbt manifest cannot be read: {error.strerror}.", where=str(path)) from None
    return decode_manifest(data, str(path))


def decode_manifest(data: bytes, where: str = "manifest.json") -> Manifest:
    """Return the manifest that `data`, JSON, describes; `where` is named in errors.

    Raises `IntegrationError` when it is not JSON, is cut off, or is not a dbt manifest.

    >>> decode_manifest(b'{"metadata": {"dbt_version": "1.11.0"}, "nodes": {}}').metadata.dbt_version
    '1.11.0'
    """
    try:
        with paused_gc():
            manifest = _decoded(data)
            _read_configs(manifest)
    except NotUnderstoodError as error:
        raise IntegrationError(
            f"This is not a dbt manifest that can be understood: {error}.",
            where=where,
            hint="Make it anew with `dbt parse`.",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrationError(
            f"The dbt manifest is not whole: {error}.",
            where=where,
            hint="It may have been cut off while it was written. Make it anew with `dbt parse`.",
        ) from None
    if manifest.nodes is None:
        schema = (manifest.metadata and manifest.metadata.dbt_schema_version) or ""
        kind = f" but dbt's {schema.rsplit('/dbt/', 1)[1].split('/')[0]}" if "/dbt/" in schema else ""
        raise IntegrationError(
            f"This file is not a dbt manifest{kind}.",
            where=where,
            hint="Point at the manifest.json in dbt's target folder.",
        )
    return manifest


def _decoded(data: bytes) -> Manifest:
    """Return the manifest as it is written, and where something in it is of an odd type, as it can be understood."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except msgspec.ValidationError:
        mended = fitted(msgspec.json.decode(data), Manifest)
    if not isinstance(mended, dict):
        raise NotUnderstoodError("it is no table of sections")
    return msgspec.json.decode(msgspec.json.encode(mended), type=Manifest)


def _read_configs(manifest: Manifest) -> None:
    """Give every item its `config`. Most are equal to another's, so few are really decoded."""
    decoder = msgspec.json.Decoder()
    known: dict[bytes, Mapping[str, Any]] = {}
    links = (manifest.metrics, manifest.semantic_models, manifest.saved_queries)
    nodes = (manifest.nodes, manifest.functions, manifest.sources, manifest.exposures, manifest.unit_tests)
    for items in (*nodes, *links):
        for item in (items or {}).values():
            raw = bytes(item.raw_config)
            config = known.get(raw)
            if config is None:
                found = decoder.decode(raw)
                config = known[raw] = found if isinstance(found, dict) else {}
            item.config = config
            # A piece of the file keeps the whole of it in memory.
            item.raw_config = _NO_CONFIG
