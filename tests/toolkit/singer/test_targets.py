"""The tables of targets, by their settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assetry_toolkit.hosted.tables import Override
from assetry_toolkit.singer.targets import conformed, target_tables


@pytest.mark.parametrize(("name", "column"), [("Order Items", "order_items"), ("né", "n"), ("a.b-c", "a_b_c")])
def test_names_are_written_as_targets_do(name: str, column: str) -> None:
    assert conformed(name) == column


def test_the_file_of_duckdb_starts_from_the_folder_and_is_read_there(tmp_path: Path) -> None:
    made = target_tables("target-duckdb--jwills", {"path": "data/a b.duckdb"}.get, folder=tmp_path)
    assert (made.kind, made.io) == ("duckdb", f"duckdb:{tmp_path}/data/a%20b.duckdb")
    assert made.relation("users") == ("a b", None, "users")


@pytest.mark.parametrize(
    ("path", "database"),
    [(":memory:", "memory"), ("md:lake?token=1", "lake"), ("md:", "my_db"), ("s3://bucket/x.duckdb", None)],
)
def test_what_is_no_file_of_ours_is_read_nowhere(path: str, database: str | None) -> None:
    made = target_tables("target-duckdb", {"filepath": path}.get)
    assert (made.relation("users"), made.io) == ((database, None, "users"), None)


@pytest.mark.parametrize(
    ("better", "expected"),
    [
        ({"type": "duckdb"}, ("shop", None, "users")),
        ({"schema": "lake_{namespace}", "table": "{stream}_{name}"}, (None, "lake_", "users_users")),
        ({"join": False}, None),
    ],
)
def test_what_a_user_knows_better(better: dict[str, Any], expected: Any) -> None:
    made = target_tables("target-acme", {"path": "shop.db"}.get, better=Override(better))
    assert made.relation("users") == expected


CRM = {"schema_mapping": {"crm": {"target_schema": "lake"}}}


@pytest.mark.parametrize(
    ("target", "config", "stream", "expected"),
    [
        ("target-postgres", {"database": "shop", "default_target_schema": "raw"}, "users", ("shop", "raw", "users")),
        ("target-postgres", {"dbname": "shop", "default_target_schema": "raw"}, "a-Users", ("shop", "raw", "users")),
        ("target-postgres", {"database": "shop"}, "public-users", ("shop", "public", "users")),
        ("target-postgres", {"database": "shop"}, "db-public-users", ("shop", "public", "users")),
        ("target-postgres", CRM, "crm-deals", (None, "lake", "deals")),
        ("target-duckdb", {"path": "x/shop.duckdb", "default_target_schema": "raw"}, "users", ("shop", "raw", "users")),
        ("target-duckdb", {"filepath": "md:lake?token=1", "default_target_schema": "raw"}, "u", ("lake", "raw", "u")),
        ("target-acme", {"path": "/srv/a.b.duckdb", "schema": "raw"}, "Order Items", ("a.b", "raw", "order_items")),
        ("target-bigquery", {"project": "p-1", "dataset": "raw"}, "users", ("p-1", "raw", "users")),
        ("target-snowflake", {"database": "RAW", "default_target_schema": "SHOP"}, "2fa", ("RAW", "SHOP", "_2fa")),
        ("target-jsonl", {"path": "out"}, "users", None),
        ("target-s3-parquet", {}, "users", None),
    ],
)  # fmt: skip
def test_the_table_of_a_stream(target: str, config: dict[str, Any], stream: str, expected: Any) -> None:
    assert target_tables(target, config.get).relation(stream) == expected


@pytest.mark.parametrize(
    ("better", "expected"),
    [
        ({"schema": "lake"}, (None, "lake", "users")),
        ({"database": "x", "table": "a_{name}", "schema": "s_{namespace}"}, ("x", "s_public", "a_users")),
        ({"table": "{stream}"}, (None, "public", "public-users")),
    ],
)
def test_what_a_user_knows_better_of_a_stream_with_a_schema(better: dict[str, Any], expected: Any) -> None:
    assert target_tables("target-acme", {}.get, better=Override(better)).relation("public-users") == expected


def test_files_are_joined_where_somebody_says_so() -> None:
    made = target_tables("target-parquet", {}.get, better=Override({"join": True}))
    assert made.relation("users") == (None, None, "users")
