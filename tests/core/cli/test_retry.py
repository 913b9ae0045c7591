from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from assetry import Project
from assetry.types.keys import AssetKey
from assetry.types.records import RunInfo

if TYPE_CHECKING:
    from conftest import Folder


def test_it_runs_what_is_left(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    text = (failing.root / "shop_assets.py").read_text()
    failing.write("shop_assets.py", text.replace('raise ValueError("no sum today")', "return sum(orders)"))
    data = failing.json("retry")
    assert {asset["key"] for asset in data["assets"]} == {"shop/total", "report"}
    assert "retry of" in failing.call("runs").stdout
    assert failing.call("retry").stdout.startswith("Nothing is left of run ")


def test_what_was_mended_above_what_is_left_is_named(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    assert "changed since" not in failing.call("retry", code=1).stderr
    text = (failing.root / "shop_assets.py").read_text()
    failing.write("shop_assets.py", text.replace("return [3, 1, 2]", "return [3, 1, 4]"))
    told = failing.call("retry", code=1).stderr
    assert "orders changed since and is not made again by a retry: `assetry materialize --stale" in told


def test_a_run_may_be_named_by_its_beginning(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    run = failing.json("runs")["runs"][0]["run"]
    failing.call("retry", run[:-2], "-q", code=1)
    assert failing.json("runs")["runs"][0]["options"]["retry_of"] == run


def test_without_a_run_it_says_so(shop: Folder) -> None:
    assert "There is no run yet." in shop.call("retry", code=2).stderr
    assert "There is no run 'abc'." in shop.call("retry", "abc", code=2).stderr


SOURCE = """
from pathlib import Path
from assetry.plugin import Asset, Check, Checked, InvocationGroup, Materialized, Skipped, hookimpl


@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "mill":
        return None
    return [
        Asset(key="raw", kind="mill", integration=integration, executable=False, checks=[Check("unique")]),
        Asset(key="orders", kind="mill", integration=integration, deps=["raw"]),
    ]


@hookimpl
def assetry_invocation_group(asset):
    return InvocationGroup("mill")


@hookimpl
def assetry_invoke(invocation):
    good = Path("good").exists()
    for check in invocation.checks:
        yield Checked(check.key, check.check, good, message="two rows of one id")
    for asset in invocation.assets:
        asked = bool(invocation.checks)
        yield Materialized(asset.key) if good or not asked else Skipped(asset.key, "check unique of raw failed")
"""


def test_a_failed_check_of_what_is_made_elsewhere_is_told_and_run_again(folder: Folder) -> None:
    folder.write("assetry.toml", '[integrations.mill]\nkind = "mill"\n')
    folder.write("assetry_plugins.py", SOURCE)
    folder.call("materialize", code=1)
    assert "failed  raw: check unique: two rows of one id" in folder.call("status").stdout
    folder.call("retry", code=1)
    folder.call("materialize", "--stale", code=1)
    folder.write("good", "")
    assert {asset["outcome"] for asset in folder.json("retry")["assets"]} == {"materialized"}
    assert "failed" not in folder.call("status").stdout


def test_what_is_no_longer_defined_is_not_said_to_be_made(folder: Folder) -> None:
    folder.write("assets.py", "from assetry import asset\n@asset\ndef one():\n    return 1 / 0\n")
    folder.call("materialize", code=1)
    folder.write("assets.py", "from assetry import asset\n@asset\ndef other():\n    return 1\n")
    result = folder.call("retry", code=2)
    assert "did not make one, and no definition here has that key now." in result.stderr


def began(folder: Folder, run: str, *keys: str) -> None:
    """Record a run that was killed before it had begun with anything."""
    with closing(Project.load(folder.root)) as project:
        at = datetime.now(UTC)
        info = RunInfo(id=run, state="running", started=at, assets=tuple(map(AssetKey, keys)))
        project.store.finish(run, "interrupted", at, lease=project.store.begin(info))


def test_the_one_run_that_has_something_left_is_taken_when_another_came_after_it(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    run = failing.json("runs")["runs"][0]["run"]
    failing.call("materialize", "-q", "-s", "orders")
    assert f"run {run} is gone on with" in failing.call("retry", code=1).stderr
    assert failing.json("runs")["runs"][0]["options"]["retry_of"] == run


def test_runs_that_have_something_left_are_named(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    run = failing.json("runs")["runs"][0]["run"]
    began(failing, "r-killed", "orders")
    failing.write("lonely.py", "from assetry import asset\n@asset\ndef lonely():\n    return 1\n")
    failing.write("assetry.toml", (failing.root / "assetry.toml").read_text().replace('s"]', 's", "lonely"]'))
    failing.call("materialize", "-q", "-s", "lonely")
    told = failing.call("retry", code=2).stderr.replace(f" -C {failing.root}", "")
    assert f"`assetry retry r-killed` (orders); `assetry retry {run}` (shop/total and report)" in told
    failing.call("retry", "r-killed", "-q")
    assert f"run {run} is gone on with" in failing.call("retry", code=1).stderr


def test_what_a_later_run_was_to_make_as_well_is_left_to_that_one(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    failing.call("materialize", "-q", code=1)
    run = failing.json("runs")["runs"][0]["run"]
    failing.call("materialize", "-q", "-s", "orders")
    failing.call("retry", "-q", code=1)
    assert failing.json("runs")["runs"][0]["options"]["retry_of"] == run
