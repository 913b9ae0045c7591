"""Which table a loader puts a stream into: its settings, by the rules of its family.

Two families are nearly all there is: loaders made with Meltano's SDK (`singer_sdk.sql.SQLSink`), and those that follow
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
from assetry_toolkit.extract_load.singer import TableName, conformed
from assetry_toolkit.hosted.tables import Override

from assetry_meltano.project.project import MeltanoProject, Pair

#: Loaders whose streams become files, messages or nothing.
_NO_TABLES = re.compile(r"csv|jsonl?|parquet|s3|gcs|sheets|kafka|pubsub|webhook|apprise|singer|stdout|dev-null")
#: The settings that hold the database, by kind of loader; the first that is given counts.
_DATABASE: Mapping[str, tuple[str, ...]] = {
    "bigquery": ("project", "project_id"),
    "databricks": ("catalog", "database"),
    "clickhouse": (),
    "mysql": (),
}


class Destination(NamedTuple):
    """Where a pair's streams go: `kind` of loader, the table of each stream if it has one.

    `io` is the URL of the IO manager that reads its tables, where that can be told without a secret.
    """

    kind: str
    relation: Callable[[str], Relation | None]
    io: str | None = None


def destination(project: MeltanoProject, pair: Pair, given: Mapping[str, Mapping[str, Any]]) -> Destination:
    """Return where the streams of a pair go; `given` is what the options know better of loaders.

    An identifier is taken from the stream's name: ``public-users`` is ``users`` in schema ``public``, unless the
    loader has a schema of its own for all.
    """
    loader, variables = project.loaders[pair.loader], project.variables_of(pair)
    better = Override.among(given, pair.loader)

    def setting(*names: str) -> str | None:
        found = (loader.setting(name, variables) for name in names)
        return next((each.strip() for each in found if isinstance(each, str) and each.strip()), None)

    path = setting("path", "filepath", "database_path") or ""
    is_duckdb = path.startswith("md:") or path.endswith((".duckdb", ".ddb"))
    own_kind = "duckdb" if is_duckdb else loader.base.removeprefix("target-").partition("--")[0]
    kind = str(better.given.get("type") or own_kind)
    database, io = setting(*_DATABASE.get(kind, ("database", "dbname"))), None
    if kind == "duckdb" and path.startswith(("md:", "motherduck:", ":memory:")):
        database = database or re.split(r"[:/?]", path)[1] or "my_db"
    elif kind == "duckdb" and path and "://" not in path:
        file = Path(os.path.normpath(project.folder / Path(path).expanduser()))
        database, io = database or file.stem, f"duckdb:{quote(str(file))}"
    own = setting("default_target_schema", "schema", "dataset", "dataset_id")
    schemas = loader.setting("schema_mapping", variables)
    joined = better.given.get("join", not _NO_TABLES.search(kind))

    def relation(stream: str) -> Relation | None:
        namespace, table = TableName.of(stream)
        mapped = schemas.get(namespace or "") if isinstance(schemas, Mapping) else None
        schema = (mapped.get("target_schema") if isinstance(mapped, Mapping) else None) or own
        fill = {"name": conformed(table), "stream": stream, "namespace": namespace or ""}
        found = Relation(database, schema or (conformed(namespace) if namespace else None), fill["name"])
        return better.of(found, fill) if joined else None

    return Destination(kind, relation, io)
