"""Runs that others have started, as the command line records them and tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Folder

PROJECT = """
io = "files:data"

[integrations.mill]
kind = "mill"
"""
PLUGIN = """
import json
from datetime import datetime, timedelta
from pathlib import Path
from assetry.plugin import Asset, Check, Checked, ExternalRun, Failed, InvocationGroup, Materialized, hookimpl

T0 = datetime.fromisoformat("2026-01-02T03:04:05+00:00")

@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "mill":
        return None
    checks = [Check("positive")]
    return [
        Asset(key="flour", kind="mill", code_version="1", integration=integration, checks=checks),
        Asset(key="bread", kind="mill", code_version="1", integration=integration, deps=["flour"]),
    ]

@hookimpl
def assetry_invocation_group(asset):
    return InvocationGroup("mill")

@hookimpl
def assetry_invoke(invocation, context):
    yield from (Materialized(asset.key) for asset in invocation.assets)

@hookimpl
def assetry_load_run(path, integration):
    if not path.endswith(".mill"):
        return None
    events = [
        Materialized("flour", code_version="1"), Checked("flour", "positive", passed=True),
        Failed("bread", "the oven\\x1b[31m is cold"), Materialized("cake"),
    ]
    return ExternalRun(id=Path(path).read_text(), started=T0, finished=T0 + timedelta(seconds=9), command="mill all",
                       events=[(T0 + timedelta(seconds=n), event) for n, event in enumerate(events)])
"""


@pytest.fixture
def mill(folder: Folder) -> Folder:
    folder.write("assetry.toml", PROJECT)
    folder.write("assetry_plugins.py", PLUGIN)
    folder.write("one.mill", "one")
    return folder


def test_it_says_what_is_recorded_and_what_is_left_out(mill: Folder) -> None:
    told = mill.call("record", "one.mill")
    first, left, cake = told.stdout.splitlines()
    assert first.startswith("mill all of 2026-01-02 03:04:05 is recorded as run 20260102-030405-")
    assert first.endswith(": failed; 1 made, 1 failed, 1 check passed")
    assert (left, cake) == ("Left out:", "  cake  mill makes nothing of that name here")
    run = first.split(" as run ")[1].partition(":")[0]
    assert told.stderr.startswith(f"`assetry logs {run}")
    assert "\x1b" not in mill.call("logs", run).stdout
    again = mill.call("record", "one.mill").stdout
    assert again == f"mill all of 2026-01-02 03:04:05 is recorded already, as run {run}: failed\n"


def test_json_has_the_run_and_what_became_of_it(mill: Folder) -> None:
    data = mill.json("record", "one.mill")
    assert data["run"].startswith("20260102-030405-")
    assert (data["state"], data["already"], data["command"]) == ("failed", False, "mill all")
    assert data["counts"] == {"materialized": 1, "failed": 1, "checks_passed": 1}
    assert data["left"] == [{"name": "cake", "because": "mill makes nothing of that name here"}]
    again = mill.json("record", "one.mill")
    assert (again["run"], again["already"], again["left"]) == (data["run"], True, [])
    assert {each["key"]: each["status"] for each in mill.json("status")["assets"]} == {
        "flour": "fresh",
        "bread": "failed",
    }


def test_it_stands_among_the_runs_and_is_not_the_one_that_retry_and_logs_mean(mill: Folder) -> None:
    mill.call("record", "one.mill")
    assert "record mill one" in mill.call("runs").stdout
    for command in ("logs", "retry"):
        refused = mill.call(command, code=2).stderr
        assert "No run has made anything yet: name the one that you mean." in refused


def test_what_cannot_be_recorded_is_refused(mill: Folder) -> None:
    refused = mill.call("record", "two.mill", code=2).stderr
    assert "There is no file two.mill." in refused
    assert "one.mill" in refused
    assert "tells of no run of an integration of this project" in mill.call("record", "assetry.toml", code=2).stderr
    assert "There is no integration 'mil'" in mill.call("record", "one.mill", "--integration", "mil", code=2).stderr
    assert "There is no run yet." in mill.call("logs", code=2).stderr
