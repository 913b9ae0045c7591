"""On PostgreSQL a table can be read the moment its event comes, by whoever, whichever engine runs dbt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from assetry.plugin import Materialized

from tests.postgres_server import postgres

pytestmark = pytest.mark.slow

FILES = {
    "dbt_project.yml": "name: pg\nprofile: pg\nmodels: {+materialized: table}\n",
    "models/first.sql": "select 1 as id",
    "models/slow.sql": "select cast(pg_sleep(600) as text) as slept",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """Return the folder of the socket that a PostgreSQL listens on."""
    with postgres() as running:
        yield running.folder


def rows(server: Path, sql: str) -> list[tuple[Any, ...]]:
    import psycopg2

    connection = psycopg2.connect(host=str(server), user="postgres", dbname="postgres")
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()


SLEEPING = """
select pid from pg_stat_activity
where state = 'active' and query like '%pg_sleep(600)%' and pid <> pg_backend_pid()
"""


@pytest.mark.parametrize("engine", ["in-process", "subprocess"])
def test_a_table_is_there_at_its_event_and_stopping_cancels_the_rest(
    workbench: Callable[..., Any], server: Path, engine: str
) -> None:
    output = f"{{type: postgres, host: {server}, user: postgres, pass: '', port: 5432, dbname: postgres, threads: 2"
    profile = f"pg: {{target: dev, outputs: {{dev: {output}, schema: s_{engine.replace('-', '')}}}}}}}\n"
    bench = workbench({**FILES, "profiles.yml": profile}, engine)
    stream = bench.stream(checks=False)
    made = next(event for event in stream if isinstance(event, Materialized))
    assert made.key == "pg/first"
    assert made.metadata["rows"] == 1
    assert rows(server, f"select id from s_{engine.replace('-', '')}.first") == [(1,)]
    assert until(lambda: rows(server, SLEEPING))
    stream.close()
    assert until(lambda: not rows(server, SLEEPING))


def until(true: Callable[[], Any], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
