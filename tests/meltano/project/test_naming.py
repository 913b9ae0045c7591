"""The tables of loaders, by their settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Integration, Relation
from assetry_meltano.options import Options
from assetry_meltano.project.project import MeltanoProject, Pair


def table(folder: Path, loader: str, config: dict[str, Any], stream: str, said: Any = None) -> Relation | None:
    plugins = {"extractors": [{"name": "tap-a"}], "loaders": [{"name": loader, "config": config}]}
    (folder / "meltano.yml").write_text(json.dumps({"plugins": plugins, "environments": [{"name": "dev"}]}))
    project = MeltanoProject.of(Options.of(Integration("el", "meltano", {"environment": "dev"}, str(folder))))
    return project.tables(Pair(("tap-a", loader)), {loader: said or {}}).relation(stream)


CRM = {"schema_mapping": {"crm": {"target_schema": "lake"}}}
OF_TAP = {"default_target_schema": "$MELTANO_EXTRACTOR__LOAD_SCHEMA"}


@pytest.mark.parametrize(
    ("loader", "config", "stream", "expected"),
    [
        ("target-postgres", {"database": "shop", "default_target_schema": "raw"}, "users", ("shop", "raw", "users")),
        ("target-postgres", {"dbname": "shop", "default_target_schema": "raw"}, "a-Users", ("shop", "raw", "users")),
        ("target-postgres", {"database": "shop"}, "public-users", ("shop", "public", "users")),
        ("target-postgres", {"database": "shop"}, "db-public-users", ("shop", "public", "users")),
        ("target-postgres", CRM, "crm-deals", (None, "lake", "deals")),
        ("target-postgres", OF_TAP, "users", (None, "tap_a", "users")),
        ("target-postgres", {"default_target_schema": "$NOT_SET"}, "users", (None, None, "users")),
        ("target-duckdb", {"path": "x/shop.duckdb", "default_target_schema": "raw"}, "users", ("shop", "raw", "users")),
        ("target-duckdb", {"filepath": "md:lake?token=1", "default_target_schema": "raw"}, "u", ("lake", "raw", "u")),
        ("target-acme", {"path": "/srv/a.b.duckdb", "schema": "raw"}, "Order Items", ("a.b", "raw", "order_items")),
        ("target-bigquery", {"project": "p-1", "dataset": "raw"}, "users", ("p-1", "raw", "users")),
        ("target-snowflake", {"database": "RAW", "default_target_schema": "SHOP"}, "2fa", ("RAW", "SHOP", "_2fa")),
        ("target-jsonl", {"path": "out"}, "users", None),
        ("target-s3-parquet", {}, "users", None),
    ],
)  # fmt: skip
def test_the_table_of_a_stream(
    tmp_path: Path, loader: str, config: dict[str, Any], stream: str, expected: tuple[Any, ...] | None
) -> None:
    assert table(tmp_path, loader, config, stream) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"schema": "lake"}, (None, "lake", "users")),
        ({"database": "x", "table": "a_{name}", "schema": "s_{namespace}"}, ("x", "s_public", "a_users")),
        ({"table": "{stream}"}, (None, "public", "public-users")),
        ({"join": False}, None),
    ],
)
def test_what_the_options_know_better(tmp_path: Path, said: dict[str, Any], expected: Any) -> None:
    assert table(tmp_path, "target-acme", {}, "public-users", said) == expected


def test_files_are_joined_where_somebody_says_so(tmp_path: Path) -> None:
    assert table(tmp_path, "target-parquet", {}, "users", {"join": True}) == (None, None, "users")
