from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder


def test_events_of_the_last_run(shop: Folder) -> None:
    live = shop.ndjson("materialize")
    assert shop.ndjson("logs") == live
    data = shop.json("logs")
    assert data["events"] == live
    assert data["state"] == "succeeded"
    assert "materialized  shop/total" in shop.call("logs").stdout


def test_a_failure_is_told_whole_with_its_next_step(failing: Folder) -> None:
    failing.call("materialize", "-q", code=1)
    lines = failing.call("logs").stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if "failed        shop/total: ValueError" in line)
    assert any("no sum today" in line for line in lines[at : at + 6])
    assert "          Correct the function, then run `assetry retry`." in lines[at : at + 6]


def test_a_run_by_the_beginning_of_its_id(shop: Folder) -> None:
    first = shop.json("materialize", "-s", "orders")["run"]
    shop.call("materialize", "-q")
    assert {event["run"] for event in shop.ndjson("logs", first[:-1])} == {first}


def test_following_a_run_to_its_end(waiting: Folder) -> None:
    with waiting.process("materialize", "-q") as run:
        waiting.wait_for_slow(run)
        with waiting.process("logs", "--follow", "--output", "ndjson") as logs:
            assert logs.stdout is not None
            assert json.loads(logs.stdout.readline())["event"] == "run_started"
            (waiting.root / "go").touch()
            # Not with communicate(), which does not see what readline() has taken from the pipe beforehand.
            out = logs.stdout.read()
        assert run.wait(60) == 0
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events[-1] == "run_finished"
    assert events.count("materialized") == 3
    assert logs.wait(60) == 0


def test_no_run(shop: Folder) -> None:
    assert "There is no run yet." in shop.call("logs", code=2).stderr
