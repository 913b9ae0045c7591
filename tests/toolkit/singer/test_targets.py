"""The tables of targets, by their settings. All of the rules are in tests/meltano/project/test_naming.py, too."""

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
