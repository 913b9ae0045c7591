from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from assetry import Project
from assetry.cli.runs.status import cause_lines
from assetry.cli.text import shown
from assetry.graph.graph import AssetGraph
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.parts import Parts
from assetry.status.partitions.sets import PartitionSets
from assetry.status.staleness import Status
from assetry.testing import eventually
from assetry.types.assets import Asset
from assetry.types.keys import AssetKey
from assetry.types.records import RunInfo
from assetry.views.causes import Cause, held_back
from click import unstyle

if TYPE_CHECKING:
    from conftest import Folder


def test_json_has_the_contracts_shape(shop: Folder) -> None:
    data = shop.json("status")
    assert data["counts"] == {"never": 3}
    for asset in data["assets"]:
        assert set(asset) >= {"key", "status", "reasons", "last_materialized", "run"}
        assert asset["last_materialized"] is None
    shop.call("materialize", "-q")
    data = shop.json("status")
    assert data["counts"] == {"fresh": 3}
    assert data["assets"][0]["last_materialized"].endswith("+00:00")
    assert data["assets"][0]["run"]


def test_exit_code_tells_whether_something_is_stale(shop: Folder) -> None:
    shop.call("status", "--exit-code", code=4)
    shop.call("materialize", "-q")
    result = shop.call("status", "--exit-code")
    assert result.stdout == "3 assets: 3 fresh\n"
    assert result.stderr == ""


CHANGED = ("[3, 1, 2]", "[3, 1, 2, 4]")


def change(shop: Folder, before: str, after: str) -> None:
    shop.write("shop_assets.py", (shop.root / "shop_assets.py").read_text().replace(before, after))


def test_a_change_stands_once_with_how_many_are_below_it_and_whom_to_ask(shop: Folder) -> None:
    shop.call("materialize", "-q")
    change(shop, *CHANGED)
    lines = shop.call("status").stdout.splitlines()
    assert lines[0] == "3 assets: 3 stale from 1 root"
    assert lines[1].startswith("   stale  orders: ")
    assert "changed" in lines[1]
    assert lines[2:] == ["          2 below it are stale; ask data@example.com"]
    named = shop.call("status", "--by", "asset").stdout.splitlines()
    assert named[:2] == lines[:2]
    assert named[2] == "          2 below it are stale: shop/total and report; ask data@example.com"


def test_json_has_the_roots_and_the_assets_of_each(shop: Folder) -> None:
    shop.call("materialize", "-q")
    assert shop.json("status")["roots"] == []
    change(shop, *CHANGED)
    for by in ("root", "asset"):
        data = shop.json("status", "--by", by)
        (root,) = data["roots"]
        assert (root["assets"], root["status"], root["codes"]) == (["orders"], "stale", ["code_changed"])
        assert (root["owners"], root["counts"]) == (["data@example.com"], {"stale": 2})
        assert root["below"] == ["shop/total", "report"]
        assert [each["roots"] for each in data["assets"]] == [["orders"]] * 3
    # What is selected may be out of date from what is not.
    (root,) = shop.json("status", "-s", "report")["roots"]
    assert (root["assets"], root["counts"]) == (["orders"], {"stale": 1})
    shown = shop.json("show", "report")["asset"]
    assert shown["roots"] == [{"key": "orders", "owners": ["data@example.com"]}]
    assert "ask        data@example.com" in shop.call("show", "report").stdout


def test_a_failure_is_told_with_what_it_stopped(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    text = failing.call("status").stdout
    assert "failed  shop/total: the last attempt failed: " in text
    assert "no sum today" in text
    assert "1 fresh, 1 failed, 1 never made" in text
    assert "          1 below it was never made" in text.splitlines()


def test_checks_that_warned_are_told(shop: Folder) -> None:
    shop.write("shop_assets.py", WARNING)
    shop.call("materialize", "-q")
    assert "  warned  a: check few: too few" in shop.call("status").stdout.splitlines()
    assert shop.json("status")["assets"][0]["warnings"] == [{"check": "few", "message": "too few", "partition": None}]
    assert "warned" not in shop.call("status", "-s", "b").stdout
    shop.write("shop_assets.py", WARNING.replace("False", "True"))
    shop.call("materialize", "-q")
    assert "warned" not in shop.call("status").stdout


WARNING = """
from assetry import CheckResult, asset, asset_check

@asset
def a():
    return 1

@asset
def b():
    return 2

@asset_check(asset=a, severity="warn")
def few(x) -> CheckResult:
    return CheckResult(False, "too few")
"""


def test_selection_and_ndjson(shop: Folder) -> None:
    assert [line["key"] for line in shop.ndjson("status", "-s", "total+")] == ["shop/total", "report"]


def test_many_assets_of_one_cause_are_counted() -> None:
    keys = tuple(AssetKey(f"a{i}") for i in range(30))
    never = Cause(keys, "never", (), "never materialized")
    assert next(iter(cause_lines([never]))).endswith("a0, a1, a2, a3 and 26 more: never materialized")
    assert "a29" in next(iter(cause_lines([never], None)))


def test_many_roots_are_counted_but_all_told_where_asked() -> None:
    roots = [Cause((AssetKey(f"a{i}"),), "stale", (), "its body changed") for i in range(30)]
    told = list(cause_lines(roots))
    assert told[-1] == "          and 10 further roots; -v names them"
    assert len(told) == 21
    assert len(list(cause_lines(roots, None))) == len(list(cause_lines(roots, names=True))) == 30


def test_new_content_is_told_by_its_own_words() -> None:
    raw = Cause((AssetKey("raw"),), "stale", (), "`raw` was made anew at noon", named=True)
    assert [unstyle(shown(line)) for line in cause_lines([raw])] == ["   stale  `raw` was made anew at noon"]


FAILING = """
from pathlib import Path
from assetry import asset

def stop(name):
    if Path(name).exists():
        raise ValueError(f"there is a file {name}")

@asset
def raw():
    stop("raw.off")
    return [1]

@asset
def sums(raw):
    stop("sums.off")
    return sum(raw)
"""


def test_what_failed_stays_so_while_later_runs_only_skip_it(shop: Folder) -> None:
    shop.write("shop_assets.py", FAILING)
    shop.call("materialize", "-q")
    shop.write("sums.off", "")
    shop.call("materialize", "-q", code=1)
    (shop.root / "sums.off").unlink()
    shop.write("raw.off", "")
    shop.call("materialize", "-q", code=1)
    (shop.root / "raw.off").unlink()
    shop.call("materialize", "-q", "-s", "raw")
    data = shop.json("status")
    assert {each["key"]: each["status"] for each in data["assets"]} == {"raw": "fresh", "sums": "failed"}
    assert "there is a file sums.off" in data["assets"][1]["reasons"][0]["text"]
    shop.call("materialize", "-q", "--stale")
    assert shop.json("status")["counts"] == {"fresh": 2}


def advice(folder: Folder, *arguments: str) -> str:
    return folder.call("status", *arguments).stderr.replace(f" -C {folder.root}", "")


def test_the_advice_is_to_make_what_can_be_made(failing: Folder) -> None:
    """What failed, and what waits for that, is mended by no further run."""
    failing.call("materialize", "-q", code=1)
    told = advice(failing)
    first = "First mend what failed or is gone, as told above; "
    assert told.startswith(f"{first}then `assetry materialize --stale` makes what is left.")
    text = (failing.root / "shop_assets.py").read_text()
    failing.write("shop_assets.py", text.replace("[3, 1, 2]", "[3, 1]"))
    others = "the other 2 only once what failed or is gone is mended, as told above."
    assert f"`assetry materialize --stale` brings 1 of it up to date; {others}" in advice(failing)
    only = advice(failing, "-s", "orders")
    assert only.startswith("`assetry materialize --stale -s orders` brings it up to date; ")


def began(event: dict[str, Any], key: str) -> bool:
    return event["event"] == "started" and event["asset"] == key


def test_the_advice_takes_along_what_has_to_be_made_first(shop: Folder) -> None:
    shop.call("materialize", "-q")
    shop.write("shop_assets.py", (shop.root / "shop_assets.py").read_text().replace("[3, 1, 2]", "[3, 1, 2, 4]"))
    advice = shop.call("status", "-s", "report").stderr.replace(f" -C {shop.root}", "")
    assert advice.startswith(
        "`assetry materialize --stale -s +report` brings it up to date, with what it is made from; "
        "`assetry plan --stale -s +report` shows how."
    )
    advice = shop.call("status", "-s", "total report").stderr
    assert "`assetry materialize --stale -s '+(total report)'" in advice
    assert "`assetry materialize --stale -s orders+" in shop.call("status", "-s", "orders+").stderr
    advice = shop.call("status", "--exclude", "orders").stderr.replace(f" -C {shop.root}", "")
    assert advice.startswith("`assetry materialize --stale` brings it up to date, with what it is made from")
    shop.call("materialize", "--stale", "-s", "+report", "-q")
    assert shop.call("status", "-s", "report", "--exit-code").stdout.strip() == "1 asset: 1 fresh"


def kill_at_slow(waiting: Folder) -> None:
    """Kill a run while it makes `slow`."""
    with waiting.process("materialize", "-q") as run:
        waiting.wait_for_slow(run)
        # That it has begun is recorded a moment after it has.
        assert eventually(lambda: any(began(each, "slow") for each in waiting.ndjson("logs")), 60)
        run.kill()
        run.wait(60)


def test_what_was_interrupted_needs_no_mending_but_a_retry(waiting: Folder) -> None:
    kill_at_slow(waiting)
    assert {each["key"]: each["status"] for each in waiting.json("status")["assets"]}["slow"] == "failed"
    told = advice(waiting)
    assert "slow was interrupted: `assetry retry` goes on with what that run left." in told
    assert "`assetry materialize --stale` brings it up to date" in told
    assert "mended" not in told
    (waiting.root / "go").touch()
    waiting.call("retry", "-q")
    assert waiting.json("status")["counts"] == {"fresh": 3}


def test_of_what_was_interrupted_the_run_is_named_when_another_came_after_it(waiting: Folder) -> None:
    kill_at_slow(waiting)
    killed = waiting.json("runs")["runs"][0]["run"]
    waiting.call("materialize", "-q", "-s", "quick")
    assert f"slow was interrupted: `assetry retry {killed}` goes on with what that run left." in advice(waiting)


def test_what_was_interrupted_and_is_being_made_anew_needs_no_retry(waiting: Folder) -> None:
    kill_at_slow(waiting)
    slow = AssetKey("slow")
    with closing(Project.load(waiting.root)) as project:
        store, at = project.store, datetime.now(UTC)
        lease = store.lease("r-other", {slow: None}).lease
        store.begin(RunInfo(id="r-other", state="running", started=at, assets=(slow,)), lease)
        result = waiting.call("status")
        assert "slow: is being made anew by run r-other\n" in result.stdout
        assert "is gone" not in result.stdout
        assert "was interrupted" not in result.stderr, "a retry would want slow, too"
        store.finish("r-other", "cancelled", at)
    assert "slow was interrupted: `assetry retry" in advice(waiting)


def test_a_run_that_was_killed_before_it_began_with_anything_is_told(shop: Folder) -> None:
    shop.call("materialize", "-q")
    with closing(Project.load(shop.root)) as project:
        at = datetime.now(UTC)
        run = RunInfo(id="r-killed", state="running", started=at, assets=(AssetKey("orders"), AssetKey("report")))
        project.store.finish(run.id, "interrupted", at, lease=project.store.begin(run))
    told = "Run r-killed was interrupted, and orders and report are left of it: `assetry retry` makes them."
    assert told in advice(shop)
    assert advice(shop, "-s", "shop/total") == ""
    data = {"run": "r-killed", "command": "assetry retry", "assets": ["orders", "report"]}
    assert shop.json("status")["interrupted"] == [data]
    shop.call("materialize", "-q", "-s", "shop/total")
    assert told.replace("assetry retry", "assetry retry r-killed") in advice(shop)
    shop.call("retry", "r-killed", "-q")
    assert shop.json("status")["interrupted"] == []


def killed(shop: Folder, run: RunInfo) -> None:
    """Record a run that was killed before it had begun with anything."""
    with closing(Project.load(shop.root)) as project:
        project.store.finish(run.id, "interrupted", datetime.now(UTC), lease=project.store.begin(run))


def test_what_is_fresh_and_all_above_it_was_made_since_is_not_left_of_a_killed_run(shop: Folder) -> None:
    shop.call("materialize", "-q")
    keys = tuple(map(AssetKey, ("orders", "shop/total", "report")))
    killed(shop, RunInfo(id="r-killed", state="running", started=datetime.now(UTC), assets=keys))
    shop.call("materialize", "-q", "-s", "shop/total")
    assert "orders and report are left of it: `assetry retry r-killed` makes them." in advice(shop)
    shop.call("materialize", "-q", "-s", "orders")
    assert shop.json("status")["counts"] == {"fresh": 3}
    assert advice(shop) == ""
    assert shop.json("status")["interrupted"] == []
    assert shop.call("retry").stdout.startswith("Nothing is left of run ")


def test_what_is_fresh_is_left_of_a_killed_run_that_was_to_make_all_in_full(shop: Folder) -> None:
    shop.call("materialize", "-q")
    keys, options = (AssetKey("orders"), AssetKey("report")), {"full_refresh": True}
    killed(shop, RunInfo(id="r-full", state="running", started=datetime.now(UTC), assets=keys, options=options))
    shop.call("materialize", "-q", "-s", "orders")
    assert "report is left of it: `assetry retry r-full` makes it." in advice(shop)


def test_what_is_out_of_date_below_what_was_made_since_is_left_of_a_killed_run(shop: Folder) -> None:
    shop.call("materialize", "-q")
    keys = (AssetKey("orders"), AssetKey("shop/total"))
    killed(shop, RunInfo(id="r-killed", state="running", started=datetime.now(UTC), assets=keys))
    text = (shop.root / "shop_assets.py").read_text()
    shop.write("shop_assets.py", text.replace(*CHANGED))
    shop.call("materialize", "-q", "-s", "orders")
    assert "shop/total is left of it: `assetry retry r-killed` makes it." in advice(shop)


def test_what_is_being_made_is_told_once(shop: Folder) -> None:
    shop.call("materialize", "-q")
    text = (shop.root / "shop_assets.py").read_text()
    shop.write("shop_assets.py", text.replace(*CHANGED))
    orders, total = AssetKey("orders"), AssetKey("shop/total")
    with closing(Project.load(shop.root)) as project:
        store, at = project.store, datetime.now(UTC)
        lease = store.lease("r-other", {orders: None, total: None}).lease
        store.begin(RunInfo(id="r-other", state="running", started=at, assets=(orders, total)), lease)
        told = shop.call("status").stdout
        store.finish("r-other", "cancelled", at)
    lines = [line.split()[1:] for line in told.splitlines() if line.split()[0] == "running"]
    assert lines == [["shop/total"], ["orders:", "its", "body", "changed"]]


def test_a_failed_check_of_what_is_made_elsewhere_holds_back_what_is_below() -> None:
    raw, a = Asset(key="raw", kind="x", executable=False), Asset(key="a", kind="x", deps=["raw"])
    b = Asset(key="b", kind="x")
    graph = AssetGraph.of([raw, a, b])
    found = [Status(each.key, "never", roots=(each.key,)) for each in (a, b)]
    assert held_back(graph, found, [raw.key]) == {"a"}
    assert held_back(graph, found) == frozenset()


def test_what_has_partitions_that_did_not_fail_can_be_made_in_part() -> None:
    definition = StaticPartitionsDefinition(["x", "y", "z"])
    graph = AssetGraph.of([Asset(key="a", kind="x", partitions_def=definition)])
    some, others = definition.parts_of("xy"), definition.parts_of("z")

    def held(**parts: Parts) -> frozenset[AssetKey]:
        sets = PartitionSets(definition, definition.parts_of("xyz"), **parts)
        return held_back(graph, [Status(AssetKey("a"), "failed", partitions=sets, roots=(AssetKey("a"),))])

    assert held(failed=some, missing=others) == frozenset()
    assert held(failed=some) == {"a"}


def test_a_command_in_a_long_failure_is_told_whole(failing: Folder) -> None:
    text = (failing.root / "shop_assets.py").read_text()
    long = "The loader is not there. " * 12 + "Get it by `mill install loader`, or look elsewhere. " * 2
    failing.write("shop_assets.py", text.replace("no sum today", long))
    failing.call("materialize", "-q", code=1)
    [line] = [each for each in failing.call("status").stdout.splitlines() if "shop/total:" in each]
    assert line.endswith("… `mill install loader`")
    assert len(line) < 300


LOST = """
from pathlib import Path
from assetry.plugin import Asset, Failed, Log, Materialized, Observed, Relation, hookimpl


@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "mill":
        return None
    orders = Asset(key="orders", kind="mill", integration=integration, relation=Relation(None, "main", "orders"))
    return [orders, Asset(key="total", kind="mill", integration=integration, deps=["orders"])]


@hookimpl
def assetry_invoke(invocation):
    for asset in invocation.assets:
        if Path("bad").exists():
            yield Failed(asset.key, "no grain", hint="Buy some: `assetry show mill`.")
        else:
            yield Materialized(asset.key)


@hookimpl
def assetry_observe(invocation):
    yield Observed("orders", gone=True, hint="`assetry materialize --full-refresh -s orders` loads it again.")
    yield Observed("orders", gone=True)
"""


@pytest.fixture
def mill(folder: Folder) -> Folder:
    folder.write("assetry.toml", '[integrations.mill]\nkind = "mill"\n')
    folder.write("assetry_plugins.py", LOST)
    return folder


def test_the_next_step_that_a_tool_says_of_what_is_gone_is_told(mill: Folder) -> None:
    mill.call("materialize", "-q")
    hint = "`assetry materialize --full-refresh -s orders` loads it again."
    for _ in range(2):
        observed = mill.call("observe").stdout
        assert observed.endswith("1 asset observed, 0 with new content, 1 gone\n")
    told = mill.call("status").stdout.replace(f" -C {mill.root}", "")
    assert f"   stale  orders: its table main.orders is gone\n          {hint}\n" in told
    assert "--stale` brings it up to date" not in advice(mill)
    assert "First mend what failed or is gone, as told above; " in advice(mill)
    assert hint in mill.call("show", "orders").stdout.replace(f" -C {mill.root}", "")
    data = mill.json("status")
    assert data["assets"][0]["reasons"][0]["hint"] == hint
    assert data["roots"][0]["hints"] == [hint]
    assert mill.json("show", "orders")["asset"]["reasons"][0]["hint"] == hint
    mill.call("materialize", "-q", "--full-refresh")
    assert mill.json("status")["counts"] == {"fresh": 2}


def test_a_look_that_failed_is_told_also_to_who_asked_for_quiet(mill: Folder) -> None:
    mill.write("assetry_plugins.py", f"{LOST}    raise ValueError('the mill is closed')\n")
    mill.call("materialize", "-q")
    told = mill.call("observe", "-q", code=1)
    assert "error: " in told.stderr
    assert "the mill is closed" in told.stderr
    assert told.stdout == "1 asset observed, 0 with new content, 1 gone; 1 could not be looked at\n"
    assert mill.call("observe", code=1).stderr.count("the mill is closed") == 1


def test_the_next_step_of_a_failure_is_told_with_it(mill: Folder) -> None:
    mill.write("bad", "")
    mill.call("materialize", "-q", "-s", "orders", code=1)
    retry = mill.call("retry", code=1).stderr
    assert "Once that is mended, `assetry" in retry, "alone it fails again"
    told = mill.call("status").stdout.replace(f" -C {mill.root}", "")
    assert "failed  orders: the last attempt failed: no grain\n          Buy some: `assetry show mill`.\n" in told


def test_what_is_gone_is_told_once(mill: Folder) -> None:
    mill.call("materialize", "-q")
    told = [each for each in mill.ndjson("observe") if each["event"] == "observed"]
    assert [(each["asset"], each["gone"]) for each in told] == [("orders", True)]


POLICIES = """
from datetime import timedelta
from assetry import FreshnessPolicy, asset

@asset(freshness_policy=FreshnessPolicy(maximum_lag=timedelta(hours=1)))
def orders() -> int:
    return 1
"""


def test_that_an_asset_was_never_made_is_told_once(folder: Folder) -> None:
    folder.write("assets.py", POLICIES)
    told = folder.call("status").stdout
    assert told.count("orders") == 1
    assert "overdue" not in told
