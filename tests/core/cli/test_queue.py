"""The queue as people and programs see it, put in another order, and emptied."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.beside import until as until_within

if TYPE_CHECKING:
    from conftest import Folder

ASSETS = """
import time
from pathlib import Path
from assetry import asset


def wait_for(name):
    Path(f"{name}.began").touch()
    while not Path(f"{name}.go").exists():
        time.sleep(0.02)


@asset(pool="warehouse")
def slow() -> int:
    Path("started").touch()
    wait_for("slow")
    return 1


@asset(pool="warehouse")
def other() -> int:
    wait_for("other")
    return 2


@asset(pool="warehouse")
def third() -> int:
    return 3
"""


@pytest.fixture
def pooled(shop: Folder) -> Folder:
    shop.write("assetry.toml", 'modules = ["shop_assets"]\n[pools.warehouse]\nlimit = 1\n')
    shop.write("shop_assets.py", ASSETS)
    return shop


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(pooled: Folder) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(*arguments: str) -> subprocess.Popen[str]:
            process = stack.enter_context(pooled.process("materialize", "-q", *arguments))
            stack.callback(process.kill)
            return process

        yield start


until = partial(until_within, seconds=60)


def queue(folder: Folder) -> list[Any]:
    found: list[Any] = folder.json("queue")["queue"]
    return found


def waiting(folder: Folder, count: int) -> None:
    until(lambda: sum(each["state"] == "waiting" for each in queue(folder)) == count)


def test_an_empty_queue(shop: Folder) -> None:
    assert shop.call("queue").stdout == "Nothing runs, and nothing waits.\n"
    assert shop.json("queue") == {"version": 1, "queue": []}


def test_it_tells_what_runs_and_what_waits_for_whom(pooled: Folder, start: Start) -> None:
    first = start("-s", "slow")
    pooled.wait_for_slow(first)
    second = start("-s", "slow", "--on-conflict", "wait")
    waiting(pooled, 1)
    third = start("-s", "third")
    waiting(pooled, 2)
    by_kind = {
        (each["kind"], each["state"]): each for each in queue(pooled) if each["run"] or each["assets"] == ["slow"]
    }
    running, queued, pool = (
        by_kind[place] for place in (("run", "running"), ("run", "waiting"), ("invocation", "waiting"))
    )
    assert [each["pool"] for each in running["slots"]] == ["warehouse"]
    assert (queued["assets"], queued["waits_for"]["runs"], queued["class"]) == (["slow"], [running["id"]], "person")
    assert (pool["waits_for"]["pool"], pool["waits_for"]["runs"]) == ("warehouse", [running["id"]])
    assert pool["waits_for"]["since"] >= running["since"]
    text = pooled.call("queue").stdout
    assert re.search(rf"running +person +.* +{running['id']} +slow; has warehouse", text)
    assert re.search(rf"waiting +person +.* +{queued['id']} +waits for run {running['id']}: slow", text)
    assert f"waits for a slot of pool warehouse, held by run {running['id']} since" in text
    assert [json.loads(line)["id"] for line in pooled.call("queue", "--output", "ndjson").stdout.splitlines()]
    for name in ("slow.go", "other.go"):
        (pooled.root / name).touch()
    assert [each.wait(60) for each in (first, second, third)] == [0, 0, 0]
    assert queue(pooled) == []


def test_what_waits_in_the_queue_can_be_cancelled(pooled: Folder, start: Start) -> None:
    first = start("-s", "slow")
    pooled.wait_for_slow(first)
    second = start("-s", "slow", "--on-conflict", "wait")
    waiting(pooled, 1)
    (queued,) = [each for each in queue(pooled) if each["state"] == "waiting"]
    assert pooled.json("cancel", queued["id"]) == {"version": 1, "run": queued["id"], "state": "cancelled"}
    assert second.wait(60) == 130
    assert first.poll() is None
    assert "waits to begin" not in pooled.call("retry", "--help").stdout


def test_one_that_waits_is_no_run_to_retry(pooled: Folder, start: Start) -> None:
    first = start("-s", "slow")
    pooled.wait_for_slow(first)
    start("-s", "slow", "--on-conflict", "wait")
    waiting(pooled, 1)
    (queued,) = [each for each in queue(pooled) if each["state"] == "waiting"]
    assert "waits to begin" in pooled.call("retry", queued["id"], code=2).stderr


def test_what_is_bumped_comes_first(pooled: Folder, start: Start) -> None:
    first = start("-s", "slow")
    pooled.wait_for_slow(first)
    start("-s", "other")
    waiting(pooled, 1)
    start("-s", "third")
    waiting(pooled, 2)
    ids = [each["run"] for each in queue(pooled) if each["state"] == "waiting"]
    from assetry.store.sqlite import SQLiteStore

    store = SQLiteStore(pooled.root / ".assetry" / "state.db")
    for id_ in ids:
        store.prioritize(id_, 50)
    assert [each["class"] for each in queue(pooled) if each["state"] == "waiting"] == ["backfill"] * 2
    assert pooled.json("bump", ids[1]) == {"version": 1, "id": ids[1], "priority": 0}
    assert [each["run"] for each in queue(pooled) if each["state"] == "waiting"] == [ids[1], ids[0]]
    (pooled.root / "slow.go").touch()
    until(lambda: pooled.json("runs")["runs"][0]["state"] == "succeeded")
    assert first.wait(60) == 0
    store.close()


def test_what_has_ended_cannot_be_bumped(shop: Folder) -> None:
    shop.call("materialize", "-q")
    run = shop.json("runs")["runs"][0]["run"]
    assert "has ended" in shop.call("bump", run, code=2).stderr
    assert "There is no run 'x'" in shop.call("bump", "x", code=2).stderr
