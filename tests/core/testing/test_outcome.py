"""Outcomes say what happened, and what was expected instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from assetry.testing import Outcome, ProjectFolder

ASSETS = """
    from assetry import asset, asset_check

    @asset(key="shop/orders")
    def orders():
        return [1, 2]

    @asset
    def broken(orders):
        raise ValueError("no sum today")

    @asset
    def below(broken):
        return 1

    @asset_check(asset=orders)
    def has_rows(orders):
        return len(orders) > 0
"""


@pytest.fixture
def folder(project: Callable[..., ProjectFolder]) -> ProjectFolder:
    return project({"assets.py": ASSETS})


@pytest.fixture
def outcome(folder: ProjectFolder) -> Outcome:
    return folder.materialize()


def test_what_happened_passes(outcome: Outcome) -> None:
    outcome.assert_code(1).assert_materialized("orders").assert_only_materialized("shop/orders")
    outcome.assert_failed("broken", "no sum today").assert_skipped("below", because="broken")
    outcome.assert_checked("orders", "has_rows").assert_said("broken")
    assert outcome.launches == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda it: it.assert_ok(), "exit code 1, not 0"),
        (lambda it: it.assert_materialized("orders", "broken"), "broken was failed, not materialized: .*no sum today"),
        (lambda it: it.assert_failed("orders"), "shop/orders was materialized, not failed"),
        (lambda it: it.assert_failed("broken", "other"), "not with 'other'"),
        (lambda it: it.assert_skipped("below", because="orders"), "below was skipped because .*, not 'orders'"),
        (lambda it: it.assert_skipped("nothing"), "nothing is said of nothing; there is shop/orders, broken, below"),
        (lambda it: it.assert_checked("orders", "has_rows", passed=False), "passed is True"),
        (lambda it: it.assert_checked("broken", "has_rows"), "check has_rows of broken was not run"),
        (lambda it: it.assert_said("never"), "nothing says 'never'"),
        (lambda it: it.assert_only_materialized(), "shop/orders was materialized as well"),
    ],
)
def test_what_did_not_happen_fails_and_says_what_did(outcome: Outcome, wrong: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said) as caught:
        wrong(outcome)
    if "because" not in said and "with" not in said:
        assert "assetry materialize" in str(caught.value) or "may be" in str(caught.value)


def test_outputs_without_events_say_how_to_get_them(folder: ProjectFolder) -> None:
    with pytest.raises(AssertionError, match="--output ndjson"):
        folder.run("materialize").assert_materialized("orders")


def test_two_assets_of_one_name_need_the_whole_key() -> None:
    lines = '{"event": "materialized", "asset": "a/x"}\n{"event": "materialized", "asset": "b/x"}'
    with pytest.raises(AssertionError, match="x may be a/x or b/x"):
        Outcome(0, lines, "").assert_materialized("x")


def test_a_process_of_its_own_does_the_same(folder: ProjectFolder) -> None:
    folder.materialize(process=True).assert_code(1).assert_only_materialized("orders")
    folder.write("assets.py", ASSETS.replace('raise ValueError("no sum today")', "return 3"))
    folder.retry(process=True).assert_ok().assert_only_materialized("broken", "below")


def test_documents_and_projects_can_be_looked_at(folder: ProjectFolder) -> None:
    assert [each["key"] for each in folder.run("list", "--output", "json").data["assets"]] == [
        "shop/orders",
        "broken",
        "below",
    ]
    folder.materialize("-s", "orders").assert_ok()
    assert folder.load().load_value("orders") == [1, 2]


def test_launches_are_invocations_of_tools() -> None:
    lines = '{"event": "invocation_started", "kind": "dbt"}\n{"event": "invocation_started", "kind": "python"}'
    assert Outcome(0, lines, "").launches == 1
