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
from typing import Any, NamedTuple

from assetry.plugin import Relation
from assetry_toolkit.hosted.tables import Override

from assetry_airbyte.hosted.api.responses import Connection, Destination, Stream

#: Destinations whose results are files and no tables: nothing is joined to them.
FILES = ("s3", "gcs", "azure-blob-storage", "s3-data-lake", "gcs-data-lake", "local-json", "csv", "sftp-json")

#: Destinations to which names are the same whose letters differ by case only.
FOLDING = ("duckdb", "motherduck", "databricks", "mssql")


class Rule(NamedTuple):
    """How one destination names things: its database, the schema of a namespace, the table of a name.

    `schema` is given the namespace, None for the destination's own default. `table` returns None for a table whose
    name cannot be told from outside; `table_in` makes it for a namespace, where names depend on that.
    """

    database: str | None
    schema: Callable[[str | None], str | None]
    table: Callable[[str], str | None]
    table_in: Callable[[str | None], Callable[[str], str | None]] | None = None


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
    return namespace_of(connection, stream.namespace), name_of(connection, stream)


def name_of(connection: Connection, stream: Stream) -> str:
    """Return the name that Airbyte hands to the destination: a prefix is put before it as it is."""
    return prefix_of(connection) + stream.name


def prefix_of(connection: Connection) -> str:
    """Return what is put before the names of a connection's streams; blanks alone do not count."""
    return connection.prefix if connection.prefix.strip() else ""


def namespace_of(connection: Connection, source: str | None) -> str | None:
    """Return the namespace that Airbyte hands to the destination for a namespace of the source."""
    definition = connection.namespace_definition
    if definition == "destination":
        return None
    if definition == "custom_format":
        return (connection.namespace_format or "").replace("${SOURCE_NAMESPACE}", source or "").strip() or None
    return source


class Tables:
    """The table that each stream of a connection is loaded into.

    `override` replaces what is known of the destination: ``type``, ``database``, ``schema``, ``table`` (with
    ``{name}`` and ``{namespace}`` in it), or ``join = false``.

    >>> lake = Destination("d", type="snowflake", config={"database": "RAW", "schema": "public"})
    >>> Tables(Connection("c", "Shop"), lake).of(Stream("users", "shop"))
    Relation(database='RAW', schema='SHOP', identifier='USERS')
    """

    def __init__(
        self, connection: Connection, destination: Destination | None, override: Override | None = None
    ) -> None:
        self._connection = connection
        self._override = override or Override()
        self.prefix = prefix_of(connection)
        kind = str(self._override.given.get("type") or (destination.type if destination else ""))
        kind = kind.lower().removeprefix("destination-")
        config = destination.config if destination else {}
        self._rule: Rule | None = None if kind in FILES else RULES.get(kind, _other)(config)
        if not self._override.joins:
            self._rule = None
        #: Whether upper and lower case are the same there; where it is not known they are not.
        self.folds_case = kind in FOLDING
        #: By the source's namespace, of which a connection has few: namespace, schema, and how tables are named in it.
        self._places: dict[str | None, tuple[str | None, str | None, Callable[[str], str | None]]] = {}

    def of(self, stream: Stream) -> Relation | None:
        """Return the table of a stream; None where there is none, or where nothing is known of it."""
        rule = self._rule
        if rule is None:
            return None
        place = self._places.get(stream.namespace)
        if place is None:
            namespace = namespace_of(self._connection, stream.namespace)
            names = rule.table_in(namespace) if rule.table_in is not None else rule.table
            place = self._places[stream.namespace] = (namespace, rule.schema(namespace), names)
        name = self.prefix + stream.name
        table = place[2](name)
        if self._override:
            found = Relation(rule.database, place[1], table or "")
            return self._override.of(found, {"name": name, "namespace": place[0] or ""})
        return None if table is None else Relation(rule.database, place[1], table)


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


def _snowflake(config: Mapping[str, Any]) -> Rule:
    default = _text(config, "schema")
    if config.get("disable_type_dedupe") is True:
        raw = _text(config, "raw_data_schema") or "airbyte_internal"

        def raw_in(namespace: str | None) -> Callable[[str], str]:
            return lambda name: f"{namespace or default or ''}_raw__stream_{name}"

        return Rule(_text(config, "database"), lambda _: raw, raw_in(None), raw_in)

    def folded(each: str) -> str:
        upper = each.replace("${", "_").upper()
        return f"_{upper}" if upper in _RESERVED else upper

    database = _text(config, "database")
    return Rule(database and database.upper(), lambda ns: folded(ns or default or "") or None, folded)


def _bigquery(config: Mapping[str, Any]) -> Rule:
    project, dataset = _text(config, "project_id"), _text(config, "dataset_id") or ""
    if ":" in dataset:
        project, _, dataset = dataset.partition(":")

    def schema(namespace: str | None) -> str | None:
        found = alphanumeric(namespace or dataset)
        return f"n{found}" if found and not found[0].isalnum() else found or None

    def table(name: str) -> str:
        found = alphanumeric(name)
        return found if found[:1].isalpha() or found[:1] == "_" else f"_{found}"

    return Rule(project, schema, table)


def _postgres(config: Mapping[str, Any]) -> Rule:
    default = _text(config, "schema") or "public"

    def table(name: str) -> str | None:
        found = not_digit_first(alphanumeric(name))
        return found if len(found) <= _LONGEST_POSTGRES else None

    return Rule(_text(config, "database"), lambda ns: not_digit_first(alphanumeric(ns or default)), table)


def _redshift(config: Mapping[str, Any]) -> Rule:
    default = _text(config, "schema") or "public"

    def folded(each: str) -> str:
        plain = _OUTSIDE.sub("_", _BLANKS.sub("_", unicodedata.normalize("NFC", each))).lower()
        return not_digit_first(plain).encode()[:127].decode(errors="ignore")

    return Rule(_text(config, "database"), lambda ns: folded(ns or default), folded)


def _duckdb(config: Mapping[str, Any]) -> Rule:
    path = _text(config, "destination_path") or ""
    if path.startswith("md:"):
        return _motherduck(config)
    # The path is one inside of Airbyte's container: only the file's stem means something outside.
    stem = re.split(r"[/\\]", path)[-1].rpartition(".")[0] or None
    schema = _text(config, "schema") or "main"
    return Rule(stem, lambda _: schema, lambda name: f"_airbyte_raw_{name}")


def _motherduck(config: Mapping[str, Any]) -> Rule:
    path = (_text(config, "destination_path") or "md:").removeprefix("md:").partition("?")[0]
    schema = _text(config, "schema") or "main"
    return Rule(path or "my_db", lambda _: schema, _as_it_is)


def _clickhouse(config: Mapping[str, Any]) -> Rule:
    # ClickHouse has one level; dbt calls it the schema and leaves the database open.
    default = _text(config, "database") or "default"

    def plain(each: str) -> str:
        return not_digit_first(alphanumeric(each))

    return Rule(None, lambda ns: plain(ns or default), plain)


def _databricks(config: Mapping[str, Any]) -> Rule:
    default = _text(config, "schema") or "default"
    return Rule(
        _text(config, "database"), lambda ns: alphanumeric(ns or default), lambda name: alphanumeric(name)[:255]
    )


def _mysql(config: Mapping[str, Any]) -> Rule:
    default = _text(config, "database")
    return Rule(None, lambda ns: ns or default, _as_it_is)


def _other(config: Mapping[str, Any]) -> Rule:
    default = _text(config, "schema")
    return Rule(_text(config, "database"), lambda ns: ns or default, _as_it_is)


def _as_it_is(name: str) -> str:
    return name


#: PostgreSQL cuts longer names; the connector puts a hash in, so that the name cannot be told from outside.
_LONGEST_POSTGRES = 63

RULES: Mapping[str, Callable[[Mapping[str, Any]], Rule]] = {
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
