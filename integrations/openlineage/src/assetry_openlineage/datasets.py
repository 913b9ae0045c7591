"""Datasets: how a table or a file is named, by OpenLineage's naming conventions. Pure.

A name has to be the same whoever tells of the table: Airflow, Spark or dbt's own integration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from assetry_openlineage.options import Options

#: The port of a database whose URL has none.
_PORTS = {"postgresql": 5432, "postgres": 5432}


class DatasetName(NamedTuple):
    """A dataset: the source that it is in, and its name there."""

    namespace: str
    name: str


def dataset_of(key: str, facts: Mapping[str, Any], options: Options) -> DatasetName:
    """Return how the table or file of an asset is named; what has no known place is named by its key.

    >>> options = Options("shop")
    >>> orders = {"relation": ["shop", "main", "orders"], "io": "duckdb:/srv/shop.duckdb", "integration": "transform"}
    >>> tuple(dataset_of("shop/orders", orders, options))
    ('duckdb:///srv/shop.duckdb', 'shop.main.orders')
    >>> tuple(dataset_of("shop/orders", {**orders, "io": "postgresql://db.example.com/shop"}, options))
    ('postgres://db.example.com:5432', 'shop.main.orders')
    >>> warehouse = Options("shop", namespaces={"transform": "snowflake://org-account"})
    >>> tuple(dataset_of("shop/orders", {**orders, "io": None}, warehouse))
    ('snowflake://org-account', 'shop.main.orders')
    >>> frame = {"relation": None, "io": "parquet:s3://lake/data", "integration": None}
    >>> tuple(dataset_of("shop/frame", frame, options))
    ('s3://lake', 'data/shop/frame')
    """
    relation, io = facts["relation"], facts["io"]
    given = options.namespaces.get(facts["integration"] or "")
    if relation is not None:
        namespace, database = (given, None) if given else _database(io, options)
        parts = [relation[0] or database, *relation[1:]]
        return DatasetName(namespace, ".".join(part for part in parts if part))
    place = _folder(io) if io else None
    if place is not None:
        return DatasetName(place.namespace, f"{place.name}/{key}" if place.name else key)
    return DatasetName(options.namespace, key)


def _database(io: str | None, options: Options) -> tuple[str, str | None]:
    """Return the namespace of a database, and the database that its URL names.

    That of one that cannot be reached from here is not known: its tables are told in the namespace of the jobs.
    """
    scheme, _, rest = (io or "").partition(":")
    if scheme == "duckdb":
        return f"duckdb://{unquote(rest.partition('?')[0])}", None
    if scheme in _PORTS:
        parts = urlsplit(io or "")
        return f"postgres://{parts.hostname}:{parts.port or _PORTS[scheme]}", parts.path.strip("/") or None
    return options.namespace, None


def _folder(io: str) -> DatasetName | None:
    """Return the folder, or the bucket, that files are kept in; None for a place that is none."""
    path = unquote(io.partition(":")[2].partition("?")[0])
    if path.startswith("/"):
        return DatasetName("file", path.rstrip("/"))
    if "://" in path:
        parts = urlsplit(path)
        return DatasetName(f"{'gs' if parts.scheme == 'gcs' else parts.scheme}://{parts.netloc}", parts.path.strip("/"))
    return None
