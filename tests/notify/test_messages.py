"""Messages: in words, not longer than people read."""

from __future__ import annotations

from datetime import UTC, datetime

from assetry_notify.messages import LINES, Message
from assetry_notify.notices import Item
from assetry_notify.problems import Problem

NOW = datetime(2026, 1, 31, 10, 2, tzinfo=UTC)


def failed(root: str, text: str = "no disk", run: str = "r1") -> Item:
    problem = Problem(event="failed", root=root, text=text, at=NOW.isoformat(), run=run, assets=(root,))
    return Item(problem)


def message(*items: Item) -> Message:
    return Message.of("m", "shop", NOW, items)


def test_failures_of_one_run_that_say_the_same_are_one_line() -> None:
    found = message(*(failed(f"a{number}", "dbt is not installed") for number in range(7)), failed("b"))
    assert found.title == "shop: 8 failed"
    assert found.lines == [
        "`a0`, `a1`, `a2`, `a3`, `a4` and 2 more failed: dbt is not installed (run r1; since 2026-01-31 10:02 UTC)",
        "`b` failed: no disk (run r1; since 2026-01-31 10:02 UTC)",
    ]


def test_of_very_many_causes_the_first_are_told_and_the_others_counted() -> None:
    found = message(*(failed(f"a{number}", f"fault {number}") for number in range(LINES + 5))).lines
    assert len(found) == LINES + 1
    assert found[-1] == "… and 5 more: `assetry status` has all of them."
