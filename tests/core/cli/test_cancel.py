from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder


def test_a_run_of_another_process_is_stopped(waiting: Folder) -> None:
    with waiting.process("materialize", "-q") as run:
        waiting.wait_for_slow(run)
        (found,) = waiting.json("runs")["runs"]
        assert found["state"] == "running"
        assert waiting.json("cancel", found["run"]) == {"version": 1, "run": found["run"], "state": "cancelled"}
        assert run.wait(60) == 130
    assert "has already ended" in waiting.call("cancel", found["run"]).stderr


def test_a_killed_run_is_recognised_and_nobody_is_signalled(waiting: Folder) -> None:
    with waiting.process("materialize", "-q") as run:
        waiting.wait_for_slow(run)
        run.kill()
        run.wait(60)
    (found,) = waiting.json("runs")["runs"]
    assert found["state"] == "interrupted"
    result = waiting.call("cancel", found["run"])
    assert "interrupted" in result.stdout


def test_a_run_must_be_named(shop: Folder) -> None:
    result = shop.call("cancel", code=2)
    assert "ID" in result.stderr
