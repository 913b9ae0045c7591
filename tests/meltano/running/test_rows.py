"""Rows that were extracted are in the table: with a loader that keeps them, and with one that loses some."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.meltano.conftest import TWO, Made
from tests.meltano.scripted import DUCKDB_TARGET, Bench

pytestmark = pytest.mark.slow


def jsonl(bench: Bench, name: str, rows: int, keys: list[str]) -> dict[str, Any]:
    """Return the definition of a tap made with Meltano's SDK, from PyPI, that reads a file of so many rows."""
    lines = [json.dumps({"id": f"k{n}", "name": f"{name} {n}"}) for n in range(rows)]
    bench.write(f"{name}.jsonl", "\n".join(lines) + "\n")
    settings = [{"name": each} for each in ("path", "stream_name")] + [{"name": "primary_keys", "kind": "array"}]
    return {
        "name": f"tap-{name}",
        "namespace": f"tap_{name}",
        "executable": "tap-jsonl",
        "capabilities": ["discover", "catalog", "state", "about"],
        "settings": settings,
        "config": {"path": str(bench.root / f"{name}.jsonl"), "stream_name": name, "primary_keys": keys},
    }


def count(bench: Bench, table: str) -> int:
    with duckdb.connect(str(bench.root / "shop.duckdb"), read_only=True) as connection:
        found = connection.execute(f"select count(*) from {table}").fetchone()
    return int(found[0]) if found else 0


def test_a_tap_made_with_the_sdk_and_two_loaders_of_which_one_loses_rows(tmp_path: Path) -> None:
    """The newest target-duckdb on PyPI, 0.8.0, loses the first row of each batch.

    Its exit code is 0, and its log says that it has loaded all of them.
    """
    bench = Bench(tmp_path, {})
    bench.plugins["extractors"] = [jsonl(bench, "users", 12, ["id"])]
    config = {each: str(tmp_path / "lossy.duckdb") for each in ("path", "filepath")}
    bench.plugins["loaders"].append(
        {
            "name": "target-duckdb",
            "namespace": "target_duckdb",
            "executable": "target-duckdb",
            "settings": [{"name": each} for each in ("path", "filepath", "default_target_schema")],
            "config": {**config, "default_target_schema": "raw"},
        }
    )
    bench.save(jobs=[{"name": "all", "tasks": ["tap-users target-shop", "tap-users target-duckdb"]}])
    outcome = bench.materialize().assert_code(1).assert_only_materialized("meltano/tap-users/users")
    assert (outcome.launches, count(bench, "raw.users")) == (1, 12)
    facts = outcome.ends["meltano/tap-users/users"]["metadata"]
    assert (facts["rows_extracted"], facts["rows"], facts["result_known_by"]) == (12, 12, "stream")
    shown = bench.run("show", "meltano/tap-users/users").assert_ok()
    shown.assert_said("table +shop.raw.users", "pipeline +tap-users target-shop", "rows extracted +12")
    lossy = "meltano/tap-users/target-duckdb/users"
    outcome.assert_failed(lossy, "tap-users extracted 12 rows of users, and the table lossy.raw.users has 11")
    outcome.assert_failed(lossy, "target-duckdb 0.8.0 is known to lose .*--full-refresh")
    assert bench.database("select distinct state from runs") == [("SUCCESS",)]


def test_rows_are_counted_where_the_table_should_be(made: Made) -> None:
    bench = made("target-shop")
    text = '[integrations.meltano]\nkind = "meltano"\n[integrations.meltano.loaders.target-shop]\nschema = "lake"\n'
    bench.write("assetry.toml", text)
    nowhere = "extracted 2 rows of users, and there is no table shop.lake.users"
    bench.materialize().assert_code(1).assert_failed("users", nowhere)
    bench.write("assetry.toml", text.replace("[integrations.meltano.", 'record_count = "warn"\n[integrations.meltano.'))
    bench.materialize().assert_ok().assert_only_materialized("users", "orders").assert_said(nowhere)


def lossy(bench: Bench, on: bool) -> None:
    """Let the loader lose the first row of each stream, or none any more."""
    text = DUCKDB_TARGET.read_text()
    write = "table.write(connection)"
    assert write in text
    bench.write("plugins/target_shop.py", text.replace(write, f"del table.rows[:1]; {write}") if on else text)


def test_rows_that_were_lost_are_missing_until_a_full_refresh_was_counted(made: Made) -> None:
    """The extractor does not read them again: a run that brings nothing, or others, ends well and mends nothing."""
    bench = made("target-shop")
    lossy(bench, on=True)
    first = bench.materialize().assert_code(1)
    first.assert_failed("orders", "extracted 3 rows of orders, and the table shop.raw.orders has 2.*--full-refresh")
    lossy(bench, on=False)
    bench.script("tap-a", streams={"users": {"rows": 0}, "orders": {"rows": 0}})
    again = "Of 3 rows of orders that an earlier run extracted some were lost, and the table shop.raw.orders has 2"
    for verb in ("retry", "materialize"):
        mended = bench.run(verb, "--output", "ndjson").assert_code(1)
        mended.assert_said(f"{again}.*materialize -s meltano/tap-a/orders --full-refresh")
        bench.run("observe").assert_ok()
        status = json.loads(bench.run("status", "--output", "json").out)
        assert {each["status"] for each in status["assets"]} == {"failed"}
    with duckdb.connect(str(bench.root / "shop.duckdb")) as connection:
        connection.execute("insert into raw.orders select 100, 100")
    bench.materialize("-s", "orders").assert_code(1).assert_failed("orders", "this run did not read them again")
    bench.script("tap-a", streams=TWO)
    lossy(bench, on=True)
    bench.materialize("-s", "users", "--full-refresh").assert_code(1).assert_failed("users", "has 1.*known|has 1")
    lossy(bench, on=False)
    bench.materialize("--full-refresh").assert_ok().assert_only_materialized("users", "orders")
    bench.script("tap-a", streams={"users": {"rows": 0}, "orders": {"rows": 0}})
    bench.materialize().assert_ok()
    assert {each["status"] for each in json.loads(bench.run("status", "--output", "json").out)["assets"]} == {"fresh"}


def test_what_a_run_that_broke_off_has_read_has_to_be_there_after_the_next_one(made: Made) -> None:
    bench = made("target-shop")
    bench.script("tap-a", streams={"users": {"rows": 5}, "orders": {"rows": 1, "code": 3}})
    bench.materialize().assert_code(1).assert_failed("users", "exit code 3 after 5 rows of users|exit code 3")
    bench.script("tap-a", streams={"users": {"rows": 1}, "orders": {"rows": 1}})
    with duckdb.connect(str(bench.root / "shop.duckdb")) as connection:
        connection.execute("drop table if exists raw.users")
    told = (
        "Of 5 rows of users that an earlier run extracted some were lost, and the table shop.raw.users has 1|no table"
    )
    bench.materialize().assert_code(1).assert_failed("users", told)


def test_an_extractor_that_ends_before_its_first_word_has_read_nothing_though_it_ended_well(made: Made) -> None:
    """Rows of one stream have come, and the other has no table: Meltano ends well, and tells of neither."""
    bench = made("target-shop")
    bench.script("tap-a", streams={"users": {"rows": 11, "code": 0}, "orders": {"rows": 0, "code": 0}})
    nothing = "Nothing tells that tap-a has read orders"
    first = bench.materialize().assert_code(1).assert_only_materialized("users")
    first.assert_failed("orders", f"{nothing}, and there is no table shop.raw.orders")
    chosen = bench.materialize("-s", "orders").assert_code(1).assert_failed("orders", f"{nothing}, which was asked for")
    assert "Choose all" not in f"{chosen.out}{chosen.err}"
    bench.run("observe").assert_ok()
    found = json.loads(bench.run("status", "--output", "json").out)["assets"]
    assert {each["key"]: each["status"] for each in found}["meltano/tap-a/orders"] == "failed"
    bench.script("tap-a", streams=TWO)
    bench.materialize().assert_ok()
    bench.script("tap-a", streams={"users": {"rows": 0, "code": 0}, "orders": {}})
    again = bench.materialize().assert_code(1).assert_failed("orders", "though it did tell in an earlier run")
    again.assert_failed("users", "though it did tell").assert_said("It said last: .*users is out of reach")


def by_hand(bench: Bench, **variables: str) -> None:
    """Let somebody else run Meltano."""
    beside = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}", **variables}
    meltano = [str(beside / "meltano"), "run", "tap-a", "target-shop"]
    subprocess.run(meltano, cwd=bench.root, env=environment, check=True, capture_output=True)


def test_a_run_by_hand_makes_no_stream_fresh_that_has_no_table(made: Made) -> None:
    bench = made("target-shop")
    bench.script("tap-a", streams={"users": {"rows": 11, "code": 0}, "orders": {}})
    by_hand(bench)
    bench.run("observe").assert_ok()
    assert statuses(bench)["users"] == "fresh"
    assert statuses(bench)["orders"] != "fresh"


def test_a_run_by_hand_makes_fresh_what_its_log_says_that_it_read(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have been told to read a part, and an extractor may end half-way without an error."""
    bench = made("target-shop")
    monkeypatch.setenv("XDG_STATE_HOME", str(bench.root / "of-the-user"))
    bench.script("tap-a", streams={"users": {"rows": 2}, "orders": {"rows": 1, "code": 3}})
    bench.materialize().assert_code(1)
    bench.script("tap-a", streams=TWO)
    by_hand(bench, TAP_A__SELECT_FILTER='["users"]')
    bench.run("observe").assert_ok().assert_said("its log does not tell that tap-a read orders")
    assert statuses(bench) == {"users": "fresh", "orders": "failed"}
    bench.script("tap-a", streams={"users": {"rows": 2}, "orders": {"rows": 1, "code": 0}})
    by_hand(bench)
    bench.run("observe").assert_ok()
    assert statuses(bench)["orders"] == "failed"
    shutil.rmtree(bench.root / "of-the-user")
    bench.run("observe").assert_ok().assert_said("it is not known whether it read orders: no log of it is kept")
    assert statuses(bench)["orders"] == "failed"
    bench.script("tap-a", streams=TWO)
    by_hand(bench)
    bench.run("observe").assert_ok()
    assert statuses(bench) == {"users": "fresh", "orders": "fresh"}


# -- tables that are gone ----------------------------------------------------------------------------------------------


def drop(bench: Bench, table: str) -> None:
    with duckdb.connect(str(bench.root / "shop.duckdb")) as connection:
        connection.execute(f"drop table {table}")


def statuses(bench: Bench) -> dict[str, str]:
    found = json.loads(bench.run("status", "--output", "json").out)["assets"]
    return {each["key"].rsplit("/")[-1]: each["status"] for each in found}


@pytest.fixture
def growing(tmp_path: Path) -> Bench:
    """Return a project with an incremental stream, `orders`, which goes on from Meltano's state, and a whole one."""
    about = {"replication-method": "INCREMENTAL", "replication-key": "n"}
    whole = {"replication-method": "FULL_TABLE"}
    streams = {"users": {"rows": 2, "metadata": whole}, "orders": {"rows": 3, "goes_on": True, "metadata": about}}
    return Bench(tmp_path, {"tap-a": {"streams": streams, "carries": True}}, "target-shop")


@pytest.mark.parametrize("how", ["a table is dropped", "the file is removed", "the loader has another schema"])
def test_a_stream_whose_table_is_gone_is_not_read_on_from_its_state(growing: Bench, how: str) -> None:
    """Else it would be empty and fresh, as Meltano goes on behind the rows that were in the table."""
    growing.materialize().assert_ok().assert_only_materialized("users", "orders")
    schema = "raw"
    if how == "a table is dropped":
        drop(growing, "raw.orders")
        growing.run("observe").assert_ok()
        growing.run("status").assert_said("`assetry materialize -s .*orders --full-refresh.*` reads it anew")
    elif how == "the file is removed":
        (growing.root / "shop.duckdb").unlink()
        growing.run("observe").assert_ok()
    else:
        schema = "lake"
        growing.plugins["loaders"][1]["config"]["default_target_schema"] = schema
        growing.save()
    failed = growing.materialize("--stale").assert_code(1)
    told = f"There is no table shop.{schema}.orders, and the state goes on behind the rows that tap-a has read"
    failed.assert_failed("orders", f"{told}.*materialize -s meltano/tap-a/orders --full-refresh")
    growing.run("observe").assert_ok()
    assert statuses(growing) == {"users": "fresh", "orders": "failed"}
    growing.materialize("-s", "orders", "--full-refresh").assert_ok().assert_only_materialized("orders")
    assert count(growing, f"{schema}.orders") == 3
    assert statuses(growing) == {"users": "fresh", "orders": "fresh"}
    assert "older logic" not in growing.run("status").out


def test_a_table_that_was_held_back_for_is_well_again_when_it_is_there_again(growing: Bench) -> None:
    growing.materialize().assert_ok()
    loader = growing.plugins["loaders"][1]["config"]
    loader["default_target_schema"] = "lake"
    growing.save()
    growing.materialize().assert_code(1).assert_only_materialized("users")
    loader["default_target_schema"] = "raw"
    growing.save()
    growing.materialize().assert_ok().assert_only_materialized("users", "orders")


def test_a_table_that_was_emptied_is_no_success_either_unless_that_is_only_a_warning(growing: Bench) -> None:
    growing.materialize().assert_ok()
    with duckdb.connect(str(growing.root / "shop.duckdb")) as connection:
        connection.execute("delete from raw.orders")
    told = "The table shop.raw.orders is empty, which had 3 rows after an earlier run"
    growing.materialize().assert_code(1).assert_failed("orders", told)
    growing.write("assetry.toml", '[integrations.meltano]\nkind = "meltano"\nrecord_count = "warn"\n')
    growing.materialize().assert_ok().assert_said(told)


def test_a_stream_that_never_had_rows_is_made_again_and_again(growing: Bench) -> None:
    """Its bookmark tells of a time without rows, and its loader makes no table."""
    about = {"replication-method": "INCREMENTAL", "replication-key": "n"}
    growing.script(
        "tap-a", streams={"orders": {"rows": 0, "goes_on": True, "metadata": about, "pushy": True}}, carries=True
    )
    text = DUCKDB_TARGET.read_text()
    create = 'tables[message["stream"]].create(connection)'
    assert create in text
    growing.write("plugins/target_shop.py", text.replace(create, "pass"))
    for _ in range(2):
        growing.materialize("-s", "orders").assert_ok().assert_only_materialized("orders")
    assert growing.bookmarks()["orders"] == {"n": 0}


def test_a_table_that_has_fewer_rows_after_a_run_that_adds_to_it_lacks_them_until_a_full_refresh(
    growing: Bench,
) -> None:
    growing.materialize().assert_ok()
    text = DUCKDB_TARGET.read_text()
    growing.write("plugins/target_shop.py", text.replace("CREATE TABLE IF NOT EXISTS", "CREATE OR REPLACE TABLE"))
    told = "The table shop.raw.orders had 3 rows before this run, which reads only what is new, and has 0 after it"
    growing.materialize().assert_code(1).assert_failed("orders", f"{told}.*--full-refresh")
    growing.write("plugins/target_shop.py", text)
    growing.materialize().assert_code(1).assert_failed("orders", "--full-refresh")
    growing.materialize("--full-refresh").assert_ok()
