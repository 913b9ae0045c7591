"""Local connectors into a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adbc_driver_postgresql import dbapi

from tests.airbyte.local.scripted import KEYED, Bench, stream
from tests.postgres_server import postgres

pytestmark = pytest.mark.slow
Make = Callable[..., Bench]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as running:
        yield running.url


def rows(server: str, query: str) -> list[Any]:
    with dbapi.connect(server) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(map(tuple, cursor.fetchall()))


def test_every_sync_mode_and_a_table_that_is_gone(bench: Make, server: str) -> None:
    properties = {
        "id": {"type": "integer"},
        "seq": {"type": "integer"},
        "moment": {"type": "string", "format": "date-time"},
        "deep": {"type": "object"},
    }
    body = """
        def read():
            for name in chosen:
                seq = 0
                for each in kept:
                    if each["stream"]["stream_descriptor"]["name"] == name:
                        seq = each["stream"]["stream_state"]["seq"]
                for seq in range(seq + 1, config["upto"] + 1):
                    record(name, id=seq % 3, seq=seq, moment="2026-01-31T10:00:00Z", deep={"a": [seq]})
                state(name, seq=seq)
                status(name, "COMPLETE")
    """
    follow = {"cursor_field": "seq", "primary_key": "id"}
    streams = {
        "whole": {"sync_mode": "full_refresh_overwrite"},
        "merged": {"sync_mode": "incremental_append_dedup", **follow},
        "added": {"sync_mode": "incremental_append", **follow},
    }
    made = bench([stream(name, properties, **KEYED) for name in streams], body, streams=streams, schema="raw")
    made.io = server
    for upto in (4, 5):
        made.options["config"] = {"upto": upto}
        assert made.run().ok, made.of("failed")
    assert {name: rows(server, f"SELECT id, seq FROM raw.{name} ORDER BY seq") for name in streams} == {
        "whole": [(1, 1), (2, 2), (0, 3), (1, 4), (2, 5)],
        "merged": [(0, 3), (1, 4), (2, 5)],
        "added": [(1, 1), (2, 2), (0, 3), (1, 4), (2, 5)],
    }
    assert rows(server, "SELECT deep, moment::date::text FROM raw.merged WHERE seq = 5") == [
        ('{"a":[5]}', "2026-01-31")
    ]
    versions = [each.data_version for each in made.of("materialized")]
    assert made.run().ok
    assert [each.data_version for each in made.of("materialized")] == versions
    with dbapi.connect(server) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE raw.merged")
        connection.commit()
    assert not made.run("shop/merged").ok
    assert made.run("shop/merged").ok
    assert len(rows(server, "SELECT * FROM raw.merged")) == 3


def test_the_columns_are_called_as_in_every_other_warehouse(bench: Make, server: str) -> None:
    fields = ["Id", "id", "n" * 70, "n" * 71, "ctid", ""]
    body = f"def read():\n    record('odd', **dict(zip({fields}, range(6))))\n    record('odd', Id=9)"
    made = bench([stream("odd", {name: {"type": "integer"} for name in fields})], body, schema="raw")
    made.io = server
    for _ in range(2):
        assert made.run().ok, made.of("failed")
    names = made.state()['[null, "odd"]']["names"]
    columns = ", ".join(f'"{names[field]}"' for field in fields)
    assert rows(server, f'SELECT {columns} FROM raw.odd ORDER BY "Id"') == [(0, 1, 2, 3, 4, 5), (9, *[None] * 5)]
