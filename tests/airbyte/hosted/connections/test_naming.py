"""Tests of `assetry_airbyte.hosted.connections.naming`: each destination's rules, and what nobody can know."""

from __future__ import annotations

from typing import Any

import pytest
from assetry_airbyte.hosted.api.responses import Connection, Destination, Stream
from assetry_airbyte.hosted.connections.naming import Tables
from assetry_toolkit.hosted.tables import Override
from hypothesis import given
from hypothesis import strategies as st


def table(
    kind: str,
    config: dict[str, Any],
    stream: str = "Users 2",
    namespace: str | None = "Sales",
    override: dict[str, Any] | None = None,
    **fields: Any,
) -> tuple[Any, ...] | None:
    tables = Tables(Connection("c", "Shop", **fields), Destination("d", "D", kind, config), Override(override))
    found = tables.of(Stream(stream, namespace))
    return None if found is None else tuple(found)


DB = {"database": "Raw", "schema": "landing"}


@pytest.mark.parametrize(
    ("kind", "config", "stream", "namespace", "expected"),
    [
        ("snowflake", DB, "Users 2", "Sales", ("RAW", "SALES", "USERS 2")),
        ("snowflake", DB, "a${b", None, ("RAW", "LANDING", "A_B")),
        ("snowflake", DB, "order", None, ("RAW", "LANDING", "_ORDER")),
        (
            "snowflake",
            {**DB, "disable_type_dedupe": True},
            "Users",
            "s",
            ("Raw", "airbyte_internal", "s_raw__stream_Users"),
        ),
        ("bigquery", {"project_id": "p", "dataset_id": "d-1"}, "Users 2", "Sales", ("p", "Sales", "Users_2")),
        ("bigquery", {"project_id": "p", "dataset_id": "q:d-1"}, "2fa", None, ("q", "d_1", "_2fa")),
        ("bigquery", {"project_id": "p", "dataset_id": "_x"}, "Crème", None, ("p", "n_x", "Creme")),
        ("postgres", DB, "Users 2", "Sales", ("Raw", "Sales", "Users_2")),
        ("postgres", {"database": "d"}, "2fa", None, ("d", "public", "_2fa")),
        ("postgres", DB, "x" * 64, None, None),
        ("redshift", DB, "Users 2!", "2Sales", ("Raw", "_2sales", "users_2_")),
        ("duckdb", {"destination_path": "/local/shop.duckdb"}, "users", "x", ("shop", "main", "_airbyte_raw_users")),
        ("duckdb", {"destination_path": "md:lake"}, "users", "x", ("lake", "main", "users")),
        ("motherduck", {}, "users", "x", ("my_db", "main", "users")),
        ("clickhouse", {"database": "ch"}, "Users 2", None, (None, "ch", "Users_2")),
        ("databricks", DB, "Users 2", None, ("Raw", "landing", "Users_2")),
        ("mysql", {"database": "m"}, "users", None, (None, "m", "users")),
        ("mssql", DB, "users", None, ("Raw", "landing", "users")),
        ("", {}, "users", None, (None, None, "users")),
        ("s3", {}, "users", None, None),
        ("destination-postgres", DB, "users", None, ("Raw", "landing", "users")),
        ("postgres", {"database": "******", "schema": "landing"}, "users", None, (None, "landing", "users")),
    ],
)
def test_each_destination_has_its_own_alphabet(
    kind: str, config: dict[str, Any], stream: str, namespace: str | None, expected: tuple[Any, ...] | None
) -> None:
    assert table(kind, config, stream, namespace) == expected


@pytest.mark.parametrize(
    ("fields", "namespace", "expected"),
    [
        ({}, "sales", ("Raw", "sales", "users")),
        ({}, None, ("Raw", "landing", "users")),
        ({"namespace_definition": "destination"}, "sales", ("Raw", "landing", "users")),
        (
            {"namespace_definition": "custom_format", "namespace_format": "x_${SOURCE_NAMESPACE}"},
            "s",
            ("Raw", "x_s", "users"),
        ),
        (
            {"namespace_definition": "custom_format", "namespace_format": "${SOURCE_NAMESPACE}"},
            None,
            ("Raw", "landing", "users"),
        ),
        ({"namespace_definition": "custom_format", "namespace_format": None}, "s", ("Raw", "landing", "users")),
        ({"prefix": "raw_"}, None, ("Raw", "landing", "raw_users")),
        ({"prefix": "  "}, None, ("Raw", "landing", "users")),
    ],
)
def test_airbyte_places_a_stream_before_the_destination_names_it(
    fields: dict[str, Any], namespace: str | None, expected: tuple[Any, ...]
) -> None:
    assert table("postgres", DB, "users", namespace, **fields) == expected


def test_a_destination_can_be_overridden() -> None:
    config = {"destination_path": "/local/x.duckdb"}
    override = {"database": "shop", "schema": "raw_{namespace}", "table": "{name}"}
    assert table("duckdb", config, "users", "crm", override) == ("shop", "raw_crm", "users")
    assert table("duckdb", config, "users", "crm", {"type": "postgres"}) == (None, "crm", "users")
    assert table("postgres", DB, "users", None, {"join": False}) is None
    assert table("postgres", DB, "x" * 70, None, {"table": "short"}) == ("Raw", "landing", "short")


@given(
    st.text(min_size=1), st.text(), st.sampled_from(["postgres", "redshift", "bigquery", "clickhouse", "databricks"])
)
def test_what_comes_out_is_an_identifier(name: str, prefix: str, kind: str) -> None:
    found = table(kind, {**DB, "dataset_id": "d", "project_id": "p"}, name, None, prefix=prefix)
    if found is not None:
        assert all(each == "_" or each.isalnum() for each in found[2])
        assert found[2].isascii()
