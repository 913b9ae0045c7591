"""What waits for rows that are yet to come, as people are told of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
YESTERDAY = f"{TODAY - timedelta(days=1):%Y-%m-%d}"

ASSETS = f'''
from assetry import DailyPartitionsDefinition, asset


@asset(partitions_def=DailyPartitionsDefinition("{YESTERDAY}", end_date="{TODAY:%Y-%m-%d}"), deps=["log"])
def daily():
    return 1
'''

PLUGIN = """
import json, pathlib
from assetry.plugin import Asset, Observed, hookimpl

@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "mill":
        return None
    return [Asset(key="log", kind="mill", integration=integration, executable=False, grows="append")]

@hookimpl
def assetry_observe(invocation, context):
    reached = json.loads(pathlib.Path(invocation.integration.root, "reached.json").read_text())
    yield Observed("log", data_version=reached, metadata={"data_time": reached})
"""


def test_a_day_is_made_when_what_it_reads_has_come_to_its_end(folder: Folder) -> None:
    folder.write("assetry.toml", 'modules = ["days"]\nio = "memory:"\n[integrations.mill]\nkind = "mill"\n')
    folder.write("days.py", ASSETS)
    folder.write("assetry_plugins.py", PLUGIN)
    reached = TODAY - timedelta(minutes=20)
    folder.write("reached.json", json.dumps(reached.isoformat()))
    folder.call("observe", "-q")
    wait = f"{YESTERDAY} waits for `log`, whose data reaches to {reached:%Y-%m-%d %H:%M:%S} UTC"
    assert f"    note  daily: {wait}" in folder.call("status", code=0).stdout
    assert folder.call("status", "--exit-code", code=4).stderr == "", "nothing brings it up to date now"
    sets = {each["key"]: each["partitions"] for each in folder.json("status")["assets"]}
    assert (sets["daily"]["missing"], sets["daily"]["waiting"]) == (1, 1)
    assert sets["daily"]["sets"]["waiting"] == [[YESTERDAY, YESTERDAY]]
    told = f"Nothing to run. Not made yet: of daily {wait}.\n"
    assert folder.call("plan", "--stale").stdout == told
    assert folder.call("materialize", "--stale").stdout == told
    folder.write("reached.json", json.dumps((TODAY + timedelta(seconds=1)).isoformat()))
    folder.call("observe", "-q")
    folder.call("materialize", "--stale", "-q")
    assert "2 assets: 1 fresh, 1 external" in folder.call("status").stdout
    assert "rows are only added" in folder.call("show", "log").stdout
