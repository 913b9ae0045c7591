"""A mixed graph: Fivetran twice, Airbyte, dbt twice and Python; killed at any moment, each syncs exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from assetry_airbyte.testing import FakeAirbyte
from assetry_fivetran.testing import FakeConnection, FakeFivetran, FakeSync

WAIT = 150

PROJECT = """
io = "duckdb:shop.duckdb"

[integrations.crm]
kind = "fivetran"
connection_id = "crm_1"
base_url = "{fivetran.url}"
api_key = "{fivetran.api_key}"

[integrations.ads]
kind = "fivetran"
connection_id = "ads_1"
base_url = "{fivetran.url}"
api_key = "{fivetran.api_key}"

[integrations.shop_api]
kind = "airbyte"
connection_id = "{orders.id}"
base_url = "{airbyte.url}"
client_id = "{airbyte.client_id}"
client_secret = {{ env = "AIRBYTE_CLIENT_SECRET" }}
destinations."*" = {{ database = "shop", schema = "sales", table = "{{name}}" }}

[integrations.one]
kind = "dbt"
project_dir = "one"

[integrations.two]
kind = "dbt"
project_dir = "two"
"""

PYTHON = """
import pandas as pd
from assetry import asset

@asset
def summary(report: pd.DataFrame) -> pd.DataFrame:
    return report
"""


def dbt_project(name: str, sources: dict[str, str], models: dict[str, str]) -> dict[str, str]:
    listed = "".join(f"  - {{name: {each}, tables: [{{name: {table}}}]}}\n" for each, table in sources.items())
    return {
        f"{name}/dbt_project.yml": f"name: {name}\nprofile: {name}\nmodels:\n  {name}:\n    +materialized: table\n",
        f"{name}/profiles.yml": f"{name}: {{target: dev, outputs: {{dev: {{type: duckdb, path: ../shop.duckdb}}}}}}\n",
        f"{name}/models/sources.yml": f"sources:\n{listed}",
        **{f"{name}/models/{model}.sql": sql for model, sql in models.items()},
    }


def into(warehouse: Path, statement: str) -> None:
    """Write into the warehouse as a sync would, when the other process lets go of the file."""
    deadline = time.monotonic() + WAIT
    while True:
        try:
            with duckdb.connect(str(warehouse)) as connection:
                connection.execute(statement)
            return
        except duckdb.IOException:
            assert time.monotonic() < deadline
            time.sleep(0.02)


class Mixed:
    """Be the project, and the fakes that it stands on."""

    def __init__(self, folder: Path, fivetran: FakeFivetran, airbyte: FakeAirbyte) -> None:
        self.folder, self.fivetran, self.airbyte = folder, fivetran, airbyte
        self.warehouse = folder / "shop.duckdb"
        fivetran.add_destination("lake", "motherduck")
        self.connections = [
            fivetran.add_connection(name, [table], group="lake", id=f"{name}_1", seconds=1.0)
            for name, table in (("crm", "accounts"), ("ads", "clicks"))
        ]
        fivetran.on_sync = self._write
        self.orders = airbyte.add_connection("Orders", ["orders"], destination=airbyte.add_destination("duckdb"))
        files = {
            "assetry.toml": PROJECT.format(fivetran=fivetran, airbyte=airbyte, orders=self.orders),
            "assets.py": PYTHON,
            **dbt_project(
                "one",
                {"crm": "accounts", "ads": "clicks"},
                {
                    "people": "select * from {{ source('crm', 'accounts') }}",
                    "costs": "select * from {{ source('ads', 'clicks') }}",
                },
            ),
            **dbt_project(
                "two",
                {"sales": "orders", "main": "people"},
                {
                    "report": "select o.id from {{ source('sales', 'orders') }} o "
                    "join {{ source('main', 'people') }} p on o.id = p.id"
                },
            ),
        }
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        into(self.warehouse, "create schema sales; create table sales.orders as select 1 as id")

    def _write(self, connection: FakeConnection, sync: FakeSync) -> None:
        table = next(iter(connection.tables()))
        moment = self.fivetran.moment(sync.ended or 0.0).isoformat()
        into(
            self.warehouse,
            f"create schema if not exists {connection.name}; create or replace table {connection.name}.{table} as "
            f"select 1 as id, timestamptz '{moment}' as _fivetran_synced",
        )

    def process(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "assetry", "-C", str(self.folder), *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answer(self, *arguments: str) -> Any:
        process = self.process(*arguments, "--output", "json")
        out, err = process.communicate(timeout=WAIT)
        assert process.returncode == 0, err
        return json.loads(out)

    @property
    def syncs(self) -> list[int]:
        return [*(len(each.syncs) for each in self.connections), len(self.airbyte.jobs)]


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mixed]:
    monkeypatch.setenv("FIVETRAN_API_SECRET", FakeFivetran.api_secret)
    monkeypatch.setenv("AIRBYTE_CLIENT_SECRET", FakeAirbyte.client_secret)
    with FakeFivetran() as fivetran, FakeAirbyte() as airbyte:
        yield Mixed(tmp_path / "project", fivetran, airbyte)


@pytest.mark.slow
def test_a_mixed_graph_is_one_sync_per_connection_and_the_fewest_dbt_runs(mixed: Mixed) -> None:
    plan = mixed.answer("plan")
    kinds = [each["kind"] for each in plan["invocations"]]
    assert (kinds.count("fivetran"), kinds.count("airbyte"), kinds.count("dbt")) == (2, 1, 2)
    assert plan["minimal"]
    run = mixed.process("materialize", "--output", "ndjson")
    out, err = run.communicate(timeout=WAIT)
    assert run.returncode == 0, err
    made = {event["asset"]: event for event in map(json.loads, out.splitlines()) if event["event"] == "materialized"}
    assert {"crm/accounts", "ads/clicks", "one/people", "two/report", "summary"} <= set(made)
    assert made["crm/accounts"]["metadata"]["result_known_by"] == "table"
    assert mixed.syncs == [1, 1, 1]
    assert set(mixed.answer("status")["counts"]) == {"fresh"}


def kill_when(run: subprocess.Popen[str], due: Callable[[int, dict[str, Any]], bool]) -> None:
    """Kill a run outright at the first event that `due` accepts, or at its end."""
    assert run.stdout is not None
    for number, line in enumerate(run.stdout):
        if due(number, json.loads(line)):
            break
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=WAIT)


@pytest.mark.slow
@pytest.mark.parametrize("moment", [4, 10])
def test_a_run_that_is_killed_at_any_moment_is_retried_with_exactly_one_sync_each(mixed: Mixed, moment: int) -> None:
    kill_when(mixed.process("materialize", "--output", "ndjson"), lambda number, _: number == moment)
    deadline = time.monotonic() + WAIT
    while True:
        again = mixed.process("retry", "--output", "ndjson")
        _, err = again.communicate(timeout=WAIT)
        if again.returncode == 0:
            break
        assert "left" in err or "claim" in err or "hold" in err, err
        assert time.monotonic() < deadline, err
    assert mixed.syncs == [1, 1, 1]
    assert set(mixed.answer("status")["counts"]) == {"fresh"}
