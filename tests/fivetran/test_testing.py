"""The fake Fivetran, as far as only those ask it who try things out by hand."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from assetry_fivetran.testing import FakeConnection, FakeFivetran

README = Path(__file__).parents[2] / "integrations" / "fivetran" / "README.md"


@pytest.fixture
def fivetran() -> Any:
    with FakeFivetran() as fake:
        yield fake


@pytest.fixture
def shop(fivetran: FakeFivetran) -> FakeConnection:
    return fivetran.add_connection("shop", {"public": ["Orders", "order lines"]}, prefixed=True)


def patch(fivetran: FakeFivetran, path: str, body: Any) -> httpx.Response:
    key = (fivetran.api_key, fivetran.api_secret)
    return httpx.patch(f"{fivetran.url}/connections/{path}", json=body, auth=key)


@pytest.mark.parametrize(
    ("asked", "tested"), [({}, 1), ({"run_setup_tests": True}, 1), ({"run_setup_tests": False}, 0)]
)
@pytest.mark.parametrize("passes", [True, False])
def test_a_change_runs_set_up_tests_unless_told_not_to(
    fivetran: FakeFivetran, shop: FakeConnection, asked: Any, tested: int, passes: bool
) -> None:
    shop.passes_tests = passes
    found = patch(fivetran, shop.id, {"paused": True, **asked}).json()["data"]
    assert (found["paused"], shop.tested) == (True, tested)
    assert found["status"]["setup_state"] == ("connected" if passes or not tested else "broken")
    told = ["PASSED" if passes else "FAILED"] * tested
    assert [each["status"] for each in found.get("setup_tests", [])] == told


def test_what_fails_its_set_up_tests_is_well_again_after_a_sync(fivetran: FakeFivetran, shop: FakeConnection) -> None:
    shop.passes_tests, shop.seconds = False, 0.0
    patch(fivetran, shop.id, {"schedule_type": "manual"})
    assert shop.setup == "broken"
    fivetran.begin(shop)
    assert shop.setup == "connected"


def test_a_change_of_nothing_is_refused(fivetran: FakeFivetran, shop: FakeConnection) -> None:
    assert patch(fivetran, shop.id, {"run_setup_tests": False}).status_code == 400
    assert shop.tested == 0


def test_a_table_and_a_schema_are_disabled_by_their_names_at_the_source(
    fivetran: FakeFivetran, shop: FakeConnection
) -> None:
    path = f"{shop.id}/schemas/public"
    told = patch(fivetran, f"{path}/tables/order%20lines", {"enabled": False}).json()["data"]["schemas"]["public"]
    assert {name: each["enabled"] for name, each in told["tables"].items()} == {"Orders": True, "order lines": False}
    assert patch(fivetran, path, {"enabled": False}).json()["data"]["schemas"]["public"]["enabled"] is False
    assert patch(fivetran, path, {"enabled": True}).json()["data"]["schemas"]["public"]["enabled"] is True


def test_what_cannot_be_disabled_is_refused(fivetran: FakeFivetran, shop: FakeConnection) -> None:
    path = f"{shop.id}/schemas/public/tables"
    assert patch(fivetran, f"{path}/orders", {"enabled": False}).status_code == 404  # it is Orders
    assert patch(fivetran, f"{shop.id}/schemas/shop_public", {"enabled": False}).status_code == 404
    shop.tables()["Orders"]["enabled_patch_settings"] = {"allowed": False, "reason_code": "SYSTEM_TABLE"}
    assert patch(fivetran, f"{path}/Orders", {"enabled": False}).status_code == 400
    assert shop.tables()["Orders"]["enabled"] is True
    shop.schemas = None
    assert patch(fivetran, f"{path}/Orders", {"enabled": False}).json()["code"] == "NotFound_SchemaConfig"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_commands_of_the_readme_change_what_they_say(fivetran: FakeFivetran) -> None:
    crm = fivetran.add_connection("crm", ["accounts"], id="crm_1")
    (block,) = re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    commands = block.replace("http://127.0.0.1:8765/v1", fivetran.url)
    subprocess.run(
        ["sh", "-ec", commands], env={"PATH": "/usr/bin:/bin", "FIVETRAN_API_SECRET": fivetran.api_secret}, check=True
    )
    assert (crm.paused, crm.tables()["accounts"]["enabled"]) == (True, False)


def test_a_connection_that_is_deleted_is_not_there_any_more(fivetran: FakeFivetran, shop: FakeConnection) -> None:
    key = (fivetran.api_key, fivetran.api_secret)
    deleted = httpx.delete(f"{fivetran.url}/connections/{shop.id}", auth=key)
    assert (deleted.status_code, deleted.json()["code"]) == (200, "Success")
    assert httpx.get(f"{fivetran.url}/connections/{shop.id}", auth=key).json()["code"] == "NotFound_Connection"
    assert httpx.get(f"{fivetran.url}/connections", auth=key).json()["data"]["items"] == []
