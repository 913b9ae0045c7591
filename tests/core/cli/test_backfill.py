"""Backfills as commands: what they print, how they end, and what becomes of them when their process does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.beside import until as until_within

if TYPE_CHECKING:
    from conftest import Folder

ASSETS = '''
import time
from pathlib import Path
from assetry import AssetContext, DailyPartitionsDefinition, asset
from assetry.run import threads

threads.GRACE = 0.1  # it does not look whether it is cancelled
DAYS = DailyPartitionsDefinition("2026-01-01", end_date="2026-01-07")


def made(name: str, day: str) -> str:
    """Note that something is made; hold it while a file says so, fail while another one does."""
    Path(f"{name}.{day}.began").touch()
    deadline = time.monotonic() + 120
    while Path(f"hold.{day}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    if Path(f"break.{day}").exists():
        raise ValueError(f"no {name} on this day")
    with Path("made").open("a") as file:
        file.write(f"{name} {day}\\n")
    return day


@asset(partitions_def=DAYS)
def orders(context: AssetContext) -> str:
    return made("orders", context.partition)


@asset(partitions_def=DAYS)
def report(context: AssetContext, orders: str) -> str:
    return made("report", context.partition)
'''
DAYS = [f"2026-01-0{day}" for day in range(1, 7)]
ALL = Counter(f"{name} {day}" for day in DAYS for name in ("orders", "report"))
LONG = 60


@pytest.fixture
def days(shop: Folder) -> Folder:
    shop.write("shop_assets.py", ASSETS)
    return shop


def made(days: Folder) -> Counter[str]:
    file = days.root / "made"
    return Counter(file.read_text().splitlines() if file.exists() else ())


until = partial(until_within, seconds=LONG)


def begun(days: Folder, process: subprocess.Popen[str], name: str) -> None:
    """Wait until a process makes a partition."""

    def seen() -> bool:
        assert process.poll() is None, process.communicate()
        return (days.root / f"{name}.began").exists()

    until(seen)


def start(days: Folder, *arguments: str, **extra: Any) -> subprocess.Popen[str]:
    """Start a backfill of all, a day at a time."""
    return days.process("backfill", "-s", "*", "-p", "all", "--max-partitions", "1", *arguments, **extra)


# -- what it prints --------------------------------------------------------------------------------------------------


def test_it_tells_how_it_went_and_ends_with_0(days: Folder) -> None:
    result = days.call("backfill", "history", "-s", "*", "-p", "all", "--why", "a new column")
    first, asked, why, *assets = result.stdout.splitlines()
    assert first.startswith("done  backfill history (b")
    assert first.endswith("): 12 of 12 done")
    assert asked.strip().endswith(": -s * -p all")
    assert why.strip() == "why: a new column"
    assert [line.split() for line in assets] == [["orders", "6/6"], ["report", "6/6"]]
    assert "12 partitions of 2 assets." in result.stderr
    assert made(days) == ALL


def test_what_failed_is_told_and_it_ends_with_1(days: Folder) -> None:
    (days.root / "break.2026-01-03").touch()
    result = days.call("backfill", "-s", "*", "-p", "all", "--retries", "0", code=1)
    assert "10 of 12 done, 1 failed, 1 wait for these" in result.stdout
    assert "failed  orders [2026-01-03]: ValueError: no orders on this day" in result.stdout
    assert result.stderr.rstrip().endswith("tries what is left again; --failed only what failed.")
    _, line = days.call("backfills").stdout.splitlines()
    assert " 10/12  1       1        0" in line
    (days.root / "break.2026-01-03").unlink()
    told = days.json("backfill", "--resume", days.json("backfills")["backfills"][0]["id"], "--failed")
    assert (told["state"], told["done"], told["left"]) == ("done", 12, 0)
    assert made(days) == ALL


def test_a_dry_run_shows_the_plan_and_records_nothing(days: Folder) -> None:
    told = days.call("backfill", "-s", "*", "-p", "all", "--dry-run").stdout
    assert "orders [2026-01-01..2026-01-06]" in told
    assert "12 partitions of 2 assets. Made in one go it would be this plan; a backfill makes it in chunks." in told
    found = days.json("backfill", "-s", "*", "-p", "2026-01-02", "--dry-run")
    assert (found["partitions"], found["seconds"], len(found["plan"]["invocations"])) == (2, None, 2)
    assert days.json("backfills")["backfills"] == []
    assert made(days) == Counter()


def test_where_all_is_there_nothing_is_begun(days: Folder) -> None:
    days.call("backfill", "-q", "-s", "*", "-p", "all")
    assert days.call("backfill", "-s", "*", "-p", "all", "--only", "missing").stdout == (
        "Nothing to make: all of it is there.\n"
    )
    assert days.json("backfill", "-s", "*", "-p", "all", "--only", "stale") == {"version": 1, "wanted": 0, "left": 0}
    assert len(days.json("backfills")["backfills"]) == 1


def test_programs_hear_each_event_how_it_stands_and_how_it_ended(days: Folder) -> None:
    *lines, last = days.ndjson("backfill", "-s", "*", "-p", "all")
    told = [each for each in lines if each["event"] == "backfill"]
    assert [each["done"] for each in told] == sorted(each["done"] for each in told)
    assert {each["id"] for each in (*told, last)} == {last["id"]}
    assert sum(each.get("count", 0) for each in lines if each["event"] == "materialized") == 12
    assert (last["state"], last["wanted"], last["done"], last["left"], last["eta"]) == ("done", 12, 12, 0, None)


def test_the_list_has_all_newest_first_and_one_is_told_in_full(days: Folder) -> None:
    days.call("backfill", "one", "-q", "-s", "orders", "-p", "2026-01-01")
    days.call("backfill", "two", "-q", "-s", "orders", "-p", "2026-01-02", "--why", "it was wrong")
    head, *lines = days.call("backfills").stdout.splitlines()
    assert head.split() == ["BACKFILL", "NAME", "STATE", "ASKED", "DONE", "FAILED", "BLOCKED", "LEFT", "END", "WHY"]
    assert [line.split()[1:3] for line in lines] == [["two", "done"], ["one", "done"]]
    assert days.json("backfills", "two")["why"] == "it was wrong"
    assert days.call("cancel", "two").stdout.endswith(": is done already\n")
    assert "why: it was wrong" in days.call("backfills", "two").stdout
    assert "did you mean" in days.call("backfills", "twoo", code=2).stderr.lower()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-s", "*"), "Name them: -p 2026-01-01..2026-01-31, or -p all."),
        (("-s", "report", "-p", "all"), "ask for -s '+report', which is all that it is made from"),
        (("--resume", "b1", "-p", "all"), "Give --resume ID alone."),
        (("--resume", "b1", "--at-once", "2"), "Give --resume ID alone."),
        (("--failed",), "`assetry backfill -s SELECTION -p PARTS"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_next_step(days: Folder, arguments: tuple[str, ...], said: str) -> None:
    assert said in days.call("backfill", *arguments, code=2).stderr
    assert days.json("backfills")["backfills"] == []


# -- interrupted, called off, killed ---------------------------------------------------------------------------------


def test_one_that_is_killed_goes_on_and_makes_nothing_twice(days: Folder) -> None:
    (days.root / "hold.2026-01-03").touch()
    with start(days) as process:
        begun(days, process, "orders.2026-01-03")
        os.kill(process.pid, signal.SIGKILL)
    (found,) = days.json("backfills")["backfills"]
    assert (found["state"], found["done"], found["left"]) == ("queued", 4, 8)
    (item,) = days.json("queue")["queue"]
    assert (item["id"], item["kind"], item["state"]) == (found["id"], "backfill", "waiting")
    (days.root / "hold.2026-01-03").unlink()
    assert days.json("backfill", "--resume", found["id"])["state"] == "done"
    assert made(days) == ALL


def test_ctrl_c_stops_it_and_says_how_to_go_on(days: Folder) -> None:
    (days.root / "hold.2026-01-02").touch()
    with start(days) as process:
        begun(days, process, "orders.2026-01-02")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LONG)
    assert process.returncode == 130, err
    (found,) = days.json("backfills")["backfills"]
    assert out.startswith(f"queued  backfill {found['id']}: 2 of 12 done, 10 left")
    assert f"`assetry backfill --resume {found['id']}` goes on with it." in err
    assert days.json("queue")["queue"][0]["state"] == "waiting"
    (days.root / "hold.2026-01-02").unlink()
    days.call("backfill", "-q", "--resume", found["id"])
    assert made(days) == ALL


def test_one_that_another_command_cancels_stops_and_starts_nothing_more(days: Folder) -> None:
    (days.root / "hold.2026-01-02").touch()
    with start(days) as process:
        begun(days, process, "orders.2026-01-02")
        (found,) = days.json("backfills")["backfills"]
        assert found["state"] == "running"
        queue = days.call("queue").stdout
        assert "  backfill of orders and report [2026-01-01..2026-01-06]\n" in queue
        assert f"  orders and report [2026-01-02], of backfill {found['id']}\n" in queue
        assert days.call("cancel", found["id"]).stdout == f"backfill {found['id']}: cancelled\n"
        out, err = process.communicate(timeout=LONG)
    assert process.returncode == 130, err
    assert out.startswith(f"cancelled  backfill {found['id']}: 2 of 12 done, 10 left")
    assert err.rstrip().endswith(f"`assetry backfill --resume {found['id']}` tries what is left again.")
    assert days.call("cancel", found["id"]).stdout == f"backfill {found['id']}: is cancelled already\n"
    assert not (days.root / "orders.2026-01-03.began").exists()
    assert days.json("queue")["queue"] == []


def test_it_is_called_off_also_while_definitions_are_broken(days: Folder) -> None:
    (days.root / "hold.2026-01-02").touch()
    with start(days) as process:
        begun(days, process, "orders.2026-01-02")
        days.write("shop_assets.py", "this is no Python")
        (found,) = [each["id"] for each in days.json("queue")["queue"] if each["kind"] == "backfill"]
        days.call("cancel", found)
        process.communicate(timeout=LONG)
    assert process.returncode == 130


def test_a_second_process_does_not_carry_it_out_too(days: Folder) -> None:
    (days.root / "hold.2026-01-02").touch()
    with start(days) as process:
        begun(days, process, "orders.2026-01-02")
        (found,) = days.json("backfills")["backfills"]
        told = days.call("backfill", "--resume", found["id"], code=5).stderr
        assert f"is carried out by process {process.pid} on" in told
        (days.root / "hold.2026-01-02").unlink()
        process.communicate(timeout=LONG)
    assert process.returncode == 0
    assert made(days) == ALL


def test_a_detached_one_is_carried_out_by_a_process_of_its_own(days: Folder) -> None:
    told = days.json("backfill", "night", "-s", "*", "-p", "all", "--detach")
    assert (told["name"], told["wanted"]) == ("night", 12)
    until(lambda: days.json("backfills", "night")["state"] == "done")
    assert made(days) == ALL
    until(lambda: "12 of 12 done" in Path(told["log"]).read_text(encoding="utf-8"))


def test_one_that_is_resumed_goes_on_in_a_process_of_its_own_where_that_is_asked_for(days: Folder) -> None:
    for day in DAYS[:2]:
        (days.root / f"break.{day}").touch()
    days.call(
        "backfill", "-q", "-s", "*", "-p", "all", "--retries", "0", "--stop-after", "2", "--max-partitions", "1", code=1
    )
    for day in DAYS[:2]:
        (days.root / f"break.{day}").unlink()
    told = days.json("backfill", "--failed", "--detach")
    assert (told["state"], told["only_failed"], told["eta"]) == ("queued", True, None)
    until(lambda: "What had failed is made" in Path(told["log"]).read_text(encoding="utf-8"))
    days.call("backfill", "--resume", told["id"], "--detach")
    until(lambda: days.json("backfills", told["id"])["state"] == "done")
    assert made(days) == ALL
    until(lambda: "12 of 12 done" in Path(told["log"]).read_text(encoding="utf-8"))
    told = days.call("backfill", "--resume", told["id"], "--detach", code=2).stderr
    assert "is done: nothing is left of it" in told


def test_where_all_that_had_failed_is_made_it_ends_with_0_and_waits_to_be_gone_on_with(days: Folder) -> None:
    (days.root / "break.2026-01-01").touch()
    arguments = ("-s", "*", "-p", "all", "--retries", "0", "--stop-after", "1", "--max-partitions", "1")
    days.call("backfill", "-q", *arguments, code=1)
    (days.root / "break.2026-01-01").unlink()
    result = days.call("backfill", "--failed")
    assert result.stdout.startswith("queued  backfill b")
    assert ": 2 of 12 done, 10 left\n" in result.stdout
    assert result.stderr.rstrip().endswith("goes on with what is left.")
    _, line = days.call("backfills").stdout.splitlines()
    assert "2/12  0       0        10" in line
    assert "about" not in line, "no end is expected of what no process carries out"
    assert "no process carries it out" in days.call("queue").stdout


def test_its_runs_are_told_to_be_of_it_with_what_each_makes(days: Folder) -> None:
    days.call("backfill", "history", "-q", "-s", "*", "-p", "2026-01-01..2026-01-02", "--max-partitions", "1")
    days.call("backfill", "-q", "-s", "orders", "-p", "2026-01-03")
    days.call("materialize", "-q", "-s", "orders", "-p", "2026-01-03")
    id_, history = (each["id"] for each in days.json("backfills")["backfills"])
    _, plain, unnamed, *lines = days.call("runs").stdout.splitlines()
    assert plain.endswith("  -s orders --partition 2026-01-03")
    assert unnamed.endswith(f"  backfill {id_}: orders [2026-01-03]")
    said = [line.partition("  backfill ")[2] for line in lines]
    assert said == [f"history: orders and report [2026-01-0{day}]" for day in (2, 1)]
    runs = days.json("runs")["runs"]
    told = [(each["backfill"], each["name"]) for each in runs]
    assert told == [(None, None), (id_, None), (history, "history"), (history, "history")]
    assert days.json("logs", runs[2]["run"])["backfill"] == history


def test_two_processes_share_what_both_are_asked_for(days: Folder) -> None:
    (days.root / "hold.2026-01-01").touch()
    with start(days, "--only", "missing") as first:
        begun(days, first, "orders.2026-01-01")
        with start(days, "--only", "missing", "--newest-first", "--output", "json") as second:
            until(lambda: made(days)["report 2026-01-02"] > 0)
            (days.root / "hold.2026-01-01").unlink()
            told = json.loads(second.communicate(timeout=LONG)[0])
        first.communicate(timeout=LONG)
    assert (first.returncode, second.returncode, told["done"]) == (0, 0, 12)
    assert made(days) == ALL
