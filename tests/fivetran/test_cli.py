"""`assetry fivetran pull`, and what a project with Fivetran shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from assetry_fivetran import build_fivetran_assets
from assetry_fivetran.testing import FakeFivetran, Fault
from assetry_fivetran.testing.fixture import fake_fivetran

__all__ = ["fake_fivetran"]


@pytest.fixture
def fivetran(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("FIVETRAN_API_SECRET", FakeFivetran.api_secret)
    with FakeFivetran() as fake:
        fake.add_connection("crm", ["accounts", "orders"], seconds=0.0)
        fake.add_connection("ads", ["clicks"], paused=True)
        fake.add_connection("new", None)
        yield fake


@pytest.fixture
def shop(project: Any, fivetran: FakeFivetran) -> Any:
    text = f'[integrations.lake]\nkind = "fivetran"\nbase_url = "{fivetran.url}"\napi_key = "{fivetran.api_key}"\n'
    return project({"assetry.toml": text})


def test_hook_assetry_add_commands_pull_tells_what_is_there_and_what_is_wrong(shop: Any) -> None:
    told = shop.run("fivetran", "pull").assert_code(0).out
    assert "lake: 3 connections, 3 tables" in told
    assert "ads: paused" in told
    assert "new: Fivetran knows its tables after its first sync" in told
    (found,) = shop.run("--output", "json", "fivetran", "pull").data["integrations"]
    assert (found["connections"], [each["name"] for each in found["trouble"]]) == (3, ["ads", "new"])


def test_an_integration_that_is_not_there_is_an_error_with_what_is_near(shop: Any) -> None:
    assert "did you mean 'lake'" in shop.run("fivetran", "pull", "lakes").assert_code(2).err


@pytest.mark.parametrize("command", [("list",), ("fivetran", "pull"), ("fivetran", "pull", "lake")], ids=" ".join)
def test_a_table_that_is_not_there_is_told_with_its_line_and_hides_no_other_integration(
    shop: Any, command: tuple[str, ...]
) -> None:
    text = (shop.root / "assetry.toml").read_text()
    wrong = 'connection_id = "connection_1"\ndestination_tables = ["oders"]\n'
    other = f'{text.replace("lake", "sea")}connection_id = "connection_2"\n'
    (shop.root / "assetry.toml").write_text(f'modules = ["made"]\n{text}{wrong}{other}')
    (shop.root / "made.py").write_text("")
    told = shop.run(*command).assert_code(3)
    assert "error: destination_tables: 'oders' is not a table of connection 'crm'." in told.err
    assert "assetry.toml:7\n  did you mean 'orders'" in told.err
    assert "Python" not in told.err
    assert ("sea: 1 connection, 1 table" in told.out) == (command == ("fivetran", "pull"))


def test_a_connection_that_is_not_there_is_told_with_its_line(shop: Any) -> None:
    with (shop.root / "assetry.toml").open("a") as file:
        file.write('connection_id = "connection_4"\n')
    for command in (("list",), ("fivetran", "pull")):
        told = shop.run(*command).assert_code(3)
        assert re.search(r"There is no connection 'connection_4'.*\n  at .*assetry.toml:5\n  did you mean", told.err)


def test_check_tells_of_connections_in_trouble(shop: Any) -> None:
    shop.run("fivetran", "pull").assert_code(0)
    outcome = shop.run("check")
    assert "ads is paused" in outcome.out + outcome.err


@pytest.mark.parametrize("command", ["check", "plan"])
def test_what_a_run_learns_of_a_connection_is_told_by_the_next_command(
    shop: Any, fivetran: FakeFivetran, command: str
) -> None:
    shop.run("fivetran", "pull").assert_code(0)
    fivetran.connections["connection_1"].paused = True
    shop.run("materialize", "-s", "lake/crm/*").assert_code(1)
    assert "crm is paused, ads is paused" in shop.run(command).assert_code(0).err


def test_plan_is_one_sync_for_each_connection(shop: Any) -> None:
    shop.run("fivetran", "pull").assert_code(0)
    plan = shop.run("plan", "-s", "lake/crm/orders", "--output", "json").data
    (invocation,) = plan["invocations"]
    assert (plan["count"], invocation["group"]) == (1, "fivetran:connection_1")
    assert invocation["also"] == ["lake/crm/accounts"]
    assert invocation["command"] == "fivetran sync connection_1 (crm)"


def test_a_run_makes_what_can_be_and_a_paused_connection_is_no_green(shop: Any, fivetran: FakeFivetran) -> None:
    outcome = shop.run("materialize")
    assert outcome.code == 1
    assert "Connection 'ads' is paused" in outcome.out + outcome.err
    status = {each["key"]: each["status"] for each in shop.run("status", "--output", "json").data["assets"]}
    assert status["lake/crm/orders"] == "fresh"
    assert status["lake/ads/clicks"] != "fresh"
    assert len(fivetran.connections["connection_1"].syncs) == 1


def test_a_pull_that_fails_leaves_what_was_read(shop: Any, fivetran: FakeFivetran) -> None:
    shop.run("fivetran", "pull").assert_code(0)
    fivetran.fail(".*", Fault(status=401), times=10)
    shop.run("fivetran", "pull").assert_code(3)
    assert len(shop.run("list", "--output", "json").data["assets"]) == 4


def test_the_fixture_is_an_account_whose_key_is_in_the_environment(fake_fivetran: FakeFivetran, tmp_path: Path) -> None:
    crm = fake_fivetran.add_connection("crm", ["accounts", "orders"])
    assets = build_fivetran_assets(crm.id, "orders", base_url=fake_fivetran.url, root=str(tmp_path))
    assert [str(each.key) for each in assets] == [f"fivetran_{crm.id}/orders"]


def test_one_command_serves_an_account_and_prints_how_to_use_it(project: Any) -> None:
    command = [sys.executable, "-m", "assetry_fivetran.testing"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        assert served.stdout is not None
        try:
            printed = "".join(served.stdout.readline() for _ in range(6))
            secret = printed.rpartition("=")[2].strip()
            shop = project({"assetry.toml": printed})
            outcome = shop.run("list", "--output", "json", env={"FIVETRAN_API_SECRET": secret})
            keys = {each["key"] for each in outcome.assert_code(0).data["assets"]}
            assert {"fivetran/crm/accounts", "fivetran/shop/shop_public/orders"} <= keys
        finally:
            served.terminate()


def test_help_of_the_fake_says_what_it_has() -> None:
    command = [sys.executable, "-m", "assetry_fivetran.testing", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "crm_1" in told
    assert "port" in told


def test_a_resync_of_some_tables_says_and_records_these_alone(shop: Any, fivetran: FakeFivetran) -> None:
    some, every = (
        shop.run("plan", "--full-refresh", "-s", each, "--output", "json").data["invocations"][0]
        for each in ("lake/crm/orders", "lake/crm/*")
    )
    assert (some["also"], some["command"]) == ([], "fivetran resync connection_1 (crm), only crm.orders")
    assert every["command"] == "fivetran resync connection_1 (crm)"
    shop.run("materialize", "--full-refresh", "-s", "lake/crm/orders").assert_code(0)
    assert status(shop) == {"orders": "fresh", "accounts": "never", "clicks": "never", "new": "never"}


def status(shop: Any) -> dict[str, str]:
    listed = shop.run("status", "--output", "json").data["assets"]
    return {each["key"].rpartition("/")[2]: each["status"] for each in listed}


def last_made(shop: Any) -> dict[str, str]:
    listed = shop.run("status", "--output", "json").data["assets"]
    return {each["key"].rpartition("/")[2]: each["last_materialized"] for each in listed}


@pytest.fixture
def lake(shop: Any, fivetran: FakeFivetran) -> Path:
    """Let each sync write its tables into a DuckDB file that the project does not name."""
    path = shop.root / "lake.duckdb"
    fivetran.on_sync = lambda connection, _: write(path, *connection.tables())
    return path  # type: ignore[no-any-return]


def write(path: Path, *tables: str) -> None:
    with duckdb.connect(str(path)) as there:
        there.execute("CREATE SCHEMA IF NOT EXISTS crm")
        for each in tables:
            there.execute(f"CREATE OR REPLACE TABLE crm.{each} AS SELECT now() AS _fivetran_synced")


def options(shop: Any, **more: str) -> None:
    text = (shop.root / "assetry.toml").read_text()
    shop.write("assetry.toml", text + "".join(f'{name} = "{value}"\n' for name, value in more.items()))


RAW = '[integrations.lake.destinations.warehouse]\ndatabase = "lake"\n'


def test_a_table_that_was_seen_and_is_there_no_more_is_no_green(shop: Any, fivetran: FakeFivetran, lake: Path) -> None:
    shop.write("assetry.toml", (shop.root / "assetry.toml").read_text() + 'io = "duckdb:lake.duckdb"\n' + RAW)
    shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    assert "table" in shop.run("show", "lake/crm/orders").assert_code(0).out.partition("known by")[2].splitlines()[0]
    fivetran.on_sync = lambda connection, _: write(lake, "accounts")
    lake.unlink()
    made = shop.run("materialize", "-s", "lake/crm/*").assert_code(1)
    assert "The sync of connection 'crm' ended well, but: There is no table of 'lake/crm/orders'" in made.out
    assert "lake.duckdb (lake.crm.orders). Its table was there when it was last made." in made.out
    assert "assetry materialize --full-refresh -s lake/crm/orders" in made.out
    assert {status(shop)[each] for each in ("orders", "accounts")} == {"failed", "fresh"}
    fivetran.on_sync = lambda connection, _: write(lake, *connection.tables())
    shop.run("materialize", "--full-refresh", "-s", "lake/crm/orders").assert_code(0)
    assert status(shop)["orders"] == "fresh"


def test_a_table_that_is_not_in_the_place_that_io_names_is_no_green(shop: Any, lake: Path) -> None:
    options(shop, io="duckdb:pond.duckdb")
    made = shop.run("materialize", "-s", "lake/crm/*").assert_code(1)
    assert "It should be there, by `io` of integration 'lake'." in made.out
    assert "`table_times = false` looks at none." in made.out
    assert status(shop)["orders"] == "failed"
    assert lake.exists()


def test_a_table_whose_place_was_not_chosen_is_known_by_its_connection_and_makes_no_noise(
    shop: Any, lake: Path
) -> None:
    made = shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    assert "lake.duckdb" not in made.out + made.err
    told = shop.run("show", "lake/crm/orders").assert_code(0).out
    assert "connection" in told.partition("known by")[2].splitlines()[0]
    assert lake.exists()


BEST = """
import pandas as pd
from assetry import asset

@asset
def best(orders: pd.DataFrame) -> pd.DataFrame:
    return orders
"""


def test_a_function_that_reads_a_table_in_a_place_not_known_is_told_before_a_run_and_in_it(
    shop: Any, lake: Path
) -> None:
    shop.write("assets.py", BEST)
    told = "best reads lake/crm/orders, whose table RAW.crm.orders is in a place that is not known."
    where = "Name that place with `io` in assetry.toml: of integration 'lake', where it takes one, or of the project."
    for command in ("check", "plan"):
        assert f"{told} {where}" in shop.run(command).assert_code(0).out
    made = shop.run("materialize", "-s", "+best").assert_code(1)
    assert f"Its table RAW.crm.orders is in another place. {where}" in " ".join(made.out.split())
    assert "assetry materialize -s lake/crm/orders" not in made.out
    shop.write("assetry.toml", (shop.root / "assetry.toml").read_text() + 'io = "duckdb:lake.duckdb"\n' + RAW)
    assert "not known" not in shop.run("check").assert_code(0).out
    shop.run("materialize", "-s", "+best").assert_code(0)


def test_what_comes_along_is_counted_apart(shop: Any) -> None:
    told = shop.run("materialize", "-s", "lake/crm/orders").assert_code(0)
    assert "1 asset: 1 made; 1 more came along" in told.out
    assert '"before"' not in told.err


def test_a_table_that_is_gone_has_its_next_step_also_where_fivetran_cannot_be_asked(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (shop.root / "assetry.toml").open("a") as file:
        file.write(f'io = "duckdb:lake.duckdb"\nconnection_id = "connection_1"\n{RAW}')
    with duckdb.connect(str(shop.root / "lake.duckdb")) as lake:
        lake.execute("create schema crm")
        for name in ("orders", "accounts"):
            lake.execute(f"create table crm.{name} as select 1 as id, timestamp '2026-01-01' as _fivetran_synced")
    shop.run("materialize").assert_code(0)
    with duckdb.connect(str(shop.root / "lake.duckdb")) as lake:
        lake.execute("drop table crm.orders")
    monkeypatch.delenv("FIVETRAN_API_SECRET")
    told = shop.run("observe", "-q").assert_code(1)
    assert "0 assets observed, 0 with new content, 1 gone; 2 could not be looked at" in told.out
    assert "FIVETRAN_API_SECRET is not set" in told.err
    told = shop.run("status")
    assert re.search(
        r"If it was removed, `assetry materialize --full-refresh -s lake/orders.*` loads it again", told.out
    )
    assert "First mend what failed or is gone" in told.err


def test_a_connection_that_is_gone_is_no_green(shop: Any, fivetran: FakeFivetran) -> None:
    shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    fivetran.connections["connection_1"].deleted = True
    shop.run("fivetran", "pull").assert_code(0)
    assert {status(shop)[each] for each in ("orders", "accounts")} == {"stale"}
    told = shop.run("status", "-s", "lake/crm/*").assert_code(0)
    assert re.search(r"Nothing brings lake/crm/\w+ and lake/crm/\w+ any more", told.err)
    assert "materialize --stale" not in told.err
    assert "connection 'crm' is gone" in shop.run("show", "lake/crm/orders").out
    checked = shop.run("check")
    assert "crm is deleted" in checked.err
    assert "Made elsewhere" not in checked.out
    made = shop.run("materialize", "-s", "lake/crm/orders").assert_code(1)
    assert "Connection connection_1 is gone" in made.out
    assert status(shop)["orders"] == "failed"
    (shop.root / ".assetry" / "fivetran" / "lake.json").unlink()
    assert "lake/crm/orders" not in shop.run("list").assert_code(0).out


def test_a_paused_connection_that_is_skipped_says_why(shop: Any) -> None:
    shop.write("assetry.toml", (shop.root / "assetry.toml").read_text() + 'on_paused = "skip"\n')
    shop.run("materialize", "-s", "lake/ads/clicks")
    assert "connection 'ads' is paused" in shop.run("status", "-v").out


def test_two_integrations_of_one_connection_are_refused_with_the_next_step(shop: Any) -> None:
    text = (shop.root / "assetry.toml").read_text()
    text += 'connection_id = "connection_1"\ndestination_tables = ["orders"]\n'
    other = text.replace("lake", "pond").replace("orders", "accounts")
    shop.write("assetry.toml", text + other)
    told = shop.run("list").assert_code(3).err
    assert "Integrations 'lake' and 'pond' both name fivetran:connection_1" in told
    assert "Name it in one integration" in told


def test_observe_says_why_it_could_not(shop: Any, fivetran: FakeFivetran) -> None:
    shop.run("fivetran", "pull").assert_code(0)
    fivetran.fail(".*", Fault(status=403, body={"message": "Not yours"}), times=20)
    told = shop.run("observe", "-s", "lake/crm/*").assert_code(1).err
    assert "Not yours" in told
    assert "The role of these credentials may be too low." in told


def test_what_a_connection_that_is_gone_was_only_seen_to_have_made_is_no_green_either(
    shop: Any, fivetran: FakeFivetran
) -> None:
    connection = fivetran.connections["connection_1"]
    shop.run("fivetran", "pull").assert_code(0)
    fivetran.begin(connection)
    shop.run("observe", "-s", "lake/crm/*").assert_code(0)
    assert status(shop)["orders"] == "fresh"
    connection.deleted = True
    shop.run("fivetran", "pull").assert_code(0)
    assert status(shop)["orders"] == "stale"
    assert "connection 'crm' is gone" in shop.run("status", "-s", "lake/crm/*").out


@pytest.mark.parametrize("data", [None, {"schemas": None}, {"enable_new_by_default": True}])
def test_an_answer_that_says_nothing_of_tables_loses_none(shop: Any, fivetran: FakeFivetran, data: Any) -> None:
    body = {"code": "Success", "data": data}
    shop.run("fivetran", "pull").assert_code(0)
    fivetran.fail("GET /connections/connection_1/schemas", Fault(status=200, body=body))
    told = shop.run("fivetran", "pull").assert_code(3)
    assert "crm: known as it was: it could not be read again" in told.out
    assert "crm is known as it was: it could not be read again" in shop.run("check").err
    assert "lake/crm/orders" in shop.run("list").assert_code(0).out


@pytest.mark.parametrize("command", [("observe",), ("materialize",)], ids=" ".join)
def test_a_connection_that_a_run_or_observe_found_to_be_gone_is_no_green(
    shop: Any, fivetran: FakeFivetran, command: tuple[str, ...]
) -> None:
    shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    fivetran.connections["connection_1"].deleted = True
    made = shop.run(*command, "-s", "lake/crm/*").assert_code(1)
    assert made.err.count("Cannot find connection") == 1, "told once, however many tables it has"
    assert re.search(r"Connection connection_1 is gone: .*`assetry fivetran pull", made.out + made.err, re.DOTALL)
    assert "crm is deleted: it was not there when" in shop.run("check").err
    told = shop.run("status")
    assert (told.out + told.err).count("Cannot find connection") == (command == ("materialize",))
    assert not {status(shop)[each] for each in ("orders", "accounts")} & {"fresh"}


def test_a_table_that_a_run_found_to_be_disabled_is_warned_of_until_it_is_synced_again(
    shop: Any, fivetran: FakeFivetran
) -> None:
    crm = fivetran.connections["connection_1"]
    crm.tables()["accountz"] = {**crm.tables()["accounts"], "name_in_destination": "accountz"}
    shop.run("fivetran", "pull").assert_code(0)
    crm.tables()["accounts"]["enabled"] = False
    made = shop.run("materialize", "-s", "lake/crm/*").assert_code(1)
    assert "not synced by connection 'crm' any more: it is disabled there, or gone." in " ".join(made.out.split())
    assert "Did you mean" not in made.out
    assert "crm is without accounts, which it syncs no more" in shop.run("check").err
    crm.tables()["accounts"]["enabled"] = True
    shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    assert "crm is without" not in shop.run("check").err


def hints(project: Any) -> dict[str, list[str | None]]:
    """Return the next steps that status tells of each asset of crm."""
    told = project.run("--output", "json", "status").data["assets"]
    of_crm = {each["key"].rpartition("/")[2]: each["reasons"] for each in told if "/crm/" in each["key"]}
    return {key: [each["hint"] for each in reasons] for key, reasons in of_crm.items()}


def test_the_next_step_of_a_failure_is_another_where_pull_has_seen_that_its_cause_is_gone(
    shop: Any, fivetran: FakeFivetran
) -> None:
    shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    crm = fivetran.connections["connection_1"]
    accounts = crm.tables()["accounts"]
    for disable, enable, told in (
        (
            lambda: accounts.update(enabled=False),
            lambda: accounts.update(enabled=True),
            "Enable it in Fivetran, or read",
        ),
        (lambda: setattr(crm, "paused", True), lambda: setattr(crm, "paused", False), "Enable it in Fivetran, or set"),
    ):
        disable()
        shop.run("materialize", "-s", "lake/crm/accounts").assert_code(1)
        if crm.paused:
            shop.run("fivetran", "pull").assert_code(0)
            assert str(hints(shop)["accounts"][0]).startswith(told), "it is so still"
        enable()
        assert str(hints(shop)["accounts"][0]).startswith(told), "it was not looked at"
        shop.run("fivetran", "pull").assert_code(0)
        now, *_ = hints(shop)["accounts"]
        again = "`assetry materialize -s lake/crm/accounts`"
        assert now == f"It is so no more, as `assetry fivetran pull` has read since: {again}."
        shop.run("materialize", "-s", "accounts").assert_code(0)
        assert hints(shop)["accounts"] == []
    crm.paused = True
    shop.run("materialize", "-s", "lake/crm/*").assert_code(1)
    crm.deleted = True
    shop.run("fivetran", "pull")
    assert not any(hints(shop)["accounts"]), "it is told that the connection is gone"


@pytest.mark.parametrize("failed", [True, False])
def test_a_table_that_is_disabled_is_not_made_fresh_by_a_sync_that_left_it_out(
    shop: Any, fivetran: FakeFivetran, failed: bool
) -> None:
    crm = fivetran.connections["connection_1"]
    shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    before = last_made(shop)
    crm.tables()["accounts"]["enabled"] = False
    if failed:
        shop.run("materialize", "-s", "lake/crm/accounts").assert_code(1)
    fivetran.begin(crm)
    told = shop.run("observe", "-s", "lake/crm/*").assert_code(0)
    assert "'accounts' is not synced by connection 'crm' any more" in " ".join(f"{told.out}{told.err}".split())
    assert status(shop)["accounts"] == ("failed" if failed else "stale")
    assert "its connection syncs this table no more" in " ".join(shop.run("status").out.split())
    assert last_made(shop)["accounts"] == before["accounts"]
    assert last_made(shop)["orders"] != before["orders"]
    assert "crm is without accounts, which it syncs no more" in shop.run("check").err
    crm.tables()["accounts"]["enabled"] = True
    shop.run("observe", "-s", "lake/crm/*").assert_code(0)
    told = " ".join(shop.run("status").out.split())
    assert "its connection syncs this table again since" in told, "no sync has brought it yet"
    assert status(shop)["accounts"] == ("failed" if failed else "stale")
    fivetran.begin(crm)
    shop.run("observe", "-s", "lake/crm/*").assert_code(0)
    assert status(shop)["accounts"] == "fresh"
    assert "again" not in shop.run("status").out


def test_a_run_that_fails_makes_nothing_of_a_table_that_is_synced_again(shop: Any, fivetran: FakeFivetran) -> None:
    crm = fivetran.connections["connection_1"]
    shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    crm.tables()["accounts"]["enabled"] = False
    fivetran.begin(crm)
    shop.run("observe", "-s", "lake/crm/*").assert_code(0)
    crm.tables()["accounts"]["enabled"] = True
    crm.outcomes = ["FAILURE"]
    shop.run("materialize", "-s", "lake/crm/orders").assert_code(1)
    shop.run("observe", "-s", "lake/crm/*").assert_code(0)
    assert status(shop)["accounts"] == "stale"
    shop.run("materialize", "-s", "lake/crm/orders").assert_code(0)
    assert status(shop)["accounts"] == "fresh", "it came along"


@pytest.mark.parametrize("observed", [True, False])
def test_a_table_that_left_and_came_again_waits_for_a_sync_that_brings_it(
    shop: Any, fivetran: FakeFivetran, observed: bool
) -> None:
    crm = fivetran.connections["connection_1"]
    shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    crm.tables()["accounts"]["enabled"] = False
    assert "  left: lake/crm/accounts\n" in shop.run("fivetran", "pull").assert_code(0).out
    shop.run("materialize", "-s", "lake/crm/*").assert_code(0)
    crm.tables()["accounts"]["enabled"] = True
    assert "  came: lake/crm/accounts\n" in shop.run("fivetran", "pull").assert_code(0).out
    assert status(shop)["accounts"] == "stale"
    shop.run("fivetran", "pull").assert_code(0)
    shop.run("observe", "-s", "lake/crm/*").assert_code(0)
    assert status(shop)["accounts"] == "stale", "what was synced last was synced before it came"
    if observed:
        fivetran.begin(crm)
        shop.run("observe", "-s", "lake/crm/*").assert_code(0)
    else:
        shop.run("materialize", "--stale", "-s", "lake/crm/*").assert_code(0)
    assert status(shop)["accounts"] == "fresh"


def test_a_password_in_the_address_is_not_shown(shop: Any) -> None:
    shop.write(
        "assetry.toml", '[integrations.lake]\nkind = "fivetran"\nbase_url = "http://bob:PWSECRET@h/v1"\napi_key = "k"\n'
    )
    told = shop.run("fivetran", "pull")
    assert "http://***@h/v1" in told.err
    assert "PWSECRET" not in f"{told.out}{told.err}"


def test_a_connection_that_was_replaced_is_not_warned_of(shop: Any, fivetran: FakeFivetran) -> None:
    shop.run("fivetran", "pull").assert_code(0)
    fivetran.connections["connection_1"].deleted = True
    fivetran.add_connection("crm", ["accounts", "orders"], id="later")
    shop.run("fivetran", "pull").assert_code(0)
    assert "crm is" not in shop.run("check").err


def test_a_connection_whose_tables_are_all_disabled_says_so(shop: Any, fivetran: FakeFivetran) -> None:
    shop.run("fivetran", "pull").assert_code(0)
    for each in fivetran.connections["connection_1"].tables().values():
        each["enabled"] = False
    told = shop.run("fivetran", "pull").assert_code(0).out
    assert "crm: All its tables are disabled in Fivetran" in told


BUILT = """
from assetry_fivetran import build_fivetran_assets

built = build_fivetran_assets("connection_1", ["orders"], name="{name}", base_url="{url}", api_key="{key}")
"""


def test_pull_reads_what_python_builds(project: Any, fivetran: FakeFivetran) -> None:
    text = BUILT.format(name="crm", url=fivetran.url, key=fivetran.api_key)
    shop = project({"assetry.toml": "", "assets.py": text})
    assert "crm: 1 connection, 2 tables" in shop.run("fivetran", "pull").assert_code(0).out
    assert "crm: 1 connection, 2 tables" in shop.run("fivetran", "pull", "crm").assert_code(0).out
    assert "did you mean 'crm'" in shop.run("fivetran", "pull", "crn").assert_code(2).err


def test_pull_reads_what_the_project_file_names_though_python_fails(shop: Any, fivetran: FakeFivetran) -> None:
    shop.write("assets.py", BUILT.format(name="crm", url=fivetran.url, key=fivetran.api_key) + "raise OSError('no')")
    told = shop.run("fivetran", "pull").assert_code(0)
    assert "lake: 3 connections" in told.out
    assert "What Python builds of kind 'fivetran' is not read" in told.err


def test_a_snapshot_that_cannot_be_written_is_no_fault_of_the_plugin(shop: Any, fivetran: FakeFivetran) -> None:
    (shop.root / ".assetry").mkdir(exist_ok=True)
    (shop.root / ".assetry" / "fivetran").write_text("in the way")
    told = shop.run("fivetran", "pull").assert_code(3).err
    assert "lake.json cannot be written" in told
    assert fivetran.seen


def test_pull_names_what_left_and_a_source_that_it_brought_is_warned_of(shop: Any, fivetran: FakeFivetran) -> None:
    crm = fivetran.connections["connection_1"]
    told = shop.run("fivetran", "pull").assert_code(0).out
    assert "came:" not in told
    relation = shop.run("show", "lake/crm/accounts", "--output", "json").data["asset"]["relation"]
    made = "from assetry import Asset\n\nsource = Asset(key='raw/accounts', kind='made', executable=False, relation="
    (shop.root / "assets.py").write_text(f"{made}{relation!r})\n")
    crm.tables()["accounts"]["enabled"] = False
    assert "  left: lake/crm/accounts\n" in shop.run("fivetran", "pull").assert_code(0).out
    warned = "raw/accounts is not brought any more by integration 'lake', which had it as lake/crm/accounts."
    for command in ("check", "status"):
        outcome = shop.run(command)
        assert warned in " ".join(f"{outcome.out} {outcome.err}".split())
    shop.run("fivetran", "pull").assert_code(0)
    assert warned in " ".join(shop.run("check").out.split())
    crm.tables()["accounts"]["enabled"] = True
    assert "  came: lake/crm/accounts\n" in shop.run("fivetran", "pull").assert_code(0).out
    assert "not brought any more" not in shop.run("check").out
