"""How new data is, as people are told of it while time passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from assetry import Project
from assetry.testing import Clock
from assetry.types.keys import AssetKey

if TYPE_CHECKING:
    from conftest import Folder

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)

ASSETS = """
from datetime import timedelta
from assetry import FreshnessPolicy, asset

@asset(freshness_policy=FreshnessPolicy(maximum_lag=timedelta(hours=1)))
def prices():
    return 1
"""

REGIONS = """
from assetry import StaticPartitionsDefinition

LAND = StaticPartitionsDefinition(["de", "fr"])

@asset(partitions_def=LAND, freshness_policy=FreshnessPolicy(maximum_lag=timedelta(hours=1)))
def stock():
    return 1
"""

PLUGIN = """
from datetime import timedelta
from assetry.plugin import Asset, FreshnessPolicy, Observed, hookimpl

def hours(count):
    return FreshnessPolicy(maximum_lag=timedelta(hours=count))

@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "mill":
        return None
    more = {"kind": "mill", "integration": integration, "executable": False}
    return [
        Asset(key="board", deps=["prices"], consumer=True, freshness_policy=hours(3), **more),
        Asset(key="log", freshness_policy=hours(3), **more),
    ]

@hookimpl
def assetry_observe(invocation, context):
    yield Observed("log", data_version="1", metadata={"data_time": "2026-01-05T08:00:00Z"})
"""


class Shop:
    """A project whose prices were made at noon, in twenty minutes, and the time that it is."""

    def __init__(self, folder: Folder, clock: Clock) -> None:
        self.folder, self._clock = folder, clock
        folder.write("assetry.toml", 'modules = ["shop"]\n[integrations.mill]\nkind = "mill"\n')
        folder.write("shop.py", ASSETS)
        folder.write("assetry_plugins.py", PLUGIN)
        folder.call("materialize", "-q")
        with Project.load(folder.root) as project:
            made = project.store.latest()[AssetKey("prices"), None]
            began = NOON - timedelta(minutes=20)
            project.store.append([], [replace(made, at=NOON, as_of=began, seconds=1200.0)])

    def at(self, hour: int, minute: int = 0) -> None:
        self._clock.set(NOON.replace(hour=hour, minute=minute))

    def state(self, key: str) -> Any:
        return {each["key"]: each for each in self.folder.json("status")["assets"]}[key]["freshness"]


@pytest.fixture
def shop(folder: Folder) -> Iterator[Shop]:
    with Clock(NOON, stopped=True) as clock:
        yield Shop(folder, clock)


def test_data_is_new_enough_then_at_risk_then_overdue_and_made_anew(shop: Shop) -> None:
    call = shop.folder.call
    met = {
        "state": "met",
        "data_time": "2026-01-05T11:40:00+00:00",
        "deadline": "2026-01-05T12:40:00+00:00",
        "text": "its data is of 2026-01-05 11:40:00 UTC, and may lie 1 hour behind at most",
    }
    shop.at(12, 10)
    assert shop.state("prices") == met
    said = call("status", "-s", "prices", "--exit-code").stdout
    assert "     met  1 freshness policy" in said
    assert [line for line in said.splitlines() if "prices" in line and "next" not in line] == []
    assert f"     met  prices: {met['text']}" in call("status", "-s", "prices", "-v").stdout

    shop.at(12, 30)
    newer = "its data is of 2026-01-05 11:40:00 UTC, and newer is due at 2026-01-05 12:40:00 UTC, which takes 20 min"
    assert shop.state("prices") == {**met, "state": "at_risk", "text": newer}
    assert f" at risk  prices: {newer}" in call("status", "-s", "prices", "--exit-code").stdout
    assert call("plan", "--stale").stdout.startswith("Nothing to run")

    shop.at(12, 50)
    assert shop.state("prices") == {
        **met,
        "state": "overdue",
        "text": f"{met['text']}: overdue since 2026-01-05 12:40:00 UTC",
    }
    text = "overdue: data of `prices` may lie 1 hour behind at most, and is of 2026-01-05 11:40:00 UTC"
    said = call("status", "-s", "prices", "--exit-code", code=4).stdout
    assert said.count("overdue") == 1, "it is told once"
    assert f"   stale  prices: {text}" in said
    shown = " ".join(call("show", "prices").stdout.split())
    assert "freshness data at most 1 hour behind" in shown
    assert f"{met['text']}: overdue since" in shown
    (planned,) = shop.folder.json("plan", "--stale")["invocations"]
    assert planned["because"] == {"prices": text}


def test_a_dashboard_is_as_old_as_what_it_shows(shop: Shop) -> None:
    shop.at(14)
    assert shop.state("board")["state"] == "met"
    shop.at(15)
    assert shop.state("board")["state"] == "overdue"
    # Of the two that want newer data, the one is told that wants the newest.
    (planned,) = shop.folder.json("plan", "--stale")["invocations"]
    assert "data of `prices`" in planned["because"]["prices"]
    assert shop.state("board")["deadline"] == "2026-01-05T14:40:00+00:00"


def test_what_nothing_here_loads_stays_overdue_and_is_unknown_before_it_was_seen(shop: Shop) -> None:
    call = shop.folder.call
    shop.at(10)
    assert shop.state("log") == {
        "state": "unknown",
        "data_time": None,
        "deadline": None,
        "text": "nothing is known of how old `log` is",
    }
    call("status", "-s", "log", "--exit-code")
    call("observe", "-q")
    assert shop.state("log")["state"] == "met"
    shop.at(11, 30)
    told = call("status", "-s", "log", "--exit-code", code=4)
    late = "and may lie 3 hours behind at most: overdue since 2026-01-05 11:00:00 UTC"
    assert f" overdue  log: its data is of 2026-01-05 08:00:00 UTC, {late}" in told.stdout
    assert told.stderr == "", "nothing here brings it up to date"


def test_partitions_are_made_anew_whose_data_is_too_old(shop: Shop) -> None:
    shop.folder.write("shop.py", ASSETS + REGIONS)
    shop.folder.call("materialize", "-s", "stock", "-p", "all", "-q")
    with Project.load(shop.folder.root) as project:
        made = project.store.latest([AssetKey("stock")])
        for (_, partition), hours in zip(made, (0, 1), strict=True):
            at = NOON - hours * timedelta(hours=1)
            project.store.append([], [replace(made[AssetKey("stock"), partition], at=at, as_of=at)])
    shop.at(12, 30)
    for _ in range(2):  # from the records, and from what is kept beside them
        found = {each["key"]: each for each in shop.folder.json("status")["assets"]}["stock"]
        assert (found["status"], found["freshness"]["state"]) == ("stale", "overdue")
        assert found["partitions"]["sets"] == {"fresh": [["de", "de"]], "stale": [["fr", "fr"]]}
    assert shop.state("stock")["data_time"] == "2026-01-05T11:00:00+00:00"
