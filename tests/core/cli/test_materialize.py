from __future__ import annotations

import json
import re
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Folder

NAMES = {
    "run_started",
    "invocation_started",
    "started",
    "progress",
    "log",
    "handle",
    "materialized",
    "observed",
    "checked",
    "skipped",
    "failed",
    "invocation_finished",
    "run_finished",
}


def test_the_summary_is_the_result_and_the_events_are_progress(shop: Folder) -> None:
    result = shop.call("materialize")
    assert result.stdout.startswith("succeeded after ")
    assert result.stdout.endswith("; 3 assets: 3 made; 1 check: 1 passed\n")
    lines = result.stderr.splitlines()
    assert sum("materialized" in line for line in lines) == 3
    assert any("is_positive of shop/total" in line for line in lines)


def test_ndjson_has_an_event_per_line(shop: Folder) -> None:
    result = shop.call("materialize", "--output", "ndjson")
    assert result.stderr == ""
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[0]["event"] == "run_started"
    assert events[-1]["event"] == "run_finished"
    assert events[-1]["state"] == "succeeded"
    for event in events:
        assert event["version"] == 1
        assert event["event"] in NAMES
        assert event["run"] == events[0]["run"]
        assert datetime.fromisoformat(event["at"]).utcoffset() == datetime.now(UTC).utcoffset()
        assert "invocation" in event
        if event["event"] in ("started", "materialized", "checked"):
            assert event["asset"] in ("orders", "shop/total", "report")
    checked = next(event for event in events if event["event"] == "checked")
    assert (checked["check"], checked["passed"], checked["severity"]) == ("is_positive", True, "error")
    assert checked["message"] is None  # defaults are written out


def test_json_is_one_object_at_the_end(shop: Folder) -> None:
    data = shop.json("materialize")
    assert data["state"] == "succeeded"
    assert data["counts"]["materialized"] == 3
    assert {(asset["key"], asset["outcome"]) for asset in data["assets"]} == {
        ("orders", "materialized"),
        ("shop/total", "materialized"),
        ("report", "materialized"),
    }
    assert data["run"] == shop.json("runs")["runs"][0]["run"]


def test_what_an_asset_prints_is_no_result(shop: Folder) -> None:
    text = (shop.root / "shop_assets.py").read_text()
    shop.write("shop_assets.py", text.replace("return sum", 'print("hello from inside")\n    return sum'))
    result = shop.call("materialize", "--output", "ndjson")
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[-1]["event"] == "run_finished"
    (line,) = [each for each in events if each["event"] == "log"]
    assert (line["message"], line["asset"]) == ("hello from inside", "shop/total")
    assert "hello from inside" in shop.call("logs").stdout


def test_a_failure_is_repeated_in_full_and_exits_1(failing: Folder) -> None:
    result = failing.call("materialize", code=1)
    text = result.stdout
    assert "failed  shop/total\n" in text
    assert "no sum today" in text
    assert "shop_assets.py:" in text
    assert "skipped  report: " in text
    assert text.splitlines()[-1].startswith("failed after ")
    assert "assetry retry" in result.stderr


def test_a_failed_check_exits_1(shop: Folder) -> None:
    text = (shop.root / "shop_assets.py").read_text()
    shop.write("shop_assets.py", text.replace("total > 0", "total > 100"))
    result = shop.call("materialize", code=1)
    assert "check failed  is_positive of shop/total" in result.stdout
    data = shop.json("materialize", code=1)
    assert [(check["check"], check["passed"]) for check in data["checks"]] == [("is_positive", False)]


def test_nothing_to_do_is_no_failure(shop: Folder) -> None:
    shop.call("materialize", "-q")
    assert shop.call("materialize", "--stale").stdout == "Nothing to run: all 3 selected assets are up to date.\n"
    data = shop.json("materialize", "--stale")
    assert (data["run"], data["assets"]) == (None, [])
    assert shop.ndjson("materialize", "--stale") == []


def test_only_what_is_selected(shop: Folder) -> None:
    assert [asset["key"] for asset in shop.json("materialize", "-s", "orders")["assets"]] == ["orders"]
    assert shop.json("runs")["runs"][0]["options"]["select"] == ["orders"]


def test_a_conflict_names_the_other_run(waiting: Folder) -> None:
    with waiting.process("materialize", "-q") as first:
        waiting.wait_for_slow(first)
        result = waiting.call("materialize", code=5)
        assert "is building" in result.stderr
        assert "assetry cancel" in result.stderr
        (waiting.root / "go").touch()
        assert first.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_and_leaves_a_true_record(waiting: Folder, number: int) -> None:
    with waiting.process("materialize", "--output", "ndjson") as process:
        assert process.stdout is not None
        # Lines come while the run goes on: each is flushed at once.
        first = json.loads(process.stdout.readline())
        assert first["event"] == "run_started"
        waiting.wait_for_slow(process)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    events = [json.loads(line) for line in out.splitlines()]
    assert events[-1]["state"] == "cancelled"
    assert "Traceback" not in err
    statuses = {asset["key"]: asset["status"] for asset in waiting.json("status")["assets"]}
    assert statuses["quick"] == "fresh"
    assert statuses["last"] == "never"
    (waiting.root / "go").touch()
    assert {asset["key"] for asset in waiting.json("retry")["assets"]} == {"slow", "last"}


def test_a_reader_that_leaves_does_not_stop_the_run(waiting: Folder) -> None:
    with waiting.process("materialize", "--output", "ndjson") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        waiting.wait_for_slow(process)
        (waiting.root / "go").touch()
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert waiting.json("status")["counts"] == {"fresh": 3}


BREAKING = """
from assetry.plugin import Asset, Integration, Materialized, RunError, hookimpl

MILL = Integration("mill", "mill")


@hookimpl
def assetry_load_assets(integration):
    return [Asset(key="flour", kind="mill", integration=integration)] if integration.kind == "mill" else None


@hookimpl
def assetry_invoke(invocation, context):
    for asset in invocation.assets:
        yield Materialized(asset.key)
    raise RunError("The mill cannot hand the flour over.", hint="Open its door.")
"""


def test_a_tool_that_failed_beside_its_assets_is_told_first_and_exits_1(folder: Folder) -> None:
    folder.write("assetry.toml", '[integrations.mill]\nkind = "mill"\n')
    folder.write("assetry_plugins.py", BREAKING)
    result = folder.call("materialize", code=1)
    first = "failed  mill flour\n    The mill cannot hand the flour over.\n    Open its door.\n"
    assert result.stdout.startswith(first)
    assert "1 asset: 1 made" in result.stdout
    assert "retry" not in result.stderr, "there is nothing to be made again"
    assert folder.json("materialize", code=1)["problems"] == ["The mill cannot hand the flour over."]
    again = folder.call("retry", code=1)
    assert again.stdout.startswith("Nothing is left of run ")
    assert "It failed all the same: The mill cannot hand the flour over." in again.stderr


BREAKS_ONCE = BREAKING.replace(
    """    for asset""",
    """    if not Path("mended").exists():
        raise RunError("The mill has no room.")
    for asset""",
).replace(
    """    raise RunError("The mill cannot hand the flour over.", hint="Open its door.")
""",
    """
@hookimpl
def assetry_invocation_group(asset):
    return InvocationGroup(key="mill") if asset.kind == "mill" else None
""",
)


@pytest.mark.parametrize("again", ["retry", "materialize"])
def test_a_tool_that_was_called_to_its_end_since_is_no_trouble_of_a_run_any_more(folder: Folder, again: str) -> None:
    folder.write("assetry.toml", '[integrations.mill]\nkind = "mill"\n')
    folder.write(
        "assetry_plugins.py", f"from pathlib import Path\nfrom assetry.plugin import InvocationGroup\n{BREAKS_ONCE}"
    )
    folder.call("materialize", code=1)
    folder.call("retry", code=1)
    (folder.root / "mended").touch()
    folder.call(again)
    for each in folder.json("runs")["runs"]:
        assert "It failed" not in folder.call("retry", each["run"]).stderr


FAILS = """
from assetry.plugin import Asset, Failed, hookimpl

ASSETRY_KINDS = {"mill": {}}


@hookimpl
def assetry_load_assets(integration):
    keys = ("rye", "oats", "corn", "bran")
    return [Asset(key=key, kind="mill", integration=integration, source="mill.yml:3") for key in keys]


@hookimpl
def assetry_invoke(invocation, context):
    for asset in invocation.assets:
        sacks, hint = len(asset.key), "The wheel broke.\\nIts axle, too."
        yield {
            "corn": Failed("corn", "The corn is wet.", "Dry it."),
            "bran": Failed("bran", "There is none."),
        }.get(asset.key) or Failed(asset.key, f"The mill stood still after {sacks} sacks.", hint, where=WHERE)
"""
ONCE = """\
failed  rye
    The mill stood still after 3 sacks.
failed  oats
    The mill stood still after 4 sacks.
    at mill.yml:{line}
    The wheel broke.
    Its axle, too.

failed  corn
    The corn is wet.
    at mill.yml:3
    Dry it.

failed  bran
    There is none.
    at mill.yml:3
"""


@pytest.mark.parametrize(("where", "line"), [("None", 3), ('"mill.yml:7"', 7)])
def test_a_next_step_that_is_the_same_for_several_is_told_once_below_them(
    folder: Folder, where: str, line: int
) -> None:
    """At the place of what is at fault, where that is not the definition of the asset."""
    folder.write("assetry.toml", '[integrations.mill]\nkind = "mill"\n')
    folder.write("mill.yml", "")
    folder.write("assetry_plugins.py", FAILS.replace("WHERE", where))
    # From here the way to it may be shorter than all of its path.
    told = re.sub(r"at \S*/mill\.yml", "at mill.yml", folder.call("materialize", code=1).stdout)
    assert told.startswith(ONCE.format(line=line))


def test_a_long_message_of_a_failure_is_cut_and_the_logs_have_all_of_it(folder: Folder) -> None:
    folder.write(
        "assets.py",
        """
        from assetry import asset

        @asset
        def broken() -> int:
            raise ValueError("\\n".join(["No function.", *(f"candidate {n}" for n in range(40)), "LINE 1: select"]))
        """,
    )
    told = folder.call("materialize", code=1)
    shown = told.stdout
    assert "No function." in shown
    assert "LINE 1: select" in shown
    assert "candidate 20" not in shown
    assert "more lines, which `assetry logs` has" in shown
    assert "candidate 20" in folder.call("materialize", "-v", code=1).stdout
    assert "candidate 20" in folder.call("logs").stdout
