"""Whole runs: through a project, its plan, its records, dbt's sources, and processes that die."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assetry import Project, asset
from assetry.plugin import Asset, AssetKey, Invocation, Observed, Relation
from assetry_airbyte import plugin
from assetry_airbyte.testing import FakeAirbyte, FakeConnection, Fault

from tests.airbyte.conftest import Place, RunOf


def source(name: str = "users") -> Asset:
    relation = ("lake", "raw", name)
    return Asset(key=f"dbt/raw/{name}", kind="dbt", executable=False, resource_type="source", relation=relation)


@asset(key="active_users", deps=["dbt/raw/users"])
def active_users() -> None:
    return None


@asset(key="big_orders", deps=["shop/orders"])
def big_orders() -> None:
    return None


def lake(place: Place, **fields: Any) -> FakeConnection:
    destination = place.airbyte.add_destination("postgres", database="LAKE", schema="raw")
    return place.airbyte.add_connection("Shop", ["users", "orders"], destination=destination, **fields)


def project(place: Place, connection: FakeConnection, **options: Any) -> Project:
    assets = place.load(connection, **options)
    return Project([*assets, source(), active_users, big_orders], root=place.root, io="memory:")


def test_a_dbt_source_and_the_airbyte_table_are_one_node(place: Place) -> None:
    with project(place, lake(place)) as made:
        users = made.graph["dbt/raw/users"]
        assert str(users.key) == "shop/users"
        assert users.aliases == ("dbt/raw/users",)
        assert not made.graph.near_misses()


def test_near_misses_are_told(place: Place) -> None:
    connection = lake(place)
    place.airbyte.destinations[connection.destination]["config"]["database"] = "other"
    with project(place, connection) as made:
        (miss,) = made.graph.near_misses()
        assert (miss.source, miss.candidate) == ("dbt/raw/users", "shop/users")
        assert "databases differ" in miss.why


def test_the_ways_to_join_by_hand(place: Place) -> None:
    connection = lake(place)
    custom = Fault(patch={"destinationType": "customised", "configuration": {}})
    place.airbyte.fail("GET /destinations/.*", custom, times=10)
    by_option = place.load(connection, destinations={"customised": {"database": "lake", "schema": "raw"}})
    assert by_option[0].relation == ("lake", "raw", "users")
    from assetry_airbyte.hosted.connections.loading import load

    integration = place.integration(connection)
    by_function = load(
        integration, lambda connection, stream, found: ("lake", "raw", f"{connection.name}_{stream.name}")
    )
    assert by_function[0].relation == ("lake", "raw", "Shop_users")
    none = load(integration, lambda connection, stream, found: None)
    assert none[0].relation is None
    from dataclasses import replace

    by_meta = replace(source(), joins=AssetKey("shop/users"), relation=Relation("x", "y", "z"))
    with Project([*none, by_meta], root=place.root) as made:
        assert str(made.graph["dbt/raw/users"].key) == "shop/users"


def test_one_sync_for_a_selection_and_what_comes_along_is_recorded(place: Place) -> None:
    with project(place, lake(place)) as made:
        plan = made.commands(made.plan("+active_users"))
        airbyte = plan.invocations[0]
        assert [str(each.key) for each in airbyte.invocation.assets] == ["shop/users"]
        assert [str(each.key) for each in airbyte.invocation.also] == ["shop/orders"]
        assert airbyte.command is not None
        assert airbyte.command.endswith("(Shop)")
        assert (plan.count, plan.lower_bound) == (1, 1)
        result = made.materialize("+active_users")
        assert result.ok
        latest = made.store.latest()
        assert {str(key) for key, _ in latest} == {"shop/users", "shop/orders", "active_users"}
        along = latest[made.graph["shop/orders"].key, None]
        assert along.metadata["origin"] == "unselected"
        assert along.metadata["rows"] == 10
    assert place.posts() == 1


def test_unselected_tables_can_be_left_unrecorded(place: Place) -> None:
    with project(place, lake(place), on_unselected="ignore") as made:
        made.materialize("shop/users")
        assert {str(key) for key, _ in made.store.latest()} == {"shop/users"}


def stale(made: Project) -> set[str]:
    return {str(each.key) for each in made.status() if each.status == "stale"}


def test_a_sync_that_moved_nothing_makes_nothing_stale(place: Place) -> None:
    connection = lake(place)
    connection.streams = [{"name": "users", "syncMode": "incremental_append"}, {"name": "orders"}]
    with project(place, connection) as made:
        assert made.materialize().ok
        connection.rows = {"users": 0, "orders": 0}
        made.materialize("shop/users")
        # `orders` is replaced by each sync: it is empty now, and was not before.
        assert stale(made) == {"big_orders"}
        made.materialize("big_orders")
        made.materialize("shop/users")
        assert stale(made) == set()
        connection.rows = {"users": 5, "orders": 0}
        made.materialize("shop/users")
        assert stale(made) == {"active_users"}


def test_without_results_by_stream_the_jobs_rows_decide(place: Place) -> None:
    place.airbyte.internal = False
    connection = lake(place)
    connection.streams = [{"name": name, "syncMode": "incremental_append"} for name in ("users", "orders")]
    with project(place, connection) as made:
        made.materialize()
        connection.rows = {"users": 0, "orders": 0}
        for _ in range(2):
            made.materialize("shop/users")
            assert stale(made) == set()
        connection.rows = {"users": 1, "orders": 0}
        made.materialize("shop/users")
        assert stale(made) == {"active_users", "big_orders"}


def test_a_reset_is_a_change(place: Place) -> None:
    connection = lake(place)
    connection.streams = [{"name": name, "syncMode": "incremental_append"} for name in ("users", "orders")]
    with project(place, connection) as made:
        made.materialize()
        place.airbyte.finish(place.airbyte.start(connection, "reset"))
        connection.rows = {"users": 0, "orders": 0}
        made.materialize("shop/users")
        assert stale(made) == {"active_users", "big_orders"}


def test_what_syncs_add_reaches_to_their_start_and_a_reset_begins_another_epoch(place: Place) -> None:
    connection = lake(place)
    connection.streams = [{"name": "users", "syncMode": "incremental_append"}, {"name": "orders"}]
    invocation = place.invocation(place.load(connection))

    def told(events: Any) -> dict[str, Any]:
        return {each.key.name: each.metadata for each in events if each.name in ("materialized", "observed")}

    first = told(place.run(invocation).events)
    assert first["users"]["data_time"] <= first["users"]["loaded_at"] == first["users"]["synced_at"]
    assert "epoch" not in first["users"], "it was never reset"
    reset = place.airbyte.finish(place.airbyte.start(connection, "reset"))
    seen = told(plugin.assetry_observe(invocation, RunOf()))  # type: ignore[arg-type]
    again = told(place.run(invocation).events)
    assert {seen["users"]["epoch"], again["users"]["epoch"]} == {"job:2"}, reset
    assert "epoch" not in again["orders"], "it does not grow"


def test_syncs_that_others_started_are_observed(place: Place) -> None:
    connection = lake(place)
    assets = place.load(connection)
    invocation: Invocation = place.invocation(assets)
    nothing: list[Any] = list(plugin.assetry_observe(invocation, RunOf()))  # type: ignore[arg-type]
    assert [(each.name, each.data_version) for each in nothing] == [("observed", None)] * 2, "looked at all the same"
    place.airbyte.finish(place.airbyte.start(connection))
    place.airbyte.finish(place.airbyte.start(connection), "failed", {})
    seen: list[Any] = list(plugin.assetry_observe(invocation, RunOf()))  # type: ignore[arg-type]
    assert [type(each) for each in seen] == [Observed, Observed]
    assert {each.data_version for each in seen} == {"job:1"}
    assert seen[0].metadata["job"] == 1
    assert place.posts() == 0
    outcome = place.run(invocation)
    assert {each.data_version for each in outcome.events if each.name == "materialized"} == {"job:3"}  # type: ignore[attr-defined]


def test_an_observed_sync_makes_stale_what_is_below_only_when_rows_moved(place: Place) -> None:
    connection = lake(place)
    connection.streams = [{"name": name, "syncMode": "incremental_append"} for name in ("users", "orders")]
    with project(place, connection) as made:
        made.materialize()
        place.airbyte.finish(place.airbyte.start(connection), rows={})
        assert made.observe().ok
        assert stale(made) == set()
        place.airbyte.finish(place.airbyte.start(connection), rows={"orders": 3})
        made.observe()
        assert stale(made) == {"big_orders"}
        made.materialize("big_orders")
        place.airbyte.finish(place.airbyte.start(connection, "clear"))
        made.observe()
        assert stale(made) == {"active_users", "big_orders"}
    assert place.posts() == 1


def test_a_failed_sync_skips_what_is_below_and_nothing_else(place: Place) -> None:
    connection = lake(place)
    connection.script = ["running", "failed"]
    connection.stream_states = {"orders": "COMPLETE"}
    with project(place, connection) as made:
        result = made.materialize()
        assert not result.ok
        assert set(map(str, result.keys("failed"))) == {"shop/users"}
        assert set(map(str, result.keys("skipped"))) == {"active_users"}
        assert set(map(str, result.keys("materialized"))) == {"shop/orders", "big_orders"}


def test_a_cancelled_sync_skips_what_is_below(place: Place) -> None:
    connection = lake(place)
    connection.script = ["running", "cancelled"]
    with project(place, connection) as made:
        result = made.materialize()
        assert set(map(str, result.keys("skipped"))) == {"shop/users", "shop/orders", "active_users", "big_orders"}
        assert result.counts.get("failed", 0) == 0


# -- real processes --------------------------------------------------------------------------------------------------


def write_project(folder: Path, airbyte: FakeAirbyte, connection: FakeConnection) -> dict[str, str]:
    (folder / "assetry.toml").write_text(
        textwrap.dedent(f"""
            [integrations.shop]
            kind = "airbyte"
            connection_id = "{connection.id}"
            base_url = "{airbyte.url}"
            client_id = "{airbyte.client_id}"
            client_secret = {{ env = "AIRBYTE_TEST_SECRET" }}
            poll_interval = 0.05
        """)
    )
    return {**os.environ, "AIRBYTE_TEST_SECRET": airbyte.client_secret}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from assetry.cli import main; sys.exit(main())", *arguments]


def eventually(what: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def real(tmp_path: Path) -> Any:
    with FakeAirbyte() as airbyte:
        connection = airbyte.add_connection("Shop", ["users", "orders"])
        yield airbyte, connection, tmp_path, write_project(tmp_path, airbyte, connection)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["running", "succeeded"])
def test_kill_9_in_the_middle_of_a_sync_then_retry_is_one_job(real: Any, end: str) -> None:
    airbyte, connection, folder, environment = real
    connection.script = ["running"] * 100_000
    run = subprocess.Popen(
        command("-C", str(folder), "materialize"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    eventually(lambda: len(airbyte.requests("GET /jobs/1")) > 2)
    os.kill(run.pid, signal.SIGKILL)
    run.wait(30)
    assert not airbyte.requests("DELETE")
    if end == "succeeded":
        airbyte.finish(1)
    else:
        airbyte.jobs[1].script = ["running", "succeeded"]
    again = subprocess.run(
        command("-C", str(folder), "retry", "--output", "json"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["counts"]["materialized"] == 2
    assert len(airbyte.jobs) == 1
    assert len([each for each in airbyte.seen if str(each) == "POST /jobs"]) == 1


@pytest.mark.slow
def test_ctrl_c_cancels_the_job(real: Any) -> None:
    airbyte, connection, folder, environment = real
    connection.script = ["running"] * 100_000
    run = subprocess.Popen(
        command("-C", str(folder), "materialize"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    eventually(lambda: len(airbyte.requests("GET /jobs/1")) > 2)
    run.send_signal(signal.SIGINT)
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 130, out
    assert airbyte.jobs[1].status == "cancelled"
    assert len(airbyte.requests("DELETE /jobs/1")) == 1


@pytest.mark.slow
def test_the_command_line_pulls_shows_and_checks(real: Any) -> None:
    _, connection, folder, environment = real

    def assetry(*arguments: str) -> str:
        done = subprocess.run(
            command("-C", str(folder), *arguments), env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "shop: 1 connection, 2 streams" in assetry("airbyte", "pull")
    connection.streams.append({"name": "refunds"})
    told = json.loads(assetry("--output", "json", "airbyte", "pull", "shop"))
    assert told["integrations"][0]["streams"] == 3
    shown = assetry("show", "refunds")
    assert "Airbyte" in shown
    assert "just now; `assetry airbyte pull` reads it anew" in shown
    assert "3 streams" in assetry("check")
    with (folder / "assetry.toml").open("a") as file:
        file.write('destination_tables = ["refnds"]\n')
    pulled = subprocess.run(
        command("-C", str(folder), "airbyte", "pull"), env=environment, capture_output=True, text=True, check=False
    )
    assert (pulled.returncode, "'refnds' is not a table of" in pulled.stderr) == (3, True)
    assert re.search(r"assetry\.toml:\d+\n  did you mean 'refunds'", pulled.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("end", ["cancelled", "failed", "deleted"])
def test_kill_9_and_a_job_that_is_over_then_retry_starts_another_once(real: Any, end: str) -> None:
    airbyte, connection, folder, environment = real
    connection.script = ["running"] * 100_000
    run = subprocess.Popen(
        command("-C", str(folder), "materialize"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    eventually(lambda: len(airbyte.requests("GET /jobs/1")) > 2)
    os.kill(run.pid, signal.SIGKILL)
    run.wait(30)
    connection.script = ["running", "succeeded"]
    if end == "deleted":
        del airbyte.jobs[1]
    else:
        airbyte.finish(1, end)

    def retry() -> Any:
        done = subprocess.run(
            command("-C", str(folder), "retry", "--output", "json"),
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert retry()["counts"]["materialized"] == 2
    assert [job.status for id_, job in airbyte.jobs.items() if id_ != 1] == ["succeeded"]
    assert len([each for each in airbyte.seen if str(each) == "POST /jobs"]) == 2
    assert retry()["assets"] == []
    assert len([each for each in airbyte.seen if str(each) == "POST /jobs"]) == 2
