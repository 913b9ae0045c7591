"""`assetry fivetran pull`, and what a project with Fivetran shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

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


def test_check_tells_of_connections_in_trouble(shop: Any) -> None:
    shop.run("fivetran", "pull").assert_code(0)
    outcome = shop.run("check")
    assert "ads is paused" in outcome.out + outcome.err


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
