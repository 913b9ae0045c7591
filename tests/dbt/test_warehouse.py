"""Tests of `assetry_dbt.warehouse`: the URL names the warehouse as dbt would connect to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from assetry_dbt.project.profile import Profile
from assetry_dbt.warehouse import warehouse_url


def url(project_dir: Path = Path("/srv/shop"), **output: Any) -> str | None:
    return warehouse_url(Profile("shop", "dev", Path("profiles.yml"), output), project_dir)


def test_duckdb_paths_start_at_the_project() -> None:
    assert url(type="duckdb", path="a b?.duckdb") == "duckdb:/srv/shop/a%20b%3F.duckdb?schema=main"
    assert url(type="duckdb", path="/data/x.duckdb", schema="raw") == "duckdb:/data/x.duckdb?schema=raw"


def test_duckdb_attachments_and_options() -> None:
    found = url(
        type="duckdb",
        path="x.duckdb",
        config_options={"threads": 2, "preserve_insertion_order": False},
        settings={"s3_region": "eu"},
        attach=[{"path": "y.duckdb", "alias": "other"}, {"path": "z.sqlite", "type": "sqlite", "alias": "z"}],
    )
    assert found is not None
    assert parse_qs(urlsplit(found).query) == {
        "schema": ["main"],
        "threads": ["2"],
        "preserve_insertion_order": ["False"],
        "attach.other": ["/srv/shop/y.duckdb"],
    }


@pytest.mark.parametrize(
    "output",
    [
        {"type": "duckdb"},
        {"type": "duckdb", "path": ":memory:"},
        {"type": "duckdb", "path": "md:shop"},
        {"type": "duckdb", "path": "x.duckdb", "attach": [{"path": "md:shop"}]},
        {"type": "duckdb", "path": "x.duckdb", "remote": {"host": "h"}},
        {"type": "snowflake", "account": "a"},
        {"type": "redshift", "host": "h"},
        {},
    ],
)
def test_what_cannot_be_reached_has_no_url(output: dict[str, Any]) -> None:
    assert url(**output) is None


def test_postgres_is_percent_encoded() -> None:
    found = url(
        type="postgres",
        host="db.example.com",
        port=5433,
        user="me@work",
        password="p@ss:w/rd?",
        dbname="my db",
        schema="raw&more",
        sslmode="require",
        role="writer",
        search_path="a, b",
        keepalives_idle=0,
    )
    assert found is not None
    parts = urlsplit(found)
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == ("me@work", "p@ss:w/rd?")
    assert (parts.hostname, parts.port, unquote(parts.path)) == ("db.example.com", 5433, "/my db")
    assert parse_qs(parts.query) == {
        "schema": ["raw&more"],
        "sslmode": ["require"],
        "options": ["-c search_path=a,\\ b -c role=writer"],
    }


def test_postgres_by_its_other_names() -> None:
    output = {"type": "postgres", "host": "h", "user": "u", "pass": "p", "database": "d"}
    assert warehouse_url(Profile("s", "dev", Path("p"), output), Path("/")) == "postgresql://u:p@h/d?schema=public"


def test_a_second_connection_by_the_url_is_dbts_own(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    options = {"threads": 2, "preserve_insertion_order": False, "memory_limit": "1GB"}
    found = url(tmp_path, type="duckdb", path="x.duckdb", config_options=options)
    assert found is not None
    query = {name: values[0] for name, values in parse_qs(urlsplit(found).query).items() if name != "schema"}
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=False, config=options) as first:
        first.execute("create table t as select 1 as id")
        with duckdb.connect(str(tmp_path / "x.duckdb"), config=query) as second:
            assert second.execute("select id from t").fetchall() == [(1,)]
