"""What fails backs off and is held, nothing is made from old inputs meanwhile, and once it is mended all is fresh."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.automation.story import HOUR, MINUTE, MONDAY, Story, told_of_crm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CORE = "select case when id > 0 then error('order 1 is broken') else id end as id from {{ source('crm', 'orders') }}"
MODELS = {
    "models/core.sql": CORE,
    "models/report.sql": "select count(*) as orders from {{ ref('core') }}",
    "models/eager.yml": """
models:
  - {name: core, config: {meta: {assetry: {automation: eager}}}}
  - {name: report, config: {meta: {assetry: {automation: eager}}}}
exposures:
  - name: board
    type: dashboard
    owner: {name: Carla, email: carla@example.com}
    depends_on: [ref('report')]
    config: {meta: {assetry: {freshness: {maximum_lag: {count: 1, period: hour}}}}}
""",
}


def failures(story: Story) -> list[datetime]:
    return [each.at for each in story.made if each.failed == {"shop/core"}]


def test_a_failure_above_backs_off_is_held_and_goes_on_once_it_is_mended(tmp_path: Path) -> None:
    with told_of_crm(tmp_path, MODELS) as (story, crm):
        assert story.turn() == [True]
        crm.arrivals = [MONDAY + 50 * MINUTE]
        story.live(MONDAY + 50 * MINUTE, story.no_deadline_is_missed)
        story.forget()

        # One minute, two, four and eight, a fifth more or less; then it is held.
        story.live(MONDAY + 4 * HOUR)
        tried = failures(story)
        waits = [(later - one) / MINUTE for one, later in pairwise(tried)]
        assert [round(wait / 2**n, 1) for n, wait in enumerate(waits)] == [pytest.approx(1, abs=0.2)] * 4
        assert len(story.invocations("dbt")) == 5, "nothing below is made from old inputs"
        assert len(story.times("crm/orders")) == 4, "but the data that a deadline asks for comes in each hour"

        told = story.next("shop/core")
        assert (told.kind, told.at) == ("held", None)
        assert "it failed 5 times in a row from the same code and inputs" in told.because
        for below in ("shop/report", "shop/exposure/board"):
            assert (story.next(below).kind, str(story.next(below).on)) == ("when", "shop/core")
        assert story.freshness() == {"shop/exposure/board": "overdue"}
        said = " ".join(story.says("status").split())
        assert "failed shop/core: the last attempt failed: Runtime Error in model core" in said
        assert "overdue shop/exposure/board: its data is of 2026-01-05 00:00:00 UTC" in said
        assert "next shop/core: held: it failed 5 times in a row" in said
        board = story.project.status_of("shop/exposure/board")
        assert "shop/core" in {str(each.asset) for each in board.reasons}, board.reasons

        # A person lets it go on, who has mended nothing: it is tried once.
        story.says("resume", "-s", "core")
        assert story.turn() == [False]
        assert len(failures(story)) == 6
        assert story.turn() == []
        assert story.next("shop/core").kind == "held"

        # Somebody has mended the rows, which no record tells of.
        story.clock.advance(MINUTE)
        story.sql("delete from crm.orders where id > 0")
        assert story.turn() == []
        story.says("resume", "-s", "core")
        assert story.turn() == [True]
        assert story.made[-1].keys == {"shop/core", "shop/report"}
        assert story.freshness() == {"shop/exposure/board": "met"}
        assert story.says("status", "--exit-code").startswith("4 assets: 3 fresh, 1 external")


def test_new_code_and_new_inputs_are_tried_though_they_are_held(tmp_path: Path) -> None:
    held = {"assetry.toml": "[automation]\nholds_after = 1\n"}
    with told_of_crm(tmp_path, MODELS) as (story, crm):
        story.write("assetry.toml", (story.root / "assetry.toml").read_text() + held["assetry.toml"])
        crm.arrivals = [MONDAY - MINUTE]
        assert story.turn() == [False]
        assert story.next("shop/core").kind == "held"
        crm.arrivals.append(MONDAY + MINUTE)
        story.clock.advance(HOUR)
        assert story.turn() == [True]
        assert story.turn() == [False], "the sync has brought other rows, and these are tried"
        assert len(failures(story)) == 2
        story.clock.advance(MINUTE)
        assert story.turn() == []

        story.write("models/core.sql", "select id from {{ source('crm', 'orders') }}")
        story.reload()
        assert story.turn() == [True]
        assert story.made[-1].keys == {"shop/core", "shop/report"}
        assert set(story.counts()) == {"fresh"}
