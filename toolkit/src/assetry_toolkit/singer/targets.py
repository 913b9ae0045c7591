"""Which table a target puts a stream into: its settings, by the rules of its family.

Two families are nearly all there is: targets made with Meltano's SDK (`singer_sdk.sql.SQLSink`), and those that follow
PipelineWise (target-duckdb 0.8 among them). Where both leave something open, dbt's own comparison without case closes
it; what cannot be known is None, which fits any one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from assetry.plugin import Relation

from assetry_toolkit.hosted.tables import Override

#: Targets whose streams become files, messages or nothing.
_NO_TABLES = re.compile(r"csv|jsonl?|parquet|s3|gcs|sheets|kafka|pubsub|webhook|apprise|singer|stdout|dev-null")
#: The settings that hold the database, by kind of target; the first that is given counts.
_DATABASE: Mapping[str, tuple[str, ...]] = {
    "bigquery": ("project", "project_id"),
    "databricks": ("catalog", "database"),
    "clickhouse": (),
    "mysql": (),
}


class TargetTables(NamedTuple):
    """Where a target puts streams: its `kind`, and the table of each stream by its name, if it has one.

    `io` is the URL of the IO manager that reads its tables, where that can be told without a secret. `method` is its
    `load_method`, where it is set: ``append-only``, ``upsert`` or ``overwrite``.
    """

    kind: str
    relation: Callable[[str], Relation | None]
    io: str | None = None
    method: str | None = None


def target_tables(
    target: str, setting: Callable[[str], Any], *, better: Override | None = None, folder: Path | str = "."
) -> TargetTables:
    """Return where a target puts streams, by its name and its settings; `better` is what a user knows better.

    An identifier is taken from the stream's name: ``public-users`` is ``users`` in schema ``public``, unless the
    target has a schema of its own for all. A relative path to a DuckDB file starts from `folder`. `better` may give the
    ``type``, too, and join what the rules take for files.

    >>> shop = target_tables("target-postgres", {"database": "shop", "default_target_schema": "raw"}.get)
    >>> shop.relation("public-users"), target_tables("target-jsonl", {}.get).relation("users")
    (Relation(database='shop', schema='raw', identifier='users'), None)
    """
    better = better or Override()

    def first(*names: str) -> str | None:
        found = (setting(name) for name in names)
        return next((each.strip() for each in found if isinstance(each, str) and each.strip()), None)

    path = first("path", "filepath", "database_path") or ""
    is_duckdb = path.startswith("md:") or path.endswith((".duckdb", ".ddb"))
    own_kind = "duckdb" if is_duckdb else target.removeprefix("target-").partition("--")[0]
    kind = str(better.given.get("type") or own_kind)
    database, io = first(*_DATABASE.get(kind, ("database", "dbname"))), None
    if kind == "duckdb" and path.startswith(("md:", "motherduck:", ":memory:")):
        database = database or re.split(r"[:/?]", path)[1] or "my_db"
    elif kind == "duckdb" and path and "://" not in path:
        file = Path(os.path.normpath(Path(folder) / Path(path).expanduser()))
        database, io = database or file.stem, f"duckdb:{quote(str(file))}"
    own = first("default_target_schema", "schema", "dataset", "dataset_id")
    schemas = setting("schema_mapping")
    joined = better.given.get("join", not _NO_TABLES.search(kind))

    def relation(stream: str) -> Relation | None:
        namespace, table = TableName.of(stream)
        mapped = schemas.get(namespace or "") if isinstance(schemas, Mapping) else None
        schema = (mapped.get("target_schema") if isinstance(mapped, Mapping) else None) or own
        fill = {"name": conformed(table), "stream": stream, "namespace": namespace or ""}
        found = Relation(database, schema or (conformed(namespace) if namespace else None), fill["name"])
        return better.of(found, fill) if joined else None

    return TargetTables(kind, relation, io, first("load_method"))


class TableName(NamedTuple):
    """A stream's name, divided as targets do it: into the schema that it was read from, if it has one, and the table.

    >>> TableName.of("public-Users"), TableName.of("db-public-users").schema, TableName.of("users").schema
    (TableName(schema='public', table='Users'), 'public', None)
    """

    schema: str | None
    table: str

    @classmethod
    def of(cls, stream: str) -> TableName:
        """Divide the name of a stream: database, schema and table with hyphens between them, or the table alone."""
        words = stream.split("-")
        return cls(words[-2], words[-1]) if len(words) in (2, 3) else cls(None, stream)


def conformed(name: str) -> str:
    """Return a name as targets write it: lower case, with underscores, and no digit at the front.

    As `singer_sdk.sql.SQLSink` has it, and PipelineWise.

    >>> conformed("Order Items"), conformed("crm.deals"), conformed("2fa")
    ('order_items', 'crm_deals', '_2fa')
    """
    plain = re.sub(r"[-.\s]", "_", re.sub(r"[^\w\-.\s]", "", name, flags=re.ASCII).strip().lower())
    return f"_{plain}" if plain[:1].isdigit() else plain
