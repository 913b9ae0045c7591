"""Which table of the warehouse a stream becomes: Airbyte's own step, then the rules of each kind of destination.

Airbyte first gives every stream a name and a namespace (`placed`); then each destination connector makes its own
identifiers of them. The rules are those of the connectors' current major versions. What a destination of an unknown
kind does is not guessed beyond what its configuration says, and every rule can be overridden per destination.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from assetry.plugin import Relation

from assetry_airbyte.answers import Connection, Destination, Stream

#: Destinations whose results are files and no tables: nothing is joined to them.
FILES = ("s3", "gcs", "azure-blob-storage", "s3-data-lake", "gcs-data-lake", "local-json", "csv", "sftp-json")

Rule = Callable[[Mapping[str, Any], str | None, str], Relation | None]

#: PostgreSQL cuts longer names; the connector puts a hash in, so that nobody outside can tell the name.
_LONGEST_POSTGRES = 63


def placed(connection: Connection, stream: Stream) -> tuple[str | None, str]:
    """Return namespace and name that Airbyte hands to the destination; None means the destination's own default.

    >>> source = Connection("c", "Shop", prefix="raw_")
    >>> placed(source, Stream("users", "public"))
    ('public', 'raw_users')
    >>> from dataclasses import replace
    >>> placed(replace(source, namespace_definition="custom_format", namespace_format="x_${SOURCE_NAMESPACE}"),
    ...        Stream("users", "public"))
    ('x_public', 'raw_users')
    """
    name = connection.prefix + stream.name if connection.prefix.strip() else stream.name
    return namespace_of(connection, stream.namespace), name


def namespace_of(connection: Connection, source: str | None) -> str | None:
    """Return the namespace that Airbyte hands to the destination for a namespace of the source."""
    definition = connection.namespace_definition
    if definition == "destination":
        return None
    if definition == "custom_format":
        return (connection.namespace_format or "").replace("${SOURCE_NAMESPACE}", source or "").strip() or None
    return source


def relation_of(
    connection: Connection, stream: Stream, destination: Destination | None, override: Mapping[str, Any] | None = None
) -> Relation | None:
    """Return the table that a stream is loaded into; None where there is none, or where nothing is known of it.

    `override` replaces what is known of the destination: ``type``, ``database``, ``schema``, ``table`` (with
    ``{name}`` and ``{namespace}`` in it), or ``join = false``.

    >>> lake = Destination("d", type="snowflake", config={"database": "RAW", "schema": "public"})
    >>> relation_of(Connection("c", "Shop"), Stream("users", "shop"), lake)
    Relation(database='RAW', schema='SHOP', identifier='USERS')
    """
    given = override or {}
    if given.get("join") is False:
        return None
    namespace, name = placed(connection, stream)
    kind = str(given.get("type") or (destination.type if destination else "")).lower().removeprefix("destination-")
    if kind in FILES:
        return None
    found = RULES.get(kind, _other)(destination.config if destination else {}, namespace, name)
    return _overridden(found, given, namespace, name)


def _overridden(found: Relation | None, given: Mapping[str, Any], namespace: str | None, name: str) -> Relation | None:
    if found is None and "table" not in given:
        return None
    if not given:
        return found
    found = found or Relation(None, None, name)
    fill = {"name": name, "namespace": namespace or ""}

    def part(option: str, otherwise: str | None) -> str | None:
        return str(given[option]).format(**fill) or None if option in given else otherwise

    table = part("table", found.identifier) or found.identifier
    return Relation(part("database", found.database), part("schema", found.schema), table)


# -- the alphabet of identifiers -----------------------------------------------------------------------------------

_BLANKS, _OUTSIDE = re.compile(r"\s+"), re.compile(r"[^A-Za-z0-9_]")


@lru_cache(maxsize=8192)
def alphanumeric(name: str) -> str:
    """Return a name of letters, digits and underscores: accents dropped, everything else an underscore.

    >>> alphanumeric("Crème  brûlée-2")
    'Creme_brulee_2'
    """
    if name.isascii() and name.isidentifier():
        return name
    plain = "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    return _OUTSIDE.sub("_", _BLANKS.sub("_", plain))


def not_digit_first(name: str) -> str:
    """Return a name that does not begin with a digit.

    >>> not_digit_first("2fa")
    '_2fa'
    """
    return f"_{name}" if name[:1].isdigit() else name


def _text(config: Mapping[str, Any], option: str) -> str | None:
    value = config.get(option)
    # Secrets come as stars; so may a place whose field was once declared a secret.
    return value if isinstance(value, str) and value and set(value) != {"*"} else None


# -- the rules -------------------------------------------------------------------------------------------------------

#: ANSI reserved words that the Snowflake connector steps aside for; the ones that are used as table names.
_WORDS = """
ALL ALTER AND ANY AS BETWEEN BY CASE CHECK COLUMN CONNECT CREATE CURRENT DELETE DISTINCT DROP ELSE EXISTS FOLLOWING
FOR FROM GRANT GROUP HAVING IN INCREMENT INSERT INTERSECT INTO IS LIKE MINUS NOT NULL OF ON OR ORDER QUALIFY REGEXP
REVOKE ROW ROWS SAMPLE SELECT SET SOME START TABLE THEN TO TRIGGER UNION UNIQUE UPDATE VALUES WHENEVER WHERE WITH
"""
_RESERVED = frozenset(_WORDS.split())


def _snowflake(config: Mapping[str, Any], namespace: str | None, name: str) -> Relation:
    database, schema = _text(config, "database"), namespace or _text(config, "schema")
    if config.get("disable_type_dedupe") is True:
        raw = _text(config, "raw_data_schema") or "airbyte_internal"
        return Relation(database, raw, f"{schema or ''}_raw__stream_{name}")

    def folded(each: str) -> str:
        upper = each.replace("${", "_").upper()
        return f"_{upper}" if upper in _RESERVED else upper

    return Relation(database and database.upper(), schema and folded(schema), folded(name))


def _bigquery(config: Mapping[str, Any], namespace: str | None, name: str) -> Relation:
    dataset = _text(config, "dataset_id")
    project = _text(config, "project_id")
    if dataset and ":" in dataset:
        project, _, dataset = dataset.partition(":")
    schema = alphanumeric(namespace or dataset or "") or None
    if schema and not schema[0].isalnum():
        schema = f"n{schema}"
    table = alphanumeric(name)
    if not (table[:1].isalpha() or table[:1] == "_"):
        table = f"_{table}"
    return Relation(project, schema, table)


def _postgres(config: Mapping[str, Any], namespace: str | None, name: str) -> Relation | None:
    schema = not_digit_first(alphanumeric(namespace or _text(config, "schema") or "public"))
    table = not_digit_first(alphanumeric(name))
    if max(len(schema), len(table)) > _LONGEST_POSTGRES:
        return None
    return Relation(_text(config, "database"), schema, table)


def _redshift(config: Mapping[str, Any], namespace: str | None, name: str) -> Relation:
    def folded(each: str) -> str:
        plain = _OUTSIDE.sub("_", _BLANKS.sub("_", unicodedata.normalize("NFC", each))).lower()
        return not_digit_first(plain).encode()[:127].decode(errors="ignore")

    schema = namespace or _text(config, "schema") or "public"
    return Relation(_text(config, "database"), folded(schema), folded(name))


def _duckdb(config: Mapping[str, Any], namespace: str | None, name: str) -> Relation:
    path = _text(config, "destination_path") or ""
    if path.startswith("md:"):
        return _motherduck(config, namespace, name)
    # The path is one inside of Airbyte's container: only the file's stem means something outside.
    stem = re.split(r"[/\\]", path)[-1].rpartition(".")[0] or None
    return Relation(stem, _text(config, "schema") or "main", f"_airbyte_raw_{name}")


def _motherduck(config: Mapping[str, Any], _namespace: str | None, name: str) -> Relation:
    path = (_text(config, "destination_path") or "md:").removeprefix("md:").partition("?")[0]
    return Relation(path or "my_db", _text(config, "schema") or "main", name)


def _clickhouse(config: Mapping[str, Any], namespace: str | None, name: str) -> Relation:
    # ClickHouse has one level; dbt calls it the schema and leaves the database open.
    schema = namespace or _text(config, "database") or "default"
    return Relation(None, not_digit_first(alphanumeric(schema)), not_digit_first(alphanumeric(name)))


def _databricks(config: Mapping[str, Any], namespace: str | None, name: str) -> Relation:
    schema = alphanumeric(namespace or _text(config, "schema") or "default")
    return Relation(_text(config, "database"), schema, alphanumeric(name)[:255])


def _mysql(config: Mapping[str, Any], namespace: str | None, name: str) -> Relation:
    return Relation(None, namespace or _text(config, "database"), name)


def _other(config: Mapping[str, Any], namespace: str | None, name: str) -> Relation:
    return Relation(_text(config, "database"), namespace or _text(config, "schema"), name)


RULES: Mapping[str, Rule] = {
    "snowflake": _snowflake,
    "bigquery": _bigquery,
    "postgres": _postgres,
    "pgvector": _postgres,
    "redshift": _redshift,
    "duckdb": _duckdb,
    "motherduck": _motherduck,
    "clickhouse": _clickhouse,
    "databricks": _databricks,
    "mysql": _mysql,
}
