from __future__ import annotations

from collections.abc import Callable
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


def goes_on(folder: Folder, run: str, key: str, test: Callable[[], None]) -> None:
    """Call a test while a run of an asset goes on."""
    with closing(Project.load(folder.root)) as project:
        at, own = datetime.now(UTC), (AssetKey(key),)
        lease = project.store.lease(run, {own[0]: None}).lease
        project.store.begin(RunInfo(id=run, state="running", started=at, assets=own), lease)
        test()
        project.store.finish(run, "cancelled", at)


def test_a_run_that_goes_on_is_passed_over_unless_it_is_named(failing: Folder) -> None:
    failing.write("lonely.py", "from assetry import asset\n@asset\ndef lonely():\n    return 1\n")
    failing.write("assetry.toml", (failing.root / "assetry.toml").read_text().replace('s"]', 's", "lonely"]'))

    def only_that() -> None:
        told = failing.call("retry", code=2).stderr
        assert "No run has ended yet: the last one, r-first, still goes on." in told
        assert "assetry cancel" not in told

    goes_on(failing, "r-first", "lonely", only_that)
    failing.call("materialize", "-q", code=1)
    run = failing.json("runs")["runs"][0]["run"]

    def another() -> None:
        assert "Run r-other is still running." in failing.call("retry", "r-other", code=2).stderr
        failing.call("retry", "-q", code=1)
        newest = failing.json("runs")["runs"][0]
        assert newest["options"]["retry_of"] == run

    goes_on(failing, "r-other", "lonely", another)


PARTS = """
from pathlib import Path
from assetry import AssetContext, StaticPartitionsDefinition, asset


@asset(partitions_def=StaticPartitionsDefinition(["a", "b", "c"]))
def p(context: AssetContext) -> str:
    if context.partition == "a" and not Path("good").exists():
        raise ValueError("no a")
    return context.partition


@asset
def other() -> int:
    if not Path("good").exists():
        raise ValueError("no other")
    return 1
"""


def test_what_a_backfill_has_left_is_left_to_that(shop: Folder) -> None:
    shop.write("shop_assets.py", PARTS)
    shop.call("materialize", "-q", "-s", "other", code=1)
    first = shop.json("runs")["runs"][0]["run"]
    call = ("backfill", "cc", "-s", "p", "-p", "all", "--retries", "0", "--max-partitions", "1")
    shop.call(*call, code=1)
    id_ = shop.json("backfills")["backfills"][0]["id"]
    command = f"`assetry backfill --resume {id_} --failed"
    assert f"Correct the function, then run {command}" in shop.call("status", "-s", "p").stdout
    told = shop.call("retry", code=2).stderr
    assert "What was left undone last, p, is of backfill cc." in told
    assert command in told
    assert f"`assetry retry {first}" in told
    runs = shop.json("runs")["runs"]
    assert runs[0]["options"].get("retry_of") is None
    failed = next(each["run"] for each in runs if each["state"] == "failed")
    named = shop.call("retry", failed, code=1)
    again = shop.json("runs")["runs"][0]["run"]
    assert f"Once that is mended, `assetry retry {again}" in named.stderr
    (shop.root / "good").touch()
    shop.call("backfill", "--resume", id_, "--failed", "-q")
    assert f"run {first} is gone on with" in shop.call("retry").stderr
    assert shop.call("retry").stdout.startswith("Nothing is left of run ")
    assert shop.json("status")["counts"] == {"fresh": 2}


def test_what_a_backfill_has_left_and_was_made_since_is_not_left(shop: Folder) -> None:
    shop.write("shop_assets.py", PARTS)
    shop.call("backfill", "cc", "-s", "p", "-p", "all", "--retries", "0", code=1)
    (shop.root / "good").touch()
    shop.call("materialize", "-q", "-s", "p", "-p", "a")
    assert shop.call("retry").stdout.startswith("Nothing is left of run ")


def test_a_backfill_that_goes_on_is_told_only_where_nothing_else_is_left(shop: Folder) -> None:
    shop.write("shop_assets.py", PARTS)
    shop.call("backfill", "cc", "-s", "p", "-p", "all", "--retries", "0", code=1)
    id_ = shop.json("backfills")["backfills"][0]["id"]
    with closing(Project.load(shop.root)) as project:
        at = datetime.now(UTC)
        project.store.enqueue(RunInfo(id=id_, state="queued", started=at, options={"backfill": id_}), {})
        told = shop.call("retry", code=2).stderr
        assert "is of backfill cc, which still goes on." in told
        assert f"Once it has ended, `assetry backfill --resume {id_} --failed" in told
        shop.call("materialize", "-q", "-s", "other", code=1)
        run = shop.json("runs")["runs"][0]["run"]
        (shop.root / "good").touch()
        shop.call("retry", "-q")
        assert shop.json("runs")["runs"][0]["options"]["retry_of"] == run
        project.store.finish(id_, "cancelled", at)


def test_what_a_later_run_was_to_make_as_well_is_left_to_that_one(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    failing.call("materialize", "-q", code=1)
    run = failing.json("runs")["runs"][0]["run"]
    failing.call("materialize", "-q", "-s", "orders")
    failing.call("retry", "-q", code=1)
    assert failing.json("runs")["runs"][0]["options"]["retry_of"] == run
