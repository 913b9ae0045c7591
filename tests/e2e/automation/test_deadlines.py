"""Deadlines on a sync and dbt models: always met, by no more invocations than it takes, and told beforehand."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from pathlib import Path

import pytest

from tests.e2e.automation.story import DAY, HOUR, MINUTE, MONDAY, Crm, Story, told_of_crm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BOARD = """
exposures:
  - name: board
    type: dashboard
    owner: {{name: Carla, email: carla@example.com}}
    depends_on: [ref('{model}')]
    config: {{meta: {{assetry: {{freshness: {{{asked}}}}}}}}}
"""
REPORT = """
models:
  - {name: core, config: {meta: {assetry: {automation: AUTOMATION}}}}
  - {name: report, config: {meta: {assetry: {automation: AUTOMATION, freshness: FRESHNESS}}}}
"""
QUARTER = "maximum_lag: {count: 15, period: minute}"
MODELS = {
    "models/core.sql": "select id from {{ source('crm', 'orders') }}",
    "models/report.sql": "select count(*) as orders from {{ ref('core') }}",
}


def policies(automation: str, freshness: str = "null") -> str:
    return REPORT.replace("AUTOMATION", automation).replace("FRESHNESS", freshness)


def assert_loaded(story: Story, crm: Crm) -> None:
    """See that all that came is in the tables, and all that runs has an end."""
    orders = sum(each < story.clock.now for each in crm.arrivals) + 1
    assert story.sql("select (select count(*) from core), orders from report") == [(orders, orders)]
    assert set(story.counts()) == {"fresh"}
    assert all(each.outcome == "SUCCESSFUL" for each in crm.connection.syncs)


def test_two_teams_on_one_core_model_are_served_by_the_same_builds(tmp_path: Path) -> None:
    teams = policies("lazy", "{maximum_lag: {count: 1, period: day}}") + BOARD.format(model="core", asked=QUARTER)
    with told_of_crm(tmp_path, {**MODELS, "models/teams.yml": teams}) as (story, crm):
        crm.arrivals = [MONDAY + hours * HOUR for hours in (8, 12, 13, 20)]
        assert story.turn() == [True]
        story.live(MONDAY + DAY, story.no_deadline_is_missed)

        # A sync takes one minute, is begun 1.25 minutes before the quarter of an hour is over, and has data as of then.
        assert story.times("crm/orders") == [
            MONDAY + n * (15 * MINUTE - 1.25 * MINUTE) for n in range(ceil(DAY / (13.75 * MINUTE)))
        ]
        # At first, and with the sync after each arrival: what moved is made, and the other syncs make nothing.
        moved = [min(at for at in story.times("crm/orders") if at >= arrival) for arrival in crm.arrivals]
        assert story.times("shop/core") == [at + crm.took for at in (MONDAY, *moved)]
        # The other team has no sync and no core of its own: once a day, beside the last sync before its deadline.
        first, last = story.times("shop/report")
        assert first == MONDAY + crm.took
        assert MONDAY + DAY - 15 * MINUTE < last < MONDAY + DAY
        assert len(story.invocations("dbt")) == 1 + len(moved) + 1
        assert_loaded(story, crm)


def test_an_eager_chain_rests_behind_a_sync_that_moves_nothing_and_no_deadline_is_missed(tmp_path: Path) -> None:
    board = BOARD.format(model="report", asked="maximum_lag: {count: 1, period: hour}")
    with told_of_crm(tmp_path, {**MODELS, "models/eager.yml": policies("eager") + board}) as (story, crm):
        crm.took = 4 * MINUTE
        assert story.turn() == [True]
        story.live(MONDAY + 6 * HOUR, story.no_deadline_is_missed)
        assert story.times("crm/orders") == [
            MONDAY + n * (HOUR - 5 * MINUTE) for n in range(ceil(6 * HOUR / (55 * MINUTE)))
        ]
        assert [sorted(each.keys) for each in story.invocations("dbt")] == [["shop/core", "shop/report"]]

        # A sync that somebody else began, and that is only seen, is as good as one of our own.
        story.forget()
        crm.begin(crm.connection)
        story.clock.advance(crm.took)
        assert crm.connection_json(crm.connection)["status"]["sync_state"] == "scheduled"
        seen = story.clock.now
        story.says("observe")
        assert story.turn() == []
        wake = story.wake()
        assert wake is not None
        assert seen + 50 * MINUTE <= wake <= seen + 55 * MINUTE
        assert story.freshness() == {"shop/exposure/board": "met"}

        # Once rows come, the next sync brings them, and the chain goes through in the same run.
        crm.arrivals = [story.clock.now + MINUTE]
        story.live(wake + HOUR, story.no_deadline_is_missed)
        assert [sorted(each.keys) for each in story.made][:2] == [["crm/orders"], ["shop/core", "shop/report"]]
        assert len(story.invocations("dbt")) == 1
        assert_loaded(story, crm)


MORNING = "maximum_lag: {count: 90, period: minute}, cron: '0 9 * * MON-FRI', timezone: Europe/Berlin"


def test_a_dashboard_of_nine_o_clock_is_begun_as_early_as_it_took_nineteen_times_out_of_twenty(tmp_path: Path) -> None:
    nine = datetime(2026, 1, 26, 8, tzinfo=UTC)  # on a Monday in Berlin
    friday = nine - 3 * DAY
    with told_of_crm(
        tmp_path, {**MODELS, "models/board.yml": BOARD.format(model="report", asked=MORNING)}, at=friday - 20 * DAY
    ) as (story, crm):
        # Twenty syncs by hand, of which one took very long; the longest of the others is what counts.
        took = [11 * MINUTE, 16 * MINUTE, 2 * HOUR, *([12 * MINUTE] * 17)]
        for crm.took in took:
            assert story.project.materialize("crm/orders").ok
            story.clock.advance(10 * MINUTE)
        way = sorted(took)[-2]

        # On Friday it was met by hand, half an hour before. Over the weekend there is nothing to be met.
        story.clock.set(friday - HOUR / 2)
        crm.took = 10 * MINUTE
        assert story.project.materialize().ok
        crm.arrivals = [nine - 5 * HOUR]
        story.live(nine - 5 * HOUR, story.no_deadline_is_missed)
        assert story.made == []

        begun = nine - 1.25 * way
        told = story.next("shop/exposure/board")
        because = "`shop/exposure/board` is to have newer data by 08:00 UTC, which takes about 16 min"
        assert (told.kind, told.at, told.because) == ("at", begun, because)
        assert f"about {begun:%H:%M} UTC: {because}" in " ".join(story.says("status", "-v").split())

        crm.took = 18 * MINUTE
        story.live(nine + MINUTE, story.no_deadline_is_missed)
        assert story.times("crm/orders") == [begun]
        assert story.times("shop/core") == story.times("shop/report") == [begun + crm.took]
        assert begun + crm.took <= nine
        assert_loaded(story, crm)
        # What took 18 minutes is one of 22 times by now, and the second longest.
        assert story.next("shop/exposure/board").at == nine + DAY - 1.25 * crm.took
