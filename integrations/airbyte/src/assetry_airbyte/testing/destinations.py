"""What a destination of each kind is configured with at least, as Airbyte's API describes it; secrets are masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MASKED = "******"
_SERVER = {"host": "db.example.com", "username": "airbyte", "password": MASKED}

#: By kind.
CONFIGURATIONS: Mapping[str, Mapping[str, Any]] = {
    "bigquery": {
        "project_id": "shop",
        "dataset_location": "EU",
        "dataset_id": "raw",
        "credentials_json": MASKED,
    },
    "clickhouse": {**_SERVER, "port": "8443", "protocol": "https", "database": "default"},
    "databricks": {
        "accept_terms": True,
        "hostname": "shop.cloud.databricks.com",
        "http_path": "sql/1.0/warehouses/0",
        "database": "shop",
        "authentication": {"auth_type": "BASIC", "personal_access_token": MASKED},
    },
    "duckdb": {"destination_path": "/local/shop.duckdb"},
    "motherduck": {"motherduck_api_key": MASKED},
    "mssql": {
        "host": "db.example.com",
        "port": 1433,
        "user": "airbyte",
        "password": MASKED,
        "database": "db",
        "schema": "public",
        "ssl_method": {"name": "unencrypted"},
        "load_type": {"load_type": "INSERT"},
    },
    "mysql": {**_SERVER, "port": 3306, "database": "db"},
    "postgres": {**_SERVER, "port": 5432, "database": "db", "schema": "public"},
    "redshift": {**_SERVER, "port": 5439, "database": "db", "schema": "public"},
    "s3": {
        "s3_bucket_name": "shop",
        "s3_bucket_path": "raw",
        "s3_bucket_region": "eu-central-1",
        "format": {"format_type": "JSONL"},
    },
    "snowflake": {
        "host": "shop.snowflakecomputing.com",
        "role": "AIRBYTE",
        "warehouse": "LOAD",
        "database": "RAW",
        "schema": "PUBLIC",
        "username": "AIRBYTE",
        "credentials": {"auth_type": "Username and Password", "password": MASKED},
    },
}


def configuration(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the API shows of a destination's configuration: what was given, and what there has to be.

    >>> configuration("duckdb", {"schema": "raw"})
    {'destination_path': '/local/shop.duckdb', 'schema': 'raw', 'destinationType': 'duckdb'}
    """
    return {**CONFIGURATIONS.get(kind, {}), **given, "destinationType": kind}
